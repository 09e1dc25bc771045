//! The sample: fictitious, small, and holding every case that a reader of the API can meet.
//!
//! Codes, establishments and figures are invented; codes and UAIs have the right shape and exist
//! in no nomenclature or directory known to the project. Every label of a certification ends with
//! [`MENTION`]; every establishment is called "fictif" or "fictive".
//!
//! The years of the sample end at [`LAST_YEAR`]. Of the lines of courses, one has no data
//! for its new diploma in the first year and none for its old one in the last year, which is how
//! `donnee_source` comes to be `ancienne` and `nouvelle`.

use crate::{
    Line,
    document::{self, Certification, Family, object},
    headcounts::Headcounts,
    random::Random,
};
use domain::{CodeType, Document, Filiere, Kind, territory, uai::check_letter};
use serde_json::{Value, json};

/// What every label of a certification ends with.
pub const MENTION: &str = " (données fictives)";

/// The national millesimes: the last year of each period.
pub const YEARS: [&str; 3] = ["2021", "2022", "2023"];

/// The latest year of the sample.
pub const LAST_YEAR: &str = "2023";

const CLOSED: &str = "2021-08-31T00:00:00.000Z";
/// Far enough to stay in the future for as long as the sample lives.
const WILL_CLOSE: &str = "2099-08-31T00:00:00.000Z";

const FAMILY: (&str, &str) = ("G9901", "Métiers de l'exemple (données fictives)");

/// A course: a CFD, its years under school status (MEF), and its tracks.
struct Course {
    cfd: &'static str,
    diplome: (&'static str, &'static str),
    libelle: &'static str,
    /// `None`: not taught under school status.
    school_filiere: Option<Filiere>,
    /// Its MEFs, final year last.
    mefs: &'static [&'static str],
    apprentissage: bool,
    closing_date: Option<&'static str>,
    family: bool,
    lineage: Lineage,
}

/// The place of a course in its line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lineage {
    Alone,
    /// Replaced by the diploma whose CFD is given.
    Old(&'static str),
    /// Replaces the diploma whose CFD is given.
    New(&'static str),
}

const CAP: (&str, &str) = ("3", "CAP");
const BAC_PRO: (&str, &str) = ("4", "BAC PRO");
const BTS: (&str, &str) = ("5", "BTS");

const PRO: Option<Filiere> = Some(Filiere::Pro);
const AGRICULTURAL: Option<Filiere> = Some(Filiere::Agricultural);

const fn course(
    cfd: &'static str,
    diplome: (&'static str, &'static str),
    libelle: &'static str,
    school_filiere: Option<Filiere>,
    mefs: &'static [&'static str],
    apprentissage: bool,
) -> Course {
    Course {
        cfd,
        diplome,
        libelle,
        school_filiere,
        mefs,
        apprentissage,
        closing_date: None,
        family: false,
        lineage: Lineage::Alone,
    }
}

/// The shared first year of the famille: all its MEFs are first years.
const ANNEE_COMMUNE: &str = "40099010";

