//! A dry run on real tables: matches the catalogue of 2020 and prints the table of reasons, then measures a made
//! catalogue of 25,000 rows.
//!
//!   cargo run --release -p matching --example catalogue -- DATA [CATALOGUE.csv]
//!
//! DATA is a folder with the public tables (`bcn/`, `certif-info/`, `onisep/`, `kit-apprentissage/`,
//! `etablissements/`, `effectifs/`, `catalogue-apprentissage/`, `parcoursup/`).
//!
//! Indicators of establishments are not open data, so figures are **made up on real keys**: school groups have their
//! real size (pupils of the final year in 2020), apprenticeship groups a size between 0 and 59 drawn from their key,
//! and every rate is invented. The reasons that do not depend on figures are real.

use matching::field::{Code, cfd, filiere, mefstat11, sise};
use matching::file::{AnswerWriter, Encoding, FileFormat, FileReader, Line, Output};
use matching::lookups::{CertifInfoKey, Link, PlaceStatistic};
use matching::tables::rncp_number;
use matching::{
    Blocks, CodeLinks, Coverage, Day, LookupTables, Matcher, Nomenclatures, Options, Reason, Summary, Voie,
};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

type Fallible<T> = Result<T, Box<dyn Error>>;

/// The campaign of the catalogue, and the millesimes that it could have seen.
const CAMPAIGN: &str = "2020-08-31";
const LAST_YEAR: i32 = 2019;

fn main() -> Fallible<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let data = arguments.next().ok_or("usage: catalogue DATA [CATALOGUE.csv]")?;
    let catalogue = arguments.next().unwrap_or_else(|| data.join("parcoursup/catalogue-2020.csv"));
    let started = Instant::now();
    let mut tables = links(&data)?;
    println!("links read in {:.1} s", started.elapsed().as_secs_f64());
    let nomenclatures = Nomenclatures::default();
    // The catalogue is of apprenticeship only, and does not say so in a column.
    let options = Options {
        voie_when_absent: Voie::Apprenticeship,
        ..Options::of_campaign(Day::read(CAMPAIGN).ok_or("campaign")?)
    };
    let text = std::fs::read(&catalogue)?;

    println!("\n{}", catalogue.display());
    println!(
        "\nwith school figures only (real keys and sizes, made up rates): an apprenticeship is covered as inverse"
    );
    school_figures(&data, &mut tables)?;
    report(&judge(&tables, &nomenclatures, options, &text)?);
    println!("\nwith made up apprenticeship groups on the real pairs of the catalogue de l'apprentissage as well");
    apprenticeship_figures(&data, &mut tables)?;
    report(&judge(&tables, &nomenclatures, options, &text)?);

    let made = made_catalogue(&tables, &text)?;
    let campaign = Options::of_campaign(Day::read("2024-08-31").ok_or("campaign")?);
    println!("\nmade catalogue of 25,000 rows, all columns ({} KiB), to NDJSON", made.len() / 1024);
    report(&judge(&tables, &nomenclatures, campaign, made.as_bytes())?);
    Ok(())
}

struct Run {
    summary: Summary,
    first: f64,
    whole: f64,
    bytes: usize,
    held: usize,
}

