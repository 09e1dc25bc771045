//! CSV as tables.
//!
//! The former service wrote `;` between values and quoted nothing, so a recorded text cannot be read back where a
//! value holds a `;` or a line end. Ours is read properly, written again without quotes, and found in the recorded
//! text, row by row.

use anyhow::{Context, ensure};

/// A CSV text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The names of the columns.
    pub header: Vec<String>,
    /// The rows; as many values as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a properly quoted text.
    ///
    /// # Errors
    /// Where it is empty, rows are of different lengths, or lines do not end in a single `\n`.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let mut reader = csv::ReaderBuilder::new().delimiter(b';').has_headers(false).from_reader(text.as_bytes());
        let rows: Result<Vec<csv::StringRecord>, _> = reader.records().collect();
        let mut rows = rows?.into_iter().map(|row| row.iter().map(str::to_owned).collect());
        let header = rows.next().context("the table has no header row")?;
        ensure!(text.ends_with('\n'), "the last line has no end");
        let table = Self { header, rows: rows.collect() };
        ensure!(!text.contains("\r\n") || table.rows.iter().flatten().any(|value| value.contains('\r')), "\\r\\n");
        Ok(table)
    }

    /// A row as the former service wrote it.
    fn unquoted(row: &[String]) -> String {
        row.join(";") + "\n"
    }

    /// Finds these rows in a recorded text: what differs.
    #[must_use]
    pub fn differences(&self, recorded: &str, any_order: bool) -> Vec<String> {
        let Some(mut rest) = recorded.strip_prefix(&Self::unquoted(&self.header)) else {
            let expected = recorded.lines().next().unwrap_or_default();
            return vec![format!("header row: expected {expected}, got {}", self.header.join(";"))];
        };
        let mut ours: Vec<String> = self.rows.iter().map(|row| Self::unquoted(row)).collect();
        let mut differences = Vec::new();
        while !rest.is_empty() {
            let mut candidates = ours.iter().enumerate().take(if any_order { usize::MAX } else { 1 });
            match candidates.find(|(_, row)| rest.starts_with(row.as_str())) {
                Some((index, row)) => {
                    rest = rest.get(row.len()..).unwrap_or_default();
                    ours.remove(index);
                }
                None => {
                    let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
                    differences.push(format!("- {line}"));
                    rest = after;
                    if !any_order && !ours.is_empty() {
                        differences.push(format!("+ {}", ours.remove(0).trim_end()));
                    }
                }
            }
        }
        differences.extend(ours.iter().map(|row| format!("+ {}", row.trim_end())));
        differences
    }

    /// Whether a row is among these.
    #[must_use]
    pub fn holds(&self, row: &[String]) -> bool {
        self.rows.iter().any(|ours| ours == row)
    }
}

/// The columns of a list, by the contract; `None` where the path is no list.
#[must_use]
pub fn columns(path: &str) -> Option<Vec<&'static str>> {
    let statistics = |salaries: bool| {
        let names = [
            "nb_annee_term",
            "nb_en_emploi_12_mois",
            "nb_en_emploi_18_mois",
            "nb_en_emploi_24_mois",
            "nb_en_emploi_6_mois",
            "nb_poursuite_etudes",
            "nb_sortant",
            "salaire_12_mois_q1",
            "salaire_12_mois_q2",
            "salaire_12_mois_q3",
            "taux_autres_12_mois",
            "taux_autres_18_mois",
            "taux_autres_24_mois",
            "taux_autres_6_mois",
            "taux_en_emploi_12_mois",
            "taux_en_emploi_18_mois",
            "taux_en_emploi_24_mois",
            "taux_en_emploi_6_mois",
            "taux_en_formation",
            "taux_rupture_contrats",
        ];
        names.into_iter().filter(move |name| salaries || !name.starts_with("salaire"))
    };
    let common = [
        "code_certification",
        "code_formation_diplome",
        "filiere",
        "millesime",
        "donnee_source_type",
        "donnee_source_code_certification",
    ];
    let list = path.strip_prefix("/api/inserjeunes/")?;
    let list = list.split(['.', '/', '?']).next()?;
    Some(match list {
        "certifications" => common.into_iter().chain(statistics(true)).collect(),
        "regionales" => ["region"].into_iter().chain(common).chain(statistics(false)).collect(),
        "formations" => ["uai", "uai_type", "uai_donnee", "uai_donnee_type"]
            .into_iter()
            .chain(common)
            .chain(statistics(false))
            .collect(),
        "bcn" => vec![
            "code_certification",
            "type",
            "code_formation_diplome",
            "libelle",
            "libelle_long",
            "diplome_libelle",
            "date_ouverture",
            "date_fermerture",
            "date_premiere_session",
            "date_derniere_session",
        ],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_table_is_found_in_the_unquoted_record() {
        let table = Table::read("a;b\n1;\"x;y\"\n2;\"l1\nl2 \"\"q\"\"\"\n").unwrap();
        assert_eq!(table.differences("a;b\n1;x;y\n2;l1\nl2 \"q\"\n", false), Vec::<String>::new());
        assert_eq!(table.differences("a;b\n2;l1\nl2 \"q\"\n1;x;y\n", true), Vec::<String>::new());
        assert_eq!(table.differences("a;b\n2;l1\nl2 \"q\"\n1;x;z\n", true), ["- 1;x;z", "+ 1;x;y"]);
        assert!(!table.differences("a;b\n2;l1\nl2 \"q\"\n1;x;y\n", false).is_empty());
        assert!(Table::read("a;b\n1\n").is_err());
    }
}
