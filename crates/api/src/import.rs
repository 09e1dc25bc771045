//! The import's own routes, under `/internal/import/`: jobs, parts, publication, accounts.
//!
//! They are for operators and their programs, guarded by a bearer secret, and blocked at the
//! gateway. Messages are in French, as the operators are.

use crate::acces::egaux;
use crate::comptes::{self, Compte};
use crate::erreur::Erreur;
use crate::reponse::Reponse;
use crate::requete::decoder_segment;
use crate::{Monde, Requete, collectes, rapports};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{Document, Kind};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use store::kv::{KeyValueWrite, StoreError};
use store::pointeur::MillesimesEnVigueur;
use store::publication::{
    Consigne, Depot, DepotError, Environnement, Etape, Job, Mode, Ouverture, PublicationError, Registre, Served,
    avancer, depot, hex, menage, ouvrir, ouvrir_en_un_appel, retour_arriere,
};

/// Largest body of these routes, in bytes: a part, and one byte to see that there is more.
pub const CORPS_MAX: usize = depot::PART_MAX + 1;

/// How long a call advances a job, in milliseconds: below the 30 s that hosts allow a request.
const BUDGET_MS: u64 = 20_000;

/// What these routes need besides [`Monde`].
pub trait MondeImport: Monde<Kv: KeyValueWrite> {
    /// The network, for the services.
    type Fetch: sources::Fetch;

    /// Time and chance, for the services.
    type Clock: sources::Clock;

    /// Calls outside.
    fn fetch(&self) -> Self::Fetch;

    /// Waits between calls.
    fn horloge(&self) -> Self::Clock;

    /// How many values one batch may hold.
    fn lot(&self) -> usize;

    /// Random bytes.
    fn alea(&self) -> [u8; 16];
}

pub(crate) struct Env<'a, M>(pub(crate) &'a M);

impl<M: MondeImport> Environnement for Env<'_, M> {
    fn maintenant_ms(&self) -> i64 {
        self.0.maintenant_ms()
    }

    fn monotone_ms(&self) -> u64 {
        self.0.monotone_ms()
    }

    fn lot(&self) -> usize {
        self.0.lot()
    }

    async fn utilisateur(&self, document: &Document) -> Result<(), StoreError> {
        let texte = |champ: &str| document.get(champ).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kv = self.0.kv();
        let (username, password) = (texte("username"), texte("password"));
        let refuse = |_| StoreError::Unavailable("accounts".into());
        let avant = comptes::lire(&kv, &username).await.map_err(refuse)?;
        let compte = match avant {
            Some(avant) => Compte { password, ..avant },
            None => Compte { username, password, desactive: false, cles: Vec::new() },
        };
        comptes::inscrire(&kv, &compte).await
    }
}

impl From<PublicationError> for Erreur {
    fn from(erreur: PublicationError) -> Self {
        match erreur {
            PublicationError::UnknownJob(_) => Self::Introuvable("Travail inconnu"),
            PublicationError::Busy { .. } | PublicationError::Overtaken => Self::Conflit(erreur.to_string()),
            PublicationError::Refused(texte) => Self::Refuse(texte),
            PublicationError::Store(erreur) => erreur.into(),
        }
    }
}

impl From<DepotError> for Erreur {
    fn from(erreur: DepotError) -> Self {
        match erreur {
            DepotError::PartTooLarge | DepotError::LineTooLong(_) => Self::TropGrand(erreur.to_string()),
            DepotError::PartMissing(_) => Self::Conflit(erreur.to_string()),
            DepotError::PartNumber => Self::Refuse(erreur.to_string()),
            DepotError::Store(erreur) => erreur.into(),
        }
    }
}

/// Answers a request to `/internal/import/…`.
pub async fn import<M: MondeImport>(monde: &M, requete: Requete) -> Reponse {
    let reponse = match traiter(monde, &requete).await {
        Ok(reponse) => reponse.avec("cache-control", "no-store"),
        Err(erreur) => erreur.reponse(),
    };
    reponse.finir(&requete)
}

