//! The real tables as the services' data; what is not open is made up, and said so here.
//!
//! | what | from |
//! | --- | --- |
//! | Certif Info, Onisep's formations | the real tables |
//! | Onisep's passage table, mothers | **fictitious**: those of the sample |
//! | BCN, ACCE, catalogue | the real tables; where the directory names no nature, one that statistics are asked for (`300`, or `320` for a lycée professionnel) |
//! | regions | the real regional table: 40,322 rows of four periods |
//! | France, by year | **synthetic**: the sum over the regions of the period that ends with the year, of counts that every region knows; no salaries |
//! | establishments | keys and, on the school track, headcounts are real (pupils of 2020, final years; the catalogue's courses); **every number is synthetic**, drawn from a generator seeded by the key |
//! | higher education | the project's **fictitious** sample, put on real SISE codes and establishments |
//! | production size | the same, over six periods; the two oldest periods of the regions are copies of the oldest real one. Each key is there in a share of the millesimes ([`Shares`]), chosen by its hash |
//!
//! Nothing is held but keys and the regional counts: answers are made while they are sent.

use crate::answer::{DataSet, Rows, Summary};
use crate::sample::Sample;
use crate::tables::{Course, Regional, TableError, Tables};
use dataset::headcounts::Headcounts;
use dataset::random::Random;
use domain::rates::rate;
use domain::{Document, Uai};
use serde_json::Value;
use sources::{BcnTable, Service};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// How many of the keys have data in a millesime, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Certifications in the whole country.
    pub national: u32,
    /// Certifications in a region.
    pub regional: u32,
    /// Certifications in an establishment.
    pub establishments: u32,
}

impl Shares {
    /// All of the regional table, and about as many rows by establishment as the services deliver (55,710 in June 2025).
    pub const REAL: Self = Self { national: 1_000, regional: 1_000, establishments: 455 };

    /// The production size, after the treatments; measured by `cargo run -p import-cases --example sizes`.
    pub const PRODUCTION: Self = Self { national: 1_000, regional: 780, establishments: 310 };

    /// A multiple of these.
    ///
    /// # Errors
    /// Where there are not as many real keys.
    pub fn times(self, factor: f64) -> anyhow::Result<Self> {
        let times = |share: u32| {
            let share = f64::from(share) * factor;
            anyhow::ensure!(
                share > 0.0 && share <= 1_000.0,
                "the real tables have keys for factors above 0 and up to {:.2}; {factor} is not among them",
                1_000.0 / f64::from(self.national.max(self.regional).max(self.establishments)),
            );
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
            Ok(share.round() as u32)
        };
        Ok(Self {
            national: times(self.national)?,
            regional: times(self.regional)?,
            establishments: times(self.establishments)?,
        })
    }
}

/// A certification in an establishment, and how many young people were in it.
#[derive(Clone, Debug)]
struct Key {
    course: Course,
    pupils: u32,
}

/// The real tables, indexed.
pub struct Real {
    tables: Tables,
    shares: Shares,
    periods: Vec<String>,
    /// By region and period of the table.
    regional: BTreeMap<(String, String), Vec<Regional>>,
    /// By UAI.
    places: HashMap<String, Vec<Key>>,
    known: HashSet<String>,
    sample: Sample,
    /// Real codes that the sample's rows of higher education are put on, and how often.
    sises: Vec<String>,
    universities: Vec<String>,
    copies: usize,
}

impl std::fmt::Debug for Real {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Real").field("shares", &self.shares).field("periods", &self.periods).finish_non_exhaustive()
    }
}

fn text<'a>(row: &'a Document, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

