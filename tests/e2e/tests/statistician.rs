//! A statistician's hour: the commands of docs/STATISTICIEN.md, in their order, and what each of them shows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::with_sample;
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};
use support::{Application, Folder, Request, Settings, root};

/// The commands of the chapter, in their order.
fn documented() -> Vec<String> {
    let chapter = std::fs::read_to_string(root().join("docs/STATISTICIEN.md")).unwrap();
    let blocks = chapter.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned());
    blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// A person at a terminal: the program, where the service is, and the folder with the files.
struct Person<'a> {
    application: &'a Application,
    program: PathBuf,
    folder: Folder,
}

impl Person<'_> {
    /// Types a command; what the chapter leaves open is filled in.
    fn types(&self, command: &str, filled: &[(&str, &str)]) -> Output {
        let words = command.strip_prefix("scripts/import ").unwrap().split(' ').map(|word| {
            let said = filled.iter().find(|(open, _)| *open == word);
            said.map_or_else(|| word.to_owned(), |(_, said)| (*said).to_owned())
        });
        // Several codes are several words.
        let words = words.flat_map(|word| word.split(' ').map(str::to_owned).collect::<Vec<_>>());
        Command::new(&self.program)
            .args(words)
            .args(["--url", &format!("http://{}", self.application.host.address())])
            .current_dir(self.folder.path())
            .env("IMPORT_SECRET", &self.application.settings.import_secret)
            .env("IMPORTER_CACHE", self.folder.path())
            .output()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What a document of the API says in a field.
fn served(application: &Application, code: &str, field: &str) -> Value {
    application.get(&format!("/api/inserjeunes/certifications/{code}")).unwrap().json()[field].clone()
}

#[test]
fn an_hour_of_a_statistician_as_the_chapter_tells_it() {
    let program = root().join("target/debug/importer");
    if !program.exists() {
        return support::skipped("an_hour_of_a_statistician_as_the_chapter_tells_it", "cargo build -p importer");
    }
    // As it is delivered: the rules are in force.
    let others = [("plausibilite".to_owned(), String::new())].into();
    let application = with_sample(Settings { others, ..Settings::default() }).unwrap();
    let before = e2e::generation(&application).unwrap();
    let person = Person { application: &application, program, folder: Folder::new("statistician").unwrap() };
    let mut commands = documented().into_iter();
    let mut next = |begins: &str| {
        let command = commands.next().unwrap();
        assert!(command.starts_with(begins), "the chapter goes on with {command}, not {begins}");
        command
    };

    // 1. The export, and ten corrections in it: the rate of a column that nothing else follows from.
    let command = next("curl ");
    let target = command.split("$URL").nth(1).unwrap().split('"').next().unwrap();
    let export = application.get(target).unwrap().text();
    let mut lines = export.lines();
    let header: Vec<&str> = lines.next().unwrap().split(';').collect();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let (code, rate) = (column("code_certification"), column("taux_rupture_contrats"));
    let mut corrected: Vec<(String, u64, usize)> = Vec::new();
    let mut table = format!("{};libelle;code_certification_type;diplome.code;diplome.libelle\n", header.join(";"));
    for line in lines {
        let mut cells: Vec<String> = line.split(';').map(str::to_owned).collect();
        let Some(old) = cells[rate].parse::<u64>().ok().filter(|old| *old < 100 && corrected.len() < 10) else {
            continue;
        };
        let document = application.get(&format!("/api/inserjeunes/certifications/{}", cells[code])).unwrap().json();
        if corrected.iter().any(|(known, ..)| *known == cells[code]) || document["taux_rupture_contrats"] != old {
            continue;
        }
        cells[rate] = (old + 1).to_string();
        corrected.push((cells[code].clone(), old, corrected.len() + 2));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (type_, level) = (&document["code_certification_type"], &document["diplome"]);
        table += &format!(
            "{};\"{}\";{};{};\"{}\"\n",
            cells.join(";"),
            text(&document["libelle"]),
            text(type_),
            text(&level["code"]),
            text(&level["libelle"])
        );
    }
    assert_eq!(corrected.len(), 10, "{export}");
    std::fs::write(person.folder.path().join("correction.csv"), &table).unwrap();

    // 2. The rules, and a dry run: nothing changes.
    let rules = person.types(&next("scripts/import rules"), &[]);
    assert!(rules.status.success() && said(&rules).contains("taux_bornes"), "{}", said(&rules));
    let verified = person.types(&next("scripts/import verify"), &[]);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    assert!(said(&verified).contains("Vérifié : rien n'est mis en service"), "{}", said(&verified));
    assert_eq!(e2e::generation(&application).unwrap(), before);

    // 3. The push waits for its signature.
    let sent = person.types(&next("scripts/import --mode ajouter --attendre-validation"), &[]);
    assert_eq!(sent.status.code(), Some(4), "{}", said(&sent));
    let status = said(&person.types(&next("scripts/import status"), &[]));
    let id = status.lines().find_map(|line| line.strip_prefix("Attend         ")).unwrap().split(' ').next().unwrap();
    assert!(status.contains(&format!("scripts/import confirm {id}")), "{status}");

    // 4. The preview, at its address: the page of what would change, the site and the API as they would be.
    let preview = said(&person.types(&next("scripts/import preview"), &[]));
    let address = preview.lines().next().unwrap().rsplit(' ').next().unwrap();
    let path = address.split_once(&application.host.address().to_string()).unwrap().1;
    let after = preview.split(' ').next().unwrap();
    let looked_at = |target: &str| application.send(&Request::get(&format!("{path}{target}"))).unwrap();
    let start = looked_at("");
    assert!(start.status == 200 && start.text().contains("Ce qui changerait"), "{}", start.text());
    for (code, old, _) in &corrected {
        let document = looked_at(&format!("api/inserjeunes/certifications/{code}")).json();
        assert_eq!(document["taux_rupture_contrats"], old + 1, "{code}");
        assert_eq!(served(&application, code, "taux_rupture_contrats"), *old, "{code}");
    }
    let page = looked_at(&format!("certifications/{}", corrected[0].0));
    let page = if page.status == 308 {
        looked_at(&format!("certifications/{}", page.header("location").unwrap().rsplit('/').next().unwrap()))
    } else {
        page
    };
    assert!(page.status == 200 && page.text().contains("n’est pas en service"), "{}", page.text());

    // 5. The difference holds the ten corrections and nothing else.
    let names = [("SERVIE", before.as_str()), ("NOUVELLE", after)];
    let told = person.types(&next("scripts/import diff"), &names);
    assert!(told.status.success() && said(&told).contains("10 changés"), "{}", said(&told));
    let changes = String::from_utf8(person.types(&next("scripts/import diff"), &names).stdout).unwrap();
    assert_eq!(changes.lines().count(), 11, "{changes}");
    for (code, old, _) in &corrected {
        let row = changes.lines().find(|line| line.contains(&format!(";{code};"))).unwrap();
        assert!(
            row.starts_with("changé;") && row.ends_with(&format!(";taux_rupture_contrats;{old};{}", old + 1)),
            "{row}"
        );
    }

    // 6. Signed.
    let signed = person.types(&next("scripts/import confirm"), &[("ID", id)]);
    assert_eq!(signed.status.code(), Some(0), "{}", said(&signed));
    assert_eq!(e2e::generation(&application).unwrap(), after);
    assert_eq!(looked_at("").status, 404, "the preview is over");

    // 7. Ten numbers, back to their lines.
    let codes: Vec<&str> = corrected.iter().map(|(code, ..)| code.as_str()).collect();
    let traced = said(&person.types(&next("scripts/import trace"), &[("CODES", &codes.join(" "))]));
    for (code, _, line) in &corrected {
        assert!(traced.contains(&format!("{code} ")), "{code}: {traced}");
        assert!(traced.contains(&format!("correction.csv, ligne {line}\n")), "{code}, {line}: {traced}");
    }
    let state = application.send(&Request::get("/etat")).unwrap().text();
    for expected in
        ["<svg role=\"img\"", "href=\"./etat/couverture.csv\"", "Ce que l’import", "Empreinte de certifications"]
    {
        assert!(state.contains(expected), "{expected}: {state}");
    }
    let history = application.send(&Request::get("/etat/couverture.csv")).unwrap();
    assert!(history.status == 200 && history.text().contains(&format!("{after};")) && history.text().contains(&before));

    // 8. And back.
    let back = person.types(&next("scripts/import rollback"), &[]);
    assert!(back.status.success() && said(&back).contains(&before), "{}", said(&back));
    for (code, old, _) in &corrected {
        assert_eq!(served(&application, code, "taux_rupture_contrats"), *old, "{code}");
    }
    let status = said(&person.types(&next("scripts/import status"), &[]));
    assert!(status.contains(&format!("En service     {before}")), "{status}");
    assert!(application.send(&Request::get("/etat")).unwrap().text().contains("retour à la génération précédente"));
    assert_eq!(commands.next(), None, "the chapter goes on");
}
