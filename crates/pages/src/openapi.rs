//! The OpenAPI description of every public route: the one place where routes, parameters, answers
//! and errors are described. `cargo run -p pages --example openapi` writes `openapi.json` from it;
//! tests hold the file, the routes and the running application to each other.
//!
//! Examples are answers of the application on the sample data, recorded in `exemples.json`.
#![cfg(not(target_family = "wasm"))]

use crate::erreurs::ERREURS;
use crate::recherche;
use domain::{SEUIL_PUBLICATION, indicateur, territoire};
use serde_json::{Map, Value, json};

/// What examples show: a name, and the path that is asked. The key, where one is needed, is the caller's.
pub const EXEMPLES: [(&str, &str); 24] = [
    ("certification", "/api/inserjeunes/certifications/40099011?millesime=2023"),
    ("certification-superieur", "/api/inserjeunes/certifications/SISE:2599901?millesime=2023"),
    ("certification-inconnue", "/api/inserjeunes/certifications/99999999"),
    ("certification-millesime", "/api/inserjeunes/certifications/40099011?millesime=1999"),
    ("certification-validation", "/api/inserjeunes/certifications/abc"),
    ("filieres", "/api/inserjeunes/certifications/40099011?vue=filieres"),
    ("certifications", "/api/inserjeunes/certifications?items_par_page=1"),
    ("regionale", "/api/inserjeunes/regionales/04/certifications/40099013"),
    ("regionale-pas-de-donnees", "/api/inserjeunes/regionales/94/certifications/40099013"),
    ("regionales", "/api/inserjeunes/regionales?items_par_page=1"),
    ("regionales-region", "/api/inserjeunes/regionales/11?items_par_page=1"),
    ("formation", "/api/inserjeunes/formations/9749801K-01099051"),
    ("formation-sous-seuil", "/api/inserjeunes/formations/0359834Z-16X99082"),
    ("formation-etablissement-inconnu", "/api/inserjeunes/formations/9999999X-01099051"),
    ("formations", "/api/inserjeunes/formations?items_par_page=1"),
    ("bcn", "/api/inserjeunes/bcn?items_par_page=1"),
    ("mailles", "/api/inserjeunes/mailles"),
    ("maille", "/api/inserjeunes/mailles/academies?items_par_page=1"),
    ("maille-lieu", "/api/inserjeunes/mailles/academies/10?items_par_page=1"),
    ("maille-certification", "/api/inserjeunes/mailles/academies/28/certifications/40099013"),
    ("recherche", "/api/recherche?q=accueil"),
    ("recherche-certification", "/api/recherche/certifications/40099013"),
    ("recherche-region", "/api/recherche/certifications/40099013?region=04"),
    ("recherche-etablissement", "/api/recherche/etablissements/9749801K"),
];

/// Paths of the routes that need no description: pages, not answers of the API.
pub const PAGES: [&str; 4] = ["/", "/etat", "/api/doc", "/api/doc/erreurs"];

fn ref_schema(nom: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{nom}")})
}

fn ref_parametre(nom: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{nom}")})
}

/// A recorded example.
fn exemple(exemples: &Map<String, Value>, nom: &str) -> Value {
    exemples.get(nom).cloned().unwrap_or_default()
}

struct Doc<'a> {
    exemples: &'a Map<String, Value>,
}

