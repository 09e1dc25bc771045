//! Accounts as they are written: users, their passwords, their personal keys, and the login that checks them.
//!
//! What access reads of them is in [`api::accounts`]: a component that only reads links no password hashing.

mod gate;
pub mod login;
pub mod password;

use api::accounts::{Account, PersonalKey, account_key, digest, key_of_key, read};
use api::error::{ApiError, NotFound};
use sha2::{Digest, Sha256};
use store::exchange::update;
use store::kv::{KeyValue, KeyValueWrite, StoreError, to_json};

/// Where the names of all accounts are kept, so that they can be listed without listing keys: by their digests, so that
/// no list grows beyond a value.
const INDEX: &str = "compte:index";
/// How many such lists there are.
const LISTS: u8 = 64;
/// Keys that a user may have, and characters of what one is called.
const KEYS_MAX: usize = 100;
const LIBELLE_MAX: usize = 200;

const UNKNOWN_USER: ApiError = ApiError::NotFound(NotFound::User);

fn index_key(list: u8) -> String {
    format!("{INDEX}:{list}")
}

/// Attempts at a compare-and-swap before giving up.
const ATTEMPTS: usize = 20;

/// Changes an account, by compare-and-swap: the only way there is, so that no change undoes another that was made at the
/// same time. `None` where there is no such account. The change is made again where another one came first.
///
/// # Errors
/// Those of the store.
pub async fn change<K: KeyValueWrite, T>(
    kv: &K,
    user: &str,
    mut change: impl FnMut(&mut Account) -> T,
) -> Result<Option<T>, StoreError> {
    let key = account_key(user);
    for _ in 0..ATTEMPTS {
        let Some(bytes) = kv.get(&key).await? else { return Ok(None) };
        let mut account = Account::decode(&key, &bytes)?;
        let output = change(&mut account);
        let new = to_json(&key, &account)?;
        if new == bytes || kv.swap(&key, &bytes, new).await? {
            return Ok(Some(output));
        }
    }
    Err(StoreError::Unavailable(format!("{key} keeps changing")))
}

/// Gives a user a password, and makes the account where there is none. A disabled account stays disabled.
///
/// Where the store has no way to write only what is absent, the later of two calls that make the same account at the same
/// moment stands.
///
/// # Errors
/// Those of the store.
pub async fn set_password<K: KeyValueWrite>(kv: &K, user: &str, password: &str) -> Result<(), StoreError> {
    make(kv, user, password, |_| ()).await
}

/// [`set_password`], and the account is enabled: what an operator asks for.
///
/// # Errors
/// Those of the store.
pub async fn open<K: KeyValueWrite>(kv: &K, user: &str, password: &str) -> Result<(), StoreError> {
    make(kv, user, password, |account| account.disabled = false).await
}

async fn make<K: KeyValueWrite>(
    kv: &K,
    user: &str,
    password: &str,
    rest: impl Fn(&mut Account),
) -> Result<(), StoreError> {
    // The name goes first: one without an account is passed over.
    let list = Sha256::digest(user.as_bytes()).first().copied().unwrap_or_default() % LISTS;
    update(kv, &index_key(list), |names: &mut Vec<String>| {
        if let Err(rank) = names.binary_search_by(|name| name.as_str().cmp(user)) {
            names.insert(rank, user.to_owned());
        }
    })
    .await?;
    let changed = change(kv, user, |account| {
        account.change_password(password.to_owned());
        rest(account);
    });
    if changed.await?.is_none() {
        let account = Account::new(user, password.to_owned());
        let key = account_key(user);
        if !kv.create(&key, to_json(&key, &account)?).await? {
            return Err(StoreError::Unavailable(format!("{key} was just made")));
        }
    }
    Ok(())
}

/// Disables an account: its tokens and keys open nothing more.
///
/// # Errors
/// [`ApiError::NotFound`] for an unknown user.
pub async fn disable<K: KeyValueWrite>(kv: &K, user: &str) -> Result<(), ApiError> {
    change(kv, user, |account| account.disabled = true).await?.ok_or(UNKNOWN_USER)
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
    if read(kv, user).await?.is_none() {
        return Err(UNKNOWN_USER);
    }
    if libelle.chars().count() > LIBELLE_MAX {
        return Err(ApiError::Refused(format!("libelle : {LIBELLE_MAX} caractères au plus")));
    }
    let digest = digest(key);
    // The owner's name goes first: a key that its account does not hold opens nothing.
    kv.set(&key_of_key(&digest), user.as_bytes().to_vec()).await?;
    let added = change(kv, user, |account| {
        let room = account.keys.len() < KEYS_MAX;
        if room {
            account.keys.push(PersonalKey { digest: digest.clone(), libelle: libelle.to_owned() });
        }
        room
    });
    if added.await?.ok_or(UNKNOWN_USER)? {
        return Ok(());
    }
    kv.delete_many(vec![key_of_key(&digest)]).await?;
    Err(ApiError::Refused(format!("{KEYS_MAX} clés au plus par utilisateur : en retirer une")))
}

