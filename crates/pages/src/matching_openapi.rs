//! The part of the OpenAPI description that is about matching catalogues.
#![cfg(not(target_family = "wasm"))]

use matching::Nomenclatures;
use matching::row::Column;
use serde_json::{Value, json};

/// The tag of these routes.
pub fn tag() -> Value {
    json!({"name": "Appariement", "description": "Un catalogue de formations (Parcoursup, Affelnet, Onisep…) vers les codes et les indicateurs, ligne par ligne, avec une seule raison par ligne. Rien du catalogue n’est conservé."})
}

fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

fn options() -> Vec<Value> {
    let text = || json!({"type": "string"});
    vec![
        query(
            "date_campagne",
            "Date de la campagne ; sans elle, le 31 août de l’année.",
            json!({"type": "string", "format": "date"}),
        ),
        query(
            "millesime",
            "Un autre millésime que les derniers : une année ou une période.",
            json!({"type": "string", "pattern": "^[0-9]{4}(_[0-9]{4})?$"}),
        ),
        query(
            "blocs",
            "Blocs de colonnes, séparés par des virgules ; sans lui, tous.",
            json!({"type": "string", "example": "insertion,salaire"}),
        ),
        query(
            "colonnes",
            "`retenues` : la clé et les colonnes ajoutées seulement.",
            json!({"type": "string", "enum": ["retenues"]}),
        ),
        query(
            "voie",
            "Pour une ligne sans APPRENTISSAGEOUSCOLAIRE ; sans lui, Scolaire.",
            json!({"type": "string", "enum": ["Scolaire", "Apprentissage"]}),
        ),
    ]
    .into_iter()
    .chain([query(
        "explication",
        "1 : tous les candidats, et pourquoi chacun est écarté (une ligne seulement).",
        text(),
    )])
    .collect()
}

fn batch_options() -> Vec<Value> {
    let mut options = options();
    options.extend([
        query("cle", "La colonne qui tient lieu de CODEFORMATIONACCUEIL.", json!({"type": "string"})),
        query(
            "a_partir",
            "Numéro de la première ligne à rendre, à partir de 1.",
            json!({"type": "integer", "minimum": 1, "default": 1}),
        ),
        query(
            "generation",
            "Celle de l’en-tête X-Generation d’une première réponse ; 409 si elle n’est plus servie.",
            json!({"type": "string"}),
        ),
    ]);
    options
}

/// The columns of one row, in lower case.
fn columns() -> Vec<Value> {
    let nomenclatures = Nomenclatures::default();
    let names = Column::ALL.iter().map(|column| column.name());
    names
        .chain(nomenclatures.identifiers().iter().map(|one| one.source.0))
        .map(|name| {
            query(
                &name.to_ascii_lowercase(),
                &format!("La colonne {name} du catalogue."),
                json!({"type": "string", "maxLength": 4096}),
            )
        })
        .collect()
}

fn error(description: &str) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Erreur"}}}})
}

fn json_answer(description: &str) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Libre"}}}})
}

fn get(name: &str, title: &str, text: &str, parameters: Vec<Value>, absent: bool) -> Value {
    let mut answers = json!({
        "200": json_answer(title),
        "304": {"description": "Inchangé."},
        "400": error("Un paramètre est inconnu, répété ou mal formé : « aide » dit ce qui est accepté."),
        "503": error("Les données ne peuvent pas être lues pour l’instant, ou ne sont pas encore publiées."),
    });
    if absent && let Some(object) = answers.as_object_mut() {
        object.insert("404".into(), error("L’établissement n’est ni dans ACCE ni dans les statistiques."));
    }
    json!({"tags": ["Appariement"], "summary": title, "operationId": name, "description": text, "security": [], "parameters": parameters, "responses": answers})
}