impl Doc<'_> {
    fn contenu(&self, schema: &str, noms: &[(&str, &str)]) -> Value {
        let mut montres = Map::new();
        for (nom, resume) in noms {
            montres.insert((*nom).to_owned(), json!({"summary": resume, "value": exemple(self.exemples, nom)}));
        }
        json!({"schema": ref_schema(schema), "examples": montres})
    }

    /// The answer of an error, told by the table of errors.
    fn erreur(&self, ancres: &[&str], noms: &[(&str, &str)]) -> Value {
        let lignes: Vec<String> = ERREURS
            .iter()
            .filter(|e| ancres.contains(&e.ancre))
            .map(|e| format!("- **{}** : {} {}", e.message, e.cause, e.remede))
            .collect();
        let schema = if ancres.contains(&"validation") || ancres.contains(&"recherche") {
            "ErreurDeValidation"
        } else if ancres.contains(&"millesime") {
            "Absence"
        } else {
            "Erreur"
        };
        let mut contenu = self.contenu(schema, noms);
        if noms.is_empty()
            && let Some(objet) = contenu.as_object_mut()
        {
            objet.remove("examples");
        }
        let liens = json!({"description": "Où lire la cause (rel=\"help\"), et où chercher le bon code (rel=\"search\").", "schema": {"type": "string"}});
        json!({"description": lignes.join("\n"), "headers": {"Link": liens}, "content": {"application/json": contenu}})
    }

    fn indisponible(&self) -> Value {
        let mut reponse = self.erreur(&["indisponible"], &[]);
        if let Some(entetes) = reponse.get_mut("headers").and_then(Value::as_object_mut) {
            let apres =
                json!({"description": "Secondes à attendre.", "schema": {"type": "string", "pattern": "^[0-9]+$"}});
            entetes.insert("Retry-After".into(), apres);
        }
        reponse
    }

    /// A list.
    fn liste(&self, etiquette: &str, titre: &str, schema: &str, nom: &str, parametres: &[Value]) -> Value {
        let communs = ["items_par_page", "page", "ext"].map(ref_parametre);
        let parametres: Vec<Value> = parametres.iter().cloned().chain(communs).collect();
        let liens = json!({"description": "Pages suivante (rel=\"next\") et précédente (rel=\"prev\"), absentes s’il n’y en a pas.", "schema": {"type": "string"}});
        json!({"get": {
            "tags": [etiquette], "summary": titre, "operationId": nom,
            "description": "L’ordre des lignes est stable : qui suit les pages lit chaque ligne une fois. Une page au-delà de la fin est vide. Le format se choisit aussi par l’extension du chemin (`.json`, `.csv`, `.ndjson`). CSV : séparateur `;`, une valeur masquée s’écrit `null`, une valeur inconnue est vide.",
            "security": [{"cle": []}, {"cleEnQuery": []}, {"jeton": []}],
            "parameters": parametres,
            "responses": {
                "200": {"description": "Une page de la liste.", "headers": {"Link": liens}, "content": {
                    "application/json": self.contenu(schema, &[(nom, "Jeu d’exemple (données fictives)")]),
                    "text/csv": {"schema": {"type": "string"}},
                    "application/x-ndjson": {"schema": {"type": "string"}},
                }},
                "400": self.erreur(&["validation"], &[]),
                "401": self.erreur(&["non-autorise"], &[]),
                "503": self.indisponible(),
            },
        }})
    }

    /// One document, and its image.
    fn document(&self, route: &Route<'_>) -> [(String, Value); 2] {
        let parametres = |noms: &[&str]| -> Vec<Value> {
            route.chemin.iter().chain(noms).chain(route.vue.then_some(&"vue")).map(|n| ref_parametre(n)).collect()
        };
        let introuvable = self.erreur(route.absences, route.exemples_404);
        let schema = if route.vue { "DocumentOuFilieres" } else { "Document" };
        let etag = json!({"description": "Empreinte du contenu ; à renvoyer dans If-None-Match pour recevoir 304 quand rien n’a changé.", "schema": {"type": "string"}});
        let cache = json!({"description": "`public, max-age=600` au plus : une publication se voit dans les dix minutes.", "schema": {"type": "string"}});
        let entetes = json!({"ETag": etag, "Cache-Control": cache});
        let json = json!({"get": {
            "tags": ["Un document"], "summary": route.titre, "operationId": route.nom, "description": route.texte,
            "security": [],
            "parameters": parametres(&["millesime", "universe"]),
            "responses": {
                "200": {"description": "Le document.", "headers": entetes, "content": {"application/json": self.contenu(schema, route.exemples_200)}},
                "304": {"description": "Inchangé depuis la réponse dont l’ETag est renvoyé."},
                "400": self.erreur(&["validation", "illisible"], &[("certification-validation", "Code mal formé")]),
                "404": introuvable.clone(),
                "503": self.indisponible(),
            },
        }});
        let svg = json!({"get": {
            "tags": ["Image à intégrer"], "summary": format!("{}, en image SVG", route.titre), "operationId": format!("{}-image", route.nom),
            "description": "Trois parts : en emploi à 6 mois, en formation, autres situations. `title` et `desc` portent le titre et la description, pour les lecteurs d’écran.",
            "security": [],
            "parameters": parametres(&["millesime", "universe", "theme", "direction", "imageOnError"]),
            "responses": {
                "200": {"description": "L’image.", "headers": entetes, "content": {"image/svg+xml": {"schema": {"type": "string"}}}},
                "304": {"description": "Inchangée."},
                "400": self.erreur(&["validation", "illisible"], &[]),
                "404": introuvable,
                "503": self.indisponible(),
            },
        }});
        [(route.modele.to_owned(), json), (format!("{}.svg", route.modele), svg)]
    }
}

struct Route<'a> {
    modele: &'a str,
    nom: &'a str,
    titre: &'a str,
    texte: &'a str,
    chemin: &'a [&'a str],
    vue: bool,
    absences: &'a [&'a str],
    exemples_200: &'a [(&'a str, &'a str)],
    exemples_404: &'a [(&'a str, &'a str)],
}

