//! The requests of each row, made from the pushed documents.

use anyhow::Context;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::Path;

/// Requests of a file, at most: far more distinct documents than an instance keeps.
const COUNT: usize = 60_000;
/// Requests that are drawn by Zipf's law: so many that a rare document is not asked for again when they start over.
const DRAWN: usize = 300_000;

/// Everything that is asked for, as targets.
#[derive(Debug, Default)]
pub struct Requests {
    /// Documents of establishments of the latest millésime, in random order; final years only.
    pub documents: Vec<String>,
    /// The same, drawn with Zipf's law, s = 1.
    pub zipf: Vec<String>,
    /// Establishments that exist, codes that do not.
    pub misses: Vec<String>,
    /// First years that lead to a final year.
    pub first_years: Vec<String>,
    /// National documents.
    pub national: Vec<String>,
    /// The filières view of their codes.
    pub filieres: Vec<String>,
    /// Searches for the beginning of a label's first word.
    pub searches: Vec<String>,
    /// Images of documents that have figures.
    pub svg: Vec<String>,
    /// Lists of ten under one filter.
    pub one_filter: Vec<String>,
    /// Under three.
    pub three_filters: Vec<String>,
    /// Under a code.
    pub code_filter: Vec<String>,
    /// Under an establishment.
    pub uai_filter: Vec<String>,
}

/// A small generator, the same in every run.
pub struct Chance(u64);

impl Chance {
    /// The only seed.
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// One of several that run side by side.
    pub fn seeded(seed: usize) -> Self {
        Self(Self::new().0.rotate_left(u32::try_from(seed % 64).unwrap_or_default()))
    }

    /// Between 0 and 1.
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let unit = (self.0 >> 11) as f64 / (1u64 << 53) as f64;
        unit
    }

    /// Below `n`.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a list"
    )]
    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }
}

/// Indices below `n`, drawn with Zipf's law of exponent 1.
#[expect(clippy::cast_precision_loss, reason = "ranks")]
fn zipf(n: usize, count: usize, chance: &mut Chance) -> Vec<usize> {
    let mut sum = 0.0;
    let cumulated: Vec<f64> = (1..=n)
        .map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        })
        .collect();
    (0..count)
        .map(|_| {
            let u = chance.unit() * sum;
            cumulated.partition_point(|c| *c < u).min(n.saturating_sub(1))
        })
        .collect()
}

fn each_document(file: &Path, mut visit: impl FnMut(&Value)) -> anyhow::Result<()> {
    let lines = std::io::BufReader::new(std::fs::File::open(file).with_context(|| file.display().to_string())?);
    for line in lines.lines() {
        let line: Value = serde_json::from_str(&line?)?;
        visit(line.get("doc").unwrap_or(&Value::Null));
    }
    Ok(())
}

fn text<'a>(doc: &'a Value, field: &str) -> &'a str {
    doc.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Single documents of establishments are those of secondary education.
fn est_secondaire(doc: &Value) -> bool {
    !text(doc, "code_certification_type").contains("sise")
}

impl Requests {
    /// Reads the documents of a folder.
    pub fn read(data: &Path) -> anyhow::Result<Self> {
        let api = "/api/inserjeunes";
        let (formations, certifications) = (data.join("formation.ndjson"), data.join("certification.ndjson"));
        let latest = |file: &Path| -> anyhow::Result<String> {
            let mut latest = String::new();
            each_document(file, |doc| {
                if est_secondaire(doc) && latest.as_str() < text(doc, "millesime") {
                    latest = text(doc, "millesime").to_owned();
                }
            })?;
            Ok(latest)
        };
        let mut all = Self::default();
        let millesime = latest(&formations)?;
        let (mut places, mut codes, mut uais) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut words = BTreeSet::new();
        each_document(&formations, |doc| {
            if text(doc, "millesime") != millesime || !est_secondaire(doc) {
                return;
            }
            let (uai, code) = (text(doc, "uai"), text(doc, "code_certification"));
            let target = format!("{api}/formations/{uai}-{code}");
            let number = |field: &str| doc.get(field).and_then(Value::as_f64).unwrap_or(-1.0);
            let shown = number("nb_annee_term") >= 20.0 && number("nb_sortant") >= 20.0;
            let drawn = ["taux_en_emploi_6_mois", "taux_en_formation", "taux_autres_6_mois"];
            match doc.get("certificationsTerminales").and_then(Value::as_array).map_or(0, Vec::len) {
                0 => all.documents.push(target.clone()),
                1 => all.first_years.push(target.clone()),
                _ => {}
            }
            if shown && drawn.iter().all(|field| number(field) >= 0.0) && doc.get("certificationsTerminales").is_none()
            {
                all.svg.push(format!("{target}.svg"));
            }
            let place = |field: &str| doc.get(field).map(|p| text(p, "code").to_owned()).unwrap_or_default();
            places.insert((place("region"), place("academie")));
            codes.insert(code.to_owned());
            uais.insert(uai.to_owned());
            let letters = text(doc, "libelle").chars().take_while(char::is_ascii_alphabetic).take(5);
            words.insert(letters.collect::<String>().to_ascii_lowercase());
        })?;
        let year = latest(&certifications)?;
        each_document(&certifications, |doc| {
            if text(doc, "millesime") == year && est_secondaire(doc) && doc.get("certificationsTerminales").is_none() {
                let target = format!("{api}/certifications/{}", text(doc, "code_certification"));
                all.filieres.push(format!("{target}?vue=filieres"));
                all.national.push(target);
            }
        })?;
        let mut chance = Chance::new();
        for list in [&mut all.documents, &mut all.first_years, &mut all.national, &mut all.filieres, &mut all.svg] {
            chance.shuffle(list);
        }
        all.zipf = zipf(all.documents.len(), DRAWN, &mut chance)
            .into_iter()
            .filter_map(|rank| all.documents.get(rank).cloned())
            .collect();
        all.misses = uais.iter().map(|uai| format!("{api}/formations/{uai}-99999999")).collect();
        let list = format!("{api}/formations?items_par_page=10");
        all.searches = words.iter().filter(|w| w.len() > 2).map(|w| format!("/api/recherche?q={w}")).collect();
        let regions: BTreeSet<&String> = places.iter().map(|(region, _)| region).collect();
        all.one_filter = regions.into_iter().map(|region| format!("{list}&regions={region}")).collect();
        all.three_filters = places
            .iter()
            .map(|(region, academie)| format!("{list}&millesimes={millesime}&regions={region}&academies={academie}"))
            .collect();
        all.code_filter = codes.iter().map(|code| format!("{list}&code_certifications={code}")).collect();
        all.uai_filter = uais.iter().map(|uai| format!("{list}&uais={uai}")).collect();
        for targets in [
            &mut all.documents,
            &mut all.misses,
            &mut all.first_years,
            &mut all.national,
            &mut all.filieres,
            &mut all.searches,
            &mut all.svg,
            &mut all.code_filter,
            &mut all.uai_filter,
        ] {
            targets.truncate(COUNT);
        }
        Ok(all)
    }
}
