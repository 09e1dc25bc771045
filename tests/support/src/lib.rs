//! What the end-to-end tests share: the built application on a store of its own ([`Application`]), a client that sends
//! exactly the bytes it is given ([`client`]), a push through the import routes ([`push`]).

#![allow(clippy::indexing_slicing, reason = "only JSON values are indexed, which answer null")]

mod application;
pub mod client;
pub mod push;

pub use application::{Application, Settings};
pub use beside::{RedisServer, guest, program, shared, skipped};
pub use client::{Answer, Request};

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The root of the project.
pub fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    folder.ancestors().nth(2).unwrap_or(folder).to_owned()
}

/// Says which of the application's components are not built, and how to build them.
///
/// # Errors
/// That text.
pub fn components_are_built() -> anyhow::Result<()> {
    let manifest = host::manifest::Manifest::read(&root().join("spin.toml"))?;
    let missing: Vec<&str> = manifest
        .components
        .iter()
        .filter(|(_, component)| !component.source.exists())
        .map(|(id, _)| id.as_str())
        .collect();
    anyhow::ensure!(missing.is_empty(), "not built: {}; run scripts/build first", missing.join(", "));
    Ok(())
}

/// A folder that goes when it is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder, nobody else's.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn new(name: &str) -> std::io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Relaxed);
        let folder = std::env::temp_dir().join(format!("{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
