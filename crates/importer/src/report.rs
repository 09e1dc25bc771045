//! What came of a publication, to read at the terminal.

use serde_json::Value;
use std::fmt::Write;

/// The report of a job, in French.
pub fn text(job: &Value) -> String {
    let bilan = &job["bilan"];
    let mut out = String::new();
    let head = match job["etape"].as_str() {
        Some("publie") => format!("Publié : génération {}", job["generation"].as_str().unwrap_or_default()),
        Some("inchange") => "Inchangé : ces documents sont déjà publiés".to_owned(),
        _ => format!("Non publié ({})", job["etape"].as_str().unwrap_or_default()),
    };
    let (writes, seconds) = (number(&bilan["ecritures"]), bilan["duree_ms"].as_f64().unwrap_or(0.0) / 1000.0);
    let _ = writeln!(out, "{head} ({writes} valeurs écrites, {seconds:.1} s de travail)");
    line(&mut out, "Lignes reçues", &counts(&bilan["lignes"]));
    let mut title = "Documents publiés";
    for (maille, millesimes) in members(&bilan["documents"]) {
        for (millesime, sources) in members(millesimes) {
            let total: u64 = members(sources).filter_map(|(_, count)| count.as_u64()).sum();
            let sources = match members(sources).count() {
                0 | 1 => String::new(),
                _ => format!("  ({})", counts(sources)),
            };
            line(&mut out, title, &format!("{maille:<15} {millesime:<10} {:>9}{sources}", grouped(total)));
            title = "";
        }
    }
    line(&mut out, "Repris de l'ancien", &some(&bilan["reprises"]));
    line(&mut out, "Sous le seuil", &counts(&bilan["sous_seuil"]));
    line(&mut out, "Champs écartés", &counts(&bilan["champs_inconnus"]));
    line(&mut out, "Lignes refusées", &some(&bilan["lignes_refusees"]));
    let mut title = "Pertes";
    for loss in bilan["pertes"].as_array().into_iter().flatten() {
        line(&mut out, title, loss.as_str().unwrap_or_default());
        title = "";
    }
    line(&mut out, "Empreinte", bilan["digest"].as_str().and_then(|digest| digest.get(..16)).unwrap_or_default());
    out
}

fn line(out: &mut String, title: &str, text: &str) {
    if !text.is_empty() {
        let _ = writeln!(out, "  {title:<20} {text}");
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn counts(value: &Value) -> String {
    members(value).map(|(name, count)| format!("{name} {}", number(count))).collect::<Vec<_>>().join(", ")
}

fn some(value: &Value) -> String {
    value.as_u64().filter(|count| *count > 0).map(grouped).unwrap_or_default()
}

fn number(value: &Value) -> String {
    grouped(value.as_u64().unwrap_or(0))
}

/// Thousands apart, as French writes them.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_names_what_was_published_and_leaves_out_what_is_empty() {
        let report = text(&json!({
            "etape": "publie", "generation": "g7",
            "bilan": {
                "ecritures": 1234, "duree_ms": 1500, "lignes": {"bcn": 3}, "reprises": 0, "lignes_refusees": 0,
                "documents": {"formations": {"2022_2023": {"self": 1000, "ancienne": 2}}},
                "sous_seuil": {"formations": 12}, "champs_inconnus": {}, "pertes": [], "digest": "0123456789abcdef00"
            }
        }));
        let expected = "Publié : génération g7 (1\u{202f}234 valeurs écrites, 1.5 s de travail)
  Lignes reçues        bcn 3
  Documents publiés    formations      2022_2023      1\u{202f}002  (self 1\u{202f}000, ancienne 2)
  Sous le seuil        formations 12
  Empreinte            0123456789abcdef
";
        assert_eq!(report, expected);
    }
}
