//! Writes SVG: escaped text, whole numbers, the few shapes the layouts need.

use crate::skin::Skin;
use crate::style::Style;
use crate::surface::Surface;

/// One SVG document while it is drawn. Everything is in whole pixels.
pub(crate) struct Canvas {
    body: String,
}

impl Surface for Canvas {
    type Finished = String;
    type Setting<'a> = ();
    const FREE: bool = false;

    fn new() -> Self {
        Self { body: String::with_capacity(6 * 1024) }
    }

    fn rect(&mut self, sides: [i32; 4], radius: i32, fill: &'static str) {
        self.open("rect", &["x", "y", "width", "height"], &sides);
        if radius > 0 {
            self.number("rx", radius);
        }
        self.attribute("fill", fill);
        self.body.push_str("/>");
    }

    fn ring(&mut self, [x, y]: [i32; 2], percent: u32, color: &'static str, track: &'static str) {
        /// The length of a circle of radius [`RING_RADIUS`], rounded.
        const LENGTH: i32 = 201;
        const CIRCLE: [&str; 3] = ["cx", "cy", "r"];
        let circle = [x, y, RING_RADIUS];
        self.open("circle", &CIRCLE, &circle);
        self.stroke(track);
        self.body.push_str("/>");
        let share = i32::try_from(percent.min(100)).unwrap_or(100);
        if share > 0 {
            self.open("circle", &CIRCLE, &circle);
            self.stroke(color);
            let turned = [" stroke-dasharray=\"", "\" transform=\"rotate(-90 "];
            push_pair(&mut self.body, turned, [(LENGTH * share + 50) / 100, LENGTH]);
            push_pair(&mut self.body, ["", ")\"/>"], [x, y]);
        }
    }

    fn picto(&mut self, [x, y]: [i32; 2], path: &'static str, color: &'static str) {
        self.open("path", &[], &[]);
        push_pair(&mut self.body, [" transform=\"translate(", ")\""], [x, y]);
        self.attribute("fill", color);
        self.attribute("fill-rule", "evenodd");
        self.attribute("d", path);
        self.body.push_str("/>");
    }

    fn text(&mut self, [x, y]: [i32; 2], centred: bool, style: Style, text: &str) {
        self.open("text", &["x", "y", "font-size"], &[x, y, style.size]);
        if style.bold {
            self.attribute("font-weight", "700");
        }
        if centred {
            self.attribute("text-anchor", "middle");
        }
        self.attribute("fill", style.color);
        self.body.push('>');
        push_escaped(&mut self.body, text);
        self.body.push_str("</text>");
    }

    /// The finished document, on its card. Assistive technology names it by its `title` and `desc` (the
    /// two texts of `name`, where it has them), then by the texts drawn.
    fn finish(self, [width, height]: [i32; 2], skin: &'static Skin, name: Option<[&str; 2]>) -> String {
        let mut svg = String::with_capacity(self.body.len() + 1536);
        svg.push_str("<svg xmlns=\"http://www.w3.org/2000/svg\"");
        push_number(&mut svg, "width", width);
        push_number(&mut svg, "height", height);
        push_pair(&mut svg, [" viewBox=\"0 0 ", LABELLED], [width, height]);
        let parts = name.map(|[title, details]| [("title", "-t", title), ("desc", "-d", details)]);
        let parts = parts.as_ref().map_or(&[][..], |parts| &parts[..]);
        // Several pictures may be inlined in one page: each has its own ids.
        let mut id = String::from("ij-");
        push_hex(&mut id, digest(parts.iter().map(|(.., text)| *text).chain([self.body.as_str()])));
        for (_, suffix, _) in parts {
            push_all(&mut svg, &[&id, suffix, " "]);
        }
        push_all(&mut svg, &[&id, "-f\" font-family=\"", skin.font, "\">\n"]);
        for (tag, suffix, text) in parts {
            push_text(&mut svg, tag, &[&id, suffix], text);
        }
        push_card(&mut svg, [width, height], skin.radius);
        push_all(&mut svg, &[" fill=\"", skin.card, "\" stroke=\"", skin.border, "\"/>\n<g id=\"", &id, "-f\">"]);
        push_all(&mut svg, &[&self.body, "\n</g>\n</svg>\n"]);
        svg
    }
}

/// An element of one text, by its name.
fn push_text(svg: &mut String, tag: &str, [id, suffix]: &[&str; 2], text: &str) {
    push_all(svg, &["<", tag, " id=\"", id, suffix, "\">"]);
    push_escaped(svg, text);
    push_all(svg, &["</", tag, ">\n"]);
}

/// The card under everything, up to its colours.
fn push_card(svg: &mut String, [width, height]: [i32; 2], radius: i32) {
    svg.push_str("<rect x=\"0.5\" y=\"0.5\"");
    push_number(svg, "width", width - 1);
    push_number(svg, "height", height - 1);
    push_number(svg, "rx", radius);
}

