//! Matching a catalogue in the built component: the recorded cases, a large file, one that is cut off, the real catalogue.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use dataset::catalogue::FormationCatalogue;
use dataset::production::Production;
use e2e::{cold, line, with};
use matching_cases::{Case, compare, documents};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use support::push::Push;
use support::{Application, Request, Settings};

/// Most that an instance may take. Source: contract, "Stateless and bounded".
const MEMORY_MAX: u64 = 32 << 20;

fn shared(folder: &str) -> Option<PathBuf> {
    support::shared(folder, "the matching over HTTP")
}

fn post(application: &Application, route: &str, file: impl Into<Vec<u8>>, accept: &str) -> support::Answer {
    let request = Request::new("POST", &format!("/api/appariement/{route}"))
        .header("x-api-key", &application.settings.legacy_api_key)
        .header("accept", accept)
        .body(file);
    application.send(&request).unwrap()
}

fn lines(answer: &support::Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn peak_memory(application: &Application) -> u64 {
    application.host.counters()["appariement"].peak_memory
}

fn play(application: &Application, case: &Case) -> Vec<String> {
    let of_case = documents::of(case).into_iter();
    let pushed: String = of_case.map(|(kind, doc)| line(kind.name(), &Value::Object(doc))).collect();
    let last = &case.last_millesime;
    let push = Push::all(pushed).in_force(json!({
        "certifications": last, "certifications_sup": last, "formations": last, "formations_sup": last,
    }));
    let job = application.push(&push).unwrap();
    assert!(job["etape"] == "publie" || job["etape"] == "inchange", "{}: {job}", case.id);
    let file = Value::from(case.rows.iter().cloned().map(Value::Object).collect::<Vec<_>>()).to_string();
    let options = format!("date_campagne={}", case.campaign);
    let answers = lines(&post(application, &format!("formations?{options}"), file.as_str(), "application/x-ndjson"));
    let answers: Vec<Map<String, Value>> = answers
        .into_iter()
        .map(|answer| {
            let mut answer = answer.as_object().unwrap().clone();
            let key = answer.iter().find(|(name, _)| name.eq_ignore_ascii_case("codeformationaccueil"));
            let key = key.map(|(_, key)| key.as_str().unwrap_or_default().trim().to_owned());
            answer.insert("CODEFORMATIONACCUEIL".into(), key.into());
            answer
        })
        .collect();
    let mut differences = compare::answers(&case.expected, &answers);
    let codes = lines(&post(application, &format!("codes?{options}"), file.as_str(), "application/x-ndjson"));
    differences.extend(compare::lines(&case.expected_resolver, &codes));
    differences
}

#[test]
fn recorded_cases_pass_over_http() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../matching-cases/cases");
    let application = Application::start(cold()).unwrap();
    let (mut failures, mut played) = (Vec::new(), BTreeSet::new());
    for folder in [Some(own), shared("conformance/parcoursup")].into_iter().flatten() {
        for case in matching_cases::load(&folder).unwrap().values().flatten() {
            // Some of the recorded ones lie in the tree as well.
            if !played.insert(case.id.clone()) {
                continue;
            }
            let differences = play(&application, case);
            if !differences.is_empty() {
                failures.push(format!("{}: {}", case.id, differences.join("\n  ")));
            }
        }
    }
    eprintln!("{} of {} recorded cases over HTTP", played.len() - failures.len(), played.len());
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), played.len(), failures.join("\n"));
    assert!(played.len() >= 30);
}

/// Rows of the large catalogue.
const ROWS: usize = 25_000;

/// A service with statistics of some 450 establishments, and a catalogue drawn from them, all columns filled.
fn large(settings: Settings) -> (Application, String) {
    let production = Production::new(0.05, None).unwrap();
    let catalogue = FormationCatalogue::of(production.formations());
    let lines = production
        .certifications()
        .chain(production.formations())
        .chain(production.bcn())
        .chain(production.bcn_sise())
        .chain(production.etablissements())
        .chain(catalogue.links(ROWS));
    let mut pushed = Vec::new();
    lines.for_each(|line| line.write_to(&mut pushed).unwrap());
    let push = Push { parts: e2e::in_parts(&pushed), ..Push::all("") };
    (with(settings, &push).unwrap(), catalogue.file(ROWS))
}

