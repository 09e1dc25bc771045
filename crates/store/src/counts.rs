//! The counts that the filieres view sums.
//!
//! They are the only values below the publication threshold that a generation holds: small groups of
//! one CFD may be published together. They lie in a family of their own, and [`view`] is the one
//! function that reads them: what it returns went through [`domain::disclosure`] and the threshold.

use crate::codec::{Decoder, Encoder};
use domain::declared::MAILLE_FIELD;
use domain::disclosure::{DonneeSource, MESSAGE_SUM, Member, RawCounts, Sum, sum};
use domain::indicator::{DELAYS, HEADCOUNTS, NB_ANNEE_TERM};
use domain::presentation::SUM_MESSAGES;
use domain::rates::{number, other_rate, rate};
use domain::{Document, Filiere, PublishedDocument, territory, unique};
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
    /// The region as the row holds it ([`folded_region`]).
    region: String,
    /// Whose numbers these are, where they were lent; empty: its own.
    lent_by: String,
    headcounts: RawCounts,
}

/// The filiere of a record that says more of the one before it: region, source, what is hidden. Records of one form only
/// can be read by the version before, and this one is of a filiere that no view shows.
const MORE: &str = "+";

/// How [`MORE`] tells whether the threshold hides a statistic.
const HIDDEN: &str = "h";
const VISIBLE: &str = "v";
/// Read as [`HIDDEN`] by the version before.
const WITHHELD: &str = "w";

/// Regions that hold the fields of the table are written as a letter: with the code of the region academique, or without.
const WHOLE_REGION: &str = "R";
const SHORT_REGION: &str = "r";

fn whole_region(region: &territory::Region) -> Value {
    json!({"code": region.code, "nom": region.name, "code_region_academique": region.region_academie_code})
}

fn short_region(region: &territory::Region) -> Value {
    json!({"code": region.code, "nom": region.name})
}

/// The region of a document of the regional maille, short where it is the table's.
fn folded_region(document: &Document) -> String {
    let regionale = !document.contains_key("uai") && !document.contains_key(MAILLE_FIELD);
    let Some(value) = document.get("region").filter(|_| regionale) else { return String::new() };
    match value.get("code").and_then(Value::as_str).and_then(territory::region) {
        Some(region) if *value == whole_region(region) => WHOLE_REGION.to_owned(),
        Some(region) if *value == short_region(region) => SHORT_REGION.to_owned(),
        _ => value.to_string(),
    }
}

/// The region as it was pushed; `place` is its code.
fn unfolded_region(folded: &str, place: &str) -> Option<Value> {
    match folded {
        "" => None,
        WHOLE_REGION => territory::region(place).map(whole_region),
        SHORT_REGION => territory::region(place).map(short_region),
        json => serde_json::from_slice(json.as_bytes()).ok(),
    }
}

