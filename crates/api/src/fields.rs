//! `champs`: the fields of a document, or of the rows of a list, that are asked for, and no others.
//!
//! What is left is the document as it is published, in its order, less what nobody asked for: nothing is computed. A field
//! that a document lacks is left out, as it is without `champs`; a name that neither the contract nor the answer knows is a
//! fault, told with those there are.

use crate::error::ApiError;
use domain::indicator::{HEADCOUNTS, NB_DIPLOME, RATES, WAGES, is_indicator};
use std::cell::Cell;
use store::segment::RowStyle;

/// Fields that may be asked for at once.
pub const FIELDS_MAX: usize = 64;
/// Bytes of a name: it is told again where it is wrong.
const NAME_MAX: usize = 100;

/// The fields of the contract that are no indicators, between commas, and those inside another one. One text, because every
/// read component holds it.
pub const FIELDS: &str = "uai,libelle_etablissement,maille,lieu,millesime,code_certification,code_certification_type,\
code_formation_diplome,codes_certifications,codes_formation_diplome,libelle,libelle_ancien,filiere,date_fermeture,\
formation_fermee,diplome,region,academie,familleMetier,donnee_source,uai_type,uai_donnee,uai_donnee_type,\
uai_lieu_formation,uai_formateur,uai_gestionnaire,certificationsTerminales,_meta,_meta.titre,_meta.details,\
_meta.messages,region.code,region.nom,region.code_region_academique,academie.code,academie.nom,diplome.code,\
diplome.libelle,familleMetier.code,familleMetier.libelle,familleMetier.isAnneeCommune,donnee_source.type,\
donnee_source.code_certification,certificationsTerminales.code_certification,certificationsTerminales.error,\
certificationsTerminales.millesimes";

/// What rows of the nomenclature have beside those.
pub const BCN_FIELDS: &str = "type,libelle_long,libelle_long_ancien,date_ouverture,date_premiere_session,\
date_derniere_session,ancien_diplome,nouveau_diplome,niveauFormationDiplome,groupeSpecialite,lettreSpecialite";

fn is_known(name: &str) -> bool {
    let [counts, rates, wages]: [&[&str]; 3] = [&HEADCOUNTS, &RATES, &WAGES];
    [counts, rates, wages, &[NB_DIPLOME]].iter().any(|names| names.contains(&name)) || holds(FIELDS, name)
}

/// Whether a name is one of a text of names.
#[inline(never)]
fn holds(names: &str, name: &str) -> bool {
    names.as_bytes().split(|b| matches!(b, b',' | b';' | b'\n')).any(|known| known == name.as_bytes())
}

/// Fields that were asked for, and what the documents of the answer told of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChoice(Vec<AskedField>);

/// `libelle`, or `region.nom`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AskedField {
    name: String,
    outer: String,
    /// Empty: the whole field.
    inner: String,
    found: Cell<bool>,
    /// Whether a document had the outer field with something in it.
    judged: Cell<bool>,
}

impl AskedField {
    /// Inside of what no document has, or all hold as `null`, any field may lie in another document.
    fn is_unknown(&self) -> bool {
        let any_inner = !self.inner.is_empty() && !self.judged.get() && is_known(&self.outer);
        !(self.found.get() || any_inner || is_known(&self.name))
    }
}

impl FieldChoice {
    /// Reads the values of the parameter.
    ///
    /// # Errors
    /// [`ApiError::Demand`] for what can be the name of no field.
    #[inline(never)]
    pub fn read(values: &[String]) -> Result<Self, ApiError> {
        let mut fields: Vec<AskedField> = Vec::new();
        for name in values.iter().flat_map(|value| value.split([',', '|'])) {
            let (outer, inner) = name.split_once('.').unwrap_or((name, ""));
            if name.is_empty() || name.len() > NAME_MAX || fields.len() >= FIELDS_MAX || inner.contains('.') {
                return Err(ApiError::Demand(
                    "champs : de 1 à 64 noms, séparés par des virgules, avec un point au plus (region.nom)".into(),
                ));
            }
            let [name, outer, inner] = [name, outer, inner].map(str::to_owned);
            fields.push(AskedField { name, outer, inner, found: Cell::default(), judged: Cell::default() });
        }
        Ok(Self(fields))
    }