/// A catalogue on its way, and what has come of its answer.
struct Conversation {
    stream: TcpStream,
    raw: Vec<u8>,
}

impl Conversation {
    fn open(application: &Application, query: &str, length: usize) -> Self {
        let mut stream = TcpStream::connect(application.host.address()).unwrap();
        let head = format!(
            "POST /api/appariement/formations{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {}\r\n\
             accept: text/csv\r\ncontent-type: text/csv\r\ncontent-length: {length}\r\n\r\n",
            application.settings.legacy_api_key,
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        Self { stream, raw: Vec::new() }
    }

    /// Reads until the answer holds so many line ends, or ends.
    fn read(&mut self, lines: usize) {
        let mut buffer = vec![0; 64 * 1024];
        while self.body().iter().filter(|byte| **byte == b'\n').count() < lines {
            match self.stream.read(&mut buffer).unwrap() {
                0 => break,
                read => self.raw.extend_from_slice(&buffer[..read]),
            }
        }
    }

    fn head(&self) -> String {
        let end = self.raw.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(self.raw.len());
        String::from_utf8_lossy(&self.raw[..end]).into_owned()
    }

    fn header(&self, name: &str) -> String {
        let head = self.head().to_ascii_lowercase();
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        line.unwrap_or_default()
    }

    /// The body as far as it came, without its transfer coding.
    fn body(&self) -> Vec<u8> {
        let mut rest = self.raw.get(self.head().len() + 4..).unwrap_or_default();
        let mut body = Vec::new();
        while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
            let chunk = &rest[end + 2..];
            body.extend_from_slice(&chunk[..size.min(chunk.len())]);
            if size == 0 || chunk.len() < size + 2 {
                break;
            }
            rest = &chunk[size + 2..];
        }
        body
    }
}

/// The whole answer, followed to its end where it breaks off for its time; how long it took.
fn whole(application: &Application, route: &str, file: &str) -> (String, String, Duration) {
    let begun = Instant::now();
    let first = post(application, route, file, "text/csv");
    assert_eq!(first.status, 200, "{}", first.text());
    let generation = first.header("x-generation").unwrap().to_owned();
    let mut text = first.text();
    while let Some(place) = text.rfind("#suite;").filter(|place| text[*place..].lines().count() == 1) {
        let line = text[place..].split(';').nth(1).unwrap().to_owned();
        text.truncate(place);
        let query = format!("formations?a_partir={line}&generation={generation}");
        let next = post(application, &query, file, "text/csv");
        assert_eq!(next.status, 200, "{}", next.text());
        text += &next.text();
    }
    (text, generation, begun.elapsed())
}

