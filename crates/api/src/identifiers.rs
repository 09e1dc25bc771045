//! `/api/inserjeunes/identifiants/{systeme}/{code}`: documents found by the identifiers of other registers.
//!
//! The resolver of the matching says which codes an identifier leads to. One code: 307 to its document. Several (a diploma
//! has a CFD and a MEFSTAT11, an entry may hold several diplomas): 300 with all of them, and nothing is picked. What the
//! client asks of the document goes along in the address; the document's own route judges it.
//!
//! What is told of a code is its label, and whether any document of it is published: no figure, nothing that the search
//! does not tell.

use crate::access::KEY_IN_QUERY;
use crate::error::{ApiError, helped};
use crate::links::{self, WebLink};
use crate::matching_data::{MatchingData, NOT_YET_PUBLISHED};
use crate::request::escaped;
use crate::response::{AGE, JSON, Response};
use crate::{LogFact, Request, Runtime, open, read_body, read_segment, routes};
use domain::date::write_day;
use domain::{CodeCertification, CodeType};
use matching::lookups::{CertifInfoKey, CodeLinks};
use matching::packed::Label;
use matching::{
    CodeFamily, CodeSource, Day, Form, FormationRow, Identifier, Level, Nomenclatures, Options, Path, Resolution,
    Resolver,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use store::Reader;
use store::kv::KeyValue;
use store::search::{PlaceTable, Subject, code_key};

/// Codes that are told, at most; `total` counts the others.
pub const CHOICES_MAX: usize = 20;
/// Bytes of what goes along to the document: it stands in every address.
const CARRIED_MAX: usize = 1_024;
/// The parameters that are this route's own. All others go along.
const OWN: [&str; 6] = ["uai", "region", "maille", "lieu", "voie", "date_campagne"];
/// The three ways to a diploma, as `voie` names them.
const VOIES: [&str; 3] = ["scolaire", "apprentissage", "superieur"];

/// A code of an entry of Certif Info. No catalogue has this column.
const ENTRY: Identifier = Identifier {
    source: CodeSource("CERTIFINFO"),
    path: Path::Entry,
    list: false,
    secondary: Some(50),
    higher: Some(50),
};

/// A register whose identifiers lead to certifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifierSystem {
    /// The national directory of certifications.
    Rncp,
    /// Formations of Onisep.
    Ideo,
    /// The national courses of secondary education, ten digits.
    Mef,
    /// Entries of Certif Info.
    CertifInfo,
}

impl IdentifierSystem {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Rncp, Self::Ideo, Self::Mef, Self::CertifInfo];

    /// Its name in addresses; small letters are taken too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rncp => "RNCP",
            Self::Ideo => "IDEO",
            Self::Mef => "MEF",
            Self::CertifInfo => "CERTIFINFO",
        }
    }

    /// The form that is expected of its codes, for people.
    #[must_use]
    pub fn form(self) -> &'static str {
        match self {
            Self::Rncp => "RNCP12345, RNCP 12345 ou 12345 : un numéro de 6 chiffres au plus",
            Self::Ideo => "FOR.1234, FOR 1234 ou 1234 : l'identifiant d'une formation de l'Onisep",
            Self::Mef => "2473311531 : 10 chiffres (un MEFSTAT11, de 11 caractères, est déjà un code de certification)",
            Self::CertifInfo => "54321 : le numéro d'une fiche Certif Info, 7 chiffres au plus",
        }
    }

    fn source(self) -> CodeSource {
        match self {
            Self::Rncp => CodeSource::RNCP,
            Self::Ideo => CodeSource::IDEO,
            Self::Mef => CodeSource::MEF,
            Self::CertifInfo => ENTRY.source,
        }
    }

    /// A MEF is of a school; the others say nothing of the voie.
    fn voie(self) -> Option<&'static str> {
        (self == Self::Mef).then_some("scolaire")
    }

    fn of_name(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.name().eq_ignore_ascii_case(text.trim()))
    }

    /// A code as the registers write it, from the forms in which people write it; `None` for what is none.
    ///
    /// ```
    /// use api::identifiers::IdentifierSystem::{Ideo, Rncp};
    /// assert_eq!(Rncp.read("rncp 04911").as_deref(), Some("RNCP4911"));
    /// assert_eq!(Ideo.read("for.1234").as_deref(), Some("FOR.1234"));
    /// assert_eq!(Rncp.read("RNCP"), None);
    /// ```
    #[must_use]
    pub fn read(self, text: &str) -> Option<String> {
        // A no-break space is a space to who copies a code from a page.
        let text = text.trim().to_uppercase();
        let letters = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (prefix, rest) = text.split_at_checked(letters)?;
        let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '.' | '-' | ':'));
        let number = |most: usize| {
            let digits = rest.trim_start_matches('0');
            let fits = rest.bytes().all(|b| b.is_ascii_digit()) && (1..=most).contains(&digits.len());
            fits.then_some(digits)
        };
        match self {
            Self::Rncp if matches!(prefix, "" | "RNCP") => Some(["RNCP", number(6)?].concat()),
            Self::Ideo if prefix.len() <= 12 => {
                Some([if prefix.is_empty() { "FOR" } else { prefix }, ".", number(7)?].concat())
            }
            Self::Mef if prefix.is_empty() => {
                let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                (digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
            }
            Self::CertifInfo if prefix.is_empty() => number(7).map(str::to_owned),
            _ => None,
        }
    }
}

