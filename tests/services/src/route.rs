//! What a request asks of which service.

use crate::Service;
use percent_encoding::percent_decode_str;
use sources::BcnTable;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Login,
    Uai {
        uai: String,
        millesime: String,
    },
    Region {
        region: String,
        millesime: String,
    },
    France {
        millesime: String,
        filiere: String,
    },
    InserSup,
    National {
        millesime: String,
    },
    Bcn(BcnTable),
    Acce,
    /// A file that leads from one register to another, by the service that has it.
    Links(Service),
    Catalogue {
        page: u64,
        limit: u64,
    },
}

/// Where a service lies behind its origin and its name.
pub(crate) fn base(service: Service) -> &'static str {
    match service {
        Service::InserJeunes => "/api/v1.0",
        Service::InserSup => "/",
        Service::InserSupNational => "/api/explore/v2.1",
        Service::Bcn => "/bcnAPI",
        Service::Acce => "/acce.csv",
        Service::Catalogue => "/api/v1",
        Service::CertifInfo => "/ouvert.csv",
        Service::Onisep => "/formations.json",
        Service::OnisepPassage => "/passage.json",
        Service::AcceMothers => "/meres.csv",
    }
}

/// Reads a request to a service: its path from the service's own root on.
pub(crate) fn asked(service: Service, method: &str, path: &str, query: &str) -> Option<Asked> {
    let rest = path.strip_prefix(base(service))?;
    let segments: Vec<String> = rest.split('/').filter(|s| !s.is_empty()).map(decode).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let pairs: Vec<(&str, String)> =
        query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name, decode(value))).collect();
    let number = |name: &str| pairs.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.parse().ok());
    match (service, method, segments.as_slice()) {
        (Service::InserJeunes, "POST", ["login"])
        | (Service::Bcn, "POST", ["auth", "login-extraction"])
        | (Service::Catalogue, "POST", ["auth", "login"]) => Some(Asked::Login),
        (Service::InserJeunes, "GET", ["UAI", uai, "millesime", millesime]) => {
            Some(Asked::Uai { uai: (*uai).to_owned(), millesime: (*millesime).to_owned() })
        }
        (Service::InserJeunes, "GET", ["region", region, "millesime", millesime]) => {
            Some(Asked::Region { region: (*region).to_owned(), millesime: (*millesime).to_owned() })
        }
        (Service::InserJeunes, "GET", ["france", "millesime", millesime, "filiere", filiere]) => {
            Some(Asked::France { millesime: (*millesime).to_owned(), filiere: (*filiere).to_owned() })
        }
        (Service::InserSup, "GET", []) => Some(Asked::InserSup),
        (Service::Acce, "GET", []) => Some(Asked::Acce),
        (Service::CertifInfo | Service::Onisep | Service::OnisepPassage | Service::AcceMothers, "GET", []) => {
            Some(Asked::Links(service))
        }
        (Service::InserSupNational, "GET", ["catalog", "datasets", "fr-esr-insersup", "exports", "json"]) => {
            let refined = |name: &str| {
                let values =
                    pairs.iter().filter(|(known, _)| *known == "refine").filter_map(|(_, v)| v.split_once(':'));
                values.filter(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
            };
            // The whole export is never asked for: it has every place and every part of a diploma.
            (refined("uo_lib") == ["National"]).then(|| Asked::National { millesime: refined("promo").join("_") })
        }
        (Service::Bcn, "GET", ["nomenclature", table]) => {
            let consulted = pairs.iter().any(|(name, value)| *name == "schema" && value == "consultation");
            let table = BcnTable::ALL.into_iter().find(|known| known.name() == *table)?;
            consulted.then_some(Asked::Bcn(table))
        }
        (Service::Catalogue, "GET", ["entity", "formations"]) => {
            Some(Asked::Catalogue { page: number("page").unwrap_or(1), limit: number("limit").unwrap_or(10) })
        }
        _ => None,
    }
}

/// Undoes percent-encoding, as a form writes it.
fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_understood_as_the_services_do() {
        let uai = asked(Service::InserJeunes, "GET", "/api/v1.0/UAI/075%2F1234/millesime/2018_2019", "");
        assert_eq!(uai, Some(Asked::Uai { uai: "075/1234".into(), millesime: "2018_2019".into() }));
        let path = "/api/explore/v2.1/catalog/datasets/fr-esr-insersup/exports/json";
        let query = "refine=uo_lib%3ANational&refine=promo%3A2020&refine=promo%3A2021&refine=source%3Ainsersup";
        let national = asked(Service::InserSupNational, "GET", path, query);
        assert_eq!(national, Some(Asked::National { millesime: "2020_2021".into() }));
        assert_eq!(asked(Service::InserSupNational, "GET", path, ""), None);
        assert_eq!(asked(Service::Bcn, "GET", "/bcnAPI/nomenclature/N_MEF", ""), None);
        assert_eq!(asked(Service::InserSup, "GET", "/", ""), Some(Asked::InserSup));
        assert_eq!(asked(Service::InserJeunes, "GET", "/api/v1.0/login", ""), None);
    }
}
