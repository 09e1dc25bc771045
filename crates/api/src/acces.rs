//! Who may read lists: keys and tokens.
//!
//! Accepted: the legacy key and personal keys in `x-api-key` or `?apiKey=`, tokens there too and as
//! `Authorization: Bearer`. One valid credential is enough, whatever the others. An empty secret
//! denies; comparisons take constant time.

use crate::comptes;
use crate::erreur::Erreur;
use crate::{Monde, Requete};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The key in the query. It never reaches a log, nor a link in an answer.
pub const CLE_EN_QUERY: &str = "apiKey";
/// The issuer of tokens.
pub const EMETTEUR: &str = "exposition-ij";
/// How long a token lives: one day.
pub const DUREE_JETON_S: i64 = 86_400;

/// Equal, in a time that depends on lengths only.
#[must_use]
pub fn egaux(a: &[u8], b: &[u8]) -> bool {
    !a.is_empty() && a.ct_eq(b).into()
}

/// Lets through whoever carries a valid credential.
///
/// # Errors
/// [`Erreur::NonAutorise`], or [`Erreur::Indisponible`] where accounts cannot be read.
pub async fn exiger<M: Monde>(monde: &M, requete: &Requete) -> Result<(), Erreur> {
    let mode = monde.variable("authentification").await;
    if matches!(mode.as_str(), "gateway" | "both") {
        let nom = monde.variable("entete_passerelle").await.to_ascii_lowercase();
        let secret = monde.variable("secret_passerelle").await;
        if requete.entete(nom).is_some_and(|recu| egaux(secret.as_bytes(), recu.as_bytes())) {
            return Ok(());
        }
        if mode == "gateway" {
            return Err(Erreur::NonAutorise);
        }
    }
    let cles = requete.parametres().into_iter().filter(|(nom, _)| nom == CLE_EN_QUERY).flat_map(|(_, v)| v);
    let cles: Vec<String> = cles.filter(|cle| !cle.is_empty()).collect();
    let cle = match cles.as_slice() {
        [] => requete.entete("x-api-key").unwrap_or_default(),
        [seule] => seule,
        _ => return Err(Erreur::NonAutorise),
    };
    let ancienne = monde.variable("legacy_api_key").await;
    if egaux(ancienne.as_bytes(), cle.as_bytes()) {
        return Ok(());
    }
    let jeton = requete.entete("authorization").and_then(|entete| {
        let (schema, jeton) = entete.split_once(' ')?;
        schema.eq_ignore_ascii_case("bearer").then(|| jeton.trim())
    });
    let secret = monde.variable("jwt_secret").await;
    let maintenant = monde.maintenant_ms().div_euclid(1000);
    for jeton in [Some(cle), jeton].into_iter().flatten() {
        if let Some(utilisateur) = lire_jeton(&secret, jeton, maintenant)
            && comptes::est_actif(&monde.kv(), &utilisateur).await?
        {
            return Ok(());
        }
    }
    if comptes::cle_valide(&monde.kv(), cle).await? { Ok(()) } else { Err(Erreur::NonAutorise) }
}

fn signer(secret: &str, texte: &str) -> Option<Hmac<Sha256>> {
    let mut signature = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    signature.update(texte.as_bytes());
    (!secret.is_empty()).then_some(signature)
}