impl Real {
    /// Reads the tables and keeps their keys: the four periods that are real.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn read(tables: Tables) -> Result<Self, TableError> {
        Self::with(tables, Shares::REAL, 0, 1)
    }

    /// As many rows as in production, over six periods.
    ///
    /// # Errors
    /// A table that cannot be read; a factor beyond the real keys.
    pub fn production(tables: Tables, factor: f64) -> anyhow::Result<Self> {
        let shares = Shares::PRODUCTION.times(factor)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
        let copies = (500.0 * factor).ceil() as usize;
        Ok(Self::with(tables, shares, 2, copies)?)
    }

    /// `older`: how many periods before the oldest real one; `copies`: of the sample's rows of higher education.
    fn with(tables: Tables, shares: Shares, older: u32, copies: usize) -> Result<Self, TableError> {
        let mut regional: BTreeMap<(String, String), Vec<Regional>> = BTreeMap::new();
        let mut periods = BTreeSet::new();
        for row in tables.regional()? {
            periods.insert(row.millesime.clone());
            regional.entry((row.region.clone(), row.millesime.clone())).or_default().push(row);
        }
        let oldest = periods.first().and_then(|p| p.get(..4)?.parse::<u32>().ok()).unwrap_or_default();
        periods.extend((1..=older).map(|before| format!("{}_{}", oldest - before, oldest - before + 1)));
        let mut known = HashSet::new();
        let mut universities = Vec::new();
        for row in tables.acce()? {
            let uai = text(&row, "numero_uai").to_owned();
            let named = text(&row, "appellation_officielle").to_lowercase().contains("universit");
            if named && Uai::parse(&uai).is_some_and(|uai| uai.is_check_letter()) {
                universities.push(uai.clone());
            }
            known.insert(uai);
        }
        let sises = tables.csv("bcn/N_DIPLOME_SISE.csv")?;
        let sises =
            sises.iter().map(|row| text(row, "diplome_sise").to_owned()).filter(|code| code.len() == 7).collect();
        let places = places(&tables)?;
        Ok(Self {
            tables,
            shares,
            periods: periods.into_iter().collect(),
            regional,
            places,
            known,
            sample: Sample::new(),
            sises,
            universities,
            copies,
        })
    }

    /// The period of the table that a period's figures come from.
    fn origin<'a>(&'a self, period: &'a str) -> &'a str {
        let real = || self.regional.keys().map(|(_, period)| period.as_str());
        if real().any(|other| other == period) { period } else { real().min().unwrap_or(period) }
    }

    fn rows_of<'a>(&'a self, region: &str, period: &'a str) -> &'a [Regional] {
        if !self.periods.iter().any(|known| known == period) {
            return &[];
        }
        let key = (region.to_owned(), self.origin(period).to_owned());
        self.regional.get(&key).map_or(&[], Vec::as_slice)
    }
}

/// Whether a key has data in a millesime.
fn is_there(share: u32, key: &[&str]) -> bool {
    share >= 1_000 || Random::from_key(key).below(1_000) < share
}

/// The pairs of establishment and certification that statistics are made for.
fn places(tables: &Tables) -> Result<HashMap<String, Vec<Key>>, TableError> {
    let mut places: HashMap<String, Vec<Key>> = HashMap::new();
    let final_years: HashSet<String> = tables
        .csv("bcn/N_MEF.csv")?
        .iter()
        .filter(|row| text(row, "annee_dispositif") == text(row, "duree_dispositif"))
        .map(|row| text(row, "mef_stat_11").to_owned())
        .collect();
    for row in tables.csv("effectifs/constat-2020.csv")? {
        let mef = text(&row, "mef bcp 11");
        if final_years.contains(mef) {
            let pupils = text(&row, "nombre d'élèves : total").parse().unwrap_or(0);
            let key = Key { course: Course::School(mef.to_owned()), pupils };
            places.entry(text(&row, "uai").to_owned()).or_default().push(key);
        }
    }
    let mut seen = HashSet::new();
    for row in tables.catalogue()? {
        for role in ["etablissement_formateur_uai", "etablissement_gestionnaire_uai"] {
            let (uai, cfd) = (text(&row, role).to_owned(), text(&row, "cfd").to_owned());
            if !uai.is_empty() && !cfd.is_empty() && seen.insert((uai.clone(), cfd.clone())) {
                // The catalogue has no headcounts.
                let pupils = Random::from_key(&["effectif", &uai, &cfd]).between(4, 60);
                places.entry(uai).or_default().push(Key { course: Course::Apprentissage(cfd), pupils });
            }
        }
    }
    Ok(places)
}

