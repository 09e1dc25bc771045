//! The service over HTTP.

use crate::Options;
use crate::pieces::Form;
use anyhow::Context;
use serde_json::Value;
use std::time::Duration;
use ureq::http::Request;

/// Tries of a piece: an answer depends on nothing but the piece and the generation.
const TRIES: u32 = 6;
/// The first pause between two tries; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);
/// A piece is answered in seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a piece.
pub enum Answered {
    /// Its answer, and the generation that gave it.
    Rows(Vec<u8>, String),
    /// The generation that is asked for is no longer served.
    Gone,
    /// The service refuses it: its own words.
    Refused(String),
}

/// The service.
pub struct Service<'a> {
    agent: ureq::Agent,
    options: &'a Options,
    form: Form,
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

impl<'a> Service<'a> {
    pub fn new(options: &'a Options, form: Form) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        Self { agent: config.into(), options, form }
    }

    /// The answer to a piece, from one of its rows on. Faults of the network, answers that break off and 503 are tried
    /// again.
    pub fn answer(&self, piece: &[u8], from: u64, generation: Option<&str>) -> anyhow::Result<Answered> {
        let mut pause = PAUSE;
        let mut last = None;
        for _ in 0..TRIES {
            match self.once(piece, from, generation) {
                Ok(Some(answered)) => return Ok(answered),
                Ok(None) => {}
                Err(fault) => last = Some(fault),
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        let fault = last.unwrap_or_else(|| anyhow::anyhow!("le service est occupé"));
        Err(fault.context(format!("{} : abandon après {TRIES} essais", self.options.url)))
    }

    /// `None`: to be tried again.
    fn once(&self, piece: &[u8], from: u64, generation: Option<&str>) -> anyhow::Result<Option<Answered>> {
        let mut query: Vec<(&str, String)> = self.options.query.clone();
        query.push(("a_partir", from.to_string()));
        query.extend(generation.map(|generation| ("generation", generation.to_owned())));
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let uri = format!("{}/api/appariement/formations?{}", self.options.url.trim_end_matches('/'), query.join("&"));
        let accept = if self.form == Form::Csv { "text/csv" } else { "application/x-ndjson" };
        let sent = if self.form == Form::Csv { "text/csv" } else { "application/x-ndjson" };
        let request = Request::builder()
            .method("POST")
            .uri(uri)
            .header("x-api-key", &self.options.key)
            .header("accept", accept)
            .header("content-type", sent)
            .body(piece)?;
        let mut response = self.agent.run(request).context("le service ne répond pas")?;
        let status = response.status().as_u16();
        let generation =
            response.headers().get("x-generation").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let generation = generation.to_owned();
        let body =
            response.body_mut().with_config().limit(64 << 20).read_to_vec().context("la réponse s'est interrompue")?;
        let message = || {
            let json: Value = serde_json::from_slice(&body).unwrap_or_default();
            let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            format!("{} {}", text("message"), text("aide")).trim().to_owned()
        };
        Ok(match status {
            200 => Some(Answered::Rows(body, generation)),
            409 => Some(Answered::Gone),
            502..=504 => None,
            401 => Some(Answered::Refused("la clé est refusée (--cle ou API_KEY)".to_owned())),
            _ => Some(Answered::Refused(format!("{} ({status})", message()))),
        })
    }
}
