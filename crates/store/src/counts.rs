//! The counts that the filieres view sums.
//!
//! They are the only values below the publication threshold that a generation holds, because
//! sums over several certifications may pass it. They lie in a family of their own, and
//! [`view`] is the one function that reads them: what it returns went through the threshold.

use crate::codec::{Decoder, Encoder};
use domain::indicator::{DELAYS, HEADCOUNTS, NB_ANNEE_TERM};
use domain::rates::{number, other_rate, rate};
use domain::{Document, Filiere, PublishedDocument};
use serde_json::{Value, json};

/// One statistic of a CFD, for the filieres view.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadCount {
    filiere: String,
    millesime: String,
    code_certification: String,
    libelle: String,
    old_libelle: String,
    /// `diplome` and `date_fermeture` as JSON, empty where absent.
    diplome: String,
    closing_date: String,
    /// In the order of [`HEADCOUNTS`]; `None`: missing or null.
    headcounts: [Option<f64>; 7],
}

impl HeadCount {
    /// What the view needs of a document as pushed. `None` for filieres it never shows.
    #[must_use]
    pub fn new(document: &Document) -> Option<Self> {
        let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let raw = |field: &str| document.get(field).filter(|v| !v.is_null()).map(Value::to_string).unwrap_or_default();
        let filiere = text("filiere");
        matches!(Filiere::parse(&filiere), Some(Filiere::Pro | Filiere::Apprentissage)).then(|| Self {
            filiere,
            millesime: text("millesime"),
            code_certification: text("code_certification"),
            libelle: text("libelle"),
            old_libelle: text("libelle_ancien"),
            diplome: raw("diplome"),
            closing_date: document
                .get("date_fermeture")
                .and_then(domain::date::read_value)
                .map(domain::date::write_iso)
                .unwrap_or_default(),
            headcounts: HEADCOUNTS.map(|field| document.get(field).and_then(Value::as_f64)),
        })
    }

    /// Appends the stored form.
    pub fn encode(&self, encoder: &mut Encoder) {
        for text in [
            &self.filiere,
            &self.millesime,
            &self.code_certification,
            &self.libelle,
            &self.old_libelle,
            &self.diplome,
            &self.closing_date,
        ] {
            encoder.text(text);
        }
        for headcount in self.headcounts {
            // Bits plus one, so that "missing" has a form of its own.
            encoder.number(headcount.map_or(0, |e| e.to_bits().swap_bytes().wrapping_add(1)));
        }
    }

    fn decode(decoder: &mut Decoder<'_>) -> Option<Self> {
        let mut text = || decoder.text().map(str::to_owned);
        let (filiere, millesime, code_certification, libelle) = (text()?, text()?, text()?, text()?);
        let (old_libelle, diplome, closing_date) = (text()?, text()?, text()?);
        let mut headcounts = [None; 7];
        for headcount in &mut headcounts {
            *headcount = match decoder.number()? {
                0 => None,
                n => Some(f64::from_bits(n.wrapping_sub(1).swap_bytes())),
            };
        }
        Some(Self { filiere, millesime, code_certification, libelle, old_libelle, diplome, closing_date, headcounts })
    }
}

/// The aggregated documents of a filieres view: `pro`, then `apprentissage`, where they have data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilieresView(pub Vec<(Filiere, PublishedDocument)>);

/// Reads the counts of CFDs and sums them by filiere, for a millesime.
///
/// Rule (contract, "The filieres view"): statistics of these CFDs for the millesimes asked for,
/// by filiere, the latest millesime kept; counts are summed, rates computed again from the sums,
/// then the publication threshold applies to the sum. `formation_fermee` is absent where the
/// view covers more than one CFD; `region` is that of the regional maille.
///
/// `entries` are the stored entries of each CFD. `None` where one cannot be read.
#[must_use]
pub fn view(
    entries: &[(String, Vec<u8>)],
    accepts: impl Fn(&str) -> bool,
    region: Option<&Value>,
    now: i64,
) -> Option<FilieresView> {
    let mut counts: Vec<(&str, HeadCount)> = Vec::new();
    for (cfd, bytes) in entries {
        let mut decoder = Decoder(bytes);
        while !decoder.0.is_empty() {
            counts.push((cfd, HeadCount::decode(&mut decoder)?));
        }
    }
    counts.retain(|(_, c)| accepts(&c.millesime));
    let several_cfds = entries.len() > 1;
    let filieres = [Filiere::Pro, Filiere::Apprentissage].into_iter().filter_map(|filiere| {
        let of_filiere = counts.iter().filter(|(_, c)| c.filiere == filiere.as_str());
        let millesime = of_filiere.clone().map(|(_, c)| c.millesime.as_str()).max()?;
        let retained: Vec<&(&str, HeadCount)> = of_filiere.filter(|(_, c)| c.millesime == millesime).collect();
        Some((filiere, aggregate(filiere, millesime, &retained, several_cfds, region, now)))
    });
    Some(FilieresView(filieres.collect()))
}

