//! A network that answers as recorded, and a clock that does not wait.

use outside::{Body, Clock, Fetch, FetchError, ServiceRequest, ServiceResponse};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

/// Recorded answers by method and address. The last one of an address is given again and again:
/// how often a call is made is not compared.
#[derive(Debug)]
pub struct Network(RefCell<BTreeMap<(String, String), VecDeque<Value>>>);

impl Network {
    /// Of recorded exchanges.
    #[must_use]
    pub fn of(upstream: &[Value]) -> Self {
        let mut answers: BTreeMap<(String, String), VecDeque<Value>> = BTreeMap::new();
        for exchange in upstream {
            let text = |name: &str| {
                let value = exchange.get("request").and_then(|r| r.get(name));
                value.and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let response = exchange.get("response").cloned().unwrap_or_default();
            answers.entry((text("method"), text("url"))).or_default().push_back(response);
        }
        Self(RefCell::new(answers))
    }
}

impl Fetch for Network {
    type Body = Whole;

    async fn fetch(&self, request: &ServiceRequest) -> Result<ServiceResponse<Whole>, FetchError> {
        let mut answers = self.0.borrow_mut();
        let key = (request.method.to_string(), request.url.clone());
        let answers = answers.get_mut(&key).ok_or(FetchError::Connection)?;
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        let answer = answer.filter(|a| a.get("error").is_none()).ok_or(FetchError::Connection)?;
        let status = answer.get("status").and_then(Value::as_u64).and_then(|s| u16::try_from(s).ok());
        let mut headers = Vec::new();
        for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            headers.extend(values.iter().filter_map(Value::as_str).map(|v| (name.clone(), v.to_owned())));
        }
        let json = answer.get("body_is_json_text").and_then(Value::as_bool) != Some(false);
        let body = match answer.get("body") {
            Some(Value::String(text)) if !json => text.clone(),
            Some(body) => body.to_string(),
            None => String::new(),
        };
        Ok(ServiceResponse { status: status.unwrap_or(200), headers, body: Whole(Some(body.into_bytes())) })
    }
}

/// A body in one chunk.
#[derive(Debug)]
pub struct Whole(Option<Vec<u8>>);

impl Body for Whole {
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, FetchError> {
        Ok(self.0.take())
    }
}

/// Time that passes only where somebody waits.
#[derive(Debug, Default)]
pub struct Instantly(Cell<u64>);

impl Clock for Instantly {
    fn now_ms(&self) -> u64 {
        self.0.get()
    }

    async fn sleep(&self, ms: u64) {
        self.0.set(self.0.get() + ms);
    }

    fn random(&self) -> f64 {
        0.5
    }
}
