//! The routes, one function for each component.

use crate::acces;
use crate::comptes::{self, Verification};
use crate::document;
use crate::erreur::{self, Erreur};
use crate::liste::{self, Liste};
use crate::parametres::{self, Chemin};
use crate::reponse::Reponse;
use crate::requete::lire_segment;
use crate::validation::{Fautes, Lieu};
use crate::{Monde, Requete, corps};
use domain::Maille;
use serde_json::{Value, json};
use std::borrow::Cow;
use store::Lecteur;
use store::kv::{KeyValue, KeyValueWrite};

/// What a path asks for; `T` is a segment as sent, or decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route<T> {
    Mailles,
    Liste { liste: Liste, lieu: Option<T>, ext: Option<T> },
    Certification { codes: T, ext: Option<T> },
    Regionale { region: T, codes: T, ext: Option<T> },
    Formation { uai: T, code: T, ext: Option<T> },
    Declaree { maille: T, lieu: T, codes: T, ext: Option<T> },
}

const PREFIXE: [&str; 2] = ["api", "inserjeunes"];

/// Certifications: list, one document, filieres view.
pub async fn certifications<M: Monde>(monde: &M, requete: Requete) -> Reponse {
    lire(monde, requete, |s| match s {
        ["certifications", codes] => Some(avec_ext(codes, |codes, ext| Route::Certification { codes, ext })),
        autre => route_liste(autre, Liste::Statistiques(Maille::Nationale)),
    })
    .await
}

/// Regional statistics: lists, one document, filieres view.
pub async fn regionales<M: Monde>(monde: &M, requete: Requete) -> Reponse {
    lire(monde, requete, |s| match s {
        ["regionales", region] => Some(avec_ext(region, |region, ext| Route::Liste {
            liste: Liste::Statistiques(Maille::Regionale),
            lieu: Some(region),
            ext,
        })),
        ["regionales", region, "certifications", codes] => {
            Some(avec_ext(codes, |codes, ext| Route::Regionale { region: *region, codes, ext }))
        }
        autre => route_liste(autre, Liste::Statistiques(Maille::Regionale)),
    })
    .await
}

/// Formations: list, one document.
pub async fn formations<M: Monde>(monde: &M, requete: Requete) -> Reponse {
    lire(monde, requete, |s| match s {
        ["formations", formation] => {
            // The last hyphen separates; neither side may be empty.
            let (uai, code) = formation.rsplit_once('-').filter(|(uai, code)| !uai.is_empty() && !code.is_empty())?;
            Some(avec_ext(code, |code, ext| Route::Formation { uai, code, ext }))
        }
        autre => route_liste(autre, Liste::Statistiques(Maille::Etablissement)),
    })
    .await
}

/// Mailles that a push declared: which there are, their lists, one document, filieres view.
pub async fn mailles<M: Monde>(monde: &M, requete: Requete) -> Reponse {
    let liste = |maille: &str| Liste::Declaree(maille.to_owned());
    lire(monde, requete, |s| match s {
        ["mailles"] => Some(Route::Mailles),
        ["mailles", maille] => {
            Some(avec_ext(maille, |maille, ext| Route::Liste { liste: liste(maille), lieu: None, ext }))
        }
        ["mailles", maille, lieu] => {
            Some(avec_ext(lieu, |lieu, ext| Route::Liste { liste: liste(maille), lieu: Some(lieu), ext }))
        }
        ["mailles", maille, lieu, "certifications", codes] => {
            Some(avec_ext(codes, |codes, ext| Route::Declaree { maille: *maille, lieu: *lieu, codes, ext }))
        }
        _ => None,
    })
    .await
}

/// The nomenclature.
pub async fn bcn<M: Monde>(monde: &M, requete: Requete) -> Reponse {
    lire(monde, requete, |s| route_liste(s, Liste::Bcn)).await
}

/// Every list under a path with an extension.
pub async fn listes<M: Monde>(monde: &M, requete: Requete) -> Reponse {
    lire(monde, requete, |s| {
        let mailles = Maille::TOUTES.map(Liste::Statistiques);
        mailles.into_iter().chain([Liste::Bcn]).find_map(|liste| route_liste(s, liste))
    })
    .await
}

