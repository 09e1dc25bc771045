//! The store's file and its semantics, without a guest.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod common;

use host::store::Store;
use std::path::Path;

fn store() -> Store {
    Store::open(&common::folder("store").join("new/sqlite_key_value.db"), true).unwrap()
}

/// A file that Spin 4.1 wrote.
#[test]
fn a_file_written_by_spin_is_served() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/spin-4.1-store.db");
    let copy = common::folder("spin").join("sqlite_key_value.db");
    std::fs::copy(sample, &copy).unwrap();
    let store = Store::open(&copy, false).unwrap();
    assert_eq!(store.get("default", "cle.1").unwrap().as_deref(), Some(&b"bonjour"[..]));
    assert_eq!(store.get("default", "cle.2").unwrap(), Some(vec![b'z'; 3000]));
    store.set("default", "cle.1", b"bonsoir").unwrap();
    let again = Store::open(&copy, false).unwrap();
    assert_eq!(again.get("default", "cle.1").unwrap().as_deref(), Some(&b"bonsoir"[..]));
}

/// What Spin reads: the table, and the modes a connection without pragmas has.
#[test]
fn a_new_file_has_the_schema_of_spin() {
    let folder = common::folder("schema");
    let file = folder.join("sqlite_key_value.db");
    Store::open(&file, false).unwrap().set("default", "k", b"v").unwrap();
    let connection = rusqlite::Connection::open(&file).unwrap();
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let schema = text("SELECT sql FROM sqlite_master WHERE name = 'spin_key_value'");
    let words: Vec<_> = schema.split_whitespace().collect();
    assert_eq!(
        words.join(" "),
        "CREATE TABLE spin_key_value ( store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key) )"
    );
    assert_eq!(text("PRAGMA journal_mode"), "delete");
    assert_eq!(text("SELECT typeof(value) FROM spin_key_value"), "blob");
}

#[test]
fn single_operations() {
    let store = store();
    assert_eq!(store.get("default", "k").unwrap(), None);
    store.set("default", "k", b"one").unwrap();
    store.set("default", "k", b"").unwrap();
    assert_eq!(store.get("default", "k").unwrap(), Some(Vec::new()));
    assert!(store.exists("default", "k").unwrap());
    assert!(!store.exists("other", "k").unwrap(), "labels share the file but no keys");
    store.delete("default", "k").unwrap();
    store.delete("default", "k").unwrap();
    assert_eq!(store.keys("default").unwrap(), [""; 0]);
}

#[test]
fn get_many_leaves_absent_keys_out() {
    let store = store();
    let pairs = ["b", "a", "c"].map(|key| (key.to_owned(), key.as_bytes().to_vec()));
    store.set_many("default", &pairs).unwrap();
    let keys = ["c", "absent", "a", "c"].map(str::to_owned).to_vec();
    let found = store.get_many("default", keys).unwrap();
    assert_eq!(found, [("a".to_owned(), b"a".to_vec()), ("c".to_owned(), b"c".to_vec())]);
    store.delete_many("default", &["a".to_owned(), "absent".to_owned()]).unwrap();
    assert_eq!(store.keys("default").unwrap(), ["b", "c"]);
}

#[test]
fn swap_compares_what_was_seen_and_writes_where_nothing_was_seen() {
    let store = store();
    assert!(store.swap("default", "k", None, b"1").unwrap());
    assert!(store.swap("default", "k", None, b"2").unwrap(), "an upsert, as under Spin");
    assert!(!store.swap("default", "k", Some(b"1"), b"3").unwrap());
    assert!(store.swap("default", "k", Some(b"2"), b"3").unwrap());
    assert!(!store.swap("default", "absent", Some(b"1"), b"2").unwrap());
    assert_eq!(store.get("default", "k").unwrap().as_deref(), Some(&b"3"[..]));
}

#[test]
fn increment_counts_in_eight_bytes() {
    let store = store();
    assert_eq!(store.increment("default", "n", 5).unwrap(), Some(5));
    assert_eq!(store.increment("default", "n", -7).unwrap(), Some(-2));
    assert_eq!(store.get("default", "n").unwrap(), Some((-2i64).to_le_bytes().to_vec()));
    store.set("default", "n", b"word").unwrap();
    assert_eq!(store.increment("default", "n", 1).unwrap(), None);
}

#[test]
fn a_file_that_is_no_store_is_refused() {
    let file = common::folder("broken").join("sqlite_key_value.db");
    std::fs::write(&file, "no database, but long enough to be looked at as one".repeat(100)).unwrap();
    let error = Store::open(&file, false).unwrap_err().to_string();
    assert!(error.ends_with("file is not a database"), "{error}");
}

/// It holds hashes of passwords, and figures of small groups.
#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let file = common::folder("private").join("sqlite_key_value.db");
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    Store::open(&file, true).unwrap().set("default", "k", b"v").unwrap();
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&file, true).unwrap();
    assert_eq!((mode(), store.get("default", "k").unwrap()), (0o600, Some(b"v".to_vec())));
}