#[test]
fn a_large_catalogue_is_answered_as_it_comes_and_goes_on_where_it_was_cut() {
    let (application, file) = large(cold());
    application.host.reset_counters();
    let (text, generation, took) = whole(&application, "formations", &file);
    let memory = peak_memory(&application);
    eprintln!(
        "{ROWS} rows, {} KiB: {} KiB after {:.1} s, {:.1} MiB of guest memory",
        file.len() >> 10,
        text.len() >> 10,
        took.as_secs_f64(),
        memory as f64 / f64::from(1 << 20)
    );
    assert!(memory <= MEMORY_MAX, "{memory}");
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
    let names = reader.headers().unwrap().clone();
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!((rows.len(), names.get(0)), (ROWS, Some("CODEFORMATIONACCUEIL")));
    assert!(rows.iter().enumerate().all(|(number, row)| row["CODEFORMATIONACCUEIL"] == number.to_string()));
    let mut by_reason: BTreeMap<&str, usize> = BTreeMap::new();
    rows.iter().for_each(|row| *by_reason.entry(&row["raison"]).or_default() += 1);
    eprintln!("{by_reason:?}");
    assert!(by_reason["couvert"] > ROWS / 10 && by_reason["sous_seuil"] > 100, "{by_reason:?}");
    for row in &rows {
        let rates = ["taux_en_emploi_6_mois", "taux_en_formation", "taux_autres_6_mois"];
        let shown = rates.iter().filter(|rate| !row[**rate].is_empty()).count();
        assert_eq!(shown, if row["raison"] == "couvert" { 3 } else { 0 }, "{row:?}");
    }
    let checked = numbers_are_those_of_the_documents(
        &application,
        rows.into_iter().map(|row| row.into_iter().map(|(name, cell)| (name, Value::from(cell))).collect()),
    );
    assert!(checked > 300, "{checked}");

    // The first row comes while most of the file is still to be sent.
    let bytes = file.as_bytes();
    let mut conversation = Conversation::open(&application, "", bytes.len());
    conversation.stream.write_all(&bytes[..32 * 1024]).unwrap();
    let begun = Instant::now();
    conversation.read(2);
    eprintln!("first row after {} ms", begun.elapsed().as_millis());
    assert!(text.as_bytes().starts_with(&conversation.body()), "{}", conversation.head());
    drop(conversation);

    // Cut in the middle, in the file or in the answer, and taken up again: the same bytes.
    for (sent, lines) in [(bytes.len() / 3, 2_000), (bytes.len(), 9_000)] {
        let mut conversation = Conversation::open(&application, "", bytes.len());
        let mut writer = conversation.stream.try_clone().unwrap();
        let part = bytes[..sent].to_vec();
        let sending = std::thread::spawn(move || writer.write_all(&part));
        conversation.read(lines);
        assert_eq!(conversation.header("x-generation"), generation);
        let mut kept = conversation.body();
        conversation.stream.shutdown(std::net::Shutdown::Both).unwrap();
        let _ = sending.join();
        // What a client keeps of an answer that was cut off: its whole lines.
        kept.truncate(kept.iter().rposition(|byte| *byte == b'\n').unwrap() + 1);
        let rows = kept.iter().filter(|byte| **byte == b'\n').count() - 1;
        assert!(rows > lines / 2 && rows < ROWS, "{rows}");
        let query = format!("formations?a_partir={}&generation={generation}", rows + 1);
        let (rest, _, _) = whole(&application, &query, &file);
        kept.extend_from_slice(rest.as_bytes());
        assert!(kept == text.as_bytes(), "cut after {rows} rows, it goes on with other bytes");
    }
    let gone = post(&application, "formations?a_partir=2&generation=g99", bytes, "text/csv");
    assert_eq!(gone.status, 409);
}

/// Rows of 60 KiB, a gibibyte of them: the memory of an instance does not see it. The answer is whole, or ends in time.
#[test]
fn a_file_of_a_gibibyte_is_read_in_bounded_memory() {
    const SIZE: usize = 1 << 30;
    let line = |kind: &str, doc: Value| line(kind, &doc);
    let pushed = line("etablissement", json!({"numero_uai": "9990001X", "academie": "10"}))
        + &line(
            "certification",
            json!({"code_certification": "40025214", "millesime": "2023", "filiere": "apprentissage"}),
        );
    let application = with(cold(), &Push::all(pushed)).unwrap();
    application.host.reset_counters();
    let row = format!("1;{}\n", "x".repeat(60 * 1024));
    let rows = SIZE / row.len();
    let head = "CODEFORMATIONACCUEIL;Autre\n";
    let begun = Instant::now();
    let mut conversation = Conversation::open(&application, "?colonnes=retenues", head.len() + rows * row.len());
    let mut writer = conversation.stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        writer.write_all(head.as_bytes())?;
        (0..rows).try_for_each(|_| writer.write_all(row.as_bytes()))
    });
    conversation.read(usize::MAX);
    // An answer that ends in time closes the connection by itself.
    let _ = conversation.stream.shutdown(std::net::Shutdown::Both);
    let _ = sending.join();
    let text = String::from_utf8(conversation.body()).unwrap();
    let (answered, memory) = (text.lines().count() - 1, peak_memory(&application));
    eprintln!(
        "{answered} of {rows} rows of 60 KiB after {:.1} s, {} KiB of memory",
        begun.elapsed().as_secs_f64(),
        memory >> 10
    );
    let goes_on = text.lines().last().unwrap().starts_with("#suite;");
    assert!(answered == rows || goes_on, "{}", conversation.head());
    assert!(
        text.lines()
            .skip(1)
            .take(answered.min(rows) - 1)
            .all(|line| line.starts_with("1;") && line.contains("code_inconnu"))
    );
    assert!(memory <= MEMORY_MAX, "{memory}");
}