static COURSES: [Course; 18] = [
    Course {
        family: true,
        ..course(ANNEE_COMMUNE, BAC_PRO, "METIERS DE L'EXEMPLE 2NDE COMMUNE (BAC PRO)", PRO, &["23810099010"], false)
    },
    Course {
        family: true,
        ..course("40099011", BAC_PRO, "ACCUEIL DE L'EXEMPLE (BAC PRO)", PRO, &["23820099011", "23830099011"], true)
    },
    Course {
        family: true,
        ..course("40099012", BAC_PRO, "VENTE DE L'EXEMPLE (BAC PRO)", PRO, &["23820099012", "23830099012"], true)
    },
    Course {
        family: true,
        closing_date: Some(WILL_CLOSE),
        ..course("40099013", BAC_PRO, "ATELIER DE L'EXEMPLE (BAC PRO)", PRO, &["23820099013", "23830099013"], true)
    },
    Course {
        closing_date: Some(CLOSED),
        lineage: Lineage::Old("40099022"),
        ..course(
            "40099021",
            BAC_PRO,
            "MAINTENANCE DES MACHINES A VAPEUR (BAC PRO)",
            PRO,
            &["23810099021", "23820099021", "23830099021"],
            true,
        )
    },
    Course {
        lineage: Lineage::New("40099021"),
        ..course(
            "40099022",
            BAC_PRO,
            "MAINTENANCE DES MACHINES CONNECTEES (BAC PRO)",
            PRO,
            &["23810099022", "23820099022", "23830099022"],
            true,
        )
    },
    course("50099031", CAP, "FABRICANT DE CERFS-VOLANTS (CAP)", PRO, &["23210099031", "23220099031"], true),
    Course {
        closing_date: Some(WILL_CLOSE),
        ..course("50099032", CAP, "OUTILLEUR EN PHARES (CAP)", PRO, &["23210099032", "23220099032"], true)
    },
    Course {
        closing_date: Some(CLOSED),
        ..course("50099033", CAP, "ALLUMEUR DE REVERBERES (CAP)", PRO, &["23210099033", "23220099033"], false)
    },
    course("32099041", BTS, "GESTION DES EXEMPLES (BTS)", PRO, &["32210099041", "32220099041"], true),
    course("32099042", BTS, "ETUDE DES OUVRAGES D'EXEMPLE (BTS)", PRO, &["32210099042", "32220099042"], true),
    course("01099051", ("4", "MC"), "TECHNICIEN EN MOULINS A VENT (MC NIVEAU IV)", None, &[], true),
    course("46T99061", ("4", "TH4-T"), "CONDUCTEUR DE BALLON DIRIGEABLE (TP)", None, &[], true),
    course(
        "40399071",
        ("4", "BAC PRO AG"),
        "CONDUITE D'UNE EXPLOITATION D'EXEMPLE (BAC PRO AGRICOLE)",
        AGRICULTURAL,
        &["23821099071", "23831099071"],
        true,
    ),
    course(
        "50399072",
        ("3", "CAPA"),
        "JARDINIER DE PARCS D'EXEMPLE (CAP AGRICOLE)",
        AGRICULTURAL,
        &["23211099072", "23221099072"],
        false,
    ),
    course("32399073", ("5", "BTSA"), "AGRONOMIE D'EXEMPLE (BTSA)", AGRICULTURAL, &["32221099073"], false),
    course("26X99081", ("6", "TH2-X"), "CHARGE DE PROJETS D'EXEMPLE (TITRE)", None, &[], true),
    course("16X99082", ("7", "TH1-X"), "EXPERT EN EXEMPLES (TITRE)", None, &[], true),
];

/// Diplomas of higher education: SISE code, level, type, label, closing date.
type Sise = (&'static str, (&'static str, &'static str), &'static str, &'static str, Option<&'static str>);

