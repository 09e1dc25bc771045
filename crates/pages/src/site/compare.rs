//! Up to four certifications or courses side by side. What is compared stands in the address: it can be shared.

use super::data::{SiteData, VoieFigures, path_code, text};
use super::figures::{self, bar, readable, voie_name, words};
use super::{SiteAnswer, breadcrumb, parameter};
use crate::template::{PageHead, page, script};
use api::Request;
use api::error::ApiError;
use domain::{CodeCertification, Filiere, Maille, Uai, territory};
use maud::html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use store::finding::SearchDemand;
use store::kv::KeyValue;
use store::search::{SearchCard, Subject};

/// What a page compares, at most.
const PINNED_MAX: usize = 4;

/// Something that is compared.
struct Pinned {
    /// As the address names it: `CODE`, `CODE-REGION` or `UAI-CODE`.
    name: String,
    label: String,
    place: String,
    path: String,
    voies: Vec<VoieFigures>,
}

pub(super) async fn show<K: KeyValue>(data: &SiteData<'_, K>, request: &Request) -> Result<SiteAnswer, ApiError> {
    let mut names: Vec<String> = Vec::new();
    for name in request.values_of("avec") {
        if !name.is_empty() && !names.contains(&name) && names.len() < PINNED_MAX {
            names.push(name);
        }
    }
    let mut pinned = Vec::new();
    for name in &names {
        pinned.extend(pin(data, name).await?);
    }
    let names: Vec<&str> = pinned.iter().map(|p| p.name.as_str()).collect();
    let q = parameter(request, "q");
    let found = match q.trim().is_empty() {
        true => Vec::new(),
        false => {
            data.reader
                .find(&SearchDemand { q: &q, subject: Some(Subject::Certification), facets: &[] }, 0, 10)
                .await?
                .cards
        }
    };
    let body = html! {
        (breadcrumb(&[], "Comparer"))
        h1 { "Comparer des formations" }
        @if pinned.is_empty() { p { "Choisissez jusqu’à quatre formations\u{a0}: cherchez la première ci-dessous, ou ouvrez la page d’une formation et suivez «\u{a0}Comparer\u{a0}»." } }
        ul.compared { @for one in &pinned {
            li {
                h2 { a href=(one.path) { (one.label) } }
                p.lead { (one.place) }
                @for voie in &one.voies {
                    h3 { (voie_name(voie.filiere)) }
                    @if let Some(best) = voie.best() { (bar(best, &[])) (words(best)) p.hint { (figures::year(text(best, "millesime"))) } }
                }
                @if one.voies.is_empty() { p.hidden-figures { "Chiffres non publiés." } }
                p { a.fr-link href=(address(names.iter().copied().filter(|n| *n != one.name), "")) { "Retirer " span.fr-sr-only { (one.label) } } }
            }
        } }
        @if pinned.len() < PINNED_MAX {
            section {
                h2 { "Ajouter une formation" }
                form.search-form action="/comparer" method="get" {
                    @for name in &names { input type="hidden" name="avec" value=(name); }
                    label.fr-label for="q" { "Une formation, un métier" }
                    div.search-line {
                        input.fr-input #q name="q" type="search" value=(q) maxlength="200" autocomplete="off";
                        button.fr-btn type="submit" { "Chercher" }
                    }
                }
                @if !q.trim().is_empty() {
                    p role="status" { @if found.is_empty() { "Rien ne correspond. Essayez un seul mot." } @else { "Choisissez la formation à ajouter\u{a0}:" } }
                    ul.results { @for card in &found { @if let Some(name) = name_of(card) {
                        li { a href=(address(names.iter().copied().chain([name.as_str()]), "")) { "Ajouter " (readable(&card.libelle)) } p.hint { (figures::level_name(&card.diplome)) } }
                    } } }
                }
            }
        } @else { p { "Quatre formations au plus\u{a0}: retirez-en une pour en ajouter une autre." } }
        @if !pinned.is_empty() { p.hint { "L’adresse de cette page garde la comparaison\u{a0}: elle se partage et se met en favori." } }
    };
    let title = match pinned.as_slice() {
        [] => "Comparer des formations".to_owned(),
        some => format!("Comparer {}", some.iter().map(|p| p.label.as_str()).collect::<Vec<_>>().join(", ")),
    };
    let head = PageHead {
        title: &title,
        description: "Comparer jusqu’à quatre formations : emploi et poursuite d’études, au lycée et en apprentissage.",
        here: "/comparer",
        canonical: if pinned.is_empty() { "/comparer" } else { "" },
        more: script("site.js"),
    };
    Ok(SiteAnswer::Page(200, page(data.deployment, &head, &body)))
}

fn address<'a>(names: impl Iterator<Item = &'a str>, q: &str) -> String {
    let names = names.map(|name| format!("avec={}", utf8_percent_encode(name, NON_ALPHANUMERIC)));
    let query: Vec<String> = names.chain((!q.is_empty()).then(|| format!("q={q}"))).collect();
    if query.is_empty() { "/comparer".into() } else { format!("/comparer?{}", query.join("&")) }
}

fn name_of(card: &SearchCard) -> Option<String> {
    let code = card.codes.iter().find(|c| c.code_kind != "MEFSTAT11").or(card.codes.first())?;
    Some(path_code(&code.code))
}

/// What a name of the address stands for; nothing where it stands for nothing.
async fn pin<K: KeyValue>(data: &SiteData<'_, K>, name: &str) -> Result<Option<Pinned>, ApiError> {
    let (first, second) = name.split_once('-').unwrap_or((name, ""));
    if let (Some(uai), Some(code)) = (Uai::parse(first), CodeCertification::parse(second)) {
        let documents = data.versions(Maille::Etablissement, uai.as_str(), code.as_str()).await?;
        let Some((newest, _)) = documents.first() else { return Ok(None) };
        let (label, place) = (readable(text(newest, "libelle")), text(newest, "libelle_etablissement").to_owned());
        let filiere = Filiere::parse(text(newest, "filiere"));
        let path = format!("/etablissements/{first}/{second}");
        let voies =
            filiere.map(|filiere| VoieFigures { filiere, years: documents.into_iter().map(|(d, _)| d).collect() });
        let voies = voies.into_iter().collect();
        return Ok(Some(Pinned { name: name.to_owned(), label, place, path, voies }));
    }
    let Some(code) = CodeCertification::parse(first) else { return Ok(None) };
    let region = territory::region(second);
    if region.is_none() && !second.is_empty() {
        return Ok(None);
    }
    let Some(card) = data.certification(&code).await? else { return Ok(None) };
    let statistics = data.statistics(&card, region.map_or("", |r| r.code)).await?;
    let path = match region {
        Some(region) => format!("/certifications/{first}?region={}", region.code),
        None => format!("/certifications/{first}"),
    };
    Ok(Some(Pinned {
        name: name.to_owned(),
        label: readable(&card.libelle),
        place: region.map_or("France", |r| r.name).to_owned(),
        path,
        voies: statistics.voies,
    }))
}
