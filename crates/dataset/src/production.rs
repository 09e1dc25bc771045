//! As many documents as in production, for measurements.
//!
//! Keys are real wherever the reference data is there: certifications and establishments of the
//! nomenclature and the directory, pupils by establishment and MEF, courses of the catalogue of
//! apprenticeships, certifications by region. Where it is not, or where more is asked for than there is,
//! keys are invented. **Every rate is made up**, always, and every label of a statistic says so:
//! it ends with [`MENTION_TAUX`], or with [`MENTION_TOUT`] where the key is made up too (indicators
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
    alea::Alea,
    document::{self, Certification, Famille, objet},
    effectifs::Effectifs,
    tables::{self, Nomenclature, each_row},
};
use domain::{CodeCertification, Document, Filiere, Kind, TypeCode, Uai, date, territoire, uai::lettre_de_controle};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

/// What the label of a statistic with a real key ends with.
pub const MENTION_TAUX: &str = " (taux synthétiques)";

/// What the label of a statistic with an invented key ends with.
pub const MENTION_TOUT: &str = " (clé et taux synthétiques)";

/// National millesimes; a regional or establishment millesime is the period that ends with one.
pub const ANNEES: [u32; 6] = [2018, 2019, 2020, 2021, 2022, 2023];

const MEFS: u32 = 2_600;
const CFDS: u32 = 2_600;
const SISES: u32 = 800;
const ETABLISSEMENTS: u32 = 9_000;
/// Certification × region; five of six millesimes each.
const CLES_REGIONALES: u32 = 30_000;
/// Certification × establishment; five of six millesimes each.
const CLES_FORMATIONS: u32 = 60_000;

/// The regions that figures are about: all but the first, the overseas collectivities.
fn regions() -> impl Iterator<Item = &'static territoire::Region> {
    territoire::REGIONS.iter().skip(1)
}

#[derive(Clone, Debug)]
struct Certif {
    code: String,
    type_code: TypeCode,
    cfd: String,
    libelle: String,
    diplome: Option<(String, String)>,
    date_fermeture: Option<String>,
    filiere: Filiere,
    /// Code and label of the famille de metiers, and whether this is its shared first year.
    famille: Option<(String, String, bool)>,
    /// Indices of the final years; empty for a final year.
    terminales: Vec<u32>,
    /// Certifications that belong together lack the same millesime and are taught in the same regions.
    groupe: u32,
    reelle: bool,
    /// Real regions, one bit each in the order of [`regions`].
    regions_reelles: u32,
}

#[derive(Clone, Debug)]
struct Etab {
    uai: String,
    nom: String,
    academie: &'static territoire::Academie,
    region: &'static territoire::Region,
    doc: Document,
}

/// A certification in an establishment.
#[derive(Clone, Copy, Debug)]
struct Cle {
    etab: u32,
    certif: u32,
    /// Real headcount; 0 where there is none.
    effectif: u32,
    reelle: bool,
}

/// What documents are made from: certifications, establishments, and the pairs of both.
#[derive(Clone, Debug)]
pub struct Production {
    certifs: Vec<Certif>,
    etabs: Vec<Etab>,
    /// By establishment.
    cles: Vec<Cle>,
    /// Regions of a group, one bit each.
    regions_de_groupe: Vec<u32>,
    /// Indices of the establishments of each region.
    etabs_de_region: BTreeMap<&'static str, Vec<u32>>,
    /// Indices of the final years of each nomenclature.
    par_type: BTreeMap<TypeCode, Vec<u32>>,
    /// Entries of the nomenclature that come along.
    nomenclature: Vec<Document>,
    nomenclature_sise: Vec<Document>,
}

/// `n` at factor 1, at another factor.
fn echelle(n: u32, facteur: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "above 0 and at most MAX_FACTOR × n")]
    let taille = (f64::from(n) * facteur).round() as u32;
    usize::try_from(taille.max(1)).unwrap_or(usize::MAX)
}

/// An index of a list as it is kept in keys.
fn indice(rang: usize) -> u32 {
    u32::try_from(rang).unwrap_or(u32::MAX)
}

fn element<T>(liste: &[T], indice: u32) -> Option<&T> {
    liste.get(usize::try_from(indice).ok()?)
}

/// Reference data as far as production needs it.
#[derive(Default)]
struct Reel {
    bcn: Nomenclature,
    etablissements: Vec<tables::Etablissement>,
    /// UAI → (code, headcount).
    cles: BTreeMap<String, Vec<(String, u32)>>,
    /// Code → regions, one bit each.
    regions: BTreeMap<String, u32>,
}

