//! Outlines of the shapes of a picture.

use std::f32::consts::TAU;
use tiny_skia::{Path, PathBuilder, Rect};

/// How far the handles of a curve stand off that is a quarter of a circle, in radii.
const QUARTER: f32 = 0.552_285;

/// A rectangle from its corner, width and height, with round corners.
pub(crate) fn rectangle([x, y, width, height]: [f32; 4], radius: f32) -> Option<Path> {
    if radius <= 0.0 {
        return Rect::from_xywh(x, y, width, height).map(PathBuilder::from_rect);
    }
    let r = radius.min(width / 2.0).min(height / 2.0);
    let (right, bottom, k) = (x + width, y + height, r * (1.0 - QUARTER));
    let mut path = PathBuilder::new();
    path.move_to(x + r, y);
    path.line_to(right - r, y);
    path.cubic_to(right - k, y, right, y + k, right, y + r);
    path.line_to(right, bottom - r);
    path.cubic_to(right, bottom - k, right - k, bottom, right - r, bottom);
    path.line_to(x + r, bottom);
    path.cubic_to(x + k, bottom, x, bottom - k, x, bottom - r);
    path.line_to(x, y + r);
    path.cubic_to(x, y + k, x + k, y, x + r, y);
    path.close();
    path.finish()
}

/// A part of a circle's line, clockwise from noon; `None` for nothing of it.
pub(crate) fn arc([x, y]: [f32; 2], radius: f32, percent: u32) -> Option<Path> {
    /// Pieces of a whole circle: an eighth of it is a curve without a visible fault.
    const PIECES: u32 = 8;
    let whole = percent.min(100) as f32 / 100.0 * TAU;
    let pieces = (percent.min(100) * PIECES).div_ceil(100);
    let step = whole / pieces.max(1) as f32;
    let handle = 4.0 / 3.0 * (step / 4.0).tan() * radius;
    let at = |angle: f32| [x + radius * angle.sin(), y - radius * angle.cos()];
    let mut path = PathBuilder::new();
    let [start_x, start_y] = at(0.0);
    path.move_to(start_x, start_y);
    for piece in 0..pieces {
        let (from, to) = (piece as f32 * step, (piece + 1) as f32 * step);
        let ([ax, ay], [bx, by]) = (at(from), at(to));
        path.cubic_to(
            ax + handle * from.cos(),
            ay + handle * from.sin(),
            bx - handle * to.cos(),
            by - handle * to.sin(),
            bx,
            by,
        );
    }
    if percent >= 100 {
        path.close();
    }
    path.finish()
}

/// A pictogram from its commands, its corner at `corner`; `None` where they are none of those that pictograms have.
pub(crate) fn picto(commands: &str, corner: [f32; 2]) -> Option<Path> {
    let mut pen = Pen { path: PathBuilder::new(), at: corner, corner, start: corner, handle: corner };
    let mut rest = commands.trim_start();
    let mut command = 'M';
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_alphabetic() {
            command = first;
            rest = rest.get(1..)?;
        }
        if command.eq_ignore_ascii_case(&'z') {
            pen.path.close();
            pen.at = pen.start;
        } else {
            let mut numbers = [0.0; 7];
            let wanted = match command.to_ascii_lowercase() {
                'm' | 'l' => 2,
                'h' | 'v' => 1,
                's' => 4,
                'c' => 6,
                'a' => 7,
                _ => return None,
            };
            for number in numbers.get_mut(..wanted)? {
                (*number, rest) = read(rest)?;
            }
            pen.command(command, numbers);
            // More numbers after a move draw lines.
            command = match command {
                'M' => 'L',
                'm' => 'l',
                other => other,
            };
        }
        rest = rest.trim_start_matches([' ', ',']);
    }
    pen.path.finish()
}

/// The number that a text begins with, and what follows.
fn read(text: &str) -> Option<(f32, &str)> {
    let text = text.trim_start_matches([' ', ',']);
    let mut point = false;
    let end = text.char_indices().find(|&(at, letter)| match letter {
        '-' => at > 0,
        '.' => std::mem::replace(&mut point, true),
        other => !other.is_ascii_digit(),
    });
    let (number, rest) = text.split_at_checked(end.map_or(text.len(), |(at, _)| at))?;
    Some((number.parse().ok()?, rest))
}

struct Pen {
    path: PathBuilder,
    at: [f32; 2],
    corner: [f32; 2],
    start: [f32; 2],
    /// The last handle of the last curve; where there was none, the pen's own place.
    handle: [f32; 2],
}

