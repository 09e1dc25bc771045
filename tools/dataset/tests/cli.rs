//! The program: what it writes, and what it says when it cannot.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

#[expect(clippy::unwrap_used, reason = "a test")]
fn dataset(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dataset")).args(args).output().unwrap()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn the_sample_is_written_as_it_is_committed() {
    let output = folder("sample");
    let finished = dataset(&["sample", "--out", output.to_str().unwrap()]);
    assert!(finished.status.success() && finished.stdout.is_empty());
    for kind in dataset::KINDS {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data").join(dataset::file_name(kind));
        assert!(
            std::fs::read(output.join(dataset::file_name(kind))).unwrap() == std::fs::read(committed).unwrap(),
            "{kind:?}"
        );
    }
}

#[test]
fn production_works_without_reference_data_and_says_so() {
    let output = folder("production");
    let args = ["production", "--data", "nulle-part", "--factor", "0.01", "--out", output.to_str().unwrap()];
    let finished = dataset(&args);
    assert!(finished.status.success());
    let said = String::from_utf8(finished.stderr).unwrap();
    assert!(said.contains("no reference data in nulle-part\ninvented keys and rates\n"), "{said}");
    let formations = std::fs::read_to_string(output.join("formation.ndjson")).unwrap();
    assert_eq!(formations.lines().count(), 3_000);
}

/// One case a line: the arguments, and what the message must hold.
#[test]
fn errors_say_what_to_do() {
    for (args, expected) in [
        (&[][..], "no command: sample, real or production"),
        (&["exemple", "--out", "x"], "unknown command exemple"),
        (&["sample"], "--out DIR is needed"),
        (&["sample", "--out"], "missing argument for option '--out'"),
        (&["sample", "--vers", "x"], "invalid option '--vers'"),
        (&["real", "--out", "x"], "--data DIR is needed"),
        (&["real", "--out", "x", "--data", "nulle-part"], "nulle-part/bcn/"),
        (&["production", "--out", "x", "--factor", "dix"], "cannot parse argument \"dix\""),
        (&["production", "--out", "x", "--factor", "21"], "factor 21: expected a number above 0 and at most 20"),
    ] {
        let finished = dataset(args);
        let said = String::from_utf8(finished.stderr).unwrap();
        assert!(!finished.status.success() && said.contains(expected), "{args:?}: {said}");
    }
    assert!(String::from_utf8(dataset(&["--help"]).stdout).unwrap().contains("dataset production"));
}
