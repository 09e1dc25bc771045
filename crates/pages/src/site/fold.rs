//! What those who take the data home need, folded below the answer: addresses, snippets, pictures to embed.

use maud::{Markup, html};

/// Stands for the address of the service where the operator does not tell it; a script fills it in.
const ROOT: &str = "{adresse du service}/";

fn block(title: &str, text: &str) -> Markup {
    html! {
        h3 { (title) }
        pre tabindex="0" role="region" aria-label=(title) { code data-copy { (text) } }
    }
}

/// Calls of a path of the API, from the root.
pub(super) fn developers(address: Option<&str>, codes: &[String], calls: &[(&str, String)]) -> Markup {
    let root = address.map_or_else(|| ROOT.to_owned(), |address| format!("{address}/"));
    let Some((_, first)) = calls.first() else { return Markup::default() };
    html! {
        details.fold {
            summary { "Pour les développeurs\u{a0}: codes, appels, extraits" }
            @if !codes.is_empty() { p { "Codes dans les nomenclatures\u{a0}: " @for (rank, code) in codes.iter().enumerate() { @if rank > 0 { ", " } code { (code) } } "." } }
            ul {
                @for (name, path) in calls {
                    li { a.fr-link href=(format!("/{path}")) { (name) } " " code { (path) } }
                }
            }
            (block("curl", &format!("curl '{root}{first}'")))
            (block("JavaScript", &format!("const reponse = await fetch(\"{root}{first}\");\nconst indicateurs = await reponse.json();")))
            (block("Python", &format!("import json, urllib.request\nwith urllib.request.urlopen(\"{root}{first}\") as reponse:\n    indicateurs = json.load(reponse)")))
            p { a.fr-link href="/api/doc" { "Documentation de l’API" } }
        }
    }
}

/// How others show a picture of these figures: `path` is that of the document, `title` names it.
pub(super) fn embed(address: Option<&str>, path: &str, title: &str) -> Markup {
    let root = address.map_or_else(|| ROOT.to_owned(), |address| format!("{address}/"));
    let image = path.replacen("api/inserjeunes/", "api/images/", 1);
    let alt = format!("Que deviennent les jeunes après cette formation\u{a0}? {title}");
    // As wide as its page lets it be; in rem, so that it grows where visitors enlarge their text.
    let img = |root: &str| {
        format!(
            "<img src=\"{root}{image}.svg?imageOnError=true\" alt=\"{alt}\" width=\"320\" loading=\"lazy\" \
             style=\"width:20rem;max-width:100%;height:auto\">"
        )
    };
    let dark = format!(
        "<picture>\n  <source media=\"(prefers-color-scheme: dark)\" srcset=\"{root}{image}.svg?fond=sombre&amp;imageOnError=true\">\n  {}\n</picture>",
        img(&root)
    );
    html! {
        details.fold #integrer {
            summary { "Montrer ces chiffres sur un autre site, dans un courriel ou un document" }
            p { "Copiez ce code dans votre page\u{a0}: l’image se met à jour d’elle-même." }
            img.picture src=(format!("/{image}.svg?imageOnError=true")) alt=(alt) loading="lazy";
            (block("Code à intégrer", &img(&root)))
            (block("Si votre page a un mode sombre", &dark))
            p {
                "Un courriel ou un traitement de texte demande un PNG\u{a0}: "
                a.fr-link href=(format!("/{image}.png?imageOnError=true")) download { "Télécharger en PNG" }
            }
        }
    }
}
