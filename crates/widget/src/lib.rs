//! The SVG widget: what becomes of the young people who took a course, as one picture.
//!
//! Three indicators are shown: in employment six months after, in education, other situations.
//! Each picture exists in two themes and two directions, for one course ([`render`]) or for a course
//! under both statuses, school and apprenticeship ([`render_filieres`]). Where there is nothing to show,
//! both answer `None`; the caller then sends its 404, the [`missing`] picture or the [`empty`] one.
//!
//! The crate is pure: it takes figures and texts, and gives a string. What it draws
//!
//! - is accessible: `role="img"`, `lang="fr"`, named by its `title`, its `desc` and the drawn figures;
//!   every colour pair passes WCAG AA;
//! - needs nothing else: no font, script, style sheet or picture is fetched, and there is neither a
//!   `<style>` element nor a `style` attribute, so that it survives a strict content security policy and
//!   does not leak into a page that inlines it;
//! - is a white card of its own, readable on a dark page too.
//!
//! [`picture`] and its like draw the same in any width from 240 pixels on, with larger text, dark, named by its place, and with
//! the figures in its `desc`: as SVG, or as [`PictureShape`]s that something else paints. The images of the contract
//! ([`render`] and its like) link none of that.
//!
//! The figures must be the published ones: this crate knows nothing of the publication threshold.
//!
//! ```
//! use widget::{Direction, Formation, Indicators, Source, Theme, render};
//!
//! let image = render(
//!     &Formation {
//!         title: "Certification 23830024203",
//!         details: "Données InserJeunes pour la certification 23830024203",
//!         libelle: Some("Maçon"),
//!         millesime: "2022",
//!         source: Source::InserJeunes,
//!         messages: &[],
//!         indicators: Indicators {
//!             employment_rate_6_months: Some(52.0),
//!             training_rate: Some(31.0),
//!             other_rate_6_months: None,
//!         },
//!     },
//!     Theme::Dsfr,
//!     Direction::Vertical,
//! );
//! assert!(image.is_some_and(|svg| svg.contains(">52%<") && svg.contains(">--<")));
//! ```

mod canvas;
mod free;
mod layout;
mod skin;
mod style;
mod surface;
mod wrap;

pub use free::{Ground, Look, Picture, PictureShape, picture, picture_of_filieres, picture_of_missing};

use canvas::Canvas;

/// The look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// The State's design system.
    #[default]
    Dsfr,
    /// La bonne alternance: rounded, coloured cards.
    Lba,
}

impl Theme {
    /// Both themes.
    pub const ALL: [Self; 2] = [Self::Dsfr, Self::Lba];

    /// Its name in queries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dsfr => "dsfr",
            Self::Lba => "lba",
        }
    }

    /// Reads the name used in queries. `None` for any other text, the empty one included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.as_str() == text)
    }
}

/// How the indicators follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// One below the other.
    #[default]
    Vertical,
    /// Side by side.
    Horizontal,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Vertical, Self::Horizontal];

    /// Its name in queries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vertical => "vertical",
            Self::Horizontal => "horizontal",
        }
    }

    /// Reads the name used in queries. `None` for any other text, the empty one included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.as_str() == text)
    }
}

/// Who publishes the figures; named in the source line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Secondary education and apprenticeship.
    #[default]
    InserJeunes,
    /// Higher education.
    InserSup,
}

/// The published rates of one statistic, in whole percent, 0 and above (they may pass 100 where the
/// counts do not belong together).
///
/// `None` is unknown: absent from the statistic, or hidden by the publication threshold. It is drawn as
/// `--`, and so is a number that is no rate (negative, infinite, not a number). A rate with a fraction
/// is drawn rounded half to even, like every rate of the service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Indicators {
    /// In employment six months after the course, percent.
    pub employment_rate_6_months: Option<f64>,
    /// Still in education, percent.
    pub training_rate: Option<f64>,
    /// Neither of both, percent.
    pub other_rate_6_months: Option<f64>,
}

impl Indicators {
    /// Nothing to show: each of the three is 0 or unknown.
    ///
    /// Three zeros are no result, as the shares of a cohort cannot all be 0 (contract, "Images"). That is about
    /// the whole picture: next to a statistic that has data, zeros are drawn as they are.
    #[must_use]
    pub fn has_no_data(&self) -> bool {
        [self.employment_rate_6_months, self.training_rate, self.other_rate_6_months]
            .into_iter()
            .all(|rate| rate.and_then(percent).is_none_or(|rate| rate == 0))
    }
}

/// A rate as the whole percentage that is drawn. `None` where the number is no rate.
fn percent(rate: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "finite, not negative, bounded")]
    (rate.is_finite() && rate >= 0.0).then(|| rate.round_ties_even().min(f64::from(u32::MAX)) as u32)
}

