//! Recorded exchanges, answered again over HTTP.

use crate::Service;
use anyhow::{Context, anyhow, bail};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

/// A recorded answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// A network fault.
    Dropped,
    Answered {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
}

/// Recorded answers by service, method and address from the service's root on. The last one of an address is given
/// again and again: how often a call is made differs.
#[derive(Debug, Default)]
pub(crate) struct Replay(BTreeMap<(Service, String, String), VecDeque<Recorded>>);

/// The exchanges that a case of a file of recorded cases made.
///
/// # Errors
/// A file that is not there, is no file of cases, or has no such case.
pub fn exchanges(file: &Path, case: &str) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read(file).with_context(|| file.display().to_string())?;
    let value: Value = serde_json::from_slice(&text).with_context(|| file.display().to_string())?;
    let cases = value.get("cases").and_then(Value::as_array).context("no `cases`")?;
    let found = cases.iter().find(|c| c.get("id").and_then(Value::as_str) == Some(case));
    let upstream = found.with_context(|| format!("no case {case}"))?.get("upstream").and_then(Value::as_array);
    Ok(upstream.cloned().unwrap_or_default())
}

/// The service that a recorded address is of.
fn service(host: &str) -> Option<Service> {
    [
        ("data.enseignementsup", Service::InserSupNational),
        ("inserjeunes", Service::InserJeunes),
        ("insersup", Service::InserSup),
        ("catalogue", Service::Catalogue),
        ("omogen", Service::Bcn),
    ]
    .into_iter()
    .find_map(|(part, service)| host.contains(part).then_some(service))
}

impl Replay {
    pub(crate) fn of(exchanges: &[Value]) -> anyhow::Result<Self> {
        let mut answers: BTreeMap<_, VecDeque<Recorded>> = BTreeMap::new();
        for exchange in exchanges {
            let text = |name: &str| exchange.get("request").and_then(|r| r.get(name)?.as_str()).unwrap_or_default();
            let (_, address) = text("url").split_once("://").ok_or_else(|| anyhow!("no address: {}", text("url")))?;
            let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
            let Some(service) = service(host) else { bail!("{host} is none of the services") };
            let response = exchange.get("response").cloned().unwrap_or_default();
            let key = (service, text("method").to_owned(), path.to_owned());
            answers.entry(key).or_default().push_back(recorded(&response));
        }
        Ok(Self(answers))
    }

    pub(crate) fn next(&mut self, service: Service, method: &str, target: &str) -> Option<Recorded> {
        let answers = self.0.get_mut(&(service, method.to_owned(), target.to_owned()))?;
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
    }
}

fn recorded(response: &Value) -> Recorded {
    if response.get("error").is_some() {
        return Recorded::Dropped;
    }
    let status = response.get("status").and_then(Value::as_u64).and_then(|s| u16::try_from(s).ok());
    let mut headers = Vec::new();
    for (name, value) in response.get("headers").and_then(Value::as_object).into_iter().flatten() {
        // How the body was sent is this server's own business.
        if ["content-length", "content-encoding", "transfer-encoding", "connection"].contains(&name.as_str()) {
            continue;
        }
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        headers.extend(values.iter().filter_map(Value::as_str).map(|v| (name.clone(), v.to_owned())));
    }
    let json = response.get("body_is_json_text").and_then(Value::as_bool) != Some(false);
    let body = match response.get("body") {
        Some(Value::String(text)) if !json => text.clone(),
        Some(body) => body.to_string(),
        None => String::new(),
    };
    Recorded::Answered { status: status.unwrap_or(200), headers, body: body.into_bytes() }
}