/// Numbers of a group as the service names its measures: counts, shares of 6 months, contracts broken off.
fn measures(counts: &Headcounts, broken: Option<u32>) -> Vec<(&'static str, f64)> {
    let mut measures = Vec::new();
    let mut add = |name, value: Option<f64>| measures.extend(value.map(|value| (name, value)));
    add("nb_annee_term", counts.final_year.map(f64::from));
    let [months6, months12, months18, months24] = counts.employed.map(|count| count.map(f64::from));
    add("nb_en_emploi_6_mois", months6);
    add("nb_en_emploi_12_mois", months12);
    add("nb_en_emploi_18_mois", months18);
    add("nb_en_emploi_24_mois", months24);
    add("nb_poursuite_etudes", counts.further_study.map(f64::from));
    add("nb_sortant", counts.leaver.map(f64::from));
    let share = |count: Option<f64>| rate(count?, f64::from(counts.final_year?));
    let (employed, studying) = (share(months6), counts.training_rate());
    add("DEVENIR_part_en_emploi_6_mois", employed);
    add("DEVENIR_part_poursuite_etudes", studying);
    let others = employed.zip(studying).map(|(employed, studying)| domain::rates::other_rate(employed, studying));
    add("DEVENIR_part_autre_situation_6_mois", others);
    add("taux_rupture_contrats", broken.map(f64::from));
    measures
}

fn counts(row: &Regional) -> Headcounts {
    let count = |name: &str| {
        let (_, value) = row.measures.iter().find(|(known, _)| *known == name)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of young people")]
        (*value >= 0.0).then_some(*value as u32)
    };
    Headcounts {
        final_year: count("nb_annee_term"),
        further_study: count("nb_poursuite_etudes"),
        leaver: count("nb_sortant"),
        employed: ["nb_en_emploi_6_mois", "nb_en_emploi_12_mois", "nb_en_emploi_18_mois", "nb_en_emploi_24_mois"]
            .map(count),
    }
}

impl DataSet for Real {
    fn uai(&self, uai: &str, millesime: &str) -> Option<Rows> {
        let keys = self.places.get(uai);
        // Of the establishments without any course, half are said to be none of the service's own.
        if keys.is_none() && (!self.known.contains(uai) || Random::from_key(&["agricole", uai]).chance(50)) {
            return None;
        }
        let asked = self.periods.iter().any(|period| period == millesime);
        let mut rows = Vec::new();
        for key in keys.into_iter().flatten().filter(|_| asked) {
            let code = key.course.code();
            if !is_there(self.shares.establishments, &["presence", uai, code, millesime]) {
                continue;
            }
            let mut chance = Random::from_key(&["mesures", uai, code, millesime]);
            // A period is two years: twice the pupils of one, and a few more or less.
            let group = key.pupils.saturating_mul(chance.between(170, 230)) / 100;
            let counts = Headcounts::synthetic(&mut chance, group);
            let broken = matches!(key.course, Course::Apprentissage(_)).then(|| chance.between(3, 45));
            rows.extend(key.course.measures(measures(&counts, broken)));
        }
        Some(Box::new(rows.into_iter()))
    }

    fn region(&self, region: &str, millesime: &str) -> Rows {
        let mut rows = Vec::new();
        for row in self.rows_of(region, millesime) {
            if is_there(self.shares.regional, &["presence", region, row.course.code(), millesime]) {
                rows.extend(row.course.measures(row.measures.iter().copied()));
            }
        }
        Box::new(rows.into_iter())
    }

