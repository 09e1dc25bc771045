//! `/api/status` and `/etat`: what is published, since when, from what, and whether it can be read; and the list of exports.
//!
//! It reads the pointer, the public record of the generation and the public reports: never a key
//! of the import's own work.

use crate::calendar;
use crate::changes::{self, ChangesForm, maille_name};
use crate::coverage;
use crate::exports;
use crate::fields::{by_filiere, number};
use crate::report;
use crate::template::{self, Deployment, PageHead, page, table};
use api::error::ApiError;
use api::{Request, Response, Runtime, read_body, routes};
use domain::date;
use maud::{Markup, html};
use serde_json::{Value, json};
use store::kv::to_value;
use store::public_record::DocumentCounts;
use store::{StoreError, keys};

/// Answers `/api`, `/api/status`, `/api/exports`, `/etat…`; 404 in JSON for everything else.
pub async fn respond<M: Runtime>(runtime: &M, request: Request) -> Response {
    let segments = request.segments();
    let form = match segments.as_slice() {
        ["api", "status"] => StatusForm::Json,
        ["etat"] => StatusForm::Page,
        ["etat", "couverture.csv"] => StatusForm::Coverage,
        ["etat", "exports"] => StatusForm::ExportsPage,
        ["api", "exports"] => StatusForm::Exports,
        ["etat", "changements"] => StatusForm::Changes(ChangesForm::Page),
        ["api", "changements"] => StatusForm::Changes(ChangesForm::Json),
        ["api", "changements.atom"] => StatusForm::Changes(ChangesForm::Atom),
        ["api", "calendrier"] => StatusForm::Calendar { ics: false },
        ["api", "calendrier.ics"] => StatusForm::Calendar { ics: true },
        _ => return routes::status(runtime, request).await,
    };
    let response = match handle(runtime, &request, form).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

/// What is asked for.
#[derive(Clone, Copy)]
enum StatusForm {
    Json,
    Page,
    /// The history of the coverage, as CSV.
    Coverage,
    /// The exports of each generation.
    Exports,
    ExportsPage,
    /// What changed from generation to generation.
    Changes(ChangesForm),
    /// When publications are expected.
    Calendar {
        /// As iCalendar.
        ics: bool,
    },
}

async fn handle<M: Runtime>(runtime: &M, request: &Request, form: StatusForm) -> Result<Response, ApiError> {
    read_body(request)?;
    match request.method.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(routes::options(routes::READING)),
        _ => return Err(ApiError::UnknownRoute),
    }
    if let StatusForm::Exports | StatusForm::ExportsPage = form {
        let exports = exports::read(runtime, request).await?;
        let response = match form {
            StatusForm::Exports => Response::json(200, &exports),
            _ => template::show(request, 200, exports::show(&Deployment::read(runtime).await, &exports)),
        };
        return Ok(response.with("cache-control", "no-store").compress(request));
    }
    match form {
        StatusForm::Changes(form) => return changes::respond(runtime, request, form).await,
        StatusForm::Calendar { ics } => return calendar::respond(runtime, request, ics).await,
        _ => {}
    }
    let state = state(runtime).await;
    let status = if state.get("etat") == Some(&json!("indisponible")) { 503 } else { 200 };
    let response = match form {
        StatusForm::Page => template::show(request, status, show(&Deployment::read(runtime).await, &state)),
        StatusForm::Coverage => {
            Response::new(status, "text/csv; charset=UTF-8", coverage::csv(history(&state)).into_bytes())
                .with("content-disposition", "attachment; filename=couverture.csv")
        }
        _ => Response::json(status, &state),
    };
    let response = if status == 503 { response.with("retry-after", "5") } else { response };
    Ok(response.with("cache-control", "no-store").compress(request))
}

fn iso(ms: Option<i64>) -> Value {
    ms.map_or(Value::Null, |ms| date::write_iso(ms).into())
}

async fn state<M: Runtime>(runtime: &M) -> Value {
    let env = runtime.variable("environnement").await.ok();
    let mut state = json!({
        "version": env!("CARGO_PKG_VERSION"), "env": env, "etat": "ok", "generation": null, "generation_precedente": null,
        "publication": null, "millesimes_en_vigueur": {}, "documents": {}, "sous_seuil": {}, "secret": null, "usage": [],
        "imports": [], "couverture": [],
    });
    if let Err(error) = read(runtime, &mut state).await {
        // The reason is for the log.
        eprintln!("store: {error}");
        let word = if error == StoreError::Empty { "vide" } else { "indisponible" };
        put(&mut state, "etat", word.into());
    }
    state
}

