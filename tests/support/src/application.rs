//! The built application in this process, on a store of its own.

use crate::client::{Answer, Request, send};
use crate::{Folder, components_are_built, root};
use anyhow::Context;
use host::store::Store;
use host::{Config, Host};
use std::collections::BTreeMap;

/// What a deployment would set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The key that re-users share.
    pub legacy_api_key: String,
    /// What tokens are signed with.
    pub jwt_secret: String,
    /// What opens the import routes.
    pub import_secret: String,
    /// Other variables of the manifest, by name; they win over the three above.
    pub others: BTreeMap<String, String>,
    /// How instances are reused.
    pub reuse: host::Reuse,
    /// The address of the Redis server that holds the store, where it is not a file of the application's own.
    pub redis: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            legacy_api_key: "cle-partagee-de-test".to_owned(),
            jwt_secret: "secret-des-jetons-de-test".to_owned(),
            import_secret: "secret-d-import-de-test".to_owned(),
            others: BTreeMap::new(),
            reuse: host::Reuse::default(),
            redis: None,
        }
    }
}

/// A running application. Its store goes with it.
pub struct Application {
    /// The host, for its clock, faults and counters.
    pub host: Host,
    /// How it was started.
    pub settings: Settings,
    folder: Folder,
}

impl Application {
    /// Starts the built components on an empty store, reading neither `.env` nor the environment's secrets.
    ///
    /// # Errors
    /// Where components are missing or the host does not start.
    pub fn start(settings: Settings) -> anyhow::Result<Self> {
        Self::start_in(settings, Folder::new("application")?)
    }

    /// The same on a copy of a store that another application wrote.
    ///
    /// # Errors
    /// Those of [`Self::start`].
    pub fn start_on(settings: Settings, store: &[u8]) -> anyhow::Result<Self> {
        let folder = Folder::new("application")?;
        std::fs::write(folder.path().join("store.db"), store)?;
        Self::start_in(settings, folder)
    }

    fn start_in(settings: Settings, folder: Folder) -> anyhow::Result<Self> {
        components_are_built()?;
        let env_file = folder.path().join("env");
        std::fs::write(&env_file, "")?;
        let mut config = Config::new(root().join("spin.toml"));
        config.store = Some(folder.path().join("store.db"));
        config.env_file = Some(env_file);
        config.fast_unsafe_store = true;
        config.reuse = settings.reuse;
        config.redis.clone_from(&settings.redis);
        config.variables = BTreeMap::from([
            ("legacy_api_key".to_owned(), settings.legacy_api_key.clone()),
            ("jwt_secret".to_owned(), settings.jwt_secret.clone()),
            ("import_secret".to_owned(), settings.import_secret.clone()),
        ]);
        if settings.redis.is_some() {
            config.variables.insert("store_profile".to_owned(), "redis".to_owned());
        }
        // The documents of tests are made up: no number of theirs needs to be plausible, unless a test is about that.
        config.variables.insert("plausibilite".to_owned(), "tout=noter".to_owned());
        config.variables.extend(settings.others.clone());
        let host = Host::start(config).context("the host does not start")?;
        Ok(Self { host, settings, folder })
    }

    /// What lies under a key of the store file.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn stored(&self, key: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let store = Store::open(&self.folder.path().join("store.db"), true)?;
        store.get("default", key).map_err(anyhow::Error::msg)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Where no whole answer comes back.
    pub fn send(&self, request: &Request) -> std::io::Result<Answer> {
        send(self.host.address(), request)
    }

    /// Gets a path with the shared key.
    ///
    /// # Errors
    /// Where no whole answer comes back.
    pub fn get(&self, target: &str) -> std::io::Result<Answer> {
        self.send(&Request::get(target).header("x-api-key", &self.settings.legacy_api_key))
    }

    /// A request to an import route (`target` begins after `/internal/import/`), with its secret.
    pub fn import(&self, method: &str, target: &str) -> Request {
        Request::new(method, &format!("/internal/import/{target}"))
            .header("authorization", &format!("Bearer {}", self.settings.import_secret))
    }
}
