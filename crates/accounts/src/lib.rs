//! Accounts as they are written: users, their passwords, their personal keys, and the login that checks them.
//!
//! What access reads of them is in [`api::accounts`]: a component that only reads links no password hashing.

mod gate;
pub mod login;
mod own_key;
pub mod password;
mod slot;

pub use own_key::respond;

use api::accounts::{Account, PersonalKey, account_key, digest, key_of_key, read};
use api::error::{ApiError, NotFound};
use domain::date;
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

/// What is said of a key when it is made.
#[derive(Clone, Debug, Default)]
pub struct KeyTerms<'a> {
    /// What its owner calls it.
    pub libelle: &'a str,
    /// Who is told of it.
    pub contact: &'a str,
    /// The last day that it opens anything, `2027-11-27`; none for a key without an end.
    pub expires: Option<&'a str>,
    /// The day that it is made.
    pub today: &'a str,
}

impl KeyTerms<'_> {
    fn check(&self) -> Result<(), ApiError> {
        for (name, text) in [("libelle", self.libelle), ("contact", self.contact)] {
            if text.chars().count() > LIBELLE_MAX {
                return Err(ApiError::Refused(format!("{name} : {LIBELLE_MAX} caractères au plus")));
            }
        }
        match self.expires {
            Some(day) if !is_day(day) => Err(ApiError::Refused("expire_le : un jour, comme 2027-11-27".to_owned())),
            _ => Ok(()),
        }
    }

    fn key(&self, digest: &str) -> PersonalKey {
        PersonalKey {
            contact: self.contact.to_owned(),
            created: Some(self.today.to_owned()),
            expires: self.expires.map(str::to_owned),
            ..PersonalKey::new(digest.to_owned(), self.libelle)
        }
    }
}

/// Whether a text is a day as keys write it: days are compared as texts.
fn is_day(text: &str) -> bool {
    date::read_iso(text).is_some_and(|instant| date::write_day(instant) == text)
}

/// Gives a user a personal key; only its digest is kept.
///
/// # Errors
/// [`ApiError::NotFound`] for an unknown user, [`ApiError::Refused`] for terms that are none.
pub async fn add_key<K: KeyValueWrite>(kv: &K, user: &str, key: &str, terms: &KeyTerms<'_>) -> Result<(), ApiError> {
    terms.check()?;
    register(kv, user, key, |account, digest| {
        account.keys.push(terms.key(digest));
        Some(())
    })
    .await
}

/// Gives a user a key in the place of another, named by the start of its digest. The new one has the same label and
/// contact; the old one still opens what it did until `until`, so that nothing is refused while programs change over.
///
/// # Errors
/// Those of [`add_key`]; [`ApiError::NotFound`] for an unknown key.
pub async fn rotate_key<K: KeyValueWrite>(
    kv: &K,
    user: &str,
    start: &str,
    key: &str,
    (until, terms): (&str, &KeyTerms<'_>),
) -> Result<(), ApiError> {
    terms.check()?;
    register(kv, user, key, |account, digest| {
        let old = account.keys.iter_mut().find(|key| is_named(key, start))?;
        // It ends no later than it did.
        if old.expires.as_ref().is_none_or(|last| last.as_str() > until) {
            old.expires = Some(until.to_owned());
        }
        let (libelle, contact) = (old.libelle.clone(), old.contact.clone());
        account.keys.push(PersonalKey { libelle, contact, ..terms.key(digest) });
        Some(())
    })
    .await
}

/// Registers a key, and changes its account by `add`, which says `None` where there is nothing to change.
async fn register<K: KeyValueWrite>(
    kv: &K,
    user: &str,
    key: &str,
    add: impl Fn(&mut Account, &str) -> Option<()>,
) -> Result<(), ApiError> {
    if read(kv, user).await?.is_none() {
        return Err(UNKNOWN_USER);
    }
    let digest = digest(key);
    // The owner's name goes first: a key that its account does not hold opens nothing.
    kv.set(&key_of_key(&digest), user.as_bytes().to_vec()).await?;
    let added = change(kv, user, |account| {
        if account.keys.len() >= KEYS_MAX {
            return Err(ApiError::Refused(format!("{KEYS_MAX} clés au plus par utilisateur : en retirer une")));
        }
        add(account, &digest).ok_or(ApiError::NotFound(NotFound::Key))
    });
    let added = added.await?.ok_or(UNKNOWN_USER)?;
    if added.is_err() {
        kv.delete_many(vec![key_of_key(&digest)]).await?;
    }
    added
}

/// Whether a key is meant by the start of its digest.
fn is_named(key: &PersonalKey, start: &str) -> bool {
    start.len() >= 8 && key.digest.starts_with(start)
}

/// Takes note of the days that keys of a user were used last, by their names; reads cannot write them, logs tell them.
/// An earlier day than the one that is known, a name that is none, and what is no day change nothing. How many keys
/// were found.
///
/// # Errors
/// [`ApiError::NotFound`] for an unknown user.
pub async fn note_uses<'a, K: KeyValueWrite>(
    kv: &K,
    user: &str,
    uses: impl Fn(&str) -> Option<&'a str>,
) -> Result<usize, ApiError> {
    let noted = change(kv, user, |account| {
        let mut found = 0;
        for key in &mut account.keys {
            let Some(day) = uses(key.name()).filter(|day| is_day(day)) else { continue };
            found += 1;
            if key.last_used.as_deref().is_none_or(|known| known < day) {
                key.last_used = Some(day.to_owned());
            }
        }
        found
    });
    noted.await?.ok_or(UNKNOWN_USER)
}