async fn traiter<M: MondeImport>(monde: &M, requete: &Requete) -> Result<Reponse, Erreur> {
    let secret = monde.variable("import_secret").await;
    let recu = requete
        .entete("authorization")
        .and_then(|e| e.split_once(' '))
        .filter(|(s, _)| s.eq_ignore_ascii_case("bearer"));
    if !recu.is_some_and(|(_, jeton)| egaux(secret.as_bytes(), jeton.trim().as_bytes())) {
        return Err(Erreur::NonAutorise);
    }
    verifier_corps(requete)?;
    let segments: Option<Vec<Cow<'_, str>>> = requete.segments().into_iter().map(decoder_segment).collect();
    let segments = segments.unwrap_or_default();
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let kv = monde.kv();
    let env = Env(monde);
    let maintenant = monde.maintenant_ms();
    let suite = segments.strip_prefix(["internal", "import"].as_slice()).ok_or(Erreur::RouteInconnue)?;
    match (requete.methode.as_ref(), suite) {
        ("POST", ["jobs"]) => {
            let job = ouvrir(&kv, &nouvel_id(monde), json_du_corps(requete)?, maintenant).await?;
            Ok(Reponse::json(201, &serde_json::to_value(job).unwrap_or_default()))
        }
        ("PUT", ["jobs", id, "parts", n]) => {
            let job = Job::consulter(&kv, id).await?;
            if job.etape != Etape::Depot {
                return Err(Erreur::Conflit("la publication a commencé : plus aucune partie n'est acceptée".into()));
            }
            let n = n.parse().map_err(|_| Erreur::Refuse("le numéro de partie est un entier, à partir de 0".into()))?;
            let info = Depot::new(&kv, id, monde.lot()).deposer(n, &requete.corps, &indicateurs(monde).await).await?;
            repondre(200, &info)
        }
        ("POST", ["jobs", id, "publish"]) => {
            repondre(202, &Job::publier(&kv, id, json_du_corps(requete)?, maintenant).await?)
        }
        ("POST", ["jobs", id, "run"]) => repondre(200, &faire_avancer(monde, id, budget(requete)).await?),
        ("GET", ["jobs", id]) => repondre(200, &Job::consulter(&kv, id).await?),
        ("DELETE", ["jobs", id]) => repondre(200, &Job::abandonner(&kv, id, maintenant).await?),
        ("POST", ["documents"]) => documents(monde, requete).await,
        ("GET" | "POST" | "DELETE", ["pull", suite @ ..]) => collectes::traiter(monde, requete, suite).await,
        ("POST", ["run"]) => tout_avancer(monde, budget(requete)).await,
        ("GET", ["status"]) => statut(monde).await,
        ("GET", ["reports"]) => Ok(Reponse::json(200, &json!({"rapports": rapports::lister(&kv).await?}))),
        ("GET", ["reports", id]) => repondre(200, &rapports::lire(&kv, id).await?),
        ("POST", ["rollback"]) => repondre(200, &retour_arriere(&kv, &env).await?),
        ("GET" | "POST" | "DELETE", ["users", ..]) => utilisateurs(monde, requete, suite).await,
        _ => Err(Erreur::RouteInconnue),
    }
}

fn repondre(statut: u16, valeur: &impl serde::Serialize) -> Result<Reponse, Erreur> {
    Ok(Reponse::json(statut, &serde_json::to_value(valeur).unwrap_or_default()))
}

