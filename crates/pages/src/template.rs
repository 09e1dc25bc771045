//! The frame of every page.

use api::{Request, Response, links};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What a page may load: its own origin, nothing else. The API's documentation sets styles in place.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const ENTRIES: [(&str, &str); 6] = [
    ("/", "Explorateur"),
    ("/api/doc/appariement", "Apparier un catalogue"),
    ("/api/doc", "Documentation"),
    ("/api/doc/erreurs", "Erreurs"),
    ("/api/doc/cle", "Ma clé"),
    ("/etat", "État du service"),
];

/// A file of this crate that is HTML already.
pub(crate) fn fragment(html: &'static str) -> Markup {
    PreEscaped(html.to_owned())
}

/// A script of this crate.
pub(crate) fn script(name: &str) -> Markup {
    html! { script type="module" src=(format!("/static/{name}")) {} }
}

/// A table that scrolls by itself where it is too wide, and by keyboard.
pub(crate) fn table(label: &str, caption: &str, headers: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr { @for header in headers { th scope="col" { (header) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// A whole page: `here` is the path of its entry in the navigation, `head` what its head adds.
#[must_use]
pub fn page(title: &str, here: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="fr" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – Exposition des données InserJeunes et InserSup" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/static/style.css";
                (head)
            }
            body {
                a.skip-link href="#content" { "Aller au contenu" }
                header {
                    div.frame {
                        p.brand { a href="/" { "Exposition InserJeunes" } }
                        p.tagline { "Que deviennent les jeunes après une formation\u{a0}?" }
                    }
                    nav aria-label="Principale" {
                        ul.frame {
                            @for (path, name) in ENTRIES {
                                li { a href=(path) aria-current=[(path == here).then_some("page")] { (name) } }
                            }
                        }
                    }
                }
                main #content .frame tabindex="-1" { (body) }
                footer {
                    div.frame {
                        p {
                            "Sources\u{a0}: InserJeunes (DEPP et DARES) et InserSup (SIES). Les effectifs et les taux d’un groupe de moins de 20 jeunes sont masqués, sauf son effectif total\u{a0}; "
                            a href="/etat" { "ce que montre le réglage en vigueur" } "."
                        }
                    }
                }
            }
        }
    }
}

/// The answer that shows a page. Its links, written from the root, leave as those from where the page lies: the service
/// does not know under which path its gateway shows it. What the page writes out whole begins with `address`, where that
/// is told.
#[must_use]
pub fn show(request: &Request, status: u16, page: Markup, address: Option<&str>) -> Response {
    let root = links::way_to_root(&request.path);
    let mut page = page.into_string();
    for attribute in ["href", "src", "action"] {
        page = page.replace(&format!(" {attribute}=\"/"), &format!(" {attribute}=\"{root}"));
    }
    if let Some(address) = address {
        // An address that is taken holds no character that HTML escapes: see `links::public_address`.
        page = page.replacen("<html ", &["<html data-address=\"", address, "/\" "].concat(), 1);
    }
    Response::new(status, "text/html; charset=utf-8", page.into_bytes())
        .with("content-security-policy", POLICY)
        .with("referrer-policy", "same-origin")
}
