//! The project's own sample, turned back into what the services would have answered.
//!
//! The sample is finished documents; the answers hold what the services deliver of them, before any treatment: the
//! documents whose numbers are their own, measure by measure.

use crate::answer::{DataSet, Rows, Summary};
use crate::tables::Course;
use dataset::sample;
use domain::{Document, Kind, Maille};
use serde_json::{Value, json};
use sources::{BcnTable, Service};
use std::collections::{BTreeMap, BTreeSet};

/// Measures as the service calls them, and as documents do.
const RENAMED: [(&str, &str); 6] = [
    ("DEVENIR_part_autre_situation_6_mois", "taux_autres_6_mois"),
    ("DEVENIR_part_en_emploi_6_mois", "taux_en_emploi_6_mois"),
    ("DEVENIR_part_poursuite_etudes", "taux_en_formation"),
    ("salaire_TS_Q1_12_mois", "salaire_12_mois_q1"),
    ("salaire_TS_Q2_12_mois", "salaire_12_mois_q2"),
    ("salaire_TS_Q3_12_mois", "salaire_12_mois_q3"),
];

/// The sample.
#[derive(Debug)]
pub struct Sample(BTreeMap<&'static str, Vec<Document>>);

fn text<'a>(document: &'a Document, name: &str) -> &'a str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn inner<'a>(document: &'a Document, name: &str, inner: &str) -> Option<&'a str> {
    document.get(name)?.get(inner)?.as_str()
}

fn row(value: Value) -> Document {
    match value {
        Value::Object(row) => row,
        _ => Document::new(),
    }
}

/// A day of a document (`2012-09-01T…`), as the BCN writes it.
fn day(document: &Document, name: &str) -> Value {
    text(document, name).get(..10).map_or(Value::Null, |day| format!("{day} 00:00:00").into())
}

/// The level by which the BCN calls a diploma's level of the documents (contract, "Treatments", 1).
fn interministerial(code: &str) -> &'static str {
    match code {
        "3" => "5",
        "4" => "4",
        "5" => "3",
        "6" => "2",
        "7" => "1",
        _ => "0",
    }
}

impl Sample {
    /// Makes it.
    #[must_use]
    pub fn new() -> Self {
        let mut kinds: BTreeMap<&'static str, Vec<Document>> = BTreeMap::new();
        for line in sample::lines() {
            kinds.entry(line.kind.name()).or_default().push(line.doc);
        }
        Self(kinds)
    }

    fn of(&self, kind: Kind) -> &[Document] {
        self.0.get(kind.name()).map_or(&[], Vec::as_slice)
    }

    /// Statistics as delivered: a document's numbers are its own.
    fn delivered(&self, maille: Maille) -> impl Iterator<Item = &Document> {
        let kind = match maille {
            Maille::National => Kind::Certification,
            Maille::Regionale => Kind::Regionale,
            Maille::Etablissement => Kind::Formation,
            // Declared mailles arrive by push only.
            Maille::Declared => Kind::Statistic,
        };
        self.of(kind).iter().filter(|document| inner(document, "donnee_source", "type") == Some("self"))
    }

    /// Measures of the documents of a maille that a test lets pass.
    fn measures(&self, maille: Maille, millesime: &str, wanted: impl Fn(&Document) -> bool) -> Rows {
        let mut rows = Vec::new();
        let of = |d: &&Document| text(d, "millesime") == millesime && wanted(d);
        for document in self.delivered(maille).filter(of) {
            let code = text(document, "code_certification").to_owned();
            let course = match text(document, "filiere") {
                "apprentissage" => Course::Apprentissage(code),
                "agricole" => Course::Agricultural(code),
                "pro" => Course::School(code),
                _ => continue,
            };
            let counts = document.keys().filter(|name| name.starts_with("nb_") || *name == "taux_rupture_contrats");
            let counts = counts.map(|name| (name.as_str(), name.as_str()));
            let number = |(raw, name): (_, &str)| Some((raw, document.get(name)?.as_f64()?));
            rows.extend(course.measures(counts.chain(RENAMED).filter_map(number)));
        }
        Box::new(rows.into_iter())
    }