fn judge(tables: &LookupTables, nomenclatures: &Nomenclatures, options: Options, text: &[u8]) -> Fallible<Run> {
    // A column that every catalogue has had stands in for the key where there is none.
    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has_key = String::from_utf8_lossy(first_line).contains("CODEFORMATIONACCUEIL");
    let key = if has_key { "CODEFORMATIONACCUEIL" } else { "UAI_GES" };
    let matcher = Matcher::new(tables, nomenclatures, options);
    let mut reader = FileReader::with_key(FileFormat::Csv, Encoding::Utf8, nomenclatures, key);
    let mut writer = AnswerWriter::new(Output::Ndjson, Blocks::ALL);
    let mut run = Run { summary: Summary::default(), first: 0.0, whole: 0.0, bytes: 0, held: 0 };
    let started = Instant::now();
    let mut out = Vec::new();
    for chunk in text.chunks(64 * 1024).chain([&b""[..]]) {
        reader.feed(chunk);
        while let Some(line) = reader.next_line()? {
            let row = line.record.row();
            let answer = matcher.answer(&row);
            run.summary.add(&row, &answer, None);
            writer.line(&line, &answer, &mut out);
            if run.first == 0.0 {
                run.first = started.elapsed().as_secs_f64();
            }
        }
        run.held = run.held.max(reader.held() + out.capacity());
        run.bytes += out.len();
        out.clear();
    }
    run.whole = started.elapsed().as_secs_f64();
    Ok(run)
}

fn report(run: &Run) {
    let total = run.summary.total().rows;
    let by_reason = run.summary.by(|key| key.reason);
    for (reason, count) in &by_reason {
        #[expect(clippy::cast_precision_loss, reason = "a share for the eye")]
        let share = count.rows as f64 * 100.0 / total.max(1) as f64;
        println!("  {:<26} {:>7}  {share:>5.1} %", reason.as_str(), count.rows);
    }
    let sum: u64 = by_reason.values().map(|count| count.rows).sum();
    println!("  {:<26} {sum:>7}  of {total} rows: {}", "sum", if sum == total { "adds up" } else { "DOES NOT ADD UP" });
    let found = |reason| reason == Reason::Covered || reason == Reason::BelowThreshold;
    for (path, count) in run.summary.by(|key| key.path.filter(|_| found(key.reason))) {
        if let Some((source, form, level)) = path {
            println!("  found by {:<11} {:<8} {:<8} {:>7}", source.0, form.as_str(), level.as_str(), count.rows);
        }
    }
    println!(
        "  first row after {:.1} ms, whole answer ({} KiB) in {:.2} s, buffers {} KiB",
        run.first * 1_000.0,
        run.bytes / 1024,
        run.whole,
        run.held / 1024
    );
}

/// The cells of a row by the names of their columns.
struct Cells(Line);

impl Cells {
    fn get(&self, column: &str) -> &str {
        let place = self.0.record.header().names().iter().position(|name| name == column);
        place.and_then(|place| self.0.record.cells().get(place)).map_or("", String::as_str)
    }
}

/// Calls back with every row of a CSV file.
fn rows(path: &Path, encoding: Encoding, mut each: impl FnMut(&Cells)) -> Fallible<()> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    // The reader of catalogues reads any table whose first column stands for the key.
    let head = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let key = head.trim_start_matches('\u{feff}').trim_end().split(';').next().unwrap_or_default().trim_matches('"');
    let mut reader = FileReader::with_key(FileFormat::Csv, encoding, &Nomenclatures::default(), key);
    for chunk in bytes.chunks(64 * 1024).chain([&b""[..]]) {
        reader.feed(chunk);
        while let Some(line) = reader.next_line()? {
            each(&Cells(line));
        }
    }
    Ok(())
}

