//! What holds for every input: idempotence, symmetry, independence of the order of rows.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that breaks may panic")]

use domain::{Document, Kind, Maille};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use treatments::inserjeunes::Mesures;
use treatments::nomenclature::{Certification, Nature};
use treatments::{Catalogue, Collection, Contexte, Groupes, Nomenclature, Rapport};
use treatments::{inserjeunes, libelles, lignee, traiter_groupe};

fn document(valeur: Value) -> Document {
    valeur.as_object().unwrap().clone()
}

/// Codes of ten CFDs.
fn cfd(rang: usize) -> String {
    format!("4000000{rang}")
}

/// Rows of N_FORMATION_DIPLOME, with any lineage at all, circles included.
fn lignes() -> impl Strategy<Value = Vec<Document>> {
    let voisins = || prop::collection::vec(0..12_usize, 0..3);
    prop::collection::vec((voisins(), voisins()), 10).prop_map(|lignes| {
        let ligne = |(rang, (anciens, nouveaux)): (usize, (Vec<usize>, Vec<usize>))| {
            let mut ligne = json!({"formation_diplome": cfd(rang)});
            for (n, ancien) in anciens.into_iter().enumerate() {
                ligne[format!("ancien_diplome_{}", n + 1)] = cfd(ancien).into();
            }
            for (n, nouveau) in nouveaux.into_iter().enumerate() {
                ligne[format!("nouveau_diplome_{}", n + 1)] = cfd(nouveau).into();
            }
            document(ligne)
        };
        lignes.into_iter().enumerate().map(ligne).collect()
    })
}

/// Ten CFDs and two MEFs of each, first and second year.
fn nomenclature(lignes: &[Document]) -> Nomenclature {
    let mut nomenclature = Nomenclature::default();
    for rang in 0..10 {
        let libelle_long = Some(format!("DIPLOME {}", rang / 2));
        let cfd_ = Certification { code: cfd(rang), cfd: cfd(rang), libelle_long, ..Certification::default() };
        nomenclature.ajouter(cfd_);
        for annee in 1..=2 {
            let code = format!("247{annee}000000{rang}");
            let mef =
                Certification { nature: Nature::Mef, cfd: cfd(rang), code: code.clone(), ..Certification::default() };
            nomenclature.ajouter(mef);
            nomenclature.ajouter_ligne_mef(&document(json!({"mef_stat_11": code, "formation_diplome": cfd(rang),
                "dispositif_formation": "247", "annee_dispositif": annee.to_string()})));
        }
    }
    lignee::lignee_cfd(&mut nomenclature, lignes);
    lignee::lignee_mef(&mut nomenclature);
    libelles::libelles(&mut nomenclature);
    nomenclature
}

/// Older and newer code.
type Aretes = BTreeSet<(String, String)>;

fn aretes(nomenclature: &Nomenclature) -> (Aretes, Aretes) {
    let connu = |code: &&String| nomenclature.certification(code).is_some();
    let (mut vers_ancien, mut vers_nouveau) = (BTreeSet::new(), BTreeSet::new());
    for c in nomenclature.certifications() {
        vers_ancien.extend(c.anciens.iter().filter(connu).map(|a| (a.clone(), c.code.clone())));
        vers_nouveau.extend(c.nouveaux.iter().filter(connu).map(|n| (c.code.clone(), n.clone())));
    }
    (vers_ancien, vers_nouveau)
}

/// Delivered statistics of apprenticeship and school, and rows of the catalogue.
fn statistiques() -> impl Strategy<Value = (Vec<Document>, Vec<Document>)> {
    let statistique = (0..10_usize, any::<bool>(), 0..4_usize, 0..3_u32).prop_map(|(rang, scolaire, uai, nombre)| {
        let code = if scolaire { format!("2472000000{rang}") } else { cfd(rang) };
        document(json!({"uai": format!("0{uai}"), "code_certification": code, "millesime": "2019_2020",
            "filiere": if scolaire { "pro" } else { "apprentissage" }, "nb_annee_term": nombre,
            "code_formation_diplome": cfd(rang), "donnee_source": {"code_certification": code, "type": "self"}}))
    });
    let uai = || prop::option::of((0..4_usize).prop_map(|uai| format!("0{uai}")));
    let ligne =
        (0..10_usize, uai(), uai(), uai(), any::<u64>()).prop_map(|(rang, lieu, formateur, gestionnaire, id)| {
            document(json!({"id": id.to_string(), "cfd": cfd(rang), "uai_formation": lieu,
            "etablissement_formateur_uai": formateur, "etablissement_gestionnaire_uai": gestionnaire}))
        });
    (prop::collection::vec(statistique, 0..12), prop::collection::vec(ligne, 0..15))
}

fn traiter(nomenclature: &Nomenclature, catalogue: &[Document], documents: Vec<Document>) -> Collection {
    let catalogue = Catalogue::de(catalogue);
    let contexte = Contexte { nomenclature: nomenclature.clone(), catalogue, ..Contexte::default() };
    let mut documents = Collection::de(Kind::Formation, documents);
    traiter_groupe(&contexte, Maille::Etablissement, &mut documents, &mut Rapport::default(), &mut |_, _| ());
    documents
}

fn triees(documents: impl IntoIterator<Item = Document>) -> BTreeMap<String, Value> {
    documents.into_iter().map(|d| (Kind::Formation.cle(&d).unwrap(), Value::Object(d))).collect()
}

