//! Treatment 5 for secondary education: the statistics of InserJeunes.
//!
//! Rules (contract, "InserJeunes"):
//! - one row a measure; `dimensions[0]` names a CFD (apprenticeship) or a MEF (school); rows with
//!   neither are totals and are dropped; rows of one certification and filiere make one document;
//! - an unknown filiere refuses the whole answer; regional rows of the agricultural track are
//!   dropped, because the service counts them without the establishments of its ministry;
//! - missing values that follow from others are filled in ([`complete`]);
//! - rates are computed on the final-year group, rounded half to even ([`compute`]);
//! - raw rates and salaries are kept under `_meta.inserjeunes`, for those who check.

use crate::etablissements::{Acce, region_regionale};
use crate::nomenclature::Nomenclature;
use crate::rejection::Rejection;
use crate::report::TreatmentReport;
use crate::text::{field, put};
use crate::writing::{Collection, WriteCounts};
use domain::indicator::{DELAYS, HEADCOUNTS, NB_ANNEE_TERM};
use domain::rates::{add_rates, number};
use domain::territory::{REGIONS, Region, region_academie};
use domain::{Document, Filiere, Maille};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Raw measures that are published under another name.
const RENAMED: [(&str, &str); 6] = [
    ("DEVENIR_part_autre_situation_6_mois", "taux_autres_6_mois"),
    ("DEVENIR_part_en_emploi_6_mois", "taux_en_emploi_6_mois"),
    ("DEVENIR_part_poursuite_etudes", "taux_en_formation"),
    ("salaire_TS_Q1_12_mois", "salaire_12_mois_q1"),
    ("salaire_TS_Q2_12_mois", "salaire_12_mois_q2"),
    ("salaire_TS_Q3_12_mois", "salaire_12_mois_q3"),
];

const TERMINATION_RATE: &str = "taux_rupture_contrats";

/// Whether a measure is kept raw, under `_meta.inserjeunes`.
fn is_raw(measure: &str) -> bool {
    measure.starts_with("DEVENIR_")
        || measure.starts_with("salaire_TS_")
        || measure == "taux_poursuite_etudes"
        || (measure.starts_with("taux_emploi_") && measure.ends_with("_mois"))
}

/// Codes of the regions academiques that statistics are asked for: all but 00 and 13, which have
/// none.
pub fn regions_to_ask() -> impl Iterator<Item = &'static Region> {
    REGIONS.iter().filter(|r| !["00", "13"].contains(&r.region_academie_code))
}

/// The region of a code of a region academique.
///
/// # Errors
/// [`Rejection::UnknownRegionAcademie`].
pub fn asked_region(code: &str) -> Result<&'static Region, Rejection> {
    region_academie(code).ok_or_else(|| Rejection::UnknownRegionAcademie { code: code.to_owned() })
}

/// Names of measures as documents hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MeasureName {
    Headcount(&'static str),
    Termination,
    Raw(u16),
}

/// The rows of one answer, grouped by certification and filiere.
///
/// A measure takes 16 bytes, so that the national answer (6,000 certifications) fits in a few MiB.
#[derive(Clone, Debug)]
pub struct Measures {
    maille: Maille,
    raw_names: Vec<String>,
    groups: BTreeMap<(String, Filiere), Vec<(MeasureName, f64)>>,
}