impl Reel {
    fn read(data: &Path) -> Result<Self, Error> {
        let mut reel =
            Self { bcn: Nomenclature::read(data)?, etablissements: tables::etablissements(data)?, ..Self::default() };
        each_row(&data.join("effectifs/constat-2020.csv"), |row| {
            let effectif = row.number("Nombre d'élèves : Total")?.unwrap_or_default();
            let cles = reel.cles.entry(row.need("UAI")?.to_owned()).or_default();
            cles.push((row.need("Mef Bcp 11")?.to_owned(), effectif));
            Ok(())
        })?;
        let mut vues = BTreeSet::new();
        each_row(&data.join("catalogue-apprentissage/formations-2020.csv"), |row| {
            if let (Some(cfd), Some(uai)) = (row.get("cfd"), row.get("etablissement_formateur_uai"))
                && vues.insert((cfd.to_owned(), uai.to_owned()))
            {
                reel.cles.entry(uai.to_owned()).or_default().push((cfd.to_owned(), 0));
            }
            Ok(())
        })?;
        each_row(&tables::regional_csv(data), |row| {
            let code = row.get("cfd").map_or_else(|| row.need("mefstat11"), Ok)?;
            let region = row.need("code_region")?;
            if let Some(rang) = regions().position(|r| r.code == region) {
                *reel.regions.entry(code.to_owned()).or_default() |= 1 << rang;
            }
            Ok(())
        })?;
        Ok(reel)
    }
}

impl Production {
    /// Chooses keys. `data` is the folder of reference data; without it all keys are invented.
    ///
    /// # Errors
    /// [`Error::Factor`]; those of reading the tables.
    pub fn new(facteur: f64, data: Option<&Path>) -> Result<Self, Error> {
        if !(facteur > 0.0 && facteur <= MAX_FACTOR) {
            return Err(Error::Factor(facteur));
        }
        let reel = data.map(Reel::read).transpose()?.unwrap_or_default();
        let mut production = Self {
            certifs: Vec::new(),
            etabs: Vec::new(),
            cles: Vec::new(),
            regions_de_groupe: Vec::new(),
            etabs_de_region: BTreeMap::new(),
            par_type: BTreeMap::new(),
            nomenclature: Vec::new(),
            nomenclature_sise: Vec::new(),
        };
        production.choisir_certifications(facteur, &reel);
        production.choisir_etablissements(facteur, &reel);
        production.choisir_cles(facteur, &reel);
        production.choisir_regions(facteur);
        Ok(production)
    }

