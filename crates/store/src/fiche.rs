//! What the store keeps of one certification in one place: every millesime and filiere of it,
//! rendered when the data arrived.
//!
//! A version is kept in pieces that a request only puts together: the fields as JSON without the
//! closing brace, the closing instant that decides `formation_fermee` on the day of the request,
//! the messages, the title and details that single answers add.

use crate::codec::{Reader, Writer};
use domain::date::{self, Instant};
use domain::{Document, DocumentPublie, Filiere, Univers, presentation};
use lz4_flex::block;
use serde_json::Value;
use std::ops::Range;

/// The final years that a non-final year leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminales {
    /// A first year shared by a famille de metiers: all final years are always shown.
    pub annee_commune: bool,
    /// Their codes, in the order of the document.
    pub codes: Vec<String>,
    /// The field as lists show it.
    pub json: Vec<u8>,
}

/// One rendered document: its coded form, and where its parts lie in it. A request reads one, and every part of its own
/// would be an allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    octets: Vec<u8>,
    millesime: Range<usize>,
    filiere: Range<usize>,
    libelle: Range<usize>,
    corps: Range<usize>,
    messages: Range<usize>,
    legende: Range<usize>,
    /// When the course closes or closed; `None`: never.
    pub fermeture: Option<Instant>,
    /// The non-final year's final years, where there is such a field.
    pub terminales: Option<Terminales>,
}

/// How a version is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forme {
    /// With title and details.
    Seule,
    /// As a row of a list, or inside another document.
    Rangee,
}

/// The fields of a pushed document that no answer shows.
const INTERNES: [&str; 4] = ["_meta", "_id", "__v", "certificationsTerminales"];

impl Version {
    /// Renders a published document.
    #[must_use]
    pub fn nouvelle(publie: &DocumentPublie) -> Self {
        let document = publie.as_document();
        let texte = |champ: &str| document.get(champ).and_then(Value::as_str).unwrap_or_default().to_owned();
        let fermeture = document.get("date_fermeture").and_then(date::lire_valeur);
        let mut corps = vec![b'{'];
        for (champ, valeur) in document.iter().filter(|(champ, _)| !INTERNES.contains(&champ.as_str())) {
            if corps.len() > 1 {
                corps.push(b',');
            }
            json(&mut corps, &Value::String(champ.clone()));
            corps.push(b':');
            match date::lire_valeur(valeur).filter(|_| champ.starts_with("date_")) {
                Some(instant) => json(&mut corps, &Value::String(date::ecrire_iso(instant))),
                None => json(&mut corps, valeur),
            }
        }
        let messages = presentation::messages(publie);
        let mut legende = b"\"titre\":".to_vec();
        json(&mut legende, &presentation::titre(document).into());
        legende.extend_from_slice(b",\"details\":");
        json(&mut legende, &presentation::details(document).into());
        let messages = if messages.is_empty() { Vec::new() } else { serde_json::to_vec(&messages).unwrap_or_default() };
        let terminales = terminales(document);
        let mut writer = Writer::default();
        let poser = |writer: &mut Writer, octets: &[u8]| {
            let fin = writer.bytes(octets).0.len();
            fin - octets.len()..fin
        };
        let [millesime, filiere, libelle] =
            ["millesime", "filiere", "libelle"].map(|champ| poser(&mut writer, texte(champ).as_bytes()));
        writer.instant(fermeture);
        let [corps, messages, legende] = [corps, messages, legende].map(|octets| poser(&mut writer, &octets));
        match &terminales {
            None => writer.number(0),
            Some(t) => {
                writer.number(1 + u64::from(t.annee_commune)).bytes(&t.json).size(t.codes.len());
                for code in &t.codes {
                    writer.text(code);
                }
                &mut writer
            }
        };
        Self { octets: writer.0, millesime, filiere, libelle, corps, messages, legende, fermeture, terminales }
    }

    fn partie(&self, place: &Range<usize>) -> &[u8] {
        self.octets.get(place.clone()).unwrap_or_default()
    }

    fn texte(&self, place: &Range<usize>) -> &str {
        std::str::from_utf8(self.partie(place)).unwrap_or_default()
    }

    /// As published.
    #[must_use]
    pub fn millesime(&self) -> &str {
        self.texte(&self.millesime)
    }

