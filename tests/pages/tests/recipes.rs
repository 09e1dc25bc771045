//! The recipes for re-users (`docs/recettes`) do what they say, on the sample.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test stops where it fails")]

use pages_tests::start;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::{Application, root};

const CODE: &str = "40099013";

/// A recipe in its program, told where the service is.
fn recipe(app: &Application, program: &Path, name: &str, arguments: &[&Path]) -> Output {
    Command::new(program)
        .arg(root().join("docs/recettes").join(name))
        .args(arguments)
        .env("URL", format!("http://{}", app.host.address()))
        .env("CLE", &app.settings.legacy_api_key)
        .output()
        .unwrap()
}

/// What it prints where it succeeds.
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The lines of a recipe, without those that are empty.
fn lines_of(name: &str) -> usize {
    let text = std::fs::read_to_string(root().join("docs/recettes").join(name)).unwrap();
    text.lines().filter(|line| !line.trim().is_empty()).count()
}

fn python(test: &str) -> Option<PathBuf> {
    let there = Command::new("tests/pages/setup.sh").arg("reuse").current_dir(root()).output().unwrap();
    if !there.status.success() {
        support::skipped(test, "tests/pages/setup.sh --install reuse");
        return None;
    }
    Some(root().join(".cache/reuse/bin/python"))
}

#[test]
fn javascript_reads_a_document_twice_and_follows_pages() {
    let Some(node) = support::program("node", "javascript_reads_a_document_twice_and_follows_pages") else { return };
    let app = start().unwrap();
    let text = said(&recipe(&app, &node, "appels.mjs", &[]));
    assert!(text.contains("304, inchangé") && text.contains("2023, 2022, 2021"), "{text}");
    let rows =
        app.get("/api/inserjeunes/regionales/11?items_par_page=1").unwrap().json()["pagination"]["total"].clone();
    assert!(rows.as_u64().unwrap() > 20 && text.contains(&format!("{rows} lignes")), "{text}");
}

#[test]
fn a_mirror_follows_the_feed_and_is_what_a_new_one_would_be() {
    let Some(python) = python("a_mirror_follows_the_feed_and_is_what_a_new_one_would_be") else { return };
    let (app, folder) = (start().unwrap(), support::Folder::new("mirror").unwrap());
    let file = |name: &str| folder.path().join(name).with_extension("json");
    let mirror = |name: &str| recipe(&app, &python, "miroir.py", &[&file(name)]);
    let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(file(name)).unwrap()).unwrap() };
    assert!(said(&mirror("a")).contains("repris en entier"));
    let whole = app.get("/api/inserjeunes/formations.csv?items_par_page=1000000").unwrap();
    let in_force = app.get("/api/status").unwrap().json()["millesimes_en_vigueur"]["formations"].clone();
    let years = read("a")["mailles"]["formations"].clone();
    let count =
        |year: &Value| year.as_object().unwrap().values().map(|rows| rows.as_array().unwrap().len()).sum::<usize>();
    assert!(years.as_object().unwrap().values().map(count).sum::<usize>() >= whole.text().lines().count() - 1);
    assert!(count(&years[in_force.as_str().unwrap()]) > 0);
    assert!(said(&mirror("a")).contains("à jour"));
    // A document less, one more, one changed, in three mailles: what follows is what a new mirror takes.
    let lines = String::from_utf8(pages_tests::sample().unwrap()).unwrap();
    let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = |lines: &[Value], kind: &str| lines.iter().position(|line| line["kind"] == kind).unwrap();
    let gone = first(&lines, "formation");
    lines.remove(gone);
    let changed = first(&lines, "regionale");
    lines[changed]["doc"]["nb_annee_term"] = 1234.into();
    let certification = lines[first(&lines, "certification")].clone();
    let mut more = certification;
    more["doc"]["millesime"] = "2019".into();
    lines.push(more);
    let body: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    app.push(&support::push::Push::all(body.into_bytes())).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let feed = app.get("/api/changements?depuis=g1").unwrap().json();
    assert_eq!((&feed["tout"], feed["mailles"].as_object().unwrap().len()), (&false.into(), 3), "{feed}");
    assert!(said(&mirror("a")).contains("mis à jour"));
    assert!(said(&mirror("b")).contains("repris en entier"));
    assert_eq!(read("a"), read("b"));
    // Where the service does not answer, what is there stays.
    let before = read("a");
    drop(app);
    let gone = Command::new(&python)
        .arg(root().join("docs/recettes/miroir.py"))
        .arg(file("a"))
        .env("URL", "http://127.0.0.1:1")
        .env("CLE", "x")
        .output()
        .unwrap();
    assert!(!gone.status.success());
    assert_eq!(read("a"), before);
    assert!(lines_of("miroir.py") <= 30);
}

