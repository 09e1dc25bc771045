//! Writes SVG: escaped text, whole numbers, the few shapes the layouts need.

use crate::skin::Skin;
use crate::style::Style;

/// One SVG document while it is drawn. Everything is in whole pixels.
pub(crate) struct Canvas {
    body: String,
}

impl Canvas {
    pub(crate) fn new() -> Self {
        Self { body: String::with_capacity(6 * 1024) }
    }

    /// A filled rectangle. `radius` 0: square corners.
    pub(crate) fn rect(&mut self, [x, y, width, height]: [i32; 4], radius: i32, fill: &str) {
        self.open("rect", &[("x", x), ("y", y), ("width", width), ("height", height)]);
        if radius > 0 {
            self.number("rx", radius);
        }
        self.attribute("fill", fill);
        self.body.push_str("/>");
    }

    /// A ring, filled clockwise from noon for `percent` of it (100 at most).
    pub(crate) fn ring(&mut self, [x, y]: [i32; 2], percent: u32, color: &str, track: &str) {
        /// The length of a circle of radius [`RING_RADIUS`], rounded.
        const LENGTH: i32 = 201;
        let circle = [("cx", x), ("cy", y), ("r", RING_RADIUS)];
        self.open("circle", &circle);
        self.stroke(track);
        self.body.push_str("/>");
        let share = i32::try_from(percent.min(100)).unwrap_or(100);
        if share > 0 {
            self.open("circle", &circle);
            self.stroke(color);
            self.body.push_str(" stroke-dasharray=\"");
            push_int(&mut self.body, (LENGTH * share + 50) / 100);
            self.body.push(' ');
            push_int(&mut self.body, LENGTH);
            self.body.push_str("\" transform=\"rotate(-90 ");
            push_int(&mut self.body, x);
            self.body.push(' ');
            push_int(&mut self.body, y);
            self.body.push_str(")\"/>");
        }
    }

    fn stroke(&mut self, color: &str) {
        self.attribute("fill", "none");
        self.attribute("stroke", color);
        self.number("stroke-width", RING_STROKE);
    }

    /// A pictogram, drawn on a grid of 24, its corner at `x`, `y`.
    pub(crate) fn picto(&mut self, [x, y]: [i32; 2], path: &str, color: &str) {
        self.open("path", &[]);
        self.body.push_str(" transform=\"translate(");
        push_int(&mut self.body, x);
        self.body.push(' ');
        push_int(&mut self.body, y);
        self.body.push_str(")\"");
        self.attribute("fill", color);
        self.attribute("fill-rule", "evenodd");
        self.attribute("d", path);
        self.body.push_str("/>");
    }

    /// One line of text, its baseline at `y`, from `x` or centred on it.
    pub(crate) fn text(&mut self, [x, y]: [i32; 2], centred: bool, style: Style, text: &str) {
        self.open("text", &[("x", x), ("y", y), ("font-size", style.size)]);
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

    /// Lines of text from `top` down; gives the bottom.
    pub(crate) fn lines(&mut self, [x, top]: [i32; 2], style: Style, lines: &[String]) -> i32 {
        let mut y = top;
        for line in lines {
            self.text([x, y + style.size], false, style, line);
            y += style.line();
        }
        y
    }

    /// The finished document, on its card. Assistive technology names it by its `title` and `desc` (the
    /// two texts of `name`, where it has them), then by the texts drawn.
    pub(crate) fn finish(self, [width, height]: [i32; 2], skin: &Skin, name: Option<[&str; 2]>) -> String {
        let mut svg = String::with_capacity(self.body.len() + 1536);
        svg.push_str("<svg xmlns=\"http://www.w3.org/2000/svg\"");
        push_number(&mut svg, "width", width);
        push_number(&mut svg, "height", height);
        svg.push_str(" viewBox=\"0 0 ");
        push_int(&mut svg, width);
        svg.push(' ');
        push_int(&mut svg, height);
        svg.push_str("\" lang=\"fr\" xml:lang=\"fr\" role=\"img\" aria-labelledby=\"");
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
            push_all(&mut svg, &["<", tag, " id=\"", &id, suffix, "\">"]);
            push_escaped(&mut svg, text);
            push_all(&mut svg, &["</", tag, ">\n"]);
        }
        svg.push_str("<rect x=\"0.5\" y=\"0.5\"");
        push_number(&mut svg, "width", width - 1);
        push_number(&mut svg, "height", height - 1);
        push_number(&mut svg, "rx", skin.radius);
        push_all(&mut svg, &[" fill=\"", skin.card, "\" stroke=\"", skin.border, "\"/>\n<g id=\"", &id, "-f\">"]);
        push_all(&mut svg, &[&self.body, "\n</g>\n</svg>\n"]);
        svg
    }

    fn open(&mut self, tag: &str, numbers: &[(&str, i32)]) {
        self.body.push_str("\n<");
        self.body.push_str(tag);
        for (name, value) in numbers {
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
    for shift in [28, 24, 20, 16, 12, 8, 4, 0] {
        out.push(char::from_digit((value >> shift) & 0xf, 16).unwrap_or('0'));
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
