//! Marks of cards in the search index: entries beside their words, which nobody can type. A facet is one of them, and so is
//! what a level, a voie or a place of a query means.

use domain::Filiere;

/// How they begin.
pub const MARK: char = '=';

/// Of certifications with data in this region, and of the establishments that lie there.
#[must_use]
pub fn region(code: &str) -> String {
    format!("{MARK}r{code}")
}

/// Of establishments of this academie.
#[must_use]
pub fn academie(code: &str) -> String {
    format!("{MARK}a{code}")
}

/// Of what is of this level, or teaches it.
#[must_use]
pub fn level(slug: &str) -> String {
    format!("{MARK}n{slug}")
}

/// Of what has data of this filiere.
#[must_use]
pub fn filiere(filiere: Filiere) -> String {
    format!("{MARK}v{}", filiere.as_str())
}

/// Of establishments that lie in this town or departement, by the words of its name; `None` where it has none.
#[must_use]
pub fn town(words: &[String]) -> Option<String> {
    // `LYON CEDEX 03` and `Lyon 3e Arrondissement` are Lyon, `ST DENIS` is Saint-Denis.
    let of_name = words.iter().take_while(|word| *word != "cedex" && !word.starts_with(|c: char| c.is_ascii_digit()));
    let name: Vec<&str> = of_name
        .map(|word| match word.as_str() {
            "st" => "saint",
            "ste" => "sainte",
            word => word,
        })
        .collect();
    (!name.is_empty()).then(|| format!("{MARK}t{}", name.join("-")))
}
