//! Plays recorded cases of the matching: tables and rows → one answer a row, lines of the resolver.
//!
//! A case is data ([`Case`]). Its `tables`, under the former column names, become the look-ups
//! ([`tables::of`]); its `rows` are judged by the same functions as a request's; the answers are compared with
//! `expected` in the keys that it has ([`compare`]).

pub mod case;
pub mod compare;
pub mod documents;
pub mod tables;

pub use case::{Case, load};
pub use cases::Verdict;

use case::Cells;
use matching::explain::resolution_to_json;
use matching::file::{AnswerWriter, Encoding, FileError, FileFormat, FileReader, Output};
use matching::packed::Packed;
use matching::{Blocks, CodeLinks, Day, Matcher, Nomenclatures, Options, Statistics};
use serde_json::Value;

/// Plays a case and compares.
///
/// Its rows are sent as a catalogue would be, once as JSON and once as CSV, and read back from the answer; over its tables,
/// and over what its documents say once they are packed as a publication packs them.
#[must_use]
pub fn play(case: &Case) -> Verdict {
    let Some(campaign) = Day::read(&case.campaign) else {
        return Verdict::Failed(vec![format!("{} is no date of a campaign", case.campaign)]);
    };
    let (entries, in_force) = (documents::entries(case), documents::in_force(case));
    let mut differences = play_over(case, campaign, &tables::of(case), "");
    differences.extend(play_over(case, campaign, &Packed::new(&entries, &in_force, Some("")), "packed, "));
    Verdict::of(differences)
}

fn play_over<D: CodeLinks + Statistics>(case: &Case, campaign: Day, data: &D, over: &str) -> Vec<String> {
    let nomenclatures = Nomenclatures::default();
    let matcher = Matcher::new(data, &nomenclatures, Options::of_campaign(campaign));
    let mut differences = Vec::new();
    for (format, name, file) in
        [(FileFormat::Json, "JSON", json(&case.rows)), (FileFormat::Csv, "CSV", csv(&case.rows))]
    {
        let name = format!("{over}{name}");
        match answer(&file, format, &matcher, &nomenclatures) {
            Ok((answers, lines)) => {
                let mut found = compare::answers(&case.expected, &answers);
                found.extend(compare::lines(&case.expected_resolver, &lines));
                differences.extend(found.into_iter().map(|difference| format!("{name}: {difference}")));
            }
            Err(error) => differences.push(format!("{name}: {error}")),
        }
    }
    differences
}

/// The answers to a file, and the lines of the resolver.
fn answer<D: CodeLinks + Statistics>(
    file: &str,
    format: FileFormat,
    matcher: &Matcher<'_, D>,
    nomenclatures: &Nomenclatures,
) -> Result<(Vec<Cells>, Vec<Value>), FileError> {
    let mut reader = FileReader::new(format, Encoding::Utf8, nomenclatures);
    let mut writer = AnswerWriter::new(Output::Ndjson, Blocks::ALL);
    let (mut answers, mut lines) = (Vec::new(), Vec::new());
    for chunk in [file.as_bytes(), b""] {
        reader.feed(chunk);
        while let Some(line) = reader.next_line()? {
            let row = line.record.row();
            let resolutions = matcher.resolver().resolve(&row);
            lines.extend(resolutions.iter().map(|one| resolution_to_json(&row, one)));
            let mut text = Vec::new();
            writer.line(&line, &matcher.answer(&row), &mut text);
            let mut answer: Cells = serde_json::from_slice(&text).map_err(|_| FileError::NotJson)?;
            // Under its own name, whatever the file calls it, and trimmed: what the answer is compared by.
            answer.insert("CODEFORMATIONACCUEIL".to_owned(), row.key.into());
            answers.push(answer);
        }
    }
    Ok((answers, lines))
}

fn json(rows: &[Cells]) -> String {
    Value::from(rows.iter().cloned().map(Value::Object).collect::<Vec<_>>()).to_string()
}

fn csv(rows: &[Cells]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for name in rows.iter().flat_map(Cells::keys) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let line = |cells: Vec<&str>| cells.into_iter().map(quoted).collect::<Vec<_>>().join(";");
    let cell = |row: &'_ Cells, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let rows = rows.iter().map(|row| names.iter().map(|name| quoted(&cell(row, name))).collect::<Vec<_>>().join(";"));
    let head = line(names.iter().map(|name| name.as_str()).collect());
    std::iter::once(head).chain(rows).collect::<Vec<_>>().join("\r\n")
}