/// Takes a personal key back, named by the start of its digest.
///
/// # Errors
/// [`ApiError::NotFound`] for an unknown user or key.
pub async fn remove_key<K: KeyValueWrite>(kv: &K, user: &str, start: &str) -> Result<(), ApiError> {
    let removed = change(kv, user, |account| {
        let rank = account.keys.iter().position(|c| start.len() >= 8 && c.digest.starts_with(start))?;
        Some(account.keys.remove(rank))
    });
    let removed = removed.await?.ok_or(UNKNOWN_USER)?.ok_or(ApiError::NotFound(NotFound::Key))?;
    Ok(kv.delete_many(vec![key_of_key(&removed.digest)]).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::accounts::owner_of_key;
    use futures_executor::block_on;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use store::MemoryStore;

    const HASH: &str = "$argon2id$";

    /// Invariant 8: names of accounts are listed whole, however many there are.
    #[test]
    fn invariant_8_any_number_of_accounts_is_listed() {
        block_on(async {
            let kv = MemoryStore::default();
            kv.set(INDEX, br#"["ancien","u0"]"#.to_vec()).await.unwrap();
            for n in 0..5_000 {
                let username = format!("u{n}{}", "x".repeat(90));
                set_password(&kv, &username, HASH).await.unwrap();
            }
            set_password(&kv, "u0", HASH).await.unwrap();
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
            set_password(&kv, "test", HASH).await.unwrap();
            add_key(&kv, "test", "cle-secrete", "bureau").await.unwrap();
            assert!(owner_of_key(&kv, "cle-secrete").await.unwrap().is_some());
            for other in ["autre", ""] {
                assert_eq!(owner_of_key(&kv, other).await.unwrap(), None);
            }
            for key in kv.keys() {
                let value = kv.get(&key).await.unwrap().unwrap();
                assert!(!String::from_utf8_lossy(&value).contains("cle-secrete"), "{key}");
            }
            disable(&kv, "test").await.unwrap();
            let closes = read(&kv, "test").await.unwrap().unwrap();
            assert_eq!(owner_of_key(&kv, "cle-secrete").await.unwrap(), None);
            let start = closes.keys[0].digest[..8].to_owned();
            remove_key(&kv, "test", &start).await.unwrap();
            assert_eq!(list(&kv).await.unwrap(), ["test"]);
            assert!(matches!(disable(&kv, "autre").await, Err(ApiError::NotFound(_))));
        });
    }

    #[test]
    fn what_changes_an_account_at_the_same_time_undoes_nothing() {
        block_on(async {
            let kv = MemoryStore::default();
            set_password(&kv, "test", HASH).await.unwrap();
            let mut first = true;
            change(&kv, "test", |account| {
                // Between the read and the swap of this change the account is disabled.
                if std::mem::take(&mut first) {
                    let disabled = pin!(disable(&kv, "test")).poll(&mut Context::from_waker(Waker::noop()));
                    assert_eq!(disabled, Poll::Ready(Ok(())));
                }
                account.password = "hachage neuf".into();
            })
            .await
            .unwrap();
            let account = read(&kv, "test").await.unwrap().unwrap();
            assert!(account.disabled && account.password == "hachage neuf");
            // A push of the user does not enable it either; the operator's own call does.
            set_password(&kv, "test", "autre$1$s").await.unwrap();
            assert!(read(&kv, "test").await.unwrap().unwrap().disabled);
            open(&kv, "test", "encore$1$s").await.unwrap();
            assert!(!read(&kv, "test").await.unwrap().unwrap().disabled);
        });
    }

    #[test]
    fn an_account_that_cannot_be_read_is_not_made_anew() {
        block_on(async {
            let kv = MemoryStore::default();
            kv.set(&account_key("test"), b"{\"username\":\"te".to_vec()).await.unwrap();
            assert!(set_password(&kv, "test", HASH).await.is_err());
            assert_eq!(read(&kv, "test").await, Err(ApiError::Unavailable));
        });
    }
}
