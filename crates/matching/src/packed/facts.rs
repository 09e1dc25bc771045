//! What a pushed document says that a row may ask for.

use super::records::{self, FigureRecord, PlaceRecord, code_text};
use super::{Fact, Section};
use crate::day::Day;
use crate::field::{Code, CodeType, THRESHOLD, any_code, cfd, mefstat11, sise};
use crate::lookups::{CertifInfo, Coverage, DiplomeHistory, Establishment, Link, Mef, Pay, PlaceStatistic, Success};
use crate::tables::rncp_number;
use domain::{Document, Filiere, Kind};
use serde_json::Value;

/// Bytes of a label that are kept.
const LABEL_MAX: usize = 160;

/// The facts of a document: none of a kind that no rule asks for, nor of one that holds no code.
#[must_use]
pub fn facts(kind: Kind, document: &Document) -> Vec<Fact> {
    let mut said = FoundFacts(Vec::new());
    match kind {
        Kind::BcnMef => said.mef(document),
        Kind::Bcn => said.nomenclature(document),
        Kind::BcnSise => said.sise(document),
        Kind::SiseEquivalence => {
            if let (Some(code), Some(published)) = (sise(text(document, "code")), sise(text(document, "code_publie"))) {
                said.link(format!("e:{}", code.as_str()), code_text(&published).into_bytes());
            }
        }
        Kind::CertifInfo => said.certif_info(document),
        Kind::Rncp => {
            let (code, rncp) = (any_code(text(document, "code_certification")), rncp_number(text(document, "rncp")));
            if let Some(code) = code.filter(|code| !rncp.is_empty() && code.code_type() != CodeType::Mef) {
                said.link(format!("r:{rncp}"), code_text(&code).into_bytes());
            }
        }
        Kind::Ideo => {
            let link = link(text(document, "code_certification"), text(document, "rncp"));
            said.keyed("o:", text(document, "ideo"), records::link(&link));
        }
        Kind::Catalogue => {
            let link = records::link(&link(text(document, "cfd"), text(document, "rncp_code")));
            said.keyed("a:", text(document, "cle_ministere_educatif"), link.clone());
            said.keyed("p:", text(document, "parcoursup_id"), link);
        }
        Kind::ManualCode => {
            let record = records::texts(&[text(document, "auteur"), text(document, "code_certification")]);
            said.keyed("h:", text(document, "cle"), record);
        }
        Kind::CampaignScope => {
            let inside = document.get("dans_le_perimetre").and_then(Value::as_bool).unwrap_or_default();
            let [campaign, diploma_type, voie] = ["campagne", "type_diplome", "filiere"].map(|f| text(document, f));
            said.link(super::reading::scope_key(campaign, diploma_type, voie), vec![u8::from(inside)]);
        }
        Kind::Etablissement => {
            let establishment = Establishment {
                academie: text(document, "academie").to_owned(),
                opened: year_in_paris(document, "date_ouverture"),
                closed: year_in_paris(document, "date_fermeture"),
            };
            said.place(text(document, "numero_uai"), &PlaceRecord::Establishment(establishment));
        }
        Kind::UaiMother => {
            let (found, mother) = (text(document, "numero_uai_trouve"), text(document, "numero_uai_mere"));
            if !found.is_empty() && !mother.is_empty() {
                said.place(found, &PlaceRecord::Mother(mother.to_owned()));
                said.place(mother, &PlaceRecord::Daughter(found.to_owned()));
            }
        }
        Kind::SuccessRate => said.success(document),
        Kind::Formation => said.statistic(document),
        Kind::Certification => said.pay(document),
        Kind::Regionale | Kind::User | Kind::Maille | Kind::Statistic => {}
    }
    said.0
}

/// The facts found so far.
struct FoundFacts(Vec<Fact>);

impl FoundFacts {
    fn link(&mut self, key: String, record: Vec<u8>) {
        self.0.push(Fact { section: Section::Links, key, record });
    }

    fn keyed(&mut self, prefix: &str, key: &str, record: Vec<u8>) {
        if !key.is_empty() {
            self.link(format!("{prefix}{key}"), record);
        }
    }

    fn place(&mut self, uai: &str, record: &PlaceRecord) {
        if !uai.is_empty() {
            self.0.push(Fact { section: Section::Places, key: uai.to_owned(), record: records::place(record) });
        }
    }

    fn figure(&mut self, uai: &str, code: &Code, record: &FigureRecord) {
        let key = format!("{uai}|{}", code_text(code));
        self.0.push(Fact { section: Section::Places, key, record: records::figure(record) });
    }