/// Every number of covered rows, and of pay, is that of the document that the read routes give: how many documents.
fn numbers_are_those_of_the_documents(
    application: &Application,
    answers: impl Iterator<Item = Map<String, Value>>,
) -> usize {
    let mut documents: BTreeMap<String, Value> = BTreeMap::new();
    let mut document = |target: String| -> Value {
        let get = || {
            let answer = application.get(&format!("/api/inserjeunes/{target}")).unwrap();
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
            answer.json()
        };
        documents.entry(target.clone()).or_insert_with(get).clone()
    };
    // A CSV has texts where JSON has numbers.
    let told = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for answer in answers {
        let text = |name: &str| answer[name].as_str().unwrap_or_default();
        if text("raison") == "couvert" {
            let code = text("code_certification_donnee");
            let found = document(format!("formations/{}-{code}?millesime={}", text("uai"), text("millesime")));
            for field in ["taux_en_emploi_6_mois", "taux_en_formation", "taux_autres_6_mois", "millesime"] {
                assert_eq!(told(&answer[field]), told(&found[field]), "{answer:?} {field}");
            }
            assert_eq!(text("donnee_source"), found["donnee_source"]["type"].as_str().unwrap_or_default());
        }
        if text("couverture_salaire") == "couvert" {
            let code = text("code_certification_salaire");
            let found = document(format!("certifications/{code}"));
            for field in ["salaire_12_mois_q1", "salaire_12_mois_q2", "salaire_12_mois_q3"] {
                assert_eq!(told(&answer[field]), told(&found[field]), "{answer:?} {field}");
            }
        }
    }
    documents.len()
}

/// Rows of a table, by the names of its columns.
fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.trim_start_matches('\u{feff}');
    let delimiter = if text.lines().next().unwrap().contains(';') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

