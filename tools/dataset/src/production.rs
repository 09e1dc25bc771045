//! As many documents as in production, for measurements.
//!
//! Keys are real wherever the reference data is there: certifications and establishments of the
//! nomenclature and the directory, pupils by establishment and MEF, courses of the catalogue of
//! apprenticeships, certifications by region. Where it is not, or where more is asked for than there is,
//! keys are invented. **Every rate is made up**, always, and every label of a statistic says so:
//! it ends with [`RATES_MENTION`], or with [`ALL_MENTION`] where the key is made up too (indicators
//! by establishment are not open data: only their keys and headcounts are).
//!
//! Sizes at factor 1, over six millesimes: 30,000 national, 150,000 regional and 300,000
//! establishment documents; 6,000 certifications, 9,000 establishments. Each key lacks one of the
//! six millesimes, so that "no data for this millesime" is met as in life; keys that belong
//! together (final years and the years before them) lack the same one.
//!
//! Memory is bounded by the keys (about 20 bytes each); documents are made one at a time, each from a
//! generator seeded by its key, so that neither order nor factor changes its figures.

use crate::{
    Error, Line, MAX_FACTOR,
    document::{self, Certification, Family, object},
    headcounts::Headcounts,
    random::Random,
    tables::{self, Nomenclature, each_row},
};
use domain::{CodeCertification, CodeType, Document, Filiere, Kind, Uai, date, territory, uai::check_letter};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

/// What the label of a statistic with a real key ends with.
pub const RATES_MENTION: &str = " (taux synthétiques)";

/// What the label of a statistic with an invented key ends with.
pub const ALL_MENTION: &str = " (clé et taux synthétiques)";

/// National millesimes; a regional or establishment millesime is the period that ends with one.
pub const YEARS: [u32; 6] = [2018, 2019, 2020, 2021, 2022, 2023];

const MEFS: u32 = 2_600;
const CFDS: u32 = 2_600;
const SISES: u32 = 800;
const ETABLISSEMENTS: u32 = 9_000;
/// Certification × region; five of six millesimes each.
const REGIONALE_KEYS: u32 = 30_000;
/// Certification × establishment; five of six millesimes each.
const FORMATION_KEYS: u32 = 60_000;

/// The regions that figures are about: all but the first, the overseas collectivities.
fn regions() -> impl Iterator<Item = &'static territory::Region> {
    territory::REGIONS.iter().skip(1)
}

#[derive(Clone, Debug)]
struct Certif {
    code: String,
    code_type: CodeType,
    cfd: String,
    libelle: String,
    diplome: Option<(String, String)>,
    closing_date: Option<String>,
    filiere: Filiere,
    /// Code and label of the famille de metiers, and whether this is its shared first year.
    family: Option<(String, String, bool)>,
    /// Indices of the final years; empty for a final year.
    final_years: Vec<u32>,
    /// Certifications that belong together lack the same millesime and are taught in the same regions.
    group: u32,
    real: bool,
    /// Real regions, one bit each in the order of [`regions`].
    real_regions: u32,
}

#[derive(Clone, Debug)]
struct Etab {
    uai: String,
    name: String,
    academie: &'static territory::Academie,
    region: &'static territory::Region,
    doc: Document,
}

/// A certification in an establishment.
#[derive(Clone, Copy, Debug)]
struct Key {
    etab: u32,
    certif: u32,
    /// Real headcount; 0 where there is none.
    headcount: u32,
    real: bool,
}

/// What documents are made from: certifications, establishments, and the pairs of both.
#[derive(Clone, Debug)]
pub struct Production {
    certifs: Vec<Certif>,
    etabs: Vec<Etab>,
    /// By establishment.
    keys: Vec<Key>,
    /// Regions of a group, one bit each.
    regions_of_group: Vec<u32>,
    /// Indices of the establishments of each region.
    etabs_by_region: BTreeMap<&'static str, Vec<u32>>,
    /// Indices of the final years of each nomenclature.
    by_type: BTreeMap<CodeType, Vec<u32>>,
    /// Entries of the nomenclature that come along.
    nomenclature: Vec<Document>,
    nomenclature_sise: Vec<Document>,
}

