//! Real documents: the open regional figures, joined with the nomenclature.
//!
//! What was decided where the source leaves a choice:
//!
//! - **Filiere**: `voie` says apprentissage or scolaire and no more. A row of the school track is
//!   `pro`, agricultural diplomas too: the source does not tell the ministry, and where the service's
//!   own interface does, the import drops regional agricole rows.
//! - **Rates**: `taux_en_emploi_N_mois` is the share of the whole group, computed from the counts.
//!   The file's own `taux_emploi_N_mois` is another indicator, the share among those who left
//!   education: it goes to `_meta.inserjeunes`, where the import keeps it too. `taux_poursuite_etudes`,
//!   published from 20 young people on, is a share of the whole group and becomes
//!   `taux_en_formation`; below that the share is computed. Documents are raw, the import hides.
//! - **National documents** do not exist as open data. Ours are sums over regions, and their labels end
//!   with [`NATIONAL_MENTION`]. National millesimes are years: the sum of a period bears its
//!   last year. A region without any outcome (fewer than five young people) is left out of the
//!   sum, so that counts and total belong together; salaries are not open.
//! - **Nomenclature**: of the three tables a later one wins. The lineage of MEFs, old labels, familles
//!   de metiers and non-final years are treatments, and left to the import.

use crate::{
    Error, Line,
    document::{self, Certification, object},
    headcounts::Headcounts,
    tables::{self, Etablissement, Nomenclature, each_row},
};
use domain::{
    CodeCertification, CodeType, Document, Filiere, Kind, Millesime, code::is_rncp, rates::number, territory,
};
use serde_json::json;
use std::{collections::BTreeMap, path::Path};

/// What the label of a national document ends with.
pub const NATIONAL_MENTION: &str = " (somme des régions)";

/// A row of the regional table.
#[derive(Clone, Debug)]
struct Regionale {
    millesime: Millesime,
    region: &'static territory::Region,
    filiere: Filiere,
    code: CodeCertification,
    headcounts: Headcounts,
    further_study_rate: Option<u32>,
    /// The file's own rates, which are no indicators of ours.
    meta: Document,
}

/// The reference data, read and joined.
#[derive(Clone, Debug)]
pub struct Real {
    bcn: Nomenclature,
    regionales: Vec<Regionale>,
    etablissements: Vec<Etablissement>,
    /// CFD and RNCP code.
    rncp: Vec<(String, String)>,
    /// What the matching of catalogues looks up beside: Certif Info and Onisep.
    matching: Vec<Line>,
}

impl Real {
    /// Reads a folder of reference data.
    ///
    /// # Errors
    /// [`Error::File`] where a table is missing; [`Error::Table`] where one holds a value that cannot
    /// be what it should, or a code that the nomenclature does not know.
    pub fn read(data: &Path) -> Result<Self, Error> {
        let bcn = Nomenclature::read(data)?;
        let mut regionales = Vec::new();
        each_row(&tables::regional_csv(data), |row| {
            let millesime = row.need("millesime")?;
            let region = row.need("code_region")?;
            let (filiere, column) = match row.need("voie")? {
                "apprentissage" => (Filiere::Apprentissage, "cfd"),
                "scolaire" => (Filiere::Pro, "mefstat11"),
                voie => return Err(row.error(&format!("unknown voie {voie}"))),
            };
            let code = row.need(column)?;
            let known = match filiere {
                Filiere::Apprentissage => bcn.cfds.contains_key(code),
                _ => bcn.mefs.contains_key(code) && bcn.cfd_of(code).is_some(),
            };
            let mut meta = Document::new();
            for field in [
                "taux_poursuite_etudes",
                "taux_emploi_6_mois",
                "taux_emploi_12_mois",
                "taux_emploi_18_mois",
                "taux_emploi_24_mois",
            ] {
                if let Some(value) = row.number(field)? {
                    meta.insert(field.into(), value.into());
                }
            }
            regionales.push(Regionale {
                millesime: Millesime::parse(millesime).ok_or_else(|| row.error(&format!("millesime {millesime}")))?,
                region: territory::region(region).ok_or_else(|| row.error(&format!("unknown region {region}")))?,
                filiere,
                code: CodeCertification::parse(code)
                    .filter(|_| known)
                    .ok_or_else(|| row.error(&format!("{code} is not in the nomenclature")))?,
                headcounts: Headcounts {
                    final_year: row.number("nb_annee_term")?,
                    further_study: row.number("nb_poursuite_etudes")?,
                    leaver: row.number("nb_sortant")?,
                    employed: [
                        row.number("nb_en_emploi_6_mois")?,
                        row.number("nb_en_emploi_12_mois")?,
                        row.number("nb_en_emploi_18_mois")?,
                        row.number("nb_en_emploi_24_mois")?,
                    ],
                }
                .completes(),
                further_study_rate: row.number("taux_poursuite_etudes")?,
                meta,
            });
            Ok(())
        })?;
        let mut rncp = Vec::new();
        each_row(&data.join("kit-apprentissage/cfd-rncp-2024.csv"), |row| {
            if let (Some(cfd), Some(version_set)) = (row.get("Code Diplôme"), row.get("FicheRNCP"))
                && is_rncp(version_set)
                && bcn.cfds.contains_key(cfd)
            {
                rncp.push((cfd.to_owned(), version_set.to_owned()));
            }
            Ok(())
        })?;
        let matching = matching_tables(data)?;
        Ok(Self { bcn, regionales, etablissements: tables::etablissements(data)?, rncp, matching })
    }

