//! Treatment 6: the lineage of statistics.
//!
//! Rule (contract, "Treatments" 6 and "Lineage of statistics"): a diploma that was renewed has two
//! codes, and numbers under one of them only. They are lent along one-to-one steps (one neighbour
//! on both sides), for the same place and millesime, whatever the filiere:
//!
//! - down, to newer codes (`ancienne`): until a code that has its own numbers or newer ones;
//!   `donnee_source` names the code just before;
//! - up, to older codes (`nouvelle`): until a code that has its own; the numbers and the
//!   `donnee_source` are those of the newest code of the line that has its own.
//!
//! Only delivered documents give, so `nouvelle` wins over `ancienne` and a second run changes
//! nothing. Everything but `_meta`, label and certification part is lent. Not for `superieur`.

use crate::lineage::{only_new, only_old};
use crate::nomenclature::Nomenclature;
use crate::text::{field, sub_field};
use crate::writing::{Collection, WriteCounts, WriteOutcome, donnee_source, is_delivered};
use domain::indicator::is_indicator;
use domain::{Document, Maille};
use std::collections::BTreeMap;

/// Fields that say what a certification is, and fields that are never lent.
const NOT_READY: [&str; 10] = [
    "_meta",
    "donnee_source",
    "code_certification",
    "code_certification_type",
    "code_formation_diplome",
    "libelle",
    "libelle_ancien",
    "diplome",
    "date_fermeture",
    "familleMetier",
];

/// The place of a statistic within its maille, as part of a key.
pub(crate) fn place_of(maille: Maille, document: &Document) -> Option<&str> {
    match maille {
        Maille::National => Some(""),
        Maille::Regionale => sub_field(document, "region", "code"),
        Maille::Etablissement => field(document, "uai"),
        // Declared mailles come treated: no treatment asks.
        Maille::Declared => None,
    }
}

#[derive(Default)]
struct Case {
    /// Documents with numbers of their own, in order of filieres: the last one's win.
    delivered: Vec<(String, usize)>,
    /// The others, in the order they came.
    others: Vec<usize>,
}

type Cohort = BTreeMap<String, Case>;

/// Lends numbers along the lineage. `documents` must hold all documents of the codes' lineage.
pub fn continuum(nomenclature: &Nomenclature, maille: Maille, documents: &mut Collection) -> WriteCounts {
    let mut writes = WriteCounts::default();
    for mut cohort in cohorts(maille, documents).into_values() {
        let donors: Vec<String> =
            cohort.iter().filter(|(_, c)| !c.delivered.is_empty()).map(|(code, _)| code.clone()).collect();
        for code in &donors {
            hand_up(nomenclature, documents, &mut cohort, code, &mut writes);
        }
        for code in &donors {
            hand_down(nomenclature, documents, &mut cohort, code, &mut writes);
        }
    }
    writes
}

/// The documents by place and millesime, then by code.
fn cohorts(maille: Maille, documents: &Collection) -> BTreeMap<(String, String), Cohort> {
    let mut cohorts: BTreeMap<(String, String), Cohort> = BTreeMap::new();
    for place in 0..documents.places() {
        let Some(document) = documents.document(place) else { continue };
        let parts = (place_of(maille, document), field(document, "millesime"), field(document, "code_certification"));
        let (Some(location), Some(millesime), Some(code)) = parts else { continue };
        let filiere = field(document, "filiere").unwrap_or_default();
        if filiere == "superieur" {
            continue;
        }
        let cohort = cohorts.entry((location.to_owned(), millesime.to_owned())).or_default();
        let case = cohort.entry(code.to_owned()).or_default();
        if is_delivered(document) {
            case.delivered.push((filiere.to_owned(), place));
            case.delivered.sort_unstable();
        } else {
            case.others.push(place);
        }
    }
    cohorts
}

