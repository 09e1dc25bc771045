//! Calls the import when Spin's cron trigger says so. Deployed as an application of its own
//! (`deploy/spin-cron`); the variable `chemin` says which call.
//!
//! `/internal/import/run` is called again while its answer says that there is more to do, for less
//! than a minute: the next event is not far. The trigger knows no lock and no retry: two calls at
//! once are told apart by the import itself (409), and what failed is called again by the next event.

#![cfg(target_family = "wasm")]

use cron::{Error, Guest, Metadata};
use edge::{Network, RuntimeClock};
use outside::{Body, Clock, Fetch, FetchError, Method, ServiceRequest};

#[allow(missing_docs, unsafe_code, clippy::all, reason = "generated code")]
mod cron {
    spin_sdk::wit_bindgen::generate!({
        path: "wit",
        world: "spin-cron",
        runtime_path: "::spin_sdk::wit_bindgen::rt",
    });

    export!(Cron with_types_in self);

    pub(crate) struct Cron;
}

/// How long calls are repeated, in milliseconds; each takes 20 s at most.
const DURATION_MS: u64 = 35_000;

/// How much of an answer is looked at for `again`: it is a report, not data.
const RESPONSE_MAX: usize = 1 << 20;

impl Guest for cron::Cron {
    async fn handle_cron_event(_: Metadata) -> Result<(), Error> {
        call().await.map_err(|text| {
            eprintln!("{text}");
            Error::Other(text)
        })
    }
}

async fn call() -> Result<(), String> {
    let origin = edge::variable("exposition_origine").await.map_err(|fault| fault.to_string())?;
    let path = edge::variable("chemin").await.map_err(|fault| fault.to_string())?;
    let secret = edge::variable("import_secret").await.map_err(|fault| fault.to_string())?;
    if secret.is_empty() {
        return Err("import_secret is empty: the import would refuse the call".to_owned());
    }
    let request = ServiceRequest {
        method: Method::Post,
        url: format!("{}{path}", origin.trim().trim_end_matches('/')),
        headers: vec![("authorization", format!("Bearer {secret}"))],
        body: None,
    };
    let end = RuntimeClock.now_ms() + DURATION_MS;
    loop {
        let (status, again) = send(&request).await.map_err(|fault| format!("{path}: {fault}"))?;
        match status {
            200..300 if again && RuntimeClock.now_ms() < end => {}
            // Done for now, or somebody else is at it.
            200..300 | 409 => return Ok(()),
            status => return Err(format!("{path}: status {status}")),
        }
    }
}

/// One call: its status, and whether there is more to do.
async fn send(request: &ServiceRequest) -> Result<(u16, bool), FetchError> {
    let mut response = Network.fetch(request).await?;
    let mut body = Vec::new();
    while let Some(piece) = response.body.chunk().await? {
        if body.len() < RESPONSE_MAX {
            body.extend(piece);
        }
    }
    let again = br#""encore":true"#;
    Ok((response.status, body.windows(again.len()).any(|window| window == again)))
}
