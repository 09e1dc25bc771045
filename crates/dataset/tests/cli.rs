//! The program: what it writes, and what it says when it cannot.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

#[expect(clippy::unwrap_used, reason = "a test")]
fn dataset(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dataset")).args(args).output().unwrap()
}

fn dossier(nom: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(nom)
}

#[test]
fn the_sample_is_written_as_it_is_committed() {
    let sortie = dossier("sample");
    let fini = dataset(&["sample", "--out", sortie.to_str().unwrap()]);
    assert!(fini.status.success() && fini.stdout.is_empty());
    for kind in dataset::KINDS {
        let commis = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data").join(dataset::file_name(kind));
        assert!(
            std::fs::read(sortie.join(dataset::file_name(kind))).unwrap() == std::fs::read(commis).unwrap(),
            "{kind:?}"
        );
    }
}

#[test]
fn production_works_without_reference_data_and_says_so() {
    let sortie = dossier("production");
    let args = ["production", "--data", "nulle-part", "--factor", "0.01", "--out", sortie.to_str().unwrap()];
    let fini = dataset(&args);
    assert!(fini.status.success());
    let dit = String::from_utf8(fini.stderr).unwrap();
    assert!(dit.contains("no reference data in nulle-part\ninvented keys and rates\n"), "{dit}");
    let formations = std::fs::read_to_string(sortie.join("formation.ndjson")).unwrap();
    assert_eq!(formations.lines().count(), 3_000);
}

/// One case a line: the arguments, and what the message must hold.
#[test]
fn errors_say_what_to_do() {
    for (args, attendu) in [
        (&[][..], "no command: sample, real or production"),
        (&["exemple", "--out", "x"], "unknown command exemple"),
        (&["sample"], "--out DIR is needed"),
        (&["sample", "--out"], "--out needs a value"),
        (&["sample", "--vers", "x"], "unknown option --vers"),
        (&["real", "--out", "x"], "--data DIR is needed"),
        (&["real", "--out", "x", "--data", "nulle-part"], "nulle-part/bcn/"),
        (&["production", "--out", "x", "--factor", "dix"], "--factor dix: expected a number"),
        (&["production", "--out", "x", "--factor", "21"], "factor 21: expected a number above 0 and at most 20"),
    ] {
        let fini = dataset(args);
        let dit = String::from_utf8(fini.stderr).unwrap();
        assert!(!fini.status.success() && dit.contains(attendu), "{args:?}: {dit}");
    }
    assert!(String::from_utf8(dataset(&["--help"]).stdout).unwrap().contains("dataset production"));
}