/// Answers `/api/inserjeunes/identifiants/{systeme}/{code}`.
pub async fn respond<M: Runtime>(runtime: &M, request: Request) -> Response {
    let response = match handle(runtime, &request).await {
        Ok(response) => response,
        Err(refusal) => refusal.response(),
    };
    response.finish(runtime, &request).await
}

/// Why there is no code.
#[derive(Debug)]
enum IdentifierRefusal {
    Error(ApiError),
    /// 400: what is wrong, and what is expected.
    Form(String, String),
    /// 404: what was looked for, what to do, and what to search for.
    Nothing(String, String, String),
    /// 503: nothing to match with is published.
    NotYet,
}

impl<E: Into<ApiError>> From<E> for IdentifierRefusal {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl IdentifierRefusal {
    fn response(self) -> Response {
        match self {
            Self::Error(error) => error.response(),
            Self::Form(message, help) => helped(400, &message, &help, "identifiant").with("cache-control", "no-store"),
            Self::Nothing(message, help, searched) => {
                let response = helped(404, &message, &help, "identifiant-inconnu");
                let response = response.with("cache-control", "public, max-age=60");
                if searched.is_empty() {
                    response
                } else {
                    response.link(WebLink::new(["api/recherche?q=", &searched].concat(), "search"))
                }
            }
            Self::NotYet => {
                let [message, help] = NOT_YET_PUBLISHED;
                helped(503, message, help, "indisponible").with("cache-control", "no-store")
            }
        }
    }
}

/// What is asked for.
#[derive(Debug)]
struct IdentifierDemand {
    system: IdentifierSystem,
    /// As the register writes it.
    code: String,
    voie: Option<&'static str>,
    options: Options,
    /// What stands before the code in the path of a document, and behind it.
    around: [String; 2],
}

async fn handle<M: Runtime>(runtime: &M, request: &Request) -> Result<Response, IdentifierRefusal> {
    read_body(request)?;
    let segments = request.segments();
    let ["api", "inserjeunes", "identifiants", system, code] = segments.as_slice() else {
        return Err(ApiError::UnknownRoute.into());
    };
    if system.is_empty() || code.is_empty() {
        return Err(ApiError::UnknownRoute.into());
    }
    if let Some(response) = routes::by_method(request)? {
        return Ok(response);
    }
    let demand = IdentifierDemand::read(request, &read_segment(system)?, &read_segment(code)?, runtime.now_ms())?;
    let base = links::base(runtime, request).await;
    let reader = open(runtime, runtime.monotonic_ms()).await?;
    let fallback = reader.clone().previous();
    let found = match (serve(reader, &demand, &base).await, fallback) {
        // A missing or damaged value is a fault: the whole request starts again, one generation back.
        (Err(IdentifierRefusal::Error(ApiError::Unavailable)), Some(previous)) => {
            runtime.note(LogFact::Pointer(previous.shared_pointer()));
            serve(previous, &demand, &base).await
        }
        (found, _) => found,
    }?;
    let status = if found.location.is_some() { 307 } else { 300 };
    let response = Response::new(status, JSON, found.body.to_string().into_bytes()).with("cache-control", AGE);
    let response = response.compress(request);
    Ok(match found.location {
        Some(location) => response.with("location", location),
        None => response,
    })
}

fn form(message: impl Into<String>, help: impl Into<String>) -> IdentifierRefusal {
    IdentifierRefusal::Form(message.into(), help.into())
}

/// What a client wrote, as far as it is told again.
fn told(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

fn in_segment(text: &str) -> String {
    escaped(text, |b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b':'))
}

impl IdentifierDemand {
    fn read(request: &Request, system: &str, code: &str, now_ms: i64) -> Result<Self, IdentifierRefusal> {
        let Some(known) = IdentifierSystem::of_name(system) else {
            let systems = IdentifierSystem::ALL.map(|system| [system.name(), " (", system.form(), ")"].concat());
            let message = format!("Système d'identifiants inconnu : {}", told(system));
            let help = format!("Systèmes : {}.", systems.join(" ; "));
            return Err(IdentifierRefusal::Nothing(message, help, String::new()));
        };
        let Some(read) = known.read(code) else {
            let message = format!("{} : « {} » n'en a pas la forme", known.name(), told(code));
            // Whoever holds a code of a certification has no need of this route.
            let own = CodeCertification::parse(code.trim()).map(|code| identifier(&code));
            let help = match own {
                Some(own) => format!(
                    "Forme attendue : {}. {own} est un code de certification : /api/inserjeunes/certifications/{own}",
                    known.form()
                ),
                None => format!("Forme attendue : {}.", known.form()),
            };
            return Err(form(message, help));
        };
        let mut own: [Option<String>; OWN.len()] = Default::default();
        for (name, values) in request.parameters()? {
            let Some(place) = OWN.iter().position(|own| *own == name).and_then(|rank| own.get_mut(rank)) else {
                continue;
            };
            match <[String; 1]>::try_from(values) {
                Ok([value]) if !value.trim().is_empty() => *place = Some(value),
                _ => {
                    return Err(form(
                        format!("{name} : une seule valeur, non vide, est attendue"),
                        "Retirer la répétition.",
                    ));
                }
            }
        }
        let [uai, region, maille, place, voie, campaign] = own;
        let start = match (&uai, &region, &maille, &place) {
            (None, None, None, None) => "certifications/".to_owned(),
            (Some(uai), None, None, None) => ["formations/", &in_segment(uai), "-"].concat(),
            (None, Some(region), None, None) => ["regionales/", &in_segment(region), "/certifications/"].concat(),
            (None, None, Some(maille), Some(place)) => {
                ["mailles/", &in_segment(maille), "/", &in_segment(place), "/certifications/"].concat()
            }
            _ => {
                return Err(form(
                    "Un lieu au plus est attendu",
                    "uai, ou region, ou maille avec lieu ; sans eux, le document national.",
                ));
            }
        };
        let voie = match voie {
            None => known.voie(),
            Some(text) => {
                Some(VOIES.into_iter().find(|voie| voie.eq_ignore_ascii_case(text.trim())).ok_or_else(|| {
                    form(format!("voie : « {} » inconnue", told(&text)), format!("Voies : {}.", VOIES.join(", ")))
                })?)
            }
        };
        let today = write_day(now_ms);
        let campaign = campaign.unwrap_or_else(|| [today.get(..4).unwrap_or_default(), "-08-31"].concat());
        let campaign = Day::read(&campaign).filter(|_| campaign.len() == 10).ok_or_else(|| {
            let message = format!("date_campagne : « {} » n'est pas une date", told(&campaign));
            form(message, "Une date s'écrit 2026-08-31. Sans ce paramètre : le 31 août de l'année.")
        })?;
        let [first, others @ ..] = OWN;
        let [a, b, c, d, e] = others;
        // A key goes nowhere in an answer.
        let carried = request.query_without(&[first, a, b, c, d, e, KEY_IN_QUERY]).join("&");
        if carried.len() > CARRIED_MAX {
            return Err(form(
                "L'adresse porte plus de 1 024 octets de paramètres",
                "Demander moins de champs à la fois.",
            ));
        }
        let safe = |b: u8| {
            b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#')
        };
        let query = if carried.is_empty() { carried } else { ["?", &escaped(&carried, safe)].concat() };
        Ok(Self { system: known, code: read, voie, options: Options::of_campaign(campaign), around: [start, query] })
    }

