//! Accounts as access reads them; the crate `accounts` writes them.
//!
//! They lie in the store under `compte:`, apart from documents and generations. Names and keys are found by digest; neither
//! passwords nor keys are kept.

use crate::error::ApiError;
use domain::date;
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
    /// Who is told of it: an address, a name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contact: String,
    /// The day that it was made, `2026-11-27` in UTC.
    #[serde(rename = "cree_le", default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The last day that it opens anything.
    #[serde(rename = "expire_le", default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The last day that it was used, as logs told: what reads cannot write.
    #[serde(rename = "dernier_usage", default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
}

impl PersonalKey {
    /// A key without an end.
    #[must_use]
    pub fn new(digest: String, libelle: &str) -> Self {
        let (libelle, contact) = (libelle.to_owned(), String::new());
        Self { digest, libelle, contact, created: None, expires: None, last_used: None }
    }

    /// Whether it opens anything at this instant, in milliseconds since 1970. Days are compared as they are written.
    #[must_use]
    pub fn is_valid(&self, now_ms: i64) -> bool {
        self.expires.as_ref().is_none_or(|last| *last >= date::write_day(now_ms))
    }

    /// What logs and operators call it: the start of its digest, which opens nothing.
    #[must_use]
    pub fn name(&self) -> &str {
        key_name(&self.digest)
    }
}

/// [`PersonalKey::name`], of a digest.
#[must_use]
pub fn key_name(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
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

/// A personal key that was found, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedKey {
    /// The account.
    pub user: String,
    /// The key.
    pub key: PersonalKey,
}

/// The active account that a personal key belongs to, whether or not the key has ended.
///
/// # Errors
/// [`ApiError::Unavailable`] where the store cannot be read.
pub async fn find_key<K: KeyValue>(kv: &K, key: &str) -> Result<Option<OwnedKey>, ApiError> {
    if key.is_empty() {
        return Ok(None);
    }
    let digest = digest(key);
    let Some(owner) = kv.get(&key_of_key(&digest)).await? else { return Ok(None) };
    let user = String::from_utf8_lossy(&owner).into_owned();
    let account = read(kv, &user).await?.filter(|account| !account.disabled);
    let key = account.and_then(|account| account.keys.into_iter().find(|key| key.digest == digest));
    Ok(key.map(|key| OwnedKey { user, key }))
}
