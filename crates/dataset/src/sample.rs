//! The sample: fictitious, small, and holding every case that a reader of the API can meet.
//!
//! Codes, establishments and figures are invented; codes and UAIs have the right shape and exist
//! in no nomenclature or directory known to the project. Every label of a certification ends with
//! [`MENTION`]; every establishment is called "fictif" or "fictive".
//!
//! The years of the sample end at [`DERNIERE_ANNEE`]. Of the lines of courses, one has no data
//! for its new diploma in the first year and none for its old one in the last year, which is how
//! `donnee_source` comes to be `ancienne` and `nouvelle`.

use crate::{
    Line,
    alea::Alea,
    document::{self, Certification, Famille, objet},
    effectifs::Effectifs,
};
use domain::{Document, Filiere, Kind, TypeCode, territoire, uai::lettre_de_controle};
use serde_json::{Value, json};

/// What every label of a certification ends with.
pub const MENTION: &str = " (données fictives)";

/// The national millesimes: the last year of each period.
pub const ANNEES: [&str; 3] = ["2021", "2022", "2023"];

/// The latest year of the sample.
pub const DERNIERE_ANNEE: &str = "2023";

const FERMEE: &str = "2021-08-31T00:00:00.000Z";
/// Far enough to stay in the future for as long as the sample lives.
const FERMERA: &str = "2099-08-31T00:00:00.000Z";

const FAMILLE: (&str, &str) = ("G9901", "Métiers de l'exemple (données fictives)");

/// A course: a CFD, its years under school status (MEF), and its tracks.
struct Cours {
    cfd: &'static str,
    diplome: (&'static str, &'static str),
    libelle: &'static str,
    /// `None`: not taught under school status.
    filiere_scolaire: Option<Filiere>,
    /// Its MEFs, final year last.
    mefs: &'static [&'static str],
    apprentissage: bool,
    date_fermeture: Option<&'static str>,
    famille: bool,
    lignee: Lignee,
}

/// The place of a course in its line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lignee {
    Seul,
    /// Replaced by the diploma whose CFD is given.
    Ancien(&'static str),
    /// Replaces the diploma whose CFD is given.
    Nouveau(&'static str),
}

const CAP: (&str, &str) = ("3", "CAP");
const BAC_PRO: (&str, &str) = ("4", "BAC PRO");
const BTS: (&str, &str) = ("5", "BTS");

const PRO: Option<Filiere> = Some(Filiere::Pro);
const AGRICOLE: Option<Filiere> = Some(Filiere::Agricole);

const fn cours(
    cfd: &'static str,
    diplome: (&'static str, &'static str),
    libelle: &'static str,
    filiere_scolaire: Option<Filiere>,
    mefs: &'static [&'static str],
    apprentissage: bool,
) -> Cours {
    Cours {
        cfd,
        diplome,
        libelle,
        filiere_scolaire,
        mefs,
        apprentissage,
        date_fermeture: None,
        famille: false,
        lignee: Lignee::Seul,
    }
}

/// The shared first year of the famille: all its MEFs are first years.
const ANNEE_COMMUNE: &str = "40099010";