    /// Higher education by establishment, as rows of InserSup.
    #[must_use]
    pub fn insersup_rows(&self) -> Vec<Document> {
        let count = |document: &Document, name: &str| match document.get(name).and_then(Value::as_u64) {
            Some(count) => count.to_string(),
            None => "nd".to_owned(),
        };
        let sup = self.delivered(Maille::Etablissement).filter(|d| text(d, "filiere") == "superieur");
        let one = |d: &Document| {
            let millesime = text(d, "millesime");
            // A period is a sum over two years, which the service marks with an asterisk.
            let (years, mark) = match (millesime.split_once('_'), millesime.parse::<u32>()) {
                (Some((first, second)), _) => (format!("{first}-{second}"), "*"),
                (None, Ok(year)) => (format!("{}-{year}", year.saturating_sub(1)), ""),
                (None, Err(_)) => (millesime.to_owned(), ""),
            };
            let meta =
                |name: &str| d.get("_meta").and_then(|m| m.get("insersup")?.get(name)).cloned().unwrap_or_default();
            row(json!({
                "etablissement": d.get("uai"),
                "denomination_principale": d.get("libelle_etablissement"),
                "diplome": d.get("code_certification"),
                "libelle_diplome": d.get("libelle"),
                "annee_universitaire": years,
                "domaine": meta("domaine_disciplinaire"),
                "secteur_disciplinaire": meta("secteur_disciplinaire"),
                "discipline": meta("discipline"),
                "type_diplome_long": meta("type_diplome"),
                "nb_inscrits": count(d, "nb_annee_term"),
                "nb_diplomes": count(d, "nb_diplome"),
                "nb_sortants": format!("{}{mark}", count(d, "nb_sortant")),
                "nb_poursuivants": count(d, "nb_poursuite_etudes"),
                "nb_in_dsn_6": count(d, "nb_en_emploi_6_mois"),
                "nb_in_dsn_12": count(d, "nb_en_emploi_12_mois"),
                "nb_in_dsn_18": count(d, "nb_en_emploi_18_mois"),
                "nb_in_dsn_24": count(d, "nb_en_emploi_24_mois"),
                "salaire_q1_national_diplome_12": count(d, "salaire_12_mois_q1"),
                "salaire_q2_national_diplome_12": count(d, "salaire_12_mois_q2"),
                "salaire_q3_national_diplome_12": count(d, "salaire_12_mois_q3"),
            }))
        };
        sup.map(one).collect()
    }

    /// Higher education, national, as rows of the open data export: with each total, a row about a part of it, which is
    /// to be left out.
    #[must_use]
    pub fn national_rows(&self, millesime: &str) -> Vec<Document> {
        let sup = self.delivered(Maille::National).filter(|d| text(d, "filiere") == "superieur");
        let mut rows = Vec::new();
        for d in sup.filter(|d| text(d, "millesime") == millesime) {
            let field = |name: &str| d.get(name).cloned().unwrap_or_else(|| "nd".into());
            let total = row(json!({
                "source": "insersup", "uo_lib": "National",
                "promo": millesime.split('_').collect::<Vec<_>>(),
                "diplome": d.get("code_certification"), "libelle_diplome": d.get("libelle"),
                "nationalite": "ensemble", "genre": "ensemble", "obtention_diplome": "ensemble",
                "regime_inscription": "ensemble",
                "nb_poursuivants": field("nb_poursuite_etudes"), "nb_sortants": field("nb_sortant"),
                "nb_sortants_en_emploi_sal_fr_6": field("nb_en_emploi_6_mois"),
                "nb_sortants_en_emploi_sal_fr_12": field("nb_en_emploi_12_mois"),
                "nb_sortants_en_emploi_sal_fr_18": field("nb_en_emploi_18_mois"),
                "nb_sortants_en_emploi_sal_fr_24": field("nb_en_emploi_24_mois"),
                "salaire_q1_12": field("salaire_12_mois_q1"), "salaire_q2_12": field("salaire_12_mois_q2"),
                "salaire_q3_12": field("salaire_12_mois_q3"),
            }));
            let mut part = total.clone();
            part.insert("genre".to_owned(), "femme".into());
            part.insert("nb_sortants".to_owned(), "nd".into());
            rows.extend([total, part]);
        }
        rows
    }