    /// The same where the parameter was sent.
    ///
    /// # Errors
    /// Those of [`Self::read`].
    #[inline(never)]
    pub fn of(values: Option<Vec<String>>) -> Result<Option<Self>, ApiError> {
        values.as_deref().map(Self::read).transpose()
    }

    /// The same, before any document.
    #[must_use]
    pub fn afresh(&self) -> Self {
        let fresh =
            |field: &AskedField| AskedField { found: Cell::default(), judged: Cell::default(), ..field.clone() };
        Self(self.0.iter().map(fresh).collect())
    }

    /// Judges the names before the rows of a list are read, the same on each of its pages: known are those of the contract,
    /// those of `more`, and the indicators of the export with this header.
    ///
    /// # Errors
    /// [`ApiError::Demand`] that names what is unknown, and what there is.
    #[inline(never)]
    pub fn judge(&self, more: &str, header: &str) -> Result<(), ApiError> {
        let known = |name: &str| is_known(name) || holds(more, name) || is_indicator(name) && holds(header, name);
        match self.names(&|field| !known(&field.name)) {
            None => Ok(()),
            Some(unknown) => {
                Err(refusal(&unknown, &[FIELDS, ",", more, " et les indicateurs de l’export CSV"].concat()))
            }
        }
    }

    /// The names of these fields, where there are some.
    #[inline(never)]
    fn names(&self, of: &dyn Fn(&AskedField) -> bool) -> Option<String> {
        let mut names = String::new();
        for field in self.0.iter().filter(|field| of(field)) {
            names.push_str(if names.is_empty() { "" } else { ", " });
            names.push_str(&field.name);
        }
        Some(names).filter(|names| !names.is_empty())
    }

    /// Writes of the JSON of a document what is asked for.
    pub fn cut(&self, body: &mut Vec<u8>, document: &[u8]) {
        self.cut_object(body, document, b"");
    }

    /// The same of rows, one a line.
    #[inline(never)]
    pub fn cut_rows(&self, body: &mut Vec<u8>, rows: &[u8], style: RowStyle<'_>) {
        for (rank, row) in rows.split(|byte| *byte == b'\n').enumerate() {
            if rank > 0 || !style.first {
                body.extend_from_slice(style.between);
            }
            self.cut(body, row);
        }
    }

    /// The same of a view: of each of its documents.
    pub fn cut_view(&self, view: &[u8]) -> Vec<u8> {
        let mut body = vec![b'{'];
        for (name, document) in items(view, true) {
            write_name(&mut body, 1, name);
            self.cut(&mut body, document);
        }
        body.push(b'}');
        body
    }

    /// Writes of an object what is asked for, `outer` being the field that it lies in; whether there is any.
    #[inline(never)]
    fn cut_object(&self, body: &mut Vec<u8>, object: &[u8], outer: &[u8]) -> bool {
        body.push(b'{');
        let first = body.len();
        for (name, value) in items(object, true) {
            let (mut whole, mut inside) = (false, false);
            for asked in &self.0 {
                let (asked_outer, asked_inner) = (asked.outer.as_bytes(), asked.inner.as_bytes());
                let is_it = if outer.is_empty() {
                    asked_outer == name && asked_inner.is_empty()
                } else {
                    asked_inner == name && asked_outer == outer
                };
                if is_it {
                    whole = true;
                    asked.found.set(true);
                } else if outer.is_empty() && asked_outer == name {
                    inside = true;
                    asked.judged.set(asked.judged.get() || matches!(value.first(), Some(b'{' | b'[')));
                }
            }
            if !whole && !inside {
                continue;
            }
            let start = body.len();
            write_name(body, first, name);
            let from = body.len();
            // Where the whole field is asked for too, this tells whether there is what is asked for inside.
            let kept = inside && self.cut_inside(body, value, name);
            if whole {
                body.truncate(from);
                body.extend_from_slice(value);
            } else if !kept {
                body.truncate(start);
            }
        }
        let any = body.len() > first;
        body.push(b'}');
        any
    }