fn is_donor(cohort: &Cohort, code: &str) -> bool {
    cohort.get(code).is_some_and(|c| !c.delivered.is_empty())
}

fn hand_up(
    nomenclature: &Nomenclature,
    documents: &mut Collection,
    cohort: &mut Cohort,
    code: &str,
    writes: &mut WriteCounts,
) {
    let Some(mut target) = only_old(nomenclature, code) else { return };
    if is_donor(cohort, target) {
        return;
    }
    let (mut newer, mut here, mut step) = (code, code, 0);
    while let Some(new) = only_new(nomenclature, here).filter(|n| *n != code) {
        if is_donor(cohort, new) {
            newer = new;
        }
        here = new;
        step += 1;
        if step > LENGTH_MAX {
            break;
        }
    }
    let newer = newer.to_owned();
    for _ in 0..LENGTH_MAX {
        lend(nomenclature, documents, cohort, &newer, target, (&newer, "nouvelle"), writes);
        match only_old(nomenclature, target) {
            Some(next) if next != code && !is_donor(cohort, next) => target = next,
            _ => break,
        }
    }
}

fn hand_down(
    nomenclature: &Nomenclature,
    documents: &mut Collection,
    cohort: &mut Cohort,
    code: &str,
    writes: &mut WriteCounts,
) {
    let mut before = code.to_owned();
    for _ in 0..LENGTH_MAX {
        let Some(target) = only_new(nomenclature, &before).filter(|c| *c != code) else { return };
        if is_donor(cohort, target) || has_newer(documents, cohort, target) {
            return;
        }
        lend(nomenclature, documents, cohort, code, target, (&before, "ancienne"), writes);
        target.clone_into(&mut before);
    }
}

/// No lineage is that long: a bound against circles in the tables.
const LENGTH_MAX: usize = 100;

fn has_newer(documents: &Collection, cohort: &Cohort, code: &str) -> bool {
    let places = cohort.get(code).into_iter().flat_map(|c| &c.others);
    places.filter_map(|p| documents.document(*p)).any(|d| sub_field(d, "donnee_source", "type") == Some("nouvelle"))
}

