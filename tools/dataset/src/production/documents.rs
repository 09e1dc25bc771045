//! The documents of each kind, one at a time.

use super::{ALL_MENTION, Certif, Etab, Key, Production, RATES_MENTION, YEARS, element, is_regional, missing, regions};
use crate::Line;
use crate::document::{self, Certification, Family};
use crate::headcounts::Headcounts;
use crate::random::Random;
use domain::{CodeType, Document, Filiere, Kind};
use serde_json::json;

impl Production {
    /// National documents.
    pub fn certifications(&self) -> impl Iterator<Item = Line> + '_ {
        YEARS.into_iter().enumerate().flat_map(move |(rank, year)| {
            let present = self.certifs.iter().filter(move |c| !missing(c.group, rank));
            present.map(move |certif| {
                let year = year.to_string();
                let mut random = Random::from_key(&["nationale", &certif.code, &year]);
                let mut doc = Document::new();
                self.put_certification(&mut doc, certif, &year, certif.real, &mut random);
                let size = if random.chance(12) { random.between(3, 19) } else { random.between(20, 2_400) };
                if self.put_figures(&mut doc, certif, size, None, &mut random) {
                    let q2 = 1_250 + 10 * random.below(80);
                    for (field, wage) in [("q1", q2 - 150), ("q2", q2), ("q3", q2 + 180)] {
                        doc.insert(format!("salaire_12_mois_{field}"), wage.into());
                    }
                }
                Line { kind: Kind::Certification, doc }
            })
        })
    }

    /// Regional documents.
    pub fn regionales(&self) -> impl Iterator<Item = Line> + '_ {
        YEARS.into_iter().enumerate().flat_map(move |(rank, year)| {
            regions().enumerate().flat_map(move |(bit, region)| {
                let present = self.certifs.iter().filter(move |c| {
                    let mask = element(&self.regions_of_group, c.group).copied().unwrap_or(0);
                    is_regional(c) && !missing(c.group, rank) && mask >> bit & 1 == 1
                });
                present.map(move |certif| {
                    let period = period(year);
                    let mut random = Random::from_key(&["regionale", &certif.code, region.code, &period]);
                    let mut doc = Document::new();
                    doc.insert("region".into(), document::region_complete(region));
                    self.put_certification(&mut doc, certif, &period, certif.real_regions >> bit & 1 == 1, &mut random);
                    let size = if random.chance(38) { random.between(1, 19) } else { random.between(20, 400) };
                    self.put_figures(&mut doc, certif, size, None, &mut random);
                    Line { kind: Kind::Regionale, doc }
                })
            })
        })
    }

    /// Documents of establishments.
    pub fn formations(&self) -> impl Iterator<Item = Line> + '_ {
        YEARS.into_iter().enumerate().flat_map(move |(rank, year)| {
            self.keys.chunk_by(|a, b| a.etab == b.etab).flat_map(move |keys| {
                let present = keys.iter().filter(move |key| !missing(key.etab, rank));
                present.filter_map(move |key| self.formation(key, keys, year))
            })
        })
    }

    fn formation(&self, key: &Key, neighbours: &[Key], year: u32) -> Option<Line> {
        let (certif, etab) = (element(&self.certifs, key.certif)?, element(&self.etabs, key.etab)?);
        let mut of_the_key = Random::from_key(&["formation", &certif.code, &etab.uai]);
        // Where the source of higher education cannot sum two years, it gives single ones.
        let year_alone = certif.filiere == Filiere::Superieur && of_the_key.chance(20);
        let millesime = if year_alone { year.to_string() } else { period(year) };
        let mut random = Random::from_key(&["formation", &certif.code, &etab.uai, &millesime]);
        let mut doc = Document::new();
        doc.insert("uai".into(), etab.uai.clone().into());
        doc.insert("libelle_etablissement".into(), etab.name.clone().into());
        self.put_certification(&mut doc, certif, &millesime, key.real, &mut random);
        let size = if key.headcount > 0 {
            // A period counts two cohorts, of which some pupils repeat or leave.
            key.headcount * random.between(130, 200) / 100
        } else if of_the_key.chance(36) {
            random.between(3, 19)
        } else {
            random.between(20, 140)
        };
        self.put_figures(&mut doc, certif, size, Some(neighbours), &mut random);
        doc.insert("region".into(), document::region(etab.region));
        doc.insert("academie".into(), document::academie(etab.academie));
        if !year_alone {
            self.put_roles(&mut doc, certif, etab, &mut of_the_key);
        }
        Some(Line { kind: Kind::Formation, doc })
    }

    /// The nomenclature of CFDs and MEFs.
    pub fn bcn(&self) -> impl Iterator<Item = Line> + '_ {
        self.nomenclature.iter().map(|doc| Line { kind: Kind::Bcn, doc: doc.clone() })
    }

    /// The nomenclature of higher education.
    pub fn bcn_sise(&self) -> impl Iterator<Item = Line> + '_ {
        self.nomenclature_sise.iter().map(|doc| Line { kind: Kind::BcnSise, doc: doc.clone() })
    }

    /// Establishments.
    pub fn etablissements(&self) -> impl Iterator<Item = Line> + '_ {
        self.etabs.iter().map(|e| Line { kind: Kind::Etablissement, doc: e.doc.clone() })
    }

    fn put_certification(
        &self,
        doc: &mut Document,
        certif: &Certif,
        millesime: &str,
        real_key: bool,
        random: &mut Random,
    ) {
        let mention = if real_key { RATES_MENTION } else { ALL_MENTION };
        let old = format!("{} - ANCIEN{mention}", certif.libelle);
        Certification {
            code: &certif.code,
            code_type: certif.code_type,
            code_formation_diplome: &certif.cfd,
            libelle: &format!("{}{mention}", certif.libelle),
            old_libelle: (certif.code_type != CodeType::Sise && random.chance(7)).then_some(old.as_str()),
            diplome: certif.diplome.as_ref().map(|(code, libelle)| (code.as_str(), libelle.as_str())),
            closing_date: certif.closing_date.as_deref(),
            family: certif.family.as_ref().map(|(code, libelle, is_annee_commune)| Family {
                code,
                libelle,
                is_annee_commune: *is_annee_commune,
            }),
        }
        .put(doc, certif.filiere, millesime);
    }

    /// Figures, or the final years of a year that is not final: of an establishment, those it has.
    /// Whether there are figures.
    fn put_figures(
        &self,
        doc: &mut Document,
        certif: &Certif,
        size: u32,
        keys: Option<&[Key]>,
        random: &mut Random,
    ) -> bool {
        if !certif.final_years.is_empty() {
            let here = |final_year: &&u32| keys.is_none_or(|keys| keys.iter().any(|key| key.certif == **final_year));
            let codes =
                certif.final_years.iter().filter(here).filter_map(|t| Some(element(&self.certifs, *t)?.code.as_str()));
            doc.insert("certificationsTerminales".into(), document::final_years(codes));
            return false;
        }
        let headcounts = Headcounts::synthetic(random, size);
        let termination = (certif.filiere == Filiere::Apprentissage).then(|| random.between(4, 38));
        headcounts.put(doc, None, termination);
        // Some figures are those of an older or a newer diploma.
        let type_source = match random.below(100) {
            _ if certif.filiere == Filiere::Superieur => "self",
            0..6 => "ancienne",
            6..9 => "nouvelle",
            _ => "self",
        };
        let source = match type_source {
            "self" => certif,
            _ => self
                .by_type
                .get(&certif.code_type)
                .and_then(|ranks| element(&self.certifs, *random.choice(ranks)?))
                .unwrap_or(certif),
        };
        doc.insert("donnee_source".into(), document::donnee_source(&source.code, type_source));
        let meta = match certif.filiere {
            Filiere::Superieur => json!({ "insersup": { "type_diplome": "synthetique", "discipline": "synthetique" } }),
            _ => {
                let rate = |name: &str| doc.get(name).cloned().unwrap_or_default();
                json!({ "inserjeunes": {
                    "DEVENIR_part_autre_situation_6_mois": rate("taux_autres_6_mois"),
                    "DEVENIR_part_en_emploi_6_mois": rate("taux_en_emploi_6_mois"),
                    "DEVENIR_part_poursuite_etudes": rate("taux_en_formation"),
                    "taux_poursuite_etudes": rate("taux_en_formation"),
                } })
            }
        };
        doc.insert("_meta".into(), meta);
        true
    }

    /// What the establishment is for the course, and whose numbers it shows.
    fn put_roles(&self, doc: &mut Document, certif: &Certif, etab: &Etab, random: &mut Random) {
        let of_the_region = self.etabs_by_region.get(etab.region.code).map_or(&[][..], Vec::as_slice);
        let neighbour = |random: &mut Random| {
            let neighbour = random.choice(of_the_region).and_then(|rank| element(&self.etabs, *rank));
            neighbour.map_or_else(|| etab.uai.clone(), |e| e.uai.clone())
        };
        let itself = || vec![etab.uai.clone()];
        let (uai_type, data, data_type, lists) = match (certif.filiere, random.below(100)) {
            (Filiere::Superieur, _) | (Filiere::Apprentissage, 92..) => {
                ("inconnu", etab.uai.clone(), "inconnu", Vec::new())
            }
            (Filiere::Pro | Filiere::Agricultural, _) => (
                "lieu_formation",
                etab.uai.clone(),
                "lieu_formation",
                vec![("uai_formateur", itself()), ("uai_gestionnaire", itself())],
            ),
            (Filiere::Apprentissage, draw) => {
                let (a, b) = (neighbour(random), neighbour(random));
                match draw {
                    0..30 => (
                        "lieu_formation",
                        etab.uai.clone(),
                        "lieu_formation",
                        vec![("uai_formateur", vec![a]), ("uai_gestionnaire", vec![b])],
                    ),
                    30..55 => (
                        "lieu_formation",
                        a.clone(),
                        "formateur",
                        vec![("uai_formateur", vec![a]), ("uai_gestionnaire", vec![b])],
                    ),
                    55..62 => (
                        "lieu_formation",
                        b.clone(),
                        "gestionnaire",
                        vec![("uai_formateur", vec![a]), ("uai_gestionnaire", vec![b])],
                    ),
                    62..85 => (
                        "formateur",
                        etab.uai.clone(),
                        "formateur",
                        vec![("uai_lieu_formation", vec![etab.uai.clone(), a]), ("uai_gestionnaire", vec![b])],
                    ),
                    _ => (
                        "gestionnaire",
                        etab.uai.clone(),
                        "gestionnaire",
                        vec![("uai_lieu_formation", vec![a.clone(), b]), ("uai_formateur", vec![a])],
                    ),
                }
            }
        };
        doc.insert("uai_type".into(), uai_type.into());
        doc.insert("uai_donnee".into(), data.into());
        doc.insert("uai_donnee_type".into(), data_type.into());
        for (field, uais) in lists {
            doc.insert(field.into(), uais.into());
        }
    }
}

fn period(year: u32) -> String {
    format!("{}_{year}", year - 1)
}
