//! The key-value store: SQLite in the file, the schema and the ways of Spin's default store, so that what one writes
//! the other serves.
//!
//! No pragmas (rollback journal, full synchronisation), one connection behind one mutex, reads included, no cache.
//! Batches are one transaction. Their semantics are Spin's, defects included: [`Store::get_many`] leaves absent keys
//! out, [`Store::swap`] on an absent key is an upsert, [`Store::increment`] has no answer for a value that is not eight
//! bytes.

use crate::Error;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The largest answer Spin hands to a guest. It sets no limit on what is written.
pub const MAX_RESULT_BYTES: usize = 128 << 20;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS spin_key_value (
    store TEXT NOT NULL,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,

    PRIMARY KEY (store, key)
)";
const GET: &str = "SELECT value FROM spin_key_value WHERE store = ?1 AND key = ?2";
const SET: &str = "INSERT INTO spin_key_value (store, key, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (store, key) DO UPDATE SET value = ?3";
const DELETE: &str = "DELETE FROM spin_key_value WHERE store = ?1 AND key = ?2";
const EXISTS: &str = "SELECT 1 FROM spin_key_value WHERE store = ?1 AND key = ?2";
const KEYS: &str = "SELECT key FROM spin_key_value WHERE store = ?1";
const SWAP: &str = "UPDATE spin_key_value SET value = ?3 WHERE store = ?1 AND key = ?2 AND value = ?4";

/// Makes the file its owner's alone before SQLite opens it, which gives its journal the same mode: it holds hashes of
/// passwords, and figures of groups that nobody may see. A file that was made otherwise is closed too.
fn private(file: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(file)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = opened.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            // Somebody else's file cannot be closed by us; it is used as it is.
            let _ = opened.set_permissions(std::fs::Permissions::from_mode(mode & 0o700));
        }
    }
    Ok(())
}

/// A store file. Methods take the store's label first; `default` is the label of an application's default store.
#[derive(Debug)]
pub struct Store {
    file: PathBuf,
    connection: Mutex<Connection>,
}

/// What a store operation gives: `Err` carries SQLite's own words.
pub type Outcome<T> = Result<T, String>;

impl Store {
    /// Opens the file, and makes it and its folder where they are missing. `unsafe_fast` skips every fsync: a power
    /// cut can then damage the file, so it is for tests only.
    pub fn open(file: &Path, unsafe_fast: bool) -> Result<Self, Error> {
        let fault = |reason: String| Error::Store { file: file.to_owned(), reason };
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(|error| fault(error.to_string()))?;
        }
        private(file).map_err(|error| fault(error.to_string()))?;
        let connection = Connection::open(file).map_err(|error| fault(error.to_string()))?;
        if unsafe_fast {
            connection.pragma_update(None, "synchronous", "OFF").map_err(|error| fault(error.to_string()))?;
        }
        connection
            .execute(CREATE, [])
            .and_then(|_| connection.prepare_cached(SWAP).map(drop))
            .map_err(|error| fault(error.to_string()))?;
        Ok(Self { file: file.to_owned(), connection: Mutex::new(connection) })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The connection, waiting for whoever has it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key.
    pub fn get(&self, label: &str, key: &str) -> Outcome<Option<Vec<u8>>> {
        get(&self.lock(), label, key)
    }

    /// Whether a key is there.
    pub fn exists(&self, label: &str, key: &str) -> Outcome<bool> {
        exists(&self.lock(), label, key)
    }

