//! Figures as people read them: a sentence, a bar, the rest in a fold.

use super::data::{VoieFigures, shares, text};
use domain::Filiere;
use domain::level::level_of_diplome;
use domain::threshold::THRESHOLD_MESSAGE;
use maud::{Markup, html};
use serde_json::Value;

/// A label of the nomenclature as people write it: `CUISINE (CAP)` becomes `Cuisine (CAP)`.
pub(super) fn readable(label: &str) -> String {
    let outside = label.split('(').next().unwrap_or_default();
    if outside.chars().any(char::is_lowercase) {
        return label.to_owned();
    }
    let mut written = String::with_capacity(label.len());
    let mut depth = 0usize;
    let mut first = true;
    for c in label.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 0 || first && c.is_alphabetic() {
            written.push(c);
        } else {
            written.extend(c.to_lowercase());
        }
        first &= !c.is_alphabetic();
    }
    written
}

/// What a voie is called.
pub(super) fn voie_name(filiere: Filiere) -> &'static str {
    match filiere {
        Filiere::Pro => "Au lycée",
        Filiere::Apprentissage => "En apprentissage",
        Filiere::Agricultural => "Au lycée agricole",
        Filiere::Superieur => "À l’université",
    }
}

/// What a diplome is called: never as the nomenclature codes it.
pub(super) fn level_name(diplome: &str) -> &'static str {
    level_of_diplome(diplome).map_or("", |level| level.name)
}

/// A millesime in words.
pub(super) fn year(millesime: &str) -> String {
    match millesime.split_once('_') {
        Some((first, last)) => format!("{first} et {last}"),
        None => millesime.to_owned(),
    }
}

/// One sentence that says it all.
pub(super) fn sentence(document: &Value) -> Option<String> {
    let [employment, study, other] = shares(document)?;
    let millesime = year(text(document, "millesime"));
    Some(format!(
        "Sur 100 jeunes en dernière année ({millesime}), {study} continuent leurs études, {employment} ont un emploi salarié six mois après leur sortie et {other} sont dans une autre situation."
    ))
}

/// Where a rate of employment lies on a bar: what it is of, and the rate.
pub(super) struct Benchmark {
    pub name: &'static str,
    pub class: &'static str,
    pub rate: f64,
}

/// The rate of employment of a place, to compare others with.
pub(super) fn benchmark(
    voies: &[VoieFigures],
    filiere: Filiere,
    name: &'static str,
    class: &'static str,
) -> Option<Benchmark> {
    let year = voies.iter().find(|voie| voie.filiere == filiere)?.best()?;
    shares(year).map(|[rate, ..]| Benchmark { name, class, rate })
}

/// The three shares as a bar; what it shows stands in words beside it.
pub(super) fn bar(document: &Value, benchmarks: &[Benchmark]) -> Markup {
    let Some(values) = shares(document) else { return Markup::default() };
    let total: f64 = values.iter().sum::<f64>().max(100.0);
    let width = |value: f64| format!("width:{:.1}%", value / total * 100.0);
    html! {
        div.bar aria-hidden="true" {
            @for (value, class) in values.iter().zip(["employment", "study", "other"]) {
                @if *value > 0.0 { span class=(class) style=(width(*value)) { @if *value >= 8.0 { (value) } } }
            }
            @for benchmark in benchmarks {
                i class=(benchmark.class) style=(format!("left:{:.1}%", benchmark.rate / total * 100.0)) {}
            }
        }
    }
}

/// The shares in a few words; why there are none where there are none.
pub(super) fn words(document: &Value) -> Markup {
    match shares(document) {
        Some([employment, study, other]) => html! {
            ul.shares {
                li { i.employment aria-hidden="true" {} b { (employment) "\u{a0}%" } " en emploi à 6\u{a0}mois" }
                li { i.study aria-hidden="true" {} b { (study) "\u{a0}%" } " en études" }
                li { i.other aria-hidden="true" {} b { (other) "\u{a0}%" } " autre situation" }
            }
        },
        None => html! { p.hidden-figures { (reason(document)) } },
    }
}

/// What the three shares mean, one click away from them.
pub(super) fn definitions() -> Markup {
    html! {
        details.definitions {
            summary { "Que veulent dire ces parts\u{a0}?" }
            dl.sheet {
                dt { "En emploi à 6\u{a0}mois" }
                dd { "Ils ont un emploi salarié en France, six mois après leur sortie de formation." }
                dt { "En études" }
                dd { "Ils sont encore inscrits dans une formation, au lycée, en apprentissage ou à l’université." }
                dt { "Autre situation" }
                dd { "Ni l’un ni l’autre\u{a0}: recherche d’emploi, travail indépendant, départ à l’étranger, service civique…" }
            }
            p { a href="/methode#mesures" { "Comment ces parts sont mesurées" } }
        }
    }
}

/// What the API says with a document.
pub(super) fn messages(document: &Value) -> Vec<&str> {
    let messages = document.get("_meta").and_then(|m| m.get("messages")).and_then(Value::as_array);
    // The former service's sentence stands before one that says more.
    let said = messages.into_iter().flatten().filter_map(Value::as_str);
    said.filter(|message| *message != THRESHOLD_MESSAGE).collect()
}

