//! Reads `spin.toml`, manifest version 2.
//!
//! What this host does not offer (mounted files, SQLite databases, AI models, component dependencies, Wagi) is refused
//! here rather than ignored, so that an application that starts here asks for nothing that is missing. Triggers other
//! than HTTP are left out and named in [`Manifest::other_triggers`].

use crate::Error;
use crate::router::Route;
use crate::variables::{Template, check_name};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The one store label that needs no configuration under Spin.
pub const DEFAULT_STORE: &str = "default";

/// An application.
#[derive(Debug)]
pub struct Manifest {
    /// The application's name.
    pub name: String,
    /// The application's version, where the manifest gives one.
    pub version: Option<String>,
    /// Each application variable with its default; `None` where it is required.
    pub variables: BTreeMap<String, Option<String>>,
    /// The HTTP triggers in the order of the file.
    pub triggers: Vec<Trigger>,
    /// The components that a trigger names.
    pub components: BTreeMap<String, Component>,
    /// The names of the triggers that are not HTTP.
    pub other_triggers: BTreeSet<String>,
}

/// What an HTTP request leads to.
#[derive(Debug)]
pub struct Trigger {
    /// The route; `None` where the route is private.
    pub route: Option<Route>,
    /// What answers.
    pub target: Target,
}

/// What answers a request.
#[derive(Debug, Clone)]
pub enum Target {
    /// The component of this id.
    Component(String),
    /// A fixed answer.
    Static(StaticResponse),
}

/// A fixed answer: `static_response = { status_code, headers, body }`.
#[derive(Debug, Clone, Deserialize)]
pub struct StaticResponse {
    /// The status; 200 unless given.
    #[serde(default = "ok")]
    pub status_code: u16,
    /// The headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body; empty unless given.
    #[serde(default)]
    pub body: String,
}

fn ok() -> u16 {
    200
}

/// A component's entry in the manifest.
#[derive(Debug)]
pub struct Component {
    /// The file of the component, relative to the manifest's folder as written, joined to it.
    pub source: PathBuf,
    /// The command that builds it, for the message that says the file is missing.
    pub build: Option<String>,
    /// What it is, for the start-up message.
    pub description: String,
    /// The component's variables, templates over the application's.
    pub variables: BTreeMap<String, Template>,
    /// Environment variables of the guest.
    pub environment: BTreeMap<String, String>,
    /// Where it may send requests, as written.
    pub allowed_outbound_hosts: Vec<String>,
    /// The stores it may open.
    pub key_value_stores: BTreeSet<String>,
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let fault = |reason| Error::Manifest { file: file.to_owned(), reason };
        let text = std::fs::read_to_string(file).map_err(|error| fault(error.to_string()))?;
        let folder = file.parent().unwrap_or(Path::new("."));
        Self::parse(&text, folder).map_err(fault)
    }

    /// Checks a manifest's text; `folder` is what its paths are relative to.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let version =
            text.parse::<toml::Table>().map_err(|error| error.to_string())?.get("spin_manifest_version").cloned();
        match version.as_ref().and_then(toml::Value::as_integer) {
            Some(2) => {}
            _ => {
                let found = version.map_or("is missing".to_owned(), |found| format!("is {found}"));
                return Err(format!("spin_manifest_version {found}; this host reads version 2"));
            }
        }
        let raw: RawManifest = toml::from_str(text).map_err(|error| error.to_string())?;
        let variables = raw
            .variables
            .into_iter()
            .map(|(name, variable)| Ok((variable.default(&name)?, name)))
            .map(|pair| pair.map(|(default, name)| (name, default)))
            .collect::<Result<BTreeMap<_, _>, String>>()?;
        if let Some(base) = raw.application.base()
            && base != "/"
        {
            return Err(format!("the base {base:?} is outdated: write it into each route"));
        }
        let other_triggers = raw.trigger.keys().filter(|kind| *kind != "http").cloned().collect();
        let http = raw.trigger.get("http").ok_or("there is no [[trigger.http]]")?;
        let triggers = http
            .iter()
            .enumerate()
            .map(|(index, trigger)| {
                let trigger = RawTrigger::deserialize(trigger.clone())
                    .map_err(|error| format!("[[trigger.http]] number {}: {}", index + 1, error.message()))?;
                trigger.check(index + 1)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut components = BTreeMap::new();
        for trigger in &triggers {
            let Target::Component(id) = &trigger.target else { continue };
            let raw = raw
                .component
                .get(id)
                .ok_or_else(|| format!("a trigger names the component {id:?}, but there is no [component.{id}]"))?;
            check_id(id)?;
            components.insert(id.clone(), raw.check(id, folder, &variables)?);
        }
        Ok(Self {
            name: raw.application.name,
            version: raw.application.version,
            variables,
            triggers,
            components,
            other_triggers,
        })
    }
}