impl HeadCount {
    /// What the view needs of a document as pushed. `None` for filieres it never shows.
    #[must_use]
    pub fn new(document: &Document) -> Option<Self> {
        let text = |field: &str| document.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let raw = |field: &str| document.get(field).filter(|v| !v.is_null()).map(Value::to_string).unwrap_or_default();
        let source = |field: &str| document.get("donnee_source").and_then(|s| s.get(field)).and_then(Value::as_str);
        let lent_by = source("code_certification").filter(|_| source("type").is_some_and(|nature| nature != "self"));
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
            region: folded_region(document),
            lent_by: lent_by.unwrap_or_default().to_owned(),
            headcounts: RawCounts::of(document),
        })
    }

    /// The same, of a document that does not show its counts.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { headcounts: self.headcounts.hidden(), ..self }
    }

    /// The same, of one that is withheld: no view adds it up.
    #[must_use]
    pub fn withheld(self) -> Self {
        Self { headcounts: self.headcounts.withheld(), ..self }
    }

    /// Appends the stored form.
    pub fn encode(&self, encoder: &mut Encoder) {
        let (headcounts, hidden) = self.headcounts.stored();
        let texts = [
            &self.filiere,
            &self.millesime,
            &self.code_certification,
            &self.libelle,
            &self.old_libelle,
            &self.diplome,
            &self.closing_date,
        ];
        write(encoder, texts.map(String::as_str), headcounts);
        let inferred = RawCounts::from_stored(headcounts, None).stored().1;
        if !matches!(self.region.as_str(), "" | SHORT_REGION)
            || !self.lent_by.is_empty()
            || hidden != inferred
            || self.headcounts.is_withheld()
        {
            let hidden = match (hidden, self.headcounts.is_withheld()) {
                (_, true) => WITHHELD,
                (true, false) => HIDDEN,
                (false, false) => VISIBLE,
            };
            write(encoder, [MORE, &self.region, &self.lent_by, hidden, "", "", ""], [0; 7]);
        }
    }

    /// Reads one record, and what the next one adds to it. Without that the region is the table's, as far as views
    /// showed it, and the numbers are the code's own.
    fn decode(decoder: &mut Decoder<'_>) -> Option<Self> {
        let ([filiere, millesime, code_certification, libelle, old_libelle, diplome, closing_date], headcounts) =
            read(decoder)?;
        let more = if Decoder(decoder.0).text() == Some(MORE) { Some(read(decoder)?.0) } else { None };
        let (region, lent_by, word) = match more {
            None => (SHORT_REGION.to_owned(), String::new(), None),
            Some([_, region, lent_by, word, ..]) => (region, lent_by, Some(word)),
        };
        let mut headcounts = RawCounts::from_stored(headcounts, word.as_deref().map(|word| word != VISIBLE));
        if word.as_deref() == Some(WITHHELD) {
            headcounts = headcounts.withheld();
        }
        Some(Self {
            filiere,
            millesime,
            code_certification,
            libelle,
            old_libelle,
            diplome,
            closing_date,
            region,
            lent_by,
            headcounts,
        })
    }

    fn member<'a>(&'a self, cfd: &'a str) -> Member<'a> {
        let source = if self.lent_by.is_empty() { DonneeSource::Own } else { DonneeSource::Lent(&self.lent_by) };
        Member { cfd, code: &self.code_certification, source, counts: &self.headcounts }
    }
}

fn write(encoder: &mut Encoder, texts: [&str; 7], numbers: [u64; 7]) {
    for text in texts {
        encoder.text(text);
    }
    for number in numbers {
        encoder.number(number);
    }
}

fn read(decoder: &mut Decoder<'_>) -> Option<([String; 7], [u64; 7])> {
    let (mut texts, mut numbers) = (<[String; 7]>::default(), [0; 7]);
    for text in &mut texts {
        decoder.text()?.clone_into(text);
    }
    for number in &mut numbers {
        *number = decoder.number()?;
    }
    Some((texts, numbers))
}

/// The aggregated documents of a filieres view: `pro`, then `apprentissage`, where they have data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilieresView(pub Vec<(Filiere, PublishedDocument)>);

/// Reads the counts of CFDs and sums them by filiere, for a millesime, in a place (a region, or `""` nationally).
///
/// Rule (contract, "The filieres view"): statistics of these CFDs for the millesimes asked for,
/// by filiere, the latest millesime kept; counts are summed where that opens no hidden group
/// ([`domain::disclosure`]), rates computed again from the sums, then the publication threshold
/// applies to the sum. What a filiere says of one CFD (code, label, `formation_fermee`) depends on
/// the CFDs among its rows, not on the codes asked for. `region` is the rows' own.
///
/// `entries` are the stored entries of each CFD. `None` where one cannot be read.
#[must_use]
pub fn view(
    entries: &[(String, Vec<u8>)],
    accepts: impl Fn(&str) -> bool,
    place: &str,
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
    let filieres = [Filiere::Pro, Filiere::Apprentissage].into_iter().filter_map(|filiere| {
        let of_filiere = counts.iter().filter(|(_, c)| c.filiere == filiere.as_str());
        let millesime = of_filiere.clone().map(|(_, c)| c.millesime.as_str()).max()?;
        let retained: Vec<&(&str, HeadCount)> = of_filiere.filter(|(_, c)| c.millesime == millesime).collect();
        Some((filiere, millesime, retained))
    });
    let filieres: Vec<_> = filieres.collect();
    let members: Vec<Vec<Member<'_>>> =
        filieres.iter().map(|(_, _, retained)| retained.iter().map(|(cfd, c)| c.member(cfd)).collect()).collect();
    let aggregates = filieres.iter().zip(sum(&members)).map(|((filiere, millesime, retained), sum)| {
        (*filiere, aggregate(*filiere, millesime, retained, &sum, place, now))
    });
    Some(FilieresView(aggregates.collect()))
}