    fn choisir_certifications(&mut self, facteur: f64, reel: &Reel) {
        let bcn = &reel.bcn;
        let mut groupes: HashMap<String, u32> = HashMap::new();
        let mut groupe = move |nom: &str| {
            let suivant = indice(groupes.len());
            *groupes.entry(nom.to_owned()).or_insert(suivant)
        };
        // First the codes taught in most places, so that a small factor keeps the most of what is real.
        let mut lieux: HashMap<&str, u32> = HashMap::new();
        for (code, _) in reel.cles.values().flatten() {
            *lieux.entry(code).or_default() += 1;
        }
        for (code, masque) in &reel.regions {
            *lieux.entry(code).or_default() += masque.count_ones();
        }
        let en_ordre = |mut codes: Vec<&String>, n: usize| -> Vec<String> {
            codes.sort_by_key(|code| (std::cmp::Reverse(lieux.get(code.as_str()).copied().unwrap_or(0)), *code));
            codes.into_iter().take(n).cloned().collect()
        };
        let (n_mefs, n_cfds, n_sises) = (echelle(MEFS, facteur), echelle(CFDS, facteur), echelle(SISES, facteur));

        let mefs = en_ordre(bcn.mefs.iter().filter(|(c, _)| bcn.cfd_de(c).is_some()).map(|(c, _)| c).collect(), n_mefs);
        for code in mefs.iter().chain(&en_ordre(bcn.cfds.keys().collect(), n_cfds)) {
            let Some((code_cfd, cfd)) = bcn.cfd_de(code) else { continue };
            let mef = bcn.mefs.get(code);
            let famille = bcn.famille_de_cfd.get(code_cfd);
            let agricole = code_cfd.get(2..3) == Some("3");
            self.certifs.push(Certif {
                code: code.clone(),
                type_code: if mef.is_some() { TypeCode::Mef } else { TypeCode::Cfd },
                cfd: code_cfd.to_owned(),
                libelle: cfd.libelle_long.clone(),
                diplome: cfd.diplome.clone(),
                date_fermeture: mef.map_or(&cfd.date_fermeture, |m| &m.date_fermeture).clone(),
                filiere: match (mef, agricole) {
                    (None, _) => Filiere::Apprentissage,
                    (_, true) => Filiere::Agricole,
                    (_, false) => Filiere::Pro,
                },
                famille: famille.map(|code| {
                    let libelle = bcn.familles.get(code).cloned().unwrap_or_default();
                    (code.clone(), libelle, false)
                }),
                terminales: Vec::new(),
                groupe: groupe(famille.map_or(code_cfd, String::as_str)),
                reelle: true,
                regions_reelles: reel.regions.get(code).copied().unwrap_or_default(),
            });
        }
        relier_les_annees(&mut self.certifs, bcn);

        let nombre = |certifs: &[Certif], type_code| certifs.iter().filter(|c| c.type_code == type_code).count();
        let fin = self.certifs.len() + n_mefs.saturating_sub(nombre(&self.certifs, TypeCode::Mef));
        let mut serie = 0_u32;
        while self.certifs.len() < fin {
            self.inventer_cours(serie, fin - self.certifs.len(), &mut groupe);
            serie += 4;
        }
        for rang in nombre(&self.certifs, TypeCode::Cfd)..n_cfds {
            let (niveau, diplome) = niveau_invente(rang);
            let code = format!("{niveau}YZ{rang:05}");
            self.certifs.push(certif_inventee(
                &code,
                &code,
                TypeCode::Cfd,
                diplome,
                Filiere::Apprentissage,
                groupe(&code),
            ));
        }
        for (code, sise) in bcn.sises.iter().filter(|(_, s)| s.diplome.is_some()).take(n_sises) {
            self.nomenclature_sise.push(sise.ligne.clone());
            self.certifs.push(Certif {
                code: code.clone(),
                type_code: TypeCode::Sise,
                cfd: String::new(),
                libelle: sise.libelle.clone(),
                diplome: sise.diplome.clone(),
                date_fermeture: None,
                filiere: Filiere::Superieur,
                famille: None,
                terminales: Vec::new(),
                groupe: groupe(code),
                reelle: true,
                regions_reelles: 0,
            });
        }
        for rang in nombre(&self.certifs, TypeCode::Sise)..n_sises {
            let code = format!("Y{rang:06}");
            let certif =
                certif_inventee(&code, "", TypeCode::Sise, ("6", "LIC PRO"), Filiere::Superieur, groupe(&code));
            self.nomenclature_sise.push(objet(json!({
                "diplome_sise": certif.code,
                "libelle_intitule_1": format!("{}{MENTION_TOUT}", certif.libelle),
                "diplome": { "code": "6", "libelle": "LIC PRO" },
            })));
            self.certifs.push(certif);
        }
        for (rang, certif) in (0_u32..).zip(&self.certifs).filter(|(_, c)| c.terminales.is_empty()) {
            self.par_type.entry(certif.type_code).or_default().push(rang);
        }
        self.completer_nomenclature(bcn);
    }

    /// An invented course under school status, its years first to last; one in five is a famille
    /// of three specialities with a shared first year. `place` is how many codes there is room for.
    fn inventer_cours(&mut self, serie: u32, place: usize, groupe: &mut impl FnMut(&str) -> u32) {
        let filiere = if serie.is_multiple_of(68) { Filiere::Agricole } else { Filiere::Pro };
        let (niveau, diplome) = niveau_invente(usize::try_from(serie / 4).unwrap_or_default());
        let code = |annee: u32, numero: u32| format!("900{annee}{numero:07}");
        let cfd = |numero: u32| format!("{niveau}YY{numero:05}");
        let nom = cfd(serie);
        let groupe = groupe(&nom);
        let mef = |annee, numero| {
            certif_inventee(&code(annee, numero), &cfd(numero), TypeCode::Mef, diplome, filiere, groupe)
        };
        let premier = indice(self.certifs.len());
        if serie.is_multiple_of(20) && place >= 7 {
            let famille = |commune| Some((format!("GY{serie:07}"), format!("Famille {serie}{MENTION_TOUT}"), commune));
            let finales = [premier + 2, premier + 4, premier + 6];
            self.certifs.push(Certif { famille: famille(true), terminales: finales.to_vec(), ..mef(1, serie) });
            for (numero, finale) in (serie + 1..).zip(finales) {
                self.certifs.push(Certif { famille: famille(false), terminales: vec![finale], ..mef(2, numero) });
                self.certifs.push(Certif { famille: famille(false), ..mef(3, numero) });
            }
        } else if place >= 2 {
            self.certifs.push(Certif { terminales: vec![premier + 1], ..mef(1, serie) });
            self.certifs.push(mef(2, serie));
        } else {
            self.certifs.push(mef(1, serie));
        }
    }