/// A body that was cut, or that is not what its sender meant, changes nothing.
fn verifier_corps(requete: &Requete) -> Result<(), Erreur> {
    let annonce = requete.entete("content-length").and_then(|l| l.parse::<usize>().ok());
    if requete.corps.len() > depot::PART_MAX {
        return Err(DepotError::PartTooLarge.into());
    }
    if annonce.is_some_and(|annonce| annonce != requete.corps.len()) {
        return Err(Erreur::Illisible("Le corps reçu est plus court qu'annoncé : renvoyer la partie"));
    }
    let Some(empreinte) = requete.entete("content-digest") else { return Ok(()) };
    let attendue = empreinte.split(',').find_map(|e| e.trim().strip_prefix("sha-256=:")?.strip_suffix(':'));
    let attendue = attendue.and_then(|e| STANDARD.decode(e).ok());
    match attendue {
        Some(attendue) if attendue == Sha256::digest(&requete.corps).as_slice() => Ok(()),
        Some(_) => Err(Erreur::Illisible(
            "Le corps reçu ne correspond pas à son empreinte (Content-Digest) : renvoyer la partie",
        )),
        None => Err(Erreur::Illisible("Content-Digest : la forme attendue est sha-256=:base64:")),
    }
}

pub(crate) fn json_du_corps<T: DeserializeOwned + Default>(requete: &Requete) -> Result<T, Erreur> {
    if requete.corps.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&requete.corps)
        .map_err(|e| Erreur::Refuse(format!("le corps n'est pas le JSON attendu : {e}")))
}

pub(crate) fn nouvel_id<M: MondeImport>(monde: &M) -> String {
    let alea = monde.alea();
    format!("j{}{}", monde.maintenant_ms(), hex(alea.get(..4).unwrap_or_default()))
}

pub(crate) async fn indicateurs<M: Monde>(monde: &M) -> Vec<String> {
    let variable = monde.variable("indicateurs").await;
    variable.split(',').map(|i| i.trim().to_owned()).filter(|i| domain::indicateur::est_indicateur(i)).collect()
}

fn parametre(requete: &Requete, nom: &str) -> Option<String> {
    requete.parametres().into_iter().find(|(n, _)| n == nom).and_then(|(_, v)| v.into_iter().next())
}

pub(crate) fn budget(requete: &Requete) -> u64 {
    parametre(requete, "budget_ms").and_then(|b| b.parse().ok()).unwrap_or(BUDGET_MS).clamp(1, BUDGET_MS)
}

pub(crate) async fn faire_avancer<M: MondeImport>(monde: &M, id: &str, budget: u64) -> Result<Job, Erreur> {
    let kv = monde.kv();
    let job = avancer(&kv, &Env(monde), id, budget, &indicateurs(monde).await).await?;
    if job.etape.est_finale() {
        collectes::garder(monde, id).await?;
    }
    Ok(job)
}

/// Everything in one call, for a body of one part: opened, staged, published, advanced.
async fn documents<M: MondeImport>(monde: &M, requete: &Requete) -> Result<Reponse, Erreur> {
    let fin = monde.monotone_ms().saturating_add(BUDGET_MS);
    let liste = |nom: &str| -> Vec<String> {
        let valeur = parametre(requete, nom).unwrap_or_default();
        valeur.split([',', '|']).filter(|v| !v.is_empty()).map(str::to_owned).collect()
    };
    let kinds: Option<Vec<Kind>> = liste("kinds").iter().map(|k| Kind::parse(k)).collect();
    let mode = match parametre(requete, "mode").as_deref() {
        None | Some("remplacer") => Mode::Remplacer,
        Some("ajouter") => Mode::Ajouter,
        Some(_) => return Err(Erreur::Refuse("mode : remplacer ou ajouter".into())),
    };
    let ouverture = Ouverture {
        mode,
        kinds: kinds.ok_or_else(|| Erreur::Refuse("kinds : un nom inconnu".into()))?,
        millesimes: liste("millesimes"),
        mailles: liste("mailles"),
        perimetre: Vec::new(),
    };
    let vrai = |nom: &str| parametre(requete, nom).as_deref() == Some("true");
    let en_vigueur = MillesimesEnVigueur {
        certifications: parametre(requete, "certifications"),
        certifications_sup: parametre(requete, "certifications_sup"),
        regionales: parametre(requete, "regionales"),
        formations: parametre(requete, "formations"),
        formations_sup: parametre(requete, "formations_sup"),
        ..MillesimesEnVigueur::default()
    };
    let consigne = Consigne {
        parties: 1,
        accepter_refus: vrai("accepter_refus"),
        confirmer_pertes: vrai("confirmer_pertes"),
        millesimes: (en_vigueur != MillesimesEnVigueur::default()).then_some(en_vigueur),
    };
    let kv = monde.kv();
    let maintenant = monde.maintenant_ms();
    let id = nouvel_id(monde);
    ouvrir_en_un_appel(&kv, &id, ouverture, maintenant).await?;
    let publie = async {
        Depot::new(&kv, &id, monde.lot()).deposer(0, &requete.corps, &indicateurs(monde).await).await?;
        Ok::<Job, Erreur>(Job::publier(&kv, &id, consigne, maintenant).await?)
    };
    let mut job = match publie.await {
        Ok(job) => job,
        Err(erreur) => {
            // Nothing of a refused call stays; where giving it up fails too, its time ends it.
            let _ = Job::abandonner(&kv, &id, maintenant).await;
            return Err(erreur);
        }
    };
    while !job.etape.est_finale() && job.etape != Etape::AttendreConfirmation {
        let reste = fin.saturating_sub(monde.monotone_ms());
        if reste == 0 {
            return repondre(202, &job);
        }
        job = faire_avancer(monde, &id, reste).await?;
    }
    repondre(200, &job)
}