fn post(name: &str, title: &str, text: &str, streamed: bool) -> Value {
    let schema = json!({"schema": {"type": "string"}});
    let mut rows = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Libre"}}});
    if streamed {
        rows = json!({"text/csv": schema, "application/x-ndjson": schema});
    }
    json!({
        "tags": ["Appariement"], "summary": title, "operationId": name, "description": text,
        "security": [{"cle": []}, {"cleEnQuery": []}, {"jeton": []}],
        "parameters": batch_options(),
        "requestBody": {"required": true, "content": {"text/csv": schema, "application/json": schema, "application/x-ndjson": schema}},
        "responses": {
            "200": {"description": title, "headers": {"X-Generation": {"description": "La génération qui répond : à renvoyer dans `generation` pour reprendre.", "schema": {"type": "string"}}}, "content": rows},
            "400": error("Le fichier n’a pas sa colonne clé (le message nomme celles qu’il a), il est vide ou n’est pas du texte, ou un paramètre est faux."),
            "401": error("La clé manque ou est inconnue."),
            "409": error("La génération demandée n’est plus servie : reprendre à la première ligne."),
            "413": error("La première ligne dépasse 64 Kio."),
            "415": error("Un encodage qui n’est ni UTF-8 ni ISO-8859-1."),
            "503": error("Deux catalogues sont déjà en cours ici, ou les données ne peuvent pas être lues : réessayer après Retry-After."),
        },
    })
}

/// The routes.
pub fn paths() -> Vec<(String, Value)> {
    let row: Vec<Value> = columns().into_iter().chain(options()).collect();
    let catalogue = "Une ligne par formation, colonnes au nom de celles de Parcoursup, toutes facultatives sauf la clé. CSV (`;` ou `,`, UTF-8 ou ISO-8859-1), tableau JSON ou un objet par ligne.";
    let suggestions = vec![
        json!({"name": "uai", "in": "path", "required": true, "schema": {"type": "string", "pattern": "^[0-9]{7}[A-Z]$"}}),
        query(
            "rncp",
            "Une fiche du répertoire national : ce à quoi elle mène vient d’abord.",
            json!({"type": "string"}),
        ),
        query("ideo", "Un identifiant de l’Onisep : ce à quoi il mène vient d’abord.", json!({"type": "string"})),
        query("q", "Des mots du libellé, ou le début d’un code.", json!({"type": "string"})),
        query("date_campagne", "Date de la campagne.", json!({"type": "string", "format": "date"})),
        query("millesime", "Sans effet sur la liste.", json!({"type": "string"})),
    ];
    vec![
        (
            "/api/appariement/formation".into(),
            json!({"get": get("appariement-formation", "Une ligne de catalogue", "La ligne comme elle est venue, puis les colonnes ajoutées. Sous le seuil de 20 jeunes, aucun nombre.", row.clone(), false)}),
        ),
        (
            "/api/appariement/formations".into(),
            json!({"post": post("appariement-formations", "Un catalogue entier, ligne par ligne", &format!("{catalogue} Réponse dans l’ordre du fichier, en CSV ou en NDJSON selon Accept. Au-delà de 20 secondes la réponse finit entre deux lignes : NDJSON par `{{\"suite\": {{\"ligne\": n, \"generation\": \"…\"}}}}`, CSV par `#suite;n;génération`."), true)}),
        ),
        (
            "/api/appariement/codes".into(),
            json!({
                "get": get("appariement-codes", "Les codes d’une ligne", "Par source, ancienneté et forme : codes et validité. Ni établissement ni indicateur.", row, false),
                "post": post("appariement-codes-catalogue", "Les codes d’un catalogue", catalogue, true),
            }),
        ),
        (
            "/api/appariement/couverture".into(),
            json!({"post": post("appariement-couverture", "Le bilan d’un catalogue", &format!("{catalogue} Sommes par raison, source, forme, ancienneté, type de diplôme et voie ; chaque ligne compte une fois."), false)}),
        ),
        (
            "/api/appariement/etablissements/{uai}/suggestions".into(),
            json!({"get": get("appariement-suggestions", "Ce que l’établissement a dans les statistiques", "Pour qui remplit un catalogue : les certifications de l’établissement, de sa mère et de ses antennes, avec leur libellé et leurs fiches RNCP.", suggestions, true)}),
        ),
        (
            "/api/appariement/raisons".into(),
            json!({"get": get("appariement-raisons", "Les raisons", "Code, libellé, qui peut corriger, où.", Vec::new(), false)}),
        ),
    ]
}
