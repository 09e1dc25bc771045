//! The frame of every page.

use api::Reponse;

/// What a page may load: its own origin, nothing else. The API's documentation sets styles in place.
pub const POLITIQUE: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Text, ready for HTML.
#[must_use]
pub fn echapper(texte: &str) -> String {
    let mut sortie = String::with_capacity(texte.len());
    for c in texte.chars() {
        match c {
            '&' => sortie.push_str("&amp;"),
            '<' => sortie.push_str("&lt;"),
            '>' => sortie.push_str("&gt;"),
            '"' => sortie.push_str("&quot;"),
            c => sortie.push(c),
        }
    }
    sortie
}

const ENTREES: [(&str, &str); 4] = [
    ("/", "Explorateur"),
    ("/api/doc", "Documentation"),
    ("/api/doc/erreurs", "Erreurs"),
    ("/etat", "État du service"),
];

/// A whole page: `ici` is the path of its entry in the navigation, `tete` what its head adds.
#[must_use]
pub fn page(titre: &str, ici: &str, tete: &str, corps: &str) -> String {
    let navigation: String = ENTREES
        .iter()
        .map(|(chemin, nom)| {
            let courant = if *chemin == ici { " aria-current=\"page\"" } else { "" };
            format!("<li><a href=\"{chemin}\"{courant}>{nom}</a></li>")
        })
        .collect();
    let titre = echapper(titre);
    format!(
        "<!doctype html><html lang=\"fr\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
<title>{titre} – Exposition des données InserJeunes et InserSup</title>\
<link rel=\"icon\" href=\"data:,\"><link rel=\"stylesheet\" href=\"/static/style.css\">{tete}</head>\
<body><a class=\"evitement\" href=\"#contenu\">Aller au contenu</a>\
<header><div class=\"cadre\"><p class=\"marque\"><a href=\"/\">Exposition InserJeunes</a></p>\
<p class=\"slogan\">Que deviennent les jeunes après une formation&nbsp;?</p></div>\
<nav aria-label=\"Principale\"><ul class=\"cadre\">{navigation}</ul></nav></header>\
<main id=\"contenu\" class=\"cadre\" tabindex=\"-1\">{corps}</main>\
<footer><div class=\"cadre\"><p>Sources&nbsp;: InserJeunes (DEPP et DARES) et InserSup (SIES). Aucun chiffre n’est publié sur un groupe de moins de 20 jeunes.</p></div></footer>\
</body></html>"
    )
}

/// The answer that shows a page.
#[must_use]
pub fn html(statut: u16, page: String) -> Reponse {
    Reponse::nouvelle(statut, "text/html; charset=utf-8", page.into_bytes())
        .avec("content-security-policy", POLITIQUE)
        .avec("referrer-policy", "same-origin")
}
