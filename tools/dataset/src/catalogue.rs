//! A made-up catalogue of formations, as Parcoursup's: for measurements and tests of the matching.
//!
//! Its rows are drawn from statistics of establishments, in no order, and hold every column that the rules read. Most
//! identifiers lead where they should; some lead nowhere, to several codes or to another establishment, as in life.
//! Beside it come the tables that its identifiers go through ([`FormationCatalogue::links`]).

use crate::{Line, random::Random};
use domain::{Document, Filiere, Kind};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The columns, in their order: those that the rules read, and one that they do not.
pub const COLUMNS: [&str; 14] = [
    "CODEFORMATIONACCUEIL",
    "UAI_COMPOSANTE",
    "UAI_AFF",
    "UAI_GES",
    "APPRENTISSAGEOUSCOLAIRE",
    "CODEMEF",
    "CODECFD",
    "CODESISE",
    "LISTE_RNCP",
    "LISTE_IDEO",
    "ID_RCO",
    "LIBFORMATION",
    "NBDEDEMANDES",
    "LIBELLE",
];

/// The kinds of the lines beside a catalogue that no other data set has.
pub const LINK_KINDS: [Kind; 3] = [Kind::CertifInfo, Kind::Ideo, Kind::UaiMother];

/// A certification in an establishment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Taught {
    uai: String,
    code: String,
    cfd: String,
    filiere: Filiere,
}

/// What catalogues are drawn from.
#[derive(Clone, Debug, Default)]
pub struct FormationCatalogue {
    taught: Vec<Taught>,
    /// By the code that identifiers lead to (a CFD, a SISE code), its number in the made-up tables.
    numbers: BTreeMap<String, usize>,
    /// By MEFSTAT11, its CFD.
    mefs: BTreeMap<String, String>,
}

/// The year of a MEFSTAT11 in its course.
fn year(mefstat11: &str) -> &str {
    mefstat11.get(3..4).unwrap_or("1")
}

/// The MEF of the MEFSTAT11 of a rank.
fn mef(rank: usize) -> String {
    (2_000_000_000 + rank).to_string()
}

impl FormationCatalogue {
    /// From the lines of a data set: only statistics of establishments are looked at.
    #[must_use]
    pub fn of(lines: impl IntoIterator<Item = Line>) -> Self {
        let mut taught = BTreeSet::new();
        for line in lines {
            let text = |name: &str| line.doc.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let Some(filiere) = Filiere::parse(&text("filiere")).filter(|_| line.kind == Kind::Formation) else {
                continue;
            };
            let (code, mut cfd) = (text("code_certification"), text("code_formation_diplome"));
            if filiere != Filiere::Pro && filiere != Filiere::Agricultural || cfd.is_empty() {
                cfd.clone_from(&code);
            }
            taught.insert(Taught { uai: text("uai"), code, cfd, filiere });
        }
        let codes: BTreeSet<&String> = taught.iter().map(|one| &one.cfd).collect();
        let numbers = codes.into_iter().enumerate().map(|(number, code)| (code.clone(), number)).collect();
        let of_school = taught.iter().filter(|one| one.code.len() == 11);
        let mefs = of_school.map(|one| (one.code.clone(), one.cfd.clone())).collect();
        Self { taught: taught.into_iter().collect(), numbers, mefs }
    }

