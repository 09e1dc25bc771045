//! `/api/recherche`: certifications and establishments by words or codes, and where each has data.
//!
//! Public, bounded to a dozen gets (see [`store::recherche`]), and without any indicator: what is
//! found says where to ask for them.

use api::erreur::Erreur;
use api::{Monde, Reponse, Requete, lire_corps, lire_segment, routes};
use domain::{CodeCertification, TypeCode, Uai, territoire};
use serde_json::{Map, Value, json};
use store::Lecteur;
use store::kv::KeyValue;
use store::recherche::{FicheRecherche, Sujet, cle_code, cle_region, cle_uai};

/// Longest query, in characters.
pub const Q_MAX: usize = 200;
/// Results of a page.
pub const PAR_PAGE: usize = 10;
/// Last page that can be asked for: results beyond are better found by more words.
pub const PAGE_MAX: usize = 1_000;
/// How long an answer may be kept, in seconds.
const MAX_AGE: &str = "public, max-age=600";

/// Answers `/api/recherche…`.
pub async fn repondre<M: Monde>(monde: &M, requete: Requete) -> Reponse {
    let reponse = match traiter(monde, &requete).await {
        Ok(reponse) => reponse,
        Err(Refus::Erreur(erreur)) => erreur.reponse(),
        Err(Refus::Aide(statut, corps)) => {
            let ancre = if statut == 400 { "recherche" } else { "pas-de-donnees" };
            Reponse::json(statut, &corps)
                .avec("cache-control", "public, max-age=60")
                .avec("link", format!("</api/doc/erreurs#{ancre}>; rel=\"help\""))
        }
    };
    reponse.finir(&requete)
}

/// Why there is no answer.
enum Refus {
    Erreur(Erreur),
    /// Status and body, with the field `aide`: these routes are new, no recorded body binds them.
    Aide(u16, Value),
}

impl<E: Into<Erreur>> From<E> for Refus {
    fn from(erreur: E) -> Self {
        Self::Erreur(erreur.into())
    }
}

fn invalide(champ: &str, message: &str, aide: &str) -> Refus {
    let detail = json!({"message": format!("\"{champ}\" {message}"), "path": [champ], "type": "any.invalid", "context": {"label": champ, "key": champ}});
    Refus::Aide(
        400,
        json!({"statusCode": 400, "error": "Bad Request", "message": "Erreur de validation", "details": [detail], "aide": aide}),
    )
}

fn absent(message: &str, aide: String) -> Refus {
    Refus::Aide(404, json!({"statusCode": 404, "error": "Not Found", "message": message, "aide": aide}))
}

async fn traiter<M: Monde>(monde: &M, requete: &Requete) -> Result<Reponse, Refus> {
    lire_corps(requete)?;
    let segments = requete.segments();
    let suite = segments.strip_prefix(["api", "recherche"].as_slice()).ok_or(Erreur::RouteInconnue)?;
    if !matches!(suite, [] | ["certifications" | "etablissements", _]) || suite.iter().any(|s| s.is_empty()) {
        return Err(Erreur::RouteInconnue.into());
    }
    match requete.methode.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(routes::options(routes::LECTURE)),
        _ => return Err(Erreur::RouteInconnue.into()),
    }
    let lecteur = Lecteur::ouvrir(monde.kv(), monde.cache(), monde.monotone_ms()).await?;
    let secours = lecteur.clone().precedent();
    let corps = match (servir(&lecteur, requete, suite).await, secours) {
        // A missing or damaged value is a fault: the whole request starts again, one generation back.
        (Err(Refus::Erreur(Erreur::Indisponible)), Some(precedent)) => servir(&precedent, requete, suite).await,
        (corps, _) => corps,
    }?;
    Ok(Reponse::json(200, &corps).avec("cache-control", MAX_AGE).avec_etag(requete))
}

async fn servir<K: KeyValue>(lecteur: &Lecteur<K>, requete: &Requete, suite: &[&str]) -> Result<Value, Refus> {
    match suite {
        ["certifications", code] => certification(lecteur, requete, &lire_segment(code)?).await,
        ["etablissements", uai] => etablissement(lecteur, requete, &lire_segment(uai)?).await,
        _ => chercher(lecteur, requete).await,
    }
}

