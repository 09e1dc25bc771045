//! Accounts: users, their passwords, their personal keys.
//!
//! They lie in the store under `compte:`, apart from documents and generations. Names and keys are
//! found by digest; neither passwords nor keys are kept.

use crate::erreur::Erreur;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};
use store::kv::{KeyValue, KeyValueWrite, StoreError};
use store::publication::{changer, hex};

/// Where the names of all accounts are kept, so that they can be listed without listing keys: by their digests, so that
/// no list grows beyond a value.
const INDEX: &str = "compte:index";
/// How many such lists there are.
const LISTES: u8 = 64;
/// Keys that a user may have, and characters of what one is called.
const CLES_MAX: usize = 100;
const LIBELLE_MAX: usize = 200;

fn cle_index(liste: u8) -> String {
    format!("{INDEX}:{liste}")
}

/// What is kept of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compte {
    /// The name, as given.
    pub username: String,
    /// An Argon2id hash, or `hex$iterations$salt` of the former service (PBKDF2-HMAC-SHA512, 64
    /// bytes, the salt taken as text) until the next login.
    pub password: String,
    /// Disabled accounts log in no more, and their tokens and keys are refused.
    #[serde(default)]
    pub desactive: bool,
    /// Digests of personal keys, with a label each.
    #[serde(default)]
    pub cles: Vec<Cle>,
}

/// A personal key, as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cle {
    /// SHA-256 of the key, in hexadecimal.
    pub empreinte: String,
    /// What its owner calls it.
    pub libelle: String,
}

fn empreinte(texte: &str) -> String {
    hex(&Sha256::digest(texte.as_bytes()))
}

fn cle_compte(utilisateur: &str) -> String {
    format!("compte:u:{}", empreinte(utilisateur))
}

fn cle_cle(empreinte: &str) -> String {
    format!("compte:k:{empreinte}")
}

/// The account of a user.
///
/// # Errors
/// [`Erreur::Indisponible`] where the store cannot be read.
pub async fn lire<K: KeyValue>(kv: &K, utilisateur: &str) -> Result<Option<Compte>, Erreur> {
    let bytes = kv.get(&cle_compte(utilisateur)).await?;
    Ok(bytes.and_then(|b| serde_json::from_slice(&b).ok()))
}

/// Whether a user exists and is not disabled.
///
/// # Errors
/// [`Erreur::Indisponible`] where the store cannot be read.
pub async fn est_actif<K: KeyValue>(kv: &K, utilisateur: &str) -> Result<bool, Erreur> {
    Ok(lire(kv, utilisateur).await?.is_some_and(|c| !c.desactive))
}

/// Whether a personal key belongs to an active account.
///
/// # Errors
/// [`Erreur::Indisponible`] where the store cannot be read.
pub async fn cle_valide<K: KeyValue>(kv: &K, cle: &str) -> Result<bool, Erreur> {
    if cle.is_empty() {
        return Ok(false);
    }
    let empreinte = empreinte(cle);
    let Some(proprietaire) = kv.get(&cle_cle(&empreinte)).await? else { return Ok(false) };
    let compte = lire(kv, &String::from_utf8_lossy(&proprietaire)).await?;
    Ok(compte.is_some_and(|c| !c.desactive && c.cles.iter().any(|k| k.empreinte == empreinte)))
}

/// Writes an account as it is, and its name into the index.
///
/// # Errors
/// [`Erreur::Indisponible`] where the store cannot be written.
pub async fn ecrire<K: KeyValueWrite>(kv: &K, compte: &Compte) -> Result<(), Erreur> {
    Ok(inscrire(kv, compte).await?)
}

/// [`ecrire`], with the store's own error. The name goes first: one without an account is passed over.
///
/// # Errors
/// Those of the store.
pub(crate) async fn inscrire<K: KeyValueWrite>(kv: &K, compte: &Compte) -> Result<(), StoreError> {
    let liste = Sha256::digest(compte.username.as_bytes()).first().copied().unwrap_or_default() % LISTES;
    changer(kv, &cle_index(liste), |noms: &mut Vec<String>| {
        if let Err(rang) = noms.binary_search(&compte.username) {
            noms.insert(rang, compte.username.clone());
        }
    })
    .await?;
    kv.set(&cle_compte(&compte.username), serde_json::to_vec(compte).unwrap_or_default()).await
}

