//! Which keys there are: certifications, establishments, the pairs of both, and the regions of each.

use super::real::Real;
use super::{
    ALL_MENTION, CFDS, Certif, ETABLISSEMENTS, Etab, FORMATION_KEYS, Key, MEFS, Production, REGIONALE_KEYS, SISES,
    element, index, is_regional, regions, scaled,
};
use crate::document::{self, Family, object};
use crate::random::Random;
use crate::tables::Nomenclature;
use domain::{CodeCertification, CodeType, Filiere, Uai, date, territory, uai::check_letter};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

impl Production {
    pub(super) fn choose_certifications(&mut self, factor: f64, real: &Real) {
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
    pub(super) fn invent_course(&mut self, series: u32, place: usize, group: &mut impl FnMut(&str) -> u32) {
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
    pub(super) fn complete_nomenclature(&mut self, bcn: &Nomenclature) {
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

    pub(super) fn choose_etablissements(&mut self, factor: f64, real: &Real) {
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

    pub(super) fn choose_keys(&mut self, factor: f64, real: &Real) {
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
    pub(super) fn choose_regions(&mut self, factor: f64) {
        let wanted = scaled(REGIONALE_KEYS, factor);
        let n_groups = self.certifs.iter().map(|c| c.group).max().map_or(0, |g| usize::try_from(g).unwrap_or(0) + 1);
        let mut codes = vec![0_usize; n_groups];
        let mut masks = vec![0_u32; n_groups];
        for certif in self.certifs.iter().filter(|c| is_regional(c)) {
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