    /// Writes what is asked for inside of a field, an object or a list of objects; whether there is any.
    fn cut_inside(&self, body: &mut Vec<u8>, value: &[u8], outer: &[u8]) -> bool {
        let mut kept = false;
        match value.first() {
            Some(b'{') => kept = self.cut_object(body, value, outer),
            Some(b'[') => {
                body.push(b'[');
                let first = body.len();
                for (_, object) in items(value, false).filter(|(_, item)| item.first() == Some(&b'{')) {
                    if body.len() > first {
                        body.push(b',');
                    }
                    kept |= self.cut_object(body, object, outer);
                }
                body.push(b']');
            }
            _ => {}
        }
        kept
    }

    /// Once every document was cut; `documents` is the JSON of one of them, or of a view.
    ///
    /// # Errors
    /// [`ApiError::Demand`] that names what is unknown, and what there is.
    #[inline(never)]
    pub fn finish(&self, documents: &[u8]) -> Result<(), ApiError> {
        let Some(unknown) = self.names(&AskedField::is_unknown) else { return Ok(()) };
        let mut present = Vec::new();
        for (name, value) in items(documents, true) {
            present.extend_from_slice(name);
            present.extend_from_slice(b", ");
            let inner = if value.first() == Some(&b'{') { value } else { b"" };
            for (inner, _) in items(inner, true) {
                present.extend_from_slice(&[name, b".", inner, b", "].concat());
            }
        }
        present.truncate(present.len().saturating_sub(2));
        Err(refusal(&unknown, &String::from_utf8_lossy(&present)))
    }
}

#[inline(never)]
fn refusal(unknown: &str, present: &str) -> ApiError {
    ApiError::Demand(["champs : inconnu ici : ", unknown, ". Champs présents : ", present].concat().into())
}

#[inline(never)]
fn write_name(body: &mut Vec<u8>, first: usize, name: &[u8]) {
    if body.len() > first {
        body.push(b',');
    }
    body.push(b'"');
    body.extend_from_slice(name);
    body.extend_from_slice(b"\":");
}

/// The members of an object, or the items of a list.
fn items(json: &[u8], named: bool) -> Items<'_> {
    Items { rest: inside(json), named }
}

/// What stands between the braces or brackets of a value.
fn inside(json: &[u8]) -> &[u8] {
    json.get(1..json.len().saturating_sub(1)).unwrap_or_default()
}

/// The members of an object, or the items of a list, of JSON as this service writes it: without white space. Names keep
/// their escapes.
struct Items<'a> {
    rest: &'a [u8],
    named: bool,
}

impl<'a> Iterator for Items<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        let (mut depth, mut colon, mut end) = (0_usize, None, 0);
        // By places: an iterator is a call for each byte in what is built for size.
        while let Some(byte) = self.rest.get(end) {
            match byte {
                b'"' => end = end_of_text(self.rest, end),
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                b':' if depth == 0 && colon.is_none() => colon = Some(end),
                b',' if depth == 0 => break,
                _ => {}
            }
            end += 1;
        }
        let end = end.min(self.rest.len());
        let item = self.rest.get(..end).filter(|item| !item.is_empty())?;
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        match colon.filter(|_| self.named) {
            Some(colon) => Some((inside(item.get(..colon)?), item.get(colon + 1..)?)),
            None => Some((b"", item)),
        }
    }
}

