//! When publications are expected: as JSON, for calendars of people (iCalendar), and as a part of the page of changes.

use api::error::ApiError;
use api::{AGE, Request, Response, Runtime};
use domain::calendar::{Announcement, Calendar};
use domain::date;
use maud::{Markup, html};
use std::fmt::Write as _;
use store::kv::KeyValue;
use store::public_record::open_shown;
use store::{codec, keys};

const DAY_MS: i64 = 86_400_000;
/// Bytes of a line of a calendar, at most (RFC 5545, 3.1).
const LINE_MAX: usize = 75;

/// The calendar that was brought; an empty one where there is none, or none that can be read.
pub(crate) async fn read<M: Runtime>(runtime: &M) -> Result<Calendar, ApiError> {
    let stored = runtime.kv().get(keys::CALENDAR).await?;
    let read = |value: Vec<u8>| {
        let content = open_shown(keys::CALENDAR, &value).ok()?;
        Calendar::read(&serde_json::from_slice(&content).ok()?).ok()
    };
    Ok(stored.and_then(read).unwrap_or_default())
}

/// `/api/calendrier`, and `.ics`.
pub(crate) async fn respond<M: Runtime>(runtime: &M, request: &Request, ics: bool) -> Result<Response, ApiError> {
    let calendar = read(runtime).await?;
    let response = if ics {
        Response::new(200, "text/calendar; charset=utf-8", icalendar(&calendar).into_bytes())
    } else {
        Response::json(200, &calendar.to_json())
    };
    Ok(response.with("cache-control", AGE).with_etag(request))
}

/// A text as a line may hold it.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,")
}

/// Writes a line, cut between two characters where it is too long.
fn line(out: &mut String, text: &str) {
    let mut length = 0;
    for character in text.chars() {
        if length + character.len_utf8() > LINE_MAX {
            out.push_str("\r\n ");
            length = 1;
        }
        out.push(character);
        length += character.len_utf8();
    }
    out.push_str("\r\n");
}

/// As iCalendar (RFC 5545): a day, or all of a month where no day is known. It says the same as long as nothing else is
/// announced, so that caches hold it.
fn icalendar(calendar: &Calendar) -> String {
    let mut out = String::new();
    for text in ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Exposition//Publications attendues//FR"] {
        line(&mut out, text);
    }
    for told in &calendar.0 {
        let Some((first, month_alone)) = told.instant() else { continue };
        let compact = |instant: i64| date::write_day(instant).replace('-', "");
        let days = if month_alone { days_of_month(first) } else { 1 };
        let mut uid = String::new();
        let _ = write!(uid, "{:016x}", codec::digest(format!("{} {}", told.day, told.title).as_bytes()));
        for text in [
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{uid}@exposition"),
            format!("DTSTAMP:{}T000000Z", compact(first)),
            format!("DTSTART;VALUE=DATE:{}", compact(first)),
            format!("DTEND;VALUE=DATE:{}", compact(first.saturating_add(days * DAY_MS))),
            format!("SUMMARY:{}", escape(&told.title)),
            format!("DESCRIPTION:{}", escape(&details(told))),
            "TRANSP:TRANSPARENT".to_owned(),
            "END:VEVENT".to_owned(),
        ] {
            line(&mut out, &text);
        }
    }
    line(&mut out, "END:VCALENDAR");
    out
}

fn days_of_month(first: i64) -> i64 {
    let (year, month, _) = date::date(first.div_euclid(DAY_MS));
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    date::days(year, month, 1) - first.div_euclid(DAY_MS)
}

/// What it is about, in words.
fn details(told: &Announcement) -> String {
    let mut words = Vec::new();
    if let Some(maille) = &told.maille {
        words.push(format!("maille {maille}"));
    }
    if let Some(millesime) = &told.millesime {
        words.push(format!("millésime {}", millesime.replace('_', "-")));
    }
    words.join(", ")
}

/// The part of a page.
pub(crate) fn show(calendar: &Calendar) -> Markup {
    html! {
        h2 #calendrier { "Publications attendues" }
        @if calendar.0.is_empty() {
            p { "Aucune publication n’est annoncée." }
        } @else {
            ul {
                @for told in &calendar.0 {
                    li {
                        time datetime=(told.day) { (told.day) }
                        "\u{a0}: " (told.title)
                        @let details = details(told);
                        @if !details.is_empty() { " (" (details) ")" }
                    }
                }
            }
            p { "Ces dates sont des prévisions des services statistiques\u{a0}; elles peuvent changer." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_shown_whole_and_lines_are_cut_between_characters() {
        let announced = |day: &str, title: &str| Announcement {
            day: day.into(),
            title: title.into(),
            maille: Some("formations".into()),
            millesime: Some("2023_2024".into()),
        };
        let long = "é".repeat(100) + ", fin ; de \\ ligne";
        let calendar = Calendar(vec![
            announced("2027-02-15", "InserJeunes"),
            announced("2028-02", &long),
            announced("2026-12", "x"),
        ]);
        let text = icalendar(&calendar);
        assert!(text.contains("DTSTART;VALUE=DATE:20270215\r\nDTEND;VALUE=DATE:20270216\r\n"), "{text}");
        assert!(text.contains("DTSTART;VALUE=DATE:20280201\r\nDTEND;VALUE=DATE:20280301\r\n"), "{text}");
        assert!(text.contains("DTSTART;VALUE=DATE:20261201\r\nDTEND;VALUE=DATE:20270101\r\n"), "{text}");
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_MAX), "{text}");
        let whole = text.replace("\r\n ", "");
        assert!(whole.contains(&format!("SUMMARY:{}\\, fin \\; de \\\\ ligne\r\n", "é".repeat(100))), "{whole}");
        assert_eq!(whole.matches("BEGIN:VEVENT").count(), 3);
        assert!(whole.contains("DESCRIPTION:maille formations\\, millésime 2023-2024\r\n"));
    }
}
