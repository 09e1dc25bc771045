//! What a run is asked for, and the lots it is made of.

use serde::{Deserialize, Serialize};
use sources::{Call, Service, plan};
use std::fmt;
use treatments::TreatmentSettings;
use treatments::inserjeunes::regions_to_ask;

/// The millesimes that are asked for, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Millesimes {
    /// National statistics of secondary education: years.
    pub certifications: Vec<String>,
    /// National statistics of higher education: years or periods.
    pub certifications_sup: Vec<String>,
    /// Regional statistics: periods.
    pub regionales: Vec<String>,
    /// Statistics of establishments, secondary education: periods.
    pub formations: Vec<String>,
    /// Statistics of establishments, higher education: periods; their years come along.
    pub formations_sup: Vec<String>,
}

/// What the deployment says about runs. A run keeps the one it was opened with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The services that have an address. What comes from the others is taken as it was pushed.
    pub services: Vec<Service>,
    /// What is asked for.
    pub millesimes: Millesimes,
    /// Which treatments are turned off.
    #[serde(rename = "reglages")]
    pub settings: TreatmentSettings,
    /// How often a call that fails is taken up again, in later steps, before the run fails.
    #[serde(rename = "reprises")]
    pub retries: u32,
    /// How long the first of these waits, in seconds; each further one waits twice as long.
    #[serde(rename = "attente_s")]
    pub wait_s: u32,
}

/// What one run does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Asks these services only; empty: all.
    #[serde(default)]
    pub sources: Vec<Service>,
    /// Asks for these millesimes only; empty: all, and what has no millesime.
    #[serde(default)]
    pub millesimes: Vec<String>,
    /// Asks nothing: the treatments run again on what is staged.
    #[serde(rename = "rejouer", default)]
    pub replay: bool,
}

/// What is asked, staged and replaced together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lot {
    /// The tables of the BCN.
    Bcn,
    /// The ACCE file.
    Acce,
    /// The catalogue of apprenticeships.
    Catalogue,
    /// InserJeunes, national, of a year.
    France(String),
    /// InserJeunes by region, of a period.
    Regions(String),
    /// InserJeunes by establishment, of a period.
    Etablissements(String),
    /// InserSup by establishment: everything at once.
    InserSup,
    /// InserSup, national, of a year or period.
    InserSupNational(String),
    /// The open file of Certif Info.
    CertifInfo,
    /// The formations of Onisep.
    Onisep,
    /// The passage table of Onisep.
    OnisepPassage,
    /// The mothers that ACCE knows.
    AcceMothers,
}

/// The lots that lead from one register to another: what the matching of catalogues goes through.
pub(crate) const LINKS: [Lot; 4] = [Lot::CertifInfo, Lot::Onisep, Lot::OnisepPassage, Lot::AcceMothers];

impl Lot {
    /// Its name in keys and reports.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Bcn => "bcn".to_owned(),
            Self::Acce => "acce".to_owned(),
            Self::Catalogue => "catalogue".to_owned(),
            Self::France(m) => format!("inserjeunes.france.{m}"),
            Self::Regions(m) => format!("inserjeunes.regions.{m}"),
            Self::Etablissements(m) => format!("inserjeunes.etablissements.{m}"),
            Self::InserSup => "insersup".to_owned(),
            Self::InserSupNational(m) => format!("insersup_national.{m}"),
            Self::CertifInfo | Self::Onisep | Self::OnisepPassage | Self::AcceMothers => {
                self.service().name().to_owned()
            }
        }
    }

    /// Whom it asks.
    #[must_use]
    pub fn service(&self) -> Service {
        match self {
            Self::Bcn => Service::Bcn,
            Self::Acce => Service::Acce,
            Self::Catalogue => Service::Catalogue,
            Self::France(_) | Self::Regions(_) | Self::Etablissements(_) => Service::InserJeunes,
            Self::InserSup => Service::InserSup,
            Self::InserSupNational(_) => Service::InserSupNational,
            Self::CertifInfo => Service::CertifInfo,
            Self::Onisep => Service::Onisep,
            Self::OnisepPassage => Service::OnisepPassage,
            Self::AcceMothers => Service::AcceMothers,
        }
    }

    /// Whether it is among what `millesimes` ask for.
    fn is_of(&self, millesimes: &[String], configuration: &Configuration) -> bool {
        match self {
            _ if millesimes.is_empty() => true,
            Self::France(m) | Self::Regions(m) | Self::Etablissements(m) | Self::InserSupNational(m) => {
                millesimes.contains(m)
            }
            Self::InserSup => configuration.millesimes.formations_sup.iter().any(|m| millesimes.contains(m)),
            Self::Bcn
            | Self::Acce
            | Self::Catalogue
            | Self::CertifInfo
            | Self::Onisep
            | Self::OnisepPassage
            | Self::AcceMothers => false,
        }
    }

    /// Whether the run fails where one of its calls does. Of thousands of establishments a few may.
    #[must_use]
    pub fn tolerates_failures(&self) -> bool {
        matches!(self, Self::Etablissements(_))
    }

    /// Whether its answers are large: they are made one at a time and staged while they come.
    pub(crate) fn is_large(&self) -> bool {
        !matches!(self, Self::Etablissements(_) | Self::Catalogue)
    }

    /// Whether an answer without a row means that something is wrong at the service.
    pub(crate) fn refuses_empty(&self) -> bool {
        matches!(self, Self::Bcn | Self::Acce | Self::Catalogue | Self::InserSup) || LINKS.contains(self)
    }

    /// Its calls, in order. `uais` are those of establishments, `total` the rows of the catalogue.
    pub(crate) fn calls(&self, uais: &[String], total: u64) -> Vec<Call> {
        let only = |m: &String| vec![m.clone()];
        match self {
            Self::Bcn => plan::bcn(),
            Self::Acce => vec![Call::Acce],
            Self::Catalogue => plan::catalogue(total).collect(),
            Self::France(m) => plan::inserjeunes_france(&only(m), &plan::FILIERES).collect(),
            Self::Regions(m) => {
                let regions = regions_to_ask().map(|r| r.region_academie_code);
                plan::inserjeunes_regions(regions, &only(m)).collect()
            }
            Self::Etablissements(m) => plan::inserjeunes_uais(uais.iter().map(String::as_str), &only(m)).collect(),
            Self::InserSup => vec![Call::InserSup],
            Self::InserSupNational(m) => plan::insersup_national(&only(m)).collect(),
            Self::CertifInfo => vec![Call::CertifInfo],
            Self::Onisep => vec![Call::Onisep],
            Self::OnisepPassage => vec![Call::OnisepPassage],
            Self::AcceMothers => vec![Call::AcceMothers],
        }
    }
}