    /// N_MEF, by MEF (one MEFSTAT11 stands in two rows), by CFD and by MEFSTAT11.
    fn mef(&mut self, document: &Document) {
        let row = Mef {
            mefstat11: mefstat11(text(document, "mef_stat_11")),
            cfd: cfd(text(document, "formation_diplome")),
            length: number(document, "duree_dispositif"),
            year: number(document, "annee_dispositif"),
            opened: day(document, "date_ouverture"),
            closed: day(document, "date_fermeture"),
        };
        let record = records::mef(&row);
        self.keyed("m:", text(document, "mef"), record.clone());
        for (prefix, code) in [("c:", &row.cfd), ("s:", &row.mefstat11)] {
            if let Some(code) = code {
                self.link(format!("{prefix}{}", code.as_str()), record.clone());
            }
        }
    }

    /// A CFD or a MEFSTAT11 of the nomenclature: dates and ancestors, its label, its famille.
    fn nomenclature(&mut self, document: &Document) {
        let own = text(document, "code_certification");
        let is_cfd = text(document, "type") == "cfd" || (text(document, "type") != "mef" && own.len() == 8);
        let Some(code) = (if is_cfd { cfd(own) } else { mefstat11(own) }) else { return };
        let texts = document.get("ancien_diplome").and_then(Value::as_array);
        if is_cfd {
            let ancestors = texts.into_iter().flatten().filter_map(|code| cfd(code.as_str()?)).collect();
            let diplome = DiplomeHistory {
                opened: day(document, "date_ouverture").map(Day::year),
                first_session: number(document, "date_premiere_session"),
                ancestors,
            };
            self.link(format!("d:{own}"), records::diplome(&diplome));
        }
        let long = text(document, "libelle_long");
        let label = if long.is_empty() { text(document, "libelle") } else { long };
        self.label(&code, label, document);
        let famille = sub_text(document, "familleMetier", "code");
        if !famille.is_empty() {
            if is_shared(document) {
                self.link(format!("f:{}", code_text(&code)), records::texts(&["g", famille]));
            } else {
                self.link(format!("g:{famille}"), code_text(&code).into_bytes());
            }
        }
    }

    fn sise(&mut self, document: &Document) {
        let Some(code) = sise(text(document, "diplome_sise")) else { return };
        self.link(format!("n:{}", code.as_str()), Vec::new());
        let label = [text(document, "libelle_intitule_1"), text(document, "libelle_intitule_2")].join(" ");
        self.label(&code, label.trim(), document);
    }

    fn label(&mut self, code: &Code, label: &str, document: &Document) {
        if !label.is_empty() {
            let end = (0..=LABEL_MAX.min(label.len())).rev().find(|end| label.is_char_boundary(*end)).unwrap_or(0);
            let label = label.get(..end).unwrap_or_default();
            let record = records::texts(&[label, sub_text(document, "diplome", "libelle")]);
            self.link(format!("l:{}", code_text(code)), record);
        }
    }

    fn certif_info(&mut self, document: &Document) {
        let filled = |name: &str| Some(text(document, name).to_owned()).filter(|text| !text.is_empty());
        let rncp = rncp_number(text(document, "rncp"));
        let row = CertifInfo {
            entry: text(document, "code").to_owned(),
            cfd: cfd(text(document, "cfd")),
            sise: sise(text(document, "sise")),
            rncp: Some(rncp.to_owned()).filter(|rncp| !rncp.is_empty()),
            older: filled("ancien"),
            newer: filled("nouveau"),
        };
        let record = records::certif_info(&row);
        let keys = [
            ("k:", row.entry.as_str()),
            ("kr:", rncp),
            ("ki:", text(document, "ideo")),
            ("kc:", row.cfd.as_ref().map_or("", Code::as_str)),
            ("ks:", row.sise.as_ref().map_or("", Code::as_str)),
            ("ko:", row.older.as_deref().unwrap_or_default()),
        ];
        for (prefix, key) in keys {
            self.keyed(prefix, key, record.clone());
        }
    }

    /// Rates of success, as SIES gives them. A size that is told hides them below the threshold.
    fn success(&mut self, document: &Document) {
        let (uai, code) = (text(document, "uai"), any_code(text(document, "code_certification")));
        let Some(code) = code.filter(|code| !uai.is_empty() && code.code_type() == CodeType::Sise) else { return };
        let written = |name: &str| match document.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let success = Success::read(&written("taux_de_reussite"), &written("taux_de_passage"));
        let size = written("effectif");
        let hidden = !size.is_empty() && size.parse().map_or(true, |size: f64| size.is_nan() || size < THRESHOLD);
        if success.is_known() && !hidden {
            self.figure(uai, &code, &FigureRecord::Success(success));
        }
    }