impl Pen {
    fn command(&mut self, command: char, [a, b, c, d, e, f, g]: [f32; 7]) {
        let [x, y] = self.at;
        let [left, top] = if command.is_ascii_lowercase() { self.at } else { self.corner };
        let point = |x: f32, y: f32| [left + x, top + y];
        let [mirrored_x, mirrored_y] = [2.0 * x - self.handle[0], 2.0 * y - self.handle[1]];
        let curve = |path: &mut PathBuilder, [x1, y1]: [f32; 2], [x2, y2]: [f32; 2], [x3, y3]: [f32; 2]| {
            path.cubic_to(x1, y1, x2, y2, x3, y3);
            [x2, y2]
        };
        let mut handle = None;
        self.at = match command.to_ascii_lowercase() {
            'h' => [left + a, y],
            'v' => [x, top + a],
            'c' => {
                handle = Some(curve(&mut self.path, point(a, b), point(c, d), point(e, f)));
                point(e, f)
            }
            's' => {
                handle = Some(curve(&mut self.path, [mirrored_x, mirrored_y], point(a, b), point(c, d)));
                point(c, d)
            }
            'a' => {
                // A quarter of a circle: it leaves along one axis and arrives along the other.
                let [to_x, to_y] = point(f, g);
                let across = ((to_x - x) * (to_y - y) > 0.0) == (e > 0.5);
                let (dx, dy) = ((to_x - x) * QUARTER, (to_y - y) * QUARTER);
                let (from, to) =
                    if across { ([x + dx, y], [to_x, to_y - dy]) } else { ([x, y + dy], [to_x - dx, to_y]) };
                curve(&mut self.path, from, to, [to_x, to_y]);
                [to_x, to_y]
            }
            _ => point(a, b),
        };
        let [x, y] = self.at;
        match command.to_ascii_lowercase() {
            'm' => {
                self.path.move_to(x, y);
                self.start = self.at;
            }
            'l' | 'h' | 'v' => self.path.line_to(x, y),
            _ => {}
        }
        self.handle = handle.unwrap_or(self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_the_next_one_begins() {
        assert_eq!(read(" 13.4-5"), Some((13.4, "-5")));
        assert_eq!(read("-.5.25z"), Some((-0.5, ".25z")));
        assert_eq!((read(""), read("x")), (None, None));
    }

    #[test]
    fn a_path_is_as_large_as_its_commands_say() {
        let bounds = |commands: &str| {
            let bounds = picto(commands, [10.0, 20.0]).unwrap().compute_tight_bounds().unwrap();
            [bounds.left(), bounds.top(), bounds.right(), bounds.bottom()].map(|side| (side * 100.0).round() / 100.0)
        };
        assert_eq!(bounds("M1 2h3v4H1Z"), [11.0, 22.0, 14.0, 26.0]);
        // A square with four round corners, both ways round.
        assert_eq!(
            bounds("M2 0h2a2 2 0 0 1 2 2v2a2 2 0 0 1-2 2h-2a2 2 0 0 1-2-2v-2a2 2 0 0 1 2-2Z"),
            [10.0, 20.0, 16.0, 26.0]
        );
        assert_eq!(
            bounds("M2 0a2 2 0 0 0-2 2v2a2 2 0 0 0 2 2h2a2 2 0 0 0 2-2v-2a2 2 0 0 0-2-2Z"),
            [10.0, 20.0, 16.0, 26.0]
        );
        assert_eq!(bounds("M0 0c0 2 3 4 7 4s7-2 7-4z"), [10.0, 20.0, 24.0, 24.0]);
        assert!(picto("M0 0q1 1 2 2", [0.0; 2]).is_none() && picto("M0", [0.0; 2]).is_none());
    }

    #[test]
    fn a_ring_ends_where_its_share_does() {
        let bounds = |percent: u32| arc([0.0; 2], 32.0, percent).map(|path| path.bounds());
        assert!(bounds(0).is_none());
        let [quarter, whole] = [25, 100].map(|percent| bounds(percent).unwrap());
        assert!(quarter.left().abs() < 0.1 && (quarter.right() - 32.0).abs() < 0.1 && quarter.bottom().abs() < 0.1);
        assert!((whole.left() + 32.0).abs() < 0.5 && (whole.bottom() - 32.0).abs() < 0.5);
    }
}