    /// As published.
    #[must_use]
    pub fn filiere(&self) -> &str {
        self.texte(&self.filiere)
    }

    /// The label, by which final years are sorted.
    #[must_use]
    pub fn libelle(&self) -> &str {
        self.texte(&self.libelle)
    }

    /// The published fields, from `{` on, without `certificationsTerminales` and closing brace.
    #[must_use]
    pub fn corps(&self) -> &[u8] {
        self.partie(&self.corps)
    }

    /// `_meta.messages` as a JSON array; empty where there is none.
    #[must_use]
    pub fn messages(&self) -> &[u8] {
        self.partie(&self.messages)
    }

    /// `"titre":…,"details":…`, for single answers.
    #[must_use]
    pub fn legende(&self) -> &[u8] {
        self.partie(&self.legende)
    }

    /// Secondary or higher education.
    #[must_use]
    pub fn univers(&self) -> Univers {
        Filiere::parse(self.filiere()).map_or(Univers::Secondaire, Filiere::univers)
    }

    /// Writes the answer: the stored pieces, with what depends on the day filled in.
    /// `terminales` replaces the bare codes of the final years; `maintenant` is asked where the course has a closing date.
    pub fn ecrire(
        &self,
        out: &mut Vec<u8>,
        maintenant: impl FnOnce() -> Instant,
        forme: Forme,
        terminales: Option<&[u8]>,
    ) {
        let variable = terminales.map_or(0, <[u8]>::len) + self.terminales.as_ref().map_or(0, |t| t.json.len());
        out.reserve(self.octets.len() + variable + 128);
        out.extend_from_slice(self.corps());
        if let Some(json) = terminales.or(self.terminales.as_ref().map(|t| t.json.as_slice())) {
            out.extend_from_slice(b",\"certificationsTerminales\":");
            out.extend_from_slice(json);
        }
        out.extend_from_slice(b",\"formation_fermee\":");
        out.extend_from_slice(est_fermee(self.fermeture, maintenant));
        self.ecrire_queue(out, forme);
    }

    /// What follows `formation_fermee`, closing brace included.
    #[must_use]
    pub fn queue(&self, forme: Forme) -> Vec<u8> {
        let mut queue = Vec::new();
        self.ecrire_queue(&mut queue, forme);
        queue
    }

    fn ecrire_queue(&self, out: &mut Vec<u8>, forme: Forme) {
        let legende: &[u8] = if forme == Forme::Seule { self.legende() } else { &[] };
        if !self.messages.is_empty() || !legende.is_empty() {
            out.extend_from_slice(b",\"_meta\":{");
            if !self.messages.is_empty() {
                out.extend_from_slice(b"\"messages\":");
                out.extend_from_slice(self.messages());
                if !legende.is_empty() {
                    out.push(b',');
                }
            }
            out.extend_from_slice(legende);
            out.push(b'}');
        }
        out.push(b'}');
    }

    fn decoder(octets: Vec<u8>) -> Option<Self> {
        let reader = &mut Reader(&octets);
        let lue = |longueur: usize, reader: &Reader<'_>| {
            let fin = octets.len() - reader.0.len();
            fin - longueur..fin
        };
        // Texts are read as such: what is none is a damaged version.
        let texte = |reader: &mut Reader<'_>| Some(lue(reader.text()?.len(), reader));
        let partie = |reader: &mut Reader<'_>| Some(lue(reader.bytes()?.len(), reader));
        let (millesime, filiere, libelle) = (texte(reader)?, texte(reader)?, texte(reader)?);
        let fermeture = reader.instant()?;
        let (corps, messages, legende) = (partie(reader)?, partie(reader)?, partie(reader)?);
        let terminales = match reader.number()? {
            0 => None,
            n => {
                let json = reader.bytes()?.into();
                let count = reader.size()?;
                let codes = (0..count).map(|_| reader.text().map(Into::into)).collect::<Option<_>>()?;
                Some(Terminales { annee_commune: n > 1, codes, json })
            }
        };
        Some(Self { millesime, filiere, libelle, corps, messages, legende, fermeture, terminales, octets })
    }
}

/// Whether a course is closed on a day, as JSON. The day is asked for only where there is a closing date: a look at the
/// clock is a call of the runtime.
#[must_use]
pub fn est_fermee(fermeture: Option<Instant>, maintenant: impl FnOnce() -> Instant) -> &'static [u8] {
    if fermeture.is_some_and(|f| f < maintenant()) { b"true" } else { b"false" }
}