    /// The statistic of an establishment: its coverage, and rates only where it is covered.
    fn statistic(&mut self, document: &Document) {
        let uai = text(document, "uai");
        let Some((filiere, code)) = statistic_code(document).filter(|_| !uai.is_empty()) else { return };
        let named = document.get("certificationsTerminales").and_then(Value::as_array);
        let named = named.into_iter().flatten().filter_map(|one| {
            let code = one.get("code_certification").and_then(Value::as_str).or_else(|| one.as_str())?;
            code_of(filiere, code)
        });
        let final_years: Vec<Code> = named.collect();
        let rates = ["taux_en_emploi_6_mois", "taux_en_formation", "taux_autres_6_mois"];
        let source = sub_text(document, "donnee_source", "type");
        let statistic = PlaceStatistic {
            coverage: Coverage::of(figure(document, "nb_annee_term"), rates.map(|rate| figure(document, rate))),
            millesime: Some(text(document, "millesime").to_owned()),
            donnee_source: Some(source.to_owned()).filter(|source| !source.is_empty()),
            final_years: final_years.clone(),
        };
        self.link(format!("t:{}", code_text(&code)), Vec::new());
        self.place(uai, &PlaceRecord::Taught(code.clone()));
        self.figure(uai, &code, &FigureRecord::Statistic(filiere, statistic));
        if is_shared(document) {
            let key = format!("f:{}", code_text(&code));
            self.link(key.clone(), records::texts(&["", ""]));
            for last in final_years {
                self.link(key.clone(), records::texts(&["t", &code_text(&last)]));
            }
        }
    }

    fn pay(&mut self, document: &Document) {
        let Some((filiere, code)) = statistic_code(document) else { return };
        let quartiles = ["salaire_12_mois_q1", "salaire_12_mois_q2", "salaire_12_mois_q3"];
        // A size of null says that the group may be of any size.
        let size = document.get("nb_annee_term").map(|size| size.as_f64().unwrap_or_default());
        let pay = Pay::of(size, quartiles.map(|quartile| figure(document, quartile)));
        if pay != Pay::NotCovered {
            let record = records::pay(filiere, text(document, "millesime"), pay);
            self.link(format!("y:{}", code_text(&code)), record);
        }
    }
}

fn text<'a>(document: &'a Document, field: &str) -> &'a str {
    document.get(field).and_then(Value::as_str).unwrap_or_default().trim()
}

fn sub_text<'a>(document: &'a Document, field: &str, name: &str) -> &'a str {
    document.get(field).and_then(|sub| sub.get(name)).and_then(Value::as_str).unwrap_or_default()
}

fn figure(document: &Document, field: &str) -> Option<f64> {
    document.get(field).and_then(Value::as_f64)
}

/// A number, be it written as a text.
fn number<T: std::str::FromStr>(document: &Document, field: &str) -> Option<T> {
    match document.get(field)? {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// The text of a date: written as such, or as `{"$date": …}`.
fn date_text<'a>(document: &'a Document, field: &str) -> Option<&'a str> {
    let value = document.get(field)?;
    value.as_str().or_else(|| value.get("$date").and_then(Value::as_str))
}

/// A day of the nomenclature, whose days begin in UTC.
fn day(document: &Document, field: &str) -> Option<Day> {
    date_text(document, field).and_then(Day::read)
}

/// The year of a day that begins in Paris, one or two hours before it does in UTC: the last hours of December are of the
/// year after.
fn year_in_paris(document: &Document, field: &str) -> Option<i32> {
    let text = date_text(document, field)?;
    let year = Day::read(text)?.year();
    let new_year = text.get(4..).is_some_and(|rest| rest.starts_with("-12-31T22") || rest.starts_with("-12-31T23"));
    Some(if new_year { year.saturating_add(1) } else { year })
}

fn is_shared(document: &Document) -> bool {
    let shared = document.get("familleMetier").and_then(|famille| famille.get("isAnneeCommune"));
    shared.and_then(Value::as_bool).unwrap_or_default()
}

fn link(cfd_text: &str, rncp: &str) -> Link {
    Link { cfd: cfd(cfd_text), rncp: Some(rncp_number(rncp).to_owned()).filter(|rncp| !rncp.is_empty()) }
}

/// A code of the statistics: the filiere tells what it is.
fn code_of(filiere: Filiere, text: &str) -> Option<Code> {
    match filiere {
        Filiere::Superieur => sise(text),
        Filiere::Apprentissage => cfd(text),
        Filiere::Pro | Filiere::Agricultural => mefstat11(text),
    }
}

fn statistic_code(document: &Document) -> Option<(Filiere, Code)> {
    let filiere = Filiere::parse(text(document, "filiere"))?;
    Some((filiere, code_of(filiere, text(document, "code_certification"))?))
}