static COURS: [Cours; 18] = [
    Cours {
        famille: true,
        ..cours(ANNEE_COMMUNE, BAC_PRO, "METIERS DE L'EXEMPLE 2NDE COMMUNE (BAC PRO)", PRO, &["23810099010"], false)
    },
    Cours {
        famille: true,
        ..cours("40099011", BAC_PRO, "ACCUEIL DE L'EXEMPLE (BAC PRO)", PRO, &["23820099011", "23830099011"], true)
    },
    Cours {
        famille: true,
        ..cours("40099012", BAC_PRO, "VENTE DE L'EXEMPLE (BAC PRO)", PRO, &["23820099012", "23830099012"], true)
    },
    Cours {
        famille: true,
        date_fermeture: Some(FERMERA),
        ..cours("40099013", BAC_PRO, "ATELIER DE L'EXEMPLE (BAC PRO)", PRO, &["23820099013", "23830099013"], true)
    },
    Cours {
        date_fermeture: Some(FERMEE),
        lignee: Lignee::Ancien("40099022"),
        ..cours(
            "40099021",
            BAC_PRO,
            "MAINTENANCE DES MACHINES A VAPEUR (BAC PRO)",
            PRO,
            &["23810099021", "23820099021", "23830099021"],
            true,
        )
    },
    Cours {
        lignee: Lignee::Nouveau("40099021"),
        ..cours(
            "40099022",
            BAC_PRO,
            "MAINTENANCE DES MACHINES CONNECTEES (BAC PRO)",
            PRO,
            &["23810099022", "23820099022", "23830099022"],
            true,
        )
    },
    cours("50099031", CAP, "FABRICANT DE CERFS-VOLANTS (CAP)", PRO, &["23210099031", "23220099031"], true),
    Cours {
        date_fermeture: Some(FERMERA),
        ..cours("50099032", CAP, "OUTILLEUR EN PHARES (CAP)", PRO, &["23210099032", "23220099032"], true)
    },
    Cours {
        date_fermeture: Some(FERMEE),
        ..cours("50099033", CAP, "ALLUMEUR DE REVERBERES (CAP)", PRO, &["23210099033", "23220099033"], false)
    },
    cours("32099041", BTS, "GESTION DES EXEMPLES (BTS)", PRO, &["32210099041", "32220099041"], true),
    cours("32099042", BTS, "ETUDE DES OUVRAGES D'EXEMPLE (BTS)", PRO, &["32210099042", "32220099042"], true),
    cours("01099051", ("4", "MC"), "TECHNICIEN EN MOULINS A VENT (MC NIVEAU IV)", None, &[], true),
    cours("46T99061", ("4", "TH4-T"), "CONDUCTEUR DE BALLON DIRIGEABLE (TP)", None, &[], true),
    cours(
        "40399071",
        ("4", "BAC PRO AG"),
        "CONDUITE D'UNE EXPLOITATION D'EXEMPLE (BAC PRO AGRICOLE)",
        AGRICOLE,
        &["23821099071", "23831099071"],
        true,
    ),
    cours(
        "50399072",
        ("3", "CAPA"),
        "JARDINIER DE PARCS D'EXEMPLE (CAP AGRICOLE)",
        AGRICOLE,
        &["23211099072", "23221099072"],
        false,
    ),
    cours("32399073", ("5", "BTSA"), "AGRONOMIE D'EXEMPLE (BTSA)", AGRICOLE, &["32221099073"], false),
    cours("26X99081", ("6", "TH2-X"), "CHARGE DE PROJETS D'EXEMPLE (TITRE)", None, &[], true),
    cours("16X99082", ("7", "TH1-X"), "EXPERT EN EXEMPLES (TITRE)", None, &[], true),
];

/// Diplomas of higher education: SISE code, level, type, label, closing date.
type Sise = (&'static str, (&'static str, &'static str), &'static str, &'static str, Option<&'static str>);

static SISE: [Sise; 5] = [
    ("2599901", ("6", "LIC PRO"), "DP", "METIERS DU NUMERIQUE D'EXEMPLE", None),
    ("2599902", ("6", "LIC PRO"), "DP", "LOGISTIQUE DES EXEMPLES", Some(FERMERA)),
    ("2599903", ("7", "MAST LMD"), "XB", "HISTOIRE DES EXEMPLES", None),
    ("2599904", ("6", "BUT"), "DR", "GENIE DES EXEMPLES", None),
    ("2599905", ("6", "LIC LMD"), "XA", "LETTRES ET EXEMPLES", Some(FERMEE)),
];

/// The six regions: INSEE code, and five establishments each as departement and academie.
static REGIONS: [(&str, [(&str, &str); 5]); 6] = [
    ("04", [("974", "28"), ("974", "28"), ("974", "28"), ("974", "28"), ("974", "28")]),
    ("11", [("075", "01"), ("093", "24"), ("078", "25"), ("075", "01"), ("091", "25")]),
    ("32", [("059", "09"), ("062", "09"), ("080", "20"), ("059", "09"), ("060", "20")]),
    ("53", [("035", "14"), ("029", "14"), ("022", "14"), ("056", "14"), ("035", "14")]),
    ("76", [("031", "16"), ("034", "11"), ("032", "16"), ("030", "11"), ("081", "16")]),
    ("84", [("069", "10"), ("063", "06"), ("038", "08"), ("073", "08"), ("042", "10")]),
];

/// The five establishments of a region: name, nature, label of the nature. A region has two schools, an agricultural
/// school, an apprenticeship centre, and in turn a university or a second centre.
const MODELES: [(&str, &str, &str); 6] = [
    ("Lycée professionnel fictif des Tilleuls", "320", "Lycée professionnel"),
    ("Lycée polyvalent fictif du Canal", "306", "Lycée polyvalent"),
    ("Lycée agricole fictif des Coteaux", "307", "Lycée agricole"),
    ("CFA fictif du Grand Moulin", "640", "Centre de formation d'apprentis"),
    ("Université fictive des Remparts", "523", "Université"),
    ("CFA fictif de la Halle, annexe", "640", "Centre de formation d'apprentis"),
];

