//! Routes of accounts, under `/internal/import/users`.

use crate::call::json_of_body;
use crate::error::AdminError;
use crate::runtime::ImportRuntime;
use accounts::KeyTerms;
use accounts::password::{acceptable_password, hash_password};
use api::accounts::read as read_account;
use api::{Request, Response};
use domain::date;
use serde_json::{Map, Value, json};
use store::codec::hex;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Days that a key still opens what it did once another has taken its place, where nothing else is said; and at most.
const OVERLAP_DAYS: i64 = 30;
const OVERLAP_MAX_DAYS: i64 = 366;

fn new_key<M: ImportRuntime>(runtime: &M) -> String {
    format!("eij_{}{}", hex(&runtime.random()), hex(&runtime.random()))
}

pub(crate) async fn handle<M: ImportRuntime>(
    runtime: &M,
    request: &Request,
    rest: &[&str],
) -> Result<Response, AdminError> {
    let kv = runtime.kv();
    let fields: Map<String, Value> = json_of_body(request)?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let now_ms = runtime.now_ms();
    let today = date::write_day(now_ms);
    let terms = KeyTerms {
        libelle: text("libelle"),
        contact: text("contact"),
        // What is no text is no day: it must not make a key without an end.
        expires: fields.get("expire_le").filter(|day| !day.is_null()).map(|day| day.as_str().unwrap_or_default()),
        today: &today,
    };
    match (request.method.as_ref(), rest) {
        ("GET", ["users"]) => {
            let mut read = Vec::new();
            for name in accounts::list(&kv).await? {
                if let Some(c) = read_account(&kv, &name).await? {
                    read.push(json!({"username": c.username, "desactive": c.disabled, "cles": c.keys}));
                }
            }
            Ok(Response::json(200, &json!({"users": read})))
        }
        ("POST", ["users"]) => {
            let (username, password) = (text("username"), text("password"));
            if username.is_empty() || username.len() > 100 {
                return Err(AdminError::Refused("username : de 1 à 100 caractères".into()));
            }
            if !acceptable_password(password) {
                return Err(AdminError::Refused(
                    "password : de 8 à 50 caractères, dont un chiffre, une minuscule, une majuscule et un caractère spécial".into(),
                ));
            }
            let hash = hash_password(password, runtime.random()).ok_or(AdminError::Unavailable)?;
            accounts::open(&kv, username, &hash).await?;
            Ok(Response::json(201, &json!({"username": username})))
        }
        ("DELETE", ["users", name]) => {
            accounts::disable(&kv, name).await?;
            Ok(Response::json(200, &json!({"username": name, "desactive": true})))
        }
        ("POST", ["users", name, "cles"]) => {
            let key = new_key(runtime);
            accounts::add_key(&kv, name, &key, &terms).await?;
            Ok(Response::json(201, &json!({"username": name, "cle": key})))
        }
        ("POST", ["users", name, "cles", start, "rotation"]) => {
            let days = fields.get("jours").map_or(Some(OVERLAP_DAYS), Value::as_i64);
            let days = days.filter(|days| (0..=OVERLAP_MAX_DAYS).contains(days)).ok_or_else(|| {
                AdminError::Refused(format!("jours : combien l'ancienne clé vaut encore, de 0 à {OVERLAP_MAX_DAYS}"))
            })?;
            let until = date::write_day(now_ms.saturating_add(days.saturating_mul(DAY_MS)));
            let key = new_key(runtime);
            accounts::rotate_key(&kv, name, start, &key, (&until, &terms)).await?;
            Ok(Response::json(201, &json!({"username": name, "cle": key, "ancienne_jusqu_au": until})))
        }
        ("PUT", ["users", "usages"]) => {
            let uses = fields.get("usages").and_then(Value::as_object);
            let noted = accounts::note_uses(&kv, text("username"), |key| uses?.get(key)?.as_str()).await?;
            Ok(Response::json(200, &json!({"username": text("username"), "cles": noted})))
        }
        ("DELETE", ["users", name, "cles", start]) => {
            accounts::remove_key(&kv, name, start).await?;
            Ok(Response::json(200, &json!({"username": name})))
        }
        _ => Err(AdminError::UnknownRoute),
    }
}
