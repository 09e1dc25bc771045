//! Pictures of any width: light or dark, with larger text, named by what they show and where.

use crate::canvas::{Canvas, push_uint};
use crate::layout::{self, PANELS, SECTIONS_MIN};
use crate::skin::{Indicator, Skin};
use crate::style::Style;
use crate::surface::Surface;
use crate::{Direction, Filieres, Formation, Indicators, Source, Theme};
use std::ops::RangeInclusive;

/// What a picture stands on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ground {
    /// A light page.
    #[default]
    Light,
    /// A dark one.
    Dark,
}

/// How a picture is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The theme.
    pub theme: Theme,
    /// The direction. Where three indicators do not fit side by side, they stand one below the other.
    pub direction: Direction,
    /// What it stands on.
    pub ground: Ground,
    /// The width in pixels, within [`Look::WIDTHS`]. `None`: that of the contract, and as much more as text is larger.
    pub width: Option<u32>,
    /// The size of the text in percent, within [`Look::TEXTS`].
    pub text: u32,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            theme: Theme::default(),
            direction: Direction::default(),
            ground: Ground::default(),
            width: None,
            text: 100,
        }
    }
}

impl Look {
    /// The widths that a picture may have.
    pub const WIDTHS: RangeInclusive<u32> = 240..=1200;
    /// The sizes of text, in percent.
    pub const TEXTS: RangeInclusive<u32> = 100..=200;

    /// The least width that takes text of this size.
    #[must_use]
    pub fn least_width(text: u32) -> u32 {
        Self::WIDTHS.start() * text.clamp(*Self::TEXTS.start(), *Self::TEXTS.end()) / 100
    }

    /// The direction that it takes, how it is set, in units of the layout, and the width in pixels.
    fn set<'a>(&self, filieres: bool, place: &'a str) -> (Direction, Setting<'a>, u32) {
        let own = match (self.theme, self.direction) {
            (Theme::Lba, Direction::Vertical) if filieres => PANELS,
            (theme, direction) => layout::width(theme, direction),
        };
        let text = self.text.clamp(*Self::TEXTS.start(), *Self::TEXTS.end());
        let least = Self::least_width(text);
        let whole = u32::try_from(own).unwrap_or_default() * text / 100;
        let pixels = self.width.unwrap_or(whole).clamp(least, *Self::WIDTHS.end());
        let width = i32::try_from(pixels * 100 / text).unwrap_or(own);
        // Below, a column of three would cut words.
        let abreast = match (self.theme, filieres) {
            (Theme::Dsfr, _) => 560,
            (Theme::Lba, false) => 704,
            (Theme::Lba, true) => 640,
        };
        let direction = if width < abreast { Direction::Vertical } else { self.direction };
        let skin = match self.ground {
            Ground::Light => Skin::of(self.theme),
            Ground::Dark => Skin::dark(self.theme),
        };
        (direction, Setting { skin, width, place }, pixels)
    }
}

/// One thing of a picture, in units of its layout, the origin in its upper left corner.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "what they are, their names say")]
pub enum PictureShape {
    /// A filled rectangle with round corners.
    Rect { x: i32, y: i32, width: i32, height: i32, radius: i32, fill: &'static str },
    /// A circle's line, and `percent` of it in another colour, clockwise from noon.
    Ring { x: i32, y: i32, radius: i32, stroke: i32, percent: u32, color: &'static str, track: &'static str },
    /// A path of SVG in commands M L H V C S A Z, filled even-odd; its arcs are quarters of circles.
    Picto { x: i32, y: i32, path: &'static str, color: &'static str },
    /// One line of text, its baseline at `y`, from `x` or centred on it.
    Text { x: i32, y: i32, centred: bool, size: i32, bold: bool, color: &'static str, text: String },
}

/// How a picture is set.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    skin: &'static Skin,
    width: i32,
    place: &'a str,
}

/// Takes shapes as they come.
pub(crate) struct Shapes(Vec<PictureShape>);

/// What a layout drew.
pub(crate) struct Drawn {
    shapes: Vec<PictureShape>,
    height: i32,
}

impl Surface for Shapes {
    type Finished = Drawn;
    type Setting<'a> = Setting<'a>;
    const FREE: bool = true;

