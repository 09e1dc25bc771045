//! Colours, fonts and pictograms of the two themes.

use crate::{Indicators, Theme, percent, style::Style};

/// The look of a theme. Text colours reach 4.5:1 on the card and on every tint they are set on; gauges
/// reach 3:1 on the card and on their track (WCAG AA; `tests::contrast` computes each pair).
pub(crate) struct Skin {
    /// The `font-family` attribute: what the reader has; nothing is fetched.
    pub(crate) font: &'static str,
    /// The background.
    pub(crate) card: &'static str,
    /// The line around the card; decoration.
    pub(crate) border: &'static str,
    /// The corners of the card.
    pub(crate) radius: i32,
    /// The corners of what lies on the card.
    pub(crate) inner_radius: i32,
    /// The heading.
    pub(crate) heading: &'static str,
    /// Labels.
    pub(crate) text: &'static str,
    /// Explanations, source.
    pub(crate) muted: &'static str,
    /// The background of messages and of the names of filières.
    pub(crate) tint: &'static str,
    /// The bar beside a message.
    pub(crate) accent: &'static str,
    /// The indicators, in the order they are drawn.
    pub(crate) order: [Indicator; 3],
    employment: Tint,
    formation: Tint,
    others: Tint,
}

/// The colours of an indicator.
#[derive(Clone, Copy)]
pub(crate) struct Tint {
    /// Percentage, pictogram, filled part of the gauge.
    pub(crate) strong: &'static str,
    /// Behind the pictogram, or behind the whole indicator.
    pub(crate) pale: &'static str,
    /// The empty part of the gauge.
    pub(crate) track: &'static str,
}

/// One of the three indicators.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Indicator {
    Employment,
    Formation,
    Others,
}

impl Indicator {
    /// Its name.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Employment => "En emploi",
            Self::Formation => "En formation",
            Self::Others => "Autres situations",
        }
    }

    /// What it means.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Employment => "6\u{a0}mois après la fin des études",
            Self::Formation => "poursuivent leurs études",
            Self::Others => "recherche d’emploi, service civique, départ à l’étranger…",
        }
    }

    /// Its pictogram, on a grid of 24: a briefcase, a mortarboard, a signpost.
    pub(crate) fn picto(self) -> &'static str {
        match self {
            Self::Employment => {
                "M9 3h6a2 2 0 0 1 2 2v2h3a2 2 0 0 1 2 2v4H2V9a2 2 0 0 1 2-2h3V5a2 2 0 0 1 2-2Zm0 2v2h6V5ZM2 15h8v2h4v-2h8v4a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2Z"
            }
            Self::Formation => "M12 3 1 9l11 6 9-4.9V17h2V9ZM5 13.4V17c0 2 3.1 4 7 4s7-2 7-4v-3.6l-7 3.8Z",
            Self::Others => "M11 1h2v3h5l4 3-4 3h-5v2h5v6h-5v5h-2v-5H6l-4-3 4-3h5v-2H6V4h5Z",
        }
    }

    /// Its rate, in percent, rounded. `None`: unknown.
    pub(crate) fn rate(self, indicators: &Indicators) -> Option<u32> {
        match self {
            Self::Employment => indicators.employment_rate_6_months,
            Self::Formation => indicators.training_rate,
            Self::Others => indicators.other_rate_6_months,
        }
        .and_then(percent)
    }
}

impl Skin {
    /// The look of a theme.
    pub(crate) fn of(theme: Theme) -> &'static Self {
        match theme {
            Theme::Dsfr => &DSFR,
            Theme::Lba => &LBA,
        }
    }

    /// The look of a theme on a dark page.
    pub(crate) fn dark(theme: Theme) -> &'static Self {
        match theme {
            Theme::Dsfr => &DSFR_DARK,
            Theme::Lba => &LBA_DARK,
        }
    }

    /// The colours of an indicator.
    pub(crate) fn tint(&self, indicator: Indicator) -> Tint {
        match indicator {
            Indicator::Employment => self.employment,
            Indicator::Formation => self.formation,
            Indicator::Others => self.others,
        }
    }

    /// The heading.
    pub(crate) fn heading(&self) -> Style {
        Style { size: 20, bold: true, color: self.heading }
    }

    /// The name of the course, messages.
    pub(crate) fn body(&self) -> Style {
        Style { size: 14, bold: false, color: self.text }
    }

    /// The name of an indicator.
    pub(crate) fn label(&self) -> Style {
        Style { size: 16, bold: true, color: self.text }
    }

    /// What an indicator means.
    pub(crate) fn hint(&self) -> Style {
        Style { size: 13, bold: false, color: self.muted }
    }

    /// Source and legend.
    pub(crate) fn small(&self) -> Style {
        Style { size: 12, bold: false, color: self.muted }
    }
}

