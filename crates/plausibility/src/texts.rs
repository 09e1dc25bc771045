//! Values as people write them, and how they are told.

use serde_json::Value;

/// Words for "unknown" or "secret" in tables of statistics.
const UNKNOWN: [&str; 12] = ["", "nd", "na", "ns", "nc", "s", ".", "..", "-", "*", "secret", "n.d."];

/// Longest value that is repeated, in characters.
const SHOWN: usize = 40;

/// A value as it is told: short, and texts between quotation marks.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("« {} »", cut(text)),
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= SHOWN { clean.collect() } else { clean.take(SHOWN).chain("…".chars()).collect() }
}

/// What to write instead of a text where a number is expected; `None` where the general remedy says it best.
pub(crate) fn number_remedy(text: &str) -> Option<String> {
    let bare = text.trim();
    let lower = bare.to_lowercase();
    if UNKNOWN.contains(&lower.as_str()) || lower.starts_with("nd") || lower.starts_with("na") {
        return Some("une valeur inconnue ou secrète s'écrit null".to_owned());
    }
    if bare.ends_with('%') {
        return Some("écrire le nombre sans guillemets ni signe %".to_owned());
    }
    if bare.chars().any(char::is_whitespace) && bare.chars().all(|c| c.is_ascii_digit() || c.is_whitespace()) {
        return Some("écrire le nombre sans guillemets ni espace entre les milliers".to_owned());
    }
    if bare.contains(',') && bare.chars().all(|c| c.is_ascii_digit() || c == ',' || c == '-') {
        return Some("écrire le nombre sans guillemets, avec un point et non une virgule".to_owned());
    }
    bare.parse::<f64>().is_ok().then(|| "écrire le nombre sans guillemets".to_owned())
}

/// What to write instead of a date in another form.
pub(crate) fn date_remedy(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split(['/', '.', '-']).collect();
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match parts.as_slice() {
        [day, month, year] if [day, month, year].into_iter().all(digits) && year.len() == 4 => {
            let form = if text.contains('/') { "JJ/MM/AAAA" } else { "JJ-MM-AAAA" };
            Some(match (day.parse::<i64>(), month.parse::<i64>(), year.parse::<i64>()) {
                (Ok(d @ 1..=31), Ok(m @ 1..=12), Ok(y)) => {
                    format!("c'est la forme {form} : écrire {y:04}-{m:02}-{d:02}")
                }
                _ => format!("c'est la forme {form}, et ce jour n'existe pas"),
            })
        }
        [year, month, day] if [day, month, year].into_iter().all(digits) && year.len() == 4 => {
            Some("ce jour n'existe pas".to_owned())
        }
        [number] if digits(number) && number.len() == 5 => {
            Some("c'est le numéro de jour d'un tableur : mettre la colonne au format date AAAA-MM-JJ".to_owned())
        }
        [number] if digits(number) && number.len() == 8 => {
            Some("séparer année, mois et jour par des tirets".to_owned())
        }
        _ => None,
    }
}

/// Whether a text was read in one encoding and written in another.
pub(crate) fn is_spoilt(text: &str) -> bool {
    text.contains('\u{fffd}')
        || ["Ã©", "Ã¨", "Ãª", "Ã ", "Ã´", "Ã®", "Ã§", "Ã‰", "â€™", "Å“"].iter().any(|sign| text.contains(sign))
}
