//! `/api/status` and `/etat`: what is published, since when, from what, and whether it can be read.
//!
//! It reads the pointer, the public record of the generation and the public reports: never a key
//! of the import's own work.

use crate::report;
use crate::template::{escape, html, page};
use api::error::ApiError;
use api::{Request, Response, Runtime, read_body, routes};
use domain::date;
use serde_json::{Value, json};
use store::kv::to_value;
use store::public_record::DocumentCounts;
use store::{Reader, StoreError};

/// Answers `/api`, `/api/status`, `/etat`; 404 in JSON for everything else.
pub async fn respond<M: Runtime>(runtime: &M, request: Request) -> Response {
    let segments = request.segments();
    let page = match segments.as_slice() {
        ["api", "status"] => false,
        ["etat"] => true,
        _ => return routes::status(runtime, request).await,
    };
    let response = match handle(runtime, &request, page).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

async fn handle<M: Runtime>(runtime: &M, request: &Request, as_page: bool) -> Result<Response, ApiError> {
    read_body(request)?;
    match request.method.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(routes::options(routes::READING)),
        _ => return Err(ApiError::UnknownRoute),
    }
    let state = state(runtime).await;
    let status = if state.get("etat") == Some(&json!("indisponible")) { 503 } else { 200 };
    let response = if as_page { html(request, status, &show(&state), None) } else { Response::json(status, &state) };
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
        "publication": null, "millesimes_en_vigueur": {}, "documents": {}, "sous_seuil": {}, "secret": null, "imports": [],
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
    let reader = Reader::open(runtime.kv(), runtime.cache(), runtime.monotonic_ms()).await?;
    let pointer = reader.pointer();
    put(state, "generation", pointer.generation.as_str().into());
    let previous = pointer.previous.as_ref().map(|p| p.generation.as_str());
    put(state, "generation_precedente", previous.into());
    put(state, "millesimes_en_vigueur", to_value("millesimes", &pointer.millesimes)?);
    let (record, reports) = (reader.public_record().await?, reader.public_reports().await?);
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
    Ok(())
}

fn put(state: &mut Value, field: &str, value: Value) {
    if let Some(place) = state.get_mut(field) {
        *place = value;
    }
}

