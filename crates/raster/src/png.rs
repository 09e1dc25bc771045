//! The PNG format, as far as these pictures need it: eight bits of red, green, blue and opacity, one block of data.

use flate2::{Compression, Crc, write::ZlibEncoder};
use std::io::Write;
use tiny_skia::Pixmap;

/// What every PNG begins with.
const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];
/// Pixels in a metre where a picture is shown as large as on a page: 96 in an inch.
const PIXELS_PER_METRE: u32 = 3_780;

/// Writes a picture that has `scale` pixels for one of a page: word processors set it in that size.
pub(crate) fn encode(pixels: &Pixmap, scale: u32) -> Vec<u8> {
    let (width, height) = (pixels.width(), pixels.height());
    let mut file = SIGNATURE.to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // Bits of a channel, red green blue opacity, and the only ways there are to fold, to filter and not to interlace.
    header.extend_from_slice(&[8, 6, 0, 0, 0]);
    chunk(&mut file, *b"IHDR", &header);
    let dense = PIXELS_PER_METRE.saturating_mul(scale).to_be_bytes();
    chunk(&mut file, *b"pHYs", &[&dense[..], &dense[..], &[1]].concat());
    chunk(&mut file, *b"IDAT", &rows(pixels));
    chunk(&mut file, *b"IEND", &[]);
    file
}

/// The rows, each as what differs from the one above (filter 2): of flat areas nothing is left.
fn rows(pixels: &Pixmap) -> Vec<u8> {
    let width = usize::try_from(pixels.width()).unwrap_or_default().max(1);
    let mut folded = ZlibEncoder::new(Vec::with_capacity(64 * 1024), Compression::fast());
    let mut above = vec![0_u8; width * 4];
    let mut row = Vec::with_capacity(width * 4 + 1);
    for line in pixels.pixels().chunks_exact(width) {
        row.clear();
        row.push(2);
        for (pixel, above) in line.iter().zip(above.as_chunks_mut::<4>().0) {
            // Corners alone are not opaque.
            let color = pixel.demultiply();
            let below = [color.red(), color.green(), color.blue(), color.alpha()];
            row.extend(below.iter().zip(above.iter()).map(|(below, above)| below.wrapping_sub(*above)));
            *above = below;
        }
        // Writing to a vector cannot fail.
        let _ = folded.write_all(&row);
    }
    folded.finish().unwrap_or_default()
}

fn chunk(file: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    let mut checksum = Crc::new();
    checksum.update(&name);
    checksum.update(data);
    file.extend_from_slice(&u32::try_from(data.len()).unwrap_or_default().to_be_bytes());
    file.extend_from_slice(&name);
    file.extend_from_slice(data);
    file.extend_from_slice(&checksum.sum().to_be_bytes());
}
