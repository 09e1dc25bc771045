//! A push through the import routes, up to the publication.

use crate::Application;
use crate::client::Answer;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

/// Calls of `run` after which a job is taken for stuck.
const RUNS_MAX: usize = 10_000;

/// A push: what is sent, and how it is to be published.
#[derive(Debug, Clone)]
pub struct Push {
    /// The body of `POST jobs`.
    pub opening: Value,
    /// Lines of NDJSON, cut into parts as given.
    pub parts: Vec<Vec<u8>>,
    /// The members of `POST jobs/{id}/publish` but `parties`.
    pub order: Value,
}

impl Push {
    /// Replaces everything by these lines; losses are confirmed.
    pub fn all(lines: impl Into<Vec<u8>>) -> Self {
        Self {
            opening: json!({"mode": "remplacer"}),
            parts: vec![lines.into()],
            order: json!({"confirmer_pertes": true}),
        }
    }

    /// With these latest millésimes in force.
    #[must_use]
    pub fn in_force(mut self, millesimes: Value) -> Self {
        if let Some(order) = self.order.as_object_mut() {
            order.insert("millesimes".to_owned(), millesimes);
        }
        self
    }
}

impl Application {
    /// Carries a push to its end: the job's record, `etape` among it.
    ///
    /// # Errors
    /// Where a call is refused, naming it.
    pub fn push(&self, push: &Push) -> anyhow::Result<Value> {
        let id = self.stage(push)?;
        let mut order = push.order.clone();
        order["parties"] = push.parts.len().into();
        self.call(&id, "publish", order)?;
        self.run(&id)
    }

    /// Opens a job and sends its parts: its id.
    ///
    /// # Errors
    /// Where a call is refused, naming it.
    pub fn stage(&self, push: &Push) -> anyhow::Result<String> {
        let opened = self.send(&self.import("POST", "jobs").body(push.opening.to_string()))?;
        let id = accepted(&opened).context("POST jobs")?["id"].as_str().unwrap_or_default().to_owned();
        for (number, part) in push.parts.iter().enumerate() {
            let request = self.import("PUT", &format!("jobs/{id}/parts/{number}")).body(part.clone());
            let info = accepted(&self.send(&request)?).with_context(|| format!("PUT part {number}"))?;
            ensure!(info["refusees"] == 0, "part {number} has refused lines: {}", info["refus"]);
        }
        Ok(id)
    }

    /// Advances a job until nothing more happens by itself: its record.
    ///
    /// # Errors
    /// Where a call is refused or it does not come to an end.
    pub fn run(&self, id: &str) -> anyhow::Result<Value> {
        for _ in 0..RUNS_MAX {
            let job = self.call(id, "run", json!({}))?;
            let ended = ["publie", "inchange", "abandonne", "echec", "attendre_confirmation"];
            if job["etape"].as_str().is_some_and(|step| ended.contains(&step)) {
                return Ok(job);
            }
        }
        bail!("the job {id} does not come to an end")
    }

    fn call(&self, id: &str, verb: &str, body: Value) -> anyhow::Result<Value> {
        let request = self.import("POST", &format!("jobs/{id}/{verb}")).body(body.to_string());
        accepted(&self.send(&request)?).with_context(|| format!("POST {verb}"))
    }
}

fn accepted(answer: &Answer) -> anyhow::Result<Value> {
    ensure!((200..300).contains(&answer.status), "{}: {}", answer.status, answer.text());
    Ok(answer.json())
}