/// The parameters that a route takes; an unknown or a repeated one is a fault.
fn parametres<const N: usize>(requete: &Requete, connus: [&str; N]) -> Result<[Option<String>; N], Refus> {
    let mut lus = [const { None }; N];
    for (nom, valeurs) in requete.parametres() {
        // A key is not needed here, and no fault: clients send theirs everywhere.
        if nom == "apiKey" {
            continue;
        }
        let place = connus.iter().position(|c| *c == nom).and_then(|rang| lus.get_mut(rang));
        let aide = format!(
            "Paramètres acceptés, une fois chacun : {}.",
            if N == 0 { "aucun".into() } else { connus.join(", ") }
        );
        match (place, valeurs.as_slice()) {
            (Some(place), [seule]) => *place = Some(seule.clone()),
            (Some(_), _) => return Err(invalide(&nom, "must be a string", &aide)),
            (None, _) => return Err(invalide(&nom, "is not allowed", &aide)),
        }
    }
    Ok(lus)
}

async fn chercher<K: KeyValue>(lecteur: &Lecteur<K>, requete: &Requete) -> Result<Value, Refus> {
    let [q, sujet, page] = parametres(requete, ["q", "type", "page"])?;
    let q = q.unwrap_or_default();
    if q.trim().is_empty() || q.chars().count() > Q_MAX {
        let aide = format!("q : de 1 à {Q_MAX} caractères, des mots ou un code. Exemple : /api/recherche?q=cuisine");
        return Err(invalide("q", "is required", &aide));
    }
    let sujet = match sujet.as_deref() {
        None => None,
        Some("certification") => Some(Sujet::Certification),
        Some("etablissement") => Some(Sujet::Etablissement),
        Some(_) => {
            return Err(invalide(
                "type",
                "must be one of [certification, etablissement]",
                "Sans type, les deux sont cherchés.",
            ));
        }
    };
    let page = match page.map(|p| p.parse::<usize>()) {
        None => 1,
        Some(Ok(page)) if (1..=PAGE_MAX).contains(&page) => page,
        Some(_) => {
            let aide = format!("page : un nombre de 1 à {PAGE_MAX} ; au-delà, préciser la recherche.");
            return Err(invalide("page", &format!("must be between 1 and {PAGE_MAX}"), &aide));
        }
    };
    let trouve = lecteur.chercher(&q, sujet, (page - 1) * PAR_PAGE, PAR_PAGE).await?;
    let resultats: Vec<Value> = trouve.fiches.iter().map(montrer).collect();
    Ok(json!({
        "q": q,
        "approche": trouve.approche,
        "resultats": resultats,
        "pagination": {"page": page, "items_par_page": PAR_PAGE, "nombre_de_page": trouve.total.div_ceil(PAR_PAGE).max(1), "total": trouve.total},
    }))
}

/// A code as the API's paths take it.
fn identifiant(code: &str, genre: &str) -> String {
    if genre == "SISE" { format!("SISE:{code}") } else { code.to_owned() }
}

fn region(code: &str) -> Value {
    territoire::region(code).map_or(Value::Null, |r| json!({"code": r.code, "nom": r.nom}))
}

fn montrer(fiche: &FicheRecherche) -> Value {
    let texte = |t: &str| if t.is_empty() { Value::Null } else { t.into() };
    match fiche.sujet {
        Sujet::Certification => {
            let codes: Vec<Value> = fiche
                .codes
                .iter()
                .map(|c| json!({"code": c.code, "type": c.genre, "identifiant": identifiant(&c.code, &c.genre), "donnees": c.donnees}))
                .collect();
            json!({"type": "certification", "libelle": fiche.libelle, "diplome": texte(&fiche.diplome), "donnees": fiche.donnees, "codes": codes, "rncp": fiche.rncp})
        }
        Sujet::Etablissement => {
            json!({"type": "etablissement", "libelle": fiche.libelle, "uai": fiche.uai, "region": region(&fiche.region), "donnees": fiche.donnees})
        }
    }
}

fn millesimes(texte: Option<&String>) -> Vec<String> {
    let mut lus: Vec<String> = texte.map(|t| t.split(',').map(str::to_owned).collect()).unwrap_or_default();
    lus.reverse();
    lus
}