/// Where the text ends that begins there: the place of its closing quote.
fn end_of_text(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match json.get(at) {
            None | Some(b'"') => return at,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn cut(champs: &str, documents: &[Value]) -> Result<Value, ApiError> {
        let choice = FieldChoice::read(&[champs.to_owned()])?;
        let mut cut: Vec<Value> = Vec::new();
        for document in documents {
            let mut body = b"avant".to_vec();
            choice.cut(&mut body, document.to_string().as_bytes());
            cut.push(serde_json::from_slice(&body[5..]).unwrap());
        }
        choice.finish(documents[0].to_string().as_bytes())?;
        Ok(cut.into())
    }

    #[test]
    fn what_is_asked_for_stays_as_it_was_in_its_order() {
        let document = json!({"a": 1.5, "region": {"code": "11", "nom": "é"}, "libelle": null, "uai_formateur": ["x"],
            "certificationsTerminales": [{"code_certification": "1", "x": 2}, {"error": "e"}], "_meta": {"titre": "t"}});
        for (champs, left) in [
            ("libelle,a", json!({"a": 1.5, "libelle": null})),
            ("region.nom|region.code", json!({"region": {"code": "11", "nom": "é"}})),
            ("region.nom,region", json!({"region": {"code": "11", "nom": "é"}})),
            (
                "certificationsTerminales.code_certification",
                json!({"certificationsTerminales": [{"code_certification": "1"}, {}]}),
            ),
            ("_meta.messages,uai", json!({})),
            (
                "region.nom,certificationsTerminales",
                json!({"region": {"nom": "é"}, "certificationsTerminales": document["certificationsTerminales"]}),
            ),
            ("uai_formateur,academie.nom", json!({"uai_formateur": ["x"]})),
            ("libelle.nom", json!({})),
        ] {
            assert_eq!(
                cut(champs, std::slice::from_ref(&document)).unwrap().to_string(),
                json!([left]).to_string(),
                "{champs}"
            );
        }
    }

    #[test]
    fn what_no_document_of_the_answer_has_is_told_with_what_there_is() {
        let documents =
            [json!({"a": 1, "region": {"code": "11"}}), json!({"taux_ajoute": 1, "region": {"code": "11"}})];
        assert!(cut("taux_ajoute,a", &documents).is_ok(), "one of them has it");
        for (champs, told) in [
            ("tau,a", "champs : inconnu ici : tau. Champs présents : a, region, region.code"),
            ("region.nm", "champs : inconnu ici : region.nm. Champs présents : a, region, region.code"),
        ] {
            assert_eq!(cut(champs, &documents), Err(ApiError::Demand(told.into())), "{champs}");
        }
        let long = "x".repeat(NAME_MAX + 1);
        let many = (0..=FIELDS_MAX).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        for champs in ["", "a,", "a..b", "a.b.c", long.as_str(), many.as_str()] {
            assert!(matches!(cut(champs, &documents), Err(ApiError::Demand(_))), "{champs}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(|n| json!(f64::from(n) / 4.0)),
            any::<String>().prop_map(Value::from),
            "[\\\\\"{}\\[\\],:]{0,6}".prop_map(Value::from),
        ];
        let name = || prop_oneof!["[a-e]", any::<String>()];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((name(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever the texts hold: what is left is what a reader of JSON would leave.
        #[test]
        fn what_is_cut_is_json_with_the_same_values(members in proptest::collection::vec(("[a-e]", value()), 0..6), asked in proptest::collection::vec("[a-e](\\.[a-e])?", 1..4)) {
            let document: serde_json::Map<String, Value> = members.into_iter().collect();
            let choice = FieldChoice::read(&[asked.join(",")]).unwrap();
            let mut body = Vec::new();
            choice.cut(&mut body, Value::Object(document.clone()).to_string().as_bytes());
            let cut: serde_json::Map<String, Value> = serde_json::from_slice(&body).unwrap();
            let is_asked = |name: &str| asked.iter().any(|a| a == name);
            let inner = |outer: &str, value: &Value| -> Value {
                let object: serde_json::Map<String, Value> = value.as_object().unwrap().iter()
                    .filter(|(name, _)| is_asked(&format!("{outer}.{name}"))).map(|(n, v)| (n.clone(), v.clone())).collect();
                object.into()
            };
            let mut expected = serde_json::Map::new();
            for (name, value) in &document {
                let left = match value {
                    value if is_asked(name) => value.clone(),
                    Value::Object(_) => inner(name, value),
                    Value::Array(items) => items.iter().filter(|item| item.is_object()).map(|item| inner(name, item)).collect(),
                    _ => continue,
                };
                let empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
                let nothing = empty(&left) || left.as_array().is_some_and(|items| items.iter().all(empty));
                if is_asked(name) || !nothing {
                    expected.insert(name.clone(), left);
                }
            }
            prop_assert_eq!(Value::Object(cut).to_string(), Value::Object(expected).to_string());
        }
    }
}
