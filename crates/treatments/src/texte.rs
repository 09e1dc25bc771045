//! Reading and writing fields of documents.

use domain::Document;
use domain::date::{Instant, ecrire_iso, lire_iso, lire_valeur};
use serde_json::{Map, Value};

/// A text field; empty counts as missing.
pub(crate) fn champ<'a>(document: &'a Document, nom: &str) -> Option<&'a str> {
    document.get(nom).and_then(Value::as_str).filter(|t| !t.is_empty())
}

/// A field of an object field.
pub(crate) fn sous_champ<'a>(document: &'a Document, nom: &str, sous: &str) -> Option<&'a str> {
    document.get(nom)?.get(sous)?.as_str()
}

/// A scalar as text: the services send the same column as a number or as a string.
pub(crate) fn scalaire(document: &Document, nom: &str) -> Option<String> {
    match document.get(nom)? {
        Value::String(texte) if !texte.is_empty() => Some(texte.clone()),
        Value::Number(nombre) => Some(nombre.to_string()),
        Value::Bool(valeur) => Some(valeur.to_string()),
        _ => None,
    }
}

/// A list of texts.
pub(crate) fn liste(document: &Document, nom: &str) -> Vec<String> {
    let valeurs = document.get(nom).and_then(Value::as_array);
    valeurs.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A date of a stored document.
pub(crate) fn date(document: &Document, nom: &str) -> Option<Instant> {
    document.get(nom).and_then(lire_valeur)
}

/// A day of the BCN: its first ten characters, at midnight UTC.
pub(crate) fn jour_utc(document: &Document, nom: &str) -> Option<Instant> {
    lire_iso(champ(document, nom)?.get(..10)?)
}

/// An instant as documents hold it.
pub(crate) fn valeur_date(instant: Instant) -> Value {
    let mut objet = Map::new();
    objet.insert("$date".to_owned(), ecrire_iso(instant).into());
    Value::Object(objet)
}

/// Sets a field that has a value; nothing otherwise (null and missing mean the same).
pub(crate) fn poser(document: &mut Document, nom: &str, valeur: Option<impl Into<Value>>) {
    if let Some(valeur) = valeur {
        document.insert(nom.to_owned(), valeur.into());
    }
}
