//! The face that texts are set in.

use tiny_skia::PathBuilder;
use ttf_parser::OutlineBuilder;

/// A weight of it: Latin letters, then those of further languages that are written with them.
pub(crate) struct Face([ttf_parser::Face<'static>; 2]);

impl Face {
    /// For running text.
    pub(crate) fn regular() -> Option<Self> {
        Self::read([include_bytes!("../fonts/arimo-latin-400.ttf"), include_bytes!("../fonts/arimo-latin-ext-400.ttf")])
    }

    /// For names and percentages.
    pub(crate) fn bold() -> Option<Self> {
        Self::read([include_bytes!("../fonts/arimo-latin-700.ttf"), include_bytes!("../fonts/arimo-latin-ext-700.ttf")])
    }

    fn read([letters, others]: [&'static [u8]; 2]) -> Option<Self> {
        Some(Self([ttf_parser::Face::parse(letters, 0).ok()?, ttf_parser::Face::parse(others, 0).ok()?]))
    }

    /// Appends the outlines of one line of text, its baseline at `y`, from `x` or centred on it.
    pub(crate) fn write(&self, builder: &mut PathBuilder, [x, y]: [f32; 2], centred: bool, size: f32, text: &str) {
        let mut pen = if centred { x - self.width(text, size) / 2.0 } else { x };
        for letter in text.chars() {
            let (face, glyph) = self.glyph(letter);
            let scale = size / f32::from(face.units_per_em());
            face.outline_glyph(glyph, &mut Placed { builder, x: pen, y, scale });
            pen += advance(face, glyph, size);
        }
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|letter| self.glyph(letter)).map(|(face, glyph)| advance(face, glyph, size)).sum()
    }

    /// The outline of a letter; that of a missing one where neither part has it.
    fn glyph(&self, letter: char) -> (&ttf_parser::Face<'static>, ttf_parser::GlyphId) {
        let letter = match letter {
            '\u{202f}' | '\t' | '\n' | '\r' => '\u{a0}',
            other => other,
        };
        let [letters, others] = &self.0;
        let found = |face: &ttf_parser::Face<'static>| face.glyph_index(letter);
        match (found(letters), found(others)) {
            (Some(glyph), _) => (letters, glyph),
            (None, Some(glyph)) => (others, glyph),
            (None, None) => (letters, ttf_parser::GlyphId(0)),
        }
    }
}

fn advance(face: &ttf_parser::Face<'_>, glyph: ttf_parser::GlyphId, size: f32) -> f32 {
    f32::from(face.glyph_hor_advance(glyph).unwrap_or_default()) * size / f32::from(face.units_per_em())
}

/// Draws an outline where its letter stands; faces count upwards.
struct Placed<'a> {
    builder: &'a mut PathBuilder,
    x: f32,
    y: f32,
    scale: f32,
}

impl Placed<'_> {
    fn at(&self, x: f32, y: f32) -> [f32; 2] {
        [self.x + x * self.scale, self.y - y * self.scale]
    }
}

impl OutlineBuilder for Placed<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let [x, y] = self.at(x, y);
        self.builder.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let [x, y] = self.at(x, y);
        self.builder.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ([x1, y1], [x, y]) = (self.at(x1, y1), self.at(x, y));
        self.builder.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ([x1, y1], [x2, y2], [x, y]) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.builder.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.builder.close();
    }
}