    fn france(&self, millesime: &str, filiere: &str) -> Rows {
        let period = millesime.parse::<u32>().map(|year| format!("{}_{year}", year.saturating_sub(1)));
        let period = period.unwrap_or_default();
        let regions: BTreeSet<&str> = self.regional.keys().map(|(region, _)| region.as_str()).collect();
        let mut courses: BTreeMap<&Course, Vec<Headcounts>> = BTreeMap::new();
        for row in regions.iter().flat_map(|region| self.rows_of(region, &period)) {
            courses.entry(&row.course).or_default().push(counts(row));
        }
        let mut rows = Vec::new();
        for (course, groups) in courses.into_iter().filter(|(course, _)| course.filiere() == filiere) {
            if is_there(self.shares.national, &["presence", "france", course.code(), millesime]) {
                rows.extend(course.measures(measures(&Headcounts::sum(&groups), None)));
            }
        }
        Box::new(rows.into_iter())
    }

    fn insersup(&self) -> Rows {
        let rows = self.sample.insersup_rows();
        let (sises, universities) = (self.sises.clone(), self.universities.clone());
        let copy = move |number: usize| {
            // Pairs of the sample stay pairs, whatever their millesime; each copy takes others.
            let real = |of: &str, known: &[String], copy: usize| {
                let copy = copy.to_string();
                Random::from_key(&[of, &copy]).choice(known).cloned().map_or(Value::Null, Value::from)
            };
            let put = |row: &Document| {
                let mut row = row.clone();
                let (uai, code) = (text(&row, "etablissement").to_owned(), text(&row, "diplome").to_owned());
                row.insert("diplome".to_owned(), real(&code, &sises, number));
                row.insert("etablissement".to_owned(), real(&uai, &universities, number));
                row
            };
            rows.iter().map(put).collect::<Vec<_>>()
        };
        Box::new((0..self.copies).flat_map(copy))
    }

    fn national(&self, millesime: &str) -> Rows {
        let rows = self.sample.national_rows(millesime);
        let sises = self.sises.clone();
        let copy = move |number: usize| {
            let put = |row: &Document| {
                let mut row = row.clone();
                let code = text(&row, "diplome").to_owned();
                let code = Random::from_key(&[&code, &number.to_string()]).choice(&sises).cloned();
                row.insert("diplome".to_owned(), code.map_or(Value::Null, Value::from));
                row
            };
            rows.iter().map(put).collect::<Vec<_>>()
        };
        Box::new((0..self.copies).flat_map(copy))
    }

    fn bcn(&self, table: BcnTable) -> anyhow::Result<Rows> {
        Ok(Box::new(self.tables.bcn_table(table)?.into_iter()))
    }

    fn acce(&self) -> anyhow::Result<Rows> {
        let mut rows = self.tables.acce()?;
        for row in &mut rows {
            // Columns of the directory that the file does not have.
            row.retain(|name, _| {
                !["nom", "region", "region_libe", "secteur", "siret", "latitude_longitude", "code_postal", "sources"]
                    .contains(&name.as_str())
            });
            if text(row, "nature_uai").is_empty() {
                let vocational = text(row, "appellation_officielle").to_lowercase().contains("professionnel");
                row.insert("nature_uai".to_owned(), if vocational { "320" } else { "300" }.into());
            }
        }
        Ok(Box::new(rows.into_iter()))
    }

    fn links(&self, service: Service) -> anyhow::Result<Rows> {
        let rows = match service {
            Service::CertifInfo => self.tables.certif_info()?,
            Service::Onisep => self.tables.csv("onisep/ideo-formations-2024.csv")?,
            // Neither is open as a file beside the project: the fictitious ones of the sample.
            _ => return self.sample.links(service),
        };
        Ok(Box::new(rows.into_iter()))
    }

    fn catalogue(&self) -> Vec<Document> {
        // Read once already: a table that is there stays.
        self.tables.catalogue().unwrap_or_default()
    }

    fn sources(&self) -> Summary {
        let years = self.periods.iter().filter_map(|period| period.split('_').nth(1)).map(str::to_owned).collect();
        Summary { years, periods: self.periods.clone() }
    }
}