/// `n` at factor 1, at another factor.
fn scaled(n: u32, factor: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above 0 and at most MAX_FACTOR × n")]
    let size = (f64::from(n) * factor).round() as u32;
    usize::try_from(size.max(1)).unwrap_or(usize::MAX)
}

/// An index of a list as it is kept in keys.
fn index(rank: usize) -> u32 {
    u32::try_from(rank).unwrap_or(u32::MAX)
}

fn element<T>(list: &[T], index: u32) -> Option<&T> {
    list.get(usize::try_from(index).ok()?)
}

/// Reference data as far as production needs it.
#[derive(Default)]
struct Real {
    bcn: Nomenclature,
    etablissements: Vec<tables::Etablissement>,
    /// UAI → (code, headcount).
    keys: BTreeMap<String, Vec<(String, u32)>>,
    /// Code → regions, one bit each.
    regions: BTreeMap<String, u32>,
}

impl Real {
    fn read(data: &Path) -> Result<Self, Error> {
        let mut real =
            Self { bcn: Nomenclature::read(data)?, etablissements: tables::etablissements(data)?, ..Self::default() };
        each_row(&data.join("effectifs/constat-2020.csv"), |row| {
            let headcount = row.number("Nombre d'élèves : Total")?.unwrap_or_default();
            let keys = real.keys.entry(row.need("UAI")?.to_owned()).or_default();
            keys.push((row.need("Mef Bcp 11")?.to_owned(), headcount));
            Ok(())
        })?;
        let mut views = BTreeSet::new();
        each_row(&data.join("catalogue-apprentissage/formations-2020.csv"), |row| {
            if let (Some(cfd), Some(uai)) = (row.get("cfd"), row.get("etablissement_formateur_uai"))
                && views.insert((cfd.to_owned(), uai.to_owned()))
            {
                real.keys.entry(uai.to_owned()).or_default().push((cfd.to_owned(), 0));
            }
            Ok(())
        })?;
        each_row(&tables::regional_csv(data), |row| {
            let code = row.get("cfd").map_or_else(|| row.need("mefstat11"), Ok)?;
            let region = row.need("code_region")?;
            if let Some(rank) = regions().position(|r| r.code == region) {
                *real.regions.entry(code.to_owned()).or_default() |= 1 << rank;
            }
            Ok(())
        })?;
        Ok(real)
    }
}

impl Production {
    /// Chooses keys. `data` is the folder of reference data; without it all keys are invented.
    ///
    /// # Errors
    /// [`Error::Factor`]; those of reading the tables.
    pub fn new(factor: f64, data: Option<&Path>) -> Result<Self, Error> {
        if !(factor > 0.0 && factor <= MAX_FACTOR) {
            return Err(Error::Factor(factor));
        }
        let real = data.map(Real::read).transpose()?.unwrap_or_default();
        let mut production = Self {
            certifs: Vec::new(),
            etabs: Vec::new(),
            keys: Vec::new(),
            regions_of_group: Vec::new(),
            etabs_by_region: BTreeMap::new(),
            by_type: BTreeMap::new(),
            nomenclature: Vec::new(),
            nomenclature_sise: Vec::new(),
        };
        production.choose_certifications(factor, &real);
        production.choose_etablissements(factor, &real);
        production.choose_keys(factor, &real);
        production.choose_regions(factor);
        Ok(production)
    }