static SISE: [Sise; 5] = [
    ("2599901", ("6", "LIC PRO"), "DP", "METIERS DU NUMERIQUE D'EXEMPLE", None),
    ("2599902", ("6", "LIC PRO"), "DP", "LOGISTIQUE DES EXEMPLES", Some(WILL_CLOSE)),
    ("2599903", ("7", "MAST LMD"), "XB", "HISTOIRE DES EXEMPLES", None),
    ("2599904", ("6", "BUT"), "DR", "GENIE DES EXEMPLES", None),
    ("2599905", ("6", "LIC LMD"), "XA", "LETTRES ET EXEMPLES", Some(CLOSED)),
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
const TEMPLATES: [(&str, &str, &str); 6] = [
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
const FIFTH: usize = 4;

struct Etablissement {
    uai: String,
    name: String,
    nature: (&'static str, &'static str),
    departement: &'static str,
    region: &'static territory::Region,
    academie: &'static territory::Academie,
}

/// A region of the sample and its establishments, in the order of [`TEMPLATES`].
struct Place {
    rank: usize,
    region: &'static territory::Region,
    etablissements: Vec<Etablissement>,
}

fn places() -> Vec<Place> {
    let mut places = Vec::new();
    for (rank, (code, all_places)) in REGIONS.iter().enumerate() {
        let Some(region) = territory::region(code) else { continue };
        let templates = [0, 1, 2, 3, if rank % 2 == 0 { 4 } else { 5 }];
        let mut etablissements = Vec::new();
        for (number, ((departement, code_academie), template)) in all_places.iter().zip(templates).enumerate() {
            let Some((_, academie)) = territory::academie(code_academie) else { continue };
            let Some(&(name, nature, libelle_nature)) = TEMPLATES.get(template) else { continue };
            let figures = format!("{departement}98{rank}{number}");
            let Some(letter) = check_letter(&figures) else { continue };
            etablissements.push(Etablissement {
                uai: format!("{figures}{letter}"),
                name: format!("{name} ({})", academie.name),
                nature: (nature, libelle_nature),
                departement,
                region,
                academie,
            });
        }
        places.push(Place { rank, region, etablissements });
    }
    places
}

/// A certification of the sample in one of its tracks: what statistics are made of.
struct Tracked {
    code: &'static str,
    code_type: CodeType,
    cfd: &'static str,
    diplome: (&'static str, &'static str),
    libelle: String,
    old_libelle: Option<String>,
    closing_date: Option<&'static str>,
    filiere: Filiere,
    family: Option<bool>,
    /// Codes of the final years; empty for a final year.
    final_years: Vec<&'static str>,
    /// The code of the same year and track in the older and the newer diploma.
    old: Option<&'static str>,
    new: Option<&'static str>,
}

fn libelle(text: &str) -> String {
    format!("{text}{MENTION}")
}

fn course_of(cfd: &str) -> Option<&'static Course> {
    COURSES.iter().find(|c| c.cfd == cfd)
}

/// Codes of the same rank in a related course: the CFD itself, or the MEF of the same year.
fn parent(course: &'static Course, code: &str, linked: &str) -> Option<&'static str> {
    let linked = course_of(linked)?;
    match course.mefs.iter().position(|mef| *mef == code) {
        Some(year) => linked.mefs.get(year).copied(),
        None => Some(linked.cfd),
    }
}

fn tracked_ones() -> Vec<Tracked> {
    let specialties: Vec<&'static str> =
        COURSES.iter().filter(|c| c.family && c.cfd != ANNEE_COMMUNE).filter_map(|c| c.mefs.last().copied()).collect();
    let mut tracked_ones = Vec::new();
    for course in &COURSES {
        let (old, new) = match course.lineage {
            Lineage::Alone => (None, None),
            Lineage::Old(new) => (None, Some(new)),
            Lineage::New(old) => (Some(old), None),
        };
        let tracked = |code: &'static str, code_type, filiere, final_years| Tracked {
            code,
            code_type,
            cfd: course.cfd,
            diplome: course.diplome,
            libelle: libelle(course.libelle),
            old_libelle: old.and_then(course_of).map(|c| libelle(c.libelle)),
            closing_date: course.closing_date,
            filiere,
            family: course.family.then_some(course.cfd == ANNEE_COMMUNE),
            final_years,
            old: old.and_then(|linked| parent(course, code, linked)),
            new: new.and_then(|linked| parent(course, code, linked)),
        };
        if let Some(filiere) = course.school_filiere {
            for mef in course.mefs {
                let final_years = if course.cfd == ANNEE_COMMUNE {
                    specialties.clone()
                } else {
                    course.mefs.last().filter(|final_year| *final_year != mef).into_iter().copied().collect()
                };
                tracked_ones.push(tracked(mef, CodeType::Mef, filiere, final_years));
            }
        }
        if course.apprentissage {
            tracked_ones.push(tracked(course.cfd, CodeType::Cfd, Filiere::Apprentissage, Vec::new()));
        }
    }
    for &(code, diplome, _, text, closing_date) in &SISE {
        tracked_ones.push(Tracked {
            code,
            code_type: CodeType::Sise,
            cfd: "",
            diplome,
            libelle: libelle(text),
            old_libelle: None,
            closing_date,
            filiere: Filiere::Superieur,
            family: None,
            final_years: Vec::new(),
            old: None,
            new: None,
        });
    }
    tracked_ones
}

impl Tracked {
    fn certification(&self) -> Certification<'_> {
        Certification {
            code: self.code,
            code_type: self.code_type,
            code_formation_diplome: self.cfd,
            libelle: &self.libelle,
            old_libelle: self.old_libelle.as_deref(),
            diplome: Some(self.diplome),
            closing_date: self.closing_date,
            family: self.family.map(|is_annee_commune| Family { code: FAMILY.0, libelle: FAMILY.1, is_annee_commune }),
        }
    }

    /// Whose data it holds in a year: the new diploma has none of its own in the first year, the
    /// old one none in the last.
    fn source(&self, year: &str) -> (&'static str, &'static str) {
        match (self.old, self.new) {
            (Some(old), _) if year == YEARS[0] => (old, "ancienne"),
            (_, Some(new)) if year == LAST_YEAR => (new, "nouvelle"),
            _ => (self.code, "self"),
        }
    }

    /// Figures of one place and year: those of its source, so that both documents agree.
    fn figures(&self, doc: &mut Document, maille: Kind, place: &str, year: &str, sizes: (u32, u32)) {
        if !self.final_years.is_empty() {
            doc.insert("certificationsTerminales".into(), document::final_years(self.final_years.iter().copied()));
            return;
        }
        let (source, type_source) = self.source(year);
        let mut random = Random::from_key(&["sample", maille.name(), source, self.filiere.as_str(), place, year]);
        let size = random.between(sizes.0, sizes.1);
        let headcounts = Headcounts::synthetic(&mut random, size);
        let termination = (self.filiere == Filiere::Apprentissage).then(|| random.between(5, 35));
        headcounts.put(doc, None, termination);
        if maille == Kind::Certification {
            let q2 = 1_250 + 10 * random.below(60);
            doc.insert("salaire_12_mois_q1".into(), (q2 - 150).into());
            doc.insert("salaire_12_mois_q2".into(), q2.into());
            doc.insert("salaire_12_mois_q3".into(), (q2 + 180).into());
        }
        if self.filiere == Filiere::Superieur && maille == Kind::Formation {
            doc.insert("nb_diplome".into(), (size - size / 8).into());
        }
        doc.insert("donnee_source".into(), document::donnee_source(source, type_source));
        let meta = match (self.filiere, headcounts.training_rate()) {
            (Filiere::Superieur, _) => json!({ "insersup": { "discipline": "Exemples" } }),
            (_, Some(rate)) if maille == Kind::Regionale => {
                json!({ "inserjeunes": { "taux_poursuite_etudes": domain::rates::number(rate) } })
            }
            _ => json!({ "inserjeunes": {} }),
        };
        doc.insert("_meta".into(), meta);
    }
}

