//! What holds for any figures and any texts.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails says where")]

mod reading;
mod variants;

use std::collections::BTreeSet;

use proptest::prelude::*;
use reading::read;
use roxmltree::Document;
use variants::{indicators, variants};
use widget::{Direction, Filieres, Formation, Indicators, Source, Theme, missing, render, render_filieres};

/// Of a whole picture, without a font.
const LIMIT: usize = 15 * 1024;

/// A text in which everything that XML gives a meaning to, or cannot hold, is frequent.
fn text() -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        4 => any::<char>(),
        4 => prop::sample::select(vec!['&', '<', '>', '"', '\'', ']', ' ', '\0', '\u{1b}', '\r', '\n', '\u{ffff}', '%']),
        8 => prop::char::range('a', 'z'),
    ];
    prop::collection::vec(letter, 0..200).prop_map(String::from_iter)
}

/// Rates as they are, and numbers that are no rates.
fn rate() -> impl Strategy<Value = Option<f64>> {
    prop::option::of(prop_oneof![6 => (0_u32..160).prop_map(f64::from), 1 => any::<f64>(), 1 => Just(0.0)])
}

fn rates() -> impl Strategy<Value = Indicators> {
    [rate(), rate(), rate()].prop_map(indicators)
}

fn look() -> impl Strategy<Value = (Theme, Direction)> {
    (prop::sample::select(Theme::ALL.to_vec()), prop::sample::select(Direction::ALL.to_vec()))
}

/// What a parser gives back of a text: itself, but for the characters that XML cannot hold.
fn kept(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\t' | '\n' | '\r' => letter,
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            _ => letter,
        })
        .collect()
}

fn shown(statistics: &[Indicators]) -> Vec<String> {
    let mut shown: Vec<String> = statistics
        .iter()
        .flat_map(|one| [one.employment_rate_6_months, one.training_rate, one.other_rate_6_months])
        .flatten()
        .filter(|rate| rate.is_finite() && *rate >= 0.0)
        .map(|rate| format!("{}%", rate.round_ties_even().min(f64::from(u32::MAX)) + 0.0))
        .collect();
    shown.sort();
    shown
}

fn check(svg: &str, width: u64, [title, details]: [&str; 2], statistics: &[Indicators]) {
    assert!(svg.len() < LIMIT, "{} bytes", svg.len());
    let picture = read(svg);
    assert_eq!(picture.width, width);
    assert_eq!(picture.title, Some(kept(title)));
    assert_eq!(picture.desc, Some(kept(details)));
    assert_eq!(picture.percentages, shown(statistics));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_formation(
        texts in [text(), text(), text(), text()], messages in prop::collection::vec(text(), 0..4),
        sup in any::<bool>(), rates in rates(), (theme, direction) in look(),
    ) {
        let [title, details, libelle, millesime] = &texts;
        // A rate that a text of the caller imitates is not what is tested here.
        let libelle = libelle.replace('%', "");
        let messages: Vec<String> = messages.iter().map(|message| message.replace('%', "")).collect();
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        let formation = Formation {
            title, details, libelle: Some(&libelle), millesime: &millesime.replace('%', ""),
            source: if sup { Source::InserSup } else { Source::InserJeunes }, messages: &messages, indicators: rates,
        };
        let svg = render(&formation, theme, direction);
        prop_assert_eq!(svg.is_none(), rates.has_no_data());
        if let Some(svg) = svg {
            let width = match (theme, direction) {
                (Theme::Dsfr, Direction::Vertical) => 320,
                (Theme::Dsfr, Direction::Horizontal) => 720,
                (Theme::Lba, Direction::Vertical) => 328,
                (Theme::Lba, Direction::Horizontal) => 882,
            };
            check(&svg, width, [title, details], &[rates]);
        }
    }

    #[test]
    fn two_filieres(
        texts in [text(), text()], both in [prop::option::of(rates()), prop::option::of(rates())],
        (theme, direction) in look(),
    ) {
        let [title, details] = &texts;
        let [pro, apprentissage] = both;
        let filieres = Filieres { title, details, pro, apprentissage, ..Filieres::default() };
        let svg = render_filieres(&filieres, theme, direction);
        let both: Vec<Indicators> = both.into_iter().flatten().collect();
        prop_assert_eq!(svg.is_none(), both.iter().all(Indicators::has_no_data));
        if let Some(svg) = svg {
            let width = match (theme, direction) {
                (Theme::Dsfr, Direction::Vertical) => 320,
                (Theme::Dsfr, Direction::Horizontal) => 720,
                (Theme::Lba, Direction::Vertical) if both.len() == 1 => 338,
                (Theme::Lba, Direction::Vertical) => 656,
                (Theme::Lba, Direction::Horizontal) => 882,
            };
            check(&svg, width, [title, details], &both);
        }
    }
}

#[test]
fn error_pictures_have_the_width_of_a_course_and_no_title() {
    for (theme, direction, width) in [
        (Theme::Dsfr, Direction::Vertical, 320),
        (Theme::Dsfr, Direction::Horizontal, 720),
        (Theme::Lba, Direction::Vertical, 328),
        (Theme::Lba, Direction::Horizontal, 882),
    ] {
        let picture = read(&missing(theme, direction));
        assert_eq!(picture, reading::Picture { width, title: None, desc: None, percentages: vec![] });
    }
    assert_eq!(read(widget::empty()), reading::Picture { width: 1, title: None, desc: None, percentages: vec![] });
}

/// Named for assistive technology, small, and nothing fetched or executed.
#[test]
fn every_picture_is_accessible_and_stands_alone() {
    let mut all_ids = BTreeSet::new();
    for (name, svg) in variants() {
        assert!(svg.len() < LIMIT, "{name}: {} bytes", svg.len());
        let document = Document::parse(&svg).unwrap();
        let root = document.root_element();
        for node in root.descendants().filter(|node| node.is_element()) {
            let tag = node.tag_name().name();
            assert!(["svg", "title", "desc", "g", "rect", "circle", "path", "text"].contains(&tag), "{name}: {tag}");
            for attribute in node.attributes() {
                let known =
                    !attribute.name().starts_with("on") && !["href", "style", "class"].contains(&attribute.name());
                assert!(known && !attribute.value().contains("url("), "{name}: {attribute:?}");
            }
        }
        if root.attribute("aria-hidden") == Some("true") {
            assert!(!root.has_children());
            continue;
        }
        assert_eq!(root.attribute("role"), Some("img"), "{name}");
        assert_eq!(root.attribute("lang"), Some("fr"), "{name}");
        let named: Vec<&str> = root
            .attribute("aria-labelledby")
            .unwrap()
            .split(' ')
            .map(|id| {
                assert!(all_ids.insert(id.to_owned()), "{name}: {id} is in another picture too");
                let mut nodes = root.descendants().filter(|node| node.attribute("id") == Some(id));
                let found = nodes.next().unwrap_or_else(|| panic!("{name}: no {id}")).tag_name().name();
                assert!(nodes.next().is_none(), "{name}: {id} twice");
                found
            })
            .collect();
        let expected: &[&str] = if name.ends_with("manquant") { &["g"] } else { &["title", "desc", "g"] };
        assert_eq!(named, expected, "{name}");
    }
}