/// Ranks of a region's establishments in its list.
const LYCEE_PRO: usize = 0;
const LYCEE: usize = 1;
const LYCEE_AGRICOLE: usize = 2;
const CFA: usize = 3;
/// A university in regions of even rank, a second centre in the others.
const CINQUIEME: usize = 4;

struct Etablissement {
    uai: String,
    nom: String,
    nature: (&'static str, &'static str),
    departement: &'static str,
    region: &'static territoire::Region,
    academie: &'static territoire::Academie,
}

/// A region of the sample and its establishments, in the order of [`MODELES`].
struct Place {
    rang: usize,
    region: &'static territoire::Region,
    etablissements: Vec<Etablissement>,
}

fn places() -> Vec<Place> {
    let mut places = Vec::new();
    for (rang, (code, lieux)) in REGIONS.iter().enumerate() {
        let Some(region) = territoire::region(code) else { continue };
        let modeles = [0, 1, 2, 3, if rang % 2 == 0 { 4 } else { 5 }];
        let mut etablissements = Vec::new();
        for (numero, ((departement, code_academie), modele)) in lieux.iter().zip(modeles).enumerate() {
            let Some((_, academie)) = territoire::academie(code_academie) else { continue };
            let Some(&(nom, nature, libelle_nature)) = MODELES.get(modele) else { continue };
            let chiffres = format!("{departement}98{rang}{numero}");
            let Some(lettre) = lettre_de_controle(&chiffres) else { continue };
            etablissements.push(Etablissement {
                uai: format!("{chiffres}{lettre}"),
                nom: format!("{nom} ({})", academie.nom),
                nature: (nature, libelle_nature),
                departement,
                region,
                academie,
            });
        }
        places.push(Place { rang, region, etablissements });
    }
    places
}

/// A certification of the sample in one of its tracks: what statistics are made of.
struct Suivi {
    code: &'static str,
    type_code: TypeCode,
    cfd: &'static str,
    diplome: (&'static str, &'static str),
    libelle: String,
    libelle_ancien: Option<String>,
    date_fermeture: Option<&'static str>,
    filiere: Filiere,
    famille: Option<bool>,
    /// Codes of the final years; empty for a final year.
    terminales: Vec<&'static str>,
    /// The code of the same year and track in the older and the newer diploma.
    ancien: Option<&'static str>,
    nouveau: Option<&'static str>,
}

fn libelle(texte: &str) -> String {
    format!("{texte}{MENTION}")
}

fn cours_de(cfd: &str) -> Option<&'static Cours> {
    COURS.iter().find(|c| c.cfd == cfd)
}

/// Codes of the same rank in a related course: the CFD itself, or the MEF of the same year.
fn parent(cours: &'static Cours, code: &str, lie: &str) -> Option<&'static str> {
    let lie = cours_de(lie)?;
    match cours.mefs.iter().position(|mef| *mef == code) {
        Some(annee) => lie.mefs.get(annee).copied(),
        None => Some(lie.cfd),
    }
}

fn suivis() -> Vec<Suivi> {
    let specialites: Vec<&'static str> =
        COURS.iter().filter(|c| c.famille && c.cfd != ANNEE_COMMUNE).filter_map(|c| c.mefs.last().copied()).collect();
    let mut suivis = Vec::new();
    for cours in &COURS {
        let (ancien, nouveau) = match cours.lignee {
            Lignee::Seul => (None, None),
            Lignee::Ancien(nouveau) => (None, Some(nouveau)),
            Lignee::Nouveau(ancien) => (Some(ancien), None),
        };
        let suivi = |code: &'static str, type_code, filiere, terminales| Suivi {
            code,
            type_code,
            cfd: cours.cfd,
            diplome: cours.diplome,
            libelle: libelle(cours.libelle),
            libelle_ancien: ancien.and_then(cours_de).map(|c| libelle(c.libelle)),
            date_fermeture: cours.date_fermeture,
            filiere,
            famille: cours.famille.then_some(cours.cfd == ANNEE_COMMUNE),
            terminales,
            ancien: ancien.and_then(|lie| parent(cours, code, lie)),
            nouveau: nouveau.and_then(|lie| parent(cours, code, lie)),
        };
        if let Some(filiere) = cours.filiere_scolaire {
            for mef in cours.mefs {
                let terminales = if cours.cfd == ANNEE_COMMUNE {
                    specialites.clone()
                } else {
                    cours.mefs.last().filter(|finale| *finale != mef).into_iter().copied().collect()
                };
                suivis.push(suivi(mef, TypeCode::Mef, filiere, terminales));
            }
        }
        if cours.apprentissage {
            suivis.push(suivi(cours.cfd, TypeCode::Cfd, Filiere::Apprentissage, Vec::new()));
        }
    }
    for &(code, diplome, _, texte, date_fermeture) in &SISE {
        suivis.push(Suivi {
            code,
            type_code: TypeCode::Sise,
            cfd: "",
            diplome,
            libelle: libelle(texte),
            libelle_ancien: None,
            date_fermeture,
            filiere: Filiere::Superieur,
            famille: None,
            terminales: Vec::new(),
            ancien: None,
            nouveau: None,
        });
    }
    suivis
}

