//! Accounts as access reads them; the crate `accounts` writes them.
//!
//! They lie in the store under `compte:`, apart from documents and generations. Names and keys are found by digest; neither
//! passwords nor keys are kept.

use crate::error::ApiError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::codec::hex;
use store::kv::{KeyValue, StoreError};

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
    /// How often the password was changed by somebody; hashing it again is no change. A token tells the one that it was
    /// given for, so that it ends with the password.
    #[serde(rename = "mots_de_passe", default, skip_serializing_if = "is_zero")]
    pub password_changes: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Account {
    /// A new account.
    #[must_use]
    pub fn new(username: &str, password: String) -> Self {
        Self { username: username.to_owned(), password, disabled: false, keys: Vec::new(), password_changes: 0 }
    }

    /// Gives the account another password, which ends its tokens; the same stored form again changes nothing.
    pub fn change_password(&mut self, password: String) {
        if self.password != password {
            self.password = password;
            self.password_changes = self.password_changes.saturating_add(1);
        }
    }

    /// An account as it lies in the store.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it cannot be read: that is not the same as no account.
    pub fn decode(key: &str, bytes: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(bytes).map_err(|_| StoreError::Damaged(key.to_owned()))
    }
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
    let key = account_key(user);
    let bytes = kv.get(&key).await?;
    Ok(bytes.map(|bytes| Account::decode(&key, &bytes)).transpose()?)
}

/// Whether a token still opens anything: its user exists, is not disabled, and has the password that it was given for.
///
/// # Errors
/// [`ApiError::Unavailable`] where the store cannot be read.
pub async fn accepts_token<K: KeyValue>(kv: &K, user: &str, password_changes: u64) -> Result<bool, ApiError> {
    let account = read(kv, user).await?;
    Ok(account.is_some_and(|c| !c.disabled && c.password_changes == password_changes))
}

/// The active account that a personal key belongs to.
///
/// # Errors
/// [`ApiError::Unavailable`] where the store cannot be read.
pub async fn owner_of_key<K: KeyValue>(kv: &K, key: &str) -> Result<Option<String>, ApiError> {
    if key.is_empty() {
        return Ok(None);
    }
    let digest = digest(key);
    let Some(owner) = kv.get(&key_of_key(&digest)).await? else { return Ok(None) };
    let owner = String::from_utf8_lossy(&owner).into_owned();
    let account = read(kv, &owner).await?;
    let is_valid = account.is_some_and(|c| !c.disabled && c.keys.iter().any(|k| k.digest == digest));
    Ok(is_valid.then_some(owner))
}
