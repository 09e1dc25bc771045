//! The kept pictures, byte for byte, and their renderings in a browser.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p widget` writes the SVG files anew; `tests/pictures/render.sh` then
//! redoes the PNG files with Chromium, to be looked at before they are committed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails says where")]

mod variants;

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use sha2::{Digest, Sha256};
use variants::variants;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

fn names(folder_name: &str, extension: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder(folder_name))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(extension).map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[test]
fn the_pictures_are_the_kept_ones() {
    let update = env::var_os("UPDATE_SNAPSHOTS").is_some();
    let mut expected = Vec::new();
    for (name, svg) in variants() {
        let file = folder("snapshots").join(format!("{name}.svg"));
        if update {
            fs::write(&file, &svg).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == svg, "{name}.svg differs; UPDATE_SNAPSHOTS=1 writes it anew");
        expected.push(name);
    }
    expected.sort();
    assert_eq!(names("snapshots", ".svg"), expected, "files without a variant");
}

/// Each kept SVG has a small rendering of the same size, made from this very SVG.
#[test]
fn every_picture_was_rendered_and_is_up_to_date() {
    const LIMIT: u64 = 40 * 1024;
    let list = fs::read_to_string(folder("pictures").join("SHA256SUMS")).unwrap();
    let rendered: BTreeMap<_, _> = list.lines().filter_map(|line| line.split_once("  ")).collect();
    let all = variants();
    for (name, svg) in &all {
        let digest: String = Sha256::digest(svg).iter().map(|byte| format!("{byte:02x}")).collect();
        let known = rendered.get(digest.as_str()).copied();
        assert_eq!(known, Some(format!("{name}.svg").as_str()), "{name}: tests/pictures/render.sh redoes the picture");
        let file = folder("pictures").join(format!("{name}.png"));
        assert!(fs::metadata(&file).unwrap().len() < LIMIT, "{name}.png is too large");
        let png = fs::read(&file).unwrap();
        assert_eq!(&png[1..4], b"PNG");
        let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()).to_string();
        let document = roxmltree::Document::parse(svg).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("width"), Some(number(16).as_str()), "{name}.png");
        assert_eq!(root.attribute("height"), Some(number(20).as_str()), "{name}.png");
    }
    assert_eq!(rendered.len(), all.len(), "renderings without a variant");
    assert_eq!(names("pictures", ".png").len(), all.len(), "renderings without a variant");
}