/// Advances the open job that is ready, else deletes a share of what nobody reads: what a
/// scheduler calls.
///
/// Whatever stops one of them for good, the others go on; what it was is in `fautes`.
async fn tout_avancer<M: MondeImport>(monde: &M, budget: u64) -> Result<Reponse, Erreur> {
    let kv = monde.kv();
    let fin = monde.monotone_ms().saturating_add(budget);
    let mut fautes = Vec::new();
    let repondre = |mut reponse: Value, fautes: Vec<String>| {
        if let Some(objet) = reponse.as_object_mut().filter(|_| !fautes.is_empty()) {
            objet.insert("fautes".into(), fautes.into());
        }
        Ok(Reponse::json(200, &reponse))
    };
    let prete = match collectes::est_prete(monde).await {
        Ok(true) => collectes::avancer(monde, budget).await.map(Some),
        Ok(false) => Ok(None),
        Err(erreur) => Err(erreur),
    };
    match prete {
        Ok(Some((collecte, job))) => {
            return repondre(json!({"collecte": collecte, "travail": job, "menage": false, "encore": true}), fautes);
        }
        Ok(None) => {}
        Err(erreur) => fautes.push(format!("collecte : {}", passer(erreur)?)),
    }
    for id in Registre::lire(&kv).await?.jobs {
        let avance = match Job::consulter(&kv, &id).await {
            Ok(job) if matches!(job.etape, Etape::Depot | Etape::AttendreConfirmation) => continue,
            Ok(_) => faire_avancer(monde, &id, budget).await,
            Err(erreur) => Err(erreur.into()),
        };
        match avance {
            Ok(job) => return repondre(json!({"travail": job, "menage": false, "encore": true}), fautes),
            // One that is just being opened is not known yet.
            Err(Erreur::Introuvable(_)) => {}
            Err(erreur) => fautes.push(format!("travail {id} : {}", passer(erreur)?)),
        }
    }
    // Jobs that ended without a call of their own (lost, given up after a wait, replaced) have their reports kept first.
    for (id, _) in Registre::lire(&kv).await?.a_effacer {
        if Job::consulter(&kv, &id).await.is_ok_and(|job| job.bilan.echec.is_some()) {
            collectes::garder(monde, &id).await?;
        }
    }
    let mut encore = true;
    while encore && monde.monotone_ms() < fin {
        encore = menage(&kv, &Env(monde)).await?;
    }
    repondre(json!({"travail": null, "menage": true, "encore": encore}), fautes)
}

/// What one job could not do, for those that go on beside it; a store that does not answer, or a job that someone else
/// holds, stops them too.
fn passer(erreur: Erreur) -> Result<String, Erreur> {
    match erreur {
        Erreur::Indisponible | Erreur::Conflit(_) => Err(erreur),
        Erreur::Refuse(texte) | Erreur::TropGrand(texte) => Ok(texte),
        autre => Ok(autre.ancre().to_owned()),
    }
}

