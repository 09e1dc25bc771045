//! Accounts: users, their passwords, their personal keys.
//!
//! They lie in the store under `compte:`, apart from documents and generations. Names and keys are
//! found by digest; neither passwords nor keys are kept.

use crate::error::ApiError;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};
use store::kv::{KeyValue, KeyValueWrite, StoreError};
use store::publication::{hex, update};

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

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn account_key(user: &str) -> String {
    format!("compte:u:{}", digest(user))
}

fn key_of_key(digest: &str) -> String {
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
pub(crate) async fn record<K: KeyValueWrite>(kv: &K, account: &Account) -> Result<(), StoreError> {
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

/// Whether a new password is strong enough: 8 to 50 characters with a digit, a lower-case, an
/// upper-case and a special character.
#[must_use]
pub fn acceptable_password(password: &str) -> bool {
    let length = password.chars().count();
    let contains = |class: fn(char) -> bool| password.chars().any(class);
    (8..=50).contains(&length)
        && contains(|c| c.is_ascii_digit())
        && contains(char::is_lowercase)
        && contains(char::is_uppercase)
        && contains(|c| !c.is_alphanumeric() && !c.is_whitespace())
}

/// Argon2id with 19 MiB, 2 passes, 1 lane: the first choice of OWASP's password storage advice.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap_or_default())
}

/// Hashes a password with 16 random bytes.
#[must_use]
pub fn hash_password(password: &str, random: [u8; 16]) -> Option<String> {
    let salt = SaltString::encode_b64(&random).ok()?;
    Some(argon2().hash_password(password.as_bytes(), &salt).ok()?.to_string())
}

/// What came of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Wrong, unknown or disabled.
    Refused,
    /// Right.
    Accepted,
    /// Right, under the scheme of the former service: to be hashed again.
    ToResume,
}

/// Checks a password. An unknown or disabled account, and a wrong password under either scheme,
/// cost one Argon2id as a right one does.
#[must_use]
pub fn verify(account: Option<&Account>, password: &str) -> Verification {
    const NONE: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let freshness = account.filter(|c| !c.disabled).map_or("", |c| c.password.as_str());
    let argon = if freshness.starts_with("$argon2") { freshness } else { NONE };
    let matches =
        PasswordHash::new(argon).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok());
    if matches && argon != NONE {
        return Verification::Accepted;
    }
    if old_one_matches(freshness, password) == Some(true) { Verification::ToResume } else { Verification::Refused }
}

/// `hex$iterations$salt`; `None` where it is of another form.
fn old_one_matches(freshness: &str, password: &str) -> Option<bool> {
    let mut parts = freshness.split('$');
    let (expected, iterations, salt) = (parts.next()?, parts.next()?, parts.next()?);
    let iterations: u32 = iterations.parse().ok()?;
    let mut computed = [0; 64];
    pbkdf2::pbkdf2_hmac::<Sha512>(password.as_bytes(), salt.as_bytes(), iterations.max(1), &mut computed);
    Some(crate::access::equal(hex(&computed).as_bytes(), expected.to_ascii_lowercase().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use store::MemoryStore;

    fn account(password: &str) -> Account {
        Account { username: "test".into(), password: password.into(), disabled: false, keys: Vec::new() }
    }

    /// The recorded password of the former service.
    const OLD: &str = "93edede8ec63d84b72ed3430a8296ed66a8aff4f7f11f9f48d2cb064c22077f7fbc575ee77160bbdd8e92fa61f79cc2af1dcb4c355f3d4da7e4070355fb5287a$2$00112233445566778899aabbccddeeff";

    #[test]
    fn passwords_of_both_schemes_are_checked() {
        let old = account(OLD);
        assert_eq!(verify(Some(&old), "Password1234!"), Verification::ToResume);
        assert_eq!(verify(Some(&old), "password1234!"), Verification::Refused);
        let new = account(&hash_password("Password1234!", [7; 16]).unwrap());
        assert_eq!(verify(Some(&new), "Password1234!"), Verification::Accepted);
        assert_eq!(verify(Some(&new), ""), Verification::Refused);
        assert_eq!(verify(None, "Password1234!"), Verification::Refused);
        assert_eq!(verify(Some(&account("")), ""), Verification::Refused);
        let closes = Account { disabled: true, ..old };
        assert_eq!(verify(Some(&closes), "Password1234!"), Verification::Refused);
    }

    #[test]
    fn new_passwords_follow_the_policy() {
        for (word, accepts) in [
            ("Password1234!", true),
            ("Ab1!xyz", false),
            ("password1234!", false),
            ("PASSWORD1234!", false),
            ("Password!", false),
            ("Password1234", false),
            (&"Aa1!".repeat(13), false),
        ] {
            assert_eq!(acceptable_password(word), accepts, "{word}");
        }
    }

    /// Invariant 8: names of accounts are listed whole, however many there are.
    #[test]
    fn invariant_8_any_number_of_accounts_is_listed() {
        block_on(async {
            let kv = MemoryStore::default();
            kv.set(INDEX, br#"["ancien","u0"]"#.to_vec()).await.unwrap();
            for n in 0..5_000 {
                let username = format!("u{n}{}", "x".repeat(90));
                write(&kv, &Account { username, ..account(OLD) }).await.unwrap();
            }
            write(&kv, &Account { username: "u0".into(), ..account(OLD) }).await.unwrap();
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
            write(&kv, &account(OLD)).await.unwrap();
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