impl Suivi {
    fn certification(&self) -> Certification<'_> {
        Certification {
            code: self.code,
            type_code: self.type_code,
            code_formation_diplome: self.cfd,
            libelle: &self.libelle,
            libelle_ancien: self.libelle_ancien.as_deref(),
            diplome: Some(self.diplome),
            date_fermeture: self.date_fermeture,
            famille: self.famille.map(|est_annee_commune| Famille {
                code: FAMILLE.0,
                libelle: FAMILLE.1,
                est_annee_commune,
            }),
        }
    }

    /// Whose data it holds in a year: the new diploma has none of its own in the first year, the
    /// old one none in the last.
    fn source(&self, annee: &str) -> (&'static str, &'static str) {
        match (self.ancien, self.nouveau) {
            (Some(ancien), _) if annee == ANNEES[0] => (ancien, "ancienne"),
            (_, Some(nouveau)) if annee == DERNIERE_ANNEE => (nouveau, "nouvelle"),
            _ => (self.code, "self"),
        }
    }

    /// Figures of one place and year: those of its source, so that both documents agree.
    fn chiffres(&self, doc: &mut Document, maille: Kind, place: &str, annee: &str, tailles: (u32, u32)) {
        if !self.terminales.is_empty() {
            doc.insert("certificationsTerminales".into(), document::terminales(self.terminales.iter().copied()));
            return;
        }
        let (source, type_source) = self.source(annee);
        let mut alea = Alea::de_cle(&["sample", maille.nom(), source, self.filiere.as_str(), place, annee]);
        let taille = alea.entre(tailles.0, tailles.1);
        let effectifs = Effectifs::synthetiques(&mut alea, taille);
        let rupture = (self.filiere == Filiere::Apprentissage).then(|| alea.entre(5, 35));
        effectifs.poser(doc, None, rupture);
        if maille == Kind::Certification {
            let q2 = 1_250 + 10 * alea.sous(60);
            doc.insert("salaire_12_mois_q1".into(), (q2 - 150).into());
            doc.insert("salaire_12_mois_q2".into(), q2.into());
            doc.insert("salaire_12_mois_q3".into(), (q2 + 180).into());
        }
        if self.filiere == Filiere::Superieur && maille == Kind::Formation {
            doc.insert("nb_diplome".into(), (taille - taille / 8).into());
        }
        doc.insert("donnee_source".into(), document::donnee_source(source, type_source));
        let meta = match (self.filiere, effectifs.taux_en_formation()) {
            (Filiere::Superieur, _) => json!({ "insersup": { "discipline": "Exemples" } }),
            (_, Some(taux)) if maille == Kind::Regionale => {
                json!({ "inserjeunes": { "taux_poursuite_etudes": domain::taux::nombre(taux) } })
            }
            _ => json!({ "inserjeunes": {} }),
        };
        doc.insert("_meta".into(), meta);
    }
}

/// A period as it is written for regions and establishments.
fn periode(annee: &str) -> String {
    let avant = annee.parse::<u32>().unwrap_or_default().saturating_sub(1);
    format!("{avant}_{annee}")
}

/// Every line of the sample, kind by kind.
pub fn lines() -> impl Iterator<Item = Line> {
    let (suivis, places) = (suivis(), places());
    let mut lignes = Vec::new();
    nationales(&suivis, &mut lignes);
    regionales(&suivis, &places, &mut lignes);
    formations(&suivis, &places, &mut lignes);
    nomenclature(&mut lignes);
    for etablissement in places.iter().flat_map(|p| &p.etablissements) {
        lignes.push(Line { kind: Kind::Etablissement, doc: acce(etablissement) });
    }
    catalogue(&places, &mut lignes);
    academies(&suivis, &places, &mut lignes);
    rncp(&mut lignes);
    lignes.into_iter()
}