fn route_liste<'a>(segments: &[&'a str], liste: Liste) -> Option<Route<&'a str>> {
    let [seul] = segments else { return None };
    let reste = seul.strip_prefix(liste.nom())?;
    let ext = match reste.strip_prefix('.') {
        None if reste.is_empty() => None,
        Some(ext) if !ext.is_empty() => Some(ext),
        _ => return None,
    };
    Some(Route::Liste { liste, lieu: None, ext })
}

/// Cuts the extension off: what follows the last dot, where there is something on both sides.
fn avec_ext<'a>(segment: &'a str, route: impl Fn(&'a str, Option<&'a str>) -> Route<&'a str>) -> Route<&'a str> {
    match segment.rsplit_once('.') {
        Some((nom, ext)) if !nom.is_empty() && !ext.is_empty() => route(nom, Some(ext)),
        _ => route(segment, None),
    }
}

/// The methods of a read route.
pub const LECTURE: &str = "GET, HEAD";

async fn lire<M: Monde>(
    monde: &M,
    requete: Requete,
    route: impl for<'a> Fn(&[&'a str]) -> Option<Route<&'a str>>,
) -> Reponse {
    let reponse = match traiter(monde, &requete, route).await {
        Ok(reponse) => reponse,
        Err(erreur) => erreur.reponse(),
    };
    reponse.finir(&requete)
}

async fn traiter<M: Monde>(
    monde: &M,
    requete: &Requete,
    route: impl for<'a> Fn(&[&'a str]) -> Option<Route<&'a str>>,
) -> Result<Reponse, Erreur> {
    corps::lire(requete)?;
    // Each look at a clock is a call of the runtime: the request keeps to this one.
    let monotone = monde.monotone_ms();
    // Answers are kept of single documents only, which need no key.
    let cle_rendu = document::cle_rendu(requete);
    if matches!(requete.methode.as_ref(), "GET" | "HEAD")
        && let Some(reponse) = document::deja_rendu(monde, requete, &cle_rendu, monotone)
    {
        return Ok(reponse);
    }
    let segments = requete.segments();
    let segments = segments.strip_prefix(PREFIXE.as_slice()).ok_or(Erreur::RouteInconnue)?;
    if segments.is_empty() || segments.iter().any(|s| s.is_empty()) {
        return Err(Erreur::RouteInconnue);
    }
    let route = route(segments).ok_or(Erreur::RouteInconnue)?;
    match requete.methode.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(options(LECTURE)),
        _ => return Err(Erreur::RouteInconnue),
    }
    let route = decoder(route)?;
    if matches!(route, Route::Liste { .. }) {
        acces::exiger(monde, requete).await?;
    }
    let lecteur = Lecteur::ouvrir(monde.kv(), monde.cache(), monotone).await?;
    let secours = lecteur.clone();
    let servie = match servir(monde, lecteur, requete, &route, &cle_rendu).await {
        // A missing or damaged value is a fault: the whole request starts again, one generation back.
        Err(Erreur::Indisponible) => match secours.precedent() {
            Some(precedent) => servir(monde, precedent, requete, &route, &cle_rendu).await,
            None => Err(Erreur::Indisponible),
        },
        servie => servie,
    };
    match servie {
        Err(erreur) => Ok(avec_recherche(erreur.reponse(), &erreur, &route)),
        servie => servie,
    }
}

/// Where nothing is found under a code, the search names the closest ones. A header, because
/// recorded bodies of errors are part of the contract.
fn avec_recherche(reponse: Reponse, erreur: &Erreur, route: &Route<Cow<'_, str>>) -> Reponse {
    let (
        Erreur::Introuvable(texte),
        Route::Certification { codes, .. }
        | Route::Regionale { codes, .. }
        | Route::Declaree { codes, .. }
        | Route::Formation { code: codes, .. },
    ) = (erreur, route)
    else {
        return reponse;
    };
    if *erreur == erreur::MAILLE_INCONNUE {
        return reponse;
    }
    let cherche = match (*texte, route) {
        ("Etablissement inconnu", Route::Formation { uai, .. }) => uai,
        _ => codes,
    };
    // A header is no place for what could split it.
    if cherche.is_empty() || !cherche.bytes().all(|b| b.is_ascii_alphanumeric() || b == b':') {
        return reponse;
    }
    reponse.avec("link", format!("</api/recherche?q={cherche}>; rel=\"search\""))
}