impl Measures {
    /// None yet.
    #[must_use]
    pub fn new(maille: Maille) -> Self {
        Self { maille, raw_names: Vec::new(), groups: BTreeMap::new() }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// [`Rejection::UnknownFiliere`], which refuses the answer as a whole.
    pub fn add(&mut self, row: &Document, report: &mut TreatmentReport) -> Result<(), Rejection> {
        report.rows += 1;
        let dimension = row.get("dimensions").and_then(|d| d.get(0)).and_then(Value::as_object);
        let code = |name| dimension.and_then(|d| field(d, name));
        let (code, by_default) = match (code("id_formation_apprentissage"), code("id_mefstat11")) {
            (Some(cfd), _) => (cfd, Filiere::Apprentissage),
            (None, Some(mef)) => (mef, Filiere::Pro),
            (None, None) => {
                report.ignore("sans_certification");
                return Ok(());
            }
        };
        let filiere = match field(row, "filiere") {
            None => by_default,
            Some("apprentissage") => Filiere::Apprentissage,
            Some("voie_pro_sco_educ_nat") => Filiere::Pro,
            Some("voie_pro_sco_agri") => Filiere::Agricultural,
            Some(value) => return Err(Rejection::UnknownFiliere { value: value.to_owned() }),
        };
        if filiere == Filiere::Agricultural && self.maille == Maille::Regionale {
            report.ignore("regionale_agricole");
            return Ok(());
        }
        let group = self.groups.entry((code.to_owned(), filiere)).or_default();
        let measure = field(row, "id_mesure").unwrap_or_default();
        let Some(value) = row.get("valeur_mesure").and_then(Value::as_f64) else {
            report.ignore("sans_valeur");
            return Ok(());
        };
        let name = if let Some(headcount) = HEADCOUNTS.into_iter().find(|e| *e == measure) {
            MeasureName::Headcount(headcount)
        } else if measure == TERMINATION_RATE {
            MeasureName::Termination
        } else if is_raw(measure) {
            let rank = self.raw_names.iter().position(|b| b == measure).unwrap_or_else(|| {
                self.raw_names.push(measure.to_owned());
                self.raw_names.len() - 1
            });
            MeasureName::Raw(u16::try_from(rank).unwrap_or(u16::MAX))
        } else {
            report.unknown_measure(measure);
            return Ok(());
        };
        match group.iter_mut().find(|(n, _)| *n == name) {
            Some((_, here)) => *here = value,
            None => group.push((name, value)),
        }
        Ok(())
    }

    /// How many documents they make.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether they make none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The documents, a certification and filiere each, without certification and place:
    /// `code_certification`, `filiere`, `millesime`, counts, rates, `_meta.inserjeunes`.
    ///
    /// `handle` is the switch of treatment 5: without it nothing is filled in or computed.
    pub fn documents(self, millesime: &str, handle: bool) -> impl Iterator<Item = Document> {
        let Self { maille, raw_names, groups } = self;
        groups.into_iter().map(move |((code, filiere), measures)| {
            let mut document = Document::with_capacity(32);
            document.insert("code_certification".to_owned(), code.into());
            document.insert("filiere".to_owned(), filiere.as_str().into());
            document.insert("millesime".to_owned(), millesime.into());
            let mut meta = Map::new();
            for (name, value) in measures {
                match name {
                    MeasureName::Headcount(headcount) => document.insert(headcount.to_owned(), number(value)),
                    MeasureName::Termination => document.insert(TERMINATION_RATE.to_owned(), number(value)),
                    MeasureName::Raw(rank) => {
                        raw_names.get(usize::from(rank)).and_then(|raw| meta.insert(raw.clone(), number(value)))
                    }
                };
            }
            for (raw, name) in RENAMED {
                if maille == Maille::National || !name.starts_with("salaire") {
                    put(&mut document, name, meta.get(raw).cloned());
                }
            }
            if handle {
                complete(&mut document);
                compute(&mut document);
            }
            let mut inserjeunes = Map::new();
            inserjeunes.insert("inserjeunes".to_owned(), Value::Object(meta));
            document.insert("_meta".to_owned(), Value::Object(inserjeunes));
            document
        })
    }
}

fn value(document: &Document, name: &str) -> Option<f64> {
    document.get(name).and_then(Value::as_f64)
}

/// Fills in what follows from other counts.
///
/// Rule: only where `nb_annee_term` is there with `nb_sortant` or `nb_poursuite_etudes`.
/// `nb_sortant` = `nb_annee_term` − `nb_poursuite_etudes`; where everyone goes on studying nobody
/// works, so missing `nb_en_emploi_*` are 0. `nb_poursuite_etudes` is never derived: a missing one
/// may be hidden by the source.
pub fn complete(document: &mut Document) {
    let Some(headcount) = value(document, NB_ANNEE_TERM) else { return };
    let Some(further_study) = value(document, "nb_poursuite_etudes") else { return };
    let mut put_if_absent = |name: &str, value_: f64| {
        if value(document, name).is_none() {
            document.insert(name.to_owned(), number(value_));
        }
    };
    put_if_absent("nb_sortant", headcount - further_study);
    #[expect(clippy::float_cmp, reason = "both are counts, exact in double precision")]
    if further_study == headcount {
        for month in DELAYS {
            put_if_absent(&format!("nb_en_emploi_{month}_mois"), 0.0);
        }
    }
}

/// Computes the rates at 12, 18 and 24 months; a missing term leaves a rate out.
///
/// Rule: that of [`add_rates`]. The rates at 6 months and `taux_en_formation` are the service's own.
pub fn compute(document: &mut Document) {
    add_rates(document, &[12, 18, 24]);
}

/// The place of a statistic.
#[derive(Clone, Copy, Debug)]
pub enum StatisticPlace<'a> {
    /// The whole country.
    France,
    /// A region.
    Region(&'static Region),
    /// An establishment of the ACCE file.
    Etablissement(&'a Acce, &'a str),
}

impl StatisticPlace<'_> {
    /// The fields that documents of this place hold.
    ///
    /// # Errors
    /// Those of [`Acce::locate`].
    pub fn fields(self) -> Result<Document, Rejection> {
        let mut fields = Document::new();
        match self {
            Self::France => {}
            Self::Region(region) => {
                fields.insert("region".to_owned(), region_regionale(region));
            }
            Self::Etablissement(acce, uai) => {
                let (etablissement, place) = acce.locate(uai)?;
                fields.insert("uai".to_owned(), uai.into());
                put(&mut fields, "libelle_etablissement", etablissement.libelle.as_deref());
                fields.insert("region".to_owned(), place.region());
                fields.insert("academie".to_owned(), place.academie());
            }
        }
        Ok(fields)
    }