fn nationales(suivis: &[Suivi], lignes: &mut Vec<Line>) {
    for annee in ANNEES {
        for (rang, suivi) in suivis.iter().enumerate() {
            // One certification in eleven has no data in the latest year: the routes answer with
            // the years that there are.
            if annee == DERNIERE_ANNEE && rang % 11 == 10 && suivi.terminales.is_empty() {
                continue;
            }
            let mut doc = Document::new();
            suivi.certification().poser(&mut doc, suivi.filiere, annee);
            // A few certifications are rare enough to fall under the threshold nationally.
            let rare = Alea::de_cle(&["rare", suivi.source(annee).0]).chance(12);
            let tailles = if rare { (4, 19) } else { (60, 1_800) };
            suivi.chiffres(&mut doc, Kind::Certification, "", annee, tailles);
            lignes.push(Line { kind: Kind::Certification, doc });
        }
    }
}

/// Regional figures: not for higher education, nor for agricultural schools (the import drops them).
fn regionales(suivis: &[Suivi], places: &[Place], lignes: &mut Vec<Line>) {
    for annee in ANNEES {
        let millesime = periode(annee);
        for place in places {
            for suivi in suivis.iter().filter(|s| matches!(s.filiere, Filiere::Pro | Filiere::Apprentissage)) {
                if !enseigne(suivi, place) {
                    continue;
                }
                let mut doc = Document::new();
                doc.insert("region".into(), document::region_complete(place.region));
                suivi.certification().poser(&mut doc, suivi.filiere, &millesime);
                let rare = Alea::de_cle(&["rare", suivi.source(annee).0, place.region.code]).chance(30);
                let tailles = if rare { (3, 19) } else { (20, 260) };
                suivi.chiffres(&mut doc, Kind::Regionale, place.region.code, annee, tailles);
                lignes.push(Line { kind: Kind::Regionale, doc });
            }
        }
    }
}

/// A maille that the push declares: the academie, one of each region. Its key lies where that of establishments does.
fn academies(suivis: &[Suivi], places: &[Place], lignes: &mut Vec<Line>) {
    let declaration = json!({"nom": "academies", "libelle": "Académies (données fictives)", "cle": "academie.code"});
    lignes.push(Line { kind: Kind::Maille, doc: objet(declaration) });
    for annee in ANNEES.iter().skip(1) {
        let millesime = periode(annee);
        for place in places {
            if let Some(territoire::Academie { code, nom, .. }) = place.etablissements.first().map(|e| e.academie) {
                let enseignes = |s: &&Suivi| matches!(s.filiere, Filiere::Pro | Filiere::Apprentissage);
                for suivi in suivis.iter().filter(enseignes).filter(|s| enseigne(s, place)) {
                    let mut doc = objet(json!({
                        "maille": "academies",
                        "academie": {"code": code, "nom": nom},
                        "region": document::region_complete(place.region),
                    }));
                    suivi.certification().poser(&mut doc, suivi.filiere, &millesime);
                    let rare = Alea::de_cle(&["rare", suivi.source(annee).0, "academie", code]).chance(40);
                    let tailles = if rare { (3, 19) } else { (20, 160) };
                    suivi.chiffres(&mut doc, Kind::Statistique, code, annee, tailles);
                    lignes.push(Line { kind: Kind::Statistique, doc });
                }
            }
        }
    }
}

/// The entry of the national directory that each CFD leads to: a number that no entry has reached.
fn rncp(lignes: &mut Vec<Line>) {
    for (rang, cours) in COURS.iter().enumerate() {
        let doc = objet(json!({"code_certification": cours.cfd, "rncp": format!("RNCP99{rang:03}")}));
        lignes.push(Line { kind: Kind::Rncp, doc });
    }
}

/// Whether a course is taught in a region: a whole famille and a whole line, or nothing of it.
fn enseigne(suivi: &Suivi, place: &Place) -> bool {
    if suivi.famille.is_some() {
        return place.rang < 4;
    }
    if suivi.ancien.is_some() || suivi.nouveau.is_some() {
        return place.rang < 3;
    }
    Alea::de_cle(&["enseigne", suivi.cfd, place.region.code]).chance(55)
}

