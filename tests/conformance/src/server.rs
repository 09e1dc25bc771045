//! The application that cases are played against.

use crate::case::RecordedRequest;
use anyhow::Context;
use serde_json::Value;
use support::{Answer, Application, Request};

/// Rows asked for at once when a whole list is walked.
const PAGE: usize = 100;

/// The application that a case is played against.
pub struct Server<'a> {
    /// The application.
    pub application: &'a Application,
    /// What is in force, as the case has it.
    pub config: &'a Value,
}

impl Server<'_> {
    /// What is in force.
    #[must_use]
    pub fn config(&self) -> &Value {
        self.config
    }

    /// The key that re-users share.
    #[must_use]
    pub fn legacy_key(&self) -> &str {
        &self.application.settings.legacy_api_key
    }

    /// Sends a recorded request.
    ///
    /// # Errors
    /// Where its token cannot be made or no whole answer comes back.
    pub fn ask(&self, recorded: &RecordedRequest) -> anyhow::Result<Answer> {
        let token = recorded.jwt.as_ref().map(crate::jwt::Token::sign).transpose()?.unwrap_or_default();
        let mut request = Request::new(&recorded.method, &recorded.path_with_query.replace("{{jwt}}", &token));
        for (name, value) in &recorded.headers {
            request = request.header(name, &value.replace("{{jwt}}", &token));
        }
        let request = request.body(recorded.body.clone().unwrap_or_default());
        self.application.send(&request).with_context(|| format!("{} {}", recorded.method, recorded.path_with_query))
    }

    /// Every page of a list, by another size of page.
    ///
    /// # Errors
    /// Where a page gets no answer, or its rows cannot be read.
    pub fn walk<T>(
        &self,
        recorded: &RecordedRequest,
        rows: impl Fn(&Answer) -> anyhow::Result<Vec<T>>,
    ) -> anyhow::Result<Vec<T>> {
        let path = without(&recorded.path_with_query, &["page", "items_par_page"]);
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        for page in 1.. {
            let path_with_query = format!("{path}{separator}items_par_page={PAGE}&page={page}");
            let request = RecordedRequest { path_with_query, ..recorded.clone() };
            let read = rows(&self.ask(&request)?)?;
            let last = read.len() < PAGE;
            all.extend(read);
            if last {
                break;
            }
        }
        Ok(all)
    }
}

/// A path without these parameters of its query.
#[must_use]
pub fn without(path_with_query: &str, names: &[&str]) -> String {
    let Some((path, query)) = path_with_query.split_once('?') else { return path_with_query.to_owned() };
    let kept: Vec<&str> =
        query.split('&').filter(|pair| !names.contains(&pair.split('=').next().unwrap_or_default())).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}
