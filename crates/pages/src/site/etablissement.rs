//! The page of an establishment, and that of one of its courses.

use super::data::{SiteData, VoieFigures, path_code, shares, text};
use super::figures::{self, bar, level_name, readable, reason, voie_name, words};
use super::{SiteAnswer, absent, breadcrumb, fold, parameter};
use crate::template::{PageHead, page, script};
use api::Request;
use api::error::ApiError;
use domain::{CodeCertification, Filiere, Maille, Uai, territory};
use maud::html;
use serde_json::Value;
use store::kv::KeyValue;
use store::list::Filter;

/// Courses that a page lists.
const COURSES_MAX: usize = 200;

fn unknown<K: KeyValue>(data: &SiteData<'_, K>) -> SiteAnswer {
    absent(
        data.deployment,
        "Établissement introuvable",
        "Aucun établissement n’a cet identifiant. Cherchez-le par son nom ou sa ville.",
        "",
    )
}

pub(super) async fn show<K: KeyValue>(
    data: &SiteData<'_, K>,
    request: &Request,
    uai: &str,
) -> Result<SiteAnswer, ApiError> {
    let Some(read) = Uai::parse(&uai.to_ascii_uppercase()) else { return Ok(unknown(data)) };
    if read.as_str() != uai {
        return Ok(SiteAnswer::Moved(format!("/etablissements/{}", read.as_str())));
    }
    let Some(card) = data.etablissement(uai).await? else { return Ok(unknown(data)) };
    let filter =
        Filter { millesimes: data.in_force(Maille::Etablissement), uais: vec![uai.to_owned()], ..Filter::default() };
    let (mut rows, total) = data.rows(Maille::Etablissement.list(), &filter, COURSES_MAX).await?;
    let by_name = parameter(request, "tri") == "nom";
    let rank = |row: &Value| if by_name { 0.0 } else { shares(row).map_or(f64::MAX, |[.., other]| other) };
    rows.sort_by(|a, b| rank(a).total_cmp(&rank(b)).then_with(|| text(a, "libelle").cmp(text(b, "libelle"))));
    let (before, courses): (Vec<Value>, Vec<Value>) =
        rows.into_iter().partition(|row| row.get("certificationsTerminales").is_some());
    let region = territory::region(&card.region);
    let name = card.libelle.as_str();
    let path = format!("/etablissements/{uai}");
    let with_figures = courses.iter().filter(|row| shares(row).is_some()).count();
    let body = html! {
        (breadcrumb(&[("/recherche?type=etablissement", "Établissements")], name))
        h1 { (name) }
        p.lead { @if let Some(region) = region { (region.name) " · " } (courses.len()) " formation" @if courses.len() > 1 { "s" } " dans les données" }
        @if courses.is_empty() && before.is_empty() {
            p.notice { "Aucune formation de cet établissement n’a de données publiées. " a href="/methode#seuil" { "Pourquoi\u{a0}?" } }
        }
        @if with_figures < courses.len() {
            p.hint { "Quand moins de 20 jeunes sont en dernière année d’une formation ici, ses taux ne sont pas publiés\u{a0}; ceux de la région le sont souvent. " a href="/methode#seuil" { "Pourquoi\u{a0}?" } }
        }
        section {
            h2 { "Formations" }
            @if courses.len() > 1 {
                p.hint {
                    "Triées " @if by_name { "par nom. " a href=(path) { "Trier par chiffres" } }
                    @else { "du moins au plus de jeunes dans une autre situation que les études ou l’emploi. " a href=(format!("{path}?tri=nom")) { "Trier par nom" } }
                }
            }
            ol.ranking { @for row in &courses {
                li {
                    p.name {
                        a href=(format!("{path}/{}", path_code(text(row, "code_certification")))) { (readable(text(row, "libelle"))) }
                        @if let Some(filiere) = Filiere::parse(text(row, "filiere")) { span.tag { (voie_name(filiere)) } }
                    }
                    (bar(row, &[]))
                    (words(row))
                    @if shares(row).is_none() {
                        p.hint { a href=(certification_path(row, &card.region, uai)) { "Voir cette formation dans la région" } }
                    }
                }
            } }
            @if total > COURSES_MAX { p { "Les " (COURSES_MAX) " premières sur " (total) "." } }
        }
        @if !before.is_empty() {
            details.fold {
                summary { "Années intermédiaires (sans chiffres propres)" }
                ul { @for row in &before { li { a href=(certification_path(row, &card.region, uai)) { (readable(text(row, "libelle"))) } } } }
            }
        }
        p.actions { a.fr-link href="/contact" { "Signaler une erreur" } " · " a.fr-link href="/methode" { "Comprendre les chiffres" } }
        (fold::developers(data.deployment.address.as_deref(), &[format!("UAI {uai}")], &[("Ce que l’établissement enseigne", format!("api/recherche/etablissements/{uai}"))]))
    };
    let description = format!(
        "{name}{} : ce que deviennent ses élèves, apprentis ou étudiants, formation par formation.",
        region.map_or(String::new(), |r| format!(", {}", r.name))
    );
    let head = PageHead {
        title: name,
        description: &description,
        here: "/recherche",
        canonical: &path,
        more: script("site.js"),
    };
    Ok(SiteAnswer::Page(200, page(data.deployment, &head, &body)))
}