/// A period as it is written for regions and establishments.
fn period(year: &str) -> String {
    let before = year.parse::<u32>().unwrap_or_default().saturating_sub(1);
    format!("{before}_{year}")
}

/// Every line of the sample, kind by kind.
pub fn lines() -> impl Iterator<Item = Line> {
    let (tracked_ones, places) = (tracked_ones(), places());
    let mut rows = Vec::new();
    national(&tracked_ones, &mut rows);
    regionales(&tracked_ones, &places, &mut rows);
    formations(&tracked_ones, &places, &mut rows);
    nomenclature(&mut rows);
    for etablissement in places.iter().flat_map(|p| &p.etablissements) {
        rows.push(Line { kind: Kind::Etablissement, doc: acce(etablissement) });
    }
    catalogue(&places, &mut rows);
    academies(&tracked_ones, &places, &mut rows);
    rncp(&mut rows);
    rows.into_iter()
}

fn national(tracked_ones: &[Tracked], rows: &mut Vec<Line>) {
    for year in YEARS {
        for (rank, tracked) in tracked_ones.iter().enumerate() {
            // One certification in eleven has no data in the latest year: the routes answer with
            // the years that there are.
            if year == LAST_YEAR && rank % 11 == 10 && tracked.final_years.is_empty() {
                continue;
            }
            let mut doc = Document::new();
            tracked.certification().put(&mut doc, tracked.filiere, year);
            // A few certifications are rare enough to fall under the threshold nationally.
            let rare = Random::from_key(&["rare", tracked.source(year).0]).chance(12);
            let sizes = if rare { (4, 19) } else { (60, 1_800) };
            tracked.figures(&mut doc, Kind::Certification, "", year, sizes);
            rows.push(Line { kind: Kind::Certification, doc });
        }
    }
}

