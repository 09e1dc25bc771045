//! What the players of recorded cases share: they read files of cases, play each case, print a table, and hold what passes
//! against a floor.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Cases, by the name of their file.
pub type Files<C> = BTreeMap<String, Vec<C>>;

/// Why a file of cases cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder or file cannot be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is no file of cases.
    #[error("{}: {what} is missing or malformed", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What.
        what: &'static str,
    },
}

/// What became of a case.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As recorded.
    Passed,
    /// Otherwise: the differences, a line each.
    Failed(Vec<String>),
}

impl Verdict {
    /// Passed where nothing differs.
    #[must_use]
    pub fn of(differences: Vec<String>) -> Self {
        if differences.is_empty() { Self::Passed } else { Self::Failed(differences) }
    }
}

/// The cases of a file, or of every `.json` file of a folder, by file; `read` is one case's reading.
///
/// # Errors
/// [`LoadError`].
pub fn load<C>(path: &Path, read: impl Fn(&Value) -> Option<C>) -> Result<Files<C>, LoadError> {
    let unreadable = |path: &Path, reason: String| LoadError::Unreadable { path: path.to_owned(), reason };
    let mut paths = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(|e| unreadable(path, e.to_string()))? {
            paths.push(entry.map_err(|e| unreadable(path, e.to_string()))?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    } else {
        paths.push(path.to_owned());
    }
    let mut files = BTreeMap::new();
    for path in paths {
        let text = std::fs::read(&path).map_err(|e| unreadable(&path, e.to_string()))?;
        let value: Value = serde_json::from_slice(&text).map_err(|e| unreadable(&path, e.to_string()))?;
        let malformed = |what| LoadError::Malformed { path: path.clone(), what };
        let cases = value.get("cases").and_then(Value::as_array).ok_or_else(|| malformed("cases"))?;
        let cases = cases.iter().map(|case| read(case).ok_or_else(|| malformed("a case"))).collect::<Result<_, _>>()?;
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        files.insert(name.to_owned(), cases);
    }
    Ok(files)
}

/// A player of cases at the terminal.
pub struct Player<C> {
    /// Its name.
    pub program: &'static str,
    /// The share of cases that must pass, in percent, as its file says; one that cannot be read is 100.
    pub floor: &'static str,
    /// Reads the files of a folder.
    pub load: fn(&Path) -> Result<Files<C>, LoadError>,
    /// Plays a case.
    pub play: fn(&C) -> Verdict,
    /// What a case that failed is called.
    pub title: fn(&C) -> String,
}

impl<C> Player<C> {
    /// Plays the folders that the program was given and prints what passed, file by file, and the differences.
    ///
    /// 0 where the share of cases that pass is not below the floor; 1 where it is, or no case was played; 2 where a folder
    /// cannot be read or none was given.
    #[must_use]
    pub fn run(&self) -> ExitCode {
        let folders: Vec<String> = std::env::args().skip(1).collect();
        if folders.is_empty() {
            eprintln!("usage: {} DIR…", self.program);
            return ExitCode::from(2);
        }
        let (mut passed, mut failed) = (0_u32, 0_u32);
        println!("{:<32} {:>6} {:>6}", "file", "passed", "failed");
        for folder in folders {
            let files = match (self.load)(Path::new(&folder)) {
                Ok(files) => files,
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::from(2);
                }
            };
            for (name, cases) in files {
                let mut here = (0, 0);
                let mut texts = Vec::new();
                for case in &cases {
                    match (self.play)(case) {
                        Verdict::Passed => here.0 += 1,
                        Verdict::Failed(differences) => {
                            here.1 += 1;
                            texts.push(format!("\n{}\n  {}", (self.title)(case), differences.join("\n  ")));
                        }
                    }
                }
                println!("{name:<32} {:>6} {:>6}", here.0, here.1);
                texts.iter().for_each(|text| println!("{text}"));
                passed += here.0;
                failed += here.1;
            }
        }
        let share = f64::from(passed) * 100.0 / f64::from((passed + failed).max(1));
        println!("{:<32} {passed:>6} {failed:>6}   {share:.1} %", "all");
        let floor: f64 = self.floor.trim().parse().unwrap_or(100.0);
        if passed == 0 || share < floor {
            println!("below the floor of {floor} %");
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }
}