    /// The address of the document of a code: what stands before all addresses comes first.
    fn address(&self, base: &str, code: &CodeCertification) -> String {
        let [start, query] = &self.around;
        [base, "api/inserjeunes/", start, &identifier(code), query].concat()
    }
}

/// A code as the API's paths take it.
fn identifier(code: &CodeCertification) -> String {
    if code.code_type() == CodeType::Sise { ["SISE:", code.as_str()].concat() } else { code.as_str().to_owned() }
}

/// A code that an identifier leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ReachedCode {
    level: Level,
    voie: &'static str,
    code: CodeCertification,
}

/// Every code of the resolver's answers.
fn reached(resolutions: &[Resolution]) -> Vec<ReachedCode> {
    let of_voie = |one: &Resolution| match (one.family, one.form) {
        (CodeFamily::Higher, _) => "superieur",
        // The row is asked for as one of a school.
        (CodeFamily::Secondary, Form::Normal) => "scolaire",
        (CodeFamily::Secondary, Form::Inverse) => "apprentissage",
    };
    let codes = |one: &Resolution| {
        let (level, voie) = (one.level, of_voie(one));
        one.codes.iter().map(move |code| ReachedCode { level, voie, code: code.clone() }).collect::<Vec<_>>()
    };
    resolutions.iter().flat_map(codes).collect()
}

