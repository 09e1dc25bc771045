//! The recorded images of the service that is taken over, by the cases in the tree.
//!
//! One-document cases are played from the documents of their state, by the rules of the contract that
//! choose the document and write `title` and `details`. Filières cases are played from the percentages
//! recorded, as the sums behind them are not this crate's. What each case leaves to others (final years,
//! HEAD, errors that are no images, deviations on purpose) is skipped and counted.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails says where")]

mod reading;

use std::{fs, path::PathBuf};

use reading::{Picture, read};
use serde_json::Value;
use widget::{Direction, Filieres, Formation, Indicators, Theme, empty, missing, render, render_filieres};

/// The request of a case.
struct Request<'a> {
    collection: &'static str,
    /// A region or an UAI; empty for a national statistic.
    place: &'a str,
    codes: &'a str,
    query: Vec<(&'a str, &'a str)>,
}

impl<'a> Request<'a> {
    fn parse(path_with_query: &'a str) -> Option<Self> {
        let (path, query) = path_with_query.split_once('?').unwrap_or((path_with_query, ""));
        let query: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let path = path.strip_prefix("/api/inserjeunes/")?;
        let path = path.strip_suffix(".svg").or(query.contains(&("ext", "svg")).then_some(path))?;
        let (collection, place, codes) = match path.split('/').collect::<Vec<_>>()[..] {
            ["certifications", codes] => ("certificationsStats", "", codes),
            ["regionales", region, "certifications", codes] => ("regionalesStats", region, codes),
            ["formations", formation] => {
                let (uai, code) = formation.rsplit_once('-')?;
                ("formationsStats", uai, code)
            }
            _ => return None,
        };
        Some(Self { collection, place, codes, query })
    }

    fn get(&self, name: &str) -> &'a str {
        self.query.iter().find(|(found, _)| *found == name).map_or("", |(_, value)| value)
    }

    fn filieres(&self) -> bool {
        self.get("vue") == "filieres" || self.codes.contains([',', '|'])
    }
}

fn str<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The millésimes that a request without one stands for, most wanted first.
fn default_millesimes(config: &Value, request: &Request<'_>) -> Vec<String> {
    let sup = request.codes.starts_with("SISE:");
    let list = match (request.collection, sup) {
        ("certificationsStats", false) => "default",
        ("certificationsStats", true) => "defaultSup",
        ("formationsStats", false) => "formations",
        ("formationsStats", true) => "formationsSup",
        _ => "regionales",
    };
    let last = config["millesimes"][list].as_array().and_then(|list| list.last()).and_then(Value::as_str);
    last.map(spellings).unwrap_or_default()
}

/// A period, and the year it ends with.
fn spellings(millesime: &str) -> Vec<String> {
    let year = millesime.rsplit_once('_').map(|(_, year)| year.to_owned());
    [millesime.to_owned()].into_iter().chain(year).collect()
}

fn document<'a>(state: &'a Value, config: &Value, request: &Request<'_>) -> Option<&'a Value> {
    let code = request.codes.strip_prefix("SISE:").unwrap_or(request.codes);
    let asked = request.get("millesime");
    let millesimes = if asked.is_empty() { default_millesimes(config, request) } else { spellings(asked) };
    let mut found: Option<&Value> = None;
    for row in state[request.collection].as_array().into_iter().flatten() {
        let millesime = str(row, "/millesime");
        let place = match request.collection {
            "certificationsStats" => "",
            "regionalesStats" => str(row, "/region/code"),
            _ => str(row, "/uai"),
        };
        let wanted = str(row, "/code_certification") == code
            && place == request.place
            && millesimes.iter().any(|one| one == millesime)
            && found.is_none_or(|found| str(found, "/millesime") < millesime);
        if wanted {
            found = Some(row);
        }
    }
    found
}

fn indicators(rate: [Option<f64>; 3]) -> Indicators {
    let [employment_rate_6_months, training_rate, other_rate_6_months] = rate;
    Indicators { employment_rate_6_months, training_rate, other_rate_6_months }
}

fn rates(row: &Value) -> Indicators {
    let hidden = row.get("nb_annee_term").is_some_and(|count| count.as_f64().unwrap_or(0.0) < 20.0);
    let rate = |name: &str| if hidden { None } else { row[name].as_f64() };
    indicators([rate("taux_en_emploi_6_mois"), rate("taux_en_formation"), rate("taux_autres_6_mois")])
}