    /// The nomenclature of the chosen codes, and of the CFDs that their MEFs hang on.
    fn completer_nomenclature(&mut self, bcn: &Nomenclature) {
        let mut vus: BTreeSet<&str> = BTreeSet::new();
        for certif in self.certifs.iter().filter(|c| c.type_code != TypeCode::Sise) {
            for code in [&certif.cfd, &certif.code] {
                if !vus.insert(code) {
                    continue;
                }
                let mut doc = bcn.entree(code).filter(|_| certif.reelle).unwrap_or_else(|| {
                    let libelle = format!("{}{MENTION_TOUT}", certif.libelle);
                    objet(json!({
                        "type": if *code == certif.cfd { "cfd" } else { "mef" },
                        "code_certification": code,
                        "code_formation_diplome": certif.cfd,
                        "libelle": libelle,
                        "libelle_long": libelle,
                        "diplome": certif.diplome.as_ref().map(|(n, l)| document::valeur_diplome((n, l))),
                        "date_ouverture": "2012-09-01T00:00:00.000Z",
                        "ancien_diplome": [],
                        "nouveau_diplome": [],
                    }))
                });
                if let (Some((code, libelle, commune)), "mef") =
                    (&certif.famille, doc.get("type").and_then(Value::as_str).unwrap_or_default())
                {
                    doc.insert("familleMetier".into(), Famille { code, libelle, est_annee_commune: *commune }.valeur());
                }
                self.nomenclature.push(doc);
            }
        }
    }

    fn choisir_etablissements(&mut self, facteur: f64, reel: &Reel) {
        let n = echelle(ETABLISSEMENTS, facteur);
        let pris: BTreeSet<&str> = reel.etablissements.iter().map(|e| e.uai.as_str()).collect();
        let mut vus = BTreeSet::new();
        let mut reels: Vec<(bool, u64, Etab)> = Vec::new();
        for e in &reel.etablissements {
            let (Some((region, academie)), Some(uai)) = (territoire::academie(&e.academie), Uai::parse(&e.uai)) else {
                continue;
            };
            if region.code == "00" || !uai.est_controle() || !vus.insert(e.uai.as_str()) {
                continue;
            }
            let sans_cle = !reel.cles.contains_key(&e.uai);
            let nom = if e.nom.is_empty() { format!("Etablissement {}", e.uai) } else { e.nom.clone() };
            let etab = Etab { uai: e.uai.clone(), nom, academie, region, doc: e.doc.clone() };
            reels.push((sans_cle, Alea::de_cle(&["etablissement", &e.uai]).suivant(), etab));
        }
        // Those with real keys first; among equals in an order that no region dominates.
        reels.sort_by_key(|(sans_cle, hasard, _)| (*sans_cle, *hasard));
        self.etabs = reels.into_iter().map(|(_, _, etab)| etab).take(n).collect();

        let departements: Vec<_> = regions()
            .flat_map(|r| r.departements.iter().map(move |d| (r, *d)))
            .filter(|(_, d)| !d.starts_with('2') || d.parse::<u32>().is_ok())
            .collect();
        let mut numero = 0_usize;
        while self.etabs.len() < n {
            let (rang, suite) = (numero % departements.len().max(1), numero / departements.len().max(1));
            numero += 1;
            let Some((region, departement)) = departements.get(rang) else { break };
            let chiffres = if departement.len() == 3 {
                format!("{departement}{suite:04}")
            } else {
                format!("0{departement}{suite:04}")
            };
            let (Some(lettre), false) = (lettre_de_controle(&chiffres), chiffres.len() > 7) else { break };
            let uai = format!("{chiffres}{lettre}");
            let Some(academie) = region.academies.get(suite % region.academies.len().max(1)) else { continue };
            if pris.contains(uai.as_str()) {
                continue;
            }
            let nom = format!("Etablissement synthétique {uai}");
            let doc = objet(json!({
                "numero_uai": uai,
                "academie": academie.code,
                "academie_libe": academie.nom,
                "appellation_officielle": nom,
                "pays_libe": "France",
            }));
            self.etabs.push(Etab { uai, nom, academie, region, doc });
        }
        for (rang, etab) in self.etabs.iter().enumerate() {
            self.etabs_de_region.entry(etab.region.code).or_default().push(indice(rang));
        }
    }