/// The whole description.
#[must_use]
pub fn document(exemples: &Map<String, Value>) -> Value {
    let doc = Doc { exemples };
    let mut chemins = Map::new();
    for route in [
        Route {
            modele: "/api/inserjeunes/certifications/{codes}",
            nom: "certification",
            titre: "Indicateurs nationaux d’une certification",
            texte: "Sans millésime, le dernier de la filière du code. Plusieurs codes, ou `vue=filieres` : voie scolaire et apprentissage côte à côte, effectifs sommés et taux recalculés par CFD. Une année non terminale répond par son année terminale, ou par la liste de ses années terminales.",
            chemin: &["codes"],
            vue: true,
            absences: &["certification-inconnue", "millesime", "donnees-non-disponibles"],
            exemples_200: &[
                ("certification", "Un CFD"),
                ("certification-superieur", "Un code SISE"),
                ("filieres", "La vue par filière"),
            ],
            exemples_404: &[
                ("certification-inconnue", "Code inconnu"),
                ("certification-millesime", "Millésime sans données"),
            ],
        },
        Route {
            modele: "/api/inserjeunes/regionales/{region}/certifications/{codes}",
            nom: "regionale",
            titre: "Indicateurs d’une certification dans une région",
            texte: "Sans millésime, la dernière période. Comme au niveau national, sans les salaires.",
            chemin: &["region", "codes"],
            vue: true,
            absences: &[
                "formation-inconnue",
                "pas-de-donnees",
                "certification-inconnue",
                "millesime",
                "donnees-non-disponibles",
            ],
            exemples_200: &[("regionale", "La Réunion")],
            exemples_404: &[("regionale-pas-de-donnees", "Rien dans cette région")],
        },
        Route {
            modele: "/api/inserjeunes/mailles/{maille}/{lieu}/certifications/{codes}",
            nom: "maille-certification",
            titre: "Indicateurs d’une certification dans un lieu d’une maille déclarée",
            texte: "Sans millésime, le dernier de la maille. Comme en région.",
            chemin: &["maille", "lieu", "codes"],
            vue: true,
            absences: &[
                "maille-inconnue",
                "formation-inconnue",
                "pas-de-donnees",
                "millesime",
                "donnees-non-disponibles",
            ],
            exemples_200: &[("maille-certification", "Une académie")],
            exemples_404: &[],
        },
        Route {
            modele: "/api/inserjeunes/formations/{uai}-{code_certification}",
            nom: "formation",
            titre: "Indicateurs d’une formation dans un établissement",
            texte: "Sans millésime, la dernière année de la filière, sous l’une ou l’autre écriture : `2023` trouve aussi `2022_2023`.",
            chemin: &["uai", "code_certification"],
            vue: false,
            absences: &["formation-inconnue", "etablissement-inconnu", "millesime", "donnees-non-disponibles"],
            exemples_200: &[
                ("formation", "Données venant du formateur"),
                ("formation-sous-seuil", "Groupe de moins de 20 jeunes : chiffres masqués"),
            ],
            exemples_404: &[("formation-etablissement-inconnu", "UAI inconnu")],
        },
    ] {
        chemins.extend(doc.document(&route));
    }
    let p = |noms: &[&str]| -> Vec<Value> { noms.iter().map(|n| ref_parametre(n)).collect() };
    for (chemin, titre, schema, nom, noms) in [
        (
            "/api/inserjeunes/certifications",
            "Tous les indicateurs nationaux",
            "ListeCertifications",
            "certifications",
            &["millesimes", "code_certifications", "universe"][..],
        ),
        (
            "/api/inserjeunes/regionales",
            "Tous les indicateurs régionaux",
            "ListeRegionales",
            "regionales",
            &["regions", "millesimes", "code_certifications", "universe"],
        ),
        (
            "/api/inserjeunes/regionales/{region}",
            "Les indicateurs d’une région",
            "ListeRegionales",
            "regionales-region",
            &["region", "millesimes", "code_certifications", "universe"],
        ),
        (
            "/api/inserjeunes/formations",
            "Tous les indicateurs par établissement",
            "ListeFormations",
            "formations",
            &["uais", "regions", "academies", "millesimes", "code_certifications", "universe"],
        ),
        ("/api/inserjeunes/bcn", "La nomenclature des certifications", "ListeBcn", "bcn", &[]),
    ] {
        chemins.insert(chemin.into(), doc.liste("Listes", titre, schema, nom, &p(noms)));
    }
    for (chemin, titre, nom, noms) in [
        (
            "/api/inserjeunes/mailles/{maille}",
            "Tous les indicateurs d’une maille déclarée",
            "maille",
            &["maille", "lieux", "regions", "academies", "millesimes", "code_certifications", "universe"][..],
        ),
        (
            "/api/inserjeunes/mailles/{maille}/{lieu}",
            "Les indicateurs d’un lieu d’une maille déclarée",
            "maille-lieu",
            &["maille", "lieu", "regions", "academies", "millesimes", "code_certifications", "universe"],
        ),
    ] {
        let mut operation = doc.liste("Listes", titre, "ListeMaille", nom, &p(noms));
        if let Some(reponses) = operation.pointer_mut("/get/responses").and_then(Value::as_object_mut) {
            reponses.insert("404".into(), doc.erreur(&["maille-inconnue"], &[]));
        }
        chemins.insert(chemin.into(), operation);
    }
    chemins.insert("/api/inserjeunes/mailles".into(), mailles(&doc));
    chemins.insert("/api/inserjeunes/auth/login".into(), connexion(&doc));
    chemins.extend(recherches(&doc));
    chemins.insert("/api".into(), simple("Service", "version", "Version, environnement, santé", "Api"));
    let mut statut = simple("Service", "statut", "Ce qui est publié, depuis quand, d’où", "Statut");
    if let Some(reponses) = statut.get_mut("get").and_then(|g| g.get_mut("responses")).and_then(Value::as_object_mut) {
        let contenu = json!({"application/json": {"schema": ref_schema("Statut")}});
        reponses.insert("503".into(), json!({"description": "Le magasin de données ne répond pas ; « etat » vaut « indisponible ».", "content": contenu}));
    }
    chemins.insert("/api/status".into(), statut);
    chemins.insert("/api/doc/openapi.json".into(), simple("Service", "openapi", "Cette description", "Libre"));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Exposition des données InserJeunes et InserSup",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Que deviennent les jeunes après une formation ?",
            "description": INTRODUCTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "Un document", "description": "Un appel, une réponse, sans clé : ce dont un site a besoin pour afficher une fiche."},
            {"name": "Image à intégrer", "description": "Les trois parts d’une fiche, dessinées."},
            {"name": "Recherche", "description": "Des mots ou un code vers les certifications et les établissements, et où chacun a des données. Sans clé. Aucun indicateur."},
            {"name": "Listes", "description": "Tout, par pages ou en un fichier, avec une clé."},
            {"name": "Accès", "description": "Un jeton pour un compte."},
            {"name": "Service", "description": "Version, état, description."},
        ],
        "paths": chemins,
        "components": {
            "securitySchemes": {
                "cle": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "Clé, ou jeton."},
                "cleEnQuery": {"type": "apiKey", "in": "query", "name": "apiKey", "description": "La même, dans l’adresse ; elle n’entre dans aucun journal."},
                "jeton": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Jeton de POST /api/inserjeunes/auth/login, valable un jour."},
            },
            "parameters": parametres(),
            "schemas": schemas(),
        },
    })
}