/// The catalogue of 2020 and the real tables. Indicators of establishments are not open data: school groups have their
/// real size, apprenticeship groups one between 0 and 59 drawn from their key, and every rate is made up.
#[test]
fn the_real_catalogue_adds_up_and_shows_what_the_read_routes_show() {
    let Some(data) = shared("data") else { return };
    let real = dataset::real::Real::read(&data).unwrap();
    let tables = real.bcn().chain(real.bcn_mef()).chain(real.bcn_sise()).chain(real.etablissements());
    let tables = tables.chain(real.rncp()).chain(real.matching());
    let mut pushed = Vec::new();
    tables.for_each(|line| line.write_to(&mut pushed).unwrap());
    let final_years: BTreeSet<String> = real
        .bcn_mef()
        .filter(|line| line.doc.get("annee_dispositif") == line.doc.get("duree_dispositif"))
        .filter_map(|line| Some(line.doc.get("mef_stat_11")?.as_str()?.to_owned()))
        .collect();
    let mut figures = |uai: &str, code: &str, filiere: &str, size: u32| {
        let drawn = uai.bytes().chain(code.bytes()).fold(7u32, |sum, byte| (sum * 31 + u32::from(byte)) % 6_007);
        let size = if filiere == "apprentissage" { drawn % 60 } else { size };
        let doc = json!({"uai": uai, "code_certification": code, "millesime": "2018_2019", "filiere": filiere,
            "nb_annee_term": size, "taux_en_emploi_6_mois": drawn % 50, "taux_en_formation": drawn % 30,
            "taux_autres_6_mois": drawn % 20});
        pushed.extend_from_slice(line("formation", &doc).as_bytes());
    };
    for row in table(&data.join("effectifs/constat-2020.csv")) {
        if let (true, Ok(size)) = (final_years.contains(&row["Mef Bcp 11"]), row["Nombre d'élèves : Total"].parse()) {
            figures(&row["UAI"], &row["Mef Bcp 11"], "pro", size);
        }
    }
    let mut pairs = BTreeSet::new();
    for row in table(&data.join("catalogue-apprentissage/formations-2020.csv")) {
        for column in ["etablissement_gestionnaire_uai", "etablissement_formateur_uai"] {
            if let (Some(uai), Some(cfd)) = (row.get(column), row.get("cfd")) {
                pairs.insert((uai.clone(), cfd.clone()));
            }
        }
    }
    let is_uai = |uai: &str| {
        let bytes = uai.as_bytes();
        bytes.len() == 8 && bytes[..7].iter().all(u8::is_ascii_digit) && bytes[7].is_ascii_uppercase()
    };
    let is_cfd =
        |cfd: &str| cfd.len() == 8 && cfd.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    for (uai, cfd) in pairs.iter().filter(|(uai, cfd)| is_uai(uai) && is_cfd(cfd)) {
        figures(uai, cfd, "apprentissage", 0);
    }
    let push = Push { parts: e2e::in_parts(&pushed), ..Push::all("") };
    let application = with(Settings::default(), &push).unwrap();

    let file = std::fs::read(data.join("parcoursup/catalogue-2020.csv")).unwrap();
    let query = "cle=UAI_GES&voie=Apprentissage&date_campagne=2020-08-31";
    let begun = Instant::now();
    let answers = lines(&post(&application, &format!("formations?{query}"), file.as_slice(), "application/x-ndjson"));
    eprintln!("{} rows in {:.1} s", answers.len(), begun.elapsed().as_secs_f64());
    assert_eq!(answers.len(), 4_357);
    let mut by_reason: BTreeMap<String, usize> = BTreeMap::new();
    for answer in &answers {
        *by_reason.entry(answer["raison"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for (reason, count) in &by_reason {
        eprintln!("  {reason:<26} {count:>6}");
    }
    // Every MEF of this catalogue is in N_MEF: only a row without one leads to no code.
    let without_mef = answers.iter().filter(|answer| answer["CODEMEF"].as_str().is_none_or(str::is_empty)).count();
    assert_eq!(by_reason["code_inconnu"], without_mef);
    // The table of docs/APPARIER.md.
    let told: Vec<usize> = by_reason.values().copied().collect();
    assert_eq!(told, [572, 762, 3, 8, 2_357, 653, 2], "{by_reason:?}");
    let summary = post(&application, &format!("couverture?{query}"), file.as_slice(), "").json();
    assert_eq!(summary["total"]["lignes"], 4_357);
    let told: BTreeMap<String, usize> = summary["par_raison"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (one["raison"].as_str().unwrap().to_owned(), usize::try_from(one["lignes"].as_u64().unwrap()).unwrap())
        })
        .collect();
    assert_eq!(told, by_reason);
    for list in ["par_source", "par_type"] {
        let lines = summary[list].as_array().unwrap().iter().map(|one| one["lignes"].as_u64().unwrap());
        assert_eq!(lines.sum::<u64>(), 4_357, "{list}");
    }
    let rows = answers.iter().map(|answer| answer.as_object().unwrap().clone());
    let checked = numbers_are_those_of_the_documents(&application, rows);
    eprintln!("{} covered rows show the numbers of {checked} documents", by_reason["couvert"]);
    assert!(checked > 100 && peak_memory(&application) <= MEMORY_MAX, "{checked} {}", peak_memory(&application));
}