    fn choisir_cles(&mut self, facteur: f64, reel: &Reel) {
        let voulues = echelle(CLES_FORMATIONS, facteur);
        let par_code: HashMap<&str, u32> =
            self.certifs.iter().enumerate().map(|(rang, c)| (c.code.as_str(), indice(rang))).collect();
        // Establishments without real keys need room for keys of their own.
        let limite = voulues / 5 * 4;
        let mut cles: Vec<Cle> = Vec::new();
        let mut sans_cle: Vec<u32> = Vec::new();
        for (rang, etab) in self.etabs.iter().enumerate() {
            let etab_indice = indice(rang);
            let connues: Vec<(u32, u32)> = reel
                .cles
                .get(&etab.uai)
                .into_iter()
                .flatten()
                .filter_map(|(code, effectif)| Some((*par_code.get(code.as_str())?, *effectif)))
                .collect();
            // A year that is not final is there only where one of its final years is.
            let a_sa_finale = |certif: u32| {
                element(&self.certifs, certif).is_some_and(|c| {
                    c.terminales.is_empty() || c.terminales.iter().any(|t| connues.iter().any(|(autre, _)| autre == t))
                })
            };
            let retenues: Vec<_> = connues.iter().filter(|(certif, _)| a_sa_finale(*certif)).collect();
            if retenues.is_empty() || cles.len() + retenues.len() > limite {
                sans_cle.push(etab_indice);
                continue;
            }
            cles.extend(retenues.into_iter().map(|&(certif, effectif)| Cle {
                etab: etab_indice,
                certif,
                effectif,
                reelle: true,
            }));
        }
        if sans_cle.is_empty() {
            sans_cle = (0..indice(self.etabs.len())).collect();
        }

        let eligibles = |filtre: &dyn Fn(&Certif) -> bool| -> Vec<u32> {
            (0_u32..).zip(&self.certifs).filter(|(_, c)| filtre(c)).map(|(rang, _)| rang).collect()
        };
        let annees_avant: HashMap<u32, Vec<u32>> =
            (0_u32..).zip(&self.certifs).fold(HashMap::new(), |mut avant, (rang, c)| {
                for finale in &c.terminales {
                    avant.entry(*finale).or_insert_with(Vec::new).push(rang);
                }
                avant
            });
        let scolaires = eligibles(&|c| c.type_code == TypeCode::Mef && c.terminales.is_empty());
        let apprentissages = eligibles(&|c| c.type_code == TypeCode::Cfd);
        let superieurs = eligibles(&|c| c.type_code == TypeCode::Sise);
        let reste = voulues.saturating_sub(cles.len());
        let n = sans_cle.len().max(1);
        for (rang, etab) in sans_cle.iter().enumerate() {
            let nombre = (rang + 1) * reste / n - rang * reste / n;
            let uai = element(&self.etabs, *etab).map_or("", |e| e.uai.as_str());
            let mut alea = Alea::de_cle(&["cles", uai]);
            let liste = match alea.sous(100) {
                0..60 => &scolaires,
                60..87 => &apprentissages,
                _ => &superieurs,
            };
            let mut prises: Vec<u32> = Vec::with_capacity(nombre);
            for _ in 0..nombre.saturating_mul(20) {
                if prises.len() >= nombre {
                    break;
                }
                let Some(&certif) = alea.choix(liste) else { break };
                if prises.contains(&certif) {
                    continue;
                }
                prises.push(certif);
                if let Some(&avant) = annees_avant.get(&certif).and_then(|avant| alea.choix(avant))
                    && prises.len() < nombre
                    && alea.chance(45)
                    && !prises.contains(&avant)
                {
                    prises.push(avant);
                }
            }
            cles.extend(prises.into_iter().map(|certif| Cle { etab: *etab, certif, effectif: 0, reelle: false }));
        }
        cles.sort_by_key(|cle| cle.etab);
        self.cles = cles;
    }

    /// Regions of each group: the real ones of its codes, others up to what is wanted in all.
    fn choisir_regions(&mut self, facteur: f64) {
        let voulues = echelle(CLES_REGIONALES, facteur);
        let n_groupes = self.certifs.iter().map(|c| c.groupe).max().map_or(0, |g| usize::try_from(g).unwrap_or(0) + 1);
        let mut codes = vec![0_usize; n_groupes];
        let mut masques = vec![0_u32; n_groupes];
        for certif in self.certifs.iter().filter(|c| est_regionale(c)) {
            let groupe = usize::try_from(certif.groupe).unwrap_or(usize::MAX);
            if let (Some(n), Some(masque)) = (codes.get_mut(groupe), masques.get_mut(groupe)) {
                *n += 1;
                *masque |= certif.regions_reelles;
            }
        }
        let en_place = |masque: u32| usize::try_from(masque.count_ones()).unwrap_or(0);
        let mut total: usize = codes.iter().zip(&masques).map(|(n, masque)| n * en_place(*masque)).sum();
        // At a small factor real regions alone may be too many: each group loses some.
        let n_regions = regions().count();
        for tour in 0..n_regions {
            for (groupe, (n, masque)) in codes.iter().zip(&mut masques).enumerate() {
                let bit = 1_u32 << ((groupe + tour) % n_regions);
                if total > voulues && masque.count_ones() > 1 && *masque & bit != 0 {
                    *masque &= !bit;
                    total -= n;
                }
            }
        }
        // Round after round each group gets one more region, until there are enough keys.
        for tour in 0..n_regions * 4 {
            for (groupe, (n, masque)) in codes.iter().zip(&mut masques).enumerate() {
                let mut alea = Alea::de_cle(&["region", &groupe.to_string(), &tour.to_string()]);
                let bit = 1_u32 << alea.rang(n_regions);
                // Groups differ in how fast they spread.
                let freine = groupe % 3 == 0 && tour % 2 == 1;
                if total < voulues && *n > 0 && *masque & bit == 0 && !freine {
                    *masque |= bit;
                    total += n;
                }
            }
        }
        self.regions_de_groupe = masques;
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
        ANNEES.into_iter().enumerate().flat_map(move |(rang, annee)| {
            let presentes = self.certifs.iter().filter(move |c| !absente(c.groupe, rang));
            presentes.map(move |certif| {
                let annee = annee.to_string();
                let mut alea = Alea::de_cle(&["nationale", &certif.code, &annee]);
                let mut doc = Document::new();
                self.poser_certification(&mut doc, certif, &annee, certif.reelle, &mut alea);
                let taille = if alea.chance(12) { alea.entre(3, 19) } else { alea.entre(20, 2_400) };
                if self.poser_chiffres(&mut doc, certif, taille, None, &mut alea) {
                    let q2 = 1_250 + 10 * alea.sous(80);
                    for (champ, salaire) in [("q1", q2 - 150), ("q2", q2), ("q3", q2 + 180)] {
                        doc.insert(format!("salaire_12_mois_{champ}"), salaire.into());
                    }
                }
                Line { kind: Kind::Certification, doc }
            })
        })
    }

