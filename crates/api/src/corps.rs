//! Bodies of requests: parsed on every route, as the former service did.

use crate::erreur::Erreur;
use crate::requete::{Requete, decoder};
use serde_json::{Map, Value};

/// Largest body, in bytes.
pub const CORPS_MAX: usize = 100 * 1024;

/// The fields of a JSON or form body; empty for every other content type and for no body.
///
/// # Errors
/// 413 above [`CORPS_MAX`], 415 for a charset that is not read, 400 for what is neither object nor
/// array.
pub fn lire(requete: &Requete) -> Result<Value, Erreur> {
    let vide = || Value::Object(Map::new());
    if requete.corps.is_empty() {
        return Ok(vide());
    }
    let contenu = requete.entete("content-type").unwrap_or_default();
    let mut parties = contenu.split(';').map(str::trim);
    let genre = parties.next().unwrap_or_default().to_ascii_lowercase();
    let json = genre == "application/json";
    if !json && genre != "application/x-www-form-urlencoded" {
        return Ok(vide());
    }
    let jeu = parties
        .find_map(|p| p.get(..8).filter(|d| d.eq_ignore_ascii_case("charset="))?.len().checked_sub(8).and(p.get(8..)));
    let jeu = jeu.map(|j| j.trim_matches('"').to_ascii_lowercase());
    if jeu.is_some_and(|j| !matches!(j.as_str(), "utf-8" | "utf8" | "us-ascii")) {
        return Err(Erreur::Jeu);
    }
    if requete.corps.len() > CORPS_MAX {
        return Err(Erreur::TropGrand("Le corps de la requête dépasse 100 Ko".into()));
    }
    if json {
        return match serde_json::from_slice(&requete.corps) {
            Ok(valeur @ (Value::Object(_) | Value::Array(_))) => Ok(valeur),
            _ => Err(Erreur::Illisible("Le corps de la requête n'est pas un objet JSON")),
        };
    }
    let mut champs = Map::new();
    for paire in String::from_utf8_lossy(&requete.corps).split('&').filter(|p| !p.is_empty()) {
        let (nom, valeur) = paire.split_once('=').unwrap_or((paire, ""));
        inserer(&mut champs, &decoder(nom, true), decoder(valeur, true));
    }
    Ok(Value::Object(champs))
}

/// `a[b]=c` is an object, a repeated name an array: neither is ever a text.
fn inserer(champs: &mut Map<String, Value>, nom: &str, valeur: String) {
    if let Some((nom, cle)) = nom.split_once('[').filter(|(nom, _)| !nom.is_empty()) {
        let cle = cle.strip_suffix(']').unwrap_or(cle);
        let objet = champs.entry(nom).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(objet) = objet {
            objet.insert(cle.to_owned(), valeur.into());
        }
        return;
    }
    match champs.get_mut(nom) {
        None => {
            champs.insert(nom.to_owned(), valeur.into());
        }
        Some(Value::Array(valeurs)) => valeurs.push(valeur.into()),
        Some(avant) => *avant = Value::Array(vec![avant.take(), valeur.into()]),
    }
}
