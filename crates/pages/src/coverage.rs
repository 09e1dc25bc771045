//! What is covered, and how that changed from generation to generation: a part of the page of the status, and a table.
//!
//! It is made of counts of documents and of what exists: nothing of a group of pupils.

use crate::fields::{by_filiere, number, text};
use crate::template::table;
use domain::{date, unique};
use maud::{Markup, html};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Generations that the chart shows, and rows of the table below it.
const SHOWN: usize = 24;
/// The chart, in pixels: what is drawn in, and the room for names at its right.
const WIDTH: u64 = 560;
const HEIGHT: u64 = 180;
const NAMES: u64 = 180;
/// How lines are told apart without colours.
const DASHES: [&str; 4] = ["none", "8 4", "2 4", "12 4 2 4"];

/// A cell of a table that a spreadsheet opens.
fn cell(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, ';' | '"' | '\r' | '\n')).collect()
}

/// What each generation covered, newest first, as CSV.
pub(crate) fn csv(history: &[Value]) -> String {
    let mut csv = String::from(
        "generation;mise_en_service;maille;millesime;filiere;documents;avec_chiffres;masques;certifications;lieux;certifications_existantes;etablissements_existants\n",
    );
    for line in history {
        let day = line.get("fini_ms").and_then(Value::as_i64).map(date::write_iso).unwrap_or_default();
        let exist = |name: &str| existing(line, name).map(|number| number.to_string());
        for (maille, millesime, filiere, count) in by_filiere(line.get("couverture")) {
            let numbers = ["documents", "avec_chiffres", "masques", "certifications", "lieux"]
                .map(|field| number(count, field).to_string());
            let places = exist("etablissements").filter(|_| maille == "formations");
            let _ = writeln!(
                csv,
                "{};{day};{};{};{};{};{};{}",
                cell(text(line, "generation")),
                cell(maille),
                cell(millesime),
                cell(filiere),
                numbers.join(";"),
                exist(filiere).unwrap_or_default(),
                places.unwrap_or_default()
            );
        }
    }
    csv
}

/// How many certifications of a filiere there are in the nomenclature of a generation, or, for `etablissements`, how many
/// establishments in its directory; `None` where it does not say.
fn existing(line: &Value, name: &str) -> Option<u64> {
    let rows = |kind: &str| line.get("existants").and_then(|all| all.get(kind)).and_then(Value::as_u64);
    match name {
        "superieur" => rows("bcn_sise"),
        "etablissements" => rows("etablissement"),
        // The nomenclature holds diplomas and their courses: apprenticeship is counted by the former.
        "apprentissage" => rows("bcn").map(|all| all.saturating_sub(rows("bcn.mef").unwrap_or_default())),
        _ => rows("bcn.mef"),
    }
    .filter(|number| *number > 0)
}

/// Documents with figures of a generation, by maille.
fn with_figures(line: &Value) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::new();
    for (maille, _, _, count) in by_filiere(line.get("couverture")) {
        *counts.entry(maille.as_str()).or_default() += number(count, "avec_chiffres");
    }
    counts
}

const COVERED: [&str; 7] = ["Maille", "Millésime", "Filière", "Documents", "Avec chiffres", "Certifications", "Lieux"];

/// The part of the page: what the generation in use covers, a chart over generations, and the same as a table.
pub(crate) fn show(history: &[Value], generation: &str, maille_name: impl Fn(&str) -> String) -> Markup {
    let Some(current) = history.iter().find(|line| text(line, "generation") == generation) else {
        return Markup::default();
    };
    let of = |count: u64, all: Option<u64>| match all {
        Some(all) => format!("{count} sur {all}"),
        None => count.to_string(),
    };
    let exist = |name: &str| existing(current, name);
    let rows = html! {
        @for (maille, millesime, filiere, count) in by_filiere(current.get("couverture")) {
            tr {
                th scope="row" { (maille_name(maille)) }
                td { (millesime.replace('_', "-")) }
                td { (filiere) }
                td { (number(count, "documents")) }
                td { (number(count, "avec_chiffres")) }
                td { (of(number(count, "certifications"), exist(filiere))) }
                td { (of(number(count, "lieux"), exist("etablissements").filter(|_| maille == "formations"))) }
            }
        }
    };
    html! {
        h2 { "Couverture" }
        (table("Couverture", "De la génération en service, sur ce qui existe dans les nomenclatures", &COVERED, &rows))
        (over_time(history, maille_name))
        p { a href="/etat/couverture.csv" { "La couverture de toutes les générations gardées, en CSV" } }
    }
}