fn certification_path(row: &Value, region: &str, uai: &str) -> String {
    let cfd = text(row, "code_formation_diplome");
    let code = if cfd.is_empty() { path_code(text(row, "code_certification")) } else { cfd.to_owned() };
    format!("/certifications/{code}?region={region}&etablissement={uai}#etablissements")
}

/// One course of an establishment, beside its region and France.
pub(super) async fn course<K: KeyValue>(data: &SiteData<'_, K>, uai: &str, code: &str) -> Result<SiteAnswer, ApiError> {
    let (Some(read_uai), Some(read)) = (Uai::parse(uai), CodeCertification::parse(code)) else {
        return Ok(unknown(data));
    };
    let uai = read_uai.as_str();
    let documents = data.versions(Maille::Etablissement, uai, read.as_str()).await?;
    let Some((newest, _)) = documents.first() else {
        return Ok(absent(
            data.deployment,
            "Formation introuvable",
            "Cet établissement n’a pas de données publiées pour cette formation.",
            "",
        ));
    };
    let label = readable(text(newest, "libelle"));
    let name = text(newest, "libelle_etablissement").to_owned();
    let name = if name.is_empty() { uai.to_owned() } else { name };
    let region = newest.get("region").and_then(|r| territory::region(text(r, "code")));
    let diplome = newest.get("diplome").map_or("", |d| text(d, "libelle")).to_owned();
    let Some(filiere) = Filiere::parse(text(newest, "filiere")) else { return Ok(unknown(data)) };
    let own = data.page_code(&read).await?;
    let card = data.certification(&read).await?;
    let (mut national, mut regional) = (Vec::new(), Vec::new());
    if let Some(card) = &card {
        national = data.statistics(card, "").await?.voies;
        if let Some(region) = region {
            regional = data.statistics(card, region.code).await?.voies;
        }
    }
    let benchmarks: Vec<_> = [
        figures::benchmark(&national, filiere, "France", "national"),
        figures::benchmark(&regional, filiere, "région", "regional"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let before = newest.get("certificationsTerminales").is_some();
    let voie = VoieFigures { filiere, years: documents.into_iter().map(|(document, _)| document).collect() };
    let certification = format!("/certifications/{own}");
    let in_region = region.map(|r| format!("{certification}?region={}&etablissement={uai}#etablissements", r.code));
    let of = |voies: &[VoieFigures]| voies.iter().find(|v| v.filiere == filiere).and_then(|v| v.best().cloned());
    let best = voie.best().cloned().unwrap_or_default();
    let path = format!("/etablissements/{uai}/{code}");
    let api = format!("api/inserjeunes/formations/{uai}-{code}");
    let body = html! {
        (breadcrumb(&[("/recherche?type=etablissement", "Établissements"), (&format!("/etablissements/{uai}"), &name)], &label))
        h1 { (label) }
        p.lead { a href=(format!("/etablissements/{uai}")) { (name) } " · " (level_name(&diplome)) " · " (voie_name(filiere)) }
        @match figures::sentence(&best) {
            Some(sentence) => {
                (bar(&best, &benchmarks))
                (words(&best))
                p.sentence { (sentence) }
                @if let Some(words) = figures::provenance(&best) { p { (words) } }
                @for message in figures::messages(&best) { p.hint { (message) } }
                (figures::definitions())
                (figures::details(&best))
            }
            None => {
                p.notice { (reason(&best)) " " a href="/methode#seuil" { "Pourquoi\u{a0}?" } }
                @if before { p { "À voir à la place\u{a0}: " a href=(certification) { "à quoi mène cette année" } "." } }
            }
        }
        @if of(&regional).is_some() || of(&national).is_some() {
            section {
                h2 { "Et ailleurs\u{a0}?" }
                ol.ranking {
                    @if let (Some(document), Some(region)) = (of(&regional), region) {
                        li { p.name { @if let Some(href) = &in_region { a href=(href) { (region.name) } } } (bar(&document, &[])) (words(&document)) }
                    }
                    @if let Some(document) = of(&national) {
                        li { p.name { a href=(certification) { "France" } } (bar(&document, &[])) (words(&document)) }
                    }
                }
            }
        }
        @if voie.years.len() > 1 && !before { section { h2 { "Année après année" } h3 { (voie_name(filiere)) } (figures::years(&voie)) } }
        p.actions {
            a.fr-btn.fr-btn--secondary href=(format!("/comparer?avec={uai}-{code}")) { "Comparer avec une autre formation" }
            " " a.fr-link href="/contact" { "Signaler une erreur" }
        }
        (fold::embed(data.deployment.address.as_deref(), &api, &format!("{label}, {name}").replace('"', "")))
        (fold::developers(data.deployment.address.as_deref(), &[code.to_owned(), format!("UAI {uai}")], &[("Cette formation", api)]))
    };
    let title = format!("{label}, {name}");
    let description = format!("{title} : {}", figures::sentence(&best).unwrap_or_else(|| reason(&best)));
    let head = PageHead {
        title: &title,
        description: &description,
        here: "/recherche",
        canonical: &path,
        more: script("site.js"),
    };
    Ok(SiteAnswer::Page(200, page(data.deployment, &head, &body)))
}
