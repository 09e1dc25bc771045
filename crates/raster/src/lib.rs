//! Pictures of the widget as PNG, for mail and documents, which show no SVG.
//!
//! What the widget drew is painted shape by shape, in a face of its own: nothing is looked up on the machine. The number of
//! pixels is bounded, whatever was asked for ([`PIXELS_MAX`]). Text that the face does not know is drawn as its box for a missing
//! letter; no text and no size makes it panic.

mod face;
mod outline;
mod png;

use face::Face;
use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};
use widget::{Picture, PictureShape};

/// The pixels of a picture, at most: it is held once, in four bytes each.
pub const PIXELS_MAX: u32 = 2_000_000;

/// Paints a picture, `scale` pixels for each of its own, as a PNG; `None` where that would be more than [`PIXELS_MAX`].
#[must_use]
pub fn png(picture: &Picture, scale: u32) -> Option<Vec<u8>> {
    let [width, height] = picture.pixels.map(|side| side.saturating_mul(scale));
    if width.saturating_mul(height) > PIXELS_MAX {
        return None;
    }
    let mut canvas = PixelCanvas { pixels: Pixmap::new(width, height)?, transform: Transform::identity() };
    let [units, _] = picture.units;
    let factor = real(width) / units.max(1) as f32;
    canvas.transform = Transform::from_scale(factor, factor);
    canvas.card(picture);
    let faces = [Face::regular(), Face::bold()];
    for shape in &picture.shapes {
        canvas.shape(shape, &faces);
    }
    Some(png::encode(&canvas.pixels, scale))
}

/// A side as a coordinate: both are small whole numbers.
fn real(side: u32) -> f32 {
    side as f32
}

/// Pixels, and how units become them.
struct PixelCanvas {
    pixels: Pixmap,
    transform: Transform,
}

impl PixelCanvas {
    fn card(&mut self, picture: &Picture) {
        let ([width, height], (card, border, radius)) = (picture.units.map(|side| side as f32), picture.card);
        let Some(outline) = outline::rectangle([0.5, 0.5, width - 1.0, height - 1.0], radius as f32) else { return };
        self.fill(&outline, FillRule::Winding, card);
        self.stroke(&outline, border, 1.0);
    }

    fn shape(&mut self, shape: &PictureShape, faces: &[Option<Face>; 2]) {
        match *shape {
            PictureShape::Rect { x, y, width, height, radius, fill } => {
                let sides = [x, y, width, height].map(|side| side as f32);
                if let Some(path) = outline::rectangle(sides, radius as f32) {
                    self.fill(&path, FillRule::Winding, fill);
                }
            }
            PictureShape::Ring { x, y, radius, stroke, percent, color, track } => {
                for (percent, color) in [(100, track), (percent, color)] {
                    if let Some(path) = outline::arc([x as f32, y as f32], radius as f32, percent) {
                        self.stroke(&path, color, stroke as f32);
                    }
                }
            }
            PictureShape::Picto { x, y, path, color } => {
                if let Some(path) = outline::picto(path, [x as f32, y as f32]) {
                    self.fill(&path, FillRule::EvenOdd, color);
                }
            }
            PictureShape::Text { x, y, centred, size, bold, color, ref text } => {
                let Some(face) = faces.get(usize::from(bold)).and_then(Option::as_ref) else { return };
                let mut builder = PathBuilder::new();
                face.write(&mut builder, [x as f32, y as f32], centred, size as f32, text);
                if let Some(path) = builder.finish() {
                    self.fill(&path, FillRule::Winding, color);
                }
            }
        }
    }

    fn fill(&mut self, path: &Path, rule: FillRule, color: &str) {
        self.pixels.fill_path(path, &paint(color), rule, self.transform, None);
    }

    fn stroke(&mut self, path: &Path, color: &str, width: f32) {
        let stroke = Stroke { width, ..Stroke::default() };
        self.pixels.stroke_path(path, &paint(color), &stroke, self.transform, None);
    }
}

/// The paint of a colour `#rrggbb`.
fn paint(color: &str) -> Paint<'static> {
    let channel = |at: usize| color.get(at..at + 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(0);
    let mut paint = Paint::default();
    paint.set_color(Color::from_rgba8(channel(1), channel(3), channel(5), 255));
    paint
}

/// A PNG of one transparent pixel.
#[must_use]
pub fn empty() -> Vec<u8> {
    Pixmap::new(1, 1).map(|pixels| png::encode(&pixels, 1)).unwrap_or_default()
}