fn maille_name(maille: &str) -> &str {
    match maille {
        "certifications" => "France (certifications)",
        "regionales" => "Régions",
        "formations" => "Établissements (formations)",
        other => other,
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("–")
}

/// A day and hour that people read.
fn when(iso: &str) -> String {
    match (iso.get(..10), iso.get(11..16)) {
        (Some(day), Some(hour)) => format!("<time datetime=\"{}\">{day} à {hour} (UTC)</time>", escape(iso)),
        _ => "–".into(),
    }
}

fn show(state: &Value) -> String {
    let (word, class) = match text(state, "etat") {
        "ok" => ("Les données sont lisibles.", "bien"),
        "vide" => ("Rien n’est encore publié : voir docs/EXPLOITER.md.", "attention"),
        _ => ("Le magasin de données ne répond pas.", "erreur"),
    };
    let mut body = format!("<h1>État du service</h1><p class=\"avis {class}\">{word}</p>");
    body.push_str("<h2>Publication en service</h2><dl class=\"fiche\">");
    let publication = state.get("publication").cloned().unwrap_or_default();
    for (name, value) in [
        ("Version du service", escape(text(state, "version"))),
        ("Environnement", escape(text(state, "env"))),
        ("Génération", escape(text(state, "generation"))),
        ("Génération précédente", escape(text(state, "generation_precedente"))),
        ("Import ouvert", when(text(&publication, "ouverte_le"))),
        ("Mise en service", when(text(&publication, "mise_en_service_le"))),
        ("Empreinte des documents", format!("<code>{}</code>", escape(text(&publication, "empreinte")))),
    ] {
        body.push_str(&format!("<dt>{name}</dt><dd>{value}</dd>"));
    }
    body.push_str("</dl><h2>Millésimes en vigueur</h2><dl class=\"fiche\">");
    for (field, name) in [
        ("certifications", "France, secondaire"),
        ("certifications_sup", "France, supérieur"),
        ("regionales", "Régions"),
        ("formations", "Établissements, secondaire"),
        ("formations_sup", "Établissements, supérieur"),
    ] {
        let value = state.get("millesimes_en_vigueur").map_or("–", |m| text(m, field));
        body.push_str(&format!("<dt>{name}</dt><dd>{}</dd>", escape(value)));
    }
    body.push_str("</dl><h2>Documents publiés</h2>");
    body.push_str(&headcounts(state));
    body.push_str(&secrecy(state.get("secret").unwrap_or(&Value::Null)));
    body.push_str("<h2>Derniers imports</h2>");
    body.push_str(&imports(state));
    body.push_str("<p>Les mêmes informations en JSON&nbsp;: <a href=\"/api/status\"><code>/api/status</code></a>.</p>");
    page("État du service", "/etat", "", &body)
}

/// What is hidden in the generation that is served, in words: no more than it does.
fn secrecy(secret: &Value) -> String {
    let Some(setting) = secret.get("reglage").and_then(Value::as_str) else { return String::new() };
    let reach = if setting == "strict" {
        "Les salaires d’un groupe de moins de 20 jeunes sont masqués aussi, et un document sans effectif n’a aucun chiffre."
    } else {
        "Les salaires nationaux d’un tel groupe et les chiffres d’un document sans effectif sont montrés, comme dans le contrat."
    };
    let secondary = if secret.get("secondaire") == Some(&json!(true)) {
        "D’autres documents sont masqués, d’où de tels chiffres se déduiraient par les sommes que portent les données."
    } else {
        "Un chiffre masqué peut encore se déduire des sommes que portent les données : la France moins ses régions, par exemple."
    };
    format!(
        "<h2>Secret statistique</h2><p>Réglage en vigueur&nbsp;: <code>{}</code>. Les effectifs et les taux d’un groupe de moins de 20 jeunes sont masqués, \
sauf l’effectif du groupe. {reach} {secondary}</p>",
        escape(setting)
    )
}

fn headcounts(state: &Value) -> String {
    let documents: DocumentCounts =
        state.get("documents").and_then(|d| serde_json::from_value(d.clone()).ok()).unwrap_or_default();
    if documents.is_empty() {
        return "<p>Aucun.</p>".into();
    }
    let mut rows = String::new();
    for (maille, by_millesime) in &documents {
        for (millesime, provenances) in by_millesime {
            let from = |name: &str| provenances.get(name).copied().unwrap_or_default();
            rows.push_str(&format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(maille_name(maille)),
                escape(&millesime.replace('_', "-")),
                provenances.values().sum::<u64>(),
                from("self"),
                from("ancienne") + from("nouvelle"),
                from("sans donnees"),
            ));
        }
    }
    let below_threshold: Vec<String> = state
        .get("sous_seuil")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(maille, n)| format!("{} : {n}", escape(maille_name(maille))))
        .collect();
    let below_threshold = if below_threshold.is_empty() { "aucun".into() } else { below_threshold.join(", ") };
    format!(
        "<div class=\"defile\" role=\"region\" aria-label=\"Documents par maille et millésime\" tabindex=\"0\"><table><caption>Par maille et millésime</caption><thead><tr><th scope=\"col\">Maille</th><th scope=\"col\">Millésime</th>\
<th scope=\"col\">Documents</th><th scope=\"col\">Données propres</th><th scope=\"col\">D’un autre diplôme de la lignée</th><th scope=\"col\">Année non terminale</th></tr></thead><tbody>{rows}</tbody></table></div>\
<p>Documents dont les chiffres sont masqués, faute d’un groupe d’au moins 20 jeunes&nbsp;: {below_threshold}.</p>"
    )
}

fn imports(state: &Value) -> String {
    let reports = state.get("imports").and_then(Value::as_array).cloned().unwrap_or_default();
    if reports.is_empty() {
        return "<p>Aucun import terminé.</p>".into();
    }
    let rows: String = reports
        .iter()
        .map(|r| {
            let summary = r.get("bilan").cloned().unwrap_or_default();
            let n = |field: &str| summary.get(field).and_then(Value::as_u64).unwrap_or_default();
            let received: u64 = summary
                .get("lignes")
                .and_then(Value::as_object)
                .map_or(0, |l| l.values().filter_map(Value::as_u64).sum());
            let unknown: Vec<&str> = summary
                .get("champs_inconnus")
                .and_then(Value::as_object)
                .map_or_else(Vec::new, |c| c.keys().map(String::as_str).collect());
            let end = match text(r, "etape") {
                "publie" => "publié",
                "inchange" => "inchangé",
                "abandonne" => "abandonné",
                "echec" => "échec",
                other => other,
            };
            format!(
                "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td><td>{received}</td><td>{}</td><td>{}</td><td>{:.1}&nbsp;s</td></tr>",
                escape(text(r, "id")),
                when(text(r, "fini_le")),
                escape(end),
                n("lignes_refusees"),
                escape(&unknown.join(", ")),
                std::time::Duration::from_millis(n("duree_ms")).as_secs_f64(),
            )
        })
        .collect();
    format!(
        "<div class=\"defile\" role=\"region\" aria-label=\"Derniers imports\" tabindex=\"0\"><table><caption>Du plus récent au plus ancien</caption><thead><tr><th scope=\"col\">Import</th><th scope=\"col\">Fin</th><th scope=\"col\">Résultat</th>\
<th scope=\"col\">Lignes reçues</th><th scope=\"col\">Lignes refusées</th><th scope=\"col\">Champs inconnus</th><th scope=\"col\">Durée</th></tr></thead><tbody>{rows}</tbody></table></div>{}",
        reports.iter().map(report::run).collect::<String>()
    )
}
