//! Answers that anyone may keep: for how long, and those that are images.

use crate::response::{AGE, Freshness, Response, SVG};
use serde_json::Value;
use std::borrow::Cow;
use widget::Indicators;

/// The instant of a request, looked up when the first closing date asks for it: a call of the runtime that most
/// documents do without.
pub type Now<'a> = &'a dyn Fn() -> i64;

/// The age of [`AGE`], in seconds.
const MAX_AGE_S: i64 = 600;

/// An image of this age, in seconds.
pub fn image(svg: String, max_age: i64) -> Response {
    image_without_age(svg).with("cache-control", format!("public, max-age={max_age}"))
}

/// An image whose age [`public`] decides.
pub fn image_without_age(svg: String) -> Response {
    Response::new(200, SVG, svg.into_bytes())
}

/// A public answer: kept until the next publication may be seen, or a course closes.
pub fn public(response: Response, closings: impl IntoIterator<Item = Option<i64>>, now: Now<'_>) -> Response {
    let next = closings.into_iter().flatten().filter(|f| *f >= now()).min();
    let remainder = next.map(|f| (f - now()).div_euclid(1000) + 1);
    let max_age = remainder.unwrap_or(MAX_AGE_S).min(MAX_AGE_S);
    let age = if max_age == MAX_AGE_S { AGE.into() } else { Cow::from(format!("public, max-age={max_age}")) };
    let mut response = response.with("cache-control", age);
    // As long as no closing shortens its age, the answer is the same at every instant.
    response.freshness = match next {
        None => Freshness::Generation,
        Some(_) if max_age < MAX_AGE_S => Freshness::No,
        Some(closing) => Freshness::Until(closing - MAX_AGE_S * 1000),
    };
    response
}

/// The three indicators of an image.
pub fn indicators(document: &Value) -> Indicators {
    let rate = |field: &str| document.get(field).and_then(Value::as_f64);
    Indicators {
        employment_rate_6_months: rate("taux_en_emploi_6_mois"),
        training_rate: rate("taux_en_formation"),
        other_rate_6_months: rate("taux_autres_6_mois"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_age_is_written_once_and_counted_once() {
        assert!(AGE.starts_with(&format!("public, max-age={MAX_AGE_S}, ")));
    }
}
