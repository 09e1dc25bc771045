//! Accounts as they are written: users, their passwords, their personal keys, and the login that checks them.
//!
//! What access reads of them is in [`api::accounts`]: a component that only reads links no password hashing.

pub mod login;
pub mod password;

use api::accounts::{Account, PersonalKey, account_key, digest, key_of_key, read};
use api::error::ApiError;
use sha2::{Digest, Sha256};
use store::exchange::update;
use store::kv::{KeyValue, KeyValueWrite, StoreError};

/// Where the names of all accounts are kept, so that they can be listed without listing keys: by their digests, so that
/// no list grows beyond a value.
const INDEX: &str = "compte:index";
/// How many such lists there are.
const LISTS: u8 = 64;
/// Keys that a user may have, and characters of what one is called.
const KEYS_MAX: usize = 100;
const LIBELLE_MAX: usize = 200;

fn index_key(list: u8) -> String {
    format!("{INDEX}:{list}")
}

/// Writes an account as it is, and its name into the index.
///
/// # Errors
/// [`ApiError::Unavailable`] where the store cannot be written.
pub async fn write<K: KeyValueWrite>(kv: &K, account: &Account) -> Result<(), ApiError> {
    Ok(record(kv, account).await?)
}

/// [`write`], with the store's own error. The name goes first: one without an account is passed over.
///
/// # Errors
/// Those of the store.
pub async fn record<K: KeyValueWrite>(kv: &K, account: &Account) -> Result<(), StoreError> {
    let list = Sha256::digest(account.username.as_bytes()).first().copied().unwrap_or_default() % LISTS;
    update(kv, &index_key(list), |names: &mut Vec<String>| {
        if let Err(rank) = names.binary_search(&account.username) {
            names.insert(rank, account.username.clone());
        }
    })
    .await?;
    kv.set(&account_key(&account.username), serde_json::to_vec(account).unwrap_or_default()).await
}

/// The names of all accounts.
///
/// # Errors
/// [`ApiError::Unavailable`] where the store cannot be read.
pub async fn list<K: KeyValue>(kv: &K) -> Result<Vec<String>, ApiError> {
    // The first versions kept one list.
    let keys = std::iter::once(INDEX.to_owned()).chain((0..LISTS).map(index_key));
    let mut names: Vec<String> = Vec::new();
    for key in keys {
        let list: Option<Vec<String>> = kv.get(&key).await?.and_then(|b| serde_json::from_slice(&b).ok());
        names.extend(list.unwrap_or_default());
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Gives a user a personal key; only its digest is kept.
///
/// # Errors
/// [`ApiError::NotFound`] for an unknown user.
pub async fn add_key<K: KeyValueWrite>(kv: &K, user: &str, key: &str, libelle: &str) -> Result<(), ApiError> {
    let mut account = read(kv, user).await?.ok_or(ApiError::NotFound("Utilisateur inconnu"))?;
    if account.keys.len() >= KEYS_MAX {
        return Err(ApiError::Refused(format!("{KEYS_MAX} clés au plus par utilisateur : en retirer une")));
    }
    if libelle.chars().count() > LIBELLE_MAX {
        return Err(ApiError::Refused(format!("libelle : {LIBELLE_MAX} caractères au plus")));
    }
    let digest = digest(key);
    kv.set(&key_of_key(&digest), user.as_bytes().to_vec()).await?;
    account.keys.push(PersonalKey { digest, libelle: libelle.to_owned() });
    write(kv, &account).await
}

/// Takes a personal key back, named by the start of its digest.
///
/// # Errors
/// [`ApiError::NotFound`] for an unknown user or key.
pub async fn remove_key<K: KeyValueWrite>(kv: &K, user: &str, start: &str) -> Result<(), ApiError> {
    let mut account = read(kv, user).await?.ok_or(ApiError::NotFound("Utilisateur inconnu"))?;
    let rank = account.keys.iter().position(|c| start.len() >= 8 && c.digest.starts_with(start));
    let rank = rank.ok_or(ApiError::NotFound("Clé inconnue"))?;
    let removed = account.keys.remove(rank);
    kv.delete_many(vec![key_of_key(&removed.digest)]).await?;
    write(kv, &account).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::accounts::valid_key;
    use futures_executor::block_on;
    use store::MemoryStore;

    fn account(password: &str) -> Account {
        Account { username: "test".into(), password: password.into(), disabled: false, keys: Vec::new() }
    }

    const HASH: &str = "$argon2id$";

    /// Invariant 8: names of accounts are listed whole, however many there are.
    #[test]
    fn invariant_8_any_number_of_accounts_is_listed() {
        block_on(async {
            let kv = MemoryStore::default();
            kv.set(INDEX, br#"["ancien","u0"]"#.to_vec()).await.unwrap();
            for n in 0..5_000 {
                let username = format!("u{n}{}", "x".repeat(90));
                write(&kv, &Account { username, ..account(HASH) }).await.unwrap();
            }
            write(&kv, &Account { username: "u0".into(), ..account(HASH) }).await.unwrap();
            assert_eq!(list(&kv).await.unwrap().len(), 5_002);
            let long = "x".repeat(1_000_000);
            assert!(matches!(add_key(&kv, "u0", "k", &long).await, Err(ApiError::Refused(_))));
            for n in 0..KEYS_MAX {
                add_key(&kv, "u0", &format!("k{n}"), "bureau").await.unwrap();
            }
            assert!(matches!(add_key(&kv, "u0", "encore", "bureau").await, Err(ApiError::Refused(_))));
        });
    }

    #[test]
    fn keys_are_kept_as_digests_and_end_with_their_account() {
        block_on(async {
            let kv = MemoryStore::default();
            write(&kv, &account(HASH)).await.unwrap();
            add_key(&kv, "test", "cle-secrete", "bureau").await.unwrap();
            assert!(valid_key(&kv, "cle-secrete").await.unwrap());
            assert!(!valid_key(&kv, "autre").await.unwrap() && !valid_key(&kv, "").await.unwrap());
            for key in kv.keys() {
                let value = kv.get(&key).await.unwrap().unwrap();
                assert!(!String::from_utf8_lossy(&value).contains("cle-secrete"), "{key}");
            }
            let mut closes = read(&kv, "test").await.unwrap().unwrap();
            closes.disabled = true;
            write(&kv, &closes).await.unwrap();
            assert!(!valid_key(&kv, "cle-secrete").await.unwrap());
            let start = closes.keys[0].digest[..8].to_owned();
            remove_key(&kv, "test", &start).await.unwrap();
            assert_eq!(list(&kv).await.unwrap(), ["test"]);
        });
    }
}