/// Reads into the state what is published, as far as it can be read.
async fn read<M: Runtime>(runtime: &M, state: &mut Value) -> Result<(), StoreError> {
    let reader = api::open(runtime, runtime.monotonic_ms()).await?;
    let pointer = reader.pointer();
    put(state, "generation", pointer.generation.as_str().into());
    let previous = pointer.previous.as_ref().map(|p| p.generation.as_str());
    put(state, "generation_precedente", previous.into());
    put(state, "millesimes_en_vigueur", to_value("millesimes", &pointer.millesimes)?);
    let (record, reports) = (reader.public_record().await?, reader.shown_beside(keys::REPORTS).await?);
    let mut reports: Vec<Value> = reports.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
    let mut commissioning = None;
    for report in &mut reports {
        let ms = |field: &str| report.get(field).and_then(Value::as_i64);
        let (opened, finished) = (ms("ouvert_ms"), ms("fini_ms"));
        if report.get("etape") == Some(&json!("publie")) && report.get("generation") == state.get("generation") {
            commissioning = finished;
        }
        if let Some(object) = report.as_object_mut() {
            object.remove("ouvert_ms");
            object.remove("fini_ms");
            object.insert("ouvert_le".into(), iso(opened));
            object.insert("fini_le".into(), iso(finished));
        }
    }
    if let Some(record) = record {
        put(
            state,
            "publication",
            json!({
                "travail": record.work, "ouverte_le": iso(Some(record.opened_ms)), "mise_en_service_le": iso(commissioning),
                "lignes_recues": record.rows, "documents_repris": record.carried_over, "empreinte": record.digest,
                "empreintes": record.exports,
            }),
        );
        put(
            state,
            "secret",
            json!({
                "reglage": record.secrecy.name(), "secondaire": record.secondary, "masques_secondaires": record.withheld,
            }),
        );
        put(state, "documents", to_value("documents", &record.documents)?);
        put(state, "sous_seuil", to_value("sous_seuil", &record.below_threshold)?);
    }
    put(state, "imports", reports.into());
    if !reader.sample_is_there(runtime.monotonic_ms()).await? {
        eprintln!("store: values of generation {} are gone", pointer.generation);
        put(state, "etat", "incomplet".into());
    }
    // A damaged history, or sum of usage, is no reason to say that data cannot be read: the next one takes its place.
    let beside = async |key| reader.shown_beside(key).await.ok().flatten();
    let covered = beside(keys::HISTORY).await.and_then(|bytes| serde_json::from_slice::<Vec<Value>>(&bytes).ok());
    put(state, "couverture", covered.unwrap_or_default().into());
    let usage = beside(keys::USAGE).await.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    if let Some(months) = usage.as_ref().and_then(|usage| usage.get("mois")).filter(|months| months.is_array()) {
        put(state, "usage", months.clone());
    }
    Ok(())
}

