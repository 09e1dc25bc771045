//! Routes of accounts, under `/internal/import/users`.

use crate::call::json_of_body;
use crate::error::AdminError;
use crate::runtime::ImportRuntime;
use accounts::password::{acceptable_password, hash_password};
use api::accounts::read as read_account;
use api::{Request, Response};
use serde_json::{Map, Value, json};
use store::codec::hex;

pub(crate) async fn handle<M: ImportRuntime>(
    runtime: &M,
    request: &Request,
    rest: &[&str],
) -> Result<Response, AdminError> {
    let kv = runtime.kv();
    let fields: Map<String, Value> = json_of_body(request)?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
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
            let key = format!("eij_{}{}", hex(&runtime.random()), hex(&runtime.random()));
            accounts::add_key(&kv, name, &key, text("libelle")).await?;
            Ok(Response::json(201, &json!({"username": name, "cle": key})))
        }
        ("DELETE", ["users", name, "cles", start]) => {
            accounts::remove_key(&kv, name, start).await?;
            Ok(Response::json(200, &json!({"username": name})))
        }
        _ => Err(AdminError::UnknownRoute),
    }
}