fn json(out: &mut Vec<u8>, valeur: &Value) {
    // Writing to a vector cannot fail, and a `Value` always has a JSON form.
    let _ = serde_json::to_writer(out, valeur);
}

fn terminales(document: &Document) -> Option<Terminales> {
    let champ = document.get("certificationsTerminales")?;
    let codes =
        champ.as_array()?.iter().filter_map(|t| Some(t.get("code_certification")?.as_str()?.to_owned())).collect();
    let annee_commune = document.get("familleMetier").and_then(|f| f.get("isAnneeCommune")).and_then(Value::as_bool);
    let mut bytes = Vec::new();
    json(&mut bytes, champ);
    Some(Terminales { annee_commune: annee_commune.unwrap_or_default(), codes, json: bytes })
}

/// Largest version, unfolded: a bound on what damaged bytes may ask for.
const DEPLIEE_MAX: usize = 16 * 1024 * 1024;

/// A version as it lies in a fiche: its millesime, and the rest folded.
struct Pliee<'a> {
    millesime: &'a str,
    taille: usize,
    bloc: &'a [u8],
}

impl<'a> Pliee<'a> {
    fn lire(reader: &mut Reader<'a>) -> Option<Self> {
        let (millesime, taille, bloc) = (reader.text()?, reader.size()?, reader.bytes()?);
        (taille <= DEPLIEE_MAX).then_some(Self { millesime, taille, bloc })
    }

    /// The coded version; `premiere` is the first one of the fiche, which the others were folded against.
    fn deplier(&self, premiere: Option<&[u8]>) -> Option<Vec<u8>> {
        let depliee = match premiere {
            None => block::decompress(self.bloc, self.taille),
            Some(premiere) => block::decompress_with_dict(self.bloc, self.taille, premiere),
        };
        depliee.ok().filter(|depliee| depliee.len() == self.taille)
    }
}

/// Every version of one certification in one place: the entry of a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fiche {
    /// Latest millesime first in string order; within one, in the order they were pushed.
    pub versions: Vec<Version>,
}

impl Fiche {
    /// Orders versions as lookups need them.
    #[must_use]
    pub fn nouvelle(mut versions: Vec<Version>) -> Self {
        versions.sort_by(|a, b| b.millesime().cmp(a.millesime()));
        Self { versions }
    }

    /// The version of the first of these millesimes: the latest in string order, then the first
    /// pushed.
    #[must_use]
    pub fn version(&self, accepte: impl Fn(&str) -> bool) -> Option<&Version> {
        self.versions.iter().find(|v| accepte(v.millesime()))
    }

