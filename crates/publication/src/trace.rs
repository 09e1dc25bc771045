//! Where a published document comes from: generation, push, file and line, and what was done to it.

use crate::manifest::Manifest;
use crate::origins::DocumentOrigin;
use crate::outlines::Outlines;
use crate::registry::Served;
use crate::steps::{read_source, standing};
use domain::{Document, Filiere, Kind, Millesime, PublishedDocument, Secrecy, indicator};
use serde::Serialize;
use serde_json::{Value, json};
use store::keys;
use store::kv::{KeyValue, StoreError};

/// A document that is looked for. Without a millesime or a filiere, all of them.
#[derive(Clone, Debug, Default)]
pub struct Traced<'a> {
    /// Its place: a UAI, a region; empty for the whole country.
    pub place: &'a str,
    /// Its code.
    pub code: &'a str,
    /// Its millesime, in either spelling.
    pub millesime: Option<&'a str>,
    /// Its filiere.
    pub filiere: Option<&'a str>,
}

/// Where one document comes from. It holds what is published, and of what is hidden nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Trace {
    /// The generation that serves it.
    pub generation: String,
    /// Its kind.
    #[serde(rename = "sorte")]
    pub kind: &'static str,
    /// Its millesime.
    pub millesime: String,
    /// Its filiere.
    pub filiere: String,
    /// The push, the file, the line; `None` where they are forgotten.
    #[serde(rename = "origine")]
    pub origin: Option<DocumentOrigin>,
    /// What was done to it, one after the other, with before and after where they are published.
    #[serde(rename = "etapes")]
    pub steps: Vec<Value>,
    /// The document whose figures it shows, where they are not its own.
    #[serde(rename = "original", skip_serializing_if = "Option::is_none")]
    pub original: Option<Value>,
    /// The document as it is published.
    #[serde(rename = "publie")]
    pub published: Document,
}

/// The documents of a key, and where they come from.
///
/// # Errors
/// Those of the store.
pub async fn trace<K: KeyValue>(kv: &K, traced: &Traced<'_>) -> Result<Vec<Trace>, StoreError> {
    let Some(Served { pointer, .. }) = Served::read(kv).await? else { return Ok(Vec::new()) };
    let manifest = Manifest::read(kv, pointer.shelf()?).await?;
    let kind = if traced.place.is_empty() {
        Kind::Certification
    } else if domain::Uai::parse(traced.place).is_some() {
        Kind::Formation
    } else if domain::territory::region(traced.place).is_some() {
        Kind::Regionale
    } else {
        Kind::Statistic
    };
    let mut traces = Vec::new();
    // What is withheld is said by the outline; where there is none, everything is.
    let (strict, secondary) = (manifest.rendering.contains("strict"), manifest.rendering.contains("secondaire"));
    let secrecy = if strict { Secrecy::Strict } else { Secrecy::Contract };
    let outlines = if secondary { Outlines::read(kv, &manifest).await? } else { None };
    let pair = keys::pair(traced.place, traced.code);
    for partition in
        kind.maille().and_then(|m| manifest.partition_of(m, &pair)).unwrap_or_else(|| manifest.partitions(&[kind]))
    {
        let read = manifest.sources().read(kv, pointer.shelf()?, partition).await?;
        let damaged = || StoreError::Damaged("source".into());
        let records: Vec<_> = read.records().map(read_source).collect::<Option<_>>().ok_or_else(damaged)?;
        let of_pair = records.into_iter().filter(|(found, _, _, other, _)| *found == kind && *other == pair);
        for (kind, _, own, _, json) in standing(of_pair).ok_or_else(damaged)? {
            let document: Document = serde_json::from_slice(json).map_err(|_| damaged())?;
            let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (millesime, filiere) = (text("millesime"), text("filiere"));
            let asked = |wanted: Option<&str>| {
                wanted.and_then(Millesime::parse).is_none_or(|wanted| wanted.is_written(&millesime))
            };
            if !asked(traced.millesime) || traced.filiere.is_some_and(|wanted| wanted != filiere) {
                continue;
            }
            let origin = manifest.origins.find(own);
            let maille = kind.maille().map_or("", domain::Maille::list);
            let key = [maille, traced.place, traced.code, millesime.as_str(), filiere.as_str()];
            let withheld = secondary && outlines.as_ref().is_none_or(|outlines| outlines.hides(key));
            let published = PublishedDocument::under(document, secrecy, withheld);
            traces.push(told(&pointer.generation, kind, origin, &published));
        }
    }
    Ok(traces)
}

