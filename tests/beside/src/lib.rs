//! What tests need from outside of the project, and what they say where it is missing.
//!
//! Data that cannot lie in the tree, the real tables and all recorded cases, lies in `../shared`. A test asks for it by
//! [`shared`]. Where it is missing the test is skipped, never passed in silence: `scripts/test` counts it, and in CI it
//! fails. Programs of the machine that only some checks need are reported by [`skipped`]. Components beside the
//! application come from [`guest`].

mod redis;

pub use redis::{RedisServer, Watch};

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// `1` makes what is missing in `../shared` a failure, `0` lets it be skipped; without it, CI decides.
const REQUIRE: &str = "EXPOSITION_REQUIRE_SHARED";
/// The same for programs of the machine.
const REQUIRE_PROGRAMS: &str = "EXPOSITION_REQUIRE_PROGRAMS";
/// The file that `scripts/test` counts skipped tests from: runners show no output of tests that pass.
const SKIPPED: &str = "EXPOSITION_SKIPPED";

/// A file or folder of `../shared`. `None`, and a line that says so, where it is missing: `test` has nothing to do then.
///
/// # Panics
/// Where it is missing and required: in CI, or by `EXPOSITION_REQUIRE_SHARED=1`.
#[must_use]
pub fn shared(path: &str, test: &str) -> Option<PathBuf> {
    let found = shared_folder().join(path);
    if found.exists() {
        return Some(found);
    }
    let variable = |name: &str| std::env::var(name).ok();
    assert!(
        !required(variable(REQUIRE).as_deref(), variable("CI").as_deref()),
        "{test} needs ../shared/{path}; {REQUIRE}=0 skips it"
    );
    skipped(test, &format!("../shared/{path}"));
    None
}

/// A program of this machine. `None`, and a line that says so, where it is missing: `test` has nothing to do then.
///
/// # Panics
/// Where it is missing and required: in CI, or by `EXPOSITION_REQUIRE_PROGRAMS=1`.
#[must_use]
pub fn program(name: &str, test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Servers lie where only root's path looks.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    if let Some(found) = folders.map(|folder| folder.join(name)).find(|file| file.is_file()) {
        return Some(found);
    }
    let variable = |name: &str| std::env::var(name).ok();
    assert!(
        !required(variable(REQUIRE_PROGRAMS).as_deref(), variable("CI").as_deref()),
        "{test} needs {name}; {REQUIRE_PROGRAMS}=0 skips it"
    );
    skipped(test, name);
    None
}

/// The component of a crate that is no part of the application, such as `guest` or `cron`, built as `scripts/build` builds it.
///
/// # Panics
/// Where it does not compile.
#[must_use]
pub fn guest(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut build = Command::new(root.join("scripts/build"));
    // Manifests name the folder where components lie.
    let built = build.args(["--guest", name]).env_remove("CARGO_TARGET_DIR").status();
    assert!(built.as_ref().is_ok_and(ExitStatus::success), "{name} was not built: {built:?}");
    root.join("target/wasm32-wasip2/release").join(name).with_extension("wasm")
}

/// Reports that `test`, or a part of it, cannot run here, and what it needs.
pub fn skipped(test: &str, needs: &str) {
    let line = format!("SKIPPED {test}: needs {needs}\n");
    if let Some(path) = std::env::var_os(SKIPPED) {
        // One write: other tests append at the same time.
        let written = std::fs::File::options().append(true).create(true).open(&path);
        let written = written.and_then(|mut file| file.write_all(line.as_bytes()));
        assert!(written.is_ok(), "{}: {written:?}", path.display());
    }
    eprint!("{line}");
}

fn shared_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared")
}

fn required(asked: Option<&str>, ci: Option<&str>) -> bool {
    match asked {
        Some(asked) => asked == "1",
        None => ci == Some("true"),
    }
}

#[cfg(test)]
mod tests {
    use super::required;

    #[test]
    fn ci_requires_what_is_shared_unless_told_otherwise() {
        let rows = [
            (None, None, false),
            (None, Some("true"), true),
            (Some("0"), Some("true"), false),
            (Some("1"), None, true),
            (Some(""), Some("true"), false),
        ];
        for (asked, ci, expected) in rows {
            assert_eq!(required(asked, ci), expected, "{asked:?} {ci:?}");
        }
    }
}
