//! The exports of each generation, for people (`/etat/exports`) and machines (`/api/exports`): their names, rows, digests and
//! addresses.
//!
//! What a client can check of a file is told: how many rows it must have, and the digest of its rows, which was made when they
//! were published and can be made anew of the file alone. No count of a group is among it: rows are documents, as the
//! status tells them and every list does (`X-Total-Count`).

use crate::fields::text;
use crate::template::{Deployment, PageHead, page, table};
use api::{Request, Runtime, links};
use domain::date;
use maud::{Markup, html};
use serde_json::{Value, json};
use store::kv::KeyValue;
use store::{Reader, StoreError};

/// Rows of an export in one answer, at most.
const ROWS_MAX: usize = 1_000_000;

/// The exports of the generation in use and of the one before; addresses are those of the first.
pub(crate) async fn read<M: Runtime>(runtime: &M, request: &Request) -> Result<Value, StoreError> {
    let reader = api::open(runtime, runtime.monotonic_ms()).await?;
    let base = links::base(runtime, request).await;
    let mut generations = vec![generation(&reader, Some(&base)).await?];
    if let Some(previous) = reader.previous() {
        // What can no longer be read of it is no reason to keep quiet about the other.
        generations.extend(generation(&previous, None).await.ok());
    }
    Ok(json!({"generations": generations}))
}

async fn generation<K: KeyValue>(reader: &Reader<K>, base: Option<&str>) -> Result<Value, StoreError> {
    let record = reader.public_record().await?.unwrap_or_default();
    let mut exports = Vec::new();
    for (name, digest) in &record.exports {
        let rows = reader.plan(name).await?.total;
        let maille = name.strip_prefix("maille.").unwrap_or(name);
        let years: Vec<&str> =
            record.documents.get(maille).into_iter().flatten().map(|(year, _)| year.as_str()).collect();
        let mut export = json!({
            "nom": name, "lignes": rows, "pages": rows.div_ceil(ROWS_MAX).max(1), "millesimes": years, "empreinte": digest,
        });
        if let (Some(base), Some(export)) = (base, export.as_object_mut()) {
            let folder = if maille == name { "" } else { "mailles/" };
            let years = if years.is_empty() { String::new() } else { format!("&millesimes={}", years.join(",")) };
            let url = format!("{base}api/inserjeunes/{folder}{maille}.csv?items_par_page={ROWS_MAX}{years}");
            export.insert("url".to_owned(), url.into());
        }
        exports.push(export);
    }
    Ok(json!({
        "generation": reader.pointer().generation, "import_ouvert_le": date::write_iso(record.opened_ms),
        "en_service": base.is_some(), "exports": exports,
    }))
}

/// The page.
pub(crate) fn show(deployment: &Deployment, exports: &Value) -> Markup {
    let list = |value: &Value, field: &str| value.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let headers = ["Export", "Lignes", "Millésimes", "Empreinte", "Adresse"];
    let body = html! {
        h1 { "Les exports, génération par génération" }
        p {
            "Un export entier est un fichier CSV\u{a0}: séparateur point-virgule, une ligne de titres, puis autant de lignes qu’il est dit ici. "
            "Il demande une clé. L’empreinte porte sur ses lignes, dans n’importe quel ordre et sans les titres\u{a0}; elle se refait à partir du fichier seul ("
            a href="/api/doc" { "documentation" } "). Un fichier filtré, ou demandé avec des options, a les mêmes lignes sous une autre forme\u{a0}: "
            "son empreinte est une autre, son nombre de lignes est dans l’en-tête " code { "X-Total-Count" } "."
        }
        @for generation in list(exports, "generations") {
            @let name = text(&generation, "generation");
            @let here = generation.get("en_service") == Some(&Value::Bool(true));
            h2 { "Génération " (name) (if here { " (en service)" } else { " (précédente)" }) }
            @let rows = html! {
                @for export in list(&generation, "exports") {
                    tr {
                        th scope="row" { (text(&export, "nom")) ".csv" }
                        td { (export.get("lignes").and_then(Value::as_u64).unwrap_or_default()) }
                        td { (list(&export, "millesimes").iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")) }
                        td { code { (text(&export, "empreinte")) } }
                        td { code { (text(&export, "url")) } }
                    }
                }
            };
            (table(&format!("Exports de la génération {name}"), "Exports entiers", &headers, &rows))
        }
        p { "Les mêmes informations en JSON\u{a0}: " a href="/api/exports" { code { "/api/exports" } } "." }
    };
    let head = PageHead { title: "Les exports", here: "/api/doc", ..PageHead::default() };
    page(deployment, &head, &body)
}