/// Checks a component's id: words of letters and digits joined by `-`, a letter first, each word in one case.
fn check_id(id: &str) -> Result<(), String> {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.bytes().all(|b| b.is_ascii_alphanumeric())
            && !(word.bytes().any(|b| b.is_ascii_lowercase()) && word.bytes().any(|b| b.is_ascii_uppercase()))
    };
    if id.split('-').all(word) {
        return Ok(());
    }
    Err(format!("component id {id:?} is not kebab-case: words of letters and digits joined by `-`, a letter first"))
}

/// The file's own shape. Unknown keys are refused, as Spin refuses them; those read but unused are ignored here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    #[serde(rename = "spin_manifest_version")]
    _version: i64,
    application: RawApplication,
    #[serde(default)]
    variables: BTreeMap<String, RawVariable>,
    #[serde(default)]
    trigger: BTreeMap<String, Vec<toml::Value>>,
    #[serde(default)]
    component: BTreeMap<String, RawComponent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApplication {
    name: String,
    version: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(rename = "authors")]
    _authors: Option<Vec<String>>,
    #[serde(rename = "targets")]
    _targets: Option<toml::Value>,
    #[serde(rename = "tool")]
    _tool: Option<toml::Table>,
    trigger: Option<toml::Table>,
}

impl RawApplication {
    fn base(&self) -> Option<&str> {
        self.trigger.as_ref()?.get("http")?.get("base")?.as_str()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVariable {
    default: Option<String>,
    #[serde(default)]
    required: bool,
    #[serde(rename = "secret")]
    _secret: Option<bool>,
    #[serde(rename = "description")]
    _description: Option<String>,
}

impl RawVariable {
    fn default(self, name: &str) -> Result<Option<String>, String> {
        check_name(name)?;
        match (self.required, self.default) {
            (true, None) => Ok(None),
            (false, Some(default)) => Ok(Some(default)),
            (true, Some(_)) => Err(format!("variable {name:?} has a default and is required: it can only be one")),
            (false, None) => Err(format!("variable {name:?} needs either a default or `required = true`")),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTrigger {
    #[serde(rename = "id")]
    _id: Option<String>,
    component: Option<String>,
    static_response: Option<StaticResponse>,
    route: RawRoute,
    executor: Option<RawExecutor>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "route must be a string or { private = true }")]
enum RawRoute {
    Public(String),
    Private { private: bool },
}

#[derive(Deserialize)]
struct RawExecutor {
    #[serde(rename = "type")]
    kind: String,
}

impl RawTrigger {
    fn check(self, number: usize) -> Result<Trigger, String> {
        let place = format!("[[trigger.http]] number {number}");
        if let Some(RawExecutor { kind }) = self.executor
            && !matches!(kind.as_str(), "http" | "spin")
        {
            return Err(format!("{place}: this host has no executor {kind:?}"));
        }
        let target = match (self.component, self.static_response) {
            (Some(id), None) => Target::Component(id),
            (None, Some(response)) => Target::Static(response),
            (None, None) => return Err(format!("{place} has neither component nor static_response")),
            (Some(_), Some(_)) => return Err(format!("{place} has both component and static_response")),
        };
        let route = match (self.route, &target) {
            (RawRoute::Public(raw), _) => {
                Some(Route::parse(&raw).map_err(|reason| format!("{place}: route {raw:?}: {reason}"))?)
            }
            (RawRoute::Private { private: false }, _) => {
                return Err(format!("{place}: a route is a string or {{ private = true }}"));
            }
            (RawRoute::Private { .. }, Target::Component(_)) => None,
            (RawRoute::Private { .. }, Target::Static(_)) => {
                return Err(format!("{place}: a static response cannot have a private route"));
            }
        };
        Ok(Trigger { route, target })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawComponent {
    source: toml::Value,
    #[serde(default)]
    description: String,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    key_value_stores: BTreeSet<String>,
    build: Option<toml::Table>,
    files: Option<toml::Value>,
    exclude_files: Option<toml::Value>,
    allowed_http_hosts: Option<toml::Value>,
    sqlite_databases: Option<toml::Value>,
    ai_models: Option<toml::Value>,
    dependencies: Option<toml::Value>,
    #[serde(rename = "dependencies_inherit_configuration")]
    _dependencies_inherit_configuration: Option<bool>,
    #[serde(rename = "targets")]
    _targets: Option<toml::Value>,
    #[serde(rename = "tool")]
    _tool: Option<toml::Table>,
    #[serde(rename = "profile")]
    _profile: Option<toml::Table>,
}

impl RawComponent {
    fn check(
        &self,
        id: &str,
        folder: &Path,
        application: &BTreeMap<String, Option<String>>,
    ) -> Result<Component, String> {
        let unsupported = [
            ("files", &self.files),
            ("exclude_files", &self.exclude_files),
            ("allowed_http_hosts", &self.allowed_http_hosts),
            ("sqlite_databases", &self.sqlite_databases),
            ("ai_models", &self.ai_models),
            ("dependencies", &self.dependencies),
        ];
        if let Some((key, _)) = unsupported.iter().find(|(_, value)| value.is_some()) {
            return Err(format!("component {id:?} sets `{key}`, which this host does not offer"));
        }
        let source = self
            .source
            .as_str()
            .ok_or_else(|| format!("component {id:?}: source must be a file; this host downloads nothing"))?;
        if let Some(label) = self.key_value_stores.iter().find(|label| *label != DEFAULT_STORE) {
            return Err(format!(
                "unknown key_value_stores label {label:?} for component {id:?}; this host knows only {DEFAULT_STORE:?}"
            ));
        }
        let template = |(name, text): (&String, &String)| {
            check_name(name)?;
            let template = Template::parse(text)?;
            if let Some(unknown) = template.names().find(|name| !application.contains_key(*name)) {
                return Err(format!("{text:?} uses the unknown variable {unknown:?}"));
            }
            Ok((name.clone(), template))
        };
        let command = |value: &toml::Value| match value {
            toml::Value::String(command) => Some(command.clone()),
            toml::Value::Array(commands) => {
                let commands: Vec<_> = commands.iter().filter_map(toml::Value::as_str).collect();
                Some(commands.join(" && "))
            }
            _ => None,
        };
        Ok(Component {
            source: folder.join(source),
            build: self.build.as_ref().and_then(|build| build.get("command")).and_then(command),
            description: self.description.clone(),
            variables: self
                .variables
                .iter()
                .map(template)
                .collect::<Result<_, String>>()
                .map_err(|reason| format!("component {id:?}, variables: {reason}"))?,
            environment: self.environment.clone(),
            allowed_outbound_hosts: self.allowed_outbound_hosts.clone(),
            key_value_stores: self.key_value_stores.clone(),
        })
    }
}
