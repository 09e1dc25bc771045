//! Who may read lists: keys and tokens.
//!
//! Accepted: the legacy key and personal keys in `x-api-key` or `?apiKey=`, tokens there too and as
//! `Authorization: Bearer`. One valid credential is enough, whatever the others. An empty secret
//! denies; comparisons take constant time.

use crate::accounts::{self, OwnedKey};
use crate::error::ApiError;
use crate::{LogFact, Request, Runtime};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The key in the query. It never reaches a log, nor a link in an answer.
pub const KEY_IN_QUERY: &str = "apiKey";
/// What is said of a request without a key. Both are the words of a header: no accents.
const MISSING: &str = "Il manque x-api-key, ou un jeton (Authorization: Bearer)";
/// What is said of a key or token that opens nothing; which of the reasons holds is nobody's business.
pub const WRONG: &str = "Cette valeur de x-api-key, ou ce jeton, est inconnue ou ne vaut plus";
/// The issuer of tokens.
pub const ISSUER: &str = "exposition-ij";
/// How long a token lives: one day.
pub const TOKEN_LIFETIME_S: i64 = 86_400;

/// Equal, in a time that depends on lengths only.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    !a.is_empty() && a.ct_eq(b).into()
}

/// What is added to the name of a secret for the one that it replaces, or that will replace it.
const OTHER: &str = "_precedent";

/// What follows the scheme of `Authorization: Bearer …`.
#[must_use]
pub fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// How many values a secret may have at a time: while it is changed, the new one and the old one.
pub const SECRET_VALUES: usize = 2;

/// One of the values of a secret; empty where there is none of that rank.
///
/// # Errors
/// [`ApiError::Unavailable`] where a variable cannot be read.
pub async fn secret<M: Runtime>(runtime: &M, name: &str, rank: usize) -> Result<String, ApiError> {
    Ok(match rank {
        0 => runtime.variable(name).await?,
        _ => runtime.variable(&[name, OTHER].concat()).await?,
    })
}

