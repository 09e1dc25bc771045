//! The frame of every page.

use api::{Request, Response, links};

/// What a page may load: its own origin, nothing else. The API's documentation sets styles in place.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Text, ready for HTML.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => output.push_str("&amp;"),
            '<' => output.push_str("&lt;"),
            '>' => output.push_str("&gt;"),
            '"' => output.push_str("&quot;"),
            c => output.push(c),
        }
    }
    output
}

const ENTRIES: [(&str, &str); 4] = [
    ("/", "Explorateur"),
    ("/api/doc", "Documentation"),
    ("/api/doc/erreurs", "Erreurs"),
    ("/etat", "État du service"),
];

/// A whole page: `here` is the path of its entry in the navigation, `head` what its head adds.
#[must_use]
pub fn page(title: &str, here: &str, head: &str, body: &str) -> String {
    let navigation: String = ENTRIES
        .iter()
        .map(|(path, name)| {
            let current = if *path == here { " aria-current=\"page\"" } else { "" };
            format!("<li><a href=\"{path}\"{current}>{name}</a></li>")
        })
        .collect();
    let title = escape(title);
    format!(
        "<!doctype html><html lang=\"fr\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
<title>{title} – Exposition des données InserJeunes et InserSup</title>\
<link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/static/style.css\">{head}</head>\
<body><a class=\"evitement\" href=\"#contenu\">Aller au contenu</a>\
<header><div class=\"cadre\"><p class=\"marque\"><a href=\"/\">Exposition InserJeunes</a></p>\
<p class=\"slogan\">Que deviennent les jeunes après une formation&nbsp;?</p></div>\
<nav aria-label=\"Principale\"><ul class=\"cadre\">{navigation}</ul></nav></header>\
<main id=\"contenu\" class=\"cadre\" tabindex=\"-1\">{body}</main>\
<footer><div class=\"cadre\"><p>Sources&nbsp;: InserJeunes (DEPP et DARES) et InserSup (SIES). Les effectifs et les taux d’un groupe de moins de 20 jeunes sont masqués, sauf son effectif total&nbsp;; <a href=\"/etat\">ce que montre le réglage en vigueur</a>.</p></div></footer>\
</body></html>"
    )
}

/// The answer that shows a page. Its links, written from the root, leave as those from where the page lies: the service
/// does not know under which path its gateway shows it. What the page writes out whole begins with `address`, where that
/// is told.
#[must_use]
pub fn html(request: &Request, status: u16, page: &str, address: Option<&str>) -> Response {
    let root = links::way_to_root(&request.path);
    let mut page = page.to_owned();
    for attribute in ["href", "src", "action"] {
        page = page.replace(&format!(" {attribute}=\"/"), &format!(" {attribute}=\"{root}"));
    }
    if let Some(address) = address {
        page = page.replacen("<html ", &format!("<html data-adresse=\"{}/\" ", escape(address)), 1);
    }
    Response::new(status, "text/html; charset=utf-8", page.into_bytes())
        .with("content-security-policy", POLICY)
        .with("referrer-policy", "same-origin")
}
