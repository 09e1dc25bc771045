//! What is kept of a run while it lasts, so that the same command takes it up where it broke off.

use crate::options::Options;
use crate::parts::Part;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Where a run stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The job's id.
    pub job: String,
    /// How many parts the service has taken.
    pub sent: usize,
}

/// The file that keeps it: one for each service, way of opening and set of parts.
#[derive(Debug)]
pub struct Notebook(PathBuf);

impl Notebook {
    /// The file of a run; it need not exist.
    pub fn of(options: &Options, parts: &[Part]) -> Self {
        let mut digest = Sha256::new();
        digest.update(options.service.url());
        digest.update(options.opening.to_string());
        for part in parts {
            digest.update(part.digest);
        }
        let name: String = digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let folder = std::env::var_os("IMPORTER_CACHE").map_or_else(|| PathBuf::from(".cache"), PathBuf::from);
        Self(folder.join(format!("import-{name}.json")))
    }

    /// What an earlier run left.
    pub fn read(&self) -> Option<Progress> {
        serde_json::from_slice(&std::fs::read(&self.0).ok()?).ok()
    }

    /// Keeps where the run stands. A folder that cannot be written to costs the resumption, not the run.
    pub fn write(&self, progress: &Progress) {
        let written = self.0.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| {
            let beside = self.0.with_extension("tmp");
            std::fs::write(&beside, serde_json::to_vec(progress).unwrap_or_default())?;
            std::fs::rename(beside, &self.0)
        });
        if let Err(fault) = written {
            eprintln!("{} : {fault} ; une interruption obligerait à tout renvoyer", self.0.display());
        }
    }

    /// Forgets a run that has ended.
    pub fn forget(&self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