proptest! {
    #[test]
    fn lineage_is_symmetric_and_nobody_is_their_own_ancestor(lignes in lignes()) {
        let mut nomenclature = nomenclature(&lignes);
        let (vers_ancien, vers_nouveau) = aretes(&nomenclature);
        prop_assert!(vers_ancien.iter().all(|(ancien, nouveau)| ancien != nouveau));
        prop_assert_eq!(vers_ancien, vers_nouveau);
        prop_assert!(lignee::lignee_cfd(&mut nomenclature, &lignes).is_empty(), "a second run changes nothing");
        prop_assert!(lignee::lignee_mef(&mut nomenclature).is_empty());
        prop_assert!(libelles::libelles(&mut nomenclature).is_empty());
    }

    #[test]
    fn the_order_of_lineage_rows_does_not_matter(lignes in lignes(), tirage in any::<prop::sample::Index>()) {
        let mut autres = lignes.clone();
        autres.rotate_left(tirage.index(lignes.len()));
        prop_assert_eq!(aretes(&nomenclature(&lignes)), aretes(&nomenclature(&autres)));
    }

    #[test]
    fn treatments_run_twice_change_nothing((documents, catalogue) in statistiques(), lignes in lignes()) {
        let nomenclature = nomenclature(&lignes);
        let une_fois = triees(traiter(&nomenclature, &catalogue, documents).into_documents());
        let documents = une_fois.values().map(|d| document(d.clone())).collect();
        let deux_fois = triees(traiter(&nomenclature, &catalogue, documents).into_documents());
        prop_assert_eq!(une_fois, deux_fois);
    }

    #[test]
    fn groups_can_be_treated_alone((documents, catalogue) in statistiques(), lignes in lignes()) {
        let nomenclature = nomenclature(&lignes);
        let groupes = Groupes::de(&nomenclature);
        // Of documents of one key the later are merged into the first: once, before they are cut.
        let documents: Vec<Document> = Collection::de(Kind::Formation, documents).into_documents().collect();
        let mut par_groupe: BTreeMap<String, Vec<Document>> = BTreeMap::new();
        for document in documents.clone() {
            let groupe = groupes.groupe(document["code_certification"].as_str().unwrap()).to_owned();
            par_groupe.entry(groupe).or_default().push(document);
        }
        let separes = par_groupe.into_values().flat_map(|d| traiter(&nomenclature, &catalogue, d).into_documents());
        prop_assert_eq!(triees(separes), triees(traiter(&nomenclature, &catalogue, documents).into_documents()));
    }

    #[test]
    fn the_order_of_documents_and_catalogue_does_not_matter(
        (documents, catalogue) in statistiques(), lignes in lignes(), tirage in any::<prop::sample::Index>(),
    ) {
        let nomenclature = nomenclature(&lignes);
        // One document a key: which of two comes later is told by their order.
        let documents: Vec<Document> = Collection::de(Kind::Formation, documents).into_documents().collect();
        let (mut autres, mut autre_catalogue) = (documents.clone(), catalogue.clone());
        autres.reverse();
        if !catalogue.is_empty() {
            autre_catalogue.rotate_left(tirage.index(catalogue.len()));
        }
        let ici = triees(traiter(&nomenclature, &catalogue, documents).into_documents());
        prop_assert_eq!(ici, triees(traiter(&nomenclature, &autre_catalogue, autres).into_documents()));
    }

    #[test]
    fn rates_are_whole_and_parts_of_a_hundred(
        effectif in 0..2_000_u32, emplois in 0..2_000_u32, poursuite in 0..2_000_u32, formation in 0..=100_u32,
        presentes in subsequence(vec![0, 1, 2, 3], 0..=4),
    ) {
        let mef = json!([{"id_mefstat11": "12345678900"}]);
        let mesures = [
            ("nb_annee_term", effectif), ("nb_en_emploi_12_mois", emplois),
            ("nb_poursuite_etudes", poursuite), ("DEVENIR_part_poursuite_etudes", formation),
        ];
        let lignes: Vec<Document> = presentes
            .iter()
            .map(|rang| mesures[*rang])
            .map(|(m, v)| document(json!({"id_mesure": m, "valeur_mesure": v, "dimensions": mef})))
            .collect();
        let traiter = |lignes: &mut dyn Iterator<Item = &Document>| {
            let mut mesures = Mesures::nouvelles(Maille::Nationale);
            lignes.for_each(|l| mesures.ajouter(l, &mut Rapport::default()).unwrap());
            mesures.documents("2020", true).next().map(Value::Object)
        };
        let statistique = traiter(&mut lignes.iter());
        prop_assert_eq!(&statistique, &traiter(&mut lignes.iter().rev()), "the order of rows does not matter");
        let Some(Value::Object(mut statistique)) = statistique else { return Ok(()) };
        for (nom, valeur) in &statistique {
            if nom.starts_with("taux_") {
                prop_assert!(valeur.is_u64(), "{} {}", nom, valeur);
            }
        }
        let taux = |nom| statistique.get(nom).and_then(Value::as_u64);
        if let (Some(emploi), Some(autres)) = (taux("taux_en_emploi_12_mois"), taux("taux_autres_12_mois")) {
            let reste = 100_u64.saturating_sub(emploi + u64::from(formation));
            prop_assert_eq!(autres, reste);
        }
        // Filling in and computing again changes nothing.
        let avant = statistique.clone();
        inserjeunes::completer(&mut statistique);
        inserjeunes::calculer(&mut statistique);
        prop_assert_eq!(avant, statistique);
    }
}
