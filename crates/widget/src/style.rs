//! How texts are set: size, weight, colour, and where their lines break.

use crate::wrap::wrap;

/// How a text is set.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) size: i32,
    pub(crate) bold: bool,
    pub(crate) color: &'static str,
}

impl Style {
    /// The distance between two baselines.
    pub(crate) fn line(self) -> i32 {
        self.size * 4 / 3
    }

    /// The height of that many lines.
    pub(crate) fn height(self, lines: &[String]) -> i32 {
        i32::try_from(lines.len()).unwrap_or(0) * self.line()
    }

    /// Breaks a text for a column `width` pixels wide.
    pub(crate) fn wrap(self, text: &str, width: i32, max_lines: usize) -> Vec<String> {
        wrap(text, width, self.size, self.bold, max_lines)
    }
}
