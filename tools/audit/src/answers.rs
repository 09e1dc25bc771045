//! Public answers, as they are read.

use domain::Document;
use domain::declared::{MAILLE_FIELD, PLACE_FIELD};
use serde_json::Value;

/// The counts that the threshold hides, in the order of [`Cell::counts`].
pub const COUNTS: [&str; 6] = [
    "nb_en_emploi_6_mois",
    "nb_en_emploi_12_mois",
    "nb_en_emploi_18_mois",
    "nb_en_emploi_24_mois",
    "nb_poursuite_etudes",
    "nb_sortant",
];

/// The rate that tells each of [`COUNTS`] where the count itself is not told.
const RATES: [Option<&str>; 6] = [
    Some("taux_en_emploi_6_mois"),
    Some("taux_en_emploi_12_mois"),
    Some("taux_en_emploi_18_mois"),
    Some("taux_en_emploi_24_mois"),
    Some("taux_en_formation"),
    None,
];

/// What an answer says of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The number.
    Number(i64),
    /// A rate, which leaves a few numbers.
    Between(i64, i64),
    /// It exists, and is not told.
    Hidden,
    /// Nothing.
    Absent,
}

/// What a statistic is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// `national`, `regionale`, `etablissement`, or the name of a declared maille.
    pub maille: String,
    /// Region, UAI, declared place, or nothing.
    pub place: String,
    /// Its CFD.
    pub cfd: String,
    /// Its code.
    pub code: String,
    /// Its filiere.
    pub filiere: String,
    /// Its millesime.
    pub millesime: String,
}

/// The statistic of one group, as its document tells it.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What it is about.
    pub key: Key,
    /// The region that the document names.
    pub region: String,
    /// The code whose numbers these are, where they were lent.
    pub lent_by: Option<String>,
    /// How many young people: always told, where it is known.
    pub size: Option<i64>,
    /// In the order of [`COUNTS`].
    pub counts: [Told; 6],
}

impl Cell {
    /// Reads a document of a list. `None` where it is no statistic. `hidden`: its messages say that figures are.
    #[must_use]
    pub fn read(document: &Document, hidden: bool) -> Option<Self> {
        let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let code_of = |field: &str| {
            document.get(field).and_then(|v| v.get("code")).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let region = code_of("region");
        let (maille, place) = if document.contains_key(MAILLE_FIELD) {
            (text(MAILLE_FIELD), text(PLACE_FIELD))
        } else if document.contains_key("uai") {
            ("etablissement".to_owned(), text("uai"))
        } else if region.is_empty() {
            ("national".to_owned(), String::new())
        } else {
            ("regionale".to_owned(), region.clone())
        };
        let source = |field: &str| document.get("donnee_source").and_then(|s| s.get(field)).and_then(Value::as_str);
        let key = Key {
            maille,
            place,
            cfd: text("code_formation_diplome"),
            code: text("code_certification"),
            filiere: text("filiere"),
            millesime: text("millesime"),
        };
        (!key.code.is_empty()).then(|| Self {
            lent_by: source("code_certification")
                .filter(|_| source("type").is_some_and(|nature| nature != "self"))
                .map(str::to_owned),
            size: whole(document.get("nb_annee_term")),
            counts: counts(document).map(|told| match told {
                // Nothing is hidden in it: a count that is null is one that nobody has.
                Told::Hidden if !hidden => Told::Absent,
                told => told,
            }),
            key,
            region,
        })
    }

    /// Whether a count of it is hidden.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.counts.contains(&Told::Hidden)
    }

    /// Whether a count of it is told or hidden.
    #[must_use]
    pub fn has_figures(&self) -> bool {
        self.counts.iter().any(|told| *told != Told::Absent)
    }
}

fn whole(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    value.as_i64().or_else(|| format!("{:.0}", value.as_f64()?).parse().ok())
}

/// What a document or a filiere of a view tells of its counts.
#[must_use]
pub fn counts(document: &Document) -> [Told; 6] {
    let size = whole(document.get("nb_annee_term"));
    let mut told = COUNTS.map(|field| match document.get(field) {
        None => Told::Absent,
        Some(Value::Null) => Told::Hidden,
        value => whole(value).map_or(Told::Hidden, Told::Number),
    });
    for (told, rate) in told.iter_mut().zip(RATES) {
        let rate = rate.and_then(|rate| whole(document.get(rate)));
        if let (Told::Hidden | Told::Absent, Some(rate), Some(size)) = (*told, rate, size) {
            // A whole percentage leaves what rounds to it; both ends may.
            let low = (size * (2 * rate - 1)).div_euclid(200);
            let high = (size * (2 * rate + 1)).div_euclid(200) + 1;
            *told = Told::Between(low.clamp(0, size), high.clamp(0, size));
        }
    }
    told
}

/// A filiere of a view: which statistics it covers, and what it tells.
#[derive(Clone, Debug)]
pub struct ViewAnswer {
    /// `national`, `regionale`, or the name of a declared maille.
    pub maille: String,
    /// Where it was asked.
    pub place: String,
    /// Its filiere.
    pub filiere: String,
    /// Its millesime.
    pub millesime: String,
    /// The CFDs it covers.
    pub cfds: Vec<String>,
    /// The codes it covers.
    pub codes: Vec<String>,
    /// How many young people.
    pub size: Option<i64>,
    /// In the order of [`COUNTS`].
    pub counts: [Told; 6],
}

impl ViewAnswer {
    /// Reads one filiere of a view.
    #[must_use]
    pub fn read(maille: &str, place: &str, filiere: &str, document: &Document) -> Self {
        let texts = |field: &str| -> Vec<String> {
            let values = document.get(field).and_then(Value::as_array).into_iter().flatten();
            values.filter_map(|v| v.as_str().map(str::to_owned)).collect()
        };
        let millesime = document.get("millesime").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            maille: maille.to_owned(),
            place: place.to_owned(),
            filiere: filiere.to_owned(),
            millesime,
            cfds: texts("codes_formation_diplome"),
            codes: texts("codes_certifications"),
            size: whole(document.get("nb_annee_term")),
            counts: counts(document),
        }
    }

    /// Whether it tells a count or a rate.
    #[must_use]
    pub fn tells(&self) -> bool {
        self.counts.iter().any(|told| matches!(told, Told::Number(_) | Told::Between(..)))
    }
}