    /// Every line, kind by kind.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.certifications()
            .chain(self.regionales())
            .chain(self.bcn())
            .chain(self.bcn_mef())
            .chain(self.bcn_sise())
            .chain(self.etablissements())
            .chain(self.rncp())
            .chain(self.matching())
    }

    /// Certif Info and Onisep, for the matching of catalogues.
    pub fn matching(&self) -> impl Iterator<Item = Line> + '_ {
        self.matching.iter().cloned()
    }

    /// One line a row of the regional table, in its order.
    pub fn regionales(&self) -> impl Iterator<Item = Line> + '_ {
        self.regionales.iter().map(|row| {
            let mut doc = Document::new();
            doc.insert("region".into(), document::region_complete(row.region));
            self.put_certification(&mut doc, &row.code, row.filiere, row.millesime.as_str(), "");
            row.headcounts.put(&mut doc, row.further_study_rate.map(f64::from), None);
            doc.insert("donnee_source".into(), document::donnee_source(row.code.as_str(), "self"));
            doc.insert("_meta".into(), json!({ "inserjeunes": row.meta }));
            Line { kind: Kind::Regionale, doc }
        })
    }

    /// Sums over regions, by year, code and filiere.
    pub fn certifications(&self) -> impl Iterator<Item = Line> + '_ {
        let mut groups: BTreeMap<(&str, &CodeCertification, Filiere), Vec<Headcounts>> = BTreeMap::new();
        for row in &self.regionales {
            groups.entry((row.millesime.year(), &row.code, row.filiere)).or_default().push(row.headcounts);
        }
        groups.into_iter().map(|((year, code, filiere), headcounts)| {
            let filled: Vec<Headcounts> = headcounts.iter().copied().filter(|e| e.further_study.is_some()).collect();
            let sum = Headcounts::sum(if filled.is_empty() { &headcounts } else { &filled });
            let mut doc = Document::new();
            self.put_certification(&mut doc, code, filiere, year, NATIONAL_MENTION);
            sum.put(&mut doc, None, None);
            doc.insert("donnee_source".into(), document::donnee_source(code.as_str(), "self"));
            let part = sum.training_rate().map_or_else(Document::new, |rate| {
                Document::from_iter([("taux_poursuite_etudes".to_owned(), number(rate))])
            });
            doc.insert("_meta".into(), json!({ "inserjeunes": part }));
            Line { kind: Kind::Certification, doc }
        })
    }

    fn put_certification(
        &self,
        doc: &mut Document,
        code: &CodeCertification,
        filiere: Filiere,
        millesime: &str,
        mention: &str,
    ) {
        let Some((code_cfd, cfd)) = self.bcn.cfd_of(code.as_str()) else { return };
        let closing_date = match code.code_type() {
            CodeType::Mef => self.bcn.mefs.get(code.as_str()).and_then(|mef| mef.closing_date.as_deref()),
            _ => cfd.closing_date.as_deref(),
        };
        Certification {
            code: code.as_str(),
            code_type: code.code_type(),
            code_formation_diplome: code_cfd,
            libelle: &format!("{}{mention}", cfd.libelle_long),
            old_libelle: None,
            diplome: cfd.diplome.as_ref().map(|(level, short)| (level.as_str(), short.as_str())),
            closing_date,
            family: None,
        }
        .put(doc, filiere, millesime);
    }

    /// The nomenclature: CFDs, then MEFs.
    pub fn bcn(&self) -> impl Iterator<Item = Line> + '_ {
        let codes = self.bcn.cfds.keys().chain(self.bcn.mefs.keys());
        codes.filter_map(|code| Some(Line { kind: Kind::Bcn, doc: self.bcn.entry(code)? }))
    }

    /// MEFs as their own table has them.
    pub fn bcn_mef(&self) -> impl Iterator<Item = Line> + '_ {
        let rows = self.bcn.mefs.values().map(|mef| &mef.entry).chain(&self.bcn.doubled);
        rows.map(|row| Line { kind: Kind::BcnMef, doc: row.clone() })
    }

    /// Diplomas of higher education.
    pub fn bcn_sise(&self) -> impl Iterator<Item = Line> + '_ {
        self.bcn.sises.values().map(|sise| Line { kind: Kind::BcnSise, doc: sise.entry.clone() })
    }

    /// The RNCP codes of the CFDs that the nomenclature knows.
    pub fn rncp(&self) -> impl Iterator<Item = Line> + '_ {
        self.rncp.iter().map(|(cfd, version_set)| Line {
            kind: Kind::Rncp,
            doc: object(json!({"code_certification": cfd, "rncp": version_set})),
        })
    }

    /// The directory of establishments.
    pub fn etablissements(&self) -> impl Iterator<Item = Line> + '_ {
        self.etablissements.iter().map(|e| Line { kind: Kind::Etablissement, doc: e.doc.clone() })
    }
}

