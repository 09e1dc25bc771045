//! What people type, and what they must find first. The documents are few and named as the nomenclature names them; the
//! rule is in `store::query` and `store::finding`.

use crate::common::{self, body};
use futures_executor::block_on;
use publication::double::TurnedWorld;
use publication::*;
use serde_json::{Value, json};
use std::rc::Rc;
use store::finding::{SearchDemand, SearchResults};
use store::reading::Cache;
use store::search::{GETS_MAX, Subject};
use store::{MemoryStore, Reader, mark};

/// Code, label, level, and what has data: `p` in school, `a` in apprenticeship, `s` in higher education; the regions.
const CERTIFICATIONS: &str = "
50022137 CUISINE (CAP)|CAP|pa|84 11 75 93
40022106 CUISINE (BAC PRO)|BAC PRO|pa|84 75
45022108 ARTS DE LA CUISINE (BP)|BP|a|53
50022141 BOULANGER (CAP)|CAP|pa|84 11 53
01022106 BOULANGERIE SPECIALISEE (MC NIVEAU III)|MC|a|11
40022108 BOULANGERIE-PATISSERIE (BAC PRO)|BAC PRO|pa|11
50022139 PATISSIER (CAP)|CAP|pa|11 32
50033617 COIFFURE (CAP)|CAP|pa|93 84
45033610 COIFFURE (BP)|BP|a|93
01033601 COIFFURE COUPE COULEUR (MC NIVEAU III)|MC|a|93
40031213 METIERS DU COMMERCE ET DE LA VENTE OPTION A (BAC PRO)|BAC PRO|pa|32 84
50031210 EQUIPIER POLYVALENT DU COMMERCE (CAP)|CAP|pa|32
40025523 METIERS DE L'ELECTRICITE ET DE SES ENVIRONNEMENTS CONNECTES (BAC PRO)|BAC PRO|pa|53 32
50025521 ELECTRICIEN (CAP)|CAP|pa|53
40025214 MAINTENANCE DES VEHICULES OPTION A VOITURES PARTICULIERES (BAC PRO)|BAC PRO|pa|28
50025409 CARROSSERIE (CAP)|CAP|a|28
40025408 CONSTRUCTION DES CARROSSERIES (BAC PRO)|BAC PRO|p|28
50033214 ACCOMPAGNANT EDUCATIF PETITE ENFANCE (CAP)|CAP|pa|04 53
40033002 ACCOMPAGNEMENT SOINS ET SERVICES A LA PERSONNE (BAC PRO)|BAC PRO|p|04
40032403 ASSISTANCE A LA GESTION DES ORGANISATIONS ET DE LEURS ACTIVITES (BAC PRO)|BAC PRO|pa|11
40031107 LOGISTIQUE (BAC PRO)|BAC PRO|pa|28
50031118 CONDUCTEUR LIVREUR DE MARCHANDISES (CAP)|CAP|pa|28
50023446 MENUISIER FABRICANT (CAP)|CAP|pa|76
45023406 MENUISIER (BP)|BP|a|76
50023212 MACON (CAP)|CAP|pa|76
50023308 MONTEUR EN INSTALLATIONS SANITAIRES (CAP)|CAP|a|52
50025431 REALISATIONS INDUSTRIELLES EN CHAUDRONNERIE OU SOUDAGE OPTION B SOUDAGE (CAP)|CAP|p|52
40033403 COMMERCIALISATION ET SERVICES EN RESTAURATION (BAC PRO)|BAC PRO|pa|75
50033420 COMMERCIALISATION ET SERVICES EN HOTEL-CAFE-RESTAURANT (CAP)|CAP|pa|75
40024204 METIERS DE LA MODE - VETEMENT (BAC PRO)|BAC PRO|p|84
50031215 FLEURISTE (CAP)|CAP|pa|11
40034403 METIERS DE LA SECURITE (BAC PRO)|BAC PRO|p|11
40022003 METIERS DE L'ESTHETIQUE (BAC PRO)|BAC PRO|pa|11
40020004 AERONAUTIQUE OPTION STRUCTURE (BAC PRO)|BAC PRO|p|76
32031213 MANAGEMENT COMMERCIAL OPERATIONNEL (BTS)|BTS|pa|32 11
32032612 SERVICES INFORMATIQUES AUX ORGANISATIONS (BTS)|BTS|pa|93
32031409 COMPTABILITE ET GESTION (BTS)|BTS|pa|11
32033407 TOURISME (BTS)|BTS|p|93
50321441 JARDINIER PAYSAGISTE (CAPA)|CAPA|a|53
40321002 CONDUITE ET GESTION DE L'ENTREPRISE AGRICOLE (BAC PRO AG)|BAC PRO AG|a|53
46T31201 CONSEILLER DE VENTE (TP)|TH4-T|a|84
2500249 BANQUE ASSURANCE|LIC PRO|s|84
2500300 DROIT DES AFFAIRES|MASTER|s|84
";

