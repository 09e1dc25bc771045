//! What a layout draws on.

use crate::Theme;
use crate::skin::Skin;
use crate::style::Style;

/// Takes the shapes of a layout, and is finished into what was drawn. Everything is in whole pixels.
pub(crate) trait Surface {
    /// What was drawn.
    type Finished;
    /// Whether pictures name their place, set a space before the sign of a percentage and take any width. The images of the
    /// contract do none of that: what is decided here is not even compiled into what draws them alone.
    const FREE: bool;
    /// How a picture is set: what it is told beside theme and direction.
    type Setting<'a>: Copy;

    /// The look of a theme.
    fn skin(_: Self::Setting<'_>, theme: Theme) -> &'static Skin {
        Skin::of(theme)
    }

    /// The width, where the contract has this one.
    fn width(_: Self::Setting<'_>, own: i32) -> i32 {
        own
    }

    /// Whether two filieres have no room in columns.
    fn narrow(_: Self::Setting<'_>) -> bool {
        false
    }

    /// The place that the picture names.
    fn place<'a>(_: &'a Self::Setting<'_>) -> &'a str {
        ""
    }

    /// Nothing drawn yet.
    fn new() -> Self;

    /// A filled rectangle. `radius` 0: square corners.
    fn rect(&mut self, corner_and_size: [i32; 4], radius: i32, fill: &'static str);

    /// A ring, filled clockwise from noon for `percent` of it (100 at most).
    fn ring(&mut self, centre: [i32; 2], percent: u32, color: &'static str, track: &'static str);

    /// A pictogram, drawn on a grid of 24, its corner at `at`.
    fn picto(&mut self, at: [i32; 2], path: &'static str, color: &'static str);

    /// One line of text, its baseline at `at`, from there or centred on it.
    fn text(&mut self, at: [i32; 2], centred: bool, style: Style, text: &str);

    /// Lines of text from `top` down; gives the bottom.
    fn lines(&mut self, [x, top]: [i32; 2], style: Style, lines: &[String]) -> i32 {
        let mut y = top;
        for line in lines {
            self.text([x, y + style.size], false, style, line);
            y += style.line();
        }
        y
    }

    /// What was drawn, on its card, with the two texts that name it where it has them.
    fn finish(self, size: [i32; 2], skin: &'static Skin, name: Option<[&str; 2]>) -> Self::Finished;
}