/// The open file of Certif Info and the sheets of Onisep, as lines of a push. What is no code there is left out.
fn matching_tables(data: &Path) -> Result<Vec<Line>, Error> {
    let cfd = |text: &str| CodeCertification::parse(&format!("CFD:{text}")).map(|code| code.as_str().to_owned());
    let rncp = |text: &str| Some(format!("RNCP{text}")).filter(|code| is_rncp(code));
    let mut lines = Vec::new();
    let mut add = |kind: Kind, fields: Vec<(&str, Option<String>)>| {
        let doc = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
        lines.push(Line { kind, doc });
    };
    each_row(&data.join("certif-info/certif-info-2024.csv"), |row| {
        let text = |column: &str| row.get(column).map(str::to_owned);
        add(
            Kind::CertifInfo,
            vec![
                ("code", Some(row.need("Code_Diplome")?.to_owned())),
                ("cfd", row.get("Code_Scolarité").and_then(cfd)),
                ("rncp", row.get("Code_RNCP").and_then(rncp)),
                ("ideo", text("codeIdeo2")),
                ("ancien", text("Code_Ancien_Diplome")),
                ("premiere_session", text("Annee_Premiere_Session")),
            ],
        );
        Ok(())
    })?;
    each_row(&data.join("onisep/ideo-formations-2024.csv"), |row| {
        add(
            Kind::Ideo,
            vec![
                ("ideo", Some(row.need("identifiant_ideo")?.to_owned())),
                ("code_certification", row.get("code_scolarite").and_then(cfd)),
                ("rncp", row.get("code_rncp").and_then(rncp)),
            ],
        );
        Ok(())
    })?;
    Ok(lines)
}