/// UAI, name, town, departement, academie, region; the code that it has data of.
const ETABLISSEMENTS: &str = "
0690001A Lycée professionnel hôtelier Paul Exemple|LYON|Rhône|10|84|50022137
0690002B Lycée polyvalent Jean Moulin|VILLEURBANNE|Rhône|10|84|40031213
0420003C Lycée Simone Modèle|SAINT ETIENNE|Loire|10|84|50033617
0130004D Lycée professionnel Colbert|MARSEILLE|Bouches-du-Rhône|02|93|50033617
0350005E CFA des métiers de Rennes|RENNES|Ille-et-Vilaine|14|53|50022141
0290006F Lycée agricole de Bréhoulou|FOUESNANT|Finistère|14|53|50321441
0590007G Lycée Louis Pasteur|LILLE|Nord|09|32|32031213
0930008H Lycée Paul Eluard|SAINT DENIS|Seine-Saint-Denis|24|11|50022139
9740009J Lycée Leconte de Lisle|SAINT DENIS|La Réunion|28|04|50033214
";

/// A query, and the first result: a code or a UAI.
const QUERIES: [(&str, &str); 64] = [
    ("bac pro commerce", "40031213"),
    ("bac professionnel commerce", "40031213"),
    ("baccalauréat professionnel cuisine", "40022106"),
    ("Bac Pro Cuisine", "40022106"),
    ("cap cuisine", "50022137"),
    ("CAP CUISINE", "50022137"),
    ("certificat d'aptitude professionnelle cuisine", "50022137"),
    ("cap cuisine lyon", "50022137"),
    ("cap cuisine à Lyon", "50022137"),
    ("cap cuisine villeurbanne", "50022137"),
    ("cuisine lyon cap", "50022137"),
    ("brevet professionnel cuisine", "45022108"),
    ("cap boulanger", "50022141"),
    ("cap boulangerie", "50022141"),
    ("cap boulangerie rennes", "50022141"),
    ("mention complémentaire boulangerie", "01022106"),
    ("mc coiffure", "01033601"),
    ("bp coiffure", "45033610"),
    ("cap coiffure marseille", "50033617"),
    ("cap coiffeuse", "50033617"),
    ("cap pâtisserie", "50022139"),
    ("cap patissier", "50022139"),
    ("bac pro electricite", "40025523"),
    ("bac pro MELEC", "40025523"),
    ("électricien", "50025521"),
    ("mécanique auto", "40025214"),
    ("bac pro mécanique", "40025214"),
    ("bac pro carrosserie", "40025408"),
    ("cap petite enfance", "50033214"),
    ("CAP AEPE", "50033214"),
    ("petite enfance la réunion", "50033214"),
    ("crèche", "50033214"),
    ("bac pro ASSP", "40033002"),
    ("bac pro AGORA", "40032403"),
    ("secrétariat", "40032403"),
    ("bac pro logistique normandie", "40031107"),
    ("chauffeur", "50031118"),
    ("menuisier", "50023446"),
    ("cap menuiserie toulouse", "50023446"),
    ("cap maçon occitanie", "50023212"),
    ("plombier", "50023308"),
    ("soudure", "50025431"),
    ("serveuse", "50033420"),
    ("couture", "40024204"),
    ("cap fleuriste", "50031215"),
    ("pompier", "40034403"),
    ("esthéticienne", "40022003"),
    ("bac pro aéronautique toulouse", "40020004"),
    ("bts mco lille", "32031213"),
    ("BTS SIO", "32032612"),
    ("bts comptabilité", "32031409"),
    ("brevet de technicien supérieur tourisme", "32033407"),
    ("apprentissage bretagne cuisine", "45022108"),
    ("paysagiste en apprentissage", "50321441"),
    ("bac pro agricole", "40321002"),
    ("titre professionnel vente", "46T31201"),
    ("licence pro banque", "2500249"),
    ("master droit", "2500300"),
    ("lyon", "0690001A"),
    ("lycée lyon", "0690001A"),
    ("lycée Jean Moulin", "0690002B"),
    ("jean moulin villeurbanne", "0690002B"),
    ("cfa rennes", "0350005E"),
    ("Finistère", "0290006F"),
];

fn lines(table: &'static str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    table.lines().filter(|line| !line.is_empty()).map(|line| {
        let (key, rest) = line.split_once(' ').unwrap();
        (key, rest.split('|').collect())
    })
}

