//! Treatment 5 for higher education: the statistics of InserSup.
//!
//! Rules (contract, "Higher education"): rows come finished, a diploma and promotion each. Counts
//! are text, where `nd…` and `na…` are unknown; asterisks mark sums over two years. Rates,
//! `taux_en_formation` and those at 6 months included, are computed on the counts.

use crate::etablissements::Acce;
use crate::nomenclature::Nomenclature;
use crate::rejet::Rejet;
use crate::texte::{champ, poser, scalaire, sous_champ};
use domain::indicateur::{DELAIS, NB_ANNEE_TERM};
use domain::taux::{nombre, taux, taux_autres};
use domain::{Document, Millesime};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Reads a count as the service writes it: asterisks and spaces mean nothing here, `nd…` and `na…`
/// are unknown.
fn effectif(ligne: &Document, nom: &str) -> Option<f64> {
    match ligne.get(nom)? {
        Value::Number(nombre) => nombre.as_f64(),
        Value::String(texte) => {
            let nu: String = texte.chars().filter(|c| *c != '*' && !c.is_whitespace()).collect();
            nu.replace(',', ".").parse().ok().filter(|n: &f64| n.is_finite())
        }
        _ => None,
    }
}

/// The millesime of an establishment row.
///
/// Rule: from `nb_sortants`. One asterisk: the sum of two years, so the period of
/// `annee_universitaire`. Two: an impossible sum; none: a single year. Both are its second year.
///
/// # Errors
/// [`Rejet::MillesimeIncorrect`].
pub fn millesime(ligne: &Document) -> Result<Millesime, Rejet> {
    let annees = champ(ligne, "annee_universitaire").unwrap_or_default();
    let incorrect = || Rejet::MillesimeIncorrect { valeur: annees.to_owned() };
    let periode = Millesime::parse(&annees.replace('-', "_")).ok_or_else(incorrect)?;
    let marques = champ(ligne, "nb_sortants").map_or(0, |n| n.matches('*').count());
    if marques == 1 { Ok(periode) } else { Millesime::parse(periode.annee()).ok_or_else(incorrect) }
}

/// Whether a millesime is wanted: it is one of those asked for, or one of the years of a period
/// asked for.
#[must_use]
pub fn est_voulu(millesime: &Millesime, voulus: &[Millesime]) -> bool {
    voulus.iter().any(|v| v == millesime || v.annees().any(|annee| annee == millesime.as_str()))
}

/// Computes the rates; a missing term leaves a rate out.
///
/// Rule: count / `nb_annee_term` × 100, rounded half to even, `taux_en_formation` from
/// `nb_poursuite_etudes`; `taux_autres` = what the two rounded rates leave of 100, never below 0.
pub fn calculer(document: &mut Document) {
    let valeur = |document: &Document, nom: &str| document.get(nom).and_then(Value::as_f64);
    let Some(total) = valeur(document, NB_ANNEE_TERM) else { return };
    let formation = valeur(document, "nb_poursuite_etudes").and_then(|n| taux(n, total));
    poser(document, "taux_en_formation", formation.map(nombre));
    for mois in DELAIS {
        let emplois = valeur(document, &format!("nb_en_emploi_{mois}_mois"));
        let Some(en_emploi) = emplois.and_then(|n| taux(n, total)) else { continue };
        document.insert(format!("taux_en_emploi_{mois}_mois"), nombre(en_emploi));
        let autres = formation.map(|f| nombre(taux_autres(en_emploi, f)));
        poser(document, &format!("taux_autres_{mois}_mois"), autres);
    }
}

fn meta(champs: Map<String, Value>) -> Value {
    let mut meta = Map::new();
    meta.insert("insersup".to_owned(), Value::Object(champs));
    Value::Object(meta)
}

fn noms_meta(ligne: &Document, champs: &mut Map<String, Value>, noms: &[(&str, &[&str])]) {
    for (nom, colonnes) in noms {
        poser(champs, nom, colonnes.iter().find_map(|c| champ(ligne, c)));
    }
}

fn base(code: &str, millesime: &Millesime) -> Document {
    let mut document = Document::new();
    document.insert("code_certification".to_owned(), code.into());
    document.insert("filiere".to_owned(), "superieur".into());
    document.insert("millesime".to_owned(), millesime.as_str().into());
    document
}