/// A token for a user, valid for one day. `None` without a secret.
#[must_use]
pub fn ecrire_jeton(secret: &str, utilisateur: &str, maintenant_s: i64) -> Option<String> {
    let coder = |valeur: &Value| URL_SAFE_NO_PAD.encode(valeur.to_string());
    let charge =
        json!({"username": utilisateur, "iat": maintenant_s, "exp": maintenant_s + DUREE_JETON_S, "iss": EMETTEUR});
    let texte = format!("{}.{}", coder(&json!({"alg": "HS256", "typ": "JWT"})), coder(&charge));
    let signature = signer(secret, &texte)?.finalize().into_bytes();
    Some(format!("{texte}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// The user of a valid token: HS256 only, our issuer, a user, an end that lies ahead, no beginning or one that lies
/// behind. A beginning that is no number is none that can be checked: the token is refused.
#[must_use]
pub fn lire_jeton(secret: &str, jeton: &str, maintenant_s: i64) -> Option<String> {
    let (texte, signature) = jeton.rsplit_once('.')?;
    let (entete, charge) = texte.split_once('.')?;
    let lire = |partie: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(partie).ok()?).ok() };
    if lire(entete)?.get("alg")?.as_str()? != "HS256" {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    signer(secret, texte)?.verify_slice(&signature).ok()?;
    let charge = lire(charge)?;
    let nombre = |champ: &str| charge.get(champ).map(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
    let maintenant = maintenant_s as f64;
    let valable = charge.get("iss")?.as_str()? == EMETTEUR
        && nombre("exp")?? > maintenant
        && nombre("nbf").is_none_or(|debut| debut.is_some_and(|debut| debut <= maintenant));
    let utilisateur = charge.get("username")?.as_str()?;
    (valable && !utilisateur.is_empty()).then(|| utilisateur.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_until_its_end_and_by_its_secret_only() {
        let jeton = ecrire_jeton("s", "test", 1000).unwrap();
        assert_eq!(lire_jeton("s", &jeton, 1000).as_deref(), Some("test"));
        assert_eq!(lire_jeton("s", &jeton, 1000 + DUREE_JETON_S - 1).as_deref(), Some("test"));
        assert_eq!(lire_jeton("s", &jeton, 1000 + DUREE_JETON_S), None, "expired when exp <= now");
        assert_eq!(lire_jeton("autre", &jeton, 1000), None);
        assert_eq!(lire_jeton("", &jeton, 1000), None, "an empty secret denies");
        assert_eq!(ecrire_jeton("", "test", 0), None);
    }

    #[test]
    fn tokens_of_another_making_are_refused() {
        let fabriquer = |entete: Value, charge: Value| {
            let texte = format!(
                "{}.{}",
                URL_SAFE_NO_PAD.encode(entete.to_string()),
                URL_SAFE_NO_PAD.encode(charge.to_string())
            );
            let signature = signer("s", &texte).unwrap().finalize().into_bytes();
            format!("{texte}.{}", URL_SAFE_NO_PAD.encode(signature))
        };
        let hs256 = json!({"alg": "HS256"});
        let bon = json!({"username": "u", "iss": EMETTEUR, "exp": 10});
        assert!(lire_jeton("s", &fabriquer(hs256.clone(), bon.clone()), 9).is_some());
        let commence = json!({"username": "u", "iss": EMETTEUR, "exp": 10, "nbf": 8.5});
        assert!(lire_jeton("s", &fabriquer(hs256.clone(), commence), 9).is_some());
        for (entete, charge) in [
            (json!({"alg": "none"}), bon.clone()),
            (json!({"alg": "HS512"}), bon.clone()),
            (json!({}), bon),
            (hs256.clone(), json!({"iss": EMETTEUR, "exp": 10})),
            (hs256.clone(), json!({"username": "u", "iss": EMETTEUR})),
            (hs256.clone(), json!({"username": "u", "exp": 10})),
            (hs256.clone(), json!({"username": "u", "iss": "autre", "exp": 10})),
            (hs256.clone(), json!({"username": "", "iss": EMETTEUR, "exp": 10})),
            (hs256.clone(), json!({"username": "u", "iss": EMETTEUR, "exp": "10"})),
            (hs256.clone(), json!({"username": "u", "iss": EMETTEUR, "exp": 10, "nbf": 10})),
            (hs256.clone(), json!({"username": "u", "iss": EMETTEUR, "exp": 10, "nbf": "8"})),
            (hs256.clone(), json!({"username": "u", "iss": EMETTEUR, "exp": 10, "nbf": null})),
            (hs256.clone(), json!({"username": "u", "iss": EMETTEUR, "exp": 10, "nbf": true})),
            (hs256, json!({"username": "u", "iss": EMETTEUR, "exp": 10, "nbf": [8]})),
        ] {
            assert_eq!(lire_jeton("s", &fabriquer(entete.clone(), charge.clone()), 9), None, "{entete} {charge}");
        }
        for texte in ["", ".", "..", "a.b.c", "é.é.é"] {
            assert_eq!(lire_jeton("s", texte, 0), None);
        }
    }
}