fn documents() -> Vec<Value> {
    let mut rows = Vec::new();
    for (code, fields) in lines(CERTIFICATIONS) {
        let [label, diplome, filieres, regions] = fields[..] else { panic!("{code}") };
        let diplome = json!({"code": "0", "libelle": diplome});
        if code.len() == 7 {
            rows.push(json!({"kind": "bcn_sise", "doc": {"diplome_sise": code, "libelle_intitule_1": label, "diplome": diplome}}));
        } else {
            rows.push(
                json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": code, "code_formation_diplome": code,
                "libelle": label, "libelle_long": label, "diplome": diplome}}),
            );
        }
        for filiere in filieres.chars() {
            let (of_filiere, filiere, millesime) = match filiere {
                'p' => (format!("222{code}"), "pro", "2022"),
                'a' => (code.to_owned(), "apprentissage", "2022"),
                _ => (code.to_owned(), "superieur", "2022"),
            };
            let document = json!({"code_certification": of_filiere, "code_formation_diplome": code, "libelle": label,
                "diplome": diplome, "filiere": filiere, "millesime": millesime, "nb_annee_term": 40});
            if filiere == "superieur" {
                let mut document = document.clone();
                document.as_object_mut().unwrap().remove("code_formation_diplome");
                rows.push(json!({"kind": "certification", "doc": document}));
                continue;
            }
            rows.push(json!({"kind": "certification", "doc": document}));
            for region in regions.split(' ') {
                let mut document = document.clone();
                document["millesime"] = json!("2021_2022");
                document["region"] = json!({"code": region, "nom": "x"});
                rows.push(json!({"kind": "regionale", "doc": document}));
            }
        }
    }
    for (uai, fields) in lines(ETABLISSEMENTS) {
        let [name, town, departement, academie, region, code] = fields[..] else { panic!("{uai}") };
        rows.push(json!({"kind": "etablissement", "doc": {"numero_uai": uai, "appellation_officielle": name, "commune_libe": town,
            "departement_insee_3_libe": departement, "academie": academie, "academie_libe": "x",
            "departement_insee_3": if uai.starts_with("974") { "974".to_owned() } else { format!("0{}", &uai[1..3]) }}}));
        rows.push(json!({"kind": "formation", "doc": {"uai": uai, "libelle_etablissement": name, "code_certification": code,
            "code_formation_diplome": code, "libelle": "x", "diplome": {"code": "0", "libelle": "CAP"}, "filiere": "apprentissage", "millesime": "2021_2022",
            "nb_annee_term": 40, "region": {"code": region, "nom": "x"}, "academie": {"code": academie, "nom": "x"}}}));
    }
    rows
}

fn publish(kv: &MemoryStore) {
    let world = TurnedWorld { batch: 100, ..TurnedWorld::default() };
    let job = block_on(common::publish(kv, &world, "a", &body(&documents())));
    assert_eq!(job.step, JobStep::Published, "{:?}", job.summary.failure);
}

fn find(kv: &MemoryStore, demand: &SearchDemand<'_>) -> SearchResults {
    let before = kv.gets.get();
    let reader = block_on(Reader::open(kv, Rc::new(Cache::new()), 0)).unwrap();
    let found = block_on(reader.find(demand, 0, 10)).unwrap();
    assert!(kv.gets.get() - before <= GETS_MAX as u64, "{demand:?}");
    found
}

fn names(found: &SearchResults) -> Vec<String> {
    let name = |card: &store::search::SearchCard| match card.subject {
        Subject::Certification => {
            card.codes.iter().map(|c| c.code.as_str()).min_by_key(|c| c.len()).unwrap().to_owned()
        }
        Subject::Etablissement => card.uai.clone(),
    };
    found.cards.iter().map(name).collect()
}

#[test]
fn everyday_words_find_what_is_meant_first() {
    let kv = MemoryStore::default();
    publish(&kv);
    let mut wrong = Vec::new();
    for (q, first) in QUERIES {
        let found = names(&find(&kv, &SearchDemand { q, ..SearchDemand::default() }));
        if found.first().map(String::as_str) != Some(first) {
            wrong.push(format!("{q}: {found:?} instead of {first}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), QUERIES.len(), wrong.join("\n"));
}

#[test]
fn facets_choose_with_words_and_without() {
    let kv = MemoryStore::default();
    publish(&kv);
    let facets = [mark::level("cap"), mark::region("76")];
    let found = names(&find(&kv, &SearchDemand { facets: &facets, ..SearchDemand::default() }));
    assert_eq!(found, ["50023212", "50023446"]);
    let facets = [mark::filiere(domain::Filiere::Apprentissage)];
    let found = names(&find(&kv, &SearchDemand { q: "menuisier", facets: &facets, ..SearchDemand::default() }));
    assert_eq!(found, ["50023446", "45023406"]);
    let facets = [mark::filiere(domain::Filiere::Pro)];
    let found = names(&find(&kv, &SearchDemand { q: "menuisier", facets: &facets, ..SearchDemand::default() }));
    assert_eq!(found, ["50023446"]);
}

#[test]
fn a_certification_comes_before_an_establishment_where_words_fit_both() {
    let kv = MemoryStore::default();
    publish(&kv);
    let found = find(&kv, &SearchDemand { q: "cap lyon", ..SearchDemand::default() });
    let subjects: Vec<Subject> = found.cards.iter().map(|card| card.subject).collect();
    let first = subjects.iter().position(|s| *s == Subject::Etablissement).unwrap();
    assert!(first > 0 && subjects[first..].iter().all(|s| *s == Subject::Etablissement), "{subjects:?}");
    let found = find(&kv, &SearchDemand { q: "académie de lyon", ..SearchDemand::default() });
    assert!(found.cards[..3].iter().all(|card| card.region == "84"), "{found:?}");
}