impl Canvas {
    /// What was drawn as a document of so many pixels, on a card of these colours, named by these texts alone: they tell the
    /// figures too.
    pub(crate) fn framed(
        self,
        pixels: [u32; 2],
        [width, height]: [i32; 2],
        [card, border, font]: [&'static str; 3],
        radius: i32,
        [title, details]: [&str; 2],
    ) -> String {
        let mut svg = String::with_capacity(self.body.len() + 1536);
        svg.push_str("<svg xmlns=\"http://www.w3.org/2000/svg\"");
        for (name, side) in ["width", "height"].into_iter().zip(pixels) {
            push_number(&mut svg, name, i32::try_from(side).unwrap_or(i32::MAX));
        }
        push_pair(&mut svg, [" viewBox=\"0 0 ", LABELLED], [width, height]);
        let mut id = String::from("ij-");
        push_hex(&mut id, digest([title, details, self.body.as_str()].into_iter()));
        push_all(&mut svg, &[&id, "-t ", &id, "-d\""]);
        push_all(&mut svg, &[" font-family=\"", font, "\">\n"]);
        for (tag, suffix, text) in [("title", "-t", title), ("desc", "-d", details)] {
            push_text(&mut svg, tag, &[&id, suffix], text);
        }
        push_card(&mut svg, [width, height], radius);
        push_all(&mut svg, &[" fill=\"", card, "\" stroke=\"", border, "\"/>", &self.body, "\n</svg>\n"]);
        svg
    }

    fn stroke(&mut self, color: &str) {
        self.attribute("fill", "none");
        self.attribute("stroke", color);
        self.number("stroke-width", RING_STROKE);
    }

    fn open(&mut self, tag: &str, names: &[&str], values: &[i32]) {
        self.body.push_str("\n<");
        self.body.push_str(tag);
        for (name, value) in names.iter().zip(values) {
            self.number(name, *value);
        }
    }

    fn number(&mut self, name: &str, value: i32) {
        push_number(&mut self.body, name, value);
    }

    fn attribute(&mut self, name: &str, value: &str) {
        push_all(&mut self.body, &[" ", name, "=\"", value, "\""]);
    }
}

/// From the end of the view box to the names of what says what a picture shows.
const LABELLED: &str = "\" lang=\"fr\" xml:lang=\"fr\" role=\"img\" aria-labelledby=\"";

/// The radius of a ring, to the middle of its stroke.
pub(crate) const RING_RADIUS: i32 = 32;
/// How thick a ring is.
pub(crate) const RING_STROKE: i32 = 8;

/// Appends text as XML character data. Characters that XML 1.0 cannot hold become U+FFFD; a carriage
/// return is written as a reference, so that a parser does not turn it into a line feed.
fn push_escaped(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(letter),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(letter),
        }
    }
}

/// Appends pieces one after the other.
fn push_all(out: &mut String, pieces: &[&str]) {
    for piece in pieces {
        out.push_str(piece);
    }
}

/// Appends two whole numbers, and what stands around them.
fn push_pair(out: &mut String, [before, after]: [&str; 2], [one, other]: [i32; 2]) {
    out.push_str(before);
    push_int(out, one);
    out.push(' ');
    push_int(out, other);
    out.push_str(after);
}

/// Appends an attribute whose value is a whole number.
fn push_number(out: &mut String, name: &str, value: i32) {
    push_all(out, &[" ", name, "=\""]);
    push_int(out, value);
    out.push('"');
}

/// Appends a whole number.
fn push_int(out: &mut String, value: i32) {
    if value < 0 {
        out.push('-');
    }
    push_uint(out, value.unsigned_abs());
}

/// Appends a whole number that is not negative.
pub(crate) fn push_uint(out: &mut String, value: u32) {
    if value >= 10 {
        push_uint(out, value / 10);
    }
    out.push(char::from_digit(value % 10, 10).unwrap_or('0'));
}

fn push_hex(out: &mut String, value: u32) {
    for rank in (0..8).rev() {
        out.push(char::from_digit((value >> (4 * rank)) & 0xf, 16).unwrap_or('0'));
    }
}

/// FNV-1a, 32 bits: tells pictures of one page apart, no more.
fn digest<'a>(texts: impl Iterator<Item = &'a str>) -> u32 {
    texts
        .flat_map(|text| text.bytes().chain([0xff]))
        .fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        for (text, expected) in [
            ("l'été \"2022\"", "l'été \"2022\""),
            ("<b>&amp;</b>", "&lt;b&gt;&amp;amp;&lt;/b&gt;"),
            ("]]>", "]]&gt;"),
            ("a\0b\u{b}c\u{ffff}", "a\u{fffd}b\u{fffd}c\u{fffd}"),
            ("a\r\n\tb", "a&#13;\n\tb"),
        ] {
            let mut out = String::new();
            push_escaped(&mut out, text);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn numbers_are_written_in_full() {
        for value in [0, 7, 10, -45, i32::MAX, i32::MIN] {
            let mut out = String::new();
            push_int(&mut out, value);
            assert_eq!(out, value.to_string());
        }
        let mut out = String::new();
        push_hex(&mut out, 0x00af_0912);
        assert_eq!(out, "00af0912");
    }
}
