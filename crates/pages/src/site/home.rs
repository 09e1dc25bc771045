//! Where everyone begins.

use super::search_form;
use crate::template::{Deployment, PageHead, page, script};
use domain::level::LEVELS;
use domain::territory::REGIONS;
use maud::{Markup, html};

pub(super) fn show(deployment: &Deployment) -> Markup {
    let body = html! {
        h1 { "Que deviennent les jeunes après une formation\u{a0}?" }
        p.lead { "Études, emploi, autre situation\u{a0}: ce que font les lycéens professionnels, les apprentis et les étudiants six mois après, diplôme par diplôme, établissement par établissement." }
        (search_form("", "Une formation, un métier, un lieu, un établissement"))
        section {
            h2 { "Parcourir par niveau" }
            ul.tiles { @for level in &LEVELS {
                li { a.fr-link href=(format!("/recherche?niveau={}&type=certification", level.slug)) { (level.name) } }
            } }
        }
        section {
            h2 { "Parcourir par région" }
            ul.tiles { @for region in &REGIONS {
                li { a.fr-link href=(format!("/recherche?region={}&type=certification", region.code)) { (region.name) } }
            } }
        }
        section {
            h2 { "Vous êtes…" }
            ul {
                li { b { "élève ou parent" } "\u{a0}: cherchez un diplôme, voyez le lycée et l’apprentissage côte à côte, puis " a href="/comparer" { "comparez" } "." }
                li { b { "chef d’établissement" } "\u{a0}: cherchez votre établissement par son nom ou sa ville\u{a0}; sa page se partage et ses chiffres s’intègrent à votre site." }
                li { b { "journaliste, collectivité" } "\u{a0}: la page d’un diplôme donne le chiffre national, puis celui de chaque région, et les télécharge en tableur." }
                li { b { "développeur" } "\u{a0}: tout est aussi dans l’" a href="/api/doc" { "API" } "." }
            }
            p { a.fr-link href="/methode" { "Comment ces chiffres sont faits, et ce qu’ils ne disent pas" } }
        }
    };
    let head = PageHead {
        title: "Emploi et études après un CAP, un bac pro, un BTS",
        description: "Que deviennent les jeunes après une formation ? Emploi et poursuite d’études par diplôme, région et établissement : les chiffres publics InserJeunes et InserSup.",
        here: "/",
        canonical: "/",
        more: script("site.js"),
    };
    page(deployment, &head, &body)
}
