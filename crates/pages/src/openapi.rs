//! The OpenAPI description of every public route: the one place where routes, parameters, answers
//! and errors are described. `cargo run -p pages --example openapi` writes `openapi.json` from it;
//! tests hold the file, the routes and the running application to each other.
//!
//! Examples are answers of the application on the sample data, recorded in `exemples.json`.
#![cfg(not(target_family = "wasm"))]

use crate::errors::ERRORS;
use crate::matching_openapi;
use api::search;
use domain::{PUBLICATION_THRESHOLD, indicator, territory};
use serde_json::{Map, Value, json};

/// What examples show: a name, and the path that is asked. The key, where one is needed, is the caller's.
pub const EXAMPLES: [(&str, &str); 24] = [
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
pub const PAGES: [&str; 5] = ["/", "/etat", "/api/doc", "/api/doc/erreurs", "/api/doc/appariement"];

fn ref_schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn parameter_ref(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

/// A recorded example.
fn example(examples: &Map<String, Value>, name: &str) -> Value {
    examples.get(name).cloned().unwrap_or_default()
}

struct Doc<'a> {
    examples: &'a Map<String, Value>,
}

impl Doc<'_> {
    fn content(&self, schema: &str, names: &[(&str, &str)]) -> Value {
        let mut shown = Map::new();
        for (name, resume) in names {
            shown.insert((*name).to_owned(), json!({"summary": resume, "value": example(self.examples, name)}));
        }
        json!({"schema": ref_schema(schema), "examples": shown})
    }

    /// The answer of an error, told by the table of errors.
    fn error(&self, anchors: &[&str], names: &[(&str, &str)]) -> Value {
        let rows: Vec<String> = ERRORS
            .iter()
            .filter(|e| anchors.contains(&e.anchor))
            .map(|e| format!("- **{}** : {} {}", e.message, e.cause, e.remedy))
            .collect();
        let schema = if anchors.contains(&"validation") || anchors.contains(&"recherche") {
            "ErreurDeValidation"
        } else if anchors.contains(&"millesime") {
            "Absence"
        } else {
            "Erreur"
        };
        let mut content = self.content(schema, names);
        if names.is_empty()
            && let Some(object) = content.as_object_mut()
        {
            object.remove("examples");
        }
        let links = json!({"description": "Où lire la cause (rel=\"help\"), et où chercher le bon code (rel=\"search\").", "schema": {"type": "string"}});
        json!({"description": rows.join("\n"), "headers": {"Link": links}, "content": {"application/json": content}})
    }

    fn unavailable(&self) -> Value {
        let mut response = self.error(&["indisponible"], &[]);
        if let Some(headers) = response.get_mut("headers").and_then(Value::as_object_mut) {
            let after =
                json!({"description": "Secondes à attendre.", "schema": {"type": "string", "pattern": "^[0-9]+$"}});
            headers.insert("Retry-After".into(), after);
        }
        response
    }

    /// A list.
    fn list(&self, label: &str, title: &str, schema: &str, name: &str, parameters: &[Value]) -> Value {
        let common = ["items_par_page", "page", "ext"].map(parameter_ref);
        let parameters: Vec<Value> = parameters.iter().cloned().chain(common).collect();
        let links = json!({"description": "Pages suivante (rel=\"next\") et précédente (rel=\"prev\"), absentes s’il n’y en a pas.", "schema": {"type": "string"}});
        json!({"get": {
            "tags": [label], "summary": title, "operationId": name,
            "description": "L’ordre des lignes est stable : qui suit les pages lit chaque ligne une fois. Une page au-delà de la fin est vide. Le format se choisit aussi par l’extension du chemin (`.json`, `.csv`, `.ndjson`). CSV : séparateur `;`, une valeur masquée s’écrit `null`, une valeur inconnue est vide.",
            "security": [{"cle": []}, {"cleEnQuery": []}, {"jeton": []}],
            "parameters": parameters,
            "responses": {
                "200": {"description": "Une page de la liste.", "headers": {"Link": links}, "content": {
                    "application/json": self.content(schema, &[(name, "Jeu d’exemple (données fictives)")]),
                    "text/csv": {"schema": {"type": "string"}},
                    "application/x-ndjson": {"schema": {"type": "string"}},
                }},
                "400": self.error(&["validation"], &[]),
                "401": self.error(&["non-autorise"], &[]),
                "503": self.unavailable(),
            },
        }})
    }

    /// One document, and its image.
    fn document(&self, route: &DescribedRoute<'_>) -> [(String, Value); 2] {
        let parameters = |names: &[&str]| -> Vec<Value> {
            route.path.iter().chain(names).chain(route.view.then_some(&"vue")).map(|n| parameter_ref(n)).collect()
        };
        let not_found = self.error(route.absences, route.examples_404);
        let schema = if route.view { "DocumentOuFilieres" } else { "Document" };
        let etag = json!({"description": "Empreinte du contenu ; à renvoyer dans If-None-Match pour recevoir 304 quand rien n’a changé.", "schema": {"type": "string"}});
        let cache = json!({"description": "`public, max-age=600` au plus : une publication se voit dans les dix minutes.", "schema": {"type": "string"}});
        let headers = json!({"ETag": etag, "Cache-Control": cache});
        let json = json!({"get": {
            "tags": ["Un document"], "summary": route.title, "operationId": route.name, "description": route.text,
            "security": [],
            "parameters": parameters(&["millesime", "universe"]),
            "responses": {
                "200": {"description": "Le document.", "headers": headers, "content": {"application/json": self.content(schema, route.examples_200)}},
                "304": {"description": "Inchangé depuis la réponse dont l’ETag est renvoyé."},
                "400": self.error(&["validation", "illisible"], &[("certification-validation", "Code mal formé")]),
                "404": not_found.clone(),
                "503": self.unavailable(),
            },
        }});
        let svg = json!({"get": {
            "tags": ["Image à intégrer"], "summary": format!("{}, en image SVG", route.title), "operationId": format!("{}-image", route.name),
            "description": "Trois parts : en emploi à 6 mois, en formation, autres situations. `title` et `desc` portent le titre et la description, pour les lecteurs d’écran.",
            "security": [],
            "parameters": parameters(&["millesime", "universe", "theme", "direction", "imageOnError"]),
            "responses": {
                "200": {"description": "L’image.", "headers": headers, "content": {"image/svg+xml": {"schema": {"type": "string"}}}},
                "304": {"description": "Inchangée."},
                "400": self.error(&["validation", "illisible"], &[]),
                "404": not_found,
                "503": self.unavailable(),
            },
        }});
        [(route.template.to_owned(), json), (format!("{}.svg", route.template), svg)]
    }
}