    /// The maille of its statistics.
    #[must_use]
    pub fn maille(self) -> Maille {
        match self {
            Self::France => Maille::National,
            Self::Region(_) => Maille::Regionale,
            Self::Etablissement(..) => Maille::Etablissement,
        }
    }
}

/// Treatment 5 on the measures of one answer: writes its documents, with their place and
/// certification, into the stored ones (an empty [`Collection`] where nothing is stored yet).
///
/// A certification outside the nomenclature keeps its numbers only where a document of its key was
/// delivered before; else it is rejected.
///
/// # Errors
/// Those of [`Acce::locate`]: the whole answer has no place.
pub fn deliver(
    nomenclature: &Nomenclature,
    measures: Measures,
    millesime: &str,
    place: StatisticPlace<'_>,
    handle: bool,
    stored: &mut Collection,
    report: &mut TreatmentReport,
) -> Result<WriteCounts, Rejection> {
    let fields = place.fields()?;
    let mut writes = WriteCounts::default();
    for mut document in measures.documents(millesime, handle) {
        document.extend(fields.clone());
        let Some(key) = stored.kind().key(&document) else { continue };
        stored.remove_derived(&key);
        match nomenclature.part(field(&document, "code_certification").unwrap_or_default(), false) {
            Ok(part) => document.extend(part),
            Err(_) if stored.place(&key).is_some() => {}
            Err(rejection) => {
                report.reject(&rejection);
                continue;
            }
        }
        if let Some(writing) = stored.write_delivered(document) {
            writes.count(writing);
        }
    }
    Ok(writes)
}