/// The document of a row by establishment, to be written as delivered.
///
/// `Ok(None)`: of a millesime that is not wanted.
///
/// # Errors
/// An unknown SISE code, establishment, departement or academie; a year that cannot be read.
pub fn formation(
    nomenclature: &Nomenclature,
    acce: &Acce,
    ligne: &Document,
    voulus: &[Millesime],
    traiter: bool,
) -> Result<Option<Document>, Rejet> {
    let code = ["diplome", "diplome_consol"].into_iter().find_map(|nom| scalaire(ligne, nom));
    let code = code.ok_or(Rejet::ChampManquant { champ: "diplome" })?;
    let uai = champ(ligne, "etablissement").ok_or(Rejet::ChampManquant { champ: "etablissement" })?;
    let millesime = millesime(ligne)?;
    if !est_voulu(&millesime, voulus) {
        return Ok(None);
    }
    let (_, lieu) = acce.situer(uai)?;
    let mut document = base(&code, &millesime);
    document.insert("uai".to_owned(), uai.into());
    poser(&mut document, "libelle_etablissement", champ(ligne, "denomination_principale"));
    document.insert("region".to_owned(), lieu.region());
    document.insert("academie".to_owned(), lieu.academie());
    document.extend(nomenclature.part(&code, true)?);
    for (nom, colonne) in [
        (NB_ANNEE_TERM, "nb_inscrits"),
        ("nb_diplome", "nb_diplomes"),
        ("nb_sortant", "nb_sortants"),
        ("nb_poursuite_etudes", "nb_poursuivants"),
        ("nb_en_emploi_6_mois", "nb_in_dsn_6"),
        ("nb_en_emploi_12_mois", "nb_in_dsn_12"),
        ("nb_en_emploi_18_mois", "nb_in_dsn_18"),
        ("nb_en_emploi_24_mois", "nb_in_dsn_24"),
        ("salaire_12_mois_q1", "salaire_q1_national_diplome_12"),
        ("salaire_12_mois_q2", "salaire_q2_national_diplome_12"),
        ("salaire_12_mois_q3", "salaire_q3_national_diplome_12"),
    ] {
        poser(&mut document, nom, effectif(ligne, colonne).map(nombre));
    }
    if traiter {
        calculer(&mut document);
    }
    let mut champs = Map::new();
    noms_meta(
        ligne,
        &mut champs,
        &[
            ("etablissement_libelle", &["denomination_principale"]),
            ("etablissement_actuel_libelle", &["denomination_principale"]),
            ("type_diplome", &["type_diplome_long"]),
            ("domaine_disciplinaire", &["domaine"]),
            ("secteur_disciplinaire", &["secteur_disciplinaire"]),
            ("discipline", &["discipline"]),
        ],
    );
    document.insert("_meta".to_owned(), meta(champs));
    Ok(Some(document))
}

/// The disciplines of stored rows, so that the first of an establishment, code and last year wins.
///
/// Why: the service sends a diploma that is taught in several disciplines once for each; their
/// numbers cannot be added up, and one must not overwrite the other.
#[derive(Clone, Debug, Default)]
pub struct Disciplines(HashMap<String, [Option<String>; 3]>);

impl Disciplines {
    /// Takes a stored or new document.
    ///
    /// # Errors
    /// [`Rejet::DisciplineEnDouble`] where another discipline came first: it is to be left out.
    pub fn ajouter(&mut self, document: &Document) -> Result<(), Rejet> {
        let texte = |nom| champ(document, nom).unwrap_or_default().to_owned();
        let (uai, code, millesime) = (texte("uai"), texte("code_certification"), texte("millesime"));
        let annee = millesime.rsplit('_').next().unwrap_or_default().to_owned();
        let meta = document.get("_meta").and_then(Value::as_object);
        let noms = ["domaine_disciplinaire", "secteur_disciplinaire", "discipline"];
        let ici = noms.map(|nom| meta.and_then(|m| sous_champ(m, "insersup", nom)).map(str::to_owned));
        let premiere = self.0.entry(format!("{uai}/{code}/{annee}")).or_insert_with(|| ici.clone());
        if *premiere == ici { Ok(()) } else { Err(Rejet::DisciplineEnDouble { uai, code, annee }) }
    }
}

/// Whether a row of the open data export is the total over everyone of one diploma.
///
/// Rule: `ensemble` in `nationalite`, `genre`, `obtention_diplome` and `regime_inscription`, and a
/// `diplome` other than `all`.
#[must_use]
pub fn est_ensemble(ligne: &Document) -> bool {
    ["nationalite", "genre", "obtention_diplome", "regime_inscription"]
        .into_iter()
        .all(|nom| champ(ligne, nom) == Some("ensemble"))
        && champ(ligne, "diplome").is_some_and(|d| d != "all")
}