struct DescribedRoute<'a> {
    template: &'a str,
    name: &'a str,
    title: &'a str,
    text: &'a str,
    path: &'a [&'a str],
    view: bool,
    absences: &'a [&'a str],
    examples_200: &'a [(&'a str, &'a str)],
    examples_404: &'a [(&'a str, &'a str)],
}

/// The whole description.
#[must_use]
pub fn document(examples: &Map<String, Value>) -> Value {
    let doc = Doc { examples };
    let mut paths = Map::new();
    for route in [
        DescribedRoute {
            template: "/api/inserjeunes/certifications/{codes}",
            name: "certification",
            title: "Indicateurs nationaux d’une certification",
            text: "Sans millésime, le dernier de la filière du code. Plusieurs codes, ou `vue=filieres` : voie scolaire et apprentissage côte à côte, effectifs sommés et taux recalculés par CFD. Une année non terminale répond par son année terminale, ou par la liste de ses années terminales.",
            path: &["codes"],
            view: true,
            absences: &["certification-inconnue", "millesime", "donnees-non-disponibles"],
            examples_200: &[
                ("certification", "Un CFD"),
                ("certification-superieur", "Un code SISE"),
                ("filieres", "La vue par filière"),
            ],
            examples_404: &[
                ("certification-inconnue", "Code inconnu"),
                ("certification-millesime", "Millésime sans données"),
            ],
        },
        DescribedRoute {
            template: "/api/inserjeunes/regionales/{region}/certifications/{codes}",
            name: "regionale",
            title: "Indicateurs d’une certification dans une région",
            text: "Sans millésime, la dernière période. Comme au niveau national, sans les salaires.",
            path: &["region", "codes"],
            view: true,
            absences: &[
                "formation-inconnue",
                "pas-de-donnees",
                "certification-inconnue",
                "millesime",
                "donnees-non-disponibles",
            ],
            examples_200: &[("regionale", "La Réunion")],
            examples_404: &[("regionale-pas-de-donnees", "Rien dans cette région")],
        },
        DescribedRoute {
            template: "/api/inserjeunes/mailles/{maille}/{lieu}/certifications/{codes}",
            name: "maille-certification",
            title: "Indicateurs d’une certification dans un lieu d’une maille déclarée",
            text: "Sans millésime, le dernier de la maille. Comme en région.",
            path: &["maille", "lieu", "codes"],
            view: true,
            absences: &[
                "maille-inconnue",
                "formation-inconnue",
                "pas-de-donnees",
                "millesime",
                "donnees-non-disponibles",
            ],
            examples_200: &[("maille-certification", "Une académie")],
            examples_404: &[],
        },
        DescribedRoute {
            template: "/api/inserjeunes/formations/{uai}-{code_certification}",
            name: "formation",
            title: "Indicateurs d’une formation dans un établissement",
            text: "Sans millésime, la dernière année de la filière, sous l’une ou l’autre écriture : `2023` trouve aussi `2022_2023`.",
            path: &["uai", "code_certification"],
            view: false,
            absences: &["formation-inconnue", "etablissement-inconnu", "millesime", "donnees-non-disponibles"],
            examples_200: &[
                ("formation", "Données venant du formateur"),
                ("formation-sous-seuil", "Groupe de moins de 20 jeunes : chiffres masqués"),
            ],
            examples_404: &[("formation-etablissement-inconnu", "UAI inconnu")],
        },
    ] {
        paths.extend(doc.document(&route));
    }
    let p = |names: &[&str]| -> Vec<Value> { names.iter().map(|n| parameter_ref(n)).collect() };
    for (path, title, schema, name, names) in [
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
        paths.insert(path.into(), doc.list("Listes", title, schema, name, &p(names)));
    }
    for (path, title, name, names) in [
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
        let mut operation = doc.list("Listes", title, "ListeMaille", name, &p(names));
        if let Some(answers) = operation.pointer_mut("/get/responses").and_then(Value::as_object_mut) {
            answers.insert("404".into(), doc.error(&["maille-inconnue"], &[]));
        }
        paths.insert(path.into(), operation);
    }
    paths.insert("/api/inserjeunes/mailles".into(), mailles(&doc));
    paths.insert("/api/inserjeunes/auth/login".into(), connection(&doc));
    paths.extend(searches(&doc));
    paths.extend(matching_openapi::paths());
    paths.insert("/api".into(), simple("Service", "version", "Version, environnement, santé", "Api"));
    let mut status = simple("Service", "statut", "Ce qui est publié, depuis quand, d’où", "Statut");
    if let Some(answers) = status.get_mut("get").and_then(|g| g.get_mut("responses")).and_then(Value::as_object_mut) {
        let content = json!({"application/json": {"schema": ref_schema("Statut")}});
        answers.insert("503".into(), json!({"description": "Le magasin de données ne répond pas ; « etat » vaut « indisponible ».", "content": content}));
    }
    paths.insert("/api/status".into(), status);
    paths.insert("/api/doc/openapi.json".into(), simple("Service", "openapi", "Cette description", "Libre"));
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
            matching_openapi::tag(),
            {"name": "Listes", "description": "Tout, par pages ou en un fichier, avec une clé."},
            {"name": "Accès", "description": "Un jeton pour un compte."},
            {"name": "Service", "description": "Version, état, description."},
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "cle": {"type": "apiKey", "in": "header", "name": "x-api-key", "description": "Clé, ou jeton."},
                "cleEnQuery": {"type": "apiKey", "in": "query", "name": "apiKey", "description": "La même, dans l’adresse ; elle n’entre dans aucun journal."},
                "jeton": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Jeton de POST /api/inserjeunes/auth/login, valable un jour."},
            },
            "parameters": parameters(),
            "schemas": schemas(),
        },
    })
}

