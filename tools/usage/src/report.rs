//! The report: a page for people, tables for spreadsheets.

use crate::totals::{Sum, Totals};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Certifications that the page shows; the table has all.
const CODES_SHOWN: usize = 100;

/// The table by re-user, day, route and status, for a spreadsheet.
#[must_use]
pub fn table(totals: &Totals) -> String {
    let mut text = "reutilisateur;jour;route;forme;statut;requetes;octets;du_cache\n".to_owned();
    for (row, sum) in totals.rows() {
        let shape = if row.image { "image" } else { "" };
        let _ = writeln!(
            text,
            "{};{};{};{shape};{};{};{};{}",
            cell(row.user),
            row.day,
            row.route,
            row.status,
            sum.requests,
            sum.bytes,
            sum.kept
        );
    }
    text
}

/// The table by certification.
#[must_use]
pub fn certifications(totals: &Totals) -> String {
    let mut text = "certification;requetes\n".to_owned();
    for (code, count) in totals.codes() {
        let _ = writeln!(text, "{};{count}", cell(&code));
    }
    text
}

/// A cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([';', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A number as it is read in French.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (rank, digit) in digits.chars().enumerate() {
        if rank > 0 && (digits.len() - rank).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The page.
#[must_use]
pub fn page(totals: &Totals) -> String {
    let days = totals.by(|row| row.day.clone());
    let whole = totals.by(|_| ()).remove(&()).unwrap_or_default();
    let (first, last) = (days.keys().next().cloned(), days.keys().next_back().cloned());
    let period = match (first, last) {
        (Some(first), Some(last)) => format!("Du {first} au {last}."),
        _ => "Aucune requête.".to_owned(),
    };
    let mut body = format!(
        "<h1>Usage du service</h1><p>{period} {} requêtes, {} Mo, {} % répondues par un cache. {} lignes sans requête ont été laissées.</p>",
        number(whole.requests),
        number(whole.bytes / 1_000_000),
        (whole.kept * 100).checked_div(whole.requests).unwrap_or_default(),
        number(totals.unread),
    );
    body.push_str("<p>« anonyme » : sans clé, ou avec une clé refusée. « cle-commune » et « passerelle » ne désignent personne en particulier.</p>");
    body.push_str(&section("Réutilisateurs", "Réutilisateur", most_first(totals.by(|row| row.user.to_owned()))));
    body.push_str(&section("Routes", "Route", most_first(totals.by(|row| row.route.to_owned()))));
    body.push_str(&section("Statuts", "Statut", totals.by(|row| row.status.to_string()).into_iter().collect()));
    body.push_str(&section("Jours", "Jour", days.into_iter().collect()));
    let mut rows = String::new();
    let codes = totals.codes();
    for (code, count) in codes.iter().take(CODES_SHOWN) {
        let _ = write!(rows, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(code), number(*count));
    }
    let _ = write!(
        body,
        "<h2>Certifications</h2><table><caption>Les {} plus demandées, sur {} trouvées</caption><thead><tr><th scope=\"col\">Certification</th><th scope=\"col\">Requêtes</th></tr></thead><tbody>{rows}</tbody></table>",
        codes.len().min(CODES_SHOWN),
        number(u64::try_from(codes.len()).unwrap_or_default()),
    );
    format!("{HEAD}{body}</main></body></html>\n")
}

const HEAD: &str = "<!doctype html><html lang=\"fr\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
<title>Usage du service</title><style>body{font:16px/1.5 sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#161616;background:#fff}\
table{border-collapse:collapse;width:100%}caption{text-align:left;font-weight:bold;padding:.5rem 0}th,td{padding:.25rem .75rem;border-bottom:1px solid #ddd;text-align:right}\
th:first-child{text-align:left;font-weight:normal;overflow-wrap:anywhere}thead th{border-bottom:2px solid #161616}</style></head><body><main>";

fn most_first(sums: BTreeMap<String, Sum>) -> Vec<(String, Sum)> {
    let mut rows: Vec<(String, Sum)> = sums.into_iter().collect();
    rows.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.requests));
    rows
}

fn section(title: &str, name: &str, sums: Vec<(String, Sum)>) -> String {
    let mut rows = String::new();
    for (name, sum) in sums {
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&name),
            number(sum.requests),
            number(sum.bytes / 1_000_000),
            number(sum.kept)
        );
    }
    format!(
        "<h2>{title}</h2><table><caption>Par {}</caption><thead><tr><th scope=\"col\">{name}</th><th scope=\"col\">Requêtes</th><th scope=\"col\">Mo</th><th scope=\"col\">Du cache</th></tr></thead><tbody>{rows}</tbody></table>",
        name.to_lowercase()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_in_a_page_and_in_a_table() {
        let mut totals = Totals::default();
        let mut line = Vec::new();
        let user = "=1+1;<script>alert(1)</script>";
        request_log::LogLine { user, path: "/etat", status: 200, ..Default::default() }.write(&mut line);
        totals.line(&String::from_utf8(line).unwrap());
        assert!(!page(&totals).contains("<script>"));
        let table = table(&totals);
        assert!(table.lines().nth(1).unwrap().starts_with("\"'=1+1;<script>"), "{table}");
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