/// What each generation covered, newest first.
fn history(state: &Value) -> &[Value] {
    state.get("couverture").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn put(state: &mut Value, field: &str, value: Value) {
    if let Some(place) = state.get_mut(field) {
        *place = value;
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("–")
}

/// A day and hour that people read.
fn when(iso: &str) -> Markup {
    match (iso.get(..10), iso.get(11..16)) {
        (Some(day), Some(hour)) => html! { time datetime=(iso) { (day) " à " (hour) " (UTC)" } },
        _ => html! { "–" },
    }
}

fn show(deployment: &Deployment, state: &Value) -> Markup {
    let (word, class) = match text(state, "etat") {
        "ok" => ("Les données sont lisibles.", "good"),
        "vide" => ("Rien n’est encore publié : voir docs/EXPLOITER.md.", "warning"),
        "incomplet" => {
            ("Le magasin a perdu des valeurs de la génération en service : voir docs/EXPLOITER.md.", "error")
        }
        _ => ("Le magasin de données ne répond pas.", "error"),
    };
    let publication = state.get("publication").cloned().unwrap_or_default();
    let in_force = |field: &str| state.get("millesimes_en_vigueur").map_or("–", |m| text(m, field)).to_owned();
    let body = html! {
        h1 { "État du service" }
        p class=(format!("notice {class}")) { (word) }
        h2 { "Publication en service" }
        dl.sheet {
            dt { "Version du service" } dd { (text(state, "version")) }
            dt { "Environnement" } dd { (text(state, "env")) }
            dt { "Génération" } dd { (text(state, "generation")) }
            dt { "Génération précédente" } dd { (text(state, "generation_precedente")) }
            dt { "Import ouvert" } dd { (when(text(&publication, "ouverte_le"))) }
            dt { "Mise en service" } dd { (when(text(&publication, "mise_en_service_le"))) }
            dt { "Empreinte des documents" } dd { code { (text(&publication, "empreinte")) } }
            @for (list, digest) in publication.get("empreintes").and_then(Value::as_object).into_iter().flatten() {
                dt { "Empreinte de " (list) ".csv" } dd { code { (digest.as_str().unwrap_or_default()) } }
            }
        }
        p { a href="/etat/exports" { "Les exports, leurs lignes, leurs empreintes et leurs adresses" } }
        h2 { "Millésimes en vigueur" }
        dl.sheet {
            dt { "France, secondaire" } dd { (in_force("certifications")) }
            dt { "France, supérieur" } dd { (in_force("certifications_sup")) }
            dt { "Régions" } dd { (in_force("regionales")) }
            dt { "Établissements, secondaire" } dd { (in_force("formations")) }
            dt { "Établissements, supérieur" } dd { (in_force("formations_sup")) }
        }
        h2 { "Documents publiés" }
        (headcounts(state))
        (coverage::show(history(state), text(state, "generation"), |maille| maille_name(maille).to_owned()))
        (secrecy(state.get("secret").unwrap_or(&Value::Null)))
        (usage(state))
        h2 { "Derniers imports" }
        (imports(state))
        p { "Ce qui a changé d’une publication à l’autre, et celles qui sont attendues\u{a0}: " a href="/etat/changements" { "journal des données" } "." }
        p { "Les mêmes informations en JSON\u{a0}: " a href="/api/status" { code { "/api/status" } } "." }
    };
    let head = PageHead { title: "État du service", here: "/api/doc", ..PageHead::default() };
    page(deployment, &head, &body)
}

/// What is hidden in the generation that is served, in words: no more than it does.
fn secrecy(secret: &Value) -> Markup {
    let Some(setting) = secret.get("reglage").and_then(Value::as_str) else { return Markup::default() };
    let reach = if setting == "strict" {
        "Les salaires d’un groupe de moins de 20 jeunes sont masqués aussi, et un document sans effectif n’a aucun chiffre."
    } else {
        "Les salaires nationaux d’un tel groupe et les chiffres d’un document sans effectif sont montrés, comme dans le contrat."
    };
    let secondary = if secret.get("secondaire") == Some(&json!(true)) {
        "D’autres documents sont masqués, d’où de tels chiffres se déduiraient par les sommes que portent les données."
    } else {
        "Un chiffre masqué peut encore se déduire des sommes que portent les données\u{a0}: la France moins ses régions, par exemple."
    };
    html! {
        h2 #secret { "Secret statistique" }
        p {
            "Réglage en vigueur\u{a0}: " code { (setting) }
            ". Les effectifs et les taux d’un groupe de moins de 20 jeunes sont masqués, sauf l’effectif du groupe. "
            (reach) " " (secondary)
        }
    }
}

/// What the service is used for, month by month, naming nobody; nothing where nothing was brought.
fn usage(state: &Value) -> Markup {
    let months = state.get("usage").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if months.is_empty() {
        return Markup::default();
    }
    let thousands = |month: &Value, kind: &str| {
        let count = month.get(kind).and_then(Value::as_u64).unwrap_or_default() / 1_000;
        if count == 0 { "–".to_owned() } else { count.to_string() }
    };
    let rows = html! {
        @for month in months.iter().rev() {
            tr {
                th scope="row" { (text(month, "mois")) }
                @for kind in ["documents", "images", "recherche", "pages"] { td { (thousands(month, kind)) } }
            }
        }
    };
    let headers = ["Mois", "Documents", "Images", "Recherche", "Pages"];
    let caption = "Milliers de requêtes par mois, des routes ouvertes à tous";
    html! {
        h2 { "Usage" }
        (table("Usage par mois", caption, &headers, &rows))
    }
}

fn headcounts(state: &Value) -> Markup {
    let documents: DocumentCounts =
        state.get("documents").and_then(|d| serde_json::from_value(d.clone()).ok()).unwrap_or_default();
    if documents.is_empty() {
        return html! { p { "Aucun." } };
    }
    let rows = html! {
        @for (maille, by_millesime) in &documents {
            @for (millesime, provenances) in by_millesime {
                @let from = |name: &str| provenances.get(name).copied().unwrap_or_default();
                tr {
                    th scope="row" { (maille_name(maille)) }
                    td { (millesime.replace('_', "-")) }
                    td { (provenances.values().sum::<u64>()) }
                    td { (from("self")) }
                    td { (from("ancienne") + from("nouvelle")) }
                    td { (from("sans donnees")) }
                }
            }
        }
    };
    let below_threshold: Vec<String> = state
        .get("sous_seuil")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(maille, n)| format!("{} : {n}", maille_name(maille)))
        .collect();
    let below_threshold = if below_threshold.is_empty() { "aucun".into() } else { below_threshold.join(", ") };
    html! {
        (table("Documents par maille et millésime", "Par maille et millésime", &DOCUMENT_COLUMNS, &rows))
        p { "Documents dont les chiffres sont masqués, faute d’un groupe d’au moins 20 jeunes\u{a0}: " (below_threshold) "." }
    }
}

const DOCUMENT_COLUMNS: [&str; 6] =
    ["Maille", "Millésime", "Documents", "Données propres", "D’un autre diplôme de la lignée", "Année non terminale"];

fn imports(state: &Value) -> Markup {
    let reports = state.get("imports").and_then(Value::as_array).cloned().unwrap_or_default();
    if reports.is_empty() {
        return html! { p { "Aucun import terminé." } };
    }
    let rows = html! { @for report in &reports { (import(report)) } };
    html! {
        (table("Derniers imports", "Du plus récent au plus ancien", &IMPORT_COLUMNS, &rows))
        @for report in &reports { (report::run(report)) (changes(report)) }
    }
}

/// What an import changed in what is published, as counts: the public part of the difference between two generations.
fn changes(report: &Value) -> Markup {
    let differences = report.get("bilan").and_then(|summary| summary.get("differences")).unwrap_or(&Value::Null);
    let rows = html! {
        @for (maille, millesime, filiere, tally) in by_filiere(differences.get("par_maille")) {
            @let counts = CHANGES.map(|(field, _)| number(tally, field));
            @if counts.iter().any(|count| *count > 0) {
                tr {
                    th scope="row" { (maille_name(maille)) }
                    td { (millesime.replace('_', "-")) }
                    td { (filiere) }
                    @for count in counts { td { (count) } }
                }
            }
        }
    };
    if rows.0.is_empty() {
        return Markup::default();
    }
    let mut headers = vec!["Maille", "Millésime", "Filière"];
    headers.extend(CHANGES.map(|(_, name)| name));
    let caption = format!("De la génération {} à {}", text(differences, "avant"), text(differences, "apres"));
    html! {
        details {
            summary { "Ce que l’import " code { (text(report, "id")) } " a changé" }
            (table("Documents changés", &caption, &headers, &rows))
        }
    }
}

const CHANGES: [(&str, &str); 5] = [
    ("ajoutes", "Ajoutés"),
    ("retires", "Retirés"),
    ("changes", "Changés"),
    ("masques", "Nouvellement masqués"),
    ("devoiles", "Nouvellement montrés"),
];

const IMPORT_COLUMNS: [&str; 7] =
    ["Import", "Fin", "Résultat", "Lignes reçues", "Lignes refusées", "Champs inconnus", "Durée"];

fn import(report: &Value) -> Markup {
    let summary = report.get("bilan").cloned().unwrap_or_default();
    let n = |field: &str| summary.get(field).and_then(Value::as_u64).unwrap_or_default();
    let members = |field: &str| summary.get(field).and_then(Value::as_object).cloned().unwrap_or_default();
    let received: u64 = members("lignes").values().filter_map(Value::as_u64).sum();
    let unknown: Vec<String> = members("champs_inconnus").into_iter().map(|(field, _)| field).collect();
    let end = match text(report, "etape") {
        "publie" => "publié",
        "inchange" => "inchangé",
        "abandonne" => "abandonné",
        "echec" => "échec",
        "verifie" => "vérifié, non publié",
        "retour" => "retour à la génération précédente",
        "attendre_confirmation" => "attend une confirmation",
        "attendre_validation" => "attend une validation",
        other => other,
    };
    html! {
        tr {
            th scope="row" { code { (text(report, "id")) } }
            td { (when(text(report, "fini_le"))) }
            td { (end) }
            td { (received) }
            td { (n("lignes_refusees")) }
            td { (unknown.join(", ")) }
            td { (format!("{:.1}\u{a0}s", std::time::Duration::from_millis(n("duree_ms")).as_secs_f64())) }
        }
    }
}