/// The document of a national row of the open data export, to be written as delivered.
///
/// `Ok(None)`: not the total of a diploma ([`est_ensemble`]).
///
/// # Errors
/// An unknown SISE code; a year that cannot be read.
pub fn certification(nomenclature: &Nomenclature, ligne: &Document, traiter: bool) -> Result<Option<Document>, Rejet> {
    if !est_ensemble(ligne) {
        return Ok(None);
    }
    let code = champ(ligne, "diplome").ok_or(Rejet::ChampManquant { champ: "diplome" })?;
    let annees = match ligne.get("promo") {
        Some(Value::Array(annees)) => annees.iter().map(texte).collect::<Vec<_>>().join("_"),
        Some(seule) => texte(seule),
        None => return Err(Rejet::ChampManquant { champ: "promo" }),
    };
    let millesime = Millesime::parse(&annees).ok_or(Rejet::MillesimeIncorrect { valeur: annees })?;
    let mut document = base(code, &millesime);
    document.extend(nomenclature.part(code, true)?);
    let (sortants, poursuivants) = (effectif(ligne, "nb_sortants"), effectif(ligne, "nb_poursuivants"));
    poser(&mut document, NB_ANNEE_TERM, sortants.zip(poursuivants).map(|(s, p)| nombre(s + p)));
    poser(&mut document, "nb_sortant", sortants.map(nombre));
    poser(&mut document, "nb_poursuite_etudes", poursuivants.map(nombre));
    for mois in DELAIS {
        let emplois = effectif(ligne, &format!("nb_sortants_en_emploi_sal_fr_{mois}"));
        poser(&mut document, &format!("nb_en_emploi_{mois}_mois"), emplois.map(nombre));
    }
    for quartile in 1..=3 {
        let salaire = effectif(ligne, &format!("salaire_q{quartile}_12"));
        poser(&mut document, &format!("salaire_12_mois_q{quartile}"), salaire.map(nombre));
    }
    if traiter {
        calculer(&mut document);
    }
    let mut champs = Map::new();
    noms_meta(
        ligne,
        &mut champs,
        &[
            ("type_diplome", &["type_diplome", "type_diplome_long"]),
            ("domaine_disciplinaire", &["domaine_disciplinaire", "domaine"]),
            ("secteur_disciplinaire", &["secteur_disciplinaire"]),
            ("discipline", &["discipline"]),
        ],
    );
    document.insert("_meta".to_owned(), meta(champs));
    Ok(Some(document))
}

fn texte(valeur: &Value) -> String {
    valeur.as_str().map_or_else(|| valeur.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ligne(valeur: Value) -> Document {
        valeur.as_object().unwrap().clone()
    }

    #[test]
    fn asterisks_make_periods() {
        for (sortants, attendu) in [("130 *", "2020_2021"), ("130**", "2021"), ("130", "2021"), ("nd", "2021")] {
            let ligne = ligne(json!({"annee_universitaire": "2020-2021", "nb_sortants": sortants}));
            assert_eq!(millesime(&ligne).unwrap().as_str(), attendu, "{sortants}");
        }
        assert!(millesime(&ligne(json!({"annee_universitaire": "2020"}))).is_ok());
        assert!(millesime(&ligne(json!({"annee_universitaire": "récente"}))).is_err());
    }

    #[test]
    fn unknown_counts_stay_unknown() {
        for (texte, attendu) in
            [("130 *", Some(130.0)), ("nd", None), ("na (1)", None), ("1 250", Some(1250.0)), ("", None)]
        {
            assert_eq!(effectif(&ligne(json!({"n": texte})), "n"), attendu, "{texte}");
        }
    }

    #[test]
    fn a_year_of_a_wanted_period_is_wanted() {
        let voulus = [Millesime::parse("2020_2021").unwrap()];
        for (millesime, voulu) in [("2020_2021", true), ("2021", true), ("2020", true), ("2019_2020", false)] {
            assert_eq!(est_voulu(&Millesime::parse(millesime).unwrap(), &voulus), voulu, "{millesime}");
        }
    }

    #[test]
    fn the_first_discipline_wins() {
        let avec = |discipline: &str, millesime: &str| {
            ligne(json!({"uai": "0062205P", "code_certification": "2400074", "millesime": millesime,
                "_meta": {"insersup": {"discipline": discipline}}}))
        };
        let mut disciplines = Disciplines::default();
        assert!(disciplines.ajouter(&avec("Droit", "2021")).is_ok());
        assert!(disciplines.ajouter(&avec("Droit", "2020_2021")).is_ok());
        assert!(disciplines.ajouter(&avec("Histoire", "2020_2021")).is_err());
        assert!(disciplines.ajouter(&avec("Histoire", "2019_2020")).is_ok());
    }

    #[test]
    fn national_rows_are_totals_of_one_diploma() {
        let mut nomenclature = Nomenclature::default();
        nomenclature.ajouter_sise(&ligne(json!({"diplome_sise": "2500249", "libelle_intitule_1": "DROIT"})));
        let mut valeur = json!({"diplome": "2500249", "nationalite": "ensemble", "genre": "ensemble",
            "obtention_diplome": "ensemble", "regime_inscription": "ensemble", "promo": ["2020", "2021"],
            "nb_sortants": 40, "nb_poursuivants": "60", "nb_sortants_en_emploi_sal_fr_6": 12, "salaire_q1_12": "nd"});
        let document = certification(&nomenclature, &ligne(valeur.clone()), true).unwrap().unwrap();
        assert_eq!(document["millesime"], "2020_2021");
        assert_eq!((&document["nb_annee_term"], &document["taux_en_formation"]), (&json!(100), &json!(60)));
        assert_eq!((&document["taux_en_emploi_6_mois"], &document["taux_autres_6_mois"]), (&json!(12), &json!(28)));
        assert!(!document.contains_key("salaire_12_mois_q1"));
        valeur["nb_poursuivants"] = "nd".into();
        let document = certification(&nomenclature, &ligne(valeur.clone()), true).unwrap().unwrap();
        assert!(!document.contains_key("nb_annee_term"), "unknown where a part is");
        valeur["genre"] = "femme".into();
        assert_eq!(certification(&nomenclature, &ligne(valeur), true), Ok(None));
    }
}