    fn cfds(&self) -> impl Iterator<Item = &Document> {
        self.of(Kind::Bcn).iter().filter(|d| text(d, "type") == "cfd")
    }

    fn formation_diplome(d: &Document) -> Document {
        // The documents' label is both labels of the table, joined by a space.
        let (short, rest) = text(d, "libelle").split_once(' ').unwrap_or_default();
        let mut row = row(json!({
            "formation_diplome": d.get("code_certification"),
            "niveau_formation_diplome": d.get("niveauFormationDiplome"),
            "groupe_specialite": d.get("groupeSpecialite"),
            "lettre_specialite": d.get("lettreSpecialite"),
            "libelle_court": short,
            "libelle_stat_33": rest,
            "libelle_long_200": d.get("libelle_long"),
            "date_ouverture": day(d, "date_ouverture"),
            "date_fermeture": day(d, "date_fermeture"),
            "date_premiere_session": text(d, "date_premiere_session").parse::<u32>().ok(),
            "date_derniere_session": text(d, "date_derniere_session").parse::<u32>().ok(),
        }));
        for side in ["ancien_diplome", "nouveau_diplome"] {
            let codes = d.get(side).and_then(Value::as_array).cloned().unwrap_or_default();
            for (rank, number) in (1..=7).enumerate() {
                row.insert(format!("{side}_{number}"), codes.get(rank).cloned().unwrap_or_default());
            }
        }
        row
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self::new()
    }
}

/// One row for each key, the last one wins.
fn distinct(rows: impl Iterator<Item = (String, Value)>) -> Vec<Document> {
    rows.collect::<BTreeMap<_, _>>().into_values().map(row).collect()
}

impl DataSet for Sample {
    fn uai(&self, uai: &str, millesime: &str) -> Option<Rows> {
        self.of(Kind::Etablissement).iter().find(|d| text(d, "numero_uai") == uai)?;
        Some(self.measures(Maille::Etablissement, millesime, |d| text(d, "uai") == uai))
    }

    fn region(&self, region: &str, millesime: &str) -> Rows {
        let here = |d: &Document| inner(d, "region", "code_region_academique") == Some(region);
        self.measures(Maille::Regionale, millesime, here)
    }

    fn france(&self, millesime: &str, filiere: &str) -> Rows {
        self.measures(Maille::National, millesime, |d| match text(d, "filiere") {
            "apprentissage" => filiere == "apprentissage",
            "pro" => filiere == "voie_pro_sco_educ_nat",
            _ => false,
        })
    }

    fn insersup(&self) -> Rows {
        Box::new(self.insersup_rows().into_iter())
    }

    fn national(&self, millesime: &str) -> Rows {
        Box::new(self.national_rows(millesime).into_iter())
    }

    fn bcn(&self, table: BcnTable) -> anyhow::Result<Rows> {
        let rows: Vec<Document> = match table {
            // Every table has rows, as in life: an empty one would be taken for a fault.
            BcnTable::VFormationDiplome | BcnTable::NFormationDiplome | BcnTable::NFormationDiplomeEnquete51 => {
                self.cfds().map(Self::formation_diplome).collect()
            }
            BcnTable::NNiveauFormationDiplome => distinct(self.cfds().map(|d| {
                let level = text(d, "niveauFormationDiplome").to_owned();
                let number = interministerial(inner(d, "diplome", "code").unwrap_or_default());
                let row = json!({"niveau_formation_diplome": level, "niveau_interministeriel": number,
                    "libelle_court": inner(d, "diplome", "libelle")});
                (level, row)
            })),
            BcnTable::NMef => self.of(Kind::BcnMef).iter().cloned().map(with_days).collect(),
            BcnTable::NDiplomeSise => {
                let without_level = |mut d: Document| {
                    d.remove("diplome");
                    with_days(d)
                };
                self.of(Kind::BcnSise).iter().cloned().map(without_level).collect()
            }
            BcnTable::NTypeDiplomeSise => distinct(self.of(Kind::BcnSise).iter().map(|d| {
                let kind = text(d, "type_diplome_sise").to_owned();
                let number = interministerial(inner(d, "diplome", "code").unwrap_or_default());
                let label = inner(d, "diplome", "libelle");
                let row = json!({"type_diplome_sise": kind, "niveau_interministeriel": number, "libelle_court": label});
                (kind, row)
            })),
            BcnTable::NGroupeFormation => distinct(self.cfds().filter_map(|d| {
                let code = inner(d, "familleMetier", "code")?.to_owned();
                let row = json!({"groupe_formation": code, "libelle_edition": inner(d, "familleMetier", "libelle")});
                Some((code, row))
            })),
            BcnTable::NLienFormationGroupe => distinct(self.cfds().filter_map(|d| {
                let code = text(d, "code_certification").to_owned();
                let row = json!({"groupe_formation": inner(d, "familleMetier", "code")?, "formation_diplome": code});
                Some((code, row))
            })),
        };
        Ok(Box::new(rows.into_iter()))
    }