    fn skin(setting: Setting<'_>, _: Theme) -> &'static Skin {
        setting.skin
    }

    fn width(setting: Setting<'_>, _: i32) -> i32 {
        setting.width
    }

    fn narrow(setting: Setting<'_>) -> bool {
        setting.width < SECTIONS_MIN
    }

    fn place<'a>(setting: &'a Setting<'_>) -> &'a str {
        setting.place
    }

    fn new() -> Self {
        Self(Vec::with_capacity(48))
    }

    fn rect(&mut self, [x, y, width, height]: [i32; 4], radius: i32, fill: &'static str) {
        self.0.push(PictureShape::Rect { x, y, width, height, radius, fill });
    }

    fn ring(&mut self, [x, y]: [i32; 2], percent: u32, color: &'static str, track: &'static str) {
        let (radius, stroke) = (crate::canvas::RING_RADIUS, crate::canvas::RING_STROKE);
        self.0.push(PictureShape::Ring { x, y, radius, stroke, percent: percent.min(100), color, track });
    }

    fn picto(&mut self, [x, y]: [i32; 2], path: &'static str, color: &'static str) {
        self.0.push(PictureShape::Picto { x, y, path, color });
    }

    fn text(&mut self, [x, y]: [i32; 2], centred: bool, Style { size, bold, color }: Style, text: &str) {
        self.0.push(PictureShape::Text { x, y, centred, size, bold, color, text: text.to_owned() });
    }

    fn finish(self, [_, height]: [i32; 2], _: &'static Skin, _: Option<[&str; 2]>) -> Drawn {
        Drawn { shapes: self.0, height }
    }
}

/// A picture: its shapes on a card, and the texts that name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What it shows, and where.
    pub title: String,
    /// Its figures, as a sentence says them.
    pub details: String,
    /// Width and height in units of the layout.
    pub units: [i32; 2],
    /// Width and height in pixels.
    pub pixels: [u32; 2],
    /// The colour of the card, of the line around it, and the radius of its corners in units.
    pub card: (&'static str, &'static str, i32),
    /// What is on it, from the back to the front.
    pub shapes: Vec<PictureShape>,
    font: &'static str,
}

impl Picture {
    fn new(drawn: Drawn, setting: Setting<'_>, pixels: u32, title: String, details: String) -> Self {
        let Setting { skin, width, .. } = setting;
        let side = |units: i32| u32::try_from(units).unwrap_or_default();
        // Rounded up, so that nothing is cut off below.
        let height = (side(drawn.height) * pixels).div_ceil(side(width).max(1));
        Self {
            title,
            details,
            units: [width, drawn.height],
            pixels: [pixels, height],
            card: (skin.card, skin.border, skin.radius),
            shapes: drawn.shapes,
            font: skin.font,
        }
    }

    /// As an SVG document.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut canvas = Canvas::new();
        for shape in &self.shapes {
            match *shape {
                PictureShape::Rect { x, y, width, height, radius, fill } => {
                    canvas.rect([x, y, width, height], radius, fill)
                }
                PictureShape::Ring { x, y, percent, color, track, .. } => canvas.ring([x, y], percent, color, track),
                PictureShape::Picto { x, y, path, color } => canvas.picto([x, y], path, color),
                PictureShape::Text { x, y, centred, size, bold, color, ref text } => {
                    canvas.text([x, y], centred, Style { size, bold, color }, text);
                }
            }
        }
        let (card, border, radius) = self.card;
        canvas.framed(self.pixels, self.units, [card, border, self.font], radius, [&self.title, &self.details])
    }
}

/// Draws one course, named by its `libelle` and its place. `None` where there is nothing to show
/// ([`Indicators::has_no_data`]).
#[must_use]
pub fn picture(formation: &Formation<'_>, place: &str, look: &Look) -> Option<Picture> {
    let (direction, setting, pixels) = look.set(false, place);
    let details = described(formation.source, formation.millesime, [("", Some(formation.indicators))]);
    let title = titled(formation.libelle.unwrap_or(formation.title), place);
    let drawn = || layout::formation::<Shapes>(formation, look.theme, direction, setting);
    (!formation.indicators.has_no_data()).then(|| Picture::new(drawn(), setting, pixels, title, details))
}

/// Draws a course under both statuses. `None` where neither has anything to show.
#[must_use]
pub fn picture_of_filieres(filieres: &Filieres<'_>, place: &str, look: &Look) -> Option<Picture> {
    let (direction, setting, pixels) = look.set(true, place);
    let both = [(layout::PRO, filieres.pro), (layout::APPRENTISSAGE, filieres.apprentissage)];
    let details = described(Source::InserJeunes, filieres.millesime, both);
    let title = titled(filieres.libelle.unwrap_or(filieres.title), place);
    let drawn = || layout::filieres::<Shapes>(filieres, look.theme, direction, setting);
    let empty = both.iter().filter_map(|(_, indicators)| *indicators).all(|i| i.has_no_data());
    (!empty).then(|| Picture::new(drawn(), setting, pixels, title, details))
}

/// A picture that says that the figures are missing.
#[must_use]
pub fn picture_of_missing(look: &Look) -> Picture {
    let (direction, setting, pixels) = look.set(false, "");
    let drawn = layout::missing::<Shapes>(look.theme, direction, setting);
    Picture::new(drawn, setting, pixels, layout::MISSING_HEADING.to_owned(), layout::MISSING_TEXT.to_owned())
}

/// What a picture shows, and where.
fn titled(what: &str, place: &str) -> String {
    let parts: Vec<&str> = [layout::HEADING, what, place].into_iter().filter(|part| !part.is_empty()).collect();
    let mut title = String::new();
    for (rank, part) in parts.into_iter().enumerate() {
        title.push_str(match rank {
            0 => "",
            1 => " ",
            _ => ", ",
        });
        title.push_str(part);
    }
    title
}

/// The figures as a sentence says them.
fn described<const N: usize>(source: Source, millesime: &str, statistics: [(&str, Option<Indicators>); N]) -> String {
    let mut text = String::new();
    for (name, indicators) in statistics {
        let Some(indicators) = indicators else { continue };
        if !name.is_empty() {
            text.push_str(name);
            text.push_str("\u{a0}: ");
        }
        for (rank, indicator) in
            [Indicator::Employment, Indicator::Formation, Indicator::Others].into_iter().enumerate()
        {
            text.push_str(if rank == 0 { "" } else { ", " });
            text.push_str(match indicator {
                Indicator::Employment => "en emploi six mois après la fin des études ",
                Indicator::Formation => "en formation ",
                Indicator::Others => "autres situations ",
            });
            match indicator.rate(&indicators) {
                Some(rate) => {
                    push_uint(&mut text, rate);
                    text.push_str("\u{a0}%");
                }
                None => text.push_str("non disponible"),
            }
        }
        text.push_str(". ");
    }
    text.push_str(&layout::source(source, millesime));
    text.push('.');
    text
}
