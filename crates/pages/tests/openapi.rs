//! `openapi.json` is written by hand; what it repeats of the code is held to the code here. That its examples are what the
//! application answers, and its routes those that there are, is shown in `tests/pages`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

use api::error::{ApiError, NotFound};
use api::search;
use domain::{PUBLICATION_THRESHOLD, indicator, territory};
use pages::errors::ERRORS;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn description() -> Value {
    serde_json::from_str(include_str!("../openapi.json")).unwrap()
}

/// Recording examples writes the file anew: only what lies in this form stays as it was.
#[test]
fn the_file_is_indented_as_it_is_written() {
    let written = serde_json::to_string_pretty(&description()).unwrap() + "\n";
    assert!(include_str!("../openapi.json") == written, "ENREGISTRER=1 cargo test -p pages-tests examples");
}

#[test]
fn every_reference_resolves_and_everything_is_referred_to() {
    let description = description();
    let text = description.to_string();
    let references: BTreeSet<&str> =
        text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for reference in &references {
        assert!(description.pointer(reference).is_some(), "{reference}");
    }
    for kind in ["headers", "responses", "examples", "parameters"] {
        for name in description["components"][kind].as_object().unwrap().keys() {
            let pointer = format!("/components/{kind}/{name}");
            assert!(references.contains(pointer.as_str()), "{pointer} is of no use");
        }
    }
}

/// Every error of the routes is told in the words of the page of errors.
#[test]
fn errors_are_told_as_their_page_tells_them() {
    let rows: Vec<String> = ERRORS.iter().map(|e| format!("- **{}** : {} {}", e.message, e.cause, e.remedy)).collect();
    let description = description();
    let mut told = 0;
    let mut check = |status: &str, response: &Value| {
        let text = response["description"].as_str().unwrap_or_default();
        for line in text.lines().filter(|line| line.starts_with("- **")) {
            assert!(rows.iter().any(|row| row == line), "{status}: {line}");
            told += 1;
        }
    };
    for (path, operations) in description["paths"].as_object().unwrap() {
        for operation in operations.as_object().unwrap().values() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                check(&format!("{path} {status}"), response);
            }
        }
    }
    for (name, response) in description["components"]["responses"].as_object().unwrap() {
        check(name, response);
    }
    assert!(told > 15, "{told}");
}

#[test]
fn bounds_and_lists_are_those_of_the_code() {
    let description = description();
    let regions: Vec<&str> = territory::REGIONS.iter().map(|region| region.code).collect();
    let academies: Vec<&str> = territory::REGIONS.iter().flat_map(|region| region.academies).map(|a| a.code).collect();
    let several = |codes: &[&str]| format!("^({0})([,|]({0}))*$", codes.join("|"));
    let parameter = |name: &str| description["components"]["parameters"][name]["schema"].clone();
    // A postal code leads to its region.
    let places: Vec<&str> = regions.iter().copied().chain(["[0-9][0-9AB][0-9]{3}"]).collect();
    assert_eq!(parameter("region")["pattern"], format!("^({})$", places.join("|")));
    assert_eq!(parameter("regions")["pattern"], several(&places));
    assert_eq!(parameter("academies")["pattern"], several(&academies));
    let searched = &description["paths"]["/api/recherche"]["get"]["parameters"];
    let schema = |name: &str| {
        let parameter = searched.as_array().unwrap().iter().find(|parameter| parameter["name"] == name);
        parameter.unwrap()["schema"].clone()
    };
    assert_eq!(
        (&schema("q")["maxLength"], &schema("page")["maximum"]),
        (&json!(search::Q_MAX), &json!(search::PAGE_MAX))
    );
    let there = &description["paths"]["/api/recherche/certifications/{code_certification}"]["get"]["parameters"][1];
    assert_eq!((&there["name"], &there["schema"]["enum"]), (&json!("region"), &json!(regions)));
    let lot = &description["components"]["schemas"]["Lot"]["properties"]["demandes"];
    assert_eq!((&lot["minItems"], &lot["maxItems"]), (&json!(1), &json!(api::lots::LOT_MAX)));
    let fields = &description["components"]["schemas"]["Statistique"]["properties"];
    // What can be asked for by name, of a document, of a row of statistics, of one of the nomenclature.
    let names = |text: &'static str| text.split(',');
    for name in fields.as_object().unwrap().keys() {
        assert!(names(api::fields::FIELDS).any(|known| known == name) || indicator::is_indicator(name), "{name}");
    }
    for name in description["components"]["schemas"]["Nomenclature"]["properties"].as_object().unwrap().keys() {
        let mut known = names(api::fields::FIELDS).chain(names(api::fields::BCN_FIELDS));
        assert!(known.any(|known| known == name), "{name}");
    }
    let hidden = format!("null si nb_annee_term est inférieur à {PUBLICATION_THRESHOLD}.");
    for field in indicator::columns(true, &[indicator::NB_DIPLOME.to_owned()]) {
        let text = fields[field]["description"].as_str().unwrap_or_default();
        assert_eq!(text.contains(&hidden), indicator::below_threshold(field), "{field}: {text}");
        let unit = match field.split_once('_') {
            Some(("nb", _)) => "jeunes",
            Some(("taux", _)) => "%",
            _ => "euros par mois",
        };
        assert_eq!(fields[field]["x-unite"], unit, "{field}");
        assert!(fields[field]["type"].as_array().is_some_and(|t| t.contains(&json!("null"))), "{field}");
    }
}