fn title_and_details(row: &Value) -> (String, String) {
    let [code, filiere, uai, millesime] =
        ["/code_certification", "/filiere", "/uai", "/millesime"].map(|pointer| str(row, pointer));
    let mut title = format!("Certification {code}");
    let source = if filiere == "superieur" { "InserSup" } else { "InserJeunes" };
    let diplome = str(row, "/diplome/libelle");
    let mut details = format!("Données {source} pour la certification {code} ({diplome} filière {filiere})");
    if uai.is_empty() {
        details.push_str(&format!(" pour le millésime {millesime}"));
        if row.get("region").is_some() {
            details.push_str(&format!(" et la région {}", str(row, "/region/nom")));
        }
    } else {
        title.push_str(&format!(", établissement {uai}"));
        details.push_str(&format!(" dispensée par l'établissement {uai}, pour le millésime {millesime}"));
    }
    (title, details)
}

fn recorded(svg: &Value) -> Picture {
    let text = |name: &str| svg[name].as_str().map(str::to_owned);
    let mut percentages: Vec<String> = svg["percentages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|percentage| *percentage != "--")
        .map(str::to_owned)
        .collect();
    percentages.sort();
    Picture { width: svg["width"].as_u64().unwrap_or(0), title: text("title"), desc: text("desc"), percentages }
}

/// The two statistics of a filières image: three percentages each, the second ones unknown where only
/// three were recorded.
fn recorded_filieres(svg: &Value) -> [Indicators; 2] {
    let mut percentages = svg["percentages"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|percentage| percentage.trim_end_matches('%').parse().ok());
    let mut next = || indicators([(); 3].map(|()| percentages.next().flatten()));
    [next(), next()]
}

#[test]
fn recorded_images() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/conformance/cases/http/widget.json");
    let text = fs::read_to_string(&file).unwrap();
    let recordings: Value = serde_json::from_str(&text).unwrap();
    let (mut one, mut two, mut errors, mut skipped) = (0, 0, 0, Vec::new());
    for case in recordings["cases"].as_array().unwrap() {
        let id = str(case, "/id");
        let request = Request::parse(str(case, "/request/path_with_query"));
        let svg = case.pointer("/response/svg");
        let (Some(request), Some(svg)) = (request, svg.filter(|svg| !svg["width"].is_null())) else {
            skipped.push(format!("{id} (no image)"));
            continue;
        };
        if case.get("deviation").is_some() {
            skipped.push(format!("{id} (deviation)"));
            continue;
        }
        let theme = Theme::parse(request.get("theme")).unwrap_or_default();
        let direction = Direction::parse(request.get("direction")).unwrap_or_default();
        let expected = recorded(svg);
        let error_image = || match request.get("imageOnError") {
            "true" => missing(theme, direction),
            "empty" => empty().to_owned(),
            other => panic!("{id}: no data, and imageOnError is {other:?}"),
        };
        let state = &recordings["states"][str(case, "/state")];
        let ours = if request.filieres() && expected.title.is_some() {
            two += 1;
            let [first, second] = recorded_filieres(svg);
            let present = |filiere: &str| str(svg, "/desc").contains(filiere);
            let (pro, apprentissage) = match (present("filière pro"), present("filière apprentissage")) {
                (true, true) => (Some(first), Some(second)),
                (pro, _) => (pro.then_some(first), (!pro).then_some(first)),
            };
            let filieres = Filieres {
                title: str(svg, "/title"),
                details: str(svg, "/desc"),
                pro,
                apprentissage,
                ..Filieres::default()
            };
            render_filieres(&filieres, theme, direction).unwrap()
        } else if request.filieres() {
            errors += 1;
            error_image()
        } else {
            let config = case.get("config").filter(|config| config.get("millesimes").is_some());
            let row = document(state, config.unwrap_or(&recordings["config"]), &request);
            if row.is_some_and(|row| row.get("certificationsTerminales").is_some()) {
                skipped.push(format!("{id} (final years)"));
                continue;
            }
            let image = row.and_then(|row| {
                let (title, details) = title_and_details(row);
                let formation =
                    Formation { title: &title, details: &details, indicators: rates(row), ..Formation::default() };
                render(&formation, theme, direction)
            });
            match image {
                Some(image) => {
                    one += 1;
                    image
                }
                None => {
                    errors += 1;
                    error_image()
                }
            }
        };
        assert_eq!(read(&ours), expected, "{id}");
    }
    eprintln!("{one} images of one document, {two} of two filieres, {errors} error images; skipped: {skipped:?}");
    assert!(one > 0 && two > 0 && errors > 0);
}