    /// The tables that the identifiers of a catalogue of so many rows go through: N_MEF, Certif Info, Onisep, the catalogue
    /// de l'apprentissage, mothers.
    pub fn links(&self, rows: usize) -> impl Iterator<Item = Line> + '_ {
        let line = |kind: Kind, doc: Value| {
            let doc = if let Value::Object(doc) = doc { doc } else { Document::new() };
            Line { kind, doc }
        };
        let mut lengths: BTreeMap<&String, &str> = BTreeMap::new();
        for (code, cfd) in &self.mefs {
            let length = lengths.entry(cfd).or_insert("1");
            *length = (*length).max(year(code));
        }
        let mefs = self.mefs.iter().enumerate().map(move |(rank, (code, cfd))| {
            let length = lengths.get(cfd).copied().unwrap_or("1");
            line(
                Kind::BcnMef,
                json!({"mef": mef(rank), "mef_stat_11": code, "formation_diplome": cfd,
                    "duree_dispositif": length, "annee_dispositif": year(code)}),
            )
        });
        let entries = self.numbers.iter().map(move |(code, number)| {
            let column = if code.len() == 7 { "sise" } else { "cfd" };
            line(
                Kind::CertifInfo,
                json!({"code": number.to_string(), column: code, "rncp": format!("RNCP{}", 10_000 + number),
                    "ideo": format!("FOR.{number}"), "ancien": (number % 5 == 0).then(|| (number + 1).to_string())}),
            )
        });
        let ideos = self.numbers.values().filter(|number| *number % 2 == 0).map(move |number| {
            line(Kind::Ideo, json!({"ideo": format!("FOR.{number}"), "rncp": format!("RNCP{}", 10_000 + number)}))
        });
        let uais: BTreeSet<&String> = self.taught.iter().map(|one| &one.uai).collect();
        let uais: Vec<&String> = uais.into_iter().collect();
        let mothers: Vec<Line> = uais
            .windows(2)
            .step_by(10)
            .filter_map(|pair| {
                let (found, mother) = (pair.first()?, pair.get(1)?);
                Some(line(Kind::UaiMother, json!({"numero_uai_trouve": found, "numero_uai_mere": mother})))
            })
            .collect();
        let courses = (0..rows).filter_map(move |row| {
            let one = self.drawn(row).filter(|one| one.filiere == Filiere::Apprentissage)?;
            let number = self.numbers.get(&one.cfd).copied().unwrap_or_default();
            Some(line(
                Kind::Catalogue,
                json!({"id": format!("appariement-{row}"), "cfd": one.cfd, "rncp_code": format!("RNCP{}", 10_000 + number),
                    "cle_ministere_educatif": format!("cle-{row}"), "uai_formation": one.uai,
                    "etablissement_formateur_uai": one.uai, "etablissement_gestionnaire_uai": one.uai}),
            ))
        });
        mefs.chain(entries).chain(ideos).chain(mothers).chain(courses)
    }

    /// What a row is about.
    fn drawn(&self, row: usize) -> Option<&Taught> {
        Random::from_key(&["ligne", &row.to_string()]).choice(&self.taught)
    }

    /// A catalogue as a spreadsheet writes it: CSV, `;`.
    #[must_use]
    pub fn file(&self, rows: usize) -> String {
        let mefs: BTreeMap<&String, String> =
            self.mefs.keys().enumerate().map(|(rank, code)| (code, mef(rank))).collect();
        let mut file = COLUMNS.join(";") + "\n";
        for row in 0..rows {
            let Some(one) = self.drawn(row) else { break };
            let mut random = Random::from_key(&["cellules", &row.to_string()]);
            let number = self.numbers.get(&one.cfd).copied().unwrap_or_default();
            let other = number + 1 + random.rank(3);
            // Nine of ten rows have each of these identifiers, and one of twenty of them is another's.
            let number_of = |random: &mut Random| match (random.chance(90), random.chance(5)) {
                (false, _) => None,
                (true, true) => Some(other),
                (true, false) => Some(number),
            };
            let (rncp, ideo) = (number_of(&mut random), number_of(&mut random));
            let elsewhere = |random: &mut Random| random.choice(&self.taught).map_or("", |other| other.uai.as_str());
            let composante = if random.chance(10) { elsewhere(&mut random) } else { &one.uai };
            let affectation = if random.chance(10) { elsewhere(&mut random) } else { &one.uai };
            let (mut mef, mut cfd, mut sise) = ("", "", "");
            match one.filiere {
                _ if random.chance(35) => {}
                Filiere::Superieur => sise = &one.code,
                Filiere::Apprentissage => cfd = &one.cfd,
                Filiere::Pro | Filiere::Agricultural => {
                    mef = mefs.get(&one.code).map_or("", String::as_str);
                    cfd = if random.chance(50) { &one.cfd } else { "" };
                }
            }
            let voie = if one.filiere == Filiere::Apprentissage { "Apprentissage" } else { "Scolaire" };
            let list = |prefix: &str, first: usize, number: Option<usize>, second: bool| {
                let one = number.map(|number| format!("{prefix}{}", first + number)).unwrap_or_default();
                if second && !one.is_empty() { format!("\"{one}; {one}\"") } else { one }
            };
            let _ = writeln!(
                file,
                "{row};{composante};{affectation};{};{voie};{mef};{cfd};{sise};{};{};cle-{row};{};{};\"Intitulé ; n° {row}\"",
                one.uai,
                list("RNCP", 10_000, rncp, random.chance(20)),
                list("FOR.", 0, ideo, random.chance(20)),
                ["BTS - Services", "BUT - Production", "Licence", "CPES"].get(number % 4).copied().unwrap_or_default(),
                random.between(0, 900),
            );
        }
        file
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::production::Production;

    #[test]
    fn a_catalogue_fills_every_column_and_is_always_the_same() {
        let production = Production::new(0.01, None).unwrap();
        let catalogue = FormationCatalogue::of(production.lines());
        let file = catalogue.file(2_000);
        assert_eq!(file, FormationCatalogue::of(production.lines()).file(2_000));
        let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(file.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2_000);
        for (place, column) in COLUMNS.iter().enumerate() {
            let filled = rows.iter().filter(|row| !row[place].is_empty()).count();
            assert!(filled > 100, "{column}: {filled}");
        }
        let kinds: BTreeSet<Kind> = catalogue.links(2_000).map(|line| line.kind).collect();
        assert!(
            LINK_KINDS.iter().chain(&[Kind::BcnMef, Kind::Catalogue]).all(|kind| kinds.contains(kind)),
            "{kinds:?}"
        );
    }
}