/// Whether this is the secret of that name, or its other value while it is changed.
///
/// # Errors
/// [`ApiError::Unavailable`] where a variable cannot be read.
pub async fn holds_secret<M: Runtime>(runtime: &M, name: &str, received: &str) -> Result<bool, ApiError> {
    for rank in 0..SECRET_VALUES {
        if equal(secret(runtime, name, rank).await?.as_bytes(), received.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Who carries a valid credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmittedCaller {
    /// Whoever the gateway let through.
    Gateway,
    /// Whoever holds the key that re-users share.
    SharedKey,
    /// The user of an account, by a token.
    User(String),
    /// The user of an account, by a personal key.
    Key(OwnedKey),
}

impl AdmittedCaller {
    /// The account; empty for a key or a gateway that stands for nobody in particular.
    #[must_use]
    pub fn user(&self) -> &str {
        match self {
            Self::Gateway | Self::SharedKey => "",
            Self::User(user) => user,
            Self::Key(key) => &key.user,
        }
    }

    /// What logs and limits know them by.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::Gateway => "passerelle",
            Self::SharedKey => "cle-commune",
            Self::User(_) | Self::Key(_) => self.user(),
        }
    }
}

/// Lets through whoever carries a valid credential, and takes note of who that is.
///
/// # Errors
/// [`ApiError::Unauthorized`], or [`ApiError::Unavailable`] where accounts cannot be read.
pub async fn caller<M: Runtime>(runtime: &M, request: &Request) -> Result<AdmittedCaller, ApiError> {
    let caller = identify(runtime, request).await?;
    runtime.note(LogFact::User(caller.label()));
    if let AdmittedCaller::Key(owned) = &caller {
        runtime.note(LogFact::Key(owned.key.name()));
    }
    Ok(caller)
}

async fn identify<M: Runtime>(runtime: &M, request: &Request) -> Result<AdmittedCaller, ApiError> {
    let mode = runtime.variable("authentification").await?;
    if matches!(mode.as_str(), "gateway" | "both") {
        let name = runtime.variable("entete_passerelle").await?.to_ascii_lowercase();
        if let Some(received) = request.header(name)
            && holds_secret(runtime, "secret_passerelle", received).await?
        {
            return Ok(AdmittedCaller::Gateway);
        }
        if mode == "gateway" {
            return Err(ApiError::Unauthorized(""));
        }
    }
    let key = key_of(request)?;
    if holds_secret(runtime, "legacy_api_key", &key).await? {
        return Ok(AdmittedCaller::SharedKey);
    }
    let token = bearer(request);
    let now_ms = runtime.now_ms();
    for rank in 0..SECRET_VALUES {
        let secret = secret(runtime, "jwt_secret", rank).await?;
        for token in [Some(key.as_str()), token].into_iter().flatten() {
            if let Some(token) = read_token(&secret, token, now_ms.div_euclid(1000))
                && accounts::accepts_token(&runtime.kv(), &token.user, token.password_changes).await?
            {
                return Ok(AdmittedCaller::User(token.user));
            }
        }
    }
    let owned = accounts::find_key(&runtime.kv(), &key).await?.filter(|owned| owned.key.is_valid(now_ms));
    let wrong = if key.is_empty() && token.is_none() { MISSING } else { WRONG };
    owned.map(AdmittedCaller::Key).ok_or(ApiError::Unauthorized(wrong))
}

/// The key that a request carries, in its address or in its header; empty for none.
///
/// # Errors
/// [`ApiError::Unauthorized`] for several.
pub fn key_of(request: &Request) -> Result<String, ApiError> {
    let mut keys = request.values_of(KEY_IN_QUERY).filter(|key| !key.is_empty());
    match (keys.next(), keys.next()) {
        (None, _) => Ok(request.header("x-api-key").unwrap_or_default().to_owned()),
        (Some(alone), None) => Ok(alone),
        _ => Err(ApiError::Unauthorized("Plusieurs apiKey dans l'adresse : en garder une seule")),
    }
}

fn sign(secret: &str, text: &str) -> Option<Hmac<Sha256>> {
    let mut signature = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    signature.update(text.as_bytes());
    (!secret.is_empty()).then_some(signature)
}

/// What a valid token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose it is.
    pub user: String,
    /// For which of the user's passwords it was given: the first one where it does not tell, as those of the former
    /// service do not.
    pub password_changes: u64,
}

/// The claim of [`Token::password_changes`].
const PASSWORD_CLAIM: &str = "mdp";

