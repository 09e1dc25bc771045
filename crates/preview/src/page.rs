//! The start page of a preview, and the mark on all others.

use maud::{Markup, html};
use pages::fields::{by_filiere, number, text};
use pages::template::{Deployment, PageHead, page, table};
use serde_json::Value;

/// What stands above every page of a preview.
pub(crate) fn mark(generation: &str) -> Markup {
    html! {
        p.notice.warning role="status" {
            "Aperçu de la génération " strong { (generation) } ", qui n’est pas en service\u{a0}: ne pas diffuser. "
            "Elle attend une validation (" code { "scripts/import confirm" } ")."
        }
    }
}

const CHANGES: [&str; 8] = ["Maille", "Millésime", "Filière", "Ajoutés", "Retirés", "Changés", "Masqués", "Dévoilés"];
const LARGEST: [&str; 6] = ["Maille", "Lieu", "Certification", "Champ", "Avant", "Après"];
const COVERED: [&str; 8] =
    ["Maille", "Millésime", "Filière", "Documents", "Avec chiffres", "Masqués", "Certifications", "Lieux"];

/// What would change, what is covered, and where to look. `covered` is the table of the coverage, as CSV.
pub(crate) fn show(generation: &str, changes: Option<&Value>, covered: &str) -> Markup {
    let head = PageHead { title: "Aperçu d’une génération", ..PageHead::default() };
    let body = html! {
        h1 { "Aperçu de la génération " (generation) }
        p {
            "Toute l’API et tout le site, tels qu’ils seraient\u{a0}: "
            a href="/recherche" { "rechercher" } ", " a href="/comparer" { "comparer" } ", "
            a href="/etat" { "état" } ", " a href="/api/inserjeunes/certifications.csv" { "certifications.csv" } ", "
            a href="/api/inserjeunes/regionales.csv" { "regionales.csv" } ", "
            a href="/api/inserjeunes/formations.csv" { "formations.csv" } ". "
            "D’où vient un document\u{a0}: " code { "trace.json?code=CODE&lieu=UAI" } "."
        }
        h2 { "Ce qui changerait" }
        @match changes {
            None => p { "Aucune génération n’est en service\u{a0}: tout serait nouveau." },
            Some(changes) => {
                p {
                    "Par rapport à la génération " (text(changes, "avant")) ". Rien de masqué n’y figure. "
                    a href="/differences.csv" { "Toutes les lignes, en CSV" }
                }
                (tallies(changes))
                (largest(changes))
            }
        }
        h2 { "Ce qui serait couvert" }
        p { a href="/couverture.csv" { "Par région et type de diplôme aussi, en CSV" } }
        (coverage(covered))
    };
    page(&Deployment::default(), &head, &body)
}

fn tallies(changes: &Value) -> Markup {
    let rows = html! {
        @for (maille, millesime, filiere, tally) in by_filiere(changes.get("par_maille")) {
            tr {
                th scope="row" { (maille) }
                td { (millesime.replace('_', "-")) }
                td { (filiere) }
                @for field in ["ajoutes", "retires", "changes", "masques", "devoiles"] { td { (number(tally, field)) } }
            }
        }
    };
    table("Changements", "Documents, par maille, millésime et filière", &CHANGES, &rows)
}

fn largest(changes: &Value) -> Markup {
    let changes = changes.get("plus_grandes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if changes.is_empty() {
        return Markup::default();
    }
    let rows = html! {
        @for change in changes {
            @let (place, code) = (text(change, "lieu"), text(change, "code_certification"));
            tr {
                th scope="row" { (text(change, "maille")) " " (text(change, "millesime").replace('_', "-")) }
                td { (place) }
                td {
                    @if text(change, "maille") == "formations" {
                        a href=(format!("/etablissements/{place}/{code}")) { (code) }
                    } @else {
                        a href=(format!("/certifications/{code}")) { (code) }
                    }
                }
                td { (text(change, "champ")) }
                @for field in ["avant", "apres"] { td { (number(change, field)) } }
            }
        }
    };
    table("Plus grands écarts", "Les plus grands écarts d’un taux publié", &LARGEST, &rows)
}

/// The rows of the whole, without regions and types of diploma.
fn coverage(covered: &str) -> Markup {
    let rows = html! {
        @for row in covered.lines().skip(1) {
            @let cells: Vec<&str> = row.split(';').collect();
            @if let [maille, millesime, filiere, "ensemble", _, numbers @ ..] = cells.as_slice() {
                tr {
                    th scope="row" { (maille) }
                    td { (millesime.replace('_', "-")) }
                    td { (filiere) }
                    @for number in numbers { td { (number) } }
                }
            }
        }
    };
    table("Couverture", "Documents, par maille, millésime et filière", &COVERED, &rows)
}
