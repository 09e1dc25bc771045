//! What changed from one generation to the next, for those who follow: as JSON since the generation that they have, as a list of
//! moves, as an Atom feed, as a page.
//!
//! It is made of what a publication wrote beside the generations: keys of documents and counts, no figure of any document.

use crate::calendar;
use crate::template::{self, Deployment, PageHead, page, table};
use api::error::ApiError;
use api::{AGE, Request, Response, Runtime, links};
use domain::date;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use store::changes::{Change, ChangeCounts, ChangeJournal, ChangeSum, Switch};
use store::codec;
use store::kv::KeyValue;
use store::{Reader, StoreError};

/// How the feed is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangesForm {
    Json,
    Atom,
    Page,
}

/// Answers a form of the feed.
pub(crate) async fn respond<M: Runtime>(
    runtime: &M,
    request: &Request,
    form: ChangesForm,
) -> Result<Response, ApiError> {
    let since = since(request, form)?;
    let (generation, journal, sum) = match api::open(runtime, runtime.monotonic_ms()).await {
        Ok(reader) => {
            let journal = reader.journal().await?;
            let sum = match &since {
                Some(since) => Some(sum(&reader, &journal, since).await?),
                None => None,
            };
            (reader.pointer().generation.clone(), journal, sum)
        }
        // Nothing is published yet: nothing changed.
        Err(StoreError::Empty) if since.is_none() => (String::new(), ChangeJournal::default(), None),
        Err(fault) => return Err(fault.into()),
    };
    let response = match (form, sum, since) {
        (ChangesForm::Json, Some(sum), Some(since)) => {
            let at = journal.0.last().map(|last| date::write_iso(last.at_ms));
            Response::json(200, &sum_to_json(sum, &since, &generation, at.as_deref()))
        }
        (ChangesForm::Json, ..) => {
            let moves: Vec<Value> = journal.0.iter().rev().map(to_json).collect();
            let generation = Some(generation).filter(|generation| !generation.is_empty());
            Response::json(200, &json!({"generation": generation, "bascules": moves}))
        }
        (ChangesForm::Atom, ..) => {
            let address = links::public_address(runtime).await;
            let root = address.unwrap_or_else(|| links::way_to_root(&request.path).trim_end_matches('/').to_owned());
            Response::new(200, "application/atom+xml; charset=utf-8", atom(&journal, &root).into_bytes())
        }
        (ChangesForm::Page, ..) => {
            let calendar = calendar::read(runtime).await?;
            let deployment = Deployment::read(runtime).await;
            template::show(request, 200, show(&deployment, &journal, &calendar::show(&calendar)))
        }
    };
    Ok(response.with("cache-control", AGE).with_etag(request))
}

/// The generation that a client has, where it says so.
fn since(request: &Request, form: ChangesForm) -> Result<Option<String>, ApiError> {
    let mut since = None;
    for (name, values) in request.parameters()? {
        let fault = |text: String| {
            let value = values.first().cloned().unwrap_or_default();
            ApiError::Validation(
                vec![json!({
                    "message": text, "path": [name], "type": "any.invalid", "context": {"label": name, "value": value, "key": name},
                })],
                Box::default(),
            )
        };
        let [value] = values.as_slice() else { return Err(fault(format!("\"{name}\" must be a string"))) };
        if name != "depuis" || form != ChangesForm::Json {
            return Err(fault(format!("\"{name}\" is not allowed")));
        }
        if number(value).is_none() {
            return Err(fault(format!("\"{name}\" must be the name of a generation, as g41")));
        }
        since = Some(value.clone());
    }
    Ok(since)
}

