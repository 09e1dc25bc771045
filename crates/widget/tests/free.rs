//! Pictures of any width: whole, named by their figures, with the typography of French.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails says where")]

use proptest::prelude::*;
use roxmltree::Document;
use widget::{
    Direction, Filieres, Formation, Ground, Indicators, Look, Picture, PictureShape, Theme, picture,
    picture_of_filieres, picture_of_missing,
};

fn rates(employment: Option<f64>, training: Option<f64>, others: Option<f64>) -> Indicators {
    Indicators { employment_rate_6_months: employment, training_rate: training, other_rate_6_months: others }
}

fn texts(picture: &Picture) -> Vec<&str> {
    let texts = picture.shapes.iter().filter_map(|shape| match shape {
        PictureShape::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn looks() -> Vec<Look> {
    let mut looks = Vec::new();
    for theme in Theme::ALL {
        for direction in Direction::ALL {
            for ground in [Ground::Light, Ground::Dark] {
                for (width, text) in
                    [(Some(240), 100), (Some(320), 100), (None, 100), (Some(1200), 100), (Some(480), 200)]
                {
                    looks.push(Look { theme, direction, ground, width, text });
                }
            }
        }
    }
    looks
}

/// What re-users asked for, over every look: a name of the place, spaces as French sets them, nothing cut off.
#[test]
fn a_picture_says_what_and_where_in_every_look() {
    let place = "Lycée polyvalent de l’Exemple et des Métiers de la Restauration (La Réunion)";
    for look in looks() {
        let formation = Formation {
            libelle: Some("Commercialisation et services en restauration (BAC PRO)"),
            millesime: "2021_2022",
            indicators: rates(Some(45.0), Some(100.0), None),
            ..Formation::default()
        };
        let filieres = Filieres {
            libelle: formation.libelle,
            pro: Some(rates(Some(45.0), Some(38.0), Some(17.0))),
            apprentissage: Some(rates(Some(100.0), None, Some(0.0))),
            ..Filieres::default()
        };
        let one = picture(&formation, place, &look).unwrap();
        let two = picture_of_filieres(&filieres, place, &look).unwrap();
        assert_eq!(
            one.details,
            "en emploi six mois après la fin des études 45\u{a0}%, en formation 100\u{a0}%, autres situations non disponible. \
             Source\u{a0}: InserJeunes, Depp-Dares, millésime\u{a0}2021-2022."
        );
        assert!(two.details.contains(
            "Apprentissage\u{a0}: en emploi six mois après la fin des études 100\u{a0}%, en formation non disponible"
        ));
        for (drawn, shown) in [
            (&one, vec!["45\u{a0}%", "100\u{a0}%"]),
            (&two, vec!["45\u{a0}%", "38\u{a0}%", "17\u{a0}%", "100\u{a0}%", "0\u{a0}%"]),
        ] {
            let texts = texts(drawn);
            for text in shown {
                assert!(texts.contains(&text), "{look:?}: no {text}: {texts:?}");
            }
            let whole = texts.join(" ");
            assert!(whole.contains(place) && whole.contains(formation.libelle.unwrap()), "{look:?}: {whole}");
            assert!(drawn.title.ends_with(place), "{}", drawn.title);
            assert!(
                !texts.iter().any(|text| text.contains(" %") || text.contains(" :") || text.contains(" ?")),
                "{texts:?}"
            );
            assert!(texts.contains(&"«\u{a0}--\u{a0}»\u{a0}: donnée non disponible"), "{look:?}: {texts:?}");
            let [width, height] = drawn.units;
            for shape in &drawn.shapes {
                let (x, y) = match *shape {
                    PictureShape::Rect { x, y, width, height, .. } => (x + width, y + height),
                    PictureShape::Ring { x, y, radius, .. } => (x + radius, y + radius),
                    PictureShape::Picto { x, y, .. } => (x + 24, y + 24),
                    PictureShape::Text { x, y, .. } => (x, y),
                };
                assert!(x < width && y < height, "{look:?}: {shape:?} in {:?}", drawn.units);
            }
            if let Some(width) = look.width {
                assert_eq!(drawn.pixels[0], width);
            }
        }
    }
}

#[test]
fn widths_and_texts_outside_their_bounds_are_drawn_at_the_bound() {
    let look = |width, text| Look { width, text, ..Look::default() };
    for (look, pixels, units) in [
        (look(Some(1), 100), 240, 240),
        (look(Some(9_999), 100), 1200, 1200),
        (look(Some(240), 200), 480, 240),
        (look(None, 200), 640, 320),
        (look(None, 9_999), 640, 320),
        (look(None, 0), 320, 320),
    ] {
        let missing = picture_of_missing(&look);
        assert_eq!((missing.pixels[0], missing.units[0]), (pixels, units), "{look:?}");
    }
}

proptest! {
    #[test]
    fn a_picture_is_one_document_whatever_its_texts(libelle in any::<String>(), place in any::<String>(), dark in any::<bool>()) {
        let formation = Formation { libelle: Some(&libelle), indicators: rates(Some(1.0), None, None), ..Formation::default() };
        let ground = if dark { Ground::Dark } else { Ground::Light };
        let svg = picture(&formation, &place, &Look { ground, ..Look::default() }).unwrap().svg();
        let document = Document::parse(&svg).unwrap();
        let root = document.root_element();
        prop_assert_eq!(root.attribute("role"), Some("img"));
        let names: Vec<&str> = root.attribute("aria-labelledby").unwrap().split(' ').collect();
        let named = |tag: &str| root.children().find(|node| node.has_tag_name(("http://www.w3.org/2000/svg", tag))).unwrap();
        prop_assert_eq!(names, [named("title").attribute("id").unwrap(), named("desc").attribute("id").unwrap()]);
        let told = named("desc").text().unwrap().contains("1\u{a0}%");
        prop_assert!(told, "{}", svg);
    }
}