const INTRODUCTION: &str = "\
Indicateurs d’insertion et de poursuite d’études après une formation, par certification, région, établissement, et par les mailles que les services statistiques ajoutent.

**Seuil de publication.** Là où `nb_annee_term` est inférieur à 20, tous les autres effectifs (`nb_*`) et tous les taux (`taux_*`) valent `null`, et `_meta.messages` le dit : cela protège les personnes.

**null et absence.** `null` : masqué par le seuil, ou non calculable. Champ absent : inconnu de la source.

**Unités.** Effectifs : nombres de jeunes. Taux : pourcentages entiers de 0 à 100, arrondis au pair le plus proche. Salaires : euros nets par mois, équivalent temps plein, douze mois après la sortie, nationaux seulement.

**Sources.** Secondaire (filières apprentissage, pro, agricole) : InserJeunes, DEPP et DARES. Supérieur : InserSup, SIES.

**Codes.** CFD (8 caractères, apprentissage), MEFSTAT11 (11 caractères, voie scolaire), SISE avec son préfixe (`SISE:2599901`, supérieur). Les préfixes `CFD:` et `MEFSTAT11:` sont acceptés. RNCP : se cherche par `/api/recherche`, qui donne les codes à employer.

**Millésimes.** Une année (`2023`) au niveau national, une période de deux ans (`2022_2023`) en région et par établissement.

**Cache.** Les documents portent un ETag et se gardent dix minutes ; une requête avec `If-None-Match` reçoit 304.

Les erreurs et leurs causes : [/api/doc/erreurs](/api/doc/erreurs). L’explorateur : [/](/). L’état : [/etat](/etat).";

fn simple(etiquette: &str, nom: &str, titre: &str, schema: &str) -> Value {
    json!({"get": {"tags": [etiquette], "summary": titre, "operationId": nom, "security": [], "responses": {
        "200": {"description": titre, "content": {"application/json": {"schema": ref_schema(schema)}}},
    }}})
}

fn mailles(doc: &Doc<'_>) -> Value {
    json!({"get": {
        "tags": ["Un document"], "summary": "Les mailles déclarées", "operationId": "mailles", "security": [],
        "description": "Au-delà du pays, de la région et de l’établissement : les mailles pour lesquelles un service statistique a livré des données, le champ qui porte leur lieu (`cle`), leurs millésimes.",
        "responses": {
            "200": {"description": "Les mailles, par nom ; aucune est une réponse.", "content": {"application/json": doc.contenu("Mailles", &[("mailles", "Jeu d’exemple (données fictives)")])}},
            "304": {"description": "Inchangé."},
            "400": doc.erreur(&["validation", "illisible"], &[]),
            "503": doc.indisponible(),
        },
    }})
}

fn connexion(doc: &Doc<'_>) -> Value {
    let corps = json!({"schema": ref_schema("Identifiants"), "example": {"username": "mon-application", "password": "Mot2passe!"}});
    json!({"post": {
        "tags": ["Accès"], "summary": "Un jeton pour un compte", "operationId": "connexion", "security": [],
        "description": "Le jeton vaut un jour, dans `Authorization: Bearer`, `x-api-key` ou `apiKey=`.",
        "requestBody": {"required": true, "content": {"application/json": corps.clone(), "application/x-www-form-urlencoded": corps}},
        "responses": {
            "200": {"description": "Le jeton.", "content": {"application/json": {"schema": ref_schema("Jeton")}}},
            "400": doc.erreur(&["validation", "illisible"], &[]),
            "401": doc.erreur(&["identifiants"], &[]),
            "413": doc.erreur(&["trop-grand"], &[]),
            "415": doc.erreur(&["jeu-de-caracteres"], &[]),
            "503": doc.indisponible(),
        },
    }})
}