impl fmt::Display for Lot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bcn => f.write_str("nomenclatures (BCN)"),
            Self::Acce => f.write_str("établissements (ACCE)"),
            Self::Catalogue => f.write_str("catalogue de l'apprentissage"),
            Self::France(m) => write!(f, "InserJeunes, France, {m}"),
            Self::Regions(m) => write!(f, "InserJeunes, régions, {m}"),
            Self::Etablissements(m) => write!(f, "InserJeunes, établissements, {m}"),
            Self::InserSup => f.write_str("InserSup, établissements"),
            Self::InserSupNational(m) => write!(f, "InserSup, France, {m}"),
            Self::CertifInfo => f.write_str("Certif Info"),
            Self::Onisep => f.write_str("formations de l'Onisep"),
            Self::OnisepPassage => f.write_str("table de passage de l'Onisep"),
            Self::AcceMothers => f.write_str("établissements mères (ACCE)"),
        }
    }
}

impl Configuration {
    pub(crate) fn a(&self, service: Service) -> bool {
        self.services.contains(&service)
    }

    pub(crate) fn millesimes(&self) -> impl Iterator<Item = &str> {
        let m = &self.millesimes;
        let lists = [&m.certifications, &m.certifications_sup, &m.regionales, &m.formations, &m.formations_sup];
        lists.into_iter().flatten().map(String::as_str)
    }

    /// Every lot of the configured services, in the order they are asked and treated.
    #[must_use]
    pub fn lots(&self) -> Vec<Lot> {
        let m = &self.millesimes;
        let by = |lot: fn(String) -> Lot, millesimes: &[String]| millesimes.iter().cloned().map(lot).collect();
        let lots: [Vec<Lot>; 9] = [
            vec![Lot::Bcn],
            vec![Lot::Acce],
            vec![Lot::Catalogue],
            LINKS.to_vec(),
            by(Lot::France, &m.certifications),
            by(Lot::Regions, &m.regionales),
            by(Lot::Etablissements, &m.formations),
            if m.formations_sup.is_empty() { Vec::new() } else { vec![Lot::InserSup] },
            by(Lot::InserSupNational, &m.certifications_sup),
        ];
        lots.into_iter().flatten().filter(|lot| self.a(lot.service())).collect()
    }

    /// The lots that a run asks for; of the others it takes what is staged.
    pub(crate) fn to_call(&self, demand: &Demand, staged: impl Fn(&Lot) -> bool) -> Vec<Lot> {
        let wanted = |lot: &Lot| {
            !demand.replay
                && (demand.sources.is_empty() || demand.sources.contains(&lot.service()))
                && lot.is_of(&demand.millesimes, self)
        };
        self.lots().into_iter().filter(|lot| wanted(lot) || (!demand.replay && !staged(lot))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration() -> Configuration {
        Configuration {
            services: Service::ALL.to_vec(),
            millesimes: Millesimes {
                certifications: vec!["2022".into(), "2023".into()],
                certifications_sup: vec!["2020_2021".into()],
                regionales: vec!["2021_2022".into()],
                formations: vec!["2021_2022".into()],
                formations_sup: vec!["2020_2021".into()],
            },
            ..Configuration::default()
        }
    }

    fn keys(demand: &Demand, staged: bool) -> Vec<String> {
        configuration().to_call(demand, |_| staged).iter().map(Lot::key).collect()
    }

    #[test]
    fn a_run_asks_for_what_it_is_told_and_for_what_was_never_staged() {
        assert_eq!(keys(&Demand::default(), true).len(), 13);
        let sources = Demand { sources: vec![Service::InserSup], ..Demand::default() };
        assert_eq!(keys(&sources, true), ["insersup"]);
        assert_eq!(keys(&sources, false).len(), 13, "nothing is staged yet");
        let millesime = Demand { millesimes: vec!["2021_2022".into()], ..Demand::default() };
        assert_eq!(keys(&millesime, true), ["inserjeunes.regions.2021_2022", "inserjeunes.etablissements.2021_2022"]);
        let sup = Demand { millesimes: vec!["2020_2021".into()], ..Demand::default() };
        assert_eq!(keys(&sup, true), ["insersup", "insersup_national.2020_2021"]);
        assert!(keys(&Demand { replay: true, ..Demand::default() }, false).is_empty());
    }

    #[test]
    fn a_service_without_address_is_not_asked() {
        let configuration = Configuration { services: vec![Service::Bcn, Service::InserJeunes], ..configuration() };
        assert!(configuration.lots().iter().all(|l| matches!(l.service(), Service::Bcn | Service::InserJeunes)));
    }
}