const INTRODUCTION: &str = "\
Indicateurs d’insertion et de poursuite d’études après une formation, par certification, région, établissement, et par les mailles que les services statistiques ajoutent.

**Seuil de publication.** Là où `nb_annee_term` est inférieur à 20, tous les autres effectifs (`nb_*`) et tous les taux (`taux_*`) valent `null`, et `_meta.messages` le dit : cela protège les personnes. Il en va de même d’une somme (vue par filière) d’où un tel groupe se déduirait.

**null et absence.** `null` : masqué par le seuil, ou non calculable. Champ absent : inconnu de la source.

**Unités.** Effectifs : nombres de jeunes. Taux : pourcentages entiers de 0 à 100, arrondis au pair le plus proche. Salaires : euros nets par mois, équivalent temps plein, douze mois après la sortie, nationaux seulement.

**Sources.** Secondaire (filières apprentissage, pro, agricole) : InserJeunes, DEPP et DARES. Supérieur : InserSup, SIES.

**Codes.** CFD (8 caractères, apprentissage), MEFSTAT11 (11 caractères, voie scolaire), SISE avec son préfixe (`SISE:2599901`, supérieur). Les préfixes `CFD:` et `MEFSTAT11:` sont acceptés. RNCP : se cherche par `/api/recherche`, qui donne les codes à employer.

