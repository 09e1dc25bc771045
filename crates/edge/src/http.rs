//! Requests and answers, on the interface of WASI itself.
//!
//! The SDK would make an `http::Request` of every request: all headers copied over the border, a URI parsed, a map
//! filled, and the same backwards. Routes read the path and two or three headers, so this asks for those.

use api::{BodyStream, Corps, Entete, Entetes, Reponse, Requete};
use futures_channel::oneshot;
use futures_util::StreamExt;
use futures_util::future::ready;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Method, Request, Response};
use spin_sdk::wasip3::wit_bindgen::rt::async_support::{StreamReader, StreamResult, StreamWriter, spawn};
use spin_sdk::wasip3::{wit_future, wit_stream};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;

/// How much of a body is asked for at once.
const MORCEAU: usize = 64 * 1024;

/// Reads a request. `corps_max` bounds the body: what lies beyond is left. Read routes look at a body only where its
/// type is told, so without one it is not fetched.
pub(crate) async fn lire(request: Request, corps_max: usize, sans_type: bool) -> Requete {
    let champs = request.get_headers();
    let entetes = Entetes::nouveaux(move |nom| {
        let valeur = champs.get(nom).into_iter().next()?;
        Some(String::from_utf8(valeur).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    });
    let methode = methode(request.get_method());
    let mut chemin = request.get_path_with_query().unwrap_or_default();
    let query = match chemin.split_once('?') {
        Some((avant, query)) => {
            let (longueur, query) = (avant.len(), query.to_owned());
            chemin.truncate(longueur);
            query
        }
        None => String::new(),
    };
    let mut requete = Requete { methode, chemin, query, entetes, corps: Vec::new() };
    if sans_type || requete.entete("content-type").is_some() {
        requete.corps = lire_corps(request, corps_max).await;
    }
    requete
}

fn methode(methode: Method) -> Cow<'static, str> {
    let nom = match methode {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(nom) => return nom.into(),
    };
    nom.into()
}

async fn lire_corps(request: Request, max: usize) -> Vec<u8> {
    let (_lu, fin) = wit_future::new::<Result<(), ErrorCode>>(|| Ok(()));
    let (mut flux, _trailers): (StreamReader<u8>, _) = Request::consume_body(request, fin);
    let mut lu = Vec::new();
    while lu.len() < max {
        // What is read is appended: the vector's own room bounds it.
        lu.reserve_exact(MORCEAU.min(max - lu.len()));
        let (etat, octets) = flux.read(lu).await;
        lu = octets;
        // A body that breaks off is judged by its digest or its form.
        if !matches!(etat, StreamResult::Complete(_)) {
            break;
        }
    }
    lu.truncate(max);
    lu
}

/// Headers that belong to one answer; the others are alike from answer to answer.
const PROPRES: [&str; 4] = ["etag", "content-length", "link", "content-disposition"];
/// How many sets of headers an instance keeps made: JSON and images, with and without gzip, 304, lists.
const MODELES_MAX: usize = 8;

/// Headers that are alike, made once. A copy of them is a reference in the runtime, where a list of seven is a dozen
/// copies over the border, as many allocations on both sides, and each name looked up.
struct Modele {
    entetes: Vec<Entete>,
    champs: Fields,
}

thread_local! {
    static MODELES: RefCell<VecDeque<Modele>> = const { RefCell::new(VecDeque::new()) };
}

/// The headers of an answer, for the runtime.
fn champs(entetes: &[Entete]) -> Fields {
    let communs = || entetes.iter().filter(|(nom, _)| !PROPRES.contains(nom));
    let champs = MODELES.with_borrow_mut(|modeles| {
        if let Some(modele) = modeles.iter().find(|modele| sont_egaux(&modele.entetes, communs())) {
            return modele.champs.clone();
        }
        let champs = Fields::new();
        for (nom, valeur) in communs() {
            ajouter(&champs, nom, valeur);
        }
        if modeles.len() == MODELES_MAX {
            modeles.pop_front();
        }
        modeles.push_back(Modele { entetes: communs().cloned().collect(), champs: champs.clone() });
        champs
    });
    for (nom, valeur) in entetes.iter().filter(|(nom, _)| PROPRES.contains(nom)) {
        ajouter(&champs, nom, valeur);
    }
    champs
}

/// Whether headers are those of a set. Nearly all of them are the same constants: their addresses tell, where comparing
/// the bytes takes some thousand instructions.
fn sont_egaux<'a>(modele: &[Entete], mut entetes: impl Iterator<Item = &'a Entete>) -> bool {
    let egaux = |un: &str, autre: &str| std::ptr::eq(un, autre) || un == autre;
    let suivent =
        modele.iter().all(|(nom, valeur)| entetes.next().is_some_and(|(n, v)| egaux(nom, n) && egaux(valeur, v)));
    suivent && entetes.next().is_none()
}

fn ajouter(champs: &Fields, nom: &str, valeur: &str) {
    // Names are our own; a value that is no header is left out.
    if valeur.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
        let _ = champs.append(nom, valeur.as_bytes());
    }
}

/// Sends an answer. Its body follows once the runtime has the head.
pub(crate) fn repondre(reponse: Reponse) -> Response {
    let champs = champs(&reponse.entetes);
    let (fin, suite) = wit_future::new(|| Ok(None));
    let (reponse_http, _envoi) = match reponse.corps {
        Corps::Octets(octets) if octets.is_empty() => {
            ensuite(async move {
                let _ = fin.write(Ok(None)).await;
            });
            Response::new(champs, None, suite)
        }
        Corps::Octets(octets) => {
            let (mut ecrivain, lecteur) = wit_stream::new();
            ensuite(async move {
                // A client that has gone takes nothing more: no fault of ours.
                let _ = ecrivain.write_all(octets).await;
                drop(ecrivain);
                let _ = fin.write(Ok(None)).await;
            });
            Response::new(champs, Some(lecteur), suite)
        }
        Corps::Flux(flux) => {
            let (ecrivain, lecteur) = wit_stream::new();
            ensuite(async move {
                let fini = envoyer(ecrivain, flux).await.map(|()| None);
                let _ = fin.write(fini).await;
            });
            Response::new(champs, Some(lecteur), suite)
        }
    };
    // An answer is made with 200; other codes are our own, so none is refused.
    if reponse.statut != 200 {
        let _ = reponse_http.set_status_code(reponse.statut);
    }
    reponse_http
}

/// Does what is left once the runtime has the head.
///
/// The bindings poll spawned futures together, and yield after a round in which each of them waits. The runtime goes on
/// with what has yielded only when an instance has nothing else to do: under load, answers that clients received long
/// ago keep their memory and their handles, until the runtime ends the instance for holding too many. So a round is
/// never whole: one future does the work, one waits for its end and is not polled before, and one ends the first round.
fn ensuite(travail: impl Future<Output = ()> + 'static) {
    let (fini, attente) = oneshot::channel::<()>();
    spawn(async move {
        travail.await;
        drop(fini);
    });
    spawn(async move {
        let _ = attente.await;
    });
    spawn(ready(()));
}

/// Sends a body piece by piece; a fault of the store breaks it off, so that the client sees it is not whole.
async fn envoyer(mut ecrivain: StreamWriter<u8>, mut flux: BodyStream) -> Result<(), ErrorCode> {
    while let Some(morceau) = flux.next().await {
        let morceau = morceau.map_err(|erreur| ErrorCode::InternalError(Some(erreur.to_string())))?;
        if !ecrivain.write_all(morceau).await.is_empty() {
            break;
        }
    }
    Ok(())
}
