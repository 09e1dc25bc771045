//! The program as operators use it, against the built application.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::process::{Command, Output};
use support::{Application, Folder, Settings};

struct Desk {
    application: Application,
    folder: Folder,
}

impl Desk {
    fn new() -> Self {
        Self { application: Application::start(Settings::default()).unwrap(), folder: Folder::new("desk").unwrap() }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_importer"))
            .args(arguments)
            .args(["--url", &format!("http://{}", self.application.host.address())])
            .env("IMPORT_SECRET", &self.application.settings.import_secret)
            .env("IMPORTER_CACHE", self.folder.path().join("cache"))
            // The file of refused lines comes where the command is given.
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// The exit code and what was printed, on both outputs.
    fn said(&self, arguments: &[&str]) -> (i32, String) {
        let Output { status, stdout, stderr } = self.run(arguments);
        let text = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (status.code().unwrap(), text)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn remembered(&self) -> Vec<PathBuf> {
        let folder = std::fs::read_dir(self.folder.path().join("cache"));
        folder.map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
    }
}

fn data(name: &str) -> String {
    support::root().join("data").join(name).display().to_string()
}

#[test]
fn the_sample_is_published_once_and_then_unchanged() {
    let desk = Desk::new();
    let files = ["bcn.ndjson", "bcn_sise.ndjson", "certification.ndjson", "etablissement.ndjson"].map(data);
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    let (code, said) = desk.said(&arguments);
    assert!(code == 0 && said.contains("Publié : génération"), "{said}");
    let (code, said) = desk.said(&arguments);
    assert!(code == 0 && said.contains("Inchangé"), "{said}");
    assert!(desk.remembered().is_empty());
    let json = desk.run(&[&arguments[..], &["--json"]].concat());
    let job: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(job["etape"], "inchange");
}

#[test]
fn refused_lines_are_named_with_file_and_line_and_keep_everything_back() {
    let desk = Desk::new();
    let file = desk.file("bad.ndjson", "{\"kind\":\"autre\",\"doc\":{}}\n\npas du json\n");
    let (code, said) = desk.said(&[&data("bcn.ndjson"), &file]);
    assert_eq!(code, 2, "{said}");
    for words in [&format!("{file}:1 :"), &format!("{file}:3 :"), "2 lignes refusées"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let (code, said) = desk.said(&[&data("bcn.ndjson"), &file, "--accepter-refus"]);
    assert!(code == 0 && said.contains("Publié"), "{said}");
}

#[test]
fn losses_wait_for_a_word_and_the_same_command_goes_on() {
    let desk = Desk::new();
    assert_eq!(desk.said(&[&data("certification.ndjson")]).0, 0);
    let half: Vec<String> =
        std::fs::read_to_string(data("certification.ndjson")).unwrap().lines().take(70).map(str::to_owned).collect();
    let file = desk.file("half.ndjson", &(half.join("\n") + "\n"));
    let (code, said) = desk.said(&[&file]);
    assert!(code == 3 && said.contains("disparaîtraient"), "{said}");
    assert_eq!(desk.remembered().len(), 1);
    let (code, said) = desk.said(&[&file, "--confirmer-pertes"]);
    assert!(code == 0 && said.contains("Reprise") && said.contains("Publié"), "{said}");
}

#[test]
fn a_broken_run_sends_only_what_is_missing() {
    let desk = Desk::new();
    let files = [data("bcn.ndjson"), data("certification.ndjson")];
    // A run that broke off after the first of two parts: its job and its notebook.
    let opened = desk.application.send(&desk.application.import("POST", "jobs").body("{}")).unwrap().json();
    let id = opened["id"].as_str().unwrap();
    let part = std::fs::read(&files[0]).unwrap();
    desk.application.send(&desk.application.import("PUT", &format!("jobs/{id}/parts/0")).body(part)).unwrap();
    let mut digest = Sha256::new();
    digest.update(format!("http://{}", desk.application.host.address()));
    digest.update(r#"{"mode":"remplacer","kinds":[],"millesimes":[],"mailles":[]}"#);
    files.iter().for_each(|file| digest.update(Sha256::digest(std::fs::read(file).unwrap())));
    let name: String = digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let cache = desk.folder.path().join("cache");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join(format!("import-{name}.json")), format!(r#"{{"job":"{id}","sent":1}}"#)).unwrap();

    let (code, said) = desk.said(&[&files[0], &files[1]]);
    assert!(code == 0 && said.contains("Reprise de l'envoi interrompu (1 parties"), "{said}");
    assert!(said.contains("bcn 46") && said.contains("certification 139"), "{said}");
    assert!(desk.remembered().is_empty());
    // What was published came through that job.
    let job = desk.application.send(&desk.application.import("GET", &format!("jobs/{id}"))).unwrap().json();
    assert_eq!(job["etape"], "publie");
}

#[test]
fn a_wrong_secret_and_a_missing_file_are_said_plainly() {
    let mut desk = Desk::new();
    let (code, said) = desk.said(&["absent.ndjson"]);
    assert!(code == 1 && said.contains("absent.ndjson"), "{said}");
    desk.application.settings.import_secret = "autre".to_owned();
    let (code, said) = desk.said(&[&data("bcn.ndjson")]);
    assert!(code == 1 && said.contains("le secret d'import est refusé"), "{said}");
    assert!(desk.remembered().is_empty());
}

#[test]
fn accounts_are_made_listed_and_closed() {
    let desk = Desk::new();
    let (code, said) = desk.said(&["users", "create", "alice", "--generer"]);
    assert!(code == 0 && said.contains("montré cette seule fois"), "{said}");
    let (code, said) = desk.said(&["users", "key", "create", "alice", "poste 1"]);
    let key = said.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(code == 0 && key.starts_with("eij_"), "{said}");
    let (_, said) = desk.said(&["users", "list"]);
    let digest = said.lines().find_map(|line| line.trim().strip_prefix("clé ")).unwrap()[..12].to_owned();
    assert!(said.contains("alice") && said.contains("poste 1") && !said.contains(&key), "{said}");
    assert_eq!(desk.said(&["users", "key", "revoke", "alice", &digest]).0, 0);
    assert_eq!(desk.said(&["users", "disable", "alice"]).0, 0);
    let (_, said) = desk.said(&["users", "list"]);
    assert!(said.contains("désactivé") && !said.contains("poste 1"), "{said}");
    assert_eq!(desk.said(&["users", "disable", "personne"]).0, 1);
}
