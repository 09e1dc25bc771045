//! One run: pieces in, one answer out, a notebook beside it.

use crate::pieces::{self, Form};
use crate::service::{Answered, Service};
use crate::table::Table;
use crate::{Options, REFUSED};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How far a run has come. Written behind each piece.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Notebook {
    /// What was asked: another file or other options begin anew.
    asked: String,
    generation: String,
    pieces: usize,
    /// Bytes of the answer that count.
    bytes: u64,
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The digest of a file and of the options.
fn asked(options: &Options) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(&options.file).with_context(|| format!("{} ne s'ouvre pas", options.file.display()))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
    hash.update(format!("{:?} {}", options.query, options.url));
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// How an attempt ended.
enum Attempt {
    Done,
    Gone,
    Refused(String),
}

/// Runs; the exit code.
pub fn run(options: &Options) -> anyhow::Result<u8> {
    let form = pieces::form(&options.file)?;
    let ending = if form == Form::Csv { ".apparie.csv" } else { ".apparie.ndjson" };
    let output = options.output.clone().unwrap_or_else(|| beside(&options.file, ending));
    let notebook_path = beside(&output, ".reprise");
    let asked = asked(options)?;
    let known: Option<Notebook> =
        std::fs::read(&notebook_path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let mut notebook = known.filter(|known| known.asked == asked).unwrap_or_default();
    if notebook.pieces > 0 {
        eprintln!("Reprise après {} morceaux.", notebook.pieces);
    }
    notebook.asked = asked;
    let service = Service::new(options, form);
    loop {
        match attempt(options, form, &service, &output, &notebook_path, &mut notebook)? {
            Attempt::Done => break,
            Attempt::Gone => {
                eprintln!("Les données ont changé entre-temps : le catalogue est repris à sa première ligne.");
                notebook = Notebook { asked: notebook.asked, ..Notebook::default() };
            }
            Attempt::Refused(why) => {
                eprintln!("appariement : {why}");
                return Ok(REFUSED);
            }
        }
    }
    let mut table = Table::default();
    table.read(&output, form)?;
    print!("{table}");
    println!("Réponse : {}", output.display());
    std::fs::remove_file(&notebook_path).ok();
    Ok(0)
}

fn attempt(
    options: &Options,
    form: Form,
    service: &Service<'_>,
    output: &Path,
    notebook_path: &Path,
    notebook: &mut Notebook,
) -> anyhow::Result<Attempt> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(output)?;
    // What was written behind the last piece that counts does not.
    file.set_len(notebook.bytes)?;
    file.seek(SeekFrom::End(0))?;
    let bar = bar(std::fs::metadata(&options.file)?.len());
    let (mut rank, mut outcome) = (0, Attempt::Done);
    pieces::each(&options.file, form, |piece| {
        rank += 1;
        if rank <= notebook.pieces {
            bar.set_position(piece.until);
            return Ok(true);
        }
        let mut from = 1;
        loop {
            let generation = Some(notebook.generation.as_str()).filter(|generation| !generation.is_empty());
            let (mut rows, generation) = match service.answer(&piece.bytes, from, generation)? {
                Answered::Rows(rows, generation) => (rows, generation),
                Answered::Gone => {
                    outcome = Attempt::Gone;
                    return Ok(false);
                }
                Answered::Refused(why) => {
                    outcome = Attempt::Refused(why);
                    return Ok(false);
                }
            };
            notebook.generation = generation;
            let next = cut_continuation(&mut rows, form);
            if rank > 1 && from == 1 && form == Form::Csv {
                cut_names(&mut rows);
            }
            file.write_all(&rows)?;
            notebook.bytes += rows.len() as u64;
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        file.flush()?;
        notebook.pieces = rank;
        std::fs::write(notebook_path, serde_json::to_vec(notebook)?)?;
        bar.set_position(piece.until);
        Ok(true)
    })?;
    bar.finish_and_clear();
    Ok(outcome)
}

/// The line that an answer ends with where its time was over, taken off: the row to go on at.
fn cut_continuation(rows: &mut Vec<u8>, form: Form) -> Option<u64> {
    let end = rows.len().checked_sub(1)?;
    let start = rows.get(..end)?.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let line = std::str::from_utf8(rows.get(start..end)?).ok()?;
    let next = if form == Form::Csv {
        line.strip_prefix("#suite")?.get(1..)?.split([';', ',']).next()?.parse().ok()?
    } else {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        value.get("suite")?.get("ligne")?.as_u64()?
    };
    rows.truncate(start);
    Some(next)
}

/// Takes the line of names off. A name may hold a line end between quotes.
fn cut_names(rows: &mut Vec<u8>) {
    let mut open = false;
    let end = rows.iter().position(|byte| {
        open ^= *byte == b'"';
        *byte == b'\n' && !open
    });
    rows.drain(..end.map_or(rows.len(), |at| at + 1));
}

fn bar(length: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("Appariement {wide_bar} {bytes}/{total_bytes} {elapsed} reste {eta}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_ends_with_is_taken_off() {
        let cut = |text: &str, form| {
            let mut rows = text.as_bytes().to_vec();
            (cut_continuation(&mut rows, form), String::from_utf8(rows).unwrap())
        };
        assert_eq!(cut("a;b\n1;2\n#suite;7;g3\n", Form::Csv), (Some(7), "a;b\n1;2\n".into()));
        assert_eq!(cut("a;b\n1;2\n", Form::Csv), (None, "a;b\n1;2\n".into()));
        let line = "{\"suite\":{\"ligne\":3,\"generation\":\"g1\"}}\n";
        assert_eq!(cut(line, Form::Lines), (Some(3), String::new()));
        assert_eq!(cut("{\"suite\":1}\n", Form::Lines), (None, "{\"suite\":1}\n".into()));
        assert_eq!(cut("", Form::Csv), (None, String::new()));
        let mut rows = b"\"a\nb\";c\n1;2\n".to_vec();
        cut_names(&mut rows);
        assert_eq!(rows, b"1;2\n");
    }
}