    /// Regional documents.
    pub fn regionales(&self) -> impl Iterator<Item = Line> + '_ {
        ANNEES.into_iter().enumerate().flat_map(move |(rang, annee)| {
            regions().enumerate().flat_map(move |(bit, region)| {
                let presentes = self.certifs.iter().filter(move |c| {
                    let masque = element(&self.regions_de_groupe, c.groupe).copied().unwrap_or(0);
                    est_regionale(c) && !absente(c.groupe, rang) && masque >> bit & 1 == 1
                });
                presentes.map(move |certif| {
                    let periode = periode(annee);
                    let mut alea = Alea::de_cle(&["regionale", &certif.code, region.code, &periode]);
                    let mut doc = Document::new();
                    doc.insert("region".into(), document::region_complete(region));
                    self.poser_certification(
                        &mut doc,
                        certif,
                        &periode,
                        certif.regions_reelles >> bit & 1 == 1,
                        &mut alea,
                    );
                    let taille = if alea.chance(38) { alea.entre(1, 19) } else { alea.entre(20, 400) };
                    self.poser_chiffres(&mut doc, certif, taille, None, &mut alea);
                    Line { kind: Kind::Regionale, doc }
                })
            })
        })
    }

    /// Documents of establishments.
    pub fn formations(&self) -> impl Iterator<Item = Line> + '_ {
        ANNEES.into_iter().enumerate().flat_map(move |(rang, annee)| {
            self.cles.chunk_by(|a, b| a.etab == b.etab).flat_map(move |cles| {
                let presentes = cles.iter().filter(move |cle| !absente(cle.etab, rang));
                presentes.filter_map(move |cle| self.formation(cle, cles, annee))
            })
        })
    }

    fn formation(&self, cle: &Cle, voisines: &[Cle], annee: u32) -> Option<Line> {
        let (certif, etab) = (element(&self.certifs, cle.certif)?, element(&self.etabs, cle.etab)?);
        let mut de_la_cle = Alea::de_cle(&["formation", &certif.code, &etab.uai]);
        // Where the source of higher education cannot sum two years, it gives single ones.
        let annee_seule = certif.filiere == Filiere::Superieur && de_la_cle.chance(20);
        let millesime = if annee_seule { annee.to_string() } else { periode(annee) };
        let mut alea = Alea::de_cle(&["formation", &certif.code, &etab.uai, &millesime]);
        let mut doc = Document::new();
        doc.insert("uai".into(), etab.uai.clone().into());
        doc.insert("libelle_etablissement".into(), etab.nom.clone().into());
        self.poser_certification(&mut doc, certif, &millesime, cle.reelle, &mut alea);
        let taille = if cle.effectif > 0 {
            // A period counts two cohorts, of which some pupils repeat or leave.
            cle.effectif * alea.entre(130, 200) / 100
        } else if de_la_cle.chance(36) {
            alea.entre(3, 19)
        } else {
            alea.entre(20, 140)
        };
        self.poser_chiffres(&mut doc, certif, taille, Some(voisines), &mut alea);
        doc.insert("region".into(), document::region(etab.region));
        doc.insert("academie".into(), document::academie(etab.academie));
        if !annee_seule {
            self.poser_roles(&mut doc, certif, etab, &mut de_la_cle);
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

    fn poser_certification(
        &self,
        doc: &mut Document,
        certif: &Certif,
        millesime: &str,
        cle_reelle: bool,
        alea: &mut Alea,
    ) {
        let mention = if cle_reelle { MENTION_TAUX } else { MENTION_TOUT };
        let ancien = format!("{} - ANCIEN{mention}", certif.libelle);
        Certification {
            code: &certif.code,
            type_code: certif.type_code,
            code_formation_diplome: &certif.cfd,
            libelle: &format!("{}{mention}", certif.libelle),
            libelle_ancien: (certif.type_code != TypeCode::Sise && alea.chance(7)).then_some(ancien.as_str()),
            diplome: certif.diplome.as_ref().map(|(code, libelle)| (code.as_str(), libelle.as_str())),
            date_fermeture: certif.date_fermeture.as_deref(),
            famille: certif.famille.as_ref().map(|(code, libelle, est_annee_commune)| Famille {
                code,
                libelle,
                est_annee_commune: *est_annee_commune,
            }),
        }
        .poser(doc, certif.filiere, millesime);
    }

    /// Figures, or the final years of a year that is not final: of an establishment, those it has.
    /// Whether there are figures.
    fn poser_chiffres(
        &self,
        doc: &mut Document,
        certif: &Certif,
        taille: u32,
        cles: Option<&[Cle]>,
        alea: &mut Alea,
    ) -> bool {
        if !certif.terminales.is_empty() {
            let ici = |finale: &&u32| cles.is_none_or(|cles| cles.iter().any(|cle| cle.certif == **finale));
            let codes =
                certif.terminales.iter().filter(ici).filter_map(|t| Some(element(&self.certifs, *t)?.code.as_str()));
            doc.insert("certificationsTerminales".into(), document::terminales(codes));
            return false;
        }
        let effectifs = Effectifs::synthetiques(alea, taille);
        let rupture = (certif.filiere == Filiere::Apprentissage).then(|| alea.entre(4, 38));
        effectifs.poser(doc, None, rupture);
        // Some figures are those of an older or a newer diploma.
        let type_source = match alea.sous(100) {
            _ if certif.filiere == Filiere::Superieur => "self",
            0..6 => "ancienne",
            6..9 => "nouvelle",
            _ => "self",
        };
        let source = match type_source {
            "self" => certif,
            _ => self
                .par_type
                .get(&certif.type_code)
                .and_then(|rangs| element(&self.certifs, *alea.choix(rangs)?))
                .unwrap_or(certif),
        };
        doc.insert("donnee_source".into(), document::donnee_source(&source.code, type_source));
        let meta = match certif.filiere {
            Filiere::Superieur => json!({ "insersup": { "type_diplome": "synthetique", "discipline": "synthetique" } }),
            _ => {
                let taux = |nom: &str| doc.get(nom).cloned().unwrap_or_default();
                json!({ "inserjeunes": {
                    "DEVENIR_part_autre_situation_6_mois": taux("taux_autres_6_mois"),
                    "DEVENIR_part_en_emploi_6_mois": taux("taux_en_emploi_6_mois"),
                    "DEVENIR_part_poursuite_etudes": taux("taux_en_formation"),
                    "taux_poursuite_etudes": taux("taux_en_formation"),
                } })
            }
        };
        doc.insert("_meta".into(), meta);
        true
    }

    /// What the establishment is for the course, and whose numbers it shows.
    fn poser_roles(&self, doc: &mut Document, certif: &Certif, etab: &Etab, alea: &mut Alea) {
        let de_la_region = self.etabs_de_region.get(etab.region.code).map_or(&[][..], Vec::as_slice);
        let voisin = |alea: &mut Alea| {
            let voisin = alea.choix(de_la_region).and_then(|rang| element(&self.etabs, *rang));
            voisin.map_or_else(|| etab.uai.clone(), |e| e.uai.clone())
        };
        let lui_meme = || vec![etab.uai.clone()];
        let (uai_type, donnee, donnee_type, listes) = match (certif.filiere, alea.sous(100)) {
            (Filiere::Superieur, _) | (Filiere::Apprentissage, 92..) => {
                ("inconnu", etab.uai.clone(), "inconnu", Vec::new())
            }
            (Filiere::Pro | Filiere::Agricole, _) => (
                "lieu_formation",
                etab.uai.clone(),
                "lieu_formation",
                vec![("uai_formateur", lui_meme()), ("uai_gestionnaire", lui_meme())],
            ),
            (Filiere::Apprentissage, tirage) => {
                let (a, b) = (voisin(alea), voisin(alea));
                match tirage {
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
        doc.insert("uai_donnee".into(), donnee.into());
        doc.insert("uai_donnee_type".into(), donnee_type.into());
        for (champ, uais) in listes {
            doc.insert(champ.into(), uais.into());
        }
    }
}

/// Regional figures are of the school track and of apprenticeship only.
fn est_regionale(certif: &Certif) -> bool {
    matches!(certif.filiere, Filiere::Pro | Filiere::Apprentissage)
}

/// Whether a key lacks the millesime of a rank: each lacks one of six.
fn absente(cle: u32, rang: usize) -> bool {
    cle % 6 == indice(rang)
}

fn periode(annee: u32) -> String {
    format!("{}_{annee}", annee - 1)
}

/// First character of an invented CFD, and its diploma.
fn niveau_invente(rang: usize) -> (char, (&'static str, &'static str)) {
    match rang % 5 {
        0 | 1 => ('4', ("4", "BAC PRO")),
        2 => ('5', ("3", "CAP")),
        3 => ('3', ("5", "BTS")),
        _ => ('2', ("6", "TH2-X")),
    }
}

fn certif_inventee(
    code: &str,
    cfd: &str,
    type_code: TypeCode,
    diplome: (&str, &str),
    filiere: Filiere,
    groupe: u32,
) -> Certif {
    debug_assert!(
        CodeCertification::parse(&format!("{}{code}", if type_code == TypeCode::Sise { "SISE:" } else { "" }))
            .is_some()
    );
    let mut alea = Alea::de_cle(&["certification", code]);
    let metiers = ["MAINTENANCE", "CONDUITE", "GESTION", "ACCUEIL", "CONCEPTION", "FABRICATION", "COMMERCE", "ETUDE"];
    let objets = ["DES EQUIPEMENTS", "DES OUVRAGES", "DES SERVICES", "DES PRODUITS", "DES SYSTEMES", "DES ESPACES"];
    let libelle = format!(
        "{} {} {code} ({})",
        alea.choix(&metiers).unwrap_or(&""),
        alea.choix(&objets).unwrap_or(&""),
        diplome.1
    );
    // A few are closed, or will be.
    let date_fermeture = match alea.sous(100) {
        0..3 => Some(2_018 + i64::from(alea.sous(6))),
        3..5 => Some(2_060 + i64::from(alea.sous(20))),
        _ => None,
    }
    .map(|annee| date::ecrire_iso(date::jours(annee, 8, 31) * 86_400_000));
    Certif {
        code: code.to_owned(),
        type_code,
        cfd: cfd.to_owned(),
        libelle,
        diplome: Some((diplome.0.to_owned(), diplome.1.to_owned())),
        date_fermeture,
        filiere,
        famille: None,
        terminales: Vec::new(),
        groupe,
        reelle: false,
        regions_reelles: 0,
    }
}

/// Finds the final years of real MEFs: of a shared first year, those of its famille; else the
/// final year of the same course.
fn relier_les_annees(certifs: &mut [Certif], bcn: &Nomenclature) {
    let annee = |code: &str| bcn.mefs.get(code).map(|mef| (mef.annee, mef.duree));
    let finale = |code: &str| annee(code).is_some_and(|(annee, duree)| annee >= duree);
    // A CFD whose MEFs are all first years of a longer course.
    let mut commune: BTreeMap<&str, bool> = BTreeMap::new();
    for mef in bcn.mefs.values() {
        *commune.entry(&mef.cfd).or_insert(true) &= mef.annee == 1;
    }
    let mut finales_de_famille: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut finales_de_cfd: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (rang, certif) in (0_u32..).zip(&*certifs).filter(|(_, c)| finale(&c.code)) {
        finales_de_cfd.entry(certif.cfd.clone()).or_default().push(rang);
        if let Some((famille, _, _)) = &certif.famille {
            finales_de_famille.entry(famille.clone()).or_default().push(rang);
        }
    }
    let codes: Vec<String> = certifs.iter().map(|c| c.code.clone()).collect();
    for certif in certifs.iter_mut().filter(|c| c.type_code == TypeCode::Mef && !finale(&c.code)) {
        let est_commune = certif.famille.is_some() && commune.get(certif.cfd.as_str()).copied().unwrap_or(false);
        if let (Some((famille, _, marque)), true) = (&mut certif.famille, est_commune) {
            *marque = true;
            certif.terminales = finales_de_famille.get(famille.as_str()).cloned().unwrap_or_default();
            continue;
        }
        // The same code but for the year, which is its fourth character; else any of the CFD.
        let candidates = finales_de_cfd.get(&certif.cfd).map_or(&[][..], Vec::as_slice);
        let meme = |autre: &&u32| {
            element(&codes, **autre)
                .is_some_and(|code| code.get(..3) == certif.code.get(..3) && code.get(4..) == certif.code.get(4..))
        };
        certif.terminales = candidates.iter().find(meme).or(candidates.first()).into_iter().copied().collect();
    }
}