/// Regional figures: not for higher education, nor for agricultural schools (the import drops them).
fn regionales(tracked_ones: &[Tracked], places: &[Place], rows: &mut Vec<Line>) {
    for year in YEARS {
        let millesime = period(year);
        for place in places {
            for tracked in tracked_ones.iter().filter(|s| matches!(s.filiere, Filiere::Pro | Filiere::Apprentissage)) {
                if !teaches(tracked, place) {
                    continue;
                }
                let mut doc = Document::new();
                doc.insert("region".into(), document::region_complete(place.region));
                tracked.certification().put(&mut doc, tracked.filiere, &millesime);
                let rare = Random::from_key(&["rare", tracked.source(year).0, place.region.code]).chance(30);
                let sizes = if rare { (3, 19) } else { (20, 260) };
                tracked.figures(&mut doc, Kind::Regionale, place.region.code, year, sizes);
                rows.push(Line { kind: Kind::Regionale, doc });
            }
        }
    }
}

/// A maille that the push declares: the academie, one of each region. Its key lies where that of establishments does.
fn academies(tracked_ones: &[Tracked], places: &[Place], rows: &mut Vec<Line>) {
    let declaration = json!({"nom": "academies", "libelle": "Académies (données fictives)", "cle": "academie.code"});
    rows.push(Line { kind: Kind::Maille, doc: object(declaration) });
    for year in YEARS.iter().skip(1) {
        let millesime = period(year);
        for place in places {
            if let Some(territory::Academie { code, name, .. }) = place.etablissements.first().map(|e| e.academie) {
                let taught = |s: &&Tracked| matches!(s.filiere, Filiere::Pro | Filiere::Apprentissage);
                for tracked in tracked_ones.iter().filter(taught).filter(|s| teaches(s, place)) {
                    let mut doc = object(json!({
                        "maille": "academies",
                        "academie": {"code": code, "nom": name},
                        "region": document::region_complete(place.region),
                    }));
                    tracked.certification().put(&mut doc, tracked.filiere, &millesime);
                    let rare = Random::from_key(&["rare", tracked.source(year).0, "academie", code]).chance(40);
                    let sizes = if rare { (3, 19) } else { (20, 160) };
                    tracked.figures(&mut doc, Kind::Statistic, code, year, sizes);
                    rows.push(Line { kind: Kind::Statistic, doc });
                }
            }
        }
    }
}

/// The entry of the national directory that each CFD leads to: a number that no entry has reached.
fn rncp(rows: &mut Vec<Line>) {
    for (rank, course) in COURSES.iter().enumerate() {
        let doc = object(json!({"code_certification": course.cfd, "rncp": format!("RNCP99{rank:03}")}));
        rows.push(Line { kind: Kind::Rncp, doc });
    }
}

/// Whether a course is taught in a region: a whole famille and a whole line, or nothing of it.
fn teaches(tracked: &Tracked, place: &Place) -> bool {
    if tracked.family.is_some() {
        return place.rank < 4;
    }
    if tracked.old.is_some() || tracked.new.is_some() {
        return place.rank < 3;
    }
    Random::from_key(&["enseigne", tracked.cfd, place.region.code]).chance(55)
}