/// Writes the numbers of `donor` under the code `target`.
fn lend(
    nomenclature: &Nomenclature,
    documents: &mut Collection,
    cohort: &mut Cohort,
    donor: &str,
    target: &str,
    source: (&str, &str),
    writes: &mut WriteCounts,
) {
    let Ok(part) = nomenclature.part(target, false) else { return };
    let donors = cohort.get(donor).map(|c| c.delivered.clone()).unwrap_or_default();
    for (filiere, place) in donors {
        let Some(document) = documents.document(place) else { continue };
        let mut incoming = Document::with_capacity(document.len() + part.len());
        incoming.insert("code_certification".to_owned(), target.into());
        for (name, value) in document.iter().filter(|(name, _)| !NOT_READY.contains(&name.as_str())) {
            incoming.insert(name.clone(), value.clone());
        }
        incoming.extend(part.clone());
        incoming.insert("donnee_source".to_owned(), donnee_source(source.0, source.1));
        // The code is known by place and millesime alone: a document of another filiere is its own.
        let others = cohort.get(target).map(|c| c.others.as_slice()).unwrap_or_default();
        let same = |p: &&usize| documents.document(**p).is_some_and(|d| field(d, "filiere") == Some(&filiere));
        let existing = others.iter().find(same).or_else(|| others.iter().find(|p| documents.document(**p).is_some()));
        let writing = match existing {
            Some(place) => {
                // What an earlier lender left would stand beside numbers that are not its own.
                let remainders =
                    documents.remove_fields(*place, |name| is_indicator(name) && !incoming.contains_key(name));
                let writing = documents.merge_at(*place, &incoming);
                if remainders { writing.map(|_| WriteOutcome::Modified) } else { writing }
            }
            None => {
                let writing = documents.write(incoming);
                cohort.entry(target.to_owned()).or_default().others.push(documents.places().saturating_sub(1));
                writing
            }
        };
        if let Some(writing) = writing {
            writes.count(writing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomenclature::Certification;
    use domain::Kind;
    use serde_json::json;

    /// A line of codes, oldest first.
    fn lineage(length: usize) -> Nomenclature {
        let mut nomenclature = Nomenclature::default();
        for rank in 0..length {
            nomenclature.add(Certification {
                code: rank.to_string(),
                cfd: rank.to_string(),
                old_codes: rank.checked_sub(1).map(|r| r.to_string()).into_iter().collect(),
                new_ones: Some(rank + 1).filter(|r| *r < length).map(|r| r.to_string()).into_iter().collect(),
                ..Certification::default()
            });
        }
        nomenclature
    }

    fn deliver(code: usize) -> Document {
        json!({"code_certification": code.to_string(), "millesime": "2020", "filiere": "pro", "nb_sortant": code,
            "donnee_source": {"code_certification": code.to_string(), "type": "self"}})
        .as_object()
        .unwrap()
        .clone()
    }

    /// `(code, number lent, donnee_source)` of each code of a line of five.
    fn after(delivered: &[usize]) -> Vec<String> {
        let nomenclature = lineage(5);
        let mut documents = Collection::of(Kind::Certification, delivered.iter().map(|c| deliver(*c)));
        continuum(&nomenclature, Maille::National, &mut documents);
        let again = continuum(&nomenclature, Maille::National, &mut documents);
        assert_eq!((again.created, again.modified), (0, 0), "a second run changes nothing");
        let mut rows: Vec<String> = documents
            .iter()
            .map(|d| {
                let source = &d["donnee_source"];
                let (code, nature) = (source["code_certification"].as_str().unwrap(), source["type"].as_str().unwrap());
                format!("{} {} {nature} {code}", d["code_certification"].as_str().unwrap(), d["nb_sortant"])
            })
            .collect();
        rows.sort();
        rows
    }

    #[test]
    fn numbers_go_down_step_by_step() {
        assert_eq!(after(&[2]), ["0 2 nouvelle 2", "1 2 nouvelle 2", "2 2 self 2", "3 2 ancienne 2", "4 2 ancienne 3"]);
    }

    #[test]
    fn newer_numbers_win() {
        assert_eq!(after(&[0, 3]), ["0 0 self 0", "1 3 nouvelle 3", "2 3 nouvelle 3", "3 3 self 3", "4 3 ancienne 3"]);
        assert_eq!(after(&[1, 3]), ["0 3 nouvelle 3", "1 1 self 1", "2 3 nouvelle 3", "3 3 self 3", "4 3 ancienne 3"]);
    }

    #[test]
    fn lent_numbers_are_those_of_one_lender() {
        let nomenclature = lineage(3);
        let document = |value: serde_json::Value| value.as_object().unwrap().clone();
        let mut before = deliver(1);
        before.insert("donnee_source".into(), donnee_source("0", "ancienne"));
        before.insert("nb_poursuite_etudes".into(), json!(4));
        before.insert("taux_en_formation".into(), json!(40));
        before.insert("libelle_local".into(), json!("L"));
        let mut documents = Collection::of(Kind::Certification, [before, deliver(2)]);
        continuum(&nomenclature, Maille::National, &mut documents);
        let after = documents.iter().find(|d| d["code_certification"] == "1").unwrap();
        let expected =
            document(json!({"code_certification": "1", "millesime": "2020", "filiere": "pro", "nb_sortant": 2,
            "donnee_source": {"code_certification": "2", "type": "nouvelle"}, "libelle_local": "L"}));
        assert_eq!(
            after.iter().filter(|(name, _)| !name.starts_with("code_")).collect::<std::collections::BTreeMap<_, _>>(),
            expected.iter().filter(|(name, _)| !name.starts_with("code_")).collect()
        );
    }
}