/// The distinct places of some arguments, in order: asking twice would count nothing new.
#[must_use]
pub fn distinct<'a>(codes: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    codes.into_iter().filter(|c| seen.insert(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(measure: &str, value: f64, filiere: Option<&str>, dimension: Value) -> Document {
        let mut row = json!({"id_mesure": measure, "valeur_mesure": value, "dimensions": [dimension]});
        if let Some(filiere) = filiere {
            row["filiere"] = filiere.into();
        }
        row.as_object().unwrap().clone()
    }

    fn handle(maille: Maille, rows: &[Document]) -> (Vec<Value>, TreatmentReport) {
        let mut measures = Measures::new(maille);
        let mut report = TreatmentReport::default();
        for row in rows {
            measures.add(row, &mut report).unwrap();
        }
        (measures.documents("2020", true).map(Value::Object).collect(), report)
    }

    #[test]
    fn rows_become_one_document_a_certification_and_filiere() {
        let mef = json!({"id_mefstat11": "12345678900"});
        let (documents, report) = handle(
            Maille::Etablissement,
            &[
                row("nb_annee_term", 10.0, None, mef.clone()),
                row("nb_poursuite_etudes", 4.0, Some("voie_pro_sco_educ_nat"), mef.clone()),
                row("nb_annee_term", 3.0, Some("voie_pro_sco_agri"), mef.clone()),
                row("nb_annee_term", 5.0, None, json!({"id_formation_apprentissage": "12345678"})),
                row("nb_inconnu", 5.0, None, mef),
                row("nb_annee_term", 5.0, None, json!({})),
            ],
        );
        assert_eq!(documents.len(), 3);
        assert_eq!(documents.iter().find(|d| d["filiere"] == "pro").unwrap()["nb_sortant"], 6);
        assert_eq!(report.unknown_measures["nb_inconnu"], 1);
        assert_eq!(report.ignored["sans_certification"], 1);
    }

    #[test]
    fn an_unknown_filiere_refuses_the_answer() {
        let unknown = row("nb_sortant", 1.0, Some("inconnu"), json!({"id_mefstat11": "12345678900"}));
        let refusal = Measures::new(Maille::Regionale).add(&unknown, &mut TreatmentReport::default());
        assert_eq!(refusal, Err(Rejection::UnknownFiliere { value: "inconnu".into() }));
    }

    #[test]
    fn salaries_are_published_nationally_only() {
        let wage = [row("salaire_TS_Q1_12_mois", 1300.0, None, json!({"id_mefstat11": "12345678900"}))];
        for (maille, published) in
            [(Maille::National, true), (Maille::Regionale, false), (Maille::Etablissement, false)]
        {
            let (documents, _) = handle(maille, &wage);
            assert_eq!(documents[0].get("salaire_12_mois_q1").is_some(), published, "{maille:?}");
            assert_eq!(documents[0]["_meta"]["inserjeunes"]["salaire_TS_Q1_12_mois"], 1300);
        }
    }

    #[test]
    fn nobody_works_where_everyone_studies() {
        let mut document = json!({"nb_annee_term": 8, "nb_poursuite_etudes": 8, "nb_en_emploi_6_mois": 1});
        let document = document.as_object_mut().unwrap();
        complete(document);
        compute(document);
        assert_eq!(document["nb_sortant"], 0);
        assert_eq!((&document["nb_en_emploi_6_mois"], &document["nb_en_emploi_24_mois"]), (&json!(1), &json!(0)));
        assert_eq!(document["taux_en_emploi_12_mois"], 0);
        assert!(!document.contains_key("taux_autres_12_mois"), "no taux_en_formation");
    }

    /// A count of an empty group is a fault of the source. It is kept for those who check: no rate divides by 0, and the
    /// threshold hides the count.
    #[test]
    fn an_empty_group_keeps_its_counts_and_has_no_rate() {
        let cfd = || json!({"id_formation_apprentissage": "12345678"});
        let rows = [
            row("nb_annee_term", 0.0, None, cfd()),
            row("nb_en_emploi_12_mois", 1.0, None, cfd()),
            row("DEVENIR_part_poursuite_etudes", 10.0, None, cfd()),
        ];
        let (documents, _) = handle(Maille::National, &rows);
        let [document] = documents.as_slice() else { panic!("{documents:?}") };
        assert_eq!((&document["nb_annee_term"], &document["nb_en_emploi_12_mois"]), (&json!(0), &json!(1)));
        let missing_ones = ["taux_en_emploi_12_mois", "taux_autres_12_mois"];
        assert!(missing_ones.iter().all(|name| document.get(name).is_none()), "{document}");
    }

    #[test]
    fn two_region_academies_are_not_asked() {
        assert_eq!(regions_to_ask().count(), 17);
        assert!(asked_region("99").is_err());
    }
}