    fn choose_certifications(&mut self, factor: f64, real: &Real) {
        let bcn = &real.bcn;
        let mut groups: HashMap<String, u32> = HashMap::new();
        let mut group = move |name: &str| {
            let next = index(groups.len());
            *groups.entry(name.to_owned()).or_insert(next)
        };
        // First the codes taught in most places, so that a small factor keeps the most of what is real.
        let mut places: HashMap<&str, u32> = HashMap::new();
        for (code, _) in real.keys.values().flatten() {
            *places.entry(code).or_default() += 1;
        }
        for (code, mask) in &real.regions {
            *places.entry(code).or_default() += mask.count_ones();
        }
        let in_order = |mut codes: Vec<&String>, n: usize| -> Vec<String> {
            codes.sort_by_key(|code| (std::cmp::Reverse(places.get(code.as_str()).copied().unwrap_or(0)), *code));
            codes.into_iter().take(n).cloned().collect()
        };
        let (n_mefs, n_cfds, n_sises) = (scaled(MEFS, factor), scaled(CFDS, factor), scaled(SISES, factor));

        let mefs = in_order(bcn.mefs.iter().filter(|(c, _)| bcn.cfd_of(c).is_some()).map(|(c, _)| c).collect(), n_mefs);
        for code in mefs.iter().chain(&in_order(bcn.cfds.keys().collect(), n_cfds)) {
            let Some((code_cfd, cfd)) = bcn.cfd_of(code) else { continue };
            let mef = bcn.mefs.get(code);
            let family = bcn.family_of_cfd.get(code_cfd);
            let agricultural = code_cfd.get(2..3) == Some("3");
            self.certifs.push(Certif {
                code: code.clone(),
                code_type: if mef.is_some() { CodeType::Mef } else { CodeType::Cfd },
                cfd: code_cfd.to_owned(),
                libelle: cfd.libelle_long.clone(),
                diplome: cfd.diplome.clone(),
                closing_date: mef.map_or(&cfd.closing_date, |m| &m.closing_date).clone(),
                filiere: match (mef, agricultural) {
                    (None, _) => Filiere::Apprentissage,
                    (_, true) => Filiere::Agricultural,
                    (_, false) => Filiere::Pro,
                },
                family: family.map(|code| {
                    let libelle = bcn.families.get(code).cloned().unwrap_or_default();
                    (code.clone(), libelle, false)
                }),
                final_years: Vec::new(),
                group: group(family.map_or(code_cfd, String::as_str)),
                real: true,
                real_regions: real.regions.get(code).copied().unwrap_or_default(),
            });
        }
        link_years(&mut self.certifs, bcn);

        let count = |certifs: &[Certif], code_type| certifs.iter().filter(|c| c.code_type == code_type).count();
        let end = self.certifs.len() + n_mefs.saturating_sub(count(&self.certifs, CodeType::Mef));
        let mut series = 0_u32;
        while self.certifs.len() < end {
            self.invent_course(series, end - self.certifs.len(), &mut group);
            series += 4;
        }
        for rank in count(&self.certifs, CodeType::Cfd)..n_cfds {
            let (level, diplome) = invented_level(rank);
            let code = format!("{level}YZ{rank:05}");
            self.certifs.push(invented_certif(
                &code,
                &code,
                CodeType::Cfd,
                diplome,
                Filiere::Apprentissage,
                group(&code),
            ));
        }
        for (code, sise) in bcn.sises.iter().filter(|(_, s)| s.diplome.is_some()).take(n_sises) {
            self.nomenclature_sise.push(sise.entry.clone());
            self.certifs.push(Certif {
                code: code.clone(),
                code_type: CodeType::Sise,
                cfd: String::new(),
                libelle: sise.libelle.clone(),
                diplome: sise.diplome.clone(),
                closing_date: None,
                filiere: Filiere::Superieur,
                family: None,
                final_years: Vec::new(),
                group: group(code),
                real: true,
                real_regions: 0,
            });
        }
        for rank in count(&self.certifs, CodeType::Sise)..n_sises {
            let code = format!("Y{rank:06}");
            let certif = invented_certif(&code, "", CodeType::Sise, ("6", "LIC PRO"), Filiere::Superieur, group(&code));
            self.nomenclature_sise.push(object(json!({
                "diplome_sise": certif.code,
                "libelle_intitule_1": format!("{}{ALL_MENTION}", certif.libelle),
                "diplome": { "code": "6", "libelle": "LIC PRO" },
            })));
            self.certifs.push(certif);
        }
        for (rank, certif) in (0_u32..).zip(&self.certifs).filter(|(_, c)| c.final_years.is_empty()) {
            self.by_type.entry(certif.code_type).or_default().push(rank);
        }
        self.complete_nomenclature(bcn);
    }