**Millésimes.** Une année (`2023`) au niveau national, une période de deux ans (`2022_2023`) en région et par établissement.

**Cache.** Les documents portent un ETag et se gardent dix minutes ; une requête avec `If-None-Match` reçoit 304.

Les erreurs et leurs causes : [/api/doc/erreurs](/api/doc/erreurs). L’explorateur : [/](/). L’état : [/etat](/etat).";

fn simple(label: &str, name: &str, title: &str, schema: &str) -> Value {
    json!({"get": {"tags": [label], "summary": title, "operationId": name, "security": [], "responses": {
        "200": {"description": title, "content": {"application/json": {"schema": ref_schema(schema)}}},
    }}})
}

fn mailles(doc: &Doc<'_>) -> Value {
    json!({"get": {
        "tags": ["Un document"], "summary": "Les mailles déclarées", "operationId": "mailles", "security": [],
        "description": "Au-delà du pays, de la région et de l’établissement : les mailles pour lesquelles un service statistique a livré des données, le champ qui porte leur lieu (`cle`), leurs millésimes.",
        "responses": {
            "200": {"description": "Les mailles, par nom ; aucune est une réponse.", "content": {"application/json": doc.content("Mailles", &[("mailles", "Jeu d’exemple (données fictives)")])}},
            "304": {"description": "Inchangé."},
            "400": doc.error(&["validation", "illisible"], &[]),
            "503": doc.unavailable(),
        },
    }})
}

fn connection(doc: &Doc<'_>) -> Value {
    let body = json!({"schema": ref_schema("Identifiants"), "example": {"username": "mon-application", "password": "Mot2passe!"}});
    json!({"post": {
        "tags": ["Accès"], "summary": "Un jeton pour un compte", "operationId": "connexion", "security": [],
        "description": "Le jeton vaut un jour, dans `Authorization: Bearer`, `x-api-key` ou `apiKey=`.",
        "requestBody": {"required": true, "content": {"application/json": body.clone(), "application/x-www-form-urlencoded": body}},
        "responses": {
            "200": {"description": "Le jeton.", "content": {"application/json": {"schema": ref_schema("Jeton")}}},
            "400": doc.error(&["validation", "illisible"], &[]),
            "401": doc.error(&["identifiants"], &[]),
            "429": doc.error(&["trop-de-connexions"], &[]),
            "413": doc.error(&["trop-grand"], &[]),
            "415": doc.error(&["jeu-de-caracteres"], &[]),
            "503": doc.unavailable(),
        },
    }})
}