/// Adds the MEFSTAT11s with data of the CFDs that were reached, as the search knows them, where the resolver led to none that
/// has data: a row of Parcoursup is led to the one code that its rules choose, a reader wants the documents of the diploma.
async fn with_schools<K: KeyValue>(reader: &Reader<K>, codes: &mut Vec<ReachedCode>) -> Result<(), ApiError> {
    let (mut cfds, mut served) = (BTreeSet::new(), BTreeSet::new());
    for one in &*codes {
        match one.code.code_type() {
            CodeType::Cfd if cfds.len() < CHOICES_MAX => drop(cfds.insert((one.level, one.code.clone()))),
            CodeType::Mef if reader.places(&code_key(one.code.as_str())).await?.is_some() => {
                served.insert(one.level);
            }
            _ => {}
        }
    }
    for (level, cfd) in cfds.into_iter().filter(|(level, _)| !served.contains(level)) {
        let card = reader.card(Subject::Certification, cfd.as_str()).await?;
        for other in card.iter().flat_map(|card| &card.codes).filter(|other| other.has_data) {
            if let Some(code) = CodeCertification::parse(&other.code).filter(|code| code.code_type() == CodeType::Mef) {
                codes.push(ReachedCode { level, voie: "scolaire", code });
            }
        }
    }
    Ok(())
}

/// Those of the first level that yields any, of one voie or of all, in the order of their voies.
fn of_voie(mut all: Vec<ReachedCode>, voie: Option<&str>) -> Vec<ReachedCode> {
    all.retain(|one| voie.is_none_or(|voie| voie == one.voie));
    all.sort_unstable();
    all.dedup();
    let level = all.first().map(|first| first.level);
    all.retain(|one| Some(one.level) == level);
    all
}

/// What an identifier leads to.
struct FoundDocuments {
    body: Value,
    /// Of the one document.
    location: Option<String>,
}

