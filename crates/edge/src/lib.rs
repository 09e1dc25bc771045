//! The only crate that knows spin-sdk.
//!
//! It turns Spin's requests and answers into those of [`api`], and gives routes the store, the
//! variables and the clocks of the runtime. A read component calls [`serve`] and nothing else, so
//! that of the key-value interface its binary imports `open` and `get` only.

mod ecriture;
mod http;
mod magasin;
mod reseau;

pub use ecriture::{Ecriture, MagasinEcriture};
pub use magasin::Magasin;
pub use reseau::{CorpsRecu, Horloge, Reseau};
#[doc(hidden)]
pub use spin_sdk::wasip3;
pub use spin_sdk::wasip3::http::types::{Request, Response};

use api::{Monde, Reponse, Requete};
use spin_sdk::wasip3::random::random::get_random_u64;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};
use store::lecture::Cache;

/// The label that everything lies under. It needs no configuration anywhere, and is the only one on
/// some hosts; a deployment that wants stores of their own changes it here and in the manifest.
pub const LABEL: &str = "default";

/// Largest body that read routes look at, plus one byte to see that there is more.
const CORPS_LU: usize = 100 * 1024 + 1;

thread_local! {
    static CACHE: Rc<Cache> = Rc::new(Cache::new());
    static VARIABLES: RefCell<Vec<(String, u64, String)>> = const { RefCell::new(Vec::new()) };
    static DEBUT: std::time::Instant = std::time::Instant::now();
}

/// The runtime, as routes see it; `K` is the store, opened for reading or for writing.
#[derive(Clone, Debug)]
pub struct Spin<K>(pub K);

impl<K: store::KeyValue + Clone + 'static> Monde for Spin<K> {
    type Kv = K;

    fn kv(&self) -> K {
        self.0.clone()
    }

    fn cache(&self) -> Rc<Cache> {
        CACHE.with(Rc::clone)
    }

    async fn variable(&self, nom: &str) -> String {
        variable(nom).await
    }

    fn maintenant_ms(&self) -> i64 {
        maintenant_ms()
    }

    fn monotone_ms(&self) -> u64 {
        monotone_ms()
    }
}

impl api::import::MondeImport for Spin<MagasinEcriture> {
    type Fetch = Reseau;
    type Clock = Horloge;

    fn fetch(&self) -> Reseau {
        Reseau
    }

    fn horloge(&self) -> Horloge {
        Horloge
    }

    fn lot(&self) -> usize {
        self.0.profil().lot()
    }

    fn alea(&self) -> [u8; 16] {
        alea()
    }
}

/// How long an instance may go by a variable it has read, in milliseconds: as long as by the pointer. A list asks for
/// two or three of them, and each one is a call as long as a get.
const VARIABLE_TTL_MS: u64 = store::lecture::POINTER_TTL_MS;

/// A variable of the component, at most [`VARIABLE_TTL_MS`] old; empty where it is not set.
pub async fn variable(nom: &str) -> String {
    let maintenant = monotone_ms();
    let connue = VARIABLES.with_borrow(|connues| {
        let connue =
            connues.iter().find(|(connue, lue, _)| connue == nom && maintenant.saturating_sub(*lue) < VARIABLE_TTL_MS);
        connue.map(|(_, _, valeur)| valeur.clone())
    });
    if let Some(valeur) = connue {
        return valeur;
    }
    let valeur = spin_sdk::variables::get(nom).await.unwrap_or_default();
    VARIABLES.with_borrow_mut(|connues| {
        connues.retain(|(connue, _, _)| connue != nom);
        connues.push((nom.to_owned(), maintenant, valeur.clone()));
    });
    valeur
}

/// Milliseconds since 1970.
#[must_use]
pub fn maintenant_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|d| i64::try_from(d.as_millis()).ok())
        .unwrap_or_default()
}

/// Milliseconds of a clock that never goes back.
#[must_use]
pub fn monotone_ms() -> u64 {
    DEBUT.with(|debut| u64::try_from(debut.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// Random bytes of the runtime.
#[must_use]
pub fn alea<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    let hasard = std::iter::repeat_with(|| get_random_u64().to_le_bytes()).flatten();
    octets.iter_mut().zip(hasard).for_each(|(octet, tire)| *octet = tire);
    octets
}

/// Makes a function the component's handler: `edge::service!(handle)`. The SDK's own attribute would turn every request
/// into an `http::Request` first.
#[macro_export]
macro_rules! service {
    ($handle:path) => {
        struct Service;
        $crate::wasip3::http::service::export!(Service);

        impl $crate::wasip3::exports::http::handler::Guest for Service {
            async fn handle(
                request: $crate::Request,
            ) -> Result<$crate::Response, $crate::wasip3::http::types::ErrorCode> {
                Ok($handle(request).await)
            }
        }
    };
}

/// Answers a request by a read route.
pub async fn serve(request: Request, route: impl AsyncFnOnce(&Spin<Magasin>, Requete) -> Reponse) -> Response {
    let requete = http::lire(request, CORPS_LU, false).await;
    let monde = Spin(Magasin::ouvrir().await);
    http::repondre(route(&monde, requete).await)
}

/// Answers a request by a route that writes: its binary imports the writing half of the store too.
pub async fn serve_ecriture(
    request: Request,
    corps_max: usize,
    route: impl AsyncFnOnce(&Spin<MagasinEcriture>, Requete) -> Reponse,
) -> Response {
    let requete = http::lire(request, corps_max.saturating_add(1), true).await;
    let profil = Ecriture::lire(&variable("store_profile").await);
    let monde = Spin(MagasinEcriture::ouvrir(profil).await);
    http::repondre(route(&monde, requete).await)
}