    /// Sets one key: a transaction of its own.
    pub fn set(&self, label: &str, key: &str, value: &[u8]) -> Outcome<()> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(SET).map_err(text)?;
        statement.execute(params![label, key, value]).map(drop).map_err(text)
    }

    /// Deletes one key; an absent key is no error.
    pub fn delete(&self, label: &str, key: &str) -> Outcome<()> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(DELETE).map_err(text)?;
        statement.execute([label, key]).map(drop).map_err(text)
    }

    /// Every key, in no promised order.
    pub fn keys(&self, label: &str) -> Outcome<Vec<String>> {
        let mut keys = Vec::new();
        self.visit_keys(label, |key| {
            keys.push(key);
            true
        })?;
        Ok(keys)
    }

    /// Hands every key to `visit` until it returns false. The connection is held until the end, as Spin holds it.
    pub(crate) fn visit_keys(&self, label: &str, mut visit: impl FnMut(String) -> bool) -> Outcome<()> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(KEYS).map_err(text)?;
        let mut rows = statement.query([label]).map_err(text)?;
        while let Some(row) = rows.next().map_err(text)? {
            if !visit(row.get(0).map_err(text)?) {
                break;
            }
        }
        Ok(())
    }

    /// The keys that are there, each once, in the order of the keys; absent ones are left out.
    pub fn get_many(&self, label: &str, mut keys: Vec<String>) -> Outcome<Vec<(String, Vec<u8>)>> {
        keys.sort_unstable();
        keys.dedup();
        let connection = self.lock();
        let mut found = Vec::with_capacity(keys.len());
        let mut size = 0;
        for key in keys {
            let Some(value) = get(&connection, label, &key)? else { continue };
            size += key.len() + value.len();
            if size > MAX_RESULT_BYTES {
                return Err(too_large());
            }
            found.push((key, value));
        }
        Ok(found)
    }

    /// Sets many keys in one transaction.
    pub fn set_many(&self, label: &str, pairs: &[(String, Vec<u8>)]) -> Outcome<()> {
        self.in_transaction(SET, |statement| {
            for (key, value) in pairs {
                statement.execute(params![label, key, value])?;
            }
            Ok(())
        })
    }

    /// Deletes many keys in one transaction.
    pub fn delete_many(&self, label: &str, keys: &[String]) -> Outcome<()> {
        self.in_transaction(DELETE, |statement| {
            for key in keys {
                statement.execute(params![label, key])?;
            }
            Ok(())
        })
    }

    fn in_transaction(
        &self,
        sql: &str,
        work: impl FnOnce(&mut rusqlite::Statement<'_>) -> rusqlite::Result<()>,
    ) -> Outcome<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(text)?;
        work(&mut *transaction.prepare_cached(sql).map_err(text)?).map_err(text)?;
        transaction.commit().map_err(text)
    }

    /// Adds to a counter of eight little-endian bytes; an absent key counts as 0. `Ok(None)` where the value has
    /// another length: Spin panics there.
    pub fn increment(&self, label: &str, key: &str, delta: i64) -> Outcome<Option<i64>> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(text)?;
        let current = match get(&transaction, label, key)? {
            None => 0,
            Some(bytes) => match bytes.try_into() {
                Ok(bytes) => i64::from_le_bytes(bytes),
                Err(_) => return Ok(None),
            },
        };
        let next = current.wrapping_add(delta);
        transaction
            .prepare_cached(SET)
            .and_then(|mut statement| statement.execute(params![label, key, next.to_le_bytes()]))
            .map_err(text)?;
        transaction.commit().map_err(text)?;
        Ok(Some(next))
    }

    /// Replaces a key's value if it is still `old`; with no `old` the value is written whatever is there. False where
    /// the value had changed.
    pub fn swap(&self, label: &str, key: &str, old: Option<&[u8]>, new: &[u8]) -> Outcome<bool> {
        let connection = self.lock();
        let changed = match old {
            Some(old) => connection
                .prepare_cached(SWAP)
                .and_then(|mut statement| statement.execute(params![label, key, new, old])),
            None => {
                connection.prepare_cached(SET).and_then(|mut statement| statement.execute(params![label, key, new]))
            }
        };
        changed.map(|rows| rows == 1).map_err(text)
    }
}

/// [`Store::get`] on a connection already held.
pub(crate) fn get(connection: &Connection, label: &str, key: &str) -> Outcome<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached(GET).map_err(text)?;
    let value: Option<Vec<u8>> = statement.query_row([label, key], |row| row.get(0)).optional().map_err(text)?;
    match value {
        Some(value) if value.len() > MAX_RESULT_BYTES => Err(too_large()),
        value => Ok(value),
    }
}

/// [`Store::exists`] on a connection already held.
pub(crate) fn exists(connection: &Connection, label: &str, key: &str) -> Outcome<bool> {
    let mut statement = connection.prepare_cached(EXISTS).map_err(text)?;
    statement.exists([label, key]).map_err(text)
}

fn too_large() -> String {
    format!("query result exceeds limit of {MAX_RESULT_BYTES} bytes")
}

fn text(error: rusqlite::Error) -> String {
    error.to_string()
}
