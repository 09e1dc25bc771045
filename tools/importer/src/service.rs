//! The import routes over HTTP.

use anyhow::{Context, bail};
use serde_json::Value;
use std::time::Duration;
use ureq::http::{Request, Response};

/// Tries of a call that changes nothing when it is repeated.
const TRIES: u32 = 6;
/// The first pause between two tries; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(250);
/// A call lasts 20 s at most on the side of the service.
const PATIENCE: Duration = Duration::from_secs(120);

/// The service, with the secret that opens its import routes.
pub struct Service {
    agent: ureq::Agent,
    url: String,
    secret: String,
}

/// An answer that was not the one hoped for.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The service's own words.
    pub message: String,
}

impl Service {
    /// The service at this address.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        Ok(Self::with_secret(url, secret()?))
    }

    /// The service at an address, opened by a secret.
    pub fn with_secret(url: &str, secret: String) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        Self { agent: config.into(), url: url.trim_end_matches('/').to_owned(), secret }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of a route of the import, or of another one where the path begins at the root.
    fn address(&self, path: &str) -> String {
        let folder = if path.starts_with('/') { "" } else { "/internal/import/" };
        [&self.url, folder, path].concat()
    }

    /// A call that may be repeated: faults of the network and 503 are tried again.
    pub fn repeat(&self, method: &str, path: &str, body: &Body<'_>) -> anyhow::Result<Result<Value, Refusal>> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.once(method, path, body) {
                Ok(Err(Refusal { status: 502..=504, .. })) | Err(_) => {}
                answered => return answered,
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
        self.once(method, path, body)
    }

    /// A text, as it is answered.
    pub fn text(&self, path: &str) -> anyhow::Result<Result<String, Refusal>> {
        let request =
            Request::builder().uri(self.address(path)).header("authorization", format!("Bearer {}", self.secret));
        let unreachable = || format!("{} ne répond pas", self.url);
        let mut response = self.agent.run(request.body(())?).with_context(unreachable)?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().with_context(unreachable)?;
        if status == 200 {
            return Ok(Ok(text));
        }
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let message = json.get("message").and_then(Value::as_str).unwrap_or("réponse inattendue").to_owned();
        Ok(Err(Refusal { status, message }))
    }

    /// A single call: the JSON of a 2xx answer, or the refusal.
    pub fn once(&self, method: &str, path: &str, body: &Body<'_>) -> anyhow::Result<Result<Value, Refusal>> {
        let request = Request::builder()
            .method(method)
            .uri(self.address(path))
            .header("authorization", format!("Bearer {}", self.secret));
        let unreachable = || format!("{} ne répond pas", self.url);
        let mut response: Response<ureq::Body> = match body {
            Body::None => self.agent.run(request.body(())?).with_context(unreachable)?,
            Body::Json(value) => {
                let request = request.header("content-type", "application/json");
                self.agent.run(request.body(value.to_string())?).with_context(unreachable)?
            }
            Body::Lines { bytes, digest } => {
                let request = request
                    .header("content-type", "application/x-ndjson")
                    .header("content-digest", format!("sha-256=:{digest}:"));
                self.agent.run(request.body(*bytes)?).with_context(unreachable)?
            }
        };
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().with_context(unreachable)?;
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(Ok(json));
        }
        let message = match (status, json.get("message").and_then(Value::as_str)) {
            (401, _) => "le secret d'import est refusé (IMPORT_SECRET ou .env)".to_owned(),
            (_, Some(message)) => message.to_owned(),
            (404, None) => format!("{} ne connaît pas les routes d'import", self.url),
            (_, None) => format!("réponse {status}"),
        };
        Ok(Err(Refusal { status, message }))
    }
}

impl Refusal {
    /// The refusal as a fault of the program.
    pub fn fault(self) -> anyhow::Error {
        anyhow::anyhow!("{} ({})", self.message, self.status)
    }
}

/// What a call carries.
pub enum Body<'a> {
    /// Nothing.
    None,
    /// A JSON value.
    Json(&'a Value),
    /// A part, and its digest in base64.
    Lines {
        /// The part.
        bytes: &'a [u8],
        /// Its digest.
        digest: String,
    },
}

/// The secret: from the environment, else from the `.env` file.
fn secret() -> anyhow::Result<String> {
    for name in ["IMPORT_SECRET", "SPIN_VARIABLE_IMPORT_SECRET"] {
        if let Ok(secret) = std::env::var(name)
            && !secret.is_empty()
        {
            return Ok(secret);
        }
    }
    let file = std::env::var("IMPORTER_ENV_FILE").unwrap_or_else(|_| ".env".to_owned());
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let found = text.lines().find_map(|line| line.trim().strip_prefix("SPIN_VARIABLE_IMPORT_SECRET="));
    match found.map(|secret| secret.trim_matches(['"', '\''])).filter(|secret| !secret.is_empty()) {
        Some(secret) => Ok(secret.to_owned()),
        None => bail!(
            "le secret d'import manque : le donner par IMPORT_SECRET, ou par SPIN_VARIABLE_IMPORT_SECRET dans {file} (scripts/up l'y met)"
        ),
    }
}