    /// An invented course under school status, its years first to last; one in five is a famille
    /// of three specialities with a shared first year. `place` is how many codes there is room for.
    fn invent_course(&mut self, series: u32, place: usize, group: &mut impl FnMut(&str) -> u32) {
        let filiere = if series.is_multiple_of(68) { Filiere::Agricultural } else { Filiere::Pro };
        let (level, diplome) = invented_level(usize::try_from(series / 4).unwrap_or_default());
        let code = |year: u32, number: u32| format!("900{year}{number:07}");
        let cfd = |number: u32| format!("{level}YY{number:05}");
        let name = cfd(series);
        let group = group(&name);
        let mef =
            |year, number| invented_certif(&code(year, number), &cfd(number), CodeType::Mef, diplome, filiere, group);
        let first = index(self.certifs.len());
        if series.is_multiple_of(20) && place >= 7 {
            let family = |shared| Some((format!("GY{series:07}"), format!("Famille {series}{ALL_MENTION}"), shared));
            let final_years = [first + 2, first + 4, first + 6];
            self.certifs.push(Certif { family: family(true), final_years: final_years.to_vec(), ..mef(1, series) });
            for (number, final_year) in (series + 1..).zip(final_years) {
                self.certifs.push(Certif { family: family(false), final_years: vec![final_year], ..mef(2, number) });
                self.certifs.push(Certif { family: family(false), ..mef(3, number) });
            }
        } else if place >= 2 {
            self.certifs.push(Certif { final_years: vec![first + 1], ..mef(1, series) });
            self.certifs.push(mef(2, series));
        } else {
            self.certifs.push(mef(1, series));
        }
    }

    /// The nomenclature of the chosen codes, and of the CFDs that their MEFs hang on.
    fn complete_nomenclature(&mut self, bcn: &Nomenclature) {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for certif in self.certifs.iter().filter(|c| c.code_type != CodeType::Sise) {
            for code in [&certif.cfd, &certif.code] {
                if !seen.insert(code) {
                    continue;
                }
                let mut doc = bcn.entry(code).filter(|_| certif.real).unwrap_or_else(|| {
                    let libelle = format!("{}{ALL_MENTION}", certif.libelle);
                    object(json!({
                        "type": if *code == certif.cfd { "cfd" } else { "mef" },
                        "code_certification": code,
                        "code_formation_diplome": certif.cfd,
                        "libelle": libelle,
                        "libelle_long": libelle,
                        "diplome": certif.diplome.as_ref().map(|(n, l)| document::diplome_value((n, l))),
                        "date_ouverture": "2012-09-01T00:00:00.000Z",
                        "ancien_diplome": [],
                        "nouveau_diplome": [],
                    }))
                });
                if let (Some((code, libelle, shared)), "mef") =
                    (&certif.family, doc.get("type").and_then(Value::as_str).unwrap_or_default())
                {
                    doc.insert("familleMetier".into(), Family { code, libelle, is_annee_commune: *shared }.value());
                }
                self.nomenclature.push(doc);
            }
        }
    }

