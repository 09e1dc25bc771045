//! What came of a publication, to read at the terminal.

use serde_json::Value;
use std::fmt::Write;

/// What may have to be confirmed: where it stands in a report, and its title.
pub const TO_CONFIRM: [(&str, &str); 4] = [
    ("pertes", "Des documents disparaîtraient"),
    ("anomalies_a_confirmer", "Des données sont invraisemblables"),
    ("doublons", "Une même clé désigne des documents différents"),
    ("en_vigueur_a_confirmer", "Un millésime ne se met pas en vigueur sans confirmation"),
];

/// The report of a job, in French.
pub fn text(job: &Value) -> String {
    let summary = &job["bilan"];
    let mut out = String::new();
    let head = match job["etape"].as_str() {
        Some("publie") => format!("Publié : génération {}", job["generation"].as_str().unwrap_or_default()),
        Some("inchange") => "Inchangé : ces documents sont déjà publiés".to_owned(),
        Some("verifie") => "Vérifié : rien n'est mis en service".to_owned(),
        Some("attendre_confirmation") => "Attend une confirmation".to_owned(),
        Some("attendre_validation") => {
            format!("Attend une validation : génération {}", job["generation"].as_str().unwrap_or_default())
        }
        _ => format!("Non publié ({})", job["etape"].as_str().unwrap_or_default()),
    };
    let (writes, seconds) = (number(&summary["ecritures"]), summary["duree_ms"].as_f64().unwrap_or(0.0) / 1000.0);
    let _ = writeln!(out, "{head} ({writes} valeurs écrites, {seconds:.1} s de travail)");
    line(&mut out, "Lignes reçues", &counts(&summary["lignes"]));
    let mut title = "Documents publiés";
    for (maille, millesimes) in members(&summary["documents"]) {
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
    line(&mut out, "Repris de l'ancien", &some(&summary["reprises"]));
    line(&mut out, "Sous le seuil", &counts(&summary["sous_seuil"]));
    line(&mut out, "Champs écartés", &counts(&summary["champs_inconnus"]));
    line(&mut out, "Lignes refusées", &some(&summary["lignes_refusees"]));
    let mut title = "Anomalies";
    for (rule, told) in members(&summary["anomalies"]["regles"]) {
        let example = told["exemples"][0].as_str().unwrap_or_default();
        let level = told["niveau"].as_str().unwrap_or_default();
        line(&mut out, title, &format!("{rule} ({level}) {} fois, par exemple {example}", number(&told["nombre"])));
        title = "";
    }
    for ((field, _), title) in TO_CONFIRM.iter().zip(["Pertes", "À confirmer", "Doublons", "En vigueur"]) {
        let mut title = title;
        for sentence in summary[*field].as_array().into_iter().flatten().take(20) {
            line(&mut out, title, sentence.as_str().unwrap_or_default());
            title = "";
        }
    }
    differences(&mut out, &summary["differences"]);
    line(&mut out, "Raison", summary["echec"].as_str().unwrap_or_default());
    if let Some(run) = job.get("collecte") {
        collected(&mut out, run);
    }
    line(&mut out, "Empreinte", summary["digest"].as_str().and_then(|digest| digest.get(..16)).unwrap_or_default());
    out
}

/// What changed from one generation to the other, in French.
pub fn differences(out: &mut String, told: &Value) {
    let mut title = "Changements";
    for (maille, millesimes) in members(&told["par_maille"]) {
        for (millesime, filieres) in members(millesimes) {
            for (filiere, tally) in members(filieres) {
                let n = |name: &str| tally[name].as_u64().unwrap_or(0);
                let names = [
                    ("ajoutes", "ajoutés"),
                    ("retires", "retirés"),
                    ("changes", "changés"),
                    ("masques", "nouvellement masqués"),
                    ("devoiles", "nouvellement dévoilés"),
                ];
                let said: Vec<String> = names
                    .iter()
                    .filter(|(name, _)| n(name) > 0)
                    .map(|(name, words)| format!("{} {words}", grouped(n(name))))
                    .collect();
                if !said.is_empty() {
                    line(out, title, &format!("{maille} {millesime} {filiere} : {}", said.join(", ")));
                    title = "";
                }
            }
        }
    }
    let mut title = "Plus grands écarts";
    for change in told["plus_grandes"].as_array().into_iter().flatten().take(10) {
        let said = |name: &str| change[name].as_str().unwrap_or_default();
        let place = if said("lieu").is_empty() { String::new() } else { format!(" {}", said("lieu")) };
        let text = format!(
            "{}{place} {} {} : {} de {} à {}",
            said("maille"),
            said("code_certification"),
            said("millesime"),
            said("champ"),
            change["avant"],
            change["apres"]
        );
        line(out, title, &text);
        title = "";
    }
}

/// A kept report in one line.
pub fn headline(report: &Value) -> String {
    let field = |name: &str| report[name].as_str().unwrap_or_default();
    let seconds =
        report["fini_ms"].as_i64().zip(report["ouvert_ms"].as_i64()).map_or(0, |(end, begin)| (end - begin) / 1000);
    let date = report["ouvert_ms"].as_i64().map(domain::date::write_iso).unwrap_or_default();
    format!("{}  {}  {:<10} {:<6} {seconds} s", field("id"), date, field("etape"), field("generation"))
}

/// What a collection tells: calls, rows, reasons, documents after each treatment.
fn collected(out: &mut String, run: &Value) {
    let report = &run["rapport"];
    let mut title = "Sources";
    for (source, told) in members(&report["sources"]) {
        let n = |name: &str| number(&told[name]);
        line(
            out,
            title,
            &format!(
                "{source:<18} {} appels ({} sans donnée, {} vides, {} en échec), {} requêtes dont {} reprises, {} lignes",
                n("appels"),
                n("sans_donnee"),
                n("vides"),
                n("en_echec"),
                n("requetes"),
                n("reprises"),
                n("lignes")
            ),
        );
        title = "";
        for failed in told["echecs"].as_array().into_iter().flatten().take(5) {
            let kept = if failed["repris"] == true { " (ancienne réponse gardée)" } else { "" };
            line(out, "", &format!("  en échec : {}{kept}", failed["raison"].as_str().unwrap_or_default()));
        }
        let unknown = counts(&told["champs_inconnus"]);
        if !unknown.is_empty() {
            line(out, "", &format!("  champs inconnus : {unknown}"));
        }
    }
    let kept: Vec<&str> = report["lots_repris"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    line(out, "Réponses gardées", &kept.join(", "));
    line(out, "Nomenclature", &counts(&report["nomenclature"]));
    for (source, told) in members(&report["traitements"]) {
        let mut title = source.as_str();
        for (reason, rejected) in members(&told["rejets"]) {
            let example = rejected["exemples"][0].as_str().unwrap_or_default();
            line(out, title, &format!("rejet {reason} : {}, par exemple {example}", number(&rejected["nombre"])));
            title = "";
        }
        for (name, what) in [("ignorees", "lignes ignorées"), ("mesures_inconnues", "mesures inconnues")] {
            let ignored = counts(&told[name]);
            if !ignored.is_empty() {
                line(out, title, &format!("{what} : {ignored}"));
                title = "";
            }
        }
    }
    for (treatment, mailles) in ["statistiques", "continuum", "annees", "roles"].map(|t| (t, &report["couverture"][t]))
    {
        let mut title = format!("Après {treatment}");
        for (maille, millesimes) in members(mailles) {
            let mut sources: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
            for (source, count) in members(millesimes).flat_map(|(_, sources)| members(sources)) {
                *sources.entry(source).or_default() += count.as_u64().unwrap_or(0);
            }
            let told: Vec<String> =
                sources.iter().map(|(source, count)| format!("{source} {}", grouped(*count))).collect();
            line(out, &title, &format!("{maille:<15} {}", told.join(", ")));
            title.clear();
        }
    }
    line(out, "Rôles", &counts(&report["roles"]));
    line(out, "Durées (ms)", &counts(&report["durees_ms"]));
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
