//! Calls the import when Spin's cron trigger says so. Deployed as an application of its own
//! (`deploy/spin-cron`); the variable `chemin` says which call.
//!
//! `/internal/import/run` is called again while its answer says that there is more to do, for less
//! than a minute: the next event is not far. The trigger knows no lock and no retry: two calls at
//! once are told apart by the import itself (409), and what failed is called again by the next event.

use cron::{Error, Guest, Metadata};
use edge::{Horloge, Reseau};
use sources::{Body, Clock, Fetch, FetchError, Method, Request};

#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated code")]
mod cron {
    spin_sdk::wit_bindgen::generate!({
        path: "wit",
        world: "spin-cron",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
    });

    export!(Minuteur with_types_in self);

    pub(crate) struct Minuteur;
}

/// How long calls are repeated, in milliseconds; each takes 20 s at most.
const DUREE_MS: u64 = 35_000;

/// How much of an answer is looked at for `encore`: it is a report, not data.
const REPONSE_MAX: usize = 1 << 20;

impl Guest for cron::Minuteur {
    async fn handle_cron_event(_: Metadata) -> Result<(), Error> {
        appeler().await.map_err(|texte| {
            eprintln!("{texte}");
            Error::Other(texte)
        })
    }
}

async fn appeler() -> Result<(), String> {
    let origine = edge::variable("exposition_origine").await;
    let chemin = edge::variable("chemin").await;
    let secret = edge::variable("import_secret").await;
    if secret.is_empty() {
        return Err("import_secret is empty: the import would refuse the call".to_owned());
    }
    let request = Request {
        method: Method::Post,
        url: format!("{}{chemin}", origine.trim().trim_end_matches('/')),
        headers: vec![("authorization", format!("Bearer {secret}"))],
        body: None,
    };
    let fin = Horloge.now_ms() + DUREE_MS;
    loop {
        let (statut, encore) = envoyer(&request).await.map_err(|faute| format!("{chemin}: {faute}"))?;
        match statut {
            200..300 if encore && Horloge.now_ms() < fin => {}
            // Done for now, or somebody else is at it.
            200..300 | 409 => return Ok(()),
            statut => return Err(format!("{chemin}: status {statut}")),
        }
    }
}

/// One call: its status, and whether there is more to do.
async fn envoyer(request: &Request) -> Result<(u16, bool), FetchError> {
    let mut response = Reseau.fetch(request).await?;
    let mut corps = Vec::new();
    while let Some(morceau) = response.body.chunk().await? {
        if corps.len() < REPONSE_MAX {
            corps.extend(morceau);
        }
    }
    let encore = br#""encore":true"#;
    Ok((response.status, corps.windows(encore.len()).any(|fenetre| fenetre == encore)))
}