#[test]
fn courses_are_compared_a_thousand_at_a_time() {
    let test = "courses_are_compared_a_thousand_at_a_time";
    let Some(python) = support::program("python3", test) else { return };
    let (app, folder) = (start().unwrap(), support::Folder::new("lots").unwrap());
    let file = folder.path().join("couples.csv");
    let (known, hidden) = ("9749801K;01099051\n", "0359834Z;16X99082\n");
    std::fs::write(&file, format!("uai;code_certification\n{}{hidden}9999999X;01099051\n", known.repeat(1_001)))
        .unwrap();
    let text = said(&recipe(&app, &python, "lots.py", &[&file]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1_003);
    assert!(lines[..1_001].iter().all(|line| *line == lines[0]) && lines[0].contains(" %;"), "{}", lines[0]);
    assert!(lines[1_001].starts_with("0359834Z;16X99082;masqué ou inconnu;"), "{}", lines[1_001]);
    assert!(lines[1_002].starts_with("9999999X;01099051;Etablissement inconnu;-;-"), "{}", lines[1_002]);
}

#[test]
fn fingerprints_are_made_anew_of_the_exports_by_thirty_lines() {
    let test = "fingerprints_are_made_anew_of_the_exports_by_thirty_lines";
    let Some(python) = support::program("python3", test) else { return };
    let app = start().unwrap();
    let made = said(&recipe(&app, &python, "empreinte.py", &[]));
    let status = app.get("/api/status").unwrap().json();
    let published = status["publication"]["empreintes"].as_object().unwrap();
    assert!(
        published.len() >= 4 && published.contains_key("formations") && published.contains_key("bcn"),
        "{published:?}"
    );
    for (name, digest) in published {
        assert!(made.contains(&format!("{name} {} identique\n", digest.as_str().unwrap())), "{name}: {made}");
    }
    assert!(lines_of("empreinte.py") <= 30);
}

#[test]
fn charts_are_drawn_of_what_is_shown() {
    let (app, folder) = (start().unwrap(), support::Folder::new("charts").unwrap());
    let expected = "3 régions dessinées, 1 masquées";
    if let Some(python) = python("charts_are_drawn_of_what_is_shown, pandas") {
        let image = folder.path().join("chart.png");
        assert_eq!(said(&recipe(&app, &python, "graphique.py", &[Path::new(CODE), &image])).trim(), expected);
        assert!(std::fs::read(&image).unwrap().starts_with(b"\x89PNG"));
    }
    // R is no part of what CI installs.
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path).map(|folder| folder.join("Rscript")).find(|file| file.is_file()) {
        Some(r) => {
            let image = folder.path().join("chart.pdf");
            assert_eq!(said(&recipe(&app, &r, "graphique.R", &[Path::new(CODE), &image])).trim(), expected);
            assert!(std::fs::read(&image).unwrap().starts_with(b"%PDF"));
        }
        None => support::skipped("charts_are_drawn_of_what_is_shown, R", "Rscript (apt-get install r-base-core)"),
    }
}

#[test]
fn an_export_becomes_a_workbook_and_parquet_that_keep_codes_and_what_is_hidden() {
    let Some(python) = python("an_export_becomes_a_workbook_and_parquet") else { return };
    let (app, folder) = (start().unwrap(), support::Folder::new("convert").unwrap());
    let csv = folder.path().join("export.csv");
    let export = app.get("/api/inserjeunes/formations.csv?items_par_page=1000000").unwrap();
    std::fs::write(&csv, &export.body).unwrap();
    for (name, reader) in [
        ("export.xlsx", "read_excel(path, dtype={'code_certification': str})"),
        ("export.parquet", "read_parquet(path)"),
    ] {
        let made = folder.path().join(name);
        said(&recipe(&app, &python, "convertir.py", &[&csv, &made]));
        let check = format!(
            "import pandas, sys; path = sys.argv[1]; f = pandas.{reader}\n\
             r = f[f['code_certification'] == '01099051'].iloc[0]\n\
             print(len(f), r['masque'], f[f['masque']]['taux_en_emploi_6_mois'].isna().all(), f['taux_en_emploi_6_mois'].max() <= 100)"
        );
        let output = Command::new(&python).arg("-c").arg(check).arg(&made).output().unwrap();
        let rows = export.text().lines().count() - 1;
        let text = said(&output);
        let words: Vec<&str> = text.split_whitespace().collect();
        assert_eq!((words[0], words[2], words[3]), (rows.to_string().as_str(), "True", "True"), "{name}: {text}");
    }
}

/// Without Excel: the query names a route that answers, and columns that there are.
#[test]
fn the_query_for_excel_names_what_there_is() {
    let app = start().unwrap();
    let text = std::fs::read_to_string(root().join("docs/recettes/classeur.pq")).unwrap();
    let between =
        |start: &str, end: &str| text.split(start).nth(1).and_then(|t| t.split(end).next()).unwrap().to_owned();
    let path = between("RelativePath = \"", "\"");
    let query = between("Query = [", "]").replace([' ', '"'], "");
    let answer = app.get(&format!("/{path}?{query}")).unwrap();
    assert_eq!(answer.status, 200, "{path}?{query}");
    let (separator, header) = (between("Delimiter = \"", "\""), between("#\"", "\" = Key"));
    let text = answer.text();
    assert!(header == "x-api-key" && text.lines().next().unwrap().split(&separator).count() > 20);
    for prefix in ["nb_", "taux_"] {
        assert!(text.lines().next().unwrap().split(&separator).any(|column| column.starts_with(prefix)), "{prefix}");
    }
}