fn searches(doc: &Doc<'_>) -> Vec<(String, Value)> {
    let q = json!({"name": "q", "in": "query", "required": true, "description": "Des mots (sans égard à la casse et aux accents, le début d’un mot suffit), un CFD, un MEFSTAT11, un code SISE, un code RNCP (`RNCP38430`, ou son numéro s’il ne commence aucun autre code) ou un UAI, même incomplets. Les cinq mots les plus longs comptent.", "schema": {"type": "string", "minLength": 1, "maxLength": search::Q_MAX}, "example": "accueil"});
    let kind = json!({"name": "type", "in": "query", "description": "Sans lui, les deux.", "schema": {"type": "string", "enum": ["certification", "etablissement"]}});
    let page = json!({"name": "page", "in": "query", "description": "À partir de 1.", "schema": {"type": "integer", "minimum": 1, "maximum": search::PAGE_MAX, "default": 1}});
    let region = json!({"name": "region", "in": "query", "description": "Code INSEE d’une région : la réponse donne alors ses établissements.", "schema": {"type": "string", "enum": codes_region()}});
    let operation = |name: &str,
                     title: &str,
                     text: &str,
                     parameters: Value,
                     schema: &str,
                     examples: &[(&str, &str)],
                     absent: bool| {
        let mut answers = json!({
            "200": {"description": title, "content": {"application/json": doc.content(schema, examples)}},
            "304": {"description": "Inchangé."},
            "400": doc.error(&["recherche", "illisible"], &[]),
            "503": doc.unavailable(),
        });
        if absent && let Some(object) = answers.as_object_mut() {
            object.insert("404".into(), doc.error(&["pas-de-donnees"], &[]));
        }
        json!({"get": {"tags": ["Recherche"], "summary": title, "operationId": name, "description": text, "security": [], "parameters": parameters, "responses": answers}})
    };
    vec![
        (
            "/api/recherche".into(),
            operation(
                "recherche",
                "Chercher une certification ou un établissement",
                "Dix résultats par page : ce qui a des données d’abord, puis ce qui correspond le mieux, puis par libellé. `approche` vaut vrai quand rien ne correspond à tous les mots : les résultats sont alors les plus proches.",
                json!([q, kind, page]),
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
                json!([parameter_ref("code_certification"), region]),
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
                json!([parameter_ref("uai")]),
                "LieuxDEtablissement",
                &[("recherche-etablissement", "Jeu d’exemple (données fictives)")],
                true,
            ),
        ),
    ]
}

fn codes_region() -> Vec<&'static str> {
    territory::REGIONS.iter().map(|r| r.code).collect()
}

const CFD: &str = "(CFD:)?[0-9A-Z]{8}";
const MEF: &str = "(MEFSTAT11:)?[0-9A-Z]{11}";
const SISE: &str = "SISE:[A-Z0-9]{7}";
const MILLESIME: &str = "[0-9]{4}(_[0-9]{4})?";
const UAI: &str = "[0-9]{7}[A-Z]";