    fn acce(&self) -> anyhow::Result<Rows> {
        let mut rows = self.of(Kind::Etablissement).to_vec();
        for row in &mut rows {
            // The file writes days as in 31/08/2025.
            for (_, value) in row.iter_mut().filter(|(name, _)| name.starts_with("date_")) {
                if let Some([year, month, day]) =
                    value.as_str().and_then(|d| d.get(..10)).map(|d| d.split('-').collect::<Vec<_>>()).as_deref()
                {
                    *value = format!("{day}/{month}/{year}").into();
                }
            }
        }
        Ok(Box::new(rows.into_iter()))
    }

    fn links(&self, service: Service) -> anyhow::Result<Rows> {
        let entries = self.of(Kind::Rncp).iter().enumerate().map(|(rank, entry)| {
            let rncp = text(entry, "rncp").trim_start_matches("RNCP").to_owned();
            (rank + 1, text(entry, "code_certification").to_owned(), rncp)
        });
        let rows: Vec<Value> = match service {
            Service::CertifInfo => entries
                .map(|(number, cfd, rncp)| {
                    json!({"Code_Diplome": number.to_string(), "Libelle_Diplome": format!("Entrée fictive {number}"),
                        "Code_RNCP": rncp, "Code_Scolarité": cfd, "codeIdeo2": format!("FOR.{number}"),
                        "Code_Ancien_Diplome": "", "Etat_Libelle": "Publié"})
                })
                .collect(),
            Service::Onisep => entries
                .map(|(number, cfd, rncp)| {
                    json!({"url_et_id_onisep": format!("https://onisep.example/slug/FOR.{number}"), "code_scolarite": cfd,
                        "code_rncp": rncp, "duree": "2 ans"})
                })
                .collect(),
            Service::OnisepPassage => entries
                .map(|(number, cfd, rncp)| {
                    json!({"certif_info_ci_identifiant": number.to_string(), "ideo_identifiant_formation": format!("FOR.{number}"),
                        "ci_code_rncp": rncp, "ci_code_scolarite": cfd})
                })
                .collect(),
            _ => self
                .of(Kind::Etablissement)
                .windows(2)
                .step_by(10)
                .filter_map(|pair| Some((text(pair.first()?, "numero_uai"), text(pair.get(1)?, "numero_uai"))))
                .map(|(found, mother)| {
                    json!({"numero_uai_trouve": found, "numero_uai_mere": mother, "type_rattachement": "AN"})
                })
                .collect(),
        };
        Ok(Box::new(rows.into_iter().map(row)))
    }

    fn catalogue(&self) -> Vec<Document> {
        self.of(Kind::Catalogue).to_vec()
    }

    fn sources(&self) -> Summary {
        let millesimes = |maille| {
            let all = self.delivered(maille).filter(|d| text(d, "filiere") != "superieur");
            let names: BTreeSet<&str> = all.map(|d| text(d, "millesime")).collect();
            names.into_iter().map(str::to_owned).collect()
        };
        Summary { years: millesimes(Maille::National), periods: millesimes(Maille::Etablissement) }
    }
}

/// A row of a table, as the service writes days.
fn with_days(mut document: Document) -> Document {
    let days: Vec<String> = document.keys().filter(|name| name.starts_with("date_")).cloned().collect();
    for name in days {
        let day = day(&document, &name);
        document.insert(name, day);
    }
    document
}