fn decoder(route: Route<&str>) -> Result<Route<Cow<'_, str>>, Erreur> {
    fn option(segment: Option<&str>) -> Result<Option<Cow<'_, str>>, Erreur> {
        segment.map(lire_segment).transpose()
    }
    Ok(match route {
        Route::Mailles => Route::Mailles,
        Route::Liste { liste, lieu, ext } => {
            let liste = match liste {
                Liste::Declaree(nom) => Liste::Declaree(lire_segment(&nom)?.into_owned()),
                autre => autre,
            };
            Route::Liste { liste, lieu: option(lieu)?, ext: option(ext)? }
        }
        Route::Declaree { maille, lieu, codes, ext } => Route::Declaree {
            maille: lire_segment(maille)?,
            lieu: lire_segment(lieu)?,
            codes: lire_segment(codes)?,
            ext: option(ext)?,
        },
        Route::Certification { codes, ext } => Route::Certification { codes: lire_segment(codes)?, ext: option(ext)? },
        Route::Regionale { region, codes, ext } => {
            Route::Regionale { region: lire_segment(region)?, codes: lire_segment(codes)?, ext: option(ext)? }
        }
        Route::Formation { uai, code, ext } => {
            Route::Formation { uai: lire_segment(uai)?, code: lire_segment(code)?, ext: option(ext)? }
        }
    })
}

async fn servir<M: Monde>(
    monde: &M,
    lecteur: Lecteur<M::Kv>,
    requete: &Requete,
    route: &Route<Cow<'_, str>>,
    cle_rendu: &str,
) -> Result<Reponse, Erreur> {
    let (chemin, ext) = match route {
        Route::Mailles => return mailles_publiees(&lecteur, requete).await,
        Route::Liste { liste, lieu, ext } => {
            return liste::repondre(monde, lecteur, requete, liste, lieu.as_deref(), ext.as_deref()).await;
        }
        Route::Declaree { maille, lieu, codes, ext } => (Chemin::Declaree(maille, lieu, codes), ext),
        Route::Certification { codes, ext } => (Chemin::Nationale(codes), ext),
        Route::Regionale { region, codes, ext } => (Chemin::Regionale(region, codes), ext),
        Route::Formation { uai, code, ext } => (Chemin::Formation(uai, code), ext),
    };
    document::repondre(monde, &lecteur, requete, chemin, ext.as_deref(), cle_rendu).await
}

/// Which declared mailles there are: their label, the field of their places, their millesimes.
async fn mailles_publiees<K: KeyValue>(lecteur: &Lecteur<K>, requete: &Requete) -> Result<Reponse, Erreur> {
    parametres::aucun(requete.parametres())?;
    let mailles: Vec<Value> = lecteur
        .mailles()
        .await?
        .into_iter()
        .map(|m| {
            json!({
                "nom": m.declaree.nom, "libelle": m.declaree.libelle, "cle": m.declaree.cle,
                "millesime": m.millesime, "millesimes": m.millesimes,
            })
        })
        .collect();
    Ok(document::publique(Reponse::json(200, &json!({"mailles": mailles})), [], &|| 0).avec_etag(requete))
}

/// The answer to OPTIONS on a known path.
#[must_use]
pub fn options(methodes: &'static str) -> Reponse {
    Reponse::nouvelle(200, "text/plain", methodes.as_bytes().to_vec()).avec("allow", methodes)
}