fn recherches(doc: &Doc<'_>) -> Vec<(String, Value)> {
    let q = json!({"name": "q", "in": "query", "required": true, "description": "Des mots (sans égard à la casse et aux accents, le début d’un mot suffit), un CFD, un MEFSTAT11, un code SISE, un code RNCP (`RNCP38430`, ou son numéro s’il ne commence aucun autre code) ou un UAI, même incomplets. Les cinq mots les plus longs comptent.", "schema": {"type": "string", "minLength": 1, "maxLength": recherche::Q_MAX}, "example": "accueil"});
    let genre = json!({"name": "type", "in": "query", "description": "Sans lui, les deux.", "schema": {"type": "string", "enum": ["certification", "etablissement"]}});
    let page = json!({"name": "page", "in": "query", "description": "À partir de 1.", "schema": {"type": "integer", "minimum": 1, "maximum": recherche::PAGE_MAX, "default": 1}});
    let region = json!({"name": "region", "in": "query", "description": "Code INSEE d’une région : la réponse donne alors ses établissements.", "schema": {"type": "string", "enum": codes_region()}});
    let operation = |nom: &str,
                     titre: &str,
                     texte: &str,
                     parametres: Value,
                     schema: &str,
                     exemples: &[(&str, &str)],
                     absent: bool| {
        let mut reponses = json!({
            "200": {"description": titre, "content": {"application/json": doc.contenu(schema, exemples)}},
            "304": {"description": "Inchangé."},
            "400": doc.erreur(&["recherche", "illisible"], &[]),
            "503": doc.indisponible(),
        });
        if absent && let Some(objet) = reponses.as_object_mut() {
            objet.insert("404".into(), doc.erreur(&["pas-de-donnees"], &[]));
        }
        json!({"get": {"tags": ["Recherche"], "summary": titre, "operationId": nom, "description": texte, "security": [], "parameters": parametres, "responses": reponses}})
    };
    vec![
        (
            "/api/recherche".into(),
            operation(
                "recherche",
                "Chercher une certification ou un établissement",
                "Dix résultats par page : ce qui a des données d’abord, puis ce qui correspond le mieux, puis par libellé. `approche` vaut vrai quand rien ne correspond à tous les mots : les résultats sont alors les plus proches.",
                json!([q, genre, page]),
                "Recherche",
                &[("recherche", "Jeu d’exemple (données fictives)")],
                false,
            ),
        ),
        (
            "/api/recherche/certifications/{code_certification}".into(),
            operation(
                "recherche-certification",
                "Où une certification a des données",
                "Millésimes nationaux par filière, régions et leurs millésimes ; avec `region`, les établissements de cette région (2 000 au plus).",
                json!([ref_parametre("code_certification"), region]),
                "LieuxDeCertification",
                &[("recherche-certification", "Sans région"), ("recherche-region", "Avec une région")],
                true,
            ),
        ),
        (
            "/api/recherche/etablissements/{uai}".into(),
            operation(
                "recherche-etablissement",
                "Les formations d’un établissement",
                "Celles qui ont un document publié (2 000 au plus).",
                json!([ref_parametre("uai")]),
                "LieuxDEtablissement",
                &[("recherche-etablissement", "Jeu d’exemple (données fictives)")],
                true,
            ),
        ),
    ]
}

fn codes_region() -> Vec<&'static str> {
    territoire::REGIONS.iter().map(|r| r.code).collect()
}

const CFD: &str = "(CFD:)?[0-9A-Z]{8}";
const MEF: &str = "(MEFSTAT11:)?[0-9A-Z]{11}";
const SISE: &str = "SISE:[A-Z0-9]{7}";
const MILLESIME: &str = "[0-9]{4}(_[0-9]{4})?";
const UAI: &str = "[0-9]{7}[A-Z]";