/// The names of all accounts.
///
/// # Errors
/// [`Erreur::Indisponible`] where the store cannot be read.
pub async fn lister<K: KeyValue>(kv: &K) -> Result<Vec<String>, Erreur> {
    // The first versions kept one list.
    let cles = std::iter::once(INDEX.to_owned()).chain((0..LISTES).map(cle_index));
    let mut noms: Vec<String> = Vec::new();
    for cle in cles {
        let liste: Option<Vec<String>> = kv.get(&cle).await?.and_then(|b| serde_json::from_slice(&b).ok());
        noms.extend(liste.unwrap_or_default());
    }
    noms.sort_unstable();
    noms.dedup();
    Ok(noms)
}

/// Gives a user a personal key; only its digest is kept.
///
/// # Errors
/// [`Erreur::Introuvable`] for an unknown user.
pub async fn ajouter_cle<K: KeyValueWrite>(kv: &K, utilisateur: &str, cle: &str, libelle: &str) -> Result<(), Erreur> {
    let mut compte = lire(kv, utilisateur).await?.ok_or(Erreur::Introuvable("Utilisateur inconnu"))?;
    if compte.cles.len() >= CLES_MAX {
        return Err(Erreur::Refuse(format!("{CLES_MAX} clés au plus par utilisateur : en retirer une")));
    }
    if libelle.chars().count() > LIBELLE_MAX {
        return Err(Erreur::Refuse(format!("libelle : {LIBELLE_MAX} caractères au plus")));
    }
    let empreinte = empreinte(cle);
    kv.set(&cle_cle(&empreinte), utilisateur.as_bytes().to_vec()).await?;
    compte.cles.push(Cle { empreinte, libelle: libelle.to_owned() });
    ecrire(kv, &compte).await
}

/// Takes a personal key back, named by the start of its digest.
///
/// # Errors
/// [`Erreur::Introuvable`] for an unknown user or key.
pub async fn retirer_cle<K: KeyValueWrite>(kv: &K, utilisateur: &str, debut: &str) -> Result<(), Erreur> {
    let mut compte = lire(kv, utilisateur).await?.ok_or(Erreur::Introuvable("Utilisateur inconnu"))?;
    let rang = compte.cles.iter().position(|c| debut.len() >= 8 && c.empreinte.starts_with(debut));
    let rang = rang.ok_or(Erreur::Introuvable("Clé inconnue"))?;
    let retiree = compte.cles.remove(rang);
    kv.delete_many(vec![cle_cle(&retiree.empreinte)]).await?;
    ecrire(kv, &compte).await
}

/// Whether a new password is strong enough: 8 to 50 characters with a digit, a lower-case, an
/// upper-case and a special character.
#[must_use]
pub fn mot_de_passe_acceptable(mot_de_passe: &str) -> bool {
    let longueur = mot_de_passe.chars().count();
    let contient = |genre: fn(char) -> bool| mot_de_passe.chars().any(genre);
    (8..=50).contains(&longueur)
        && contient(|c| c.is_ascii_digit())
        && contient(char::is_lowercase)
        && contient(char::is_uppercase)
        && contient(|c| !c.is_alphanumeric() && !c.is_whitespace())
}

/// Argon2id with 19 MiB, 2 passes, 1 lane: the first choice of OWASP's password storage advice.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap_or_default())
}

/// Hashes a password with 16 random bytes.
#[must_use]
pub fn hacher(mot_de_passe: &str, alea: [u8; 16]) -> Option<String> {
    let sel = SaltString::encode_b64(&alea).ok()?;
    Some(argon2().hash_password(mot_de_passe.as_bytes(), &sel).ok()?.to_string())
}

/// What came of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Wrong, unknown or disabled.
    Refusee,
    /// Right.
    Acceptee,
    /// Right, under the scheme of the former service: to be hashed again.
    AReprendre,
}

/// Checks a password. An unknown or disabled account, and a wrong password under either scheme,
/// cost one Argon2id as a right one does.
#[must_use]
pub fn verifier(compte: Option<&Compte>, mot_de_passe: &str) -> Verification {
    const AUCUN: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let garde = compte.filter(|c| !c.desactive).map_or("", |c| c.password.as_str());
    let argon = if garde.starts_with("$argon2") { garde } else { AUCUN };
    let juste =
        PasswordHash::new(argon).is_ok_and(|hash| argon2().verify_password(mot_de_passe.as_bytes(), &hash).is_ok());
    if juste && argon != AUCUN {
        return Verification::Acceptee;
    }
    if ancien_juste(garde, mot_de_passe) == Some(true) { Verification::AReprendre } else { Verification::Refusee }
}