/// Login: a token for a user and a password.
pub async fn auth<M: Monde>(monde: &M, requete: Requete, alea: [u8; 16]) -> Reponse
where
    M::Kv: KeyValueWrite,
{
    let reponse = match connecter(monde, &requete, alea).await {
        Ok(reponse) => reponse,
        Err(erreur) => erreur.reponse(),
    };
    reponse.finir(&requete)
}

async fn connecter<M: Monde>(monde: &M, requete: &Requete, alea: [u8; 16]) -> Result<Reponse, Erreur>
where
    M::Kv: KeyValueWrite,
{
    let champs = corps::lire(requete)?;
    if requete.segments() != ["api", "inserjeunes", "auth", "login"] {
        return Err(Erreur::RouteInconnue);
    }
    match requete.methode.as_ref() {
        "POST" => {}
        "OPTIONS" => return Ok(options("POST")),
        _ => return Err(Erreur::RouteInconnue),
    }
    let (utilisateur, mot_de_passe) = identifiants(&champs)?;
    let kv = monde.kv();
    let compte = comptes::lire(&kv, &utilisateur).await?;
    let verification = comptes::verifier(compte.as_ref(), &mot_de_passe);
    if verification == Verification::Refusee {
        return Err(Erreur::Identifiants);
    }
    if let (Verification::AReprendre, Some(mut compte)) = (verification, compte)
        && let Some(hash) = comptes::hacher(&mot_de_passe, alea)
    {
        compte.password = hash;
        comptes::ecrire(&kv, &compte).await?;
    }
    let secret = monde.variable("jwt_secret").await;
    let jeton = acces::ecrire_jeton(&secret, &utilisateur, monde.maintenant_ms().div_euclid(1000));
    let jeton = jeton.ok_or(Erreur::Identifiants)?;
    Ok(Reponse::json(200, &json!({"token": jeton})).avec("cache-control", "no-store"))
}

/// Two non-empty texts, and nothing else. The names of a JSON array are its indexes, so none is known.
fn identifiants(champs: &Value) -> Result<(String, String), Erreur> {
    let mut fautes = Fautes::default();
    let objet = champs.as_object();
    let mut texte = |nom: &str| {
        let lieu = Lieu::Nom(nom);
        match objet.and_then(|o| o.get(nom)) {
            None => fautes.requis(lieu),
            Some(Value::String(texte)) if texte.is_empty() => fautes.vide(lieu),
            Some(Value::String(texte)) => return texte.clone(),
            Some(autre) => fautes.pas_un_texte(lieu, autre.clone()),
        }
        String::new()
    };
    let lus = (texte("username"), texte("password"));
    for (nom, valeur) in objet.into_iter().flatten().filter(|(nom, _)| !matches!(nom.as_str(), "username" | "password"))
    {
        fautes.inconnu(nom, valeur.clone());
    }
    for (rang, valeur) in champs.as_array().into_iter().flatten().enumerate() {
        fautes.inconnu(&rang.to_string(), valeur.clone());
    }
    if fautes.0.is_empty() { Ok(lus) } else { Err(Erreur::Validation(fautes.0)) }
}

/// `/api`: version, environment, health; everything else is no route.
pub async fn statut<M: Monde>(monde: &M, requete: Requete) -> Reponse {
    let reponse = match sante(monde, &requete).await {
        Ok(reponse) => reponse,
        Err(erreur) => erreur.reponse(),
    };
    reponse.finir(&requete)
}

async fn sante<M: Monde>(monde: &M, requete: &Requete) -> Result<Reponse, Erreur> {
    corps::lire(requete)?;
    if requete.segments() != ["api"] {
        return Err(Erreur::RouteInconnue);
    }
    match requete.methode.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(options(LECTURE)),
        _ => return Err(Erreur::RouteInconnue),
    }
    let magasin = Lecteur::ouvrir(monde.kv(), monde.cache(), monde.monotone_ms()).await.is_ok();
    let env = monde.variable("environnement").await;
    let corps = json!({"version": env!("CARGO_PKG_VERSION"), "env": env, "healthcheck": {"magasin": magasin}});
    Ok(Reponse::json(200, &corps).avec("cache-control", "no-store"))
}
