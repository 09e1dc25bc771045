//! Results of a search, with facets as links.

use super::data::{SiteData, path_code};
use super::figures::{level_name, readable};
use super::{SiteAnswer, parameter, search_form};
use crate::template::{PageHead, page};
use api::Request;
use api::error::ApiError;
use api::search::{PAGE_MAX, PER_PAGE, Q_MAX};
use domain::level::{LEVELS, level_of_slug};
use domain::territory::REGIONS;
use domain::{Filiere, territory};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use store::finding::SearchDemand;
use store::kv::KeyValue;
use store::mark;
use store::query::{TermKind, terms};
use store::search::{SearchCard, Subject};

/// What is asked for, as addresses write it.
#[derive(Clone, Default)]
struct SearchForm {
    q: String,
    niveau: String,
    voie: String,
    region: String,
    subject: String,
}

/// Voies as addresses name them.
const VOIES: [(&str, Filiere, &str); 4] = [
    ("lycee", Filiere::Pro, "Lycée"),
    ("apprentissage", Filiere::Apprentissage, "Apprentissage"),
    ("lycee-agricole", Filiere::Agricultural, "Lycée agricole"),
    ("superieur", Filiere::Superieur, "Université"),
];

impl SearchForm {
    fn read(request: &Request) -> Self {
        let mut asked = Self {
            q: parameter(request, "q").chars().take(Q_MAX).collect(),
            niveau: parameter(request, "niveau"),
            voie: parameter(request, "voie"),
            region: parameter(request, "region"),
            subject: parameter(request, "type"),
        };
        // What is no facet does not choose: an address that was typed wrong still finds something.
        if level_of_slug(&asked.niveau).is_none() {
            asked.niveau.clear();
        }
        if !VOIES.iter().any(|(name, ..)| *name == asked.voie) {
            asked.voie.clear();
        }
        if territory::region(&asked.region).is_none() {
            asked.region.clear();
        }
        asked
    }

    fn facets(&self) -> Vec<String> {
        let level = level_of_slug(&self.niveau).map(|level| mark::level(level.slug));
        let voie = VOIES.iter().find(|(name, ..)| *name == self.voie).map(|(_, filiere, _)| mark::filiere(*filiere));
        let region = territory::region(&self.region).map(|region| mark::region(region.code));
        [level, voie, region].into_iter().flatten().collect()
    }

    fn subject(&self) -> Option<Subject> {
        match self.subject.as_str() {
            "certification" => Some(Subject::Certification),
            "etablissement" => Some(Subject::Etablissement),
            _ => None,
        }
    }

    fn address(&self, page: usize) -> String {
        let pairs = [
            ("q", &self.q),
            ("niveau", &self.niveau),
            ("voie", &self.voie),
            ("region", &self.region),
            ("type", &self.subject),
        ];
        let mut query: Vec<String> = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        if page > 1 {
            query.push(format!("page={page}"));
        }
        if query.is_empty() { "/recherche".into() } else { format!("/recherche?{}", query.join("&")) }
    }

    /// The facets beside a query, as choices of a form.
    fn form(&self) -> Markup {
        let option =
            |value: &str, name: &str, chosen: &str| html! { option value=(value) selected[value == chosen] { (name) } };
        html! {
            form.facets action="/recherche" method="get" {
                input type="hidden" name="q" value=(self.q);
                div {
                    label.fr-label for="niveau" { "Niveau" }
                    select.fr-select #niveau name="niveau" {
                        (option("", "Tous", &self.niveau))
                        @for level in &LEVELS { (option(level.slug, level.name, &self.niveau)) }
                    }
                }
                div {
                    label.fr-label for="voie" { "Voie" }
                    select.fr-select #voie name="voie" {
                        (option("", "Toutes", &self.voie))
                        @for (value, _, name) in VOIES { (option(value, name, &self.voie)) }
                    }
                }
                div {
                    label.fr-label for="region" { "Région" }
                    select.fr-select #region name="region" {
                        (option("", "Toutes", &self.region))
                        @for region in &territory::REGIONS { (option(region.code, region.name, &self.region)) }
                    }
                }
                div {
                    label.fr-label for="type" { "Quoi" }
                    select.fr-select #type name="type" {
                        (option("", "Formations et établissements", &self.subject))
                        (option("certification", "Formations", &self.subject))
                        (option("etablissement", "Établissements", &self.subject))
                    }
                }
                button.fr-btn.fr-btn--secondary type="submit" { "Filtrer" }
            }
        }
    }
}