    /// What [`Self::version`] would find in the stored form, unfolding no more than it takes. `None` where the bytes
    /// do not hold a fiche.
    #[must_use]
    pub fn lire_version(bytes: &[u8], accepte: impl Fn(&str) -> bool) -> Option<Option<Version>> {
        let mut reader = Reader(bytes);
        let mut premiere = None;
        for _ in 0..reader.size()? {
            let pliee = Pliee::lire(&mut reader)?;
            if accepte(pliee.millesime) {
                let modele = premiere.as_ref().map(|premiere: &Pliee<'_>| premiere.deplier(None));
                let depliee = match modele {
                    None => pliee.deplier(None)?,
                    Some(modele) => pliee.deplier(Some(&modele?))?,
                };
                return Version::decoder(depliee).map(Some);
            }
            premiere.get_or_insert(pliee);
        }
        Some(None)
    }

    /// The millesimes there are, newest first, each once.
    #[must_use]
    pub fn millesimes(&self) -> Vec<&str> {
        let mut millesimes: Vec<&str> = self.versions.iter().map(Version::millesime).collect();
        millesimes.dedup();
        millesimes
    }

    /// The stored form: each version folded by LZ4, all but the first against the first. They repeat it in all but
    /// figures, so less than a quarter is left; unfolding one costs less than moving the rest through the runtime.
    #[must_use]
    pub fn coder(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.size(self.versions.len());
        let mut premiere: Option<&[u8]> = None;
        for version in &self.versions {
            let depliee = version.octets.as_slice();
            let bloc = match premiere {
                None => block::compress(depliee),
                Some(premiere) => block::compress_with_dict(depliee, premiere),
            };
            writer.text(version.millesime()).size(depliee.len()).bytes(&bloc);
            premiere.get_or_insert(depliee);
        }
        writer.0
    }

    /// Reads the stored form.
    #[must_use]
    pub fn decoder(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let mut versions: Vec<Version> = Vec::new();
        for _ in 0..reader.size()? {
            let premiere = versions.first().map(|premiere| premiere.octets.as_slice());
            let depliee = Pliee::lire(&mut reader)?.deplier(premiere)?;
            versions.push(Version::decoder(depliee)?);
        }
        Some(Self { versions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn version(valeur: Value) -> Version {
        Version::nouvelle(&DocumentPublie::nouveau(valeur.as_object().unwrap().clone()))
    }

    fn montrer(version: &Version, maintenant: &str, forme: Forme) -> Value {
        let mut out = Vec::new();
        version.ecrire(&mut out, || date::lire_iso(maintenant).unwrap(), forme, None);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_closing_date_decides_on_the_day_of_the_request() {
        let version = version(
            json!({"millesime": "2020", "filiere": "pro", "date_fermeture": {"$date": "2023-08-30T22:00:00.000Z"}}),
        );
        assert_eq!(montrer(&version, "2023-08-30", Forme::Rangee)["formation_fermee"], false);
        assert_eq!(montrer(&version, "2023-09-01", Forme::Rangee)["formation_fermee"], true);
        assert_eq!(montrer(&version, "2023-09-01", Forme::Rangee)["date_fermeture"], "2023-08-30T22:00:00.000Z");
    }

    #[test]
    fn rows_carry_meta_only_with_a_message_and_single_answers_always() {
        let shown = version(
            json!({"millesime": "2020", "filiere": "pro", "code_certification": "1", "nb_annee_term": 20, "_meta": {"inserjeunes": 1}}),
        );
        assert_eq!(montrer(&shown, "2024-01-01", Forme::Rangee).get("_meta"), None);
        assert_eq!(montrer(&shown, "2024-01-01", Forme::Seule)["_meta"]["titre"], "Certification 1");
        let hidden = version(json!({"millesime": "2020", "filiere": "pro", "nb_annee_term": 1, "nb_sortant": 1}));
        assert_eq!(montrer(&hidden, "2024-01-01", Forme::Rangee)["_meta"]["messages"].as_array().unwrap().len(), 1);
        assert!(montrer(&hidden, "2024-01-01", Forme::Seule)["nb_sortant"].is_null());
    }

    #[test]
    fn invariant_9_a_text_that_is_none_is_a_damaged_version() {
        let version = version(json!({"millesime": "2020", "filiere": "pro", "libelle": "CUISINE"}));
        for place in [&version.millesime, &version.filiere, &version.libelle] {
            let mut octets = version.octets.clone();
            octets[place.start] = 0xff;
            assert_eq!(Version::decoder(octets), None, "{place:?}");
        }
        assert_eq!(Version::decoder(version.octets.clone()), Some(version));
    }

    #[test]
    fn a_fiche_comes_back_as_it_was_and_prefers_the_latest_millesime() {
        let fiche = Fiche::nouvelle(vec![
            version(
                json!({"millesime": "2018_2019", "filiere": "pro", "certificationsTerminales": [{"code_certification": "2"}]}),
            ),
            version(json!({"millesime": "2019", "filiere": "pro"})),
            version(json!({"millesime": "2019", "filiere": "agricole", "certificationsTerminales": []})),
        ]);
        assert_eq!(Fiche::decoder(&fiche.coder()).as_ref(), Some(&fiche));
        assert_eq!(fiche.millesimes(), ["2019", "2018_2019"]);
        let found = fiche.version(|m| m == "2019" || m == "2018_2019").unwrap();
        for voulu in ["2019", "2018_2019", "2020"] {
            let lue = Fiche::lire_version(&fiche.coder(), |m| m == voulu);
            assert_eq!(lue.unwrap().as_ref(), fiche.version(|m| m == voulu), "{voulu}");
        }
        assert_eq!((found.millesime(), found.filiere()), ("2019", "pro"), "the first pushed");
        assert_eq!(fiche.versions[1].terminales, Some(Terminales { json: b"[]".to_vec(), ..Terminales::default() }));
    }
}