/// `hex$iterations$salt`; `None` where it is of another form.
fn ancien_juste(garde: &str, mot_de_passe: &str) -> Option<bool> {
    let mut parties = garde.split('$');
    let (attendu, iterations, sel) = (parties.next()?, parties.next()?, parties.next()?);
    let iterations: u32 = iterations.parse().ok()?;
    let mut calcule = [0; 64];
    pbkdf2::pbkdf2_hmac::<Sha512>(mot_de_passe.as_bytes(), sel.as_bytes(), iterations.max(1), &mut calcule);
    Some(crate::acces::egaux(hex(&calcule).as_bytes(), attendu.to_ascii_lowercase().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use store::Memoire;

    fn compte(password: &str) -> Compte {
        Compte { username: "test".into(), password: password.into(), desactive: false, cles: Vec::new() }
    }

    /// The recorded password of the former service.
    const ANCIEN: &str = "93edede8ec63d84b72ed3430a8296ed66a8aff4f7f11f9f48d2cb064c22077f7fbc575ee77160bbdd8e92fa61f79cc2af1dcb4c355f3d4da7e4070355fb5287a$2$00112233445566778899aabbccddeeff";

    #[test]
    fn passwords_of_both_schemes_are_checked() {
        let ancien = compte(ANCIEN);
        assert_eq!(verifier(Some(&ancien), "Password1234!"), Verification::AReprendre);
        assert_eq!(verifier(Some(&ancien), "password1234!"), Verification::Refusee);
        let nouveau = compte(&hacher("Password1234!", [7; 16]).unwrap());
        assert_eq!(verifier(Some(&nouveau), "Password1234!"), Verification::Acceptee);
        assert_eq!(verifier(Some(&nouveau), ""), Verification::Refusee);
        assert_eq!(verifier(None, "Password1234!"), Verification::Refusee);
        assert_eq!(verifier(Some(&compte("")), ""), Verification::Refusee);
        let ferme = Compte { desactive: true, ..ancien };
        assert_eq!(verifier(Some(&ferme), "Password1234!"), Verification::Refusee);
    }

    #[test]
    fn new_passwords_follow_the_policy() {
        for (mot, accepte) in [
            ("Password1234!", true),
            ("Ab1!xyz", false),
            ("password1234!", false),
            ("PASSWORD1234!", false),
            ("Password!", false),
            ("Password1234", false),
            (&"Aa1!".repeat(13), false),
        ] {
            assert_eq!(mot_de_passe_acceptable(mot), accepte, "{mot}");
        }
    }

    /// Invariant 8: names of accounts are listed whole, however many there are.
    #[test]
    fn invariant_8_any_number_of_accounts_is_listed() {
        block_on(async {
            let kv = Memoire::default();
            kv.set(INDEX, br#"["ancien","u0"]"#.to_vec()).await.unwrap();
            for n in 0..5_000 {
                let username = format!("u{n}{}", "x".repeat(90));
                ecrire(&kv, &Compte { username, ..compte(ANCIEN) }).await.unwrap();
            }
            ecrire(&kv, &Compte { username: "u0".into(), ..compte(ANCIEN) }).await.unwrap();
            assert_eq!(lister(&kv).await.unwrap().len(), 5_002);
            let long = "x".repeat(1_000_000);
            assert!(matches!(ajouter_cle(&kv, "u0", "k", &long).await, Err(Erreur::Refuse(_))));
            for n in 0..CLES_MAX {
                ajouter_cle(&kv, "u0", &format!("k{n}"), "bureau").await.unwrap();
            }
            assert!(matches!(ajouter_cle(&kv, "u0", "encore", "bureau").await, Err(Erreur::Refuse(_))));
        });
    }

    #[test]
    fn keys_are_kept_as_digests_and_end_with_their_account() {
        block_on(async {
            let kv = Memoire::default();
            ecrire(&kv, &compte(ANCIEN)).await.unwrap();
            ajouter_cle(&kv, "test", "cle-secrete", "bureau").await.unwrap();
            assert!(cle_valide(&kv, "cle-secrete").await.unwrap());
            assert!(!cle_valide(&kv, "autre").await.unwrap() && !cle_valide(&kv, "").await.unwrap());
            for key in kv.keys() {
                let value = kv.get(&key).await.unwrap().unwrap();
                assert!(!String::from_utf8_lossy(&value).contains("cle-secrete"), "{key}");
            }
            let mut ferme = lire(&kv, "test").await.unwrap().unwrap();
            ferme.desactive = true;
            ecrire(&kv, &ferme).await.unwrap();
            assert!(!cle_valide(&kv, "cle-secrete").await.unwrap());
            let debut = ferme.cles[0].empreinte[..8].to_owned();
            retirer_cle(&kv, "test", &debut).await.unwrap();
            assert_eq!(lister(&kv).await.unwrap(), ["test"]);
        });
    }
}