/// A token for a user, valid for one day. `None` without a secret.
#[must_use]
pub fn write_token(secret: &str, token: &Token, now_s: i64) -> Option<String> {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut charge = json!({"username": token.user, "iat": now_s, "exp": now_s + TOKEN_LIFETIME_S, "iss": ISSUER});
    if let Some(claims) = charge.as_object_mut().filter(|_| token.password_changes > 0) {
        claims.insert(PASSWORD_CLAIM.to_owned(), token.password_changes.into());
    }
    let text = format!("{}.{}", encode(&json!({"alg": "HS256", "typ": "JWT"})), encode(&charge));
    let signature = sign(secret, &text)?.finalize().into_bytes();
    Some(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The user of a valid token: HS256 only, our issuer, a user, an end that lies ahead, no beginning or one that lies
/// behind. A beginning that is no number is none that can be checked: the token is refused.
#[must_use]
pub fn read_token(secret: &str, token: &str, now_s: i64) -> Option<Token> {
    let (text, signature) = token.rsplit_once('.')?;
    let (header, charge) = text.split_once('.')?;
    let read = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    if read(header)?.get("alg")?.as_str()? != "HS256" {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    sign(secret, text)?.verify_slice(&signature).ok()?;
    let charge = read(charge)?;
    let number = |field: &str| charge.get(field).map(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
    let now = now_s as f64;
    let valid = charge.get("iss")?.as_str()? == ISSUER
        && number("exp")?? > now
        && number("nbf").is_none_or(|start| start.is_some_and(|start| start <= now));
    let user = charge.get("username")?.as_str()?;
    let password_changes = charge.get(PASSWORD_CLAIM).map_or(Some(0), Value::as_u64)?;
    (valid && !user.is_empty()).then(|| Token { user: user.to_owned(), password_changes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_until_its_end_and_by_its_secret_only() {
        for password_changes in [0, 3] {
            let of = Token { user: "test".into(), password_changes };
            let token = write_token("s", &of, 1000).unwrap();
            assert_eq!(read_token("s", &token, 1000), Some(of.clone()));
            assert_eq!(read_token("s", &token, 1000 + TOKEN_LIFETIME_S - 1), Some(of));
        }
        let of = Token { user: "test".into(), password_changes: 0 };
        let token = write_token("s", &of, 1000).unwrap();
        assert_eq!(read_token("s", &token, 1000 + TOKEN_LIFETIME_S), None, "expired when exp <= now");
        assert_eq!(read_token("autre", &token, 1000), None);
        assert_eq!(read_token("", &token, 1000), None, "an empty secret denies");
        assert_eq!(write_token("", &of, 0), None);
    }

    #[test]
    fn tokens_of_another_making_are_refused() {
        let make = |header: Value, charge: Value| {
            let text = format!(
                "{}.{}",
                URL_SAFE_NO_PAD.encode(header.to_string()),
                URL_SAFE_NO_PAD.encode(charge.to_string())
            );
            let signature = sign("s", &text).unwrap().finalize().into_bytes();
            format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
        };
        let hs256 = json!({"alg": "HS256"});
        let good = json!({"username": "u", "iss": ISSUER, "exp": 10});
        assert!(read_token("s", &make(hs256.clone(), good.clone()), 9).is_some());
        let begun = json!({"username": "u", "iss": ISSUER, "exp": 10, "nbf": 8.5});
        assert!(read_token("s", &make(hs256.clone(), begun), 9).is_some());
        for (header, charge) in [
            (json!({"alg": "none"}), good.clone()),
            (json!({"alg": "HS512"}), good.clone()),
            (json!({}), good),
            (hs256.clone(), json!({"iss": ISSUER, "exp": 10})),
            (hs256.clone(), json!({"username": "u", "iss": ISSUER})),
            (hs256.clone(), json!({"username": "u", "exp": 10})),
            (hs256.clone(), json!({"username": "u", "iss": "autre", "exp": 10})),
            (hs256.clone(), json!({"username": "", "iss": ISSUER, "exp": 10})),
            (hs256.clone(), json!({"username": "u", "iss": ISSUER, "exp": "10"})),
            (hs256.clone(), json!({"username": "u", "iss": ISSUER, "exp": 10, "nbf": 10})),
            (hs256.clone(), json!({"username": "u", "iss": ISSUER, "exp": 10, "nbf": "8"})),
            (hs256.clone(), json!({"username": "u", "iss": ISSUER, "exp": 10, "nbf": null})),
            (hs256.clone(), json!({"username": "u", "iss": ISSUER, "exp": 10, "nbf": true})),
            (hs256.clone(), json!({"username": "u", "iss": ISSUER, "exp": 10, "mdp": -1})),
            (hs256.clone(), json!({"username": "u", "iss": ISSUER, "exp": 10, "mdp": "0"})),
            (hs256, json!({"username": "u", "iss": ISSUER, "exp": 10, "nbf": [8]})),
        ] {
            assert_eq!(read_token("s", &make(header.clone(), charge.clone()), 9), None, "{header} {charge}");
        }
        for text in ["", ".", "..", "a.b.c", "é.é.é"] {
            assert_eq!(read_token("s", text, 0), None);
        }
    }
}
