//! The frame of every page, in the State's design system: header, ways through the site, footer.

use api::{Request, Response, Runtime, links};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What a page may load: its own origin, nothing else. Bars have their widths, and the API's documentation its styles, in
/// place.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What the operator says of the site (variables of the application).
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    /// The address that clients see, without a slash at its end.
    pub address: Option<String>,
    /// The lines of the State's mark, with `|` between two.
    pub ministry: String,
}

impl Deployment {
    /// Reads it; what is not told, or cannot be read, has a default.
    pub async fn read<M: Runtime>(runtime: &M) -> Self {
        let ministry = runtime.variable("site_ministere").await.unwrap_or_default();
        let ministry = if ministry.is_empty() { "Ministère|de l’Éducation|nationale".to_owned() } else { ministry };
        Self { address: links::public_address(runtime).await, ministry }
    }
}

/// What is said of a page in its head.
#[derive(Clone, Debug, Default)]
pub struct PageHead<'a> {
    /// Its title.
    pub title: &'a str,
    /// A sentence for those who find it elsewhere.
    pub description: &'a str,
    /// The entry of the navigation that it belongs to.
    pub here: &'a str,
    /// Its one address, from the root; empty where search engines leave it out.
    pub canonical: &'a str,
    /// What else its head holds.
    pub more: Markup,
}

const ENTRIES: [(&str, &str); 5] = [
    ("/", "Accueil"),
    ("/recherche", "Rechercher"),
    ("/comparer", "Comparer"),
    ("/methode", "Comprendre les chiffres"),
    ("/api/doc", "API et données"),
];

/// Pages for those who take the data home, below the others.
const DATA_ENTRIES: [(&str, &str); 7] = [
    ("/api/doc", "Documentation de l’API"),
    ("/api/doc/reference", "Référence de l’API"),
    ("/api/doc/appariement", "Apparier un catalogue"),
    ("/api/doc/erreurs", "Erreurs de l’API"),
    ("/api/doc/cle", "Ma clé"),
    ("/etat", "État du service"),
    ("/etat/changements", "Journal des données"),
];

/// Pages that every site of the State has.
pub(crate) const LEGAL_ENTRIES: [(&str, &str); 5] = [
    ("/plan-du-site", "Plan du site"),
    ("/accessibilite", "Accessibilité\u{a0}: non conforme"),
    ("/mentions-legales", "Mentions légales"),
    ("/donnees-personnelles", "Données personnelles"),
    ("/contact", "Contact"),
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
#[must_use]
pub fn table(label: &str, caption: &str, headers: &[&str], rows: &Markup) -> Markup {
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

/// A whole page.
#[must_use]
pub fn page(deployment: &Deployment, head: &PageHead<'_>, body: &Markup) -> Markup {
    let address = deployment.address.as_deref();
    html! {
        (DOCTYPE)
        html lang="fr" data-address=[address.map(|address| format!("{address}/"))] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (head.title) " – Que deviennent les jeunes\u{a0}?" }
                @if !head.description.is_empty() { meta name="description" content=(head.description); }
                @match (head.canonical, address) {
                    ("", _) => { meta name="robots" content="noindex"; }
                    (path, Some(address)) => { link rel="canonical" href=(format!("{address}{path}")); }
                    (path, None) => { link rel="canonical" href=(path); }
                }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/static/dsfr.css";
                link rel="stylesheet" href="/static/style.css";
                (head.more)
            }
            body {
                div.fr-skiplinks {
                    nav.fr-container aria-label="Accès rapide" {
                        ul.fr-skiplinks__list {
                            li { a.fr-link href="#content" { "Contenu" } }
                            li { a.fr-link href="#menu" { "Menu" } }
                            li { a.fr-link href="#footer" { "Pied de page" } }
                        }
                    }
                }
                header.fr-header {
                    div.fr-header__body {
                        div.fr-container {
                            div.fr-header__body-row {
                                div.fr-header__brand {
                                    div.fr-header__brand-top {
                                        div.fr-header__logo {
                                            p.fr-logo {
                                                @for (rank, line) in deployment.ministry.split('|').enumerate() {
                                                    @if rank > 0 { br; }
                                                    (line)
                                                }
                                            }
                                        }
                                    }
                                    div.fr-header__service {
                                        a href="/" title="Accueil – Que deviennent les jeunes ?" {
                                            p.fr-header__service-title { "Que deviennent les jeunes\u{a0}?" }
                                        }
                                        p.fr-header__service-tagline { "Emploi et poursuite d’études après une formation" }
                                    }
                                }
                            }
                        }
                    }
                    nav #menu .menu aria-label="Menu principal" {
                        ul.fr-container {
                            @for (path, name) in ENTRIES {
                                li { a href=(path) aria-current=[(path == head.here).then_some("page")] { (name) } }
                            }
                        }
                    }
                }
                main #content .fr-container tabindex="-1" { (body) }
                footer #footer .fr-footer {
                    div.fr-container {
                        div.fr-footer__body {
                            div.fr-footer__brand {
                                p.fr-logo {
                                    @for (rank, line) in deployment.ministry.split('|').enumerate() {
                                        @if rank > 0 { br; }
                                        (line)
                                    }
                                }
                            }
                            div.fr-footer__content {
                                p.fr-footer__content-desc {
                                    "Sources\u{a0}: InserJeunes (DEPP et DARES) et InserSup (SIES). Les effectifs et les taux d’un groupe de moins de 20 jeunes sont masqués, sauf son effectif total\u{a0}; "
                                    a href="/etat" { "ce que montre le réglage en vigueur" } "."
                                }
                                ul.fr-footer__content-list {
                                    @for (path, name) in DATA_ENTRIES {
                                        li.fr-footer__content-item { a.fr-footer__content-link href=(path) { (name) } }
                                    }
                                }
                            }
                        }
                        div.fr-footer__bottom {
                            ul.fr-footer__bottom-list {
                                @for (path, name) in LEGAL_ENTRIES {
                                    li.fr-footer__bottom-item { a.fr-footer__bottom-link href=(path) { (name) } }
                                }
                            }
                            div.fr-footer__bottom-copy {
                                p { "Les textes et les données de ce site sont sous licence ouverte 2.0, sauf mention contraire." }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The answer that shows a page. Its links, written from the root, leave as those from where the page lies: the service
/// does not know under which path its gateway shows it.
#[must_use]
pub fn show(request: &Request, status: u16, page: Markup) -> Response {
    let root = links::way_to_root(&request.path);
    let mut page = page.into_string();
    for attribute in ["href", "src", "action"] {
        page = page.replace(&format!(" {attribute}=\"/"), &format!(" {attribute}=\"{root}"));
    }
    Response::new(status, "text/html; charset=utf-8", page.into_bytes())
        .with("content-security-policy", POLICY)
        .with("referrer-policy", "same-origin")
}