fn links(data: &Path) -> Fallible<LookupTables> {
    let mut tables = LookupTables::default();
    rows(&data.join("bcn/N_MEF.csv"), Encoding::Utf8, |cells| {
        tables.load_mef(|column| cells.get(column));
    })?;
    for (file, encoding) in
        [("bcn/N_FORMATION_DIPLOME.csv", Encoding::Latin1), ("bcn/V_FORMATION_DIPLOME.csv", Encoding::Utf8)]
    {
        rows(&data.join(file), encoding, |cells| tables.load_diplome(|column| cells.get(column)))?;
    }
    rows(&data.join("bcn/N_DIPLOME_SISE.csv"), Encoding::Utf8, |cells| {
        sise(cells.get("#DIPLOME_SISE")).into_iter().for_each(|code| tables.add_sise(code));
    })?;
    rows(&data.join("certif-info/certif-info-2024.csv"), Encoding::Utf8, |cells| {
        tables.load_certif_info(|column| cells.get(column));
    })?;
    rows(&data.join("kit-apprentissage/cfd-rncp-2024.csv"), Encoding::Utf8, |cells| {
        let code = cfd(cells.get("Code Diplôme"));
        code.into_iter().for_each(|code| tables.add_cfd_of_rncp(cells.get("FicheRNCP"), code));
    })?;
    rows(&data.join("onisep/ideo-formations-2024.csv"), Encoding::Utf8, |cells| {
        let rncp = cells.get("code_rncp");
        let rncp = Some(rncp_number(rncp).to_owned()).filter(|rncp| !rncp.is_empty());
        tables.add_onisep(cells.get("identifiant_ideo"), Link { cfd: cfd(cells.get("code_scolarite")), rncp });
    })?;
    rows(&data.join("etablissements/uai.csv"), Encoding::Utf8, |cells| {
        tables.load_establishment(|column| cells.get(column));
    })?;
    shared_first_years(data, &mut tables)?;
    for name in ["pro", "agricole", "apprentissage", "superieur"] {
        filiere(name).into_iter().for_each(|of| tables.set_last_year(of, LAST_YEAR));
    }
    Ok(tables)
}

/// The groups of the BCN: a first year shared by the diplomas of its group, as far as the public table tells.
fn shared_first_years(data: &Path, tables: &mut LookupTables) -> Fallible<()> {
    let mut groups: BTreeMap<String, BTreeSet<Code>> = BTreeMap::new();
    rows(&data.join("bcn/N_LIEN_FORMATION_GROUPE.csv"), Encoding::Utf8, |cells| {
        if let Some(code) = cfd(cells.get("FORMATION_DIPLOME")) {
            groups.entry(cells.get("GROUPE_FORMATION").to_owned()).or_default().insert(code);
        }
    })?;
    for members in groups.values() {
        // The shared first year is the member that has no final year of its own.
        let years =
            |code: &Code| tables.mefs_of_cfd(code).into_iter().map(|mef| (mef.year, mef.length)).collect::<Vec<_>>();
        let is_final = |code: &Code| years(code).iter().any(|(year, length)| year == length);
        let (last, first): (Vec<&Code>, Vec<&Code>) = members.iter().partition(|code| is_final(code));
        let mefs = |code: &Code, wanted: bool| -> Vec<Code> {
            let of = tables.mefs_of_cfd(code).into_iter();
            of.filter(|mef| (mef.year == mef.length) == wanted).filter_map(|mef| mef.mefstat11).collect()
        };
        let mut pairs = Vec::new();
        for (one, other) in first.iter().flat_map(|first| last.iter().map(move |last| (*first, *last))) {
            pairs.push((one.clone(), other.clone()));
            for code in mefs(one, false) {
                pairs.extend(mefs(other, true).into_iter().map(|last| (code.clone(), last)));
            }
        }
        pairs.into_iter().for_each(|(one, other)| tables.add_shared_first_year(one, other));
    }
    Ok(())
}

/// A group of real or made up size, with made up rates.
fn made_up(size: f64) -> PlaceStatistic {
    let coverage = Coverage::of(Some(size), [Some(50.0), Some(30.0), Some(20.0)]);
    PlaceStatistic { millesime: Some("inventé".to_owned()), ..PlaceStatistic::new(coverage) }
}

fn school_figures(data: &Path, tables: &mut LookupTables) -> Fallible<()> {
    let pro = filiere("pro").ok_or("pro")?;
    rows(&data.join("effectifs/constat-2020.csv"), Encoding::Utf8, |cells| {
        let size = cells.get("Nombre d'élèves : Total").parse().ok();
        if let (Some(code), Some(size)) = (mefstat11(cells.get("Mef Bcp 11")), size)
            && tables.mefs_of_mefstat11(&code).iter().any(|mef| mef.year == mef.length)
        {
            tables.add_statistic(cells.get("UAI"), code, pro, made_up(size));
        }
    })
}