async fn serve<K: KeyValue>(
    reader: Reader<K>,
    demand: &IdentifierDemand,
    base: &str,
) -> Result<FoundDocuments, IdentifierRefusal> {
    let data = MatchingData::open(reader, None, None).await?.ok_or(IdentifierRefusal::NotYet)?;
    let nomenclatures = Nomenclatures::default().with(ENTRY);
    let row =
        FormationRow::read(
            &nomenclatures,
            |column| {
                if column == demand.system.source().0 { demand.code.as_str() } else { "" }
            },
        );
    let resolutions =
        data.settle(|packed, _| Resolver::new(packed, &nomenclatures, demand.options).resolve(&row)).await?;
    let mut all = reached(&resolutions);
    // A MEF names one course of a school.
    if demand.system != IdentifierSystem::Mef && demand.voie.is_none_or(|voie| voie == "scolaire") {
        with_schools(data.reader(), &mut all).await?;
    }
    let elsewhere = !all.is_empty();
    let codes = of_voie(all, demand.voie);
    let total = codes.len();
    if codes.is_empty() {
        return Err(nothing(&data, demand, elsewhere).await?);
    }
    let mut choices = Vec::new();
    for one in codes.iter().take(CHOICES_MAX) {
        let places = data.reader().places(&code_key(one.code.as_str())).await?;
        let label = match places.as_ref().map(label_of).filter(|label| !label.libelle.is_empty()) {
            Some(label) => label,
            None => data.settle(|packed, _| packed.label(&one.code)).await?,
        };
        let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        let kind = match one.code.code_type() {
            CodeType::Cfd => "CFD",
            CodeType::Mef => "MEFSTAT11",
            CodeType::Sise => "SISE",
        };
        choices.push(json!({
            "identifiant": identifier(&one.code),
            "type": kind,
            "voie": one.voie,
            "anciennete": one.level.as_str(),
            "libelle": text(&label.libelle),
            "diplome": text(&label.diplome),
            "donnees": places.is_some(),
            "adresse": demand.address(base, &one.code),
        }));
    }
    let alone = codes.first().filter(|one| total == 1 && one.level == Level::Itself);
    let location = alone.map(|one| demand.address(base, &one.code));
    let help = if location.is_some() {
        "Un seul code : suivre l'adresse."
    } else if codes.iter().any(|one| one.level != Level::Itself) {
        "Cet identifiant ne mène lui-même à aucun code : ceux-ci sont de la fiche qui le précède ou le suit. Choisir, puis suivre l'adresse."
    } else {
        "Plusieurs codes : en choisir un, puis suivre son adresse. voie=scolaire, apprentissage ou superieur restreint le choix ; donnees dit si un document est publié sous ce code, où que ce soit."
    };
    let body = json!({
        "systeme": demand.system.name(),
        "code": demand.code,
        "total": total,
        "choix": choices,
        "aide": help,
        "generation": data.generation(),
    });
    Ok(FoundDocuments { body, location })
}

/// How a certification with documents is called.
fn label_of(places: &PlaceTable) -> Label {
    let mut label = Label::default();
    for row in places.0.iter().filter(|row| row.first().is_some_and(|kind| kind == "0")) {
        for (known, rank) in [(&mut label.libelle, 1), (&mut label.diplome, 2)] {
            if let Some(text) = row.get(rank).filter(|_| known.is_empty()) {
                known.clone_from(text);
            }
        }
    }
    label
}

/// Why an identifier leads to no code. The inner refusal is the answer.
async fn nothing<K: KeyValue>(
    data: &MatchingData<K>,
    demand: &IdentifierDemand,
    elsewhere: bool,
) -> Result<IdentifierRefusal, ApiError> {
    let code = demand.code.as_str();
    let known = data
        .settle(|packed, _| match demand.system {
            IdentifierSystem::Rncp => {
                !packed.certif_info(CertifInfoKey::Rncp(code.trim_start_matches("RNCP"))).is_empty()
            }
            IdentifierSystem::Ideo => {
                !packed.certif_info(CertifInfoKey::Ideo(code)).is_empty() || !packed.onisep(code).is_empty()
            }
            IdentifierSystem::Mef => !packed.mef(code).is_empty(),
            IdentifierSystem::CertifInfo => !packed.certif_info(CertifInfoKey::Entry(code)).is_empty(),
        })
        .await?;
    let name = demand.system.name();
    let of_voie = demand.voie.map(|voie| [", voie ", voie].concat()).unwrap_or_default();
    let message = format!("Aucune certification pour l'identifiant {name} {code}{of_voie}");
    let searched = format!("Chercher la certification par ses mots : /api/recherche?q={code}");
    let help = if elsewhere {
        "Dans une autre voie il y en a : retirer le paramètre voie.".to_owned()
    } else if known {
        format!(
            "L'identifiant est connu, mais ne mène à aucun CFD, MEFSTAT11 ou code SISE de la nomenclature. {searched}"
        )
    } else {
        format!(
            "Aucune des tables publiées (Certif Info, RNCP, Onisep, MEF) ne le porte : vérifier le système et le numéro. {searched}"
        )
    };
    Ok(IdentifierRefusal::Nothing(message, help, code.to_owned()))
}