async fn statut<M: MondeImport>(monde: &M) -> Result<Reponse, Erreur> {
    let kv = monde.kv();
    // Whoever looks at the status of a store with an unreadable pointer must be told, not refused.
    let (pointeur, illisible) = match Served::read(&kv).await {
        Ok(served) => (served.map(|served| served.pointer), None),
        Err(fault @ (StoreError::Damaged(_) | StoreError::OtherLayout { .. })) => (None, Some(fault.to_string())),
        Err(fault) => return Err(fault.into()),
    };
    let registre = Registre::lire(&kv).await?;
    let mut travaux = Vec::new();
    for id in &registre.jobs {
        match Job::consulter(&kv, id).await {
            Ok(job) => travaux.push(serde_json::to_value(job).unwrap_or_default()),
            Err(PublicationError::UnknownJob(_)) => {}
            Err(erreur) => return Err(erreur.into()),
        }
    }
    Ok(Reponse::json(
        200,
        &json!({
            "pointeur": pointeur,
            "pointeur_illisible": illisible,
            "generations": registre.generations,
            "travaux": travaux,
            "collecte": collecte::consulter(&kv).await?,
            "rapports": rapports::lister(&kv).await?,
        }),
    ))
}

async fn utilisateurs<M: MondeImport>(monde: &M, requete: &Requete, suite: &[&str]) -> Result<Reponse, Erreur> {
    let kv = monde.kv();
    let champs: Map<String, Value> = json_du_corps(requete)?;
    let texte = |nom: &str| champs.get(nom).and_then(Value::as_str).unwrap_or_default();
    let inconnu = Erreur::Introuvable("Utilisateur inconnu");
    match (requete.methode.as_ref(), suite) {
        ("GET", ["users"]) => {
            let mut lus = Vec::new();
            for nom in comptes::lister(&kv).await? {
                if let Some(c) = comptes::lire(&kv, &nom).await? {
                    lus.push(json!({"username": c.username, "desactive": c.desactive, "cles": c.cles}));
                }
            }
            Ok(Reponse::json(200, &json!({"users": lus})))
        }
        ("POST", ["users"]) => {
            let (username, password) = (texte("username"), texte("password"));
            if username.is_empty() || username.len() > 100 {
                return Err(Erreur::Refuse("username : de 1 à 100 caractères".into()));
            }
            if !comptes::mot_de_passe_acceptable(password) {
                return Err(Erreur::Refuse(
                    "password : de 8 à 50 caractères, dont un chiffre, une minuscule, une majuscule et un caractère spécial".into(),
                ));
            }
            let hash = comptes::hacher(password, monde.alea()).ok_or(Erreur::Indisponible)?;
            let cles = comptes::lire(&kv, username).await?.map(|c| c.cles).unwrap_or_default();
            let compte = Compte { username: username.to_owned(), password: hash, desactive: false, cles };
            comptes::ecrire(&kv, &compte).await?;
            Ok(Reponse::json(201, &json!({"username": username})))
        }
        ("DELETE", ["users", nom]) => {
            let mut compte = comptes::lire(&kv, nom).await?.ok_or(inconnu)?;
            compte.desactive = true;
            comptes::ecrire(&kv, &compte).await?;
            Ok(Reponse::json(200, &json!({"username": nom, "desactive": true})))
        }
        ("POST", ["users", nom, "cles"]) => {
            let cle = format!("eij_{}{}", hex(&monde.alea()), hex(&monde.alea()));
            comptes::ajouter_cle(&kv, nom, &cle, texte("libelle")).await?;
            Ok(Reponse::json(201, &json!({"username": nom, "cle": cle})))
        }
        ("DELETE", ["users", nom, "cles", debut]) => {
            comptes::retirer_cle(&kv, nom, debut).await?;
            Ok(Reponse::json(200, &json!({"username": nom})))
        }
        _ => Err(Erreur::RouteInconnue),
    }
}