fn apprenticeship_figures(data: &Path, tables: &mut LookupTables) -> Fallible<()> {
    let apprentissage = filiere("apprentissage").ok_or("apprentissage")?;
    let mut pairs = BTreeSet::new();
    rows(&data.join("catalogue-apprentissage/formations-2020.csv"), Encoding::Utf8, |cells| {
        for column in
            ["etablissement_gestionnaire_uai", "etablissement_formateur_uai", "etablissement_lieu_formation_uai"]
        {
            let uai = cells.get(column);
            if let (Some(code), false) = (cfd(cells.get("cfd")), uai.is_empty()) {
                pairs.insert((uai.to_owned(), code));
            }
        }
    })?;
    for (uai, code) in pairs {
        let drawn: u32 =
            uai.bytes().chain(code.as_str().bytes()).fold(7, |sum, byte| (sum * 31 + u32::from(byte)) % 6_007);
        tables.add_statistic(&uai, code, apprentissage, made_up(f64::from(drawn % 60)));
    }
    Ok(())
}

/// 25,000 rows with every column, out of the real ones: their MEF or CFD or neither, and the RNCP entries that Certif
/// Info gives for their diploma, so that every source has work.
fn made_catalogue(tables: &LookupTables, text: &[u8]) -> Fallible<String> {
    let mut reader = FileReader::with_key(FileFormat::Csv, Encoding::Utf8, &Nomenclatures::default(), "UAI_GES");
    reader.feed(text);
    let mut real = Vec::new();
    while let Some(line) = reader.next_line()? {
        real.push(Cells(line));
    }
    let sises: Vec<String> = (2_300_000..2_500_000_u32)
        .map(|number| number.to_string())
        .filter(|text| sise(text).is_some_and(|code| tables.knows_sise(&code)))
        .collect();
    let mut made = String::from(
        "CODEFORMATIONACCUEIL;UAI_GES;UAI_AFF;UAI_COMPOSANTE;CODEMEF;CODECFD;CODESISE;ID_RCO;LISTE_RNCP;LISTE_IDEO;\
         APPRENTISSAGEOUSCOLAIRE;LIBFORMATION;NBDEDEMANDES;LIBELLE\r\n",
    );
    for (number, cells) in real.iter().cycle().take(25_000).enumerate() {
        let mef = cells.get("CODEMEF");
        let diploma = tables.mef(mef).into_iter().find_map(|mef| mef.cfd);
        let entries = diploma.as_ref().map(|code| tables.certif_info(CertifInfoKey::Cfd(code))).unwrap_or_default();
        let rncps: BTreeSet<String> = entries.into_iter().filter_map(|entry| entry.rncp).collect();
        let rncps: Vec<String> = rncps.into_iter().collect();
        let diploma = diploma.as_ref().map_or("", Code::as_str);
        let (mef, diploma) = match number % 5 {
            0 | 1 => (mef, diploma),
            2 => (mef, ""),
            3 => ("", diploma),
            _ => ("", ""),
        };
        let declared =
            if number % 7 == 0 { sises.get(number % sises.len().max(1)).map_or("", String::as_str) } else { "" };
        made += &format!(
            "{number};{};{};{};{mef};{diploma};{declared};{number}P01;\"{}\";\"FOR.{}; FOR.{}\";{};{};{};\"Une formation, n°\u{a0}{number} ; avec des séparateurs\"\r\n",
            cells.get("UAI_GES"),
            cells.get("UAI_AFF"),
            cells.get("UAI_COMPOSANTE"),
            rncps.join(";"),
            1 + number % 9_000,
            2 + number % 9_000,
            if number % 2 == 0 { "Scolaire" } else { "Apprentissage" },
            cells.get("LIBFORMATION"),
            number % 3_000,
        );
    }
    Ok(made)
}