fn parametres() -> Value {
    let code = format!("^({CFD}|{MEF}|{SISE})$");
    let codes = format!("^({CFD}|{MEF}|{SISE})([,|]({CFD}|{MEF}|{SISE}))*$");
    let liste = |motif: &str| format!("^{motif}([,|]{motif})*$");
    let chemin = |nom: &str, texte: &str, schema: Value, exemple: &str| json!({"name": nom, "in": "path", "required": true, "description": texte, "schema": schema, "example": exemple});
    let query = |nom: &str, texte: &str, schema: Value| json!({"name": nom, "in": "query", "description": texte, "schema": schema});
    let academies: Vec<&str> = territoire::REGIONS.iter().flat_map(|r| r.academies).map(|a| a.code).collect();
    let regions = codes_region();
    json!({
        "codes": chemin("codes", "Un code de certification, ou plusieurs séparés par « , » ou « | » : CFD (8 caractères), MEFSTAT11 (11), SISE avec son préfixe.", json!({"type": "string", "pattern": codes}), "40099011"),
        "code_certification": chemin("code_certification", "CFD (8 caractères), MEFSTAT11 (11), ou SISE avec son préfixe.", json!({"type": "string", "pattern": code}), "01099051"),
        "uai": chemin("uai", "UAI : sept chiffres et une lettre majuscule.", json!({"type": "string", "pattern": format!("^{UAI}$")}), "9749801K"),
        "maille": chemin("maille", "Nom d’une maille déclarée : /api/inserjeunes/mailles les donne.", json!({"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,15}$"}), "academies"),
        "lieu": chemin("lieu", "Lieu de la maille : la valeur de sa clé.", json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,20}$"}), "10"),
        "region": chemin("region", "Code INSEE d’une région, ou un code postal, ramené à sa région.", json!({"type": "string", "enum": regions}), "11"),
        "millesime": query("millesime", "Année (2023) ou période (2022_2023). Sans lui, celui en vigueur. Une période ne peut pas finir avant de commencer.", json!({"type": "string", "pattern": format!("^{MILLESIME}$")})),
        "millesimes": query("millesimes", "Plusieurs, séparés par « , » ou « | ». Sans lui, ceux en vigueur. Sur les formations, 2023 trouve aussi 2022_2023 et inversement.", json!({"type": "string", "pattern": liste(MILLESIME)})),
        "code_certifications": query("code_certifications", "Plusieurs codes, séparés par « , » ou « | » ; un seul code invalide refuse la liste.", json!({"type": "string", "pattern": codes})),
        "universe": query("universe", "« secondaire » pour des CFD et MEFSTAT11 ou sans code, « superieur » pour des codes SISE ; sur une formation, « secondaire » seulement.", json!({"type": "string", "enum": ["secondaire", "superieur"]})),
        "regions": query("regions", "Codes INSEE de régions ou codes postaux, séparés par « , » ou « | ».", json!({"type": "string", "pattern": liste(&format!("({})", regions.join("|")))})),
        "academies": query("academies", "Codes d’académies, séparés par « , » ou « | ».", json!({"type": "string", "pattern": liste(&format!("({})", academies.join("|")))})),
        "lieux": query("lieux", "Lieux de la maille, séparés par « , » ou « | ».", json!({"type": "string", "pattern": liste("[A-Za-z0-9_-]{1,20}")})),
        "uais": query("uais", "UAI, séparés par « , » ou « | ».", json!({"type": "string", "pattern": liste(UAI)})),
        "page": query("page", "À partir de 1 ; 0 vaut 1.", json!({"type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64, "default": 1})),
        "items_par_page": query("items_par_page", "Lignes par page : au plus 10 000 en JSON, 1 000 000 en CSV et NDJSON ; 0 vaut 10.", json!({"type": "integer", "minimum": 0, "maximum": 10_000, "default": 10})),
        "ext": query("ext", "Le format ; l’extension du chemin l’emporte.", json!({"type": "string", "enum": ["json", "csv", "ndjson"]})),
        "vue": query("vue", "Voie scolaire et apprentissage côte à côte, par CFD.", json!({"type": "string", "enum": ["filieres"]})),
        "theme": query("theme", "L’habillage de l’image.", json!({"type": "string", "enum": ["dsfr", "lba"], "default": "dsfr"})),
        "direction": query("direction", "Le sens de l’image.", json!({"type": "string", "enum": ["vertical", "horizontal"], "default": "vertical"})),
        "imageOnError": query("imageOnError", "Quand il n’y a rien à dessiner : « false » l’erreur, « true » une image qui le dit, « empty » une image vide.", json!({"type": "string", "enum": ["false", "true", "empty"], "default": "false"})),
    })
}

fn description(champ: &str) -> String {
    let seuil = format!("null si nb_annee_term est inférieur à {SEUIL_PUBLICATION}.");
    match champ {
        "nb_annee_term" => "Jeunes en dernière année de la formation. Toujours publié.".into(),
        "nb_sortant" => format!("Ceux d’entre eux qui ne poursuivent pas d’études. {seuil}"),
        "nb_poursuite_etudes" => format!("Ceux qui poursuivent des études ou une formation. {seuil}"),
        "nb_diplome" => format!("Ceux qui ont obtenu le diplôme (supérieur). {seuil}"),
        "taux_en_formation" => format!("Part, en %, des jeunes en études ou en formation. {seuil}"),
        "taux_rupture_contrats" => format!("Part, en %, des contrats d’apprentissage rompus. {seuil}"),
        _ => {
            let mois = domain::indicateur::DELAIS.iter().find(|d| champ.contains(&format!("_{d}_mois")));
            let mois = mois.map_or(String::new(), u8::to_string);
            if champ.starts_with("salaire_") {
                let quartile = champ.rsplit('q').next().unwrap_or_default();
                format!(
                    "{quartile}ᵉ quartile (2 : médiane) du salaire net mensuel en équivalent temps plein, en euros, {mois} mois après la sortie. National seulement ; non soumis au seuil."
                )
            } else if champ.starts_with("nb_en_emploi") {
                format!("Jeunes en emploi salarié {mois} mois après la sortie. {seuil}")
            } else if champ.starts_with("taux_en_emploi") {
                format!("Part, en %, des jeunes en emploi salarié {mois} mois après la sortie. {seuil}")
            } else {
                format!(
                    "Part, en %, des autres situations (ni emploi salarié, ni formation) {mois} mois après la sortie : 100 moins les deux autres, jamais négative. {seuil}"
                )
            }
        }
    }
}

fn schemas() -> Value {
    let texte = || json!({"type": "string"});
    let texte_ou_null = || json!({"type": ["string", "null"]});
    let liste = |items: Value| json!({"type": "array", "items": items});
    let mut champs = Map::new();
    for (nom, schema) in [
        ("uai", texte()),
        ("libelle_etablissement", texte_ou_null()),
        ("maille", json!({"type": "string", "description": "Sur une maille déclarée : son nom."})),
        ("lieu", json!({"type": "string", "description": "Sur une maille déclarée : le lieu, valeur de sa clé."})),
        ("millesime", json!({"type": "string", "pattern": format!("^{MILLESIME}$")})),
        ("code_certification", texte()),
        ("code_certification_type", texte_ou_null()),
        ("code_formation_diplome", texte_ou_null()),
        ("libelle", texte_ou_null()),
        ("libelle_ancien", texte_ou_null()),
        ("filiere", json!({"type": "string", "enum": ["agricole", "apprentissage", "pro", "superieur"]})),
        ("date_fermeture", texte_ou_null()),
        (
            "formation_fermee",
            json!({"type": "boolean", "description": "La formation est fermée au jour de la requête."}),
        ),
        ("diplome", json!({"type": ["object", "null"], "description": "Niveau et nom du diplôme."})),
        ("region", json!({"type": ["object", "null"]})),
        ("academie", json!({"type": ["object", "null"]})),
        (
            "familleMetier",
            json!({"type": ["object", "null"], "description": "Famille de métiers ; isAnneeCommune : seconde commune."}),
        ),
        (
            "certificationsTerminales",
            json!({"type": ["array", "null"], "description": "Sur une année non terminale : ses années terminales. Dans un document seul, leurs documents, ou {error, millesimes, code_certification}."}),
        ),
        (
            "donnee_source",
            json!({"type": ["object", "null"], "description": "De quel diplôme viennent les chiffres : type self (lui-même), ancienne ou nouvelle (un autre de la même lignée), et code_certification."}),
        ),
        (
            "uai_type",
            json!({"type": ["string", "null"], "description": "Rôle de l’établissement : lieu_formation, formateur, gestionnaire, inconnu."}),
        ),
        ("uai_donnee", texte_ou_null()),
        (
            "uai_donnee_type",
            json!({"type": ["string", "null"], "description": "Rôle de l’établissement d’où viennent les chiffres."}),
        ),
        (
            "_meta",
            json!({"type": "object", "description": "titre, details, et messages : pourquoi un chiffre manque, ou d’où il vient.", "properties": {"titre": texte(), "details": texte(), "messages": liste(texte())}}),
        ),
    ] {
        champs.insert(nom.into(), schema);
    }
    for champ in indicateur::EFFECTIFS.iter().chain([&indicateur::NB_DIPLOME]) {
        champs.insert(
            (*champ).into(),
            json!({"type": ["integer", "null"], "minimum": 0, "description": description(champ)}),
        );
    }
    for champ in indicateur::TAUX {
        champs.insert(
            champ.into(),
            json!({"type": ["number", "null"], "minimum": 0, "maximum": 100, "description": description(champ)}),
        );
    }
    for champ in indicateur::SALAIRES {
        champs
            .insert(champ.into(), json!({"type": ["number", "null"], "minimum": 0, "description": description(champ)}));
    }
    let document = json!({"type": "object", "required": ["millesime", "code_certification", "filiere", "formation_fermee"], "properties": champs});
    let pagination = json!({"type": "object", "required": ["page", "items_par_page", "nombre_de_page", "total"], "properties": {
        "page": {"type": "integer"}, "items_par_page": {"type": "integer"}, "nombre_de_page": {"type": "integer", "minimum": 1}, "total": {"type": "integer", "minimum": 0}}});
    let page = |nom: &str, items: Value| json!({"type": "object", "required": [nom, "pagination"], "properties": {nom: {"type": "array", "items": items}, "pagination": ref_schema("Pagination")}});
    let filiere = json!({"type": "object", "required": ["filiere", "millesime"], "properties": {"filiere": texte(), "millesime": texte(), "codes_certifications": liste(texte()), "codes_formation_diplome": liste(texte())}});
    let erreur = json!({"type": "object", "required": ["statusCode", "error", "message"], "properties": {
        "statusCode": {"type": "integer"}, "error": texte(), "message": texte(), "aide": {"type": "string", "description": "Ce qui serait juste (routes de recherche)."}}});
    let avec = |suite: Value| json!({"allOf": [ref_schema("Erreur"), suite]});
    let faute = json!({"type": "object", "required": ["message", "path", "type"], "properties": {"message": texte(), "path": {"type": "array"}, "type": texte(), "context": {"type": "object"}}});
    let region = json!({"type": ["object", "null"], "properties": {"code": texte(), "nom": texte()}});
    let resultat = json!({"type": "object", "required": ["type", "libelle", "donnees"], "properties": {
        "type": {"type": "string", "enum": ["certification", "etablissement"]}, "libelle": texte(), "donnees": {"type": "boolean", "description": "Un document au moins est publié."},
        "diplome": texte_ou_null(), "uai": texte(), "region": region,
        "codes": liste(json!({"type": "object", "required": ["code", "type", "identifiant", "donnees"], "properties": {"code": texte(), "type": {"type": "string", "enum": ["CFD", "MEFSTAT11", "SISE"]}, "identifiant": {"type": "string", "description": "Le code tel que les routes le prennent."}, "donnees": {"type": "boolean"}}})),
        "rncp": liste(json!({"type": "string", "pattern": "^RNCP[0-9]{1,6}$", "description": "Fiche du répertoire national à laquelle mène la certification. Aucune route d’indicateurs ne le prend : en prendre un code."}))}});
    let objet = || json!({"type": "object"});
    json!({
        "Document": document,
        "Filieres": {"type": "object", "properties": {"pro": ref_schema("Filiere"), "apprentissage": ref_schema("Filiere")}},
        "Filiere": filiere,
        "DocumentOuFilieres": {"anyOf": [ref_schema("Document"), ref_schema("Filieres")]},
        "Pagination": pagination,
        "ListeCertifications": page("certifications", ref_schema("Document")),
        "ListeRegionales": page("regionales", ref_schema("Document")),
        "ListeFormations": page("formations", ref_schema("Document")),
        "ListeMaille": {"type": "object", "required": ["pagination"], "properties": {"pagination": ref_schema("Pagination")}, "additionalProperties": {"type": "array", "items": ref_schema("Document")}, "description": "Les lignes sont sous le nom de la maille."},
        "Mailles": {"type": "object", "required": ["mailles"], "properties": {"mailles": liste(json!({"type": "object", "required": ["nom", "libelle", "cle", "millesime", "millesimes"], "properties": {
            "nom": texte(), "libelle": texte(), "cle": {"type": "string", "description": "Le champ des documents qui porte le lieu."}, "millesime": {"type": "string", "description": "Celui en vigueur."}, "millesimes": liste(texte())}}))}},
        "ListeBcn": page("bcn", json!({"type": "object", "required": ["code_certification", "type"]})),
        "Erreur": erreur,
        "ErreurDeValidation": avec(json!({"properties": {"details": liste(faute)}})),
        "Absence": avec(json!({"properties": {"data": {"type": "object", "required": ["millesime", "millesimesDisponible"], "properties": {"millesime": texte(), "millesimesDisponible": {"type": "array", "items": texte(), "description": "Du plus récent au plus ancien."}}}}})),
        "Identifiants": {"type": "object", "required": ["username", "password"], "additionalProperties": false, "properties": {"username": {"type": "string", "minLength": 1}, "password": {"type": "string", "minLength": 1, "format": "password"}}},
        "Jeton": {"type": "object", "required": ["token"], "properties": {"token": texte()}},
        "Recherche": {"type": "object", "required": ["q", "approche", "resultats", "pagination"], "properties": {"q": texte(), "approche": {"type": "boolean"}, "resultats": liste(resultat), "pagination": ref_schema("Pagination")}},
        "LieuxDeCertification": {"type": "object", "required": ["identifiant"], "properties": {
            "identifiant": texte(), "code": texte(), "type": texte(), "libelle": texte_ou_null(), "diplome": texte_ou_null(), "code_formation_diplome": texte_ou_null(),
            "nationales": {"type": "object", "description": "Millésimes par filière, du plus récent au plus ancien."},
            "regions": liste(json!({"type": "object", "required": ["code", "nom", "millesimes", "etablissements"]})),
            "region": region, "etablissements": liste(json!({"type": "object", "required": ["uai", "libelle", "millesimes"]}))}},
        "LieuxDEtablissement": {"type": "object", "required": ["uai", "formations"], "properties": {"uai": texte(), "formations": liste(json!({"type": "object", "required": ["identifiant", "libelle", "filieres", "millesimes"]}))}},
        "Api": {"type": "object", "required": ["version", "env", "healthcheck"], "properties": {"version": texte(), "env": texte(), "healthcheck": objet()}},
        "Statut": {"type": "object", "required": ["version", "etat", "generation", "millesimes_en_vigueur", "documents", "imports"], "properties": {
            "version": texte(), "env": texte(), "etat": {"type": "string", "enum": ["ok", "vide", "indisponible"]}, "generation": texte_ou_null(), "generation_precedente": texte_ou_null(),
            "publication": {"type": ["object", "null"], "description": "Quand et d’où la génération en service a été faite."}, "millesimes_en_vigueur": objet(),
            "documents": {"type": "object", "description": "Nombre de documents par maille, millésime et provenance."}, "sous_seuil": {"type": "object", "description": "Documents aux chiffres masqués, par maille."},
            "imports": liste(objet())}},
        "Libre": objet(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemples() -> Map<String, Value> {
        serde_json::from_str(include_str!("../exemples.json")).unwrap_or_default()
    }

    #[test]
    fn the_file_is_what_this_module_writes() {
        let ecrit = serde_json::to_string_pretty(&document(&exemples())).unwrap_or_default() + "\n";
        let message = "run `cargo run -p pages --example openapi`";
        assert!(include_str!("../openapi.json") == ecrit, "{message}");
    }

    #[test]
    fn every_example_is_recorded_and_every_reference_resolves() {
        let exemples = exemples();
        for (nom, _) in EXEMPLES {
            assert!(exemples.contains_key(nom), "{nom}: run the tests of tests/pages with ENREGISTRER=1");
        }
        let document = document(&exemples);
        let texte = document.to_string();
        for reference in texte.split("\"$ref\":\"#").skip(1).filter_map(|r| r.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_error_of_the_api_has_its_place_on_the_page_of_errors() {
        use api::erreur::{self, Erreur};
        for erreur in [
            Erreur::Validation(Vec::new()),
            Erreur::Illisible(""),
            Erreur::NonAutorise,
            Erreur::Identifiants,
            Erreur::RouteInconnue,
            erreur::CERTIFICATION_INCONNUE,
            erreur::CERTIFICATIONS_INCONNUES,
            erreur::FORMATION_INCONNUE,
            erreur::ETABLISSEMENT_INCONNU,
            erreur::PAS_DE_DONNEES,
            erreur::MAILLE_INCONNUE,
            erreur::DONNEES_NON_DISPONIBLES,
            Erreur::Millesime { millesime: String::new(), disponibles: Vec::new() },
            Erreur::Conflit(String::new()),
            Erreur::TropGrand(String::new()),
            Erreur::Jeu,
            Erreur::Refuse(String::new()),
            Erreur::Indisponible,
        ] {
            assert!(ERREURS.iter().any(|e| e.ancre == erreur.ancre()), "{erreur:?}");
        }
    }
}
