//! Pictures are whole PNG files, and no text and no size stops the painter.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails says where")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "coordinates of a small picture")]

use flate2::read::ZlibDecoder;
use proptest::prelude::*;
use raster::{PIXELS_MAX, png};
use std::io::Read;
use widget::{
    Direction, Formation, Ground, Indicators, Look, Picture, PictureShape, Theme, picture, picture_of_missing,
};

fn drawn(libelle: &str, place: &str, message: &str, rate: Option<f64>, look: &Look) -> Picture {
    let indicators =
        Indicators { employment_rate_6_months: Some(45.0), training_rate: rate, other_rate_6_months: Some(100.0) };
    let messages = [message];
    let formation = Formation {
        libelle: Some(libelle),
        millesime: "2022",
        messages: &messages,
        indicators,
        ..Formation::default()
    };
    picture(&formation, place, look).unwrap()
}

/// Width, height and pixels of a PNG, whose checksums hold.
fn read(file: &[u8]) -> (u32, u32, Vec<[u8; 4]>) {
    assert_eq!(&file[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
    let (mut at, mut data) = (8, Vec::new());
    while at < file.len() {
        let length = number(at) as usize;
        let mut checksum = flate2::Crc::new();
        checksum.update(&file[at + 4..at + 8 + length]);
        assert_eq!(checksum.sum(), number(at + 8 + length));
        if &file[at + 4..at + 8] == b"IDAT" {
            data.extend_from_slice(&file[at + 8..at + 8 + length]);
        }
        at += 12 + length;
    }
    let (width, height) = (number(16), number(20));
    let mut rows = Vec::new();
    ZlibDecoder::new(data.as_slice()).read_to_end(&mut rows).unwrap();
    let stride = width as usize * 4;
    assert_eq!(rows.len(), (stride + 1) * height as usize);
    let (mut above, mut pixels) = (vec![0_u8; stride], Vec::new());
    for row in rows.chunks_exact(stride + 1) {
        assert_eq!(row[0], 2);
        for (above, below) in above.iter_mut().zip(&row[1..]) {
            *above = above.wrapping_add(*below);
        }
        pixels.extend(above.as_chunks::<4>().0.iter().copied());
    }
    (width, height, pixels)
}

#[test]
fn a_picture_has_its_size_its_colours_and_its_letters() {
    for (theme, ground, corner, card) in [
        (Theme::Dsfr, Ground::Light, 255, [255, 255, 255, 255]),
        (Theme::Dsfr, Ground::Dark, 255, [0x16, 0x16, 0x16, 255]),
        (Theme::Lba, Ground::Light, 0, [255, 255, 255, 255]),
    ] {
        let look = Look { theme, ground, ..Look::default() };
        let shown = drawn("Maçon", "Lycée de l’Haÿ-les-Roses", "", Some(30.0), &look);
        for scale in 1..=3 {
            let (width, height, pixels) = read(&png(&shown, scale).unwrap());
            assert_eq!([width, height], shown.pixels.map(|side| side * scale));
            let at = |x: u32, y: u32| pixels[(y * width + x) as usize];
            assert!((at(0, 0)[3] >= 200) == (corner == 255), "{theme:?}: the corner is {:?}", at(0, 0));
            assert_eq!(at(width / 2, height - 4 * scale), card, "{theme:?} {ground:?}");
            // Every text leaves ink on its line.
            let factor = f64::from(width) / f64::from(shown.units[0]);
            for shape in &shown.shapes {
                let PictureShape::Text { x, y, size, ref text, centred: false, .. } = *shape else { continue };
                let column = |units: i32| (f64::from(units) * factor) as u32;
                let row = column(y - size / 3);
                let ink = (column(x)..width - 2 * scale).filter(|x| at(*x, row) != card).count();
                assert!(ink > 2, "{theme:?} {ground:?}: nothing of {text:?}");
            }
        }
    }
}

#[test]
fn a_picture_of_too_many_pixels_is_none() {
    let look = Look { width: Some(1200), direction: Direction::Horizontal, ..Look::default() };
    let shown = drawn("Maçon", "France", "", None, &look);
    assert!(shown.pixels[0] * 3 * shown.pixels[1] * 3 > PIXELS_MAX && png(&shown, 3).is_none());
    assert!(png(&shown, 1).is_some() && png(&shown, 0).is_none() && png(&shown, u32::MAX).is_none());
    assert!(png(&picture_of_missing(&Look::default()), 2).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_text_and_no_size_stops_the_painter(
        libelle in "\\PC{0,60}|[\\x00-\\x7f]{0,40}|[À-ſ]{0,40}",
        place in "\\PC{0,40}",
        message in "\\PC{0,200}",
        rate in prop::option::of(prop::num::f64::ANY),
        (lba, dark, horizontal) in any::<(bool, bool, bool)>(),
        width in prop::option::of(any::<u32>()),
        text in any::<u32>(),
        scale in 0_u32..5,
    ) {
        let look = Look {
            theme: if lba { Theme::Lba } else { Theme::Dsfr },
            ground: if dark { Ground::Dark } else { Ground::Light },
            direction: if horizontal { Direction::Horizontal } else { Direction::Vertical },
            width,
            text,
        };
        let shown = drawn(&libelle, &place, &message, rate, &look);
        prop_assert!(Look::WIDTHS.contains(&shown.pixels[0]), "{:?}", shown.pixels);
        if let Some(file) = png(&shown, scale) {
            let (width, height, _) = read(&file);
            prop_assert!(width * height <= PIXELS_MAX);
        }
    }
}