/// Why a document shows no rate, and what can be seen instead.
pub(super) fn reason(document: &Value) -> String {
    if document.get("certificationsTerminales").is_some() {
        return "Année intermédiaire\u{a0}: les chiffres sont ceux de la dernière année.".to_owned();
    }
    let said = messages(document);
    if said.is_empty() { "Chiffres non publiés.".to_owned() } else { said.join(" ") }
}

/// Sentences about where figures come from.
pub(super) fn provenance(document: &Value) -> Option<String> {
    let source = document.get("donnee_source")?;
    match text(source, "type") {
        "ancienne" => Some("Ces chiffres sont ceux de l’ancien diplôme, que celui-ci a remplacé.".into()),
        "nouvelle" => Some("Ces chiffres sont ceux du nouveau diplôme, qui a remplacé celui-ci.".into()),
        _ => None,
    }
}

fn number(value: f64) -> String {
    let digits = format!("{value}");
    let mut written = String::new();
    for (rank, c) in digits.chars().enumerate() {
        if rank > 0 && (digits.len() - rank).is_multiple_of(3) {
            written.push('\u{202f}');
        }
        written.push(c);
    }
    written
}

/// What else is known: later months, wages, how many.
pub(super) fn details(document: &Value) -> Markup {
    let value = |field: &str| document.get(field).and_then(Value::as_f64);
    let wage = |quartile: u8| value(&format!("salaire_12_mois_q{quartile}"));
    let later: Vec<(u8, f64)> =
        [12, 18, 24].into_iter().filter_map(|m| Some((m, value(&format!("taux_en_emploi_{m}_mois"))?))).collect();
    let count = value("nb_annee_term");
    let broken = value("taux_rupture_contrats");
    if later.is_empty() && count.is_none() && wage(2).is_none() && broken.is_none() {
        return Markup::default();
    }
    html! {
        details {
            summary { "Plus de chiffres" }
            dl.sheet {
                @for (months, rate) in &later { dt { a href="/methode#plus-tard" { "En emploi à " (months) "\u{a0}mois" } } dd { (rate) "\u{a0}%" } }
                @if let Some(median) = wage(2) {
                    dt { a href="/methode#salaire" { "Salaire net par mois, un an après" } }
                    dd {
                        "la moitié gagne plus de " (number(median)) "\u{a0}€"
                        @if let (Some(low), Some(high)) = (wage(1), wage(3)) {
                            " ; la moitié du milieu, entre " (number(low)) " et " (number(high)) "\u{a0}€"
                        }
                    }
                }
                @if let Some(rate) = broken { dt { a href="/methode#ruptures" { "Contrats d’apprentissage rompus" } } dd { (rate) "\u{a0}%" } }
                @if let Some(count) = count { dt { a href="/methode#effectif" { "Jeunes en dernière année" } } dd { (number(count)) } }
            }
        }
    }
}

/// Years as a small chart, the newest first; breaks are told in words.
pub(super) fn years(voie: &VoieFigures) -> Markup {
    html! {
        ol.years {
            @for (rank, document) in voie.years.iter().enumerate() {
                @let before = voie.years.get(rank + 1);
                li {
                    h4 { (year(text(document, "millesime"))) }
                    (bar(document, &[]))
                    (words(document))
                    @if let Some(words) = provenance(document) { p.break { (words) } }
                    @if before.is_some_and(|b| text(b, "millesime").contains('_') != text(document, "millesime").contains('_')) {
                        p.break { "Changement de méthode\u{a0}: une année seule d’un côté, deux années cumulées de l’autre." }
                    }
                    @if before.is_some_and(|b| renewed(b, document)) {
                        p.break { "Le diplôme a changé de nom entre ces deux années." }
                    }
                }
            }
        }
    }
}

fn renewed(before: &Value, after: &Value) -> bool {
    let (old, new) = (text(before, "libelle"), text(after, "libelle"));
    !old.is_empty() && !new.is_empty() && old != new
}

/// A voie as the first answer of a page.
pub(super) fn answer(voie: &VoieFigures, instead: &Markup) -> Markup {
    let Some(best) = voie.best() else { return Markup::default() };
    html! {
        section.voie {
            h2 { (voie_name(voie.filiere)) }
            @match sentence(best) {
                Some(sentence) => {
                    (bar(best, &[]))
                    (words(best))
                    p.sentence { (sentence) }
                    @if let Some(words) = provenance(best) { p { (words) } }
                    (definitions())
                    (details(best))
                }
                None => { p.hidden-figures { (reason(best)) } (instead) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_and_figures_are_written_as_people_do() {
        assert_eq!(readable("METIERS DE L'ELECTRICITE (BAC PRO)"), "Metiers de l'electricite (BAC PRO)");
        assert_eq!(readable("Lycée Jean Moulin"), "Lycée Jean Moulin");
        assert_eq!((number(1540.0), number(822.0)), ("1\u{202f}540".into(), "822".into()));
        let document = json!({"millesime": "2021_2022", "taux_en_emploi_6_mois": 28, "taux_en_formation": 50, "taux_autres_6_mois": 22});
        let sentence = sentence(&document).unwrap();
        assert!(sentence.starts_with("Sur 100 jeunes en dernière année (2021 et 2022), 50 continuent"), "{sentence}");
        assert!(words(&json!({"millesime": "2022"})).into_string().contains("non publiés"));
    }
}