fn told(generation: &str, kind: Kind, origin: Option<DocumentOrigin>, published: &PublishedDocument) -> Trace {
    let hidden = published.hides();
    let document = published.as_document();
    let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default();
    let within = |field: &str, name: &str| {
        document.get(field).and_then(|v| v.get(name)).and_then(Value::as_str).unwrap_or_default()
    };
    let (code, millesime, filiere) = (text("code_certification"), text("millesime"), text("filiere"));
    let mut steps = Vec::new();
    let mut original = None;
    let (source, given_by) = (within("donnee_source", "type"), within("donnee_source", "code_certification"));
    if matches!(source, "ancienne" | "nouvelle") {
        let whose = if source == "ancienne" { "plus ancien" } else { "plus récent" };
        steps.push(json!({"etape": "lignee", "champ": "donnee_source",
            "dit": format!("les chiffres sont ceux du diplôme {whose} {given_by}, de même lieu et de même millésime")}));
        original = Some(
            json!({"lieu": text("uai"), "code_certification": given_by, "millesime": millesime, "filiere": filiere}),
        );
    }
    if document.get("certificationsTerminales").is_some() && source.is_empty() {
        steps.push(json!({"etape": "annees_non_terminales", "champ": "certificationsTerminales",
            "dit": "une année non terminale n'a pas de chiffres : elle renvoie à ses années terminales"}));
    }
    let (uai_type, from) = (text("uai_type"), text("uai_donnee"));
    if !from.is_empty() && from != text("uai") {
        steps.push(json!({"etape": "roles", "champ": "uai_donnee",
            "dit": format!("l'établissement est {uai_type} : les chiffres sont ceux de {from}")}));
        original = Some(json!({"lieu": from, "code_certification": code, "millesime": millesime, "filiere": filiere}));
    }
    if !hidden {
        steps.extend(rates(document, Filiere::parse(filiere)));
    } else {
        steps.push(json!({"etape": "seuil", "dit": "le groupe compte moins de 20 jeunes, ou protège un tel groupe : effectifs et taux ne sont pas publiés"}));
    }
    Trace {
        generation: generation.to_owned(),
        kind: kind.name(),
        millesime: millesime.to_owned(),
        filiere: filiere.to_owned(),
        origin,
        steps,
        original,
        published: document.clone(),
    }
}

/// How the rates follow from the counts that are published beside them, and where they do not.
fn rates(document: &Document, filiere: Option<Filiere>) -> Vec<Value> {
    let number = |field: &str| document.get(field).and_then(Value::as_f64);
    let Some(size) = number(indicator::NB_ANNEE_TERM) else { return Vec::new() };
    let mut steps = Vec::new();
    let superior = filiere == Some(Filiere::Superieur);
    for field in indicator::RATES.into_iter().filter(|field| field.starts_with("taux_en_")) {
        let of = match field {
            "taux_en_formation" => "nb_poursuite_etudes".to_owned(),
            other => other.replacen("taux_", "nb_", 1),
        };
        let (Some(rate), Some(count)) = (number(field), number(&of)) else { continue };
        let Some(computed) = domain::rates::rate(count, size) else { continue };
        let (before, after) = (domain::rates::number(count), domain::rates::number(rate));
        let delivered = !superior && (field == "taux_en_formation" || field.ends_with("_6_mois"));
        #[expect(clippy::float_cmp, reason = "both are whole numbers")]
        let dit = if computed == rate {
            format!("{of} / nb_annee_term × 100, arrondi à l'entier")
        } else if delivered {
            format!("livré par la source ; {of} / nb_annee_term donnerait {computed}")
        } else {
            format!("livré ainsi ; {of} / nb_annee_term × 100 donnerait {computed}")
        };
        steps.push(json!({"etape": "taux", "champ": field, "avant": {of: before, "nb_annee_term": size}, "apres": after, "dit": dit}));
    }
    steps
}