const DSFR: Skin = Skin {
    font: "Marianne, Arial, Helvetica, sans-serif",
    card: "#ffffff",
    border: "#dddddd",
    radius: 0,
    inner_radius: 0,
    heading: "#161616",
    text: "#161616",
    muted: "#666666",
    tint: "#f5f5fe",
    accent: "#000091",
    order: [Indicator::Employment, Indicator::Formation, Indicator::Others],
    employment: Tint { strong: "#000091", pale: "#e3e3fd", track: "#e5e5e5" },
    formation: Tint { strong: "#465f9d", pale: "#e9edfe", track: "#e5e5e5" },
    others: Tint { strong: "#3a3a3a", pale: "#eeeeee", track: "#e5e5e5" },
};

const LBA: Skin = Skin {
    font: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    card: "#ffffff",
    border: "#e3e3ef",
    radius: 16,
    inner_radius: 12,
    heading: "#1e1e5a",
    text: "#2b2b40",
    muted: "#57576c",
    tint: "#f2f2fa",
    accent: "#5a2fa8",
    order: [Indicator::Formation, Indicator::Employment, Indicator::Others],
    employment: Tint { strong: "#13673a", pale: "#e8f6ec", track: "#cfe8d6" },
    formation: Tint { strong: "#5a2fa8", pale: "#f0eafb", track: "#ddd0f3" },
    others: Tint { strong: "#854300", pale: "#fdf1e1", track: "#f5dcbb" },
};

const DSFR_DARK: Skin = Skin {
    card: "#161616",
    border: "#3a3a3a",
    heading: "#ffffff",
    text: "#eeeeee",
    muted: "#a8a8a8",
    tint: "#21213f",
    accent: "#8585f6",
    employment: Tint { strong: "#9a9aff", pale: "#272747", track: "#3a3a3a" },
    formation: Tint { strong: "#9fb8ee", pale: "#232c42", track: "#3a3a3a" },
    others: Tint { strong: "#cecece", pale: "#2a2a2a", track: "#3a3a3a" },
    ..DSFR
};

const LBA_DARK: Skin = Skin {
    card: "#1b1b2b",
    border: "#3b3b55",
    heading: "#e3e3ff",
    text: "#e4e4f0",
    muted: "#b4b4cc",
    tint: "#2a2a42",
    accent: "#b79cf0",
    employment: Tint { strong: "#7ad79a", pale: "#1d3527", track: "#2f4d3a" },
    formation: Tint { strong: "#c3acf5", pale: "#2c2445", track: "#433766" },
    others: Tint { strong: "#f3b16f", pale: "#3b2a17", track: "#574026" },
    ..LBA
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of `#rrggbb` (WCAG 2.2).
    fn luminance(color: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn ratio(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn the_formula() {
        assert!((ratio("#000000", "#ffffff") - 21.0).abs() < 1e-9);
        assert!((ratio("#777777", "#ffffff") - 4.478).abs() < 1e-3);
    }

    #[test]
    fn contrast() {
        const TEXT: f64 = 4.5;
        const GRAPHIC: f64 = 3.0;
        for (theme, skin) in
            Theme::ALL.into_iter().flat_map(|theme| [(theme, Skin::of(theme)), (theme, Skin::dark(theme))])
        {
            let mut pairs = vec![
                ("heading", skin.heading, skin.card, TEXT),
                ("text", skin.text, skin.card, TEXT),
                ("muted", skin.muted, skin.card, TEXT),
                ("text on tint", skin.text, skin.tint, TEXT),
                ("muted on tint", skin.muted, skin.tint, TEXT),
                ("accent", skin.accent, skin.tint, GRAPHIC),
            ];
            for indicator in skin.order {
                let Tint { strong, pale, track } = skin.tint(indicator);
                pairs.extend([
                    ("percentage", strong, skin.card, TEXT),
                    ("percentage on its tint", strong, pale, TEXT),
                    ("unknown on its tint", skin.muted, pale, TEXT),
                    ("label on its tint", skin.text, pale, TEXT),
                    ("gauge", strong, track, GRAPHIC),
                ]);
            }
            for (what, front, back, least) in pairs {
                let found = ratio(front, back);
                assert!(found >= least, "{} {what}: {front} on {back} is {found:.2}, below {least}", theme.as_str());
            }
        }
    }

    #[test]
    fn every_indicator_once() {
        for theme in Theme::ALL {
            for indicator in [Indicator::Employment, Indicator::Formation, Indicator::Others] {
                assert_eq!(Skin::of(theme).order.iter().filter(|one| **one == indicator).count(), 1);
            }
        }
    }
}