/// One statistic of one course, with the texts around it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Formation<'a> {
    /// The picture's `title`: the document's `_meta.titre`.
    pub title: &'a str,
    /// The picture's `desc`: the document's `_meta.details`.
    pub details: &'a str,
    /// The course's name, drawn under the heading on two lines at most. `None` or empty: not drawn.
    pub libelle: Option<&'a str>,
    /// The year `2022` or the period `2021_2022`, drawn in the source line. Empty: not drawn.
    pub millesime: &'a str,
    /// Who publishes the figures.
    pub source: Source,
    /// The document's `_meta.messages`, drawn on ten lines at most.
    pub messages: &'a [&'a str],
    /// The rates.
    pub indicators: Indicators,
}

/// A course under both statuses, side by side: the filières view.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filieres<'a> {
    /// The picture's `title`.
    pub title: &'a str,
    /// The picture's `desc`.
    pub details: &'a str,
    /// The course's name where the view covers one course only, drawn under the heading on two lines at
    /// most. `None` or empty: not drawn.
    pub libelle: Option<&'a str>,
    /// The year `2022` or the period `2021_2022`, drawn in the source line. Empty: not drawn.
    pub millesime: &'a str,
    /// The `_meta.messages` of both filières, drawn on ten lines at most.
    pub messages: &'a [&'a str],
    /// The rates under school status. `None` where the view has no such filière.
    pub pro: Option<Indicators>,
    /// The rates of apprenticeship. `None` where the view has no such filière.
    pub apprentissage: Option<Indicators>,
}

/// Draws one course. `None` where there is nothing to show ([`Indicators::has_no_data`]).
///
/// Widths, in pixels: dsfr 320 and 720, lba 328 and 882 (vertical and horizontal).
#[must_use]
pub fn render(formation: &Formation<'_>, theme: Theme, direction: Direction) -> Option<String> {
    (!formation.indicators.has_no_data()).then(|| layout::formation::<Canvas>(formation, theme, direction, ()))
}

/// Draws a course under both statuses. `None` where neither filière has anything to show.
///
/// Widths, in pixels: dsfr 320 and 720, lba 656 and 882 (vertical and horizontal); lba vertical 338 where the
/// view has one filière, which is then drawn alone.
#[must_use]
pub fn render_filieres(filieres: &Filieres<'_>, theme: Theme, direction: Direction) -> Option<String> {
    let empty = [filieres.pro, filieres.apprentissage].iter().flatten().all(Indicators::has_no_data);
    (!empty).then(|| layout::filieres::<Canvas>(filieres, theme, direction, ()))
}

/// A picture that says that the figures are missing, as wide as the one of a course. It has no `title`
/// and no `desc`; it is named by the text it shows.
#[must_use]
pub fn missing(theme: Theme, direction: Direction) -> String {
    layout::missing::<Canvas>(theme, direction, ())
}

/// A transparent picture of 1×1 pixel, hidden from assistive technology.
#[must_use]
pub fn empty() -> &'static str {
    r#"<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1" viewBox="0 0 1 1" aria-hidden="true"/>"#
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_rates_of_zero_or_unknown_are_no_data() {
        let zero = Some(0.0);
        let rate = Some(12.0);
        for (employment, formation, others, expected) in [
            (None, None, None, true),
            (zero, None, None, true),
            (zero, zero, zero, true),
            (Some(f64::NAN), Some(-1.0), None, true),
            (rate, None, None, false),
            (zero, zero, rate, false),
            (None, rate, zero, false),
        ] {
            let indicators = Indicators {
                employment_rate_6_months: employment,
                training_rate: formation,
                other_rate_6_months: others,
            };
            assert_eq!(indicators.has_no_data(), expected, "{indicators:?}");
        }
    }

    #[test]
    fn a_rate_is_drawn_whole() {
        for (rate, expected) in [
            (0.0, Some(0)),
            (12.0, Some(12)),
            (12.5, Some(12)),
            (13.5, Some(14)),
            (152.0, Some(152)),
            (1e300, Some(u32::MAX)),
            (-1.0, None),
            (f64::INFINITY, None),
            (f64::NAN, None),
        ] {
            assert_eq!(percent(rate), expected, "{rate}");
        }
    }

    #[test]
    fn names_of_queries() {
        for theme in Theme::ALL {
            assert_eq!(Theme::parse(theme.as_str()), Some(theme));
        }
        for direction in Direction::ALL {
            assert_eq!(Direction::parse(direction.as_str()), Some(direction));
        }
        for other in ["", "DSFR", "lba "] {
            assert_eq!(Theme::parse(other), None);
            assert_eq!(Direction::parse(other), None);
        }
    }
}
