//! Files as people have them: compressed, archived, tables of a spreadsheet. What is sent are lines of JSON.
//!
//! A file that is no lines yet is written beside, once, as lines; each line of a table stays on the line it had, so that a
//! refusal names the line that its sender sees.

use anyhow::{Context, bail, ensure};
use domain::{Uai, indicator, territory};
use plausibility::{BodyForm, forms};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How often a file may lie in another one.
const DEPTH: usize = 3;
/// Largest file that an archive may hold, in bytes: a guard against archives made to burst.
const EXTRACTED_MAX: u64 = 16 << 30;

/// Lines of JSON, and what their sender calls them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where the lines lie.
    pub path: PathBuf,
    /// What they are called.
    pub name: String,
    /// Lines of the sender's file before the first one here.
    pub heading: usize,
}

/// The files to send, and those that were written on the way; these go with it.
#[derive(Debug, Default)]
pub struct Sources {
    /// What is sent, in order.
    pub files: Vec<Source>,
    written: Vec<PathBuf>,
}

impl Drop for Sources {
    fn drop(&mut self) {
        for path in &self.written {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Sources {
    /// Reads the files that were named.
    pub fn of(files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut sources = Self::default();
        for file in files {
            let name = file.display().to_string();
            sources.take(file, &name, DEPTH).with_context(|| name.clone())?;
        }
        Ok(sources)
    }

    fn take(&mut self, path: &Path, name: &str, depth: usize) -> anyhow::Result<()> {
        let mut head = vec![0; forms::LOOKED_AT];
        let read = read_up_to(&mut File::open(path)?, &mut head)?;
        head.truncate(read);
        let form = BodyForm::of(&head);
        if let Some(BodyForm::Gzip | BodyForm::Zip) = form {
            ensure!(depth > 0, "une archive dans une archive : l'extraire d'abord");
        }
        match form {
            None | Some(BodyForm::Marked) if !is_marked_table(&head) => {
                self.files.push(Source { path: path.to_owned(), name: name.to_owned(), heading: 0 });
                Ok(())
            }
            Some(BodyForm::Gzip) => {
                let inner = self.write(|out| {
                    let mut reader =
                        flate2::read::MultiGzDecoder::new(BufReader::new(File::open(path)?)).take(EXTRACTED_MAX);
                    std::io::copy(&mut reader, out).context("le fichier gzip est abîmé ou incomplet : le renvoyer")?;
                    Ok(())
                })?;
                self.take(&inner, name.trim_end_matches(".gz"), depth - 1)
            }
            Some(BodyForm::Zip) => self.extract(path, name, depth),
            Some(BodyForm::Table | BodyForm::Marked) => {
                let lines = self.write(|out| table(path, out))?;
                self.files.push(Source { path: lines, name: name.to_owned(), heading: 1 });
                Ok(())
            }
            Some(form) => bail!("{}", form.to_string().replacen("le corps", "le fichier", 1)),
            None => bail!("le fichier ne se lit pas"),
        }
    }

    /// The files of an archive, in the order of their names.
    fn extract(&mut self, path: &Path, name: &str, depth: usize) -> anyhow::Result<()> {
        const DAMAGED: &str = "l'archive zip est abîmée ou protégée : l'extraire et envoyer ses fichiers";
        let mut archive = zip::ZipArchive::new(BufReader::new(File::open(path)?)).ok().context(DAMAGED)?;
        let mut names: Vec<String> = archive.file_names().map(str::to_owned).collect();
        names.retain(|name| {
            !name.ends_with('/')
                && !name.contains("__MACOSX")
                && !name.rsplit('/').next().unwrap_or("").starts_with('.')
        });
        names.sort();
        ensure!(!names.is_empty(), "l'archive est vide");
        for inner in names {
            let file = self.write(|out| {
                let reader = archive.by_name(&inner).ok().context(DAMAGED)?;
                std::io::copy(&mut reader.take(EXTRACTED_MAX), out).context(DAMAGED)?;
                Ok(())
            })?;
            self.take(&file, &format!("{name}/{inner}"), depth - 1).with_context(|| inner.clone())?;
        }
        Ok(())
    }

    /// Writes a file beside, which goes once all is sent.
    fn write(&mut self, fill: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
        let (path, file) = new_file()?;
        self.written.push(path.clone());
        let mut out = BufWriter::new(file);
        fill(&mut out)?;
        out.flush()?;
        Ok(path)
    }
}

/// A file that nobody else has: not another read of this process, nor one that died and left its own, nor a link that was laid.
fn new_file() -> anyhow::Result<(PathBuf, File)> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    loop {
        let name = format!("import-{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        match File::create_new(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
}

fn read_up_to(file: &mut File, head: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = head.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// Whether a file that begins with a mark is a table.
fn is_marked_table(head: &[u8]) -> bool {
    head.strip_prefix(b"\xef\xbb\xbf").is_some_and(|rest| BodyForm::of(rest) == Some(BodyForm::Table))
}

/// Turns a table into lines of statistics, one a row.
fn table(path: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    if reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        reader.consume(3);
    }
    let first = reader.fill_buf()?;
    let line = first.split(|b| *b == b'\n').next().unwrap_or_default();
    let delimiter = if line.contains(&b';') { b';' } else { b'\t' };
    let mut rows = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(reader);
    let latin = "le fichier n'est pas en UTF-8 : l'enregistrer en « CSV UTF-8 », ou le convertir par iconv -f WINDOWS-1252 -t UTF-8";
    let columns: Vec<String> = rows.headers().ok().context(latin)?.iter().map(|name| name.trim().to_owned()).collect();
    for needed in ["code_certification", "millesime", "filiere"] {
        ensure!(
            columns.iter().any(|column| column == needed),
            "la colonne {needed} manque : un tableau de statistiques a les colonnes des exports ({})",
            "code_certification, millesime, filiere, uai ou region, nb_annee_term, taux_en_formation…"
        );
    }
    let mut written = 1;
    for row in rows.records() {
        let row = row.ok().context(latin)?;
        let line = row.position().map_or(0, csv::Position::line);
        ensure!(
            row.len() == columns.len(),
            "ligne {line} : {} colonnes, l'en-tête en a {} ; un texte avec un point-virgule se met entre guillemets",
            row.len(),
            columns.len()
        );
        // A row over several lines leaves empty ones behind, so that the next is found where it stood.
        for _ in written + 1..line {
            writeln!(out)?;
            written += 1;
        }
        writeln!(out, "{}", statistic(columns.iter().map(String::as_str).zip(row.iter())))?;
        written += 1;
    }
    Ok(())
}

/// One row, with the names of the exports.
fn statistic<'a>(cells: impl Iterator<Item = (&'a str, &'a str)>) -> Value {
    let mut doc = Map::new();
    for (column, cell) in cells {
        let cell = cell.trim();
        if column.is_empty() || cell.is_empty() {
            continue;
        }
        if indicator::is_indicator(column) {
            doc.insert(column.to_owned(), number(cell));
            continue;
        }
        if cell == "null" {
            continue;
        }
        match column {
            "region" => {
                let known = territory::REGIONS.iter().find(|r| r.name == cell || r.code == cell);
                doc.insert("region".into(), known.map_or_else(|| json!({"code": cell}), region));
            }
            "donnee_source_type" => put(&mut doc, "donnee_source", "type", cell),
            "donnee_source_code_certification" => put(&mut doc, "donnee_source", "code_certification", cell),
            other => match other.split_once('.') {
                Some((field, name)) => put(&mut doc, field, name, cell),
                None => drop(doc.insert(other.to_owned(), cell.into())),
            },
        }
    }
    let kind = if doc.contains_key("uai") {
        "formation"
    } else if doc.contains_key("region") {
        "regionale"
    } else {
        "certification"
    };
    // The export of establishments has no region: their number begins with their departement.
    let uai = doc.get("uai").and_then(Value::as_str).and_then(Uai::parse);
    if let Some(uai) = uai
        && !doc.contains_key("region")
        && let Some(at) = uai.as_str().get(..3).and_then(territory::region_of_departement_insee_3)
    {
        doc.insert("region".into(), region(at));
    }
    json!({"kind": kind, "doc": doc})
}

fn region(region: &territory::Region) -> Value {
    json!({"code": region.code, "nom": region.name})
}

fn put(doc: &mut Map<String, Value>, field: &str, name: &str, cell: &str) {
    let within = doc.entry(field.to_owned()).or_insert_with(|| json!({}));
    if let Some(within) = within.as_object_mut() {
        within.insert(name.to_owned(), cell.into());
    }
}

/// A number as tables write it; what is none goes as it is, and the service says what is wrong with it.
fn number(cell: &str) -> Value {
    let unknown = ["null", "nd", "na", "ns", "nc", ".", "..", "-", "*", "secret"];
    if unknown.contains(&cell.to_lowercase().as_str()) {
        return Value::Null;
    }
    let digits: String = cell.chars().filter(|c| !c.is_whitespace()).collect();
    match digits.parse::<i64>() {
        Ok(whole) => whole.into(),
        Err(_) => {
            digits.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or_else(|| cell.into(), Value::Number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("files-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn lines(source: &Source) -> Vec<Value> {
        let text = std::fs::read_to_string(&source.path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect()
    }

    const TABLE: &str = "\u{feff}uai;code_certification;filiere;millesime;donnee_source_type;nb_annee_term;taux_en_formation;taux_autres_6_mois\r\n\
        0750652B;23830024202;pro;2022_2023;self;1\u{202f}250;40;nd\r\n\
        0750652B;23830024203;pro;2022_2023;self;12;null;\r\n";

    #[test]
    fn a_table_of_a_spreadsheet_is_taken_for_statistics() {
        let folder = folder("table");
        let path = folder.join("formations.csv");
        std::fs::write(&path, TABLE).unwrap();
        let sources = Sources::of(std::slice::from_ref(&path)).unwrap();
        let source = &sources.files[0];
        assert_eq!((source.heading, source.name.as_str()), (1, path.to_str().unwrap()));
        let rows = lines(source);
        assert_eq!(rows.len(), 2);
        let expected = json!({"uai": "0750652B", "code_certification": "23830024202", "filiere": "pro", "millesime": "2022_2023",
            "donnee_source": {"type": "self"}, "nb_annee_term": 1250, "taux_en_formation": 40, "taux_autres_6_mois": null,
            "region": {"code": "11", "nom": "Île-de-France"}});
        assert_eq!(rows[0], json!({"kind": "formation", "doc": expected}));
        assert!(rows[1]["doc"].get("taux_autres_6_mois").is_none() && rows[1]["doc"]["taux_en_formation"].is_null());
        let written = source.path.clone();
        drop(sources);
        assert!(!written.exists(), "what was written on the way goes");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn regions_are_known_by_name_and_the_country_by_neither() {
        let row = |cells: &[(&'static str, &'static str)]| statistic(cells.iter().copied());
        let regional = row(&[("region", "Occitanie"), ("code_certification", "40025214")]);
        assert_eq!(
            (regional["kind"].as_str(), regional["doc"]["region"]["code"].as_str()),
            (Some("regionale"), Some("76"))
        );
        let national = row(&[("code_certification", "40025214"), ("nb_sortant", "12,5"), ("diplome.libelle", "CAP")]);
        assert_eq!(national["kind"], "certification");
        assert_eq!(national["doc"]["nb_sortant"], "12,5", "the service says what is wrong with it");
        assert_eq!(national["doc"]["diplome"]["libelle"], "CAP");
    }

    #[test]
    fn compressed_files_and_archives_are_opened() {
        let folder = folder("archive");
        let line = "{\"kind\":\"bcn\",\"doc\":{}}\n";
        let gz = folder.join("bcn.ndjson.gz");
        let mut encoder = flate2::write::GzEncoder::new(File::create(&gz).unwrap(), flate2::Compression::fast());
        encoder.write_all(line.as_bytes()).unwrap();
        encoder.finish().unwrap();
        let archive = folder.join("envoi.zip");
        let mut zip = zip::ZipWriter::new(File::create(&archive).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        for (name, content) in [("b.csv", TABLE), ("a.ndjson", line), ("__MACOSX/a", "x")] {
            zip.start_file(name, options).unwrap();
            zip.write_all(content.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        let sources = Sources::of(&[gz.clone(), archive.clone()]).unwrap();
        let names: Vec<&str> =
            sources.files.iter().map(|s| s.name.rsplit_once("files-").unwrap().1.split_once('/').unwrap().1).collect();
        assert_eq!(names, ["bcn.ndjson", "envoi.zip/a.ndjson", "envoi.zip/b.csv"]);
        assert_eq!(lines(&sources.files[0]), [json!({"kind": "bcn", "doc": {}})]);
        std::fs::write(&gz, [0x1f, 0x8b, 8, 0, 0]).unwrap();
        let fault = format!("{:#}", Sources::of(&[gz]).unwrap_err());
        assert!(fault.contains("gzip est abîmé"), "{fault}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn two_reads_at_once_have_files_of_their_own() {
        let folder = folder("two");
        let table = folder.join("b.csv");
        std::fs::write(&table, TABLE).unwrap();
        let read = || Sources::of(std::slice::from_ref(&table)).unwrap();
        let (one, other) = (read(), read());
        assert_ne!(one.files[0].path, other.files[0].path);
        drop(one);
        assert!(!lines(&other.files[0]).is_empty());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn other_forms_are_told_by_name_with_the_remedy() {
        let folder = folder("forms");
        for (name, content, said) in [
            ("a.json", &b"[{\"kind\":\"bcn\"}]"[..], "jq -c '.[]'"),
            ("b.json", b"{\n  \"kind\": \"bcn\"\n}\n", "jq -c ."),
            ("c.ndjson", b"{\"kind\":\"bcn\",\"doc\":{\"libelle\":\"\xe9\"}}\n", "iconv"),
            ("d.csv", b"code_certification;millesime;filiere\n1;2;3;4\n", "ligne 2 : 4 colonnes"),
            ("e.csv", b"code;annee;x\n1;2;3\n", "la colonne code_certification manque"),
            ("f.csv", b"code_certification,millesime,filiere\n", "points-virgules"),
            ("g.xlsx", b"PK\x03\x04[Content_Types].xml", "CSV UTF-8"),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, content).unwrap();
            let fault = format!("{:#}", Sources::of(&[path]).unwrap_err());
            assert!(fault.contains(said) && fault.contains(name), "{fault}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