    fn choose_etablissements(&mut self, factor: f64, real: &Real) {
        let n = scaled(ETABLISSEMENTS, factor);
        let taken: BTreeSet<&str> = real.etablissements.iter().map(|e| e.uai.as_str()).collect();
        let mut seen = BTreeSet::new();
        let mut real_ones: Vec<(bool, u64, Etab)> = Vec::new();
        for e in &real.etablissements {
            let (Some((region, academie)), Some(uai)) = (territory::academie(&e.academie), Uai::parse(&e.uai)) else {
                continue;
            };
            if region.code == "00" || !uai.is_check_letter() || !seen.insert(e.uai.as_str()) {
                continue;
            }
            let without_key = !real.keys.contains_key(&e.uai);
            let name = if e.name.is_empty() { format!("Etablissement {}", e.uai) } else { e.name.clone() };
            let etab = Etab { uai: e.uai.clone(), name, academie, region, doc: e.doc.clone() };
            real_ones.push((without_key, Random::from_key(&["etablissement", &e.uai]).draw(), etab));
        }
        // Those with real keys first; among equals in an order that no region dominates.
        real_ones.sort_by_key(|(without_key, random, _)| (*without_key, *random));
        self.etabs = real_ones.into_iter().map(|(_, _, etab)| etab).take(n).collect();

        let departements: Vec<_> = regions()
            .flat_map(|r| r.departements.iter().map(move |d| (r, *d)))
            .filter(|(_, d)| !d.starts_with('2') || d.parse::<u32>().is_ok())
            .collect();
        let mut number = 0_usize;
        while self.etabs.len() < n {
            let (rank, rest) = (number % departements.len().max(1), number / departements.len().max(1));
            number += 1;
            let Some((region, departement)) = departements.get(rank) else { break };
            let figures = if departement.len() == 3 {
                format!("{departement}{rest:04}")
            } else {
                format!("0{departement}{rest:04}")
            };
            let (Some(letter), false) = (check_letter(&figures), figures.len() > 7) else { break };
            let uai = format!("{figures}{letter}");
            let Some(academie) = region.academies.get(rest % region.academies.len().max(1)) else { continue };
            if taken.contains(uai.as_str()) {
                continue;
            }
            let name = format!("Etablissement synthétique {uai}");
            let doc = object(json!({
                "numero_uai": uai,
                "academie": academie.code,
                "academie_libe": academie.name,
                "appellation_officielle": name,
                "pays_libe": "France",
            }));
            self.etabs.push(Etab { uai, name, academie, region, doc });
        }
        for (rank, etab) in self.etabs.iter().enumerate() {
            self.etabs_by_region.entry(etab.region.code).or_default().push(index(rank));
        }
    }

    fn choose_keys(&mut self, factor: f64, real: &Real) {
        let wanted = scaled(FORMATION_KEYS, factor);
        let by_code: HashMap<&str, u32> =
            self.certifs.iter().enumerate().map(|(rank, c)| (c.code.as_str(), index(rank))).collect();
        // Establishments without real keys need room for keys of their own.
        let limit = wanted / 5 * 4;
        let mut keys: Vec<Key> = Vec::new();
        let mut without_key: Vec<u32> = Vec::new();
        for (rank, etab) in self.etabs.iter().enumerate() {
            let etab_index = index(rank);
            let known: Vec<(u32, u32)> = real
                .keys
                .get(&etab.uai)
                .into_iter()
                .flatten()
                .filter_map(|(code, headcount)| Some((*by_code.get(code.as_str())?, *headcount)))
                .collect();
            // A year that is not final is there only where one of its final years is.
            let has_its_final_year = |certif: u32| {
                element(&self.certifs, certif).is_some_and(|c| {
                    c.final_years.is_empty() || c.final_years.iter().any(|t| known.iter().any(|(other, _)| other == t))
                })
            };
            let retained: Vec<_> = known.iter().filter(|(certif, _)| has_its_final_year(*certif)).collect();
            if retained.is_empty() || keys.len() + retained.len() > limit {
                without_key.push(etab_index);
                continue;
            }
            keys.extend(retained.into_iter().map(|&(certif, headcount)| Key {
                etab: etab_index,
                certif,
                headcount,
                real: true,
            }));
        }
        if without_key.is_empty() {
            without_key = (0..index(self.etabs.len())).collect();
        }

        let eligible = |filter: &dyn Fn(&Certif) -> bool| -> Vec<u32> {
            (0_u32..).zip(&self.certifs).filter(|(_, c)| filter(c)).map(|(rank, _)| rank).collect()
        };
        let years_before: HashMap<u32, Vec<u32>> =
            (0_u32..).zip(&self.certifs).fold(HashMap::new(), |mut before, (rank, c)| {
                for final_year in &c.final_years {
                    before.entry(*final_year).or_insert_with(Vec::new).push(rank);
                }
                before
            });
        let schools = eligible(&|c| c.code_type == CodeType::Mef && c.final_years.is_empty());
        let apprenticeships = eligible(&|c| c.code_type == CodeType::Cfd);
        let superieurs = eligible(&|c| c.code_type == CodeType::Sise);
        let remainder = wanted.saturating_sub(keys.len());
        let n = without_key.len().max(1);
        for (rank, etab) in without_key.iter().enumerate() {
            let count = (rank + 1) * remainder / n - rank * remainder / n;
            let uai = element(&self.etabs, *etab).map_or("", |e| e.uai.as_str());
            let mut random = Random::from_key(&["cles", uai]);
            let list = match random.below(100) {
                0..60 => &schools,
                60..87 => &apprenticeships,
                _ => &superieurs,
            };
            let mut taken: Vec<u32> = Vec::with_capacity(count);
            for _ in 0..count.saturating_mul(20) {
                if taken.len() >= count {
                    break;
                }
                let Some(&certif) = random.choice(list) else { break };
                if taken.contains(&certif) {
                    continue;
                }
                taken.push(certif);
                if let Some(&before) = years_before.get(&certif).and_then(|before| random.choice(before))
                    && taken.len() < count
                    && random.chance(45)
                    && !taken.contains(&before)
                {
                    taken.push(before);
                }
            }
            keys.extend(taken.into_iter().map(|certif| Key { etab: *etab, certif, headcount: 0, real: false }));
        }
        keys.sort_by_key(|key| key.etab);
        self.keys = keys;
    }