fn aggregate(
    filiere: Filiere,
    millesime: &str,
    counts: &[&(&str, HeadCount)],
    several_cfds: bool,
    region: Option<&Value>,
    now: i64,
) -> PublishedDocument {
    let mut cfds: Vec<&str> = counts.iter().map(|(cfd, _)| *cfd).collect();
    cfds.sort_unstable();
    cfds.dedup();
    let mut codes: Vec<&str> = counts.iter().map(|(_, c)| c.code_certification.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let mut document = Document::new();
    if let Some(region) = region {
        document.insert("region".into(), region.clone());
    }
    document.insert("codes_certifications".into(), codes.into());
    document.insert("codes_formation_diplome".into(), json!(cfds));
    if let (false, [cfd], [(_, first), ..]) = (several_cfds, cfds.as_slice(), counts) {
        document.insert("code_formation_diplome".into(), json!(cfd));
        document.insert("libelle".into(), first.libelle.clone().into());
        if !first.old_libelle.is_empty() {
            document.insert("libelle_ancien".into(), first.old_libelle.clone().into());
        }
    }
    document.insert("filiere".into(), filiere.as_str().into());
    document.insert("millesime".into(), millesime.into());
    if let Some(diplome) = common(counts, |c| &c.diplome) {
        document.insert("diplome".into(), serde_json::from_str(diplome).unwrap_or(Value::Null));
    }

    let sums: [Option<f64>; 7] = std::array::from_fn(|rank| {
        counts.iter().filter_map(|(_, c)| c.headcounts.get(rank).copied().flatten()).reduce(|a, b| a + b)
    });
    let sum =
        |field: &str| HEADCOUNTS.iter().position(|e| *e == field).and_then(|rank| sums.get(rank).copied().flatten());
    for field in HEADCOUNTS {
        document.insert(field.into(), sum(field).map_or(Value::Null, number));
    }
    let total = sum(NB_ANNEE_TERM).filter(|t| *t != 0.0);
    let further_study = sum("nb_poursuite_etudes");
    let part = |headcount: Option<f64>| total.map(|total| headcount.and_then(|e| rate(e, total)));
    let put = |document: &mut Document, field: String, value: Option<Option<f64>>| {
        if let Some(value) = value {
            document.insert(field, value.map_or(Value::Null, number));
        }
    };
    for delay in DELAYS {
        let employment = sum(&format!("nb_en_emploi_{delay}_mois"));
        put(&mut document, format!("taux_en_emploi_{delay}_mois"), part(employment));
        let empty = |headcount: Option<f64>| headcount.is_none_or(|e| e == 0.0);
        let others = if empty(employment) && empty(further_study) {
            Some(None)
        } else {
            total.map(|t| {
                let rate = |headcount: Option<f64>| headcount.and_then(|e| rate(e, t)).unwrap_or(0.0);
                Some(other_rate(rate(employment), rate(further_study)))
            })
        };
        put(&mut document, format!("taux_autres_{delay}_mois"), others);
    }
    put(&mut document, "taux_en_formation".into(), part(further_study));

    let mut published = PublishedDocument::new(document);
    let closing = common(counts, |c| &c.closing_date);
    if let Some(closing) = closing {
        published.put("date_fermeture", closing.into());
    }
    if !several_cfds {
        let closed = closing.and_then(domain::date::read_iso).is_some_and(|f| f < now);
        published.put("formation_fermee", closed.into());
    }
    if published.is_below_threshold() {
        published.put("_meta", json!({"messages": [domain::threshold::THRESHOLD_MESSAGE]}));
    }
    published
}

/// The value that no two statistics disagree on; those without one do not count.
fn common<'a>(counts: &[&'a (&str, HeadCount)], field: impl Fn(&'a HeadCount) -> &'a String) -> Option<&'a str> {
    let mut values = counts.iter().map(|c| field(&c.1).as_str()).filter(|v| !v.is_empty());
    let first = values.next()?;
    values.all(|v| v == first).then_some(first)
}
