//! `POST /api/inserjeunes/auth/login`: a token for a user and a password.

use crate::password::{self, Verification};
use api::error::ApiError;
use api::validation::{FaultPlace, Faults};
use api::{Request, Response, Runtime, access, accounts, read_body, routes};
use serde_json::{Value, json};
use store::kv::KeyValueWrite;

/// Login: a token for a user and a password.
pub async fn auth<M: Runtime>(runtime: &M, request: Request, random: [u8; 16]) -> Response
where
    M::Kv: KeyValueWrite,
{
    let response = match connect(runtime, &request, random).await {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(&request)
}

async fn connect<M: Runtime>(runtime: &M, request: &Request, random: [u8; 16]) -> Result<Response, ApiError>
where
    M::Kv: KeyValueWrite,
{
    let fields = read_body(request)?;
    if request.segments() != ["api", "inserjeunes", "auth", "login"] {
        return Err(ApiError::UnknownRoute);
    }
    match request.method.as_ref() {
        "POST" => {}
        "OPTIONS" => return Ok(routes::options("POST")),
        _ => return Err(ApiError::UnknownRoute),
    }
    let (user, password) = credentials(&fields)?;
    let kv = runtime.kv();
    let account = accounts::read(&kv, &user).await?;
    let verification = password::verify(account.as_ref(), &password);
    if verification == Verification::Refused {
        return Err(ApiError::Credentials);
    }
    if let (Verification::ToResume, Some(mut account)) = (verification, account)
        && let Some(hash) = password::hash_password(&password, random)
    {
        account.password = hash;
        crate::write(&kv, &account).await?;
    }
    let secret = runtime.variable("jwt_secret").await;
    let token = access::write_token(&secret, &user, runtime.now_ms().div_euclid(1000));
    let token = token.ok_or(ApiError::Credentials)?;
    Ok(Response::json(200, &json!({"token": token})).with("cache-control", "no-store"))
}

/// Two non-empty texts, and nothing else. The names of a JSON array are its indexes, so none is known.
fn credentials(fields: &Value) -> Result<(String, String), ApiError> {
    let mut faults = Faults::default();
    let object = fields.as_object();
    let mut text = |name: &str| {
        let place = FaultPlace::Name(name);
        match object.and_then(|o| o.get(name)) {
            None => faults.required(place),
            Some(Value::String(text)) if text.is_empty() => faults.empty(place),
            Some(Value::String(text)) => return text.clone(),
            Some(other) => faults.not_a_text(place, other.clone()),
        }
        String::new()
    };
    let read = (text("username"), text("password"));
    for (name, value) in
        object.into_iter().flatten().filter(|(name, _)| !matches!(name.as_str(), "username" | "password"))
    {
        faults.unknown(name, value.clone());
    }
    for (rank, value) in fields.as_array().into_iter().flatten().enumerate() {
        faults.unknown(&rank.to_string(), value.clone());
    }
    if faults.0.is_empty() { Ok(read) } else { Err(ApiError::Validation(faults.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Type and path of each fault.
    fn faults(fields: &Value) -> Vec<String> {
        let Err(ApiError::Validation(faults)) = credentials(fields) else { return Vec::new() };
        faults
            .iter()
            .map(|f| format!("{} {} {}", f["type"], f["path"], f["context"]["value"]).replace('"', ""))
            .collect()
    }

    #[test]
    fn the_names_of_an_array_are_its_indexes() {
        let required = ["any.required [username] null", "any.required [password] null"];
        assert_eq!(faults(&json!([])), required);
        let expected = [required.as_slice(), &["object.unknown [0] test", "object.unknown [1] {password:p}"]].concat();
        assert_eq!(faults(&json!(["test", {"password": "p"}])), expected);
        assert!(faults(&json!({"username": "u", "password": "p"})).is_empty());
        let other = faults(&json!({"username": "", "password": ["p"], "0": 1}));
        assert_eq!(other.len(), 3, "{other:?}");
    }
}
