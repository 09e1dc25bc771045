//! Line breaking without a font: widths are estimated, on the wide side.
//!
//! The reader's font is unknown (no font is fetched), so that a line is measured with the advances of a
//! common sans-serif face, by classes of letters, and with a margin that also covers the wider ones.

/// Margin over the estimated advances, percent.
const MARGIN: i32 = 115;

/// The advance of a letter, in hundredths of the font size.
fn advance(letter: char, bold: bool) -> i32 {
    let regular = match letter {
        'i' | 'j' | 'l' | '\'' | '’' | '|' => 22,
        ' ' | '\u{a0}' | '.' | ',' | ':' | ';' | '!' | '/' | 'I' | 'f' | 't' => 28,
        'r' | '(' | ')' | '-' => 34,
        'c' | 'k' | 's' | 'v' | 'x' | 'y' | 'z' => 50,
        'm' | 'w' | 'M' | '%' | '@' | '…' => 86,
        'W' => 94,
        'A'..='Z' => 70,
        ' '..='\u{17f}' => 56,
        _ => 100,
    };
    if bold { regular + 6 } else { regular }
}

/// The estimated width of a text, in hundredths of a pixel, margin included.
fn measure(text: &str, size: i32, bold: bool) -> i32 {
    text.chars().fold(0, |sum: i32, letter| sum.saturating_add(advance(letter, bold) * size * MARGIN / 100))
}

/// Breaks a text into at most `max_lines` lines of `width` pixels. A longer word is cut; what does not
/// fit is left out, and the last line then ends with `…`.
pub(crate) fn wrap(text: &str, width: i32, size: i32, bold: bool, max_lines: usize) -> Vec<String> {
    let room = width * 100;
    let fits = |line: &str| measure(line, size, bold) <= room;
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    // The no-break space stays inside its word.
    for word in text.split([' ', '\n', '\r', '\t']).filter(|word| !word.is_empty()) {
        if lines.len() > max_lines {
            break;
        }
        let end = line.len();
        if end > 0 {
            line.push(' ');
        }
        line.push_str(word);
        if fits(&line) {
            continue;
        }
        line.truncate(end);
        if end > 0 {
            lines.push(std::mem::take(&mut line));
        }
        for letter in word.chars() {
            line.push(letter);
            if !fits(&line) && line.chars().nth(1).is_some() {
                line.pop();
                lines.push(std::mem::take(&mut line));
                line.push(letter);
                if lines.len() > max_lines {
                    break;
                }
            }
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    if lines.len() > max_lines {
        lines.truncate(max_lines);
        if let Some(last) = lines.last_mut() {
            last.push('…');
            while !fits(last) && last.chars().nth(1).is_some() {
                last.pop();
                last.pop();
                last.push('…');
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_long_words_are_cut() {
        for (text, width, max_lines, expected) in [
            ("", 100, 2, vec![]),
            ("  \n ", 100, 2, vec![]),
            ("un deux trois", 1000, 2, vec!["un deux trois"]),
            ("un deux\ntrois quatre", 72, 4, vec!["un deux", "trois", "quatre"]),
            ("après\u{a0}? oui", 70, 4, vec!["après\u{a0}?", "oui"]),
            ("un deux trois quatre", 72, 2, vec!["un deux", "trois…"]),
            ("aaaaaaaaaa", 45, 3, vec!["aaaa", "aaaa", "aa"]),
            ("aaaaaaaaaa", 45, 2, vec!["aaaa", "aa…"]),
            ("aa", 1, 5, vec!["a", "a"]),
        ] {
            assert_eq!(wrap(text, width, 16, false, max_lines), expected, "{text:?} in {width}");
        }
    }

    #[test]
    fn a_bold_line_is_wider() {
        assert!(measure("Autres situations", 16, true) > measure("Autres situations", 16, false));
    }
}