fn aggregate(
    filiere: Filiere,
    millesime: &str,
    counts: &[&(&str, HeadCount)],
    sum: &Sum,
    place: &str,
    now: i64,
) -> PublishedDocument {
    let cfds = unique(counts.iter().map(|(cfd, _)| *cfd));
    let codes = unique(counts.iter().map(|(_, count)| count.code_certification.as_str()));
    let mut document = Document::new();
    if let Some(region) = counts.iter().find_map(|(_, c)| unfolded_region(&c.region, place)) {
        document.insert("region".into(), region);
    }
    document.insert("codes_certifications".into(), codes.into());
    document.insert("codes_formation_diplome".into(), json!(cfds));
    if let ([cfd], [(_, first), ..]) = (cfds.as_slice(), counts) {
        document.insert("code_formation_diplome".into(), json!(cfd));
        document.insert("libelle".into(), first.libelle.clone().into());
        if !first.old_libelle.is_empty() {
            document.insert("libelle_ancien".into(), first.old_libelle.clone().into());
        }
    }
    document.insert("filiere".into(), filiere.as_str().into());
    document.insert("millesime".into(), millesime.into());
    if let Some(diplome) = common(counts, |c| &c.diplome) {
        document.insert("diplome".into(), serde_json::from_slice(diplome.as_bytes()).unwrap_or(Value::Null));
    }

    for field in HEADCOUNTS {
        document.insert(field.into(), sum.count(field).map_or(Value::Null, number));
    }
    let total = sum.count(NB_ANNEE_TERM).filter(|t| *t != 0.0);
    let further_study = sum.count("nb_poursuite_etudes");
    let part = |headcount: Option<f64>| total.map(|total| headcount.and_then(|e| rate(e, total)));
    let put = |document: &mut Document, field: String, value: Option<Option<f64>>| {
        if let Some(value) = value {
            document.insert(field, value.map_or(Value::Null, number));
        }
    };
    for delay in DELAYS {
        let employment = sum.count(&format!("nb_en_emploi_{delay}_mois"));
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
    if cfds.len() == 1 {
        let closed = domain::date::is_closed(closing.and_then(domain::date::read_iso), || now);
        published.put("formation_fermee", closed.into());
    }
    let messages: &[&str] = match (published.is_below_threshold(), sum.is_open()) {
        (true, _) => &SUM_MESSAGES,
        (false, false) => &[MESSAGE_SUM],
        (false, true) => &[],
    };
    if !messages.is_empty() {
        // Not by `json!`: it would serialise values into values, which takes a kilobyte or three of every read component.
        let meta = Document::from_iter([("messages".to_owned(), messages.iter().copied().collect())]);
        published.put("_meta", Value::Object(meta));
    }
    published
}

/// The value that no two statistics disagree on; those without one do not count.
fn common<'a>(counts: &[&'a (&str, HeadCount)], field: impl Fn(&'a HeadCount) -> &'a String) -> Option<&'a str> {
    let mut values = counts.iter().map(|c| field(&c.1).as_str()).filter(|v| !v.is_empty());
    let first = values.next()?;
    values.all(|v| v == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(value: Value) -> HeadCount {
        HeadCount::new(value.as_object().unwrap()).unwrap()
    }

    fn statistic(code: &str, filiere: &str, size: u32) -> Value {
        json!({"code_certification": code, "filiere": filiere, "millesime": "2020", "libelle": format!("L{code}"),
            "nb_annee_term": size, "nb_en_emploi_6_mois": size / 2, "nb_poursuite_etudes": size / 4})
    }

    /// The view of some CFDs, each with its statistics.
    fn see(cfds: &[(&str, &[Value])], place: &str) -> Value {
        let encode = |values: &[Value]| {
            let mut encoder = Encoder::default();
            values.iter().for_each(|value| count(value.clone()).encode(&mut encoder));
            encoder.0
        };
        let entries: Vec<_> = cfds.iter().map(|(cfd, values)| ((*cfd).to_owned(), encode(values))).collect();
        let view = view(&entries, |_| true, place, 0).unwrap();
        view.0.into_iter().map(|(f, d)| (f.as_str().to_owned(), Value::Object(d.as_document().clone()))).collect()
    }

    #[test]
    fn one_cfd_is_told_by_the_rows_of_each_filiere() {
        let pro = [statistic("1", "pro", 40)];
        let apprentissage = |code| [statistic(code, "apprentissage", 40)];
        let view =
            see(&[("A", &[pro.as_slice(), &apprentissage("A")].concat()), ("B", &apprentissage("B")), ("C", &[])], "");
        assert_eq!((&view["pro"]["libelle"], &view["pro"]["formation_fermee"]), (&json!("L1"), &json!(false)));
        assert_eq!((view["apprentissage"].get("libelle"), view["apprentissage"].get("formation_fermee")), (None, None));
        assert_eq!(view["apprentissage"]["nb_annee_term"], 80);
    }

    #[test]
    fn a_region_is_shown_as_its_rows_hold_it() {
        for region in [
            json!({"code": "11", "nom": "Île-de-France"}),
            json!({"code": "11", "nom": "Île-de-France", "code_region_academique": "10"}),
            json!({"nom": "Paris et autour", "code": "11"}),
        ] {
            let mut row = statistic("1", "pro", 40);
            row["region"] = region.clone();
            assert_eq!(see(&[("A", &[row])], "11")["pro"]["region"], region);
        }
        assert_eq!(see(&[("A", &[statistic("1", "pro", 40)])], "")["pro"].get("region"), None);
    }

    #[test]
    fn a_view_that_would_open_a_group_shows_sizes_and_says_why() {
        let view = see(
            &[
                ("A", &[statistic("1", "pro", 100), statistic("A", "apprentissage", 50)]),
                ("B", &[statistic("2", "pro", 12)]),
            ],
            "",
        );
        for (filiere, size) in [("pro", 112), ("apprentissage", 50)] {
            let document = view[filiere].as_object().unwrap();
            assert_eq!(document["nb_annee_term"], size);
            let figures = document.iter().filter(|(name, _)| domain::indicator::below_threshold(name));
            assert!(figures.clone().count() > 10 && figures.clone().all(|(_, v)| v.is_null()), "{document:?}");
            assert_eq!(document["_meta"], json!({"messages": [MESSAGE_SUM]}));
        }
        // Of one CFD each filiere is by itself, and lent numbers are added once.
        let mut lent = statistic("2", "pro", 100);
        lent["donnee_source"] = json!({"code_certification": "1", "type": "ancienne"});
        let view = see(&[("A", &[statistic("1", "pro", 100)]), ("B", &[lent])], "");
        assert_eq!((&view["pro"]["nb_annee_term"], &view["pro"]["taux_en_emploi_6_mois"]), (&json!(100), &json!(50)));
    }

    /// Generations of the version before hold no records that say more; what reads those alone passes them by.
    #[test]
    fn the_form_before_is_read_and_reads_this_one() {
        let mut lent = statistic("1", "pro", 40);
        lent["donnee_source"] = json!({"code_certification": "2", "type": "ancienne"});
        lent["region"] = json!({"code": "11", "nom": "Île-de-France", "code_region_academique": "10"});
        let mut encoder = Encoder::default();
        count(lent).encode(&mut encoder);
        let mut decoder = Decoder(&encoder.0);
        let filieres: Vec<String> =
            std::iter::from_fn(|| read(&mut decoder)).map(|([filiere, ..], _)| filiere).collect();
        assert_eq!((filieres, decoder.0), (vec!["pro".to_owned(), MORE.to_owned()], &[][..]));

        let mut encoder = Encoder::default();
        for text in ["pro", "2020", "1", "L1", "", "", ""] {
            encoder.text(text);
        }
        let (headcounts, _) = count(statistic("1", "pro", 40)).headcounts.stored();
        for headcount in headcounts {
            encoder.number(headcount);
        }
        let entries = [("A".to_owned(), encoder.0)];
        let view = view(&entries, |_| true, "11", 0).unwrap();
        let document = view.0[0].1.as_document();
        assert_eq!(
            (&document["nb_en_emploi_6_mois"], &document["region"]["nom"]),
            (&json!(20), &json!("Île-de-France"))
        );
    }
}