/// Documents with figures from generation to generation, drawn and as a table; nothing where there is one only.
fn over_time(history: &[Value], maille_name: impl Fn(&str) -> String) -> Markup {
    let mut shown: Vec<(&Value, BTreeMap<&str, u64>)> =
        history.iter().take(SHOWN).map(|line| (line, with_figures(line))).collect();
    // The chart reads from left to right.
    shown.reverse();
    let mailles = unique(shown.iter().flat_map(|(_, counts)| counts.keys().copied()));
    if shown.len() < 2 {
        return Markup::default();
    }
    let most = shown.iter().flat_map(|(_, counts)| counts.values()).max().copied().unwrap_or_default().max(1);
    let steps = u64::try_from(shown.len() - 1).unwrap_or(1).max(1);
    let height = |count: u64| HEIGHT - count.saturating_mul(HEIGHT - 20) / most;
    let line = |maille: &str| {
        let points = shown.iter().zip(0u64..).map(|((_, counts), rank)| {
            format!("{},{}", rank * WIDTH / steps, height(counts.get(maille).copied().unwrap_or_default()))
        });
        points.collect::<Vec<_>>().join(" ")
    };
    let headers: Vec<String> = ["Génération", "Mise en service"]
        .into_iter()
        .map(str::to_owned)
        .chain(mailles.iter().map(|maille| maille_name(maille)))
        .collect();
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let rows = html! {
        @for (line, counts) in shown.iter().rev() {
            tr {
                th scope="row" { (text(line, "generation")) }
                td {
                    (line.get("fini_ms").and_then(Value::as_i64).map(date::write_iso).unwrap_or_default().get(..10).unwrap_or("–"))
                }
                @for maille in &mailles { td { (counts.get(maille).copied().unwrap_or_default()) } }
            }
        }
    };
    html! {
        svg role="img" viewBox=(format!("-8 0 {} {}", WIDTH + NAMES, HEIGHT + 12)) width="100%" style="max-width:46rem" {
            title { "Documents avec chiffres, par maille, d’une génération à l’autre\u{a0}; les mêmes nombres sont dans le tableau qui suit" }
            line x1="0" y1=(HEIGHT) x2=(WIDTH) y2=(HEIGHT) stroke="currentColor" stroke-opacity=".4" {}
            @for (maille, dash) in mailles.iter().zip(DASHES.iter().cycle()) {
                polyline points=(line(maille)) fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray=(dash) {}
                text x=(WIDTH + 8) y=(height(shown.last().and_then(|(_, counts)| counts.get(maille)).copied().unwrap_or_default()) + 4)
                    font-size="12" fill="currentColor" { (maille_name(maille)) }
            }
        }
        (table("Documents avec chiffres par génération", "Documents avec chiffres, de la génération la plus récente à la plus ancienne", &headers, &rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn generation(name: &str, day: i64, shown: u64) -> Value {
        json!({"generation": name, "fini_ms": day * 86_400_000, "existants": {"bcn": 1_100, "bcn.mef": 900, "etablissement": 40},
            "couverture": {
                "certifications": {"2023": {"pro": {"documents": 12, "avec_chiffres": 10, "masques": 2, "certifications": 12, "lieux": 1}}},
                "formations": {"2022_2023": {"pro": {"documents": shown + 5, "avec_chiffres": shown, "masques": 5, "certifications": 7, "lieux": 3}}}}})
    }

    #[test]
    fn what_is_covered_is_told_of_what_exists_drawn_over_generations_and_listed() {
        let history = [generation("g2", 20_001, 60), generation("g1", 20_000, 30)];
        let page = show(&history, "g2", str::to_owned).into_string();
        for expected in [
            "<td>7 sur 900</td><td>3 sur 40</td>",
            "<td>12 sur 900</td><td>1</td>",
            "<svg role=\"img\"",
            // From 30 to 60: half as high as the most, then the most.
            "points=\"0,100 560,20\"",
            "<th scope=\"row\">g2</th><td>2024-10-05</td><td>10</td><td>60</td>",
            "href=\"/etat/couverture.csv\"",
        ] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
        let csv = csv(&history);
        assert_eq!(csv.lines().count(), 5, "{csv}");
        assert!(csv.contains("g2;2024-10-05T00:00:00.000Z;formations;2022_2023;pro;65;60;5;7;3;900;40\n"), "{csv}");
        assert!(csv.contains("g1;2024-10-04T00:00:00.000Z;certifications;2023;pro;12;10;2;12;1;900;\n"), "{csv}");
    }

    #[test]
    fn one_generation_is_no_history_and_a_strange_name_breaks_no_row() {
        let page = show(&[generation("g1", 1, 1)], "g1", str::to_owned).into_string();
        assert!(page.contains("sur 900") && !page.contains("<svg"), "{page}");
        assert!(show(&[generation("g1", 1, 1)], "g2", str::to_owned).into_string().is_empty());
        let csv = csv(&[generation("g\n1;\"", 1, 1)]);
        assert!(csv.lines().all(|row| row.split(';').count() == 12), "{csv}");
    }
}
