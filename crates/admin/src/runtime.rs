//! What the internal routes need of the world around them.

use crate::error::AdminError;
use api::{Runtime, VariableFault};
use domain::Document;
use outside::Outside;
use publication::{Environment, PlausibilityRules, SecrecySettings};
use serde_json::Value;
use store::codec::hex;
use store::kv::{KeyValueWrite, StoreError};

/// What these routes need: a store to write to, and the world outside.
pub trait ImportRuntime: Runtime<Kv: KeyValueWrite> + Outside {}

impl<R: Runtime<Kv: KeyValueWrite> + Outside> ImportRuntime for R {}

pub(crate) struct Env<'a, M>(pub(crate) &'a M);

impl<M: ImportRuntime> Environment for Env<'_, M> {
    fn now_ms(&self) -> i64 {
        self.0.now_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.monotonic_ms()
    }

    fn batch(&self) -> usize {
        self.0.batch()
    }

    async fn secrecy(&self) -> Result<SecrecySettings, StoreError> {
        let unreadable = |fault: VariableFault| StoreError::Unavailable(fault.to_string());
        let secrecy = self.0.variable("secret").await.map_err(unreadable)?;
        let secondary = self.0.variable("secret_secondaire").await.map_err(unreadable)?;
        Ok(SecrecySettings::parse(&secrecy, &secondary))
    }

    async fn plausibility(&self) -> Result<Option<PlausibilityRules>, StoreError> {
        // A level that cannot be read was told when the first part came in.
        match plausibility(self.0).await {
            Ok(rules) => Ok(Some(rules)),
            Err(AdminError::Refused(reason)) => Err(StoreError::Unavailable(reason)),
            Err(_) => Err(StoreError::Unavailable("variable plausibilite".into())),
        }
    }

    async fn user(&self, document: &Document) -> Result<(), StoreError> {
        let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        accounts::set_password(&self.0.kv(), &text("username"), &text("password")).await
    }
}

/// How documents are checked for plausibility.
pub(crate) async fn plausibility<M: Runtime>(runtime: &M) -> Result<PlausibilityRules, AdminError> {
    let variable = runtime.variable("plausibilite").await?;
    let levels = plausibility::Severities::read(&variable)
        .map_err(|reason| AdminError::Refused(format!("variable plausibilite : {reason}")))?;
    let (year, ..) = domain::date::date(runtime.now_ms().div_euclid(86_400_000));
    Ok(PlausibilityRules { levels, year: Some(year) })
}

pub(crate) fn new_id<M: ImportRuntime>(runtime: &M) -> String {
    let random = runtime.random();
    format!("j{}{}", runtime.now_ms(), hex(random.get(..4).unwrap_or_default()))
}

pub(crate) async fn indicators<M: Runtime>(runtime: &M) -> Result<Vec<String>, AdminError> {
    let variable = runtime.variable("indicateurs").await?;
    let names = variable.split(',').map(|i| i.trim().to_owned());
    Ok(names.filter(|i| domain::indicator::is_indicator(i)).collect())
}
