//! Accounts as access reads them; the crate `accounts` writes them.
//!
//! They lie in the store under `compte:`, apart from documents and generations. Names and keys are found by digest; neither
//! passwords nor keys are kept.

use crate::error::ApiError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::codec::hex;
use store::kv::KeyValue;

/// What is kept of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The name, as given.
    pub username: String,
    /// An Argon2id hash, or `hex$iterations$salt` of the former service (PBKDF2-HMAC-SHA512, 64
    /// bytes, the salt taken as text) until the next login.
    pub password: String,
    /// Disabled accounts log in no more, and their tokens and keys are refused.
    #[serde(rename = "desactive", default)]
    pub disabled: bool,
    /// Digests of personal keys, with a label each.
    #[serde(rename = "cles", default)]
    pub keys: Vec<PersonalKey>,
}

/// A personal key, as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalKey {
    /// SHA-256 of the key, in hexadecimal.
    #[serde(rename = "empreinte")]
    pub digest: String,
    /// What its owner calls it.
    pub libelle: String,
}

/// The digest that a name or a key is found by.
#[must_use]
pub fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Where the account of a user lies.
#[must_use]
pub fn account_key(user: &str) -> String {
    format!("compte:u:{}", digest(user))
}

/// Where the owner of a personal key is named.
#[must_use]
pub fn key_of_key(digest: &str) -> String {
    format!("compte:k:{digest}")
}

/// The account of a user.
///
/// # Errors
/// [`ApiError::Unavailable`] where the store cannot be read.
pub async fn read<K: KeyValue>(kv: &K, user: &str) -> Result<Option<Account>, ApiError> {
    let bytes = kv.get(&account_key(user)).await?;
    Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()))
}

/// Whether a user exists and is not disabled.
///
/// # Errors
/// [`ApiError::Unavailable`] where the store cannot be read.
pub async fn is_active<K: KeyValue>(kv: &K, user: &str) -> Result<bool, ApiError> {
    Ok(read(kv, user).await?.is_some_and(|c| !c.disabled))
}

/// Whether a personal key belongs to an active account.
///
/// # Errors
/// [`ApiError::Unavailable`] where the store cannot be read.
pub async fn valid_key<K: KeyValue>(kv: &K, key: &str) -> Result<bool, ApiError> {
    if key.is_empty() {
        return Ok(false);
    }
    let digest = digest(key);
    let Some(owner) = kv.get(&key_of_key(&digest)).await? else { return Ok(false) };
    let account = read(kv, &String::from_utf8_lossy(&owner)).await?;
    Ok(account.is_some_and(|c| !c.disabled && c.keys.iter().any(|k| k.digest == digest)))
}
