//! The table by maille and millesime, and the cells as a file for the offices.

use crate::answers::Cell;
use crate::equations::{Level, Outcome};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a line of the table counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Hidden cells of one person or more.
    pub hidden: usize,
    /// Those whose every count is known.
    pub whole: usize,
    /// Those of which a count is known, but not all.
    pub exact: usize,
    /// Those that are among fewer than 20 people of whom a count is known.
    pub pool: usize,
    /// Those of which a count is known within ±2.
    pub near: usize,
}

impl Counted {
    fn add(&mut self, level: Level) {
        self.hidden += 1;
        match level {
            Level::Whole => self.whole += 1,
            Level::Exact => self.exact += 1,
            Level::Pool => self.pool += 1,
            Level::Near => self.near += 1,
            Level::Safe => {}
        }
    }

    /// Those of which something is known.
    #[must_use]
    pub fn found(&self) -> usize {
        self.whole + self.exact + self.pool + self.near
    }
}

/// By maille and millesime.
#[must_use]
pub fn count(cells: &[Cell], outcome: &Outcome) -> BTreeMap<(String, String), Counted> {
    let mut counted: BTreeMap<(String, String), Counted> = BTreeMap::new();
    for finding in &outcome.findings {
        if let Some(cell) = cells.get(finding.cell) {
            let key = (cell.key.maille.clone(), cell.key.millesime.clone());
            counted.entry(key).or_default().add(finding.level);
        }
    }
    counted
}

/// The table, in French.
#[must_use]
pub fn table(cells: &[Cell], outcome: &Outcome) -> String {
    let mut table = format!(
        "{:<16} {:<34} {:>9} {:>9} {:>9} {:>9} {:>9}\n",
        "maille", "millésime", "masquées", "entières", "un compte", "ensemble", "à ±2 près"
    );
    let mut all = Counted::default();
    let mut line = |maille: &str, millesime: &str, of: &Counted| {
        let _ = writeln!(
            table,
            "{maille:<16} {millesime:<34} {:>9} {:>9} {:>9} {:>9} {:>9}",
            of.hidden, of.whole, of.exact, of.pool, of.near
        );
    };
    for ((maille, millesime), of) in count(cells, outcome) {
        line(&maille, &millesime, &of);
        all.hidden += of.hidden;
        all.whole += of.whole;
        all.exact += of.exact;
        all.pool += of.pool;
        all.near += of.near;
    }
    line("toutes", "", &all);
    table
}

/// The word of a level.
#[must_use]
pub fn word(level: Level) -> &'static str {
    match level {
        Level::Safe => "protégée",
        Level::Near => "à ±2 près",
        Level::Pool => "ensemble de moins de 20",
        Level::Exact => "un compte",
        Level::Whole => "entière",
    }
}

/// The cells of which something is known, as CSV. It names counts, and never says one: the file may go by mail.
#[must_use]
pub fn csv(cells: &[Cell], outcome: &Outcome) -> String {
    let mut lines =
        "maille;lieu;code_certification;code_formation_diplome;filiere;millesime;nb_annee_term;deduite;comptes\n"
            .to_owned();
    for finding in outcome.findings.iter().filter(|finding| finding.level > Level::Safe) {
        let Some(cell) = cells.get(finding.cell) else { continue };
        let key = &cell.key;
        let size = cell.size.map(|size| size.to_string()).unwrap_or_default();
        let fields = [&key.maille, &key.place, &key.code, &key.cfd, &key.filiere, &key.millesime].map(String::as_str);
        let _ = writeln!(lines, "{};{size};{};{}", fields.join(";"), word(finding.level), finding.counts.join(","));
    }
    lines
}