fn parameters() -> Value {
    let code = format!("^({CFD}|{MEF}|{SISE})$");
    let codes = format!("^({CFD}|{MEF}|{SISE})([,|]({CFD}|{MEF}|{SISE}))*$");
    let list = |pattern: &str| format!("^{pattern}([,|]{pattern})*$");
    let path = |name: &str, text: &str, schema: Value, example: &str| json!({"name": name, "in": "path", "required": true, "description": text, "schema": schema, "example": example});
    let query = |name: &str, text: &str, schema: Value| json!({"name": name, "in": "query", "description": text, "schema": schema});
    let academies: Vec<&str> = territory::REGIONS.iter().flat_map(|r| r.academies).map(|a| a.code).collect();
    let regions = codes_region();
    json!({
        "codes": path("codes", "Un code de certification, ou plusieurs séparés par « , » ou « | » : CFD (8 caractères), MEFSTAT11 (11), SISE avec son préfixe.", json!({"type": "string", "pattern": codes}), "40099011"),
        "code_certification": path("code_certification", "CFD (8 caractères), MEFSTAT11 (11), ou SISE avec son préfixe.", json!({"type": "string", "pattern": code}), "01099051"),
        "uai": path("uai", "UAI : sept chiffres et une lettre majuscule.", json!({"type": "string", "pattern": format!("^{UAI}$")}), "9749801K"),
        "maille": path("maille", "Nom d’une maille déclarée : /api/inserjeunes/mailles les donne.", json!({"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,15}$"}), "academies"),
        "lieu": path("lieu", "Lieu de la maille : la valeur de sa clé.", json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,20}$"}), "10"),
        "region": path("region", "Code INSEE d’une région, ou un code postal, ramené à sa région.", json!({"type": "string", "enum": regions}), "11"),
        "millesime": query("millesime", "Année (2023) ou période (2022_2023). Sans lui, celui en vigueur. Une période ne peut pas finir avant de commencer.", json!({"type": "string", "pattern": format!("^{MILLESIME}$")})),
        "millesimes": query("millesimes", "Plusieurs, séparés par « , » ou « | ». Sans lui, ceux en vigueur. Sur les formations, 2023 trouve aussi 2022_2023 et inversement.", json!({"type": "string", "pattern": list(MILLESIME)})),
        "code_certifications": query("code_certifications", "Plusieurs codes, séparés par « , » ou « | » ; un seul code invalide refuse la liste.", json!({"type": "string", "pattern": codes})),
        "universe": query("universe", "« secondaire » pour des CFD et MEFSTAT11 ou sans code, « superieur » pour des codes SISE ; sur une formation, « secondaire » seulement.", json!({"type": "string", "enum": ["secondaire", "superieur"]})),
        "regions": query("regions", "Codes INSEE de régions ou codes postaux, séparés par « , » ou « | ».", json!({"type": "string", "pattern": list(&format!("({})", regions.join("|")))})),
        "academies": query("academies", "Codes d’académies, séparés par « , » ou « | ».", json!({"type": "string", "pattern": list(&format!("({})", academies.join("|")))})),
        "lieux": query("lieux", "Lieux de la maille, séparés par « , » ou « | ».", json!({"type": "string", "pattern": list("[A-Za-z0-9_-]{1,20}")})),
        "uais": query("uais", "UAI, séparés par « , » ou « | ».", json!({"type": "string", "pattern": list(UAI)})),
        "page": query("page", "À partir de 1 ; 0 vaut 1.", json!({"type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64, "default": 1})),
        "items_par_page": query("items_par_page", "Lignes par page : au plus 10 000 en JSON, 1 000 000 en CSV et NDJSON ; 0 vaut 10.", json!({"type": "integer", "minimum": 0, "maximum": 10_000, "default": 10})),
        "ext": query("ext", "Le format ; l’extension du chemin l’emporte.", json!({"type": "string", "enum": ["json", "csv", "ndjson"]})),
        "vue": query("vue", "Voie scolaire et apprentissage côte à côte, par CFD.", json!({"type": "string", "enum": ["filieres"]})),
        "theme": query("theme", "L’habillage de l’image.", json!({"type": "string", "enum": ["dsfr", "lba"], "default": "dsfr"})),
        "direction": query("direction", "Le sens de l’image.", json!({"type": "string", "enum": ["vertical", "horizontal"], "default": "vertical"})),
        "imageOnError": query("imageOnError", "Quand il n’y a rien à dessiner : « false » l’erreur, « true » une image qui le dit, « empty » une image vide.", json!({"type": "string", "enum": ["false", "true", "empty"], "default": "false"})),
    })
}

fn description(field: &str) -> String {
    let threshold = format!("null si nb_annee_term est inférieur à {PUBLICATION_THRESHOLD}.");
    match field {
        "nb_annee_term" => "Jeunes en dernière année de la formation. Toujours publié.".into(),
        "nb_sortant" => format!("Ceux d’entre eux qui ne poursuivent pas d’études. {threshold}"),
        "nb_poursuite_etudes" => format!("Ceux qui poursuivent des études ou une formation. {threshold}"),
        "nb_diplome" => format!("Ceux qui ont obtenu le diplôme (supérieur). {threshold}"),
        "taux_en_formation" => format!("Part, en %, des jeunes en études ou en formation. {threshold}"),
        "taux_rupture_contrats" => format!("Part, en %, des contrats d’apprentissage rompus. {threshold}"),
        _ => {
            let month = domain::indicator::DELAYS.iter().find(|d| field.contains(&format!("_{d}_mois")));
            let month = month.map_or(String::new(), u8::to_string);
            if field.starts_with("salaire_") {
                let quartile = field.rsplit('q').next().unwrap_or_default();
                format!(
                    "{quartile}ᵉ quartile (2 : médiane) du salaire net mensuel en équivalent temps plein, en euros, {month} mois après la sortie. National seulement ; non soumis au seuil."
                )
            } else if field.starts_with("nb_en_emploi") {
                format!("Jeunes en emploi salarié {month} mois après la sortie. {threshold}")
            } else if field.starts_with("taux_en_emploi") {
                format!("Part, en %, des jeunes en emploi salarié {month} mois après la sortie. {threshold}")
            } else {
                format!(
                    "Part, en %, des autres situations (ni emploi salarié, ni formation) {month} mois après la sortie : 100 moins les deux autres, jamais négative. {threshold}"
                )
            }
        }
    }
}

fn schemas() -> Value {
    let text = || json!({"type": "string"});
    let text_or_null = || json!({"type": ["string", "null"]});
    let list = |items: Value| json!({"type": "array", "items": items});
    let mut fields = Map::new();
    for (name, schema) in [
        ("uai", text()),
        ("libelle_etablissement", text_or_null()),
        ("maille", json!({"type": "string", "description": "Sur une maille déclarée : son nom."})),
        ("lieu", json!({"type": "string", "description": "Sur une maille déclarée : le lieu, valeur de sa clé."})),
        ("millesime", json!({"type": "string", "pattern": format!("^{MILLESIME}$")})),
        ("code_certification", text()),
        ("code_certification_type", text_or_null()),
        ("code_formation_diplome", text_or_null()),
        ("libelle", text_or_null()),
        ("libelle_ancien", text_or_null()),
        ("filiere", json!({"type": "string", "enum": ["agricole", "apprentissage", "pro", "superieur"]})),
        ("date_fermeture", text_or_null()),
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
        ("uai_donnee", text_or_null()),
        (
            "uai_donnee_type",
            json!({"type": ["string", "null"], "description": "Rôle de l’établissement d’où viennent les chiffres."}),
        ),
        (
            "_meta",
            json!({"type": "object", "description": "titre, details, et messages : pourquoi un chiffre manque, ou d’où il vient.", "properties": {"titre": text(), "details": text(), "messages": list(text())}}),
        ),
    ] {
        fields.insert(name.into(), schema);
    }
    for field in indicator::HEADCOUNTS.iter().chain([&indicator::NB_DIPLOME]) {
        fields.insert(
            (*field).into(),
            json!({"type": ["integer", "null"], "minimum": 0, "description": description(field)}),
        );
    }
    for field in indicator::RATES {
        fields.insert(
            field.into(),
            json!({"type": ["number", "null"], "minimum": 0, "maximum": 100, "description": description(field)}),
        );
    }
    for field in indicator::WAGES {
        fields
            .insert(field.into(), json!({"type": ["number", "null"], "minimum": 0, "description": description(field)}));
    }
    let document = json!({"type": "object", "required": ["millesime", "code_certification", "filiere", "formation_fermee"], "properties": fields});
    let pagination = json!({"type": "object", "required": ["page", "items_par_page", "nombre_de_page", "total"], "properties": {
        "page": {"type": "integer"}, "items_par_page": {"type": "integer"}, "nombre_de_page": {"type": "integer", "minimum": 1}, "total": {"type": "integer", "minimum": 0}}});
    let page = |name: &str, items: Value| json!({"type": "object", "required": [name, "pagination"], "properties": {name: {"type": "array", "items": items}, "pagination": ref_schema("Pagination")}});
    let filiere = json!({"type": "object", "required": ["filiere", "millesime"], "properties": {"filiere": text(), "millesime": text(), "codes_certifications": list(text()), "codes_formation_diplome": list(text())}});
    let error = json!({"type": "object", "required": ["statusCode", "error", "message"], "properties": {
        "statusCode": {"type": "integer"}, "error": text(), "message": text(), "aide": {"type": "string", "description": "Ce qui serait juste (routes de recherche)."}}});
    let with = |rest: Value| json!({"allOf": [ref_schema("Erreur"), rest]});
    let fault = json!({"type": "object", "required": ["message", "path", "type"], "properties": {"message": text(), "path": {"type": "array"}, "type": text(), "context": {"type": "object"}}});
    let region = json!({"type": ["object", "null"], "properties": {"code": text(), "nom": text()}});
    let outcome = json!({"type": "object", "required": ["type", "libelle", "donnees"], "properties": {
        "type": {"type": "string", "enum": ["certification", "etablissement"]}, "libelle": text(), "donnees": {"type": "boolean", "description": "Un document au moins est publié."},
        "diplome": text_or_null(), "uai": text(), "region": region,
        "codes": list(json!({"type": "object", "required": ["code", "type", "identifiant", "donnees"], "properties": {"code": text(), "type": {"type": "string", "enum": ["CFD", "MEFSTAT11", "SISE"]}, "identifiant": {"type": "string", "description": "Le code tel que les routes le prennent."}, "donnees": {"type": "boolean"}}})),
        "rncp": list(json!({"type": "string", "pattern": "^RNCP[0-9]{1,6}$", "description": "Fiche du répertoire national à laquelle mène la certification. Aucune route d’indicateurs ne le prend : en prendre un code."}))}});
    let object = || json!({"type": "object"});
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
        "Mailles": {"type": "object", "required": ["mailles"], "properties": {"mailles": list(json!({"type": "object", "required": ["nom", "libelle", "cle", "millesime", "millesimes"], "properties": {
            "nom": text(), "libelle": text(), "cle": {"type": "string", "description": "Le champ des documents qui porte le lieu."}, "millesime": {"type": "string", "description": "Celui en vigueur."}, "millesimes": list(text())}}))}},
        "ListeBcn": page("bcn", json!({"type": "object", "required": ["code_certification", "type"]})),
        "Erreur": error,
        "ErreurDeValidation": with(json!({"properties": {"details": list(fault)}})),
        "Absence": with(json!({"properties": {"data": {"type": "object", "required": ["millesime", "millesimesDisponible"], "properties": {"millesime": text(), "millesimesDisponible": {"type": "array", "items": text(), "description": "Du plus récent au plus ancien."}}}}})),
        "Identifiants": {"type": "object", "required": ["username", "password"], "additionalProperties": false, "properties": {"username": {"type": "string", "minLength": 1}, "password": {"type": "string", "minLength": 1, "format": "password"}}},
        "Jeton": {"type": "object", "required": ["token"], "properties": {"token": text()}},
        "Recherche": {"type": "object", "required": ["q", "approche", "resultats", "pagination"], "properties": {"q": text(), "approche": {"type": "boolean"}, "resultats": list(outcome), "pagination": ref_schema("Pagination")}},
        "LieuxDeCertification": {"type": "object", "required": ["identifiant"], "properties": {
            "identifiant": text(), "code": text(), "type": text(), "libelle": text_or_null(), "diplome": text_or_null(), "code_formation_diplome": text_or_null(),
            "nationales": {"type": "object", "description": "Millésimes par filière, du plus récent au plus ancien."},
            "regions": list(json!({"type": "object", "required": ["code", "nom", "millesimes", "etablissements"]})),
            "region": region, "etablissements": list(json!({"type": "object", "required": ["uai", "libelle", "millesimes"]}))}},
        "LieuxDEtablissement": {"type": "object", "required": ["uai", "formations"], "properties": {"uai": text(), "formations": list(json!({"type": "object", "required": ["identifiant", "libelle", "filieres", "millesimes"]}))}},
        "Api": {"type": "object", "required": ["version", "env", "healthcheck"], "properties": {"version": text(), "env": text(), "healthcheck": object()}},
        "Statut": {"type": "object", "required": ["version", "etat", "generation", "millesimes_en_vigueur", "documents", "imports"], "properties": {
            "version": text(), "env": text(), "etat": {"type": "string", "enum": ["ok", "vide", "indisponible"]}, "generation": text_or_null(), "generation_precedente": text_or_null(),
            "publication": {"type": ["object", "null"], "description": "Quand et d’où la génération en service a été faite."}, "millesimes_en_vigueur": object(),
            "documents": {"type": "object", "description": "Nombre de documents par maille, millésime et provenance."}, "sous_seuil": {"type": "object", "description": "Documents aux chiffres masqués, par maille."},
            "imports": list(object())}},
        "Libre": object(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Map<String, Value> {
        serde_json::from_str(include_str!("../exemples.json")).unwrap_or_default()
    }

    #[test]
    fn the_file_is_what_this_module_writes() {
        let written = serde_json::to_string_pretty(&document(&examples())).unwrap_or_default() + "\n";
        let message = "run `cargo run -p pages --example openapi`";
        assert!(include_str!("../openapi.json") == written, "{message}");
    }

    #[test]
    fn every_example_is_recorded_and_every_reference_resolves() {
        let examples = examples();
        for (name, _) in EXAMPLES {
            assert!(examples.contains_key(name), "{name}: run the tests of tests/pages with ENREGISTRER=1");
        }
        let document = document(&examples);
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|r| r.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_error_of_the_api_has_its_place_on_the_page_of_errors() {
        use api::error::{ApiError, NotFound};
        for error in [
            ApiError::Validation(Vec::new()),
            ApiError::Unreadable(""),
            ApiError::Unauthorized,
            ApiError::Credentials,
            ApiError::UnknownRoute,
            ApiError::Millesime { millesime: String::new(), available: Vec::new() },
            ApiError::Conflict(String::new()),
            ApiError::TooLarge(String::new()),
            ApiError::Charset,
            ApiError::Refused(String::new()),
            ApiError::Unavailable,
        ]
        .into_iter()
        .chain(NotFound::ALL.map(ApiError::NotFound))
        {
            assert!(ERRORS.iter().any(|e| e.anchor == error.anchor()), "{error:?}");
        }
    }
}