/// Generators make names of tags and operations, and a type of every schema.
#[test]
fn generators_find_ascii_names_and_types_everywhere() {
    fn walk(path: &str, value: &Value) {
        let is =
            |kind: &str| value["type"] == kind || value["type"].as_array().is_some_and(|t| t.contains(&json!(kind)));
        assert!(!is("array") || value["items"].is_object(), "{path}: an array of what?");
        let told = value["properties"].is_object() || !value["additionalProperties"].is_null();
        assert!(!is("object") || told, "{path}: an object of what?");
        for (name, inner) in value.as_object().into_iter().flatten().filter(|(name, _)| *name != "examples") {
            walk(&format!("{path}/{name}"), inner);
        }
        for (rank, inner) in value.as_array().into_iter().flatten().enumerate() {
            walk(&format!("{path}/{rank}"), inner);
        }
    }
    let description = description();
    walk("", &description);
    let identifier = |text: &Value| {
        let text = text.as_str().unwrap();
        assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{text}");
        text.to_owned()
    };
    let tags: BTreeSet<String> =
        description["tags"].as_array().unwrap().iter().map(|t| identifier(&t["name"])).collect();
    let mut operations = BTreeSet::new();
    for operation in description["paths"].as_object().unwrap().values().flat_map(|p| p.as_object().unwrap().values()) {
        assert!(operations.insert(identifier(&operation["operationId"])), "twice: {}", operation["operationId"]);
        assert!(operation["tags"].as_array().unwrap().iter().all(|t| tags.contains(t.as_str().unwrap())));
    }
    // Clients bear the version of what they are made from.
    let package: Value = serde_json::from_str(include_str!("../../../clients/typescript/package.json")).unwrap();
    assert_eq!(
        (&package["version"], &description["info"]["version"]),
        (&json!(env!("CARGO_PKG_VERSION")), &package["version"])
    );
}

#[test]
fn every_error_of_the_api_has_its_place_on_the_page_of_errors() {
    for error in [
        ApiError::Validation(Vec::new(), "".into()),
        ApiError::Unreadable(""),
        ApiError::Demand("".into()),
        ApiError::Unauthorized(""),
        ApiError::Credentials,
        ApiError::UnknownRoute,
        ApiError::Millesime { millesime: String::new(), available: Vec::new() },
        ApiError::Conflict(String::new()),
        ApiError::Generation(409),
        ApiError::TooLarge(String::new()),
        ApiError::Charset,
        ApiError::Refused(String::new()),
        ApiError::TooMany(1),
        ApiError::Limited(1),
        ApiError::Unavailable,
    ]
    .into_iter()
    .chain(NotFound::ALL.map(ApiError::NotFound))
    {
        assert!(ERRORS.iter().any(|e| e.anchor == error.anchor()), "{error:?}");
    }
}

/// The server answers 414 to an address that is too long before a route sees it.
#[test]
fn whatever_takes_parameters_names_the_answer_to_an_address_that_is_too_long() {
    let description = description();
    let mut named = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        let takes_any = |at: &Value| at["parameters"].as_array().is_some_and(|parameters| !parameters.is_empty());
        for (method, operation) in operations.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            if takes_any(operations) || takes_any(operation) {
                assert!(operation["responses"].get("414").is_some(), "{method} {path}");
                named += 1;
            }
        }
    }
    assert!(named > 10, "{named}");
}
