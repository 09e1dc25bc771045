//! The public site: pages that a pupil, a parent and a head of school read, whole without scripts, at addresses that last.
//!
//! | path | page |
//! | --- | --- |
//! | `/` | where to begin, for those who accept HTML; programs get the recorded 404 |
//! | `/recherche` | certifications and establishments by everyday words |
//! | `/certifications/{cfd or SISE:…}` | a certification: each voie beside the others, years, regions, establishments |
//! | `/certifications/{…}.csv` | its figures in France and each region, for a spreadsheet |
//! | `/etablissements/{uai}` | what an establishment teaches |
//! | `/etablissements/{uai}/{code}` | a course: beside its region and France, years, how to embed it |
//! | `/comparer` | up to four of these side by side |
//! | `/methode`, `/mentions-legales`, … | texts |
//! | `/robots.txt`, `/sitemap.xml`, `/sitemaps/{n}` | for search engines |
//!
//! It shows what the read API publishes, document by document: it sums nothing itself.

mod certification;
mod compare;
mod data;
mod etablissement;
mod figures;
mod fold;
mod home;
mod results;
mod sitemap;
mod texts;

use crate::template::{self, Deployment, PageHead, page};
use api::error::ApiError;
use api::{AGE, Request, Response, Runtime, links, read_body, read_segment, routes};
use data::SiteData;
use maud::{Markup, html};
use store::kv::KeyValue;
use store::{Reader, StoreError};