/// Takes a personal key back, named by the start of its digest.
///
/// # Errors
/// [`ApiError::NotFound`] for an unknown user or key.
pub async fn remove_key<K: KeyValueWrite>(kv: &K, user: &str, start: &str) -> Result<(), ApiError> {
    let removed = change(kv, user, |account| {
        let rank = account.keys.iter().position(|key| is_named(key, start))?;
        Some(account.keys.remove(rank))
    });
    let removed = removed.await?.ok_or(UNKNOWN_USER)?.ok_or(ApiError::NotFound(NotFound::Key))?;
    Ok(kv.delete_many(vec![key_of_key(&removed.digest)]).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::accounts::find_key;
    use futures_executor::block_on;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use store::MemoryStore;

    const HASH: &str = "$argon2id$";

    fn terms(libelle: &str) -> KeyTerms<'_> {
        KeyTerms { libelle, contact: "equipe@exemple.fr", expires: None, today: "2026-11-27" }
    }

    const DAY: i64 = 86_400_000;

    #[test]
    fn a_key_opens_until_the_end_of_its_last_day_and_another_takes_its_place_without_a_break() {
        block_on(async {
            let kv = MemoryStore::default();
            set_password(&kv, "test", HASH).await.unwrap();
            for wrong in ["2026-13-01", "demain", "2026-11-27T00:00:00Z", "2026-1-1"] {
                let terms = KeyTerms { expires: Some(wrong), ..terms("bureau") };
                assert!(matches!(add_key(&kv, "test", "k", &terms).await, Err(ApiError::Refused(_))), "{wrong}");
            }
            let ends = KeyTerms { expires: Some("2026-12-31"), ..terms("bureau") };
            add_key(&kv, "test", "ancienne", &ends).await.unwrap();
            let old = find_key(&kv, "ancienne").await.unwrap().unwrap().key;
            let last = date::read_iso("2026-12-31T00:00:00Z").unwrap();
            assert!(old.is_valid(last + DAY - 1) && !old.is_valid(last + DAY));
            let name = old.name().to_owned();
            let unknown = rotate_key(&kv, "test", "00000000", "neuve", ("2026-12-01", &terms(""))).await;
            assert_eq!(unknown, Err(ApiError::NotFound(NotFound::Key)));
            assert_eq!(find_key(&kv, "neuve").await.unwrap(), None);
            rotate_key(&kv, "test", &name, "neuve", ("2026-12-01", &terms(""))).await.unwrap();
            let old = find_key(&kv, "ancienne").await.unwrap().unwrap().key;
            let new = find_key(&kv, "neuve").await.unwrap().unwrap().key;
            assert_eq!(old.expires.as_deref(), Some("2026-12-01"));
            assert_eq!(
                (new.libelle.as_str(), new.contact.as_str(), new.expires),
                ("bureau", "equipe@exemple.fr", None)
            );
            rotate_key(&kv, "test", &name, "encore", ("2027-12-01", &terms(""))).await.unwrap();
            let old = find_key(&kv, "ancienne").await.unwrap().unwrap().key;
            assert_eq!(old.expires.as_deref(), Some("2026-12-01"), "no later than it did");
        });
    }

    #[test]
    fn the_last_day_of_a_key_only_goes_forward_and_is_a_day() {
        block_on(async {
            let kv = MemoryStore::default();
            set_password(&kv, "test", HASH).await.unwrap();
            add_key(&kv, "test", "cle", &terms("bureau")).await.unwrap();
            let name = find_key(&kv, "cle").await.unwrap().unwrap().key.name().to_owned();
            for (day, known, found) in [
                ("2026-11-20", "2026-11-20", 1),
                ("2026-11-10", "2026-11-20", 1),
                ("9999", "2026-11-20", 0),
                ("2026-11-27", "2026-11-27", 1),
            ] {
                let noted = note_uses(&kv, "test", |key| (key == name).then_some(day)).await.unwrap();
                let key = find_key(&kv, "cle").await.unwrap().unwrap().key;
                assert_eq!((noted, key.last_used.as_deref()), (found, Some(known)), "{day}");
            }
        });
    }

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
            assert!(matches!(add_key(&kv, "u0", "k", &terms(&long)).await, Err(ApiError::Refused(_))));
            for n in 0..KEYS_MAX {
                add_key(&kv, "u0", &format!("k{n}"), &terms("bureau")).await.unwrap();
            }
            assert!(matches!(add_key(&kv, "u0", "encore", &terms("bureau")).await, Err(ApiError::Refused(_))));
        });
    }

    #[test]
    fn keys_are_kept_as_digests_and_end_with_their_account() {
        block_on(async {
            let kv = MemoryStore::default();
            set_password(&kv, "test", HASH).await.unwrap();
            add_key(&kv, "test", "cle-secrete", &terms("bureau")).await.unwrap();
            assert!(find_key(&kv, "cle-secrete").await.unwrap().is_some());
            for other in ["autre", ""] {
                assert_eq!(find_key(&kv, other).await.unwrap(), None);
            }
            for key in kv.keys() {
                let value = kv.get(&key).await.unwrap().unwrap();
                assert!(!String::from_utf8_lossy(&value).contains("cle-secrete"), "{key}");
            }
            disable(&kv, "test").await.unwrap();
            let closes = read(&kv, "test").await.unwrap().unwrap();
            assert_eq!(find_key(&kv, "cle-secrete").await.unwrap(), None);
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