pub(super) async fn show<K: KeyValue>(data: &SiteData<'_, K>, request: &Request) -> Result<SiteAnswer, ApiError> {
    let asked = SearchForm::read(request);
    let facets = asked.facets();
    let number = parameter(request, "page").parse::<usize>().unwrap_or(1).clamp(1, PAGE_MAX);
    let nothing_asked = asked.q.trim().is_empty() && facets.is_empty();
    let demand = SearchDemand { q: &asked.q, subject: asked.subject(), facets: &facets };
    let found = match nothing_asked {
        true => store::finding::SearchResults::default(),
        false => data.reader.find(&demand, (number - 1) * PER_PAGE, PER_PAGE).await?,
    };
    let pages = found.total.div_ceil(PER_PAGE).clamp(1, PAGE_MAX);
    // The region that was chosen, or named, goes with the reader to the page of a certification.
    let named = terms(&asked.q).into_iter().filter(|term| matches!(term.kind, TermKind::Region | TermKind::Town));
    let named = named.flat_map(|term| term.marks).find_map(|m| REGIONS.iter().find(|r| mark::region(r.code) == m));
    let region = territory::region(&asked.region).or(named).map_or("", |region| region.code);
    // An old diploma and the one that replaced it may be called alike.
    let twins = |card: &SearchCard| {
        found.cards.iter().filter(|other| (&other.libelle, &other.diplome) == (&card.libelle, &card.diplome)).count()
            > 1
    };
    let status = if nothing_asked {
        "Écrivez ce que vous cherchez, ou choisissez un niveau, une voie ou une région.".to_owned()
    } else if found.total == 0 {
        format!("Rien ne correspond à «\u{a0}{}\u{a0}». Essayez un mot plus court, ou un seul mot.", asked.q)
    } else if found.approximate {
        "Rien ne correspond exactement. Voici ce qui s’en approche le plus.".to_owned()
    } else {
        let plural = if found.total > 1 { "s" } else { "" };
        format!("{} résultat{plural}", found.total)
    };
    let title = if asked.q.is_empty() { "Rechercher".to_owned() } else { format!("Recherche\u{a0}: {}", asked.q) };
    let title = if number > 1 { format!("{title} (page {number})") } else { title };
    let body = html! {
        (super::breadcrumb(&[], "Recherche"))
        h1 { "Rechercher" }
        (search_form(&asked.q, "Une formation, un métier, un lieu, un établissement"))
        p role="status" { (status) }
        ul.results { @for card in &found.cards { li { (result(card, region, twins(card))) } } }
        @if pages > 1 {
            nav.pages aria-label="Pages de résultats" {
                @if number > 1 { a.fr-link href=(asked.address(number - 1)) rel="prev" { "Page précédente" } }
                span { "Page " (number) " sur " (pages) }
                @if number < pages { a.fr-link href=(asked.address(number + 1)) rel="next" { "Page suivante" } }
            }
        }
        section { h2 { "Filtrer" } (asked.form()) }
    };
    let head = PageHead { title: &title, here: "/recherche", ..PageHead::default() };
    Ok(SiteAnswer::Page(200, page(data.deployment, &head, &body)))
}

/// A card as a link to its page.
fn result(card: &SearchCard, region: &str, twin: bool) -> Markup {
    let (path, mut details) = match card.subject {
        Subject::Certification => {
            let code = card.codes.iter().find(|c| c.code_kind != "MEFSTAT11").or(card.codes.first());
            let code = code.map_or("", |c| c.code.as_str());
            let within = if region.is_empty() { String::new() } else { format!("?region={region}#etablissements") };
            (format!("/certifications/{}{within}", path_code(code)), level_name(&card.diplome).to_owned())
        }
        Subject::Etablissement => {
            let region = territory::region(&card.region).map_or("", |r| r.name);
            (format!("/etablissements/{}", card.uai), format!("Établissement · {region}"))
        }
    };
    if twin && let Some(code) = card.codes.iter().find(|c| c.code_kind != "MEFSTAT11") {
        details += &format!(" · code {}", code.code);
    }
    html! {
        // The directory knows establishments without a name.
        a href=(path) { @if card.libelle.is_empty() { "Établissement " (card.uai) } @else { (readable(&card.libelle)) } }
        p.hint { (details) @if !card.has_data { " · pas encore de chiffres" } }
    }
}