/// What a path leads to.
enum SiteAnswer {
    /// A page, with its status.
    Page(u16, Markup),
    /// The one address of what was asked for, from the root.
    Moved(String),
    /// Something for machines: its type and text.
    Text(&'static str, String),
}

/// Answers the pages of the site.
pub async fn respond<M: Runtime>(runtime: &M, request: Request) -> Response {
    let deployment = Deployment::read(runtime).await;
    let response = match handle(runtime, &request, &deployment).await {
        Ok(response) => response,
        // The data cannot be read: people are told so on a page, and what to do.
        Err(ApiError::Unavailable) => template::show(&request, 503, unavailable(&deployment))
            .with("retry-after", "5")
            .with("cache-control", "no-store"),
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

async fn handle<M: Runtime>(runtime: &M, request: &Request, deployment: &Deployment) -> Result<Response, ApiError> {
    read_body(request)?;
    let segments = request.segments();
    if segments.is_empty() {
        // The former service has no page at `/`: programs still get its 404, people the site.
        let person = request.header("accept").is_some_and(|a| a.to_ascii_lowercase().contains("text/html"));
        if !person {
            return Err(ApiError::UnknownRoute);
        }
    }
    if segments.iter().any(|segment| segment.is_empty()) {
        return Err(ApiError::UnknownRoute);
    }
    let text = match segments.as_slice() {
        [] => Some(home::show(deployment)),
        ["robots.txt"] => {
            let text = sitemap::robots(deployment);
            return finish(runtime, request, SiteAnswer::Text("text/plain; charset=utf-8", text));
        }
        [name] => texts::show(runtime, deployment, name).await,
        _ => None,
    };
    if let Some(markup) = text {
        let response = finish(runtime, request, SiteAnswer::Page(200, markup))?;
        return Ok(if segments.is_empty() { response.with("vary", "Accept") } else { response });
    }
    if !matches!(
        segments.as_slice(),
        ["recherche" | "comparer" | "sitemap.xml"]
            | ["certifications" | "etablissements" | "sitemaps", _]
            | ["etablissements", _, _]
    ) {
        return Err(ApiError::UnknownRoute);
    }
    if !matches!(request.method.as_ref(), "GET" | "HEAD") {
        return finish(runtime, request, SiteAnswer::Text("text/plain", String::new()));
    }
    let reader = match Reader::open(runtime.kv(), runtime.cache(), runtime.monotonic_ms()).await {
        Err(StoreError::Empty) => {
            return Ok(template::show(request, 503, empty(deployment)).with("cache-control", "no-store"));
        }
        reader => reader?,
    };
    let now = runtime.now_ms();
    let fallback = reader.clone().previous();
    let answer = match (serve(SiteData { reader: &reader, now, deployment }, request, &segments).await, fallback) {
        // A missing or damaged value is a fault: the whole page starts again, one generation back.
        (Err(ApiError::Unavailable), Some(previous)) => {
            serve(SiteData { reader: &previous, now, deployment }, request, &segments).await
        }
        (answer, _) => answer,
    }?;
    finish(runtime, request, answer)
}

async fn serve<K: KeyValue>(
    data: SiteData<'_, K>,
    request: &Request,
    segments: &[&str],
) -> Result<SiteAnswer, ApiError> {
    match segments {
        ["recherche"] => results::show(&data, request).await,
        ["comparer"] => compare::show(&data, request).await,
        ["certifications", code] => certification::show(&data, request, &read_segment(code)?).await,
        ["etablissements", uai] => etablissement::show(&data, request, &read_segment(uai)?).await,
        ["etablissements", uai, code] => etablissement::course(&data, &read_segment(uai)?, &read_segment(code)?).await,
        ["sitemap.xml"] => sitemap::index(&data).await,
        ["sitemaps", n] => sitemap::part(&data, n).await,
        _ => Err(ApiError::UnknownRoute),
    }
}

fn finish<M: Runtime>(_: &M, request: &Request, answer: SiteAnswer) -> Result<Response, ApiError> {
    match request.method.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(routes::options(routes::READING)),
        _ => return Err(ApiError::UnknownRoute),
    }
    Ok(match answer {
        SiteAnswer::Page(200, markup) => {
            template::show(request, 200, markup).with("cache-control", AGE).with_etag(request)
        }
        SiteAnswer::Page(status, markup) => {
            template::show(request, status, markup).with("cache-control", "public, max-age=60").compress(request)
        }
        SiteAnswer::Moved(path) => {
            let location = links::way_to_root(&request.path) + path.trim_start_matches('/');
            Response::new(308, "text/plain", Vec::new()).with("location", location).with("cache-control", AGE)
        }
        SiteAnswer::Text(content_type, text) => {
            Response::new(200, content_type, text.into_bytes()).with("cache-control", AGE).with_etag(request)
        }
    })
}

/// The value of one parameter; the last one where it is repeated.
fn parameter(request: &Request, name: &str) -> String {
    request.values_of(name).last().unwrap_or_default()
}

/// Where a page lies in the site.
fn breadcrumb(steps: &[(&str, &str)], here: &str) -> Markup {
    html! {
        nav.fr-breadcrumb aria-label="vous êtes ici :" {
            ol.fr-breadcrumb__list {
                li { a.fr-breadcrumb__link href="/" { "Accueil" } }
                @for (path, name) in steps { li { a.fr-breadcrumb__link href=(path) { (name) } } }
                li { a.fr-breadcrumb__link aria-current="page" { (here) } }
            }
        }
    }
}

/// The field that every page searches by.
fn search_form(q: &str, label: &str) -> Markup {
    html! {
        form.search-form role="search" action="/recherche" method="get" {
            label.fr-label for="q" {
                (label)
                span.fr-hint-text { "Par exemple\u{a0}: bac pro commerce, cap cuisine Lyon, lycée Jean Moulin" }
            }
            div.search-line {
                input.fr-input #q name="q" type="search" value=(q) maxlength="200" autocomplete="off";
                button.fr-btn type="submit" { "Rechercher" }
            }
        }
    }
}

/// Nothing is at an address: why, and a way on.
fn absent(deployment: &Deployment, title: &str, why: &str, q: &str) -> SiteAnswer {
    let body = html! {
        (breadcrumb(&[], title))
        h1 { (title) }
        p { (why) }
        (search_form(q, "Chercher une formation ou un établissement"))
        p { a.fr-link href="/methode#seuil" { "Pourquoi certains chiffres manquent" } }
    };
    SiteAnswer::Page(404, page(deployment, &PageHead { title, ..PageHead::default() }, &body))
}

fn unavailable(deployment: &Deployment) -> Markup {
    let body = html! {
        h1 { "Les données sont momentanément indisponibles" }
        p { "Le service ne peut pas lire ses données pour l’instant. Rechargez la page dans quelques secondes." }
        p { a.fr-link href="/etat" { "État du service" } }
    };
    page(deployment, &PageHead { title: "Service indisponible", ..PageHead::default() }, &body)
}

fn empty(deployment: &Deployment) -> Markup {
    let body = html! {
        h1 { "Rien n’est encore publié" }
        p { "Ce service vient d’être installé\u{a0}: ses chiffres arrivent avec le premier import." }
        p { a.fr-link href="/etat" { "État du service" } }
    };
    page(deployment, &PageHead { title: "Rien n’est encore publié", ..PageHead::default() }, &body)
}