async fn certification<K: KeyValue>(lecteur: &Lecteur<K>, requete: &Requete, code: &str) -> Result<Value, Refus> {
    let [voulue] = parametres(requete, ["region"])?;
    let Some(lu) = CodeCertification::parse(code) else {
        let aide = "Un CFD a 8 caractères, un MEFSTAT11 en a 11, un code SISE s'écrit SISE: suivi de 7 caractères.";
        return Err(invalide("code", "n'est pas un code de certification", aide));
    };
    let genre = match lu.type_code() {
        TypeCode::Cfd => "CFD",
        TypeCode::Mef => "MEFSTAT11",
        TypeCode::Sise => "SISE",
    };
    let code = lu.as_str();
    let Some(lieux) = lecteur.lieux(&cle_code(code)).await? else {
        let aide = format!("Codes les plus proches : /api/recherche?q={code}");
        return Err(absent("Pas de données disponibles", aide));
    };
    if let Some(voulue) = voulue {
        let Some(region) = territoire::region(&voulue) else {
            let codes: Vec<&str> = territoire::REGIONS.iter().map(|r| r.code).collect();
            return Err(invalide(
                "region",
                "n'est pas une région",
                &format!("Codes de région de l'INSEE : {}.", codes.join(", ")),
            ));
        };
        let dans = lecteur.lieux(&cle_region(code, region.code)).await?.unwrap_or_default();
        let etablissements: Vec<Value> = dans
            .0
            .iter()
            .map(|l| json!({"uai": l.first(), "libelle": l.get(1), "millesimes": millesimes(l.get(2))}))
            .collect();
        return Ok(json!({
            "identifiant": identifiant(code, genre),
            "region": {"code": region.code, "nom": region.nom},
            "etablissements": etablissements,
        }));
    }
    let mut corps = json!({"code": code, "type": genre, "identifiant": identifiant(code, genre), "libelle": null, "diplome": null, "code_formation_diplome": null});
    let mut nationales: Map<String, Value> = Map::new();
    let mut regions: Vec<(String, Vec<String>, bool)> = Vec::new();
    for ligne in &lieux.0 {
        let champ = |rang: usize| ligne.get(rang).map(String::as_str).unwrap_or_default();
        match champ(0) {
            "0" => {
                for (nom, valeur) in
                    [("libelle", champ(1)), ("diplome", champ(2)), ("code_formation_diplome", champ(3))]
                {
                    if let Some(place) = corps.get_mut(nom).filter(|p| p.is_null() && !valeur.is_empty()) {
                        *place = valeur.into();
                    }
                }
            }
            "1" => {
                let place = nationales.entry(champ(1)).or_insert_with(|| json!([]));
                if let Some(liste) = place.as_array_mut() {
                    liste.insert(0, champ(2).into());
                }
            }
            "2" => regions.push((champ(1).to_owned(), millesimes(ligne.get(2)), false)),
            _ => match regions.iter_mut().find(|(code, ..)| code == champ(1)) {
                Some(connue) => connue.2 = true,
                None => regions.push((champ(1).to_owned(), Vec::new(), true)),
            },
        }
    }
    let regions: Vec<Value> = regions
        .into_iter()
        .filter_map(|(code, millesimes, etablissements)| {
            let r = territoire::region(&code)?;
            Some(json!({"code": r.code, "nom": r.nom, "millesimes": millesimes, "etablissements": etablissements}))
        })
        .collect();
    if let Some(objet) = corps.as_object_mut() {
        objet.insert("nationales".into(), nationales.into());
        objet.insert("regions".into(), regions.into());
    }
    Ok(corps)
}

async fn etablissement<K: KeyValue>(lecteur: &Lecteur<K>, requete: &Requete, uai: &str) -> Result<Value, Refus> {
    let [] = parametres(requete, [])?;
    let Some(lu) = Uai::parse(uai) else {
        return Err(invalide("uai", "n'est pas un UAI", "Un UAI a sept chiffres et une lettre majuscule : 0750652B."));
    };
    let uai = lu.as_str();
    let Some(lieux) = lecteur.lieux(&cle_uai(uai)).await? else {
        let aide = format!("Établissements les plus proches : /api/recherche?q={uai}&type=etablissement");
        return Err(absent("Pas de données disponibles", aide));
    };
    let formations: Vec<Value> = lieux
        .0
        .iter()
        .map(|l| {
            let champ = |rang: usize| l.get(rang).map(String::as_str).unwrap_or_default();
            let genre = if champ(3) == "superieur" { "SISE" } else { "" };
            let filieres: Vec<&str> = champ(3).split(',').collect();
            json!({"identifiant": identifiant(champ(0), genre), "libelle": champ(1), "diplome": champ(2), "filieres": filieres, "millesimes": millesimes(l.get(4))})
        })
        .collect();
    Ok(json!({"uai": uai, "formations": formations}))
}