/// What an establishment is for a course, whose numbers it shows, and the other roles.
struct Roles {
    uai_type: &'static str,
    uai_donnee: String,
    uai_donnee_type: &'static str,
    listes: Vec<(&'static str, Vec<String>)>,
}

fn formations(suivis: &[Suivi], places: &[Place], lignes: &mut Vec<Line>) {
    for annee in ANNEES {
        for place in places {
            for suivi in suivis {
                let millesime = periode(annee);
                match suivi.filiere {
                    Filiere::Superieur => superieur(suivi, place, annee, lignes),
                    Filiere::Apprentissage => {
                        if enseigne(suivi, place) {
                            apprentissage(suivi, place, annee, lignes);
                        }
                    }
                    Filiere::Pro | Filiere::Agricole => {
                        let rangs: &[usize] = match suivi.filiere {
                            Filiere::Agricole => &[LYCEE_AGRICOLE],
                            _ if suivi.famille.is_some() => &[LYCEE_PRO, LYCEE],
                            _ if suivi.diplome == BTS => &[LYCEE],
                            _ => &[LYCEE_PRO],
                        };
                        if suivi.filiere == Filiere::Pro && !enseigne(suivi, place) {
                            continue;
                        }
                        for etablissement in rangs.iter().filter_map(|rang| place.etablissements.get(*rang)) {
                            let lui_meme = vec![etablissement.uai.clone()];
                            let roles = Roles {
                                uai_type: "lieu_formation",
                                uai_donnee: etablissement.uai.clone(),
                                uai_donnee_type: "lieu_formation",
                                listes: vec![("uai_formateur", lui_meme.clone()), ("uai_gestionnaire", lui_meme)],
                            };
                            lignes.push(formation(suivi, etablissement, annee, &millesime, Some(roles)));
                        }
                    }
                }
            }
        }
    }
}

/// Apprenticeship: the centre of the region manages, teaches or both, at one or two places that
/// show its numbers where they have none of their own.
fn apprentissage(suivi: &Suivi, place: &Place, annee: &str, lignes: &mut Vec<Line>) {
    let (Some(cfa), Some(lycee)) = (place.etablissements.get(CFA), place.etablissements.get(LYCEE)) else { return };
    // The second centre, where the region has one; else the school teaches.
    let annexe = place.etablissements.get(CINQUIEME).filter(|_| place.rang % 2 == 1).unwrap_or(lycee);
    let millesime = periode(annee);
    let uai = |e: &Etablissement| vec![e.uai.clone()];
    let mut pousser =
        |etablissement: &Etablissement, source: &Etablissement, types: (&'static str, &'static str), listes| {
            let roles = Roles { uai_type: types.0, uai_donnee: source.uai.clone(), uai_donnee_type: types.1, listes };
            lignes.push(formation(suivi, etablissement, annee, &millesime, Some(roles)));
        };
    match Alea::de_cle(&["organisation", suivi.cfd, place.region.code]).sous(5) {
        // The centre teaches; its place shows its numbers.
        0 => {
            let listes = vec![("uai_lieu_formation", uai(lycee)), ("uai_gestionnaire", uai(cfa))];
            pousser(cfa, cfa, ("formateur", "formateur"), listes);
            let listes = vec![("uai_formateur", uai(cfa)), ("uai_gestionnaire", uai(cfa))];
            pousser(lycee, cfa, ("lieu_formation", "formateur"), listes);
        }
        // The centre manages; the one that teaches and the place show its numbers.
        1 => {
            let listes = vec![("uai_lieu_formation", uai(lycee)), ("uai_formateur", uai(annexe))];
            pousser(cfa, cfa, ("gestionnaire", "gestionnaire"), listes);
            let listes = vec![("uai_formateur", uai(annexe)), ("uai_gestionnaire", uai(cfa))];
            pousser(lycee, cfa, ("lieu_formation", "gestionnaire"), listes);
            if annexe.uai != lycee.uai {
                let listes = vec![("uai_lieu_formation", uai(lycee)), ("uai_gestionnaire", uai(cfa))];
                pousser(annexe, cfa, ("formateur", "gestionnaire"), listes);
            }
        }
        // Two places, each with numbers of its own.
        2 => {
            for lieu in [lycee, annexe].into_iter().take(if annexe.uai == lycee.uai { 1 } else { 2 }) {
                let listes = vec![("uai_formateur", uai(cfa)), ("uai_gestionnaire", uai(cfa))];
                pousser(lieu, lieu, ("lieu_formation", "lieu_formation"), listes);
            }
        }
        // Unknown to the catalogue.
        3 => pousser(cfa, cfa, ("inconnu", "inconnu"), Vec::new()),
        // A teaching centre that took over the numbers delivered for its place.
        _ => {
            let listes = vec![("uai_lieu_formation", uai(lycee)), ("uai_gestionnaire", uai(cfa))];
            pousser(annexe, lycee, ("formateur", "lieu_formation"), listes);
        }
    }
}

/// Higher education: at the universities; two-year sums, and single years where the source could
/// not sum. Single years carry no roles.
fn superieur(suivi: &Suivi, place: &Place, annee: &str, lignes: &mut Vec<Line>) {
    let universite = place.etablissements.get(CINQUIEME).filter(|_| place.rang.is_multiple_of(2));
    let Some(universite) = universite else { return };
    if Alea::de_cle(&["annee", suivi.code, place.region.code]).chance(40) {
        lignes.push(formation(suivi, universite, annee, annee, None));
    } else {
        let roles = Roles {
            uai_type: "inconnu",
            uai_donnee: universite.uai.clone(),
            uai_donnee_type: "inconnu",
            listes: Vec::new(),
        };
        lignes.push(formation(suivi, universite, annee, &periode(annee), Some(roles)));
    }
}

fn formation(suivi: &Suivi, etablissement: &Etablissement, annee: &str, millesime: &str, roles: Option<Roles>) -> Line {
    let mut doc = Document::new();
    doc.insert("uai".into(), etablissement.uai.clone().into());
    doc.insert("libelle_etablissement".into(), etablissement.nom.clone().into());
    suivi.certification().poser(&mut doc, suivi.filiere, millesime);
    let source = roles.as_ref().map_or(&etablissement.uai, |r| &r.uai_donnee);
    let petite = Alea::de_cle(&["petite", suivi.source(annee).0, source]).chance(35);
    suivi.chiffres(&mut doc, Kind::Formation, source, annee, if petite { (3, 19) } else { (20, 90) });
    doc.insert("region".into(), document::region(etablissement.region));
    doc.insert("academie".into(), document::academie(etablissement.academie));
    if let Some(roles) = roles {
        doc.insert("uai_type".into(), roles.uai_type.into());
        doc.insert("uai_donnee".into(), roles.uai_donnee.into());
        doc.insert("uai_donnee_type".into(), roles.uai_donnee_type.into());
        for (champ, uais) in roles.listes {
            doc.insert(champ.into(), uais.into());
        }
    }
    Line { kind: Kind::Formation, doc }
}

fn nomenclature(lignes: &mut Vec<Line>) {
    for cours in &COURS {
        let lie = |voulu: bool, code: &str| -> Value {
            let lie = match cours.lignee {
                Lignee::Ancien(nouveau) if voulu => parent(cours, code, nouveau),
                Lignee::Nouveau(ancien) if !voulu => parent(cours, code, ancien),
                _ => None,
            };
            lie.into_iter().collect()
        };
        let ancien = match cours.lignee {
            Lignee::Nouveau(ancien) => cours_de(ancien).map(|c| libelle(c.libelle)),
            _ => None,
        };
        let famille = cours.famille.then(|| Famille {
            code: FAMILLE.0,
            libelle: FAMILLE.1,
            est_annee_commune: cours.cfd == ANNEE_COMMUNE,
        });
        for code in std::iter::once(&cours.cfd).chain(cours.mefs) {
            let cfd = *code == cours.cfd;
            let mut doc = objet(json!({
                "type": if cfd { "cfd" } else { "mef" },
                "code_certification": code,
                "code_formation_diplome": cours.cfd,
                "libelle": libelle(cours.libelle),
                "libelle_long": libelle(cours.libelle),
                "diplome": document::valeur_diplome(cours.diplome),
                "date_ouverture": "2012-09-01T00:00:00.000Z",
                "date_premiere_session": "2015",
            }));
            if let Some(date) = cours.date_fermeture {
                doc.insert("date_derniere_session".into(), date.get(..4).unwrap_or_default().into());
                doc.insert("date_fermeture".into(), date.into());
            }
            doc.insert("ancien_diplome".into(), lie(false, code));
            doc.insert("nouveau_diplome".into(), lie(true, code));
            if cfd {
                doc.insert("niveauFormationDiplome".into(), cours.cfd.get(..3).unwrap_or_default().into());
                doc.insert("groupeSpecialite".into(), "990".into());
                doc.insert("lettreSpecialite".into(), "Z".into());
            }
            if let Some(ancien) = &ancien {
                doc.insert("libelle_long_ancien".into(), ancien.clone().into());
            }
            if let Some(famille) = famille {
                doc.insert("familleMetier".into(), famille.valeur());
            }
            lignes.push(Line { kind: Kind::Bcn, doc });
        }
    }
    for cours in &COURS {
        for mef in cours.mefs {
            lignes.push(Line { kind: Kind::BcnMef, doc: mef_de(cours, mef) });
        }
    }
    for &(code, diplome, type_diplome, texte, date_fermeture) in &SISE {
        let mut doc = objet(json!({
            "diplome_sise": code,
            "type_diplome_sise": type_diplome,
            "libelle_intitule_1": libelle(texte),
            "groupe_specialite": "990",
            "lettre_specialite": "Z",
            "secteur_disciplinaire_sise": "99",
            "date_ouverture": "2012-09-01T00:00:00.000Z",
            "date_intervention": "2023-01-01T00:00:00.000Z",
            "definitif": "O",
            "diplome": document::valeur_diplome(diplome),
        }));
        if let Some(date) = date_fermeture {
            doc.insert("date_fermeture".into(), date.into());
        }
        lignes.push(Line { kind: Kind::BcnSise, doc });
    }
}

/// A MEF as its own table has it. The fourth character of its code is its year.
fn mef_de(cours: &Cours, mef: &str) -> Document {
    let annee = mef.get(3..4).unwrap_or_default();
    let duree = cours.mefs.last().and_then(|m| m.get(3..4)).unwrap_or_default();
    let duree = if cours.cfd == ANNEE_COMMUNE { "3" } else { duree };
    let dispositif = mef.get(..3).unwrap_or_default();
    let mut doc = objet(json!({
        "mef_stat_11": mef,
        "mef": format!("{dispositif}{}{duree}{annee}", cours.cfd.get(3..).unwrap_or_default()),
        "dispositif_formation": dispositif,
        "formation_diplome": cours.cfd,
        "duree_dispositif": duree,
        "annee_dispositif": annee,
        "libelle_court": format!("FICTIF {annee}"),
        "libelle_long": libelle(cours.libelle),
        "date_ouverture": "2012-09-01T00:00:00.000Z",
        "mef_stat_9": mef.get(..9).unwrap_or_default(),
    }));
    if let Some(date) = cours.date_fermeture {
        doc.insert("date_fermeture".into(), date.into());
    }
    doc
}

fn acce(etablissement: &Etablissement) -> Document {
    let departement = format!("{:0>3}", etablissement.departement);
    objet(json!({
        "numero_uai": etablissement.uai,
        "academie": etablissement.academie.code,
        "academie_libe": etablissement.academie.nom,
        "appellation_officielle": etablissement.nom,
        "departement_insee_3": departement,
        "nature_uai": etablissement.nature.0,
        "nature_uai_libe": etablissement.nature.1,
        "etat_etablissement": "1",
        "etat_etablissement_libe": "Ouvert",
        "pays": "100",
        "pays_libe": "France",
        "secteur_public_prive": "PU",
        "secteur_public_prive_libe": "Public",
    }))
}

/// The catalogue's rows that the roles above follow from.
fn catalogue(places: &[Place], lignes: &mut Vec<Line>) {
    let suivis = suivis();
    let apprentis = suivis.iter().filter(|s| s.filiere == Filiere::Apprentissage);
    for (suivi, place) in apprentis.flat_map(|s| places.iter().map(move |p| (s, p))).filter(|(s, p)| enseigne(s, p)) {
        let (Some(cfa), Some(lycee)) = (place.etablissements.get(CFA), place.etablissements.get(LYCEE)) else {
            continue;
        };
        let annexe = place.etablissements.get(CINQUIEME).filter(|_| place.rang % 2 == 1).unwrap_or(lycee);
        let (lieu, formateur) = match Alea::de_cle(&["organisation", suivi.cfd, place.region.code]).sous(5) {
            0 => (lycee, cfa),
            1 => (lycee, annexe),
            2 => (annexe, cfa),
            3 => continue,
            _ => (lycee, annexe),
        };
        let doc = objet(json!({
            "id": format!("fictif-{}-{}", suivi.cfd, place.region.code),
            "cfd": suivi.cfd,
            "intitule_long": suivi.libelle,
            "uai_formation": lieu.uai,
            "etablissement_formateur_uai": formateur.uai,
            "etablissement_gestionnaire_uai": cfa.uai,
            "region": place.region.nom,
        }));
        lignes.push(Line { kind: Kind::Catalogue, doc });
    }
}