/// What an establishment is for a course, whose numbers it shows, and the other roles.
struct Roles {
    uai_type: &'static str,
    data_uai: String,
    data_uai_type: &'static str,
    lists: Vec<(&'static str, Vec<String>)>,
}

fn formations(tracked_ones: &[Tracked], places: &[Place], rows: &mut Vec<Line>) {
    for year in YEARS {
        for place in places {
            for tracked in tracked_ones {
                let millesime = period(year);
                match tracked.filiere {
                    Filiere::Superieur => superieur(tracked, place, year, rows),
                    Filiere::Apprentissage => {
                        if teaches(tracked, place) {
                            apprentissage(tracked, place, year, rows);
                        }
                    }
                    Filiere::Pro | Filiere::Agricultural => {
                        let ranks: &[usize] = match tracked.filiere {
                            Filiere::Agricultural => &[LYCEE_AGRICOLE],
                            _ if tracked.family.is_some() => &[LYCEE_PRO, LYCEE],
                            _ if tracked.diplome == BTS => &[LYCEE],
                            _ => &[LYCEE_PRO],
                        };
                        if tracked.filiere == Filiere::Pro && !teaches(tracked, place) {
                            continue;
                        }
                        for etablissement in ranks.iter().filter_map(|rank| place.etablissements.get(*rank)) {
                            let itself = vec![etablissement.uai.clone()];
                            let roles = Roles {
                                uai_type: "lieu_formation",
                                data_uai: etablissement.uai.clone(),
                                data_uai_type: "lieu_formation",
                                lists: vec![("uai_formateur", itself.clone()), ("uai_gestionnaire", itself)],
                            };
                            rows.push(formation(tracked, etablissement, year, &millesime, Some(roles)));
                        }
                    }
                }
            }
        }
    }
}

/// Apprenticeship: the centre of the region manages, teaches or both, at one or two places that
/// show its numbers where they have none of their own.
fn apprentissage(tracked: &Tracked, place: &Place, year: &str, rows: &mut Vec<Line>) {
    let (Some(cfa), Some(lycee)) = (place.etablissements.get(CFA), place.etablissements.get(LYCEE)) else { return };
    // The second centre, where the region has one; else the school teaches.
    let annex = place.etablissements.get(FIFTH).filter(|_| place.rank % 2 == 1).unwrap_or(lycee);
    let millesime = period(year);
    let uai = |e: &Etablissement| vec![e.uai.clone()];
    let mut push =
        |etablissement: &Etablissement, source: &Etablissement, types: (&'static str, &'static str), lists| {
            let roles = Roles { uai_type: types.0, data_uai: source.uai.clone(), data_uai_type: types.1, lists };
            rows.push(formation(tracked, etablissement, year, &millesime, Some(roles)));
        };
    match Random::from_key(&["organisation", tracked.cfd, place.region.code]).below(5) {
        // The centre teaches; its place shows its numbers.
        0 => {
            let lists = vec![("uai_lieu_formation", uai(lycee)), ("uai_gestionnaire", uai(cfa))];
            push(cfa, cfa, ("formateur", "formateur"), lists);
            let lists = vec![("uai_formateur", uai(cfa)), ("uai_gestionnaire", uai(cfa))];
            push(lycee, cfa, ("lieu_formation", "formateur"), lists);
        }
        // The centre manages; the one that teaches and the place show its numbers.
        1 => {
            let lists = vec![("uai_lieu_formation", uai(lycee)), ("uai_formateur", uai(annex))];
            push(cfa, cfa, ("gestionnaire", "gestionnaire"), lists);
            let lists = vec![("uai_formateur", uai(annex)), ("uai_gestionnaire", uai(cfa))];
            push(lycee, cfa, ("lieu_formation", "gestionnaire"), lists);
            if annex.uai != lycee.uai {
                let lists = vec![("uai_lieu_formation", uai(lycee)), ("uai_gestionnaire", uai(cfa))];
                push(annex, cfa, ("formateur", "gestionnaire"), lists);
            }
        }
        // Two places, each with numbers of its own.
        2 => {
            for site in [lycee, annex].into_iter().take(if annex.uai == lycee.uai { 1 } else { 2 }) {
                let lists = vec![("uai_formateur", uai(cfa)), ("uai_gestionnaire", uai(cfa))];
                push(site, site, ("lieu_formation", "lieu_formation"), lists);
            }
        }
        // Unknown to the catalogue.
        3 => push(cfa, cfa, ("inconnu", "inconnu"), Vec::new()),
        // A teaching centre that took over the numbers delivered for its place.
        _ => {
            let lists = vec![("uai_lieu_formation", uai(lycee)), ("uai_gestionnaire", uai(cfa))];
            push(annex, lycee, ("formateur", "lieu_formation"), lists);
        }
    }
}

/// Higher education: at the universities; two-year sums, and single years where the source could
/// not sum. Single years carry no roles.
fn superieur(tracked: &Tracked, place: &Place, year: &str, rows: &mut Vec<Line>) {
    let university = place.etablissements.get(FIFTH).filter(|_| place.rank.is_multiple_of(2));
    let Some(university) = university else { return };
    if Random::from_key(&["annee", tracked.code, place.region.code]).chance(40) {
        rows.push(formation(tracked, university, year, year, None));
    } else {
        let roles = Roles {
            uai_type: "inconnu",
            data_uai: university.uai.clone(),
            data_uai_type: "inconnu",
            lists: Vec::new(),
        };
        rows.push(formation(tracked, university, year, &period(year), Some(roles)));
    }
}

fn formation(
    tracked: &Tracked,
    etablissement: &Etablissement,
    year: &str,
    millesime: &str,
    roles: Option<Roles>,
) -> Line {
    let mut doc = Document::new();
    doc.insert("uai".into(), etablissement.uai.clone().into());
    doc.insert("libelle_etablissement".into(), etablissement.name.clone().into());
    tracked.certification().put(&mut doc, tracked.filiere, millesime);
    let source = roles.as_ref().map_or(&etablissement.uai, |r| &r.data_uai);
    let small = Random::from_key(&["petite", tracked.source(year).0, source]).chance(35);
    tracked.figures(&mut doc, Kind::Formation, source, year, if small { (3, 19) } else { (20, 90) });
    doc.insert("region".into(), document::region(etablissement.region));
    doc.insert("academie".into(), document::academie(etablissement.academie));
    if let Some(roles) = roles {
        doc.insert("uai_type".into(), roles.uai_type.into());
        doc.insert("uai_donnee".into(), roles.data_uai.into());
        doc.insert("uai_donnee_type".into(), roles.data_uai_type.into());
        for (field, uais) in roles.lists {
            doc.insert(field.into(), uais.into());
        }
    }
    Line { kind: Kind::Formation, doc }
}

fn nomenclature(rows: &mut Vec<Line>) {
    for course in &COURSES {
        let linked = |wanted: bool, code: &str| -> Value {
            let linked = match course.lineage {
                Lineage::Old(new) if wanted => parent(course, code, new),
                Lineage::New(old) if !wanted => parent(course, code, old),
                _ => None,
            };
            linked.into_iter().collect()
        };
        let old = match course.lineage {
            Lineage::New(old) => course_of(old).map(|c| libelle(c.libelle)),
            _ => None,
        };
        let family = course.family.then(|| Family {
            code: FAMILY.0,
            libelle: FAMILY.1,
            is_annee_commune: course.cfd == ANNEE_COMMUNE,
        });
        for code in std::iter::once(&course.cfd).chain(course.mefs) {
            let cfd = *code == course.cfd;
            let mut doc = object(json!({
                "type": if cfd { "cfd" } else { "mef" },
                "code_certification": code,
                "code_formation_diplome": course.cfd,
                "libelle": libelle(course.libelle),
                "libelle_long": libelle(course.libelle),
                "diplome": document::diplome_value(course.diplome),
                "date_ouverture": "2012-09-01T00:00:00.000Z",
                "date_premiere_session": "2015",
            }));
            if let Some(date) = course.closing_date {
                doc.insert("date_derniere_session".into(), date.get(..4).unwrap_or_default().into());
                doc.insert("date_fermeture".into(), date.into());
            }
            doc.insert("ancien_diplome".into(), linked(false, code));
            doc.insert("nouveau_diplome".into(), linked(true, code));
            if cfd {
                doc.insert("niveauFormationDiplome".into(), course.cfd.get(..3).unwrap_or_default().into());
                doc.insert("groupeSpecialite".into(), "990".into());
                doc.insert("lettreSpecialite".into(), "Z".into());
            }
            if let Some(old) = &old {
                doc.insert("libelle_long_ancien".into(), old.clone().into());
            }
            if let Some(family) = family {
                doc.insert("familleMetier".into(), family.value());
            }
            rows.push(Line { kind: Kind::Bcn, doc });
        }
    }
    for course in &COURSES {
        for mef in course.mefs {
            rows.push(Line { kind: Kind::BcnMef, doc: mef_of(course, mef) });
        }
    }
    for &(code, diplome, type_diplome, text, closing_date) in &SISE {
        let mut doc = object(json!({
            "diplome_sise": code,
            "type_diplome_sise": type_diplome,
            "libelle_intitule_1": libelle(text),
            "groupe_specialite": "990",
            "lettre_specialite": "Z",
            "secteur_disciplinaire_sise": "99",
            "date_ouverture": "2012-09-01T00:00:00.000Z",
            "date_intervention": "2023-01-01T00:00:00.000Z",
            "definitif": "O",
            "diplome": document::diplome_value(diplome),
        }));
        if let Some(date) = closing_date {
            doc.insert("date_fermeture".into(), date.into());
        }
        rows.push(Line { kind: Kind::BcnSise, doc });
    }
}

/// A MEF as its own table has it. The fourth character of its code is its year.
fn mef_of(course: &Course, mef: &str) -> Document {
    let year = mef.get(3..4).unwrap_or_default();
    let duration = course.mefs.last().and_then(|m| m.get(3..4)).unwrap_or_default();
    let duration = if course.cfd == ANNEE_COMMUNE { "3" } else { duration };
    let scheme = mef.get(..3).unwrap_or_default();
    let mut doc = object(json!({
        "mef_stat_11": mef,
        "mef": format!("{scheme}{}{duration}{year}", course.cfd.get(3..).unwrap_or_default()),
        "dispositif_formation": scheme,
        "formation_diplome": course.cfd,
        "duree_dispositif": duration,
        "annee_dispositif": year,
        "libelle_court": format!("FICTIF {year}"),
        "libelle_long": libelle(course.libelle),
        "date_ouverture": "2012-09-01T00:00:00.000Z",
        "mef_stat_9": mef.get(..9).unwrap_or_default(),
    }));
    if let Some(date) = course.closing_date {
        doc.insert("date_fermeture".into(), date.into());
    }
    doc
}

fn acce(etablissement: &Etablissement) -> Document {
    let departement = format!("{:0>3}", etablissement.departement);
    object(json!({
        "numero_uai": etablissement.uai,
        "academie": etablissement.academie.code,
        "academie_libe": etablissement.academie.name,
        "appellation_officielle": etablissement.name,
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
fn catalogue(places: &[Place], rows: &mut Vec<Line>) {
    let tracked_ones = tracked_ones();
    let apprentices = tracked_ones.iter().filter(|s| s.filiere == Filiere::Apprentissage);
    for (tracked, place) in apprentices.flat_map(|s| places.iter().map(move |p| (s, p))).filter(|(s, p)| teaches(s, p))
    {
        let (Some(cfa), Some(lycee)) = (place.etablissements.get(CFA), place.etablissements.get(LYCEE)) else {
            continue;
        };
        let annex = place.etablissements.get(FIFTH).filter(|_| place.rank % 2 == 1).unwrap_or(lycee);
        let (site, formateur) = match Random::from_key(&["organisation", tracked.cfd, place.region.code]).below(5) {
            0 => (lycee, cfa),
            1 => (lycee, annex),
            2 => (annex, cfa),
            3 => continue,
            _ => (lycee, annex),
        };
        let doc = object(json!({
            "id": format!("fictif-{}-{}", tracked.cfd, place.region.code),
            "cfd": tracked.cfd,
            "intitule_long": tracked.libelle,
            "uai_formation": site.uai,
            "etablissement_formateur_uai": formateur.uai,
            "etablissement_gestionnaire_uai": cfa.uai,
            "region": place.region.name,
        }));
        rows.push(Line { kind: Kind::Catalogue, doc });
    }
}