    /// Regions of each group: the real ones of its codes, others up to what is wanted in all.
    fn choose_regions(&mut self, factor: f64) {
        let wanted = scaled(REGIONALE_KEYS, factor);
        let n_groups = self.certifs.iter().map(|c| c.group).max().map_or(0, |g| usize::try_from(g).unwrap_or(0) + 1);
        let mut codes = vec![0_usize; n_groups];
        let mut masks = vec![0_u32; n_groups];
        for certif in self.certifs.iter().filter(|c| est_regionale(c)) {
            let group = usize::try_from(certif.group).unwrap_or(usize::MAX);
            if let (Some(n), Some(mask)) = (codes.get_mut(group), masks.get_mut(group)) {
                *n += 1;
                *mask |= certif.real_regions;
            }
        }
        let in_place = |mask: u32| usize::try_from(mask.count_ones()).unwrap_or(0);
        let mut total: usize = codes.iter().zip(&masks).map(|(n, mask)| n * in_place(*mask)).sum();
        // At a small factor real regions alone may be too many: each group loses some.
        let n_regions = regions().count();
        for round in 0..n_regions {
            for (group, (n, mask)) in codes.iter().zip(&mut masks).enumerate() {
                let bit = 1_u32 << ((group + round) % n_regions);
                if total > wanted && mask.count_ones() > 1 && *mask & bit != 0 {
                    *mask &= !bit;
                    total -= n;
                }
            }
        }
        // Round after round each group gets one more region, until there are enough keys.
        for round in 0..n_regions * 4 {
            for (group, (n, mask)) in codes.iter().zip(&mut masks).enumerate() {
                let mut random = Random::from_key(&["region", &group.to_string(), &round.to_string()]);
                let bit = 1_u32 << random.rank(n_regions);
                // Groups differ in how fast they spread.
                let held_back = group % 3 == 0 && round % 2 == 1;
                if total < wanted && *n > 0 && *mask & bit == 0 && !held_back {
                    *mask |= bit;
                    total += n;
                }
            }
        }
        self.regions_of_group = masks;
    }

    /// Every line, kind by kind.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        self.certifications()
            .chain(self.regionales())
            .chain(self.formations())
            .chain(self.bcn())
            .chain(self.bcn_sise())
            .chain(self.etablissements())
    }

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
                    est_regionale(c) && !missing(c.group, rank) && mask >> bit & 1 == 1
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

/// Regional figures are of the school track and of apprenticeship only.
fn est_regionale(certif: &Certif) -> bool {
    matches!(certif.filiere, Filiere::Pro | Filiere::Apprentissage)
}

/// Whether a key lacks the millesime of a rank: each lacks one of six.
fn missing(key: u32, rank: usize) -> bool {
    key % 6 == index(rank)
}

fn period(year: u32) -> String {
    format!("{}_{year}", year - 1)
}

