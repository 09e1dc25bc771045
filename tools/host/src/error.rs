//! What can keep the host from starting. Everything here is for the person at the terminal: each message says what
//! to change. What a guest does wrong never ends here; it becomes an empty 500 and a line on standard error.

use std::path::PathBuf;

/// Why the host did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The manifest cannot be read, is not valid, or asks for something this host does not offer.
    #[error("{}: {reason}", file.display())]
    Manifest {
        /// The manifest read.
        file: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// A variable is missing or malformed, or the file of variables cannot be read.
    #[error("{0}")]
    Variables(String),
    /// A component's file is missing, is not a component, or imports what this host does not offer.
    #[error("component {component}: {reason}")]
    Component {
        /// The component's id in the manifest.
        component: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store's file cannot be opened or has another schema.
    #[error("key-value store {}: {reason}", file.display())]
    Store {
        /// The SQLite file.
        file: PathBuf,
        /// What SQLite or the system said.
        reason: String,
    },
    /// The server that is to hold the store has no valid address, or would drop values.
    #[error("key-value store: {0}")]
    Redis(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address asked for.
        address: std::net::SocketAddr,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The engine or the thread pool cannot be set up on this machine.
    #[error("cannot set up the runtime: {0}")]
    Runtime(String),
}