/// The number of a generation, by which the later of two is known.
fn number(generation: &str) -> Option<u64> {
    let digits = generation.strip_prefix('g')?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

async fn sum<K: KeyValue>(reader: &Reader<K>, journal: &ChangeJournal, since: &str) -> Result<ChangeSum, ApiError> {
    let served = &reader.pointer().generation;
    if since == served {
        return Ok(ChangeSum::default());
    }
    match journal.since(since) {
        Some(moves) => Ok(reader.changes(moves).await?),
        // One that never was, or is still to come, is no older one that was forgotten.
        None => Err(ApiError::Generation(if number(since) > number(served) { 404 } else { 410 })),
    }
}

/// The route under which documents of a maille lie, behind `/api/inserjeunes/`.
fn route(maille: &str) -> String {
    if is_of_the_contract(maille) { maille.to_owned() } else { format!("mailles/{maille}") }
}

fn is_of_the_contract(maille: &str) -> bool {
    matches!(maille, "certifications" | "regionales" | "formations")
}

/// The rest of the path of a document.
fn key(maille: &str, place: &str, code: &str) -> String {
    match maille {
        "certifications" => code.to_owned(),
        "formations" => format!("{place}-{code}"),
        _ => format!("{place}/certifications/{code}"),
    }
}

fn sum_to_json(sum: ChangeSum, since: &str, generation: &str, at: Option<&str>) -> Value {
    let mut mailles = Map::new();
    for (maille, by_millesime) in sum.groups {
        let mut millesimes = Map::new();
        for (millesime, group) in by_millesime {
            let (mut added, mut removed, mut changed) = (Vec::new(), Vec::new(), Vec::new());
            for ((place, code), change) in &group.keys {
                let list = match change {
                    Change::Added => &mut added,
                    Change::Removed => &mut removed,
                    Change::Changed => &mut changed,
                };
                list.push(Value::String(key(&maille, place, code)));
            }
            let told = json!({"tout": group.whole, "ajoutes": added, "retires": removed, "changes": changed});
            millesimes.insert(millesime, told);
        }
        let route = route(&maille);
        mailles.insert(maille, json!({"route": route, "millesimes": millesimes}));
    }
    json!({
        "depuis": since, "generation": generation, "le": at, "tout": sum.whole, "nomenclature": sum.nomenclature || sum.whole,
        "en_vigueur": sum.in_force || sum.whole, "mailles": mailles,
    })
}

fn to_json(switch: &Switch) -> Value {
    let mut mailles = BTreeMap::<&str, BTreeMap<&str, Value>>::new();
    for c in &switch.counts {
        let told = json!({"ajoutes": c.added, "retires": c.removed, "changes": c.changed, "tout": c.whole});
        mailles.entry(&c.maille).or_default().insert(&c.millesime, told);
    }
    json!({
        "de": switch.from, "a": switch.to, "le": date::write_iso(switch.at_ms), "retour": switch.back, "tout": switch.whole,
        "nomenclature": switch.nomenclature || switch.whole, "en_vigueur": switch.in_force || switch.whole,
        "mailles": mailles,
    })
}

/// What a move is, in words.
fn title(switch: &Switch) -> String {
    match (&switch.from, switch.back) {
        (_, true) => format!("Retour à la génération {}", switch.to),
        (None, _) => format!("Première publication\u{a0}: génération {}", switch.to),
        _ => format!("Publication de la génération {}", switch.to),
    }
}

/// What changed of it, by maille, then by millesime.
fn sorted(switch: &Switch) -> Vec<&ChangeCounts> {
    let mut sorted: Vec<&ChangeCounts> = switch.counts.iter().collect();
    sorted.sort_by_key(|counts| (&counts.maille, &counts.millesime));
    sorted
}

/// What it changed, in words.
fn sentences(switch: &Switch) -> Vec<String> {
    let mut sentences = Vec::new();
    if switch.whole && switch.from.is_some() {
        sentences.push("Ce qui change n’est pas connu document par document\u{a0}: tout est à reprendre.".to_owned());
    }
    for counts in sorted(switch) {
        let some = [(counts.added, "ajoutés"), (counts.removed, "retirés"), (counts.changed, "changés")];
        let some: Vec<String> = some.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
        if !some.is_empty() {
            let millesime = counts.millesime.replace('_', "-");
            sentences.push(format!("{}, {millesime}\u{a0}: {}.", maille_name(&counts.maille), some.join(", ")));
        }
    }
    if switch.nomenclature {
        sentences.push("La nomenclature des certifications change.".to_owned());
    }
    if switch.in_force {
        sentences.push("Les millésimes en vigueur changent.".to_owned());
    }
    if sentences.is_empty() && switch.from.is_some() {
        sentences.push("Aucun document publié ne change.".to_owned());
    }
    sentences
}

/// What pages call a maille.
pub(crate) fn maille_name(maille: &str) -> &str {
    match maille {
        "certifications" => "France (certifications)",
        "regionales" => "Régions",
        "formations" => "Établissements (formations)",
        other => other,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An identifier that stays the same wherever the service is reached: made of what the entry is.
fn identifier(text: &str) -> String {
    let digest = codec::digest(text.as_bytes());
    let second = codec::digest(format!("{digest:016x}{text}").as_bytes());
    format!(
        "urn:uuid:{:08x}-{:04x}-8{:03x}-9{:03x}-{:012x}",
        digest >> 32,
        digest >> 16 & 0xffff,
        digest & 0xfff,
        second >> 48 & 0xfff,
        second & 0xffff_ffff_ffff
    )
}

/// The feed (RFC 4287); `root` is the address of the service, or the way to it.
fn atom(journal: &ChangeJournal, root: &str) -> String {
    let updated = journal.0.last().map_or(0, |last| last.at_ms);
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"fr\">\n\
         <id>{}</id>\n<title>Que deviennent les jeunes\u{a0}: changements des données</title>\n<updated>{}</updated>\n\
         <author><name>Exposition</name></author>\n<link rel=\"alternate\" type=\"text/html\" href=\"{2}/etat/changements\"/>\n\
         <link rel=\"self\" type=\"application/atom+xml\" href=\"{2}/api/changements.atom\"/>\n",
        identifier("changements"),
        date::write_iso(updated),
        escape(root)
    );
    for switch in journal.0.iter().rev() {
        let from = switch.from.as_deref().unwrap_or_default();
        let at = date::write_iso(switch.at_ms);
        let text = sentences(switch).join("\n");
        let _ = write!(
            xml,
            "<entry>\n<id>{}</id>\n<title>{}</title>\n<updated>{at}</updated>\n\
             <link rel=\"alternate\" type=\"application/json\" href=\"{}/api/changements{}\"/>\n\
             <summary>{}</summary>\n</entry>\n",
            identifier(&format!("{from} {} {at}", switch.to)),
            escape(&title(switch)),
            escape(root),
            if from.is_empty() { String::new() } else { format!("?depuis={}", escape(from)) },
            escape(&text)
        );
    }
    xml + "</feed>\n"
}

fn show(deployment: &Deployment, journal: &ChangeJournal, calendar: &Markup) -> Markup {
    let body = html! {
        h1 { "Ce qui change dans les données" }
        p {
            "Chaque fois qu’une publication met d’autres données en service, ou qu’une version précédente revient, une ligne s’ajoute ici. "
            "Un document est dit changé là où ce que le service en montre change\u{a0}; rien n’est dit de ce qui est masqué."
        }
        (calendar)
        h2 #journal { "Journal" }
        @if journal.0.is_empty() { p { "Aucune publication n’est encore au journal." } }
        @for switch in journal.0.iter().rev() { (moved(switch)) }
        h2 { "Pour les programmes" }
        ul {
            li { a href="/api/changements" { code { "/api/changements" } } "\u{a0}: ce journal en JSON" }
            li { code { "/api/changements?depuis=g41" } "\u{a0}: les clés des documents à reprendre pour qui a la génération g41" }
            li { a href="/api/changements.atom" { code { "/api/changements.atom" } } "\u{a0}: le journal pour un lecteur de flux (Atom)" }
            li { a href="/api/calendrier" { code { "/api/calendrier" } } " et " a href="/api/calendrier.ics" { code { ".ics" } } "\u{a0}: les publications attendues" }
        }
        p { "Ce qui est publié en ce moment\u{a0}: " a href="/etat" { "état du service" } "." }
    };
    let more = html! { link rel="alternate" type="application/atom+xml" title="Changements des données" href="/api/changements.atom"; };
    let head = PageHead { title: "Ce qui change dans les données", here: "/api/doc", more, ..PageHead::default() };
    page(deployment, &head, &body)
}

fn moved(switch: &Switch) -> Markup {
    let iso = date::write_iso(switch.at_ms);
    let rows = html! {
        @for counts in sorted(switch) {
            tr {
                th scope="row" { (maille_name(&counts.maille)) }
                td { (counts.millesime.replace('_', "-")) }
                @for count in [counts.added, counts.removed, counts.changed] { td { (count) } }
            }
        }
    };
    let others = Switch { counts: Vec::new(), ..switch.clone() };
    let told = if rows.0.is_empty() { sentences(switch) } else { sentences(&others) };
    let told = told.into_iter().filter(|sentence| rows.0.is_empty() || !sentence.starts_with("Aucun"));
    html! {
        h3 { time datetime=(iso) { (date::write_day(switch.at_ms)) } " – " (title(switch)) }
        @for sentence in told { p { (sentence) } }
        @if !rows.0.is_empty() {
            (table(&title(switch), "Documents changés, par maille et millésime", &["Maille", "Millésime", "Ajoutés", "Retirés", "Changés"], &rows))
        }
    }
}