/// First character of an invented CFD, and its diploma.
fn invented_level(rank: usize) -> (char, (&'static str, &'static str)) {
    match rank % 5 {
        0 | 1 => ('4', ("4", "BAC PRO")),
        2 => ('5', ("3", "CAP")),
        3 => ('3', ("5", "BTS")),
        _ => ('2', ("6", "TH2-X")),
    }
}

fn invented_certif(
    code: &str,
    cfd: &str,
    code_type: CodeType,
    diplome: (&str, &str),
    filiere: Filiere,
    group: u32,
) -> Certif {
    debug_assert!(
        CodeCertification::parse(&format!("{}{code}", if code_type == CodeType::Sise { "SISE:" } else { "" }))
            .is_some()
    );
    let mut random = Random::from_key(&["certification", code]);
    let metiers = ["MAINTENANCE", "CONDUITE", "GESTION", "ACCUEIL", "CONCEPTION", "FABRICATION", "COMMERCE", "ETUDE"];
    let objects = ["DES EQUIPEMENTS", "DES OUVRAGES", "DES SERVICES", "DES PRODUITS", "DES SYSTEMES", "DES ESPACES"];
    let libelle = format!(
        "{} {} {code} ({})",
        random.choice(&metiers).unwrap_or(&""),
        random.choice(&objects).unwrap_or(&""),
        diplome.1
    );
    // A few are closed, or will be.
    let closing_date = match random.below(100) {
        0..3 => Some(2_018 + i64::from(random.below(6))),
        3..5 => Some(2_060 + i64::from(random.below(20))),
        _ => None,
    }
    .map(|year| date::write_iso(date::days(year, 8, 31) * 86_400_000));
    Certif {
        code: code.to_owned(),
        code_type,
        cfd: cfd.to_owned(),
        libelle,
        diplome: Some((diplome.0.to_owned(), diplome.1.to_owned())),
        closing_date,
        filiere,
        family: None,
        final_years: Vec::new(),
        group,
        real: false,
        real_regions: 0,
    }
}

/// Finds the final years of real MEFs: of a shared first year, those of its famille; else the
/// final year of the same course.
fn link_years(certifs: &mut [Certif], bcn: &Nomenclature) {
    let year = |code: &str| bcn.mefs.get(code).map(|mef| (mef.year, mef.duration));
    let final_year = |code: &str| year(code).is_some_and(|(year, duration)| year >= duration);
    // A CFD whose MEFs are all first years of a longer course.
    let mut shared: BTreeMap<&str, bool> = BTreeMap::new();
    for mef in bcn.mefs.values() {
        *shared.entry(&mef.cfd).or_insert(true) &= mef.year == 1;
    }
    let mut final_years_of_family: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut final_years_of_cfd: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (rank, certif) in (0_u32..).zip(&*certifs).filter(|(_, c)| final_year(&c.code)) {
        final_years_of_cfd.entry(certif.cfd.clone()).or_default().push(rank);
        if let Some((family, _, _)) = &certif.family {
            final_years_of_family.entry(family.clone()).or_default().push(rank);
        }
    }
    let codes: Vec<String> = certifs.iter().map(|c| c.code.clone()).collect();
    for certif in certifs.iter_mut().filter(|c| c.code_type == CodeType::Mef && !final_year(&c.code)) {
        let is_shared = certif.family.is_some() && shared.get(certif.cfd.as_str()).copied().unwrap_or(false);
        if let (Some((family, _, mark)), true) = (&mut certif.family, is_shared) {
            *mark = true;
            certif.final_years = final_years_of_family.get(family.as_str()).cloned().unwrap_or_default();
            continue;
        }
        // The same code but for the year, which is its fourth character; else any of the CFD.
        let candidates = final_years_of_cfd.get(&certif.cfd).map_or(&[][..], Vec::as_slice);
        let same = |other: &&u32| {
            element(&codes, **other)
                .is_some_and(|code| code.get(..3) == certif.code.get(..3) && code.get(4..) == certif.code.get(4..))
        };
        certif.final_years = candidates.iter().find(same).or(candidates.first()).into_iter().copied().collect();
    }
}
