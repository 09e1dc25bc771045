//! Where the statistical services are: the variables of the application, read into [`sources::Config`].
//!
//! A service has two variables for its address. `…_origine` (`https://host[:port]`) is also what the manifest grants
//! to the import, as a template: an empty one grants nothing and leaves the service out, and one with a path would make
//! the runtime refuse every call of the component. So it is checked here before any call. `…_chemin` is the rest of the
//! address; its default is the service's own.

use api::{Runtime, VariableFault};
use sources::{Config, Secret};

/// Every variable of the services, as the manifest hands them to the import.
pub const VARIABLES: [&str; 29] = [
    "inserjeunes_origine",
    "inserjeunes_chemin",
    "inserjeunes_username",
    "inserjeunes_password",
    "insersup_origine",
    "insersup_chemin",
    "insersup_key",
    "insersup_national_origine",
    "insersup_national_chemin",
    "insersup_national_source",
    "bcn_origine",
    "bcn_chemin",
    "bcn_key",
    "bcn_login",
    "bcn_password",
    "catalogue_origine",
    "catalogue_chemin",
    "catalogue_username",
    "catalogue_password",
    "acce_origine",
    "acce_chemin",
    "certif_info_origine",
    "certif_info_chemin",
    "onisep_origine",
    "onisep_chemin",
    "onisep_passage_origine",
    "onisep_passage_chemin",
    "acce_meres_origine",
    "acce_meres_chemin",
];

/// Why the variables of the application do not say where the services are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrongVariables {
    /// Some make no address: what each should be. Their values are not repeated: they may hold what should not be shown.
    Invalid(Vec<String>),
    /// One could not be read.
    Unreadable(VariableFault),
}

impl std::fmt::Display for WrongVariables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(faults) => {
                let faults = faults.join(" ; ");
                write!(f, "{faults}. Tant qu'une origine est fausse, aucun service ne peut être appelé")
            }
            Self::Unreadable(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for WrongVariables {}

impl From<VariableFault> for WrongVariables {
    fn from(fault: VariableFault) -> Self {
        Self::Unreadable(fault)
    }
}

/// The services, as the variables of the application say.
///
/// # Errors
/// [`WrongVariables`] names each variable at fault and says what it should be.
pub async fn configuration<M: Runtime>(runtime: &M) -> Result<Config, WrongVariables> {
    let mut faults = Vec::new();
    let secret = async |name: &str| Ok::<_, VariableFault>(Secret::new(runtime.variable(name).await?.trim()));
    let mut address = async |service: &str| {
        let (origin, path) = (format!("{service}_origine"), format!("{service}_chemin"));
        let (o, c) = (runtime.variable(&origin).await?, runtime.variable(&path).await?);
        let address = compose(&o, &c).unwrap_or_else(|fault| {
            faults.push(match fault {
                AddressFault::Origin => format!("La variable {origin} doit être une origine : https://hote ou https://hote:port, sans chemin ni astérisque"),
                AddressFault::Path => format!("La variable {path} doit commencer par « / » et ne contenir ni espace ni « # »"),
            });
            String::new()
        });
        Ok::<_, VariableFault>(address)
    };
    // The calls add their own paths to a base; InserSup and the files are asked at the whole address.
    let base = |address: String| address.trim_end_matches('/').to_owned();
    let inserjeunes_url = base(address("inserjeunes").await?);
    let insersup_url = address("insersup").await?;
    let insersup_national_url = base(address("insersup_national").await?);
    let bcn_url = base(address("bcn").await?);
    let catalogue_url = base(address("catalogue").await?);
    let acce_url = address("acce").await?;
    let certif_info_url = address("certif_info").await?;
    let onisep_url = address("onisep").await?;
    let onisep_passage_url = address("onisep_passage").await?;
    let acce_meres_url = address("acce_meres").await?;
    if !faults.is_empty() {
        return Err(WrongVariables::Invalid(faults));
    }
    Ok(Config {
        inserjeunes_url,
        inserjeunes_username: secret("inserjeunes_username").await?,
        inserjeunes_password: secret("inserjeunes_password").await?,
        insersup_url,
        insersup_key: secret("insersup_key").await?,
        insersup_national_url,
        insersup_national_source: runtime.variable("insersup_national_source").await?.trim().to_owned(),
        bcn_url,
        bcn_key: secret("bcn_key").await?,
        bcn_login: secret("bcn_login").await?,
        bcn_password: secret("bcn_password").await?,
        catalogue_url,
        catalogue_username: secret("catalogue_username").await?,
        catalogue_password: secret("catalogue_password").await?,
        acce_url,
        certif_info_url,
        onisep_url,
        onisep_passage_url,
        acce_meres_url,
    })
}

#[derive(Debug, PartialEq, Eq)]
enum AddressFault {
    Origin,
    Path,
}

/// An address of its two halves; empty where there is no origin: the service is not configured.
fn compose(origin: &str, path: &str) -> Result<String, AddressFault> {
    let (origin, path) = (origin.trim(), path.trim());
    // The runtime lets a single slash at the end pass, so it does here.
    let origin = origin.strip_suffix('/').unwrap_or(origin);
    if origin.is_empty() {
        return Ok(String::new());
    }
    let host = ["https://", "http://"].iter().find_map(|schema| origin.strip_prefix(schema));
    let host = host.ok_or(AddressFault::Origin)?;
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let brackets = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let name_holds = match brackets {
        Some(ipv6) => ipv6.parse::<core::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    };
    if !name_holds || port.is_some_and(|p| p.parse::<u16>().is_err()) {
        return Err(AddressFault::Origin);
    }
    let path_holds = path.is_empty() || path.starts_with('/');
    if !path_holds || path.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#') {
        return Err(AddressFault::Path);
    }
    Ok(format!("{origin}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use std::collections::BTreeMap;
    use std::rc::Rc;
    use store::kv::{KeyValue, StoreError};
    use store::reading::Cache;

    #[derive(Clone)]
    struct Empty;

    impl KeyValue for Empty {
        async fn get(&self, _: &str) -> Result<Option<Vec<u8>>, StoreError> {
            Ok(None)
        }
    }

    struct Variables(BTreeMap<&'static str, &'static str>);

    impl Runtime for Variables {
        type Kv = Empty;

        fn kv(&self) -> Empty {
            Empty
        }

        fn cache(&self) -> Rc<Cache> {
            Rc::new(Cache::new())
        }

        async fn variable(&self, name: &str) -> Result<String, VariableFault> {
            assert!(VARIABLES.contains(&name), "{name} is not in the list");
            Ok(self.0.get(name).copied().unwrap_or_default().to_owned())
        }

        fn now_ms(&self) -> i64 {
            0
        }

        fn monotonic_ms(&self) -> u64 {
            0
        }
    }

    fn read(variables: &[(&'static str, &'static str)]) -> Result<Config, String> {
        block_on(configuration(&Variables(variables.iter().copied().collect()))).map_err(|e| e.to_string())
    }

    #[test]
    fn an_address_is_an_origin_and_a_path() {
        let config = read(&[
            ("inserjeunes_origine", "https://ij.example"),
            ("inserjeunes_chemin", "/api/v1.0/"),
            ("insersup_origine", "https://sup.example:8443/"),
            ("insersup_chemin", "/"),
            ("bcn_origine", "http://127.0.0.1:8080"),
            ("acce_origine", "http://[::1]:81"),
            ("acce_chemin", "/fichiers/acce.csv?v=2"),
            ("bcn_password", "secret "),
        ]);
        let config = config.unwrap();
        assert_eq!(config.inserjeunes_url, "https://ij.example/api/v1.0");
        assert_eq!(config.insersup_url, "https://sup.example:8443/");
        assert_eq!(config.bcn_url, "http://127.0.0.1:8080");
        assert_eq!(config.acce_url, "http://[::1]:81/fichiers/acce.csv?v=2");
        assert_eq!(config.bcn_password.expose(), "secret");
    }

    #[test]
    fn without_an_origin_a_service_is_left_out() {
        assert_eq!(read(&[("inserjeunes_chemin", "/api/v1.0")]).unwrap().inserjeunes_url, "");
    }

    #[test]
    fn every_wrong_variable_is_named_and_no_value_repeated() {
        for origin in [
            "ij.example",
            "https://ij.example/api",
            "https://compte:motdepasse@ij.example",
            "https://*",
            "https://*.example",
            "ftp://ij.example",
            "https://ij.example:port",
            "https://",
            "https://ij.example?x",
            "{{ inserjeunes }}",
        ] {
            let fault = read(&[("inserjeunes_origine", origin)]).unwrap_err();
            assert!(fault.starts_with("La variable inserjeunes_origine doit être une origine"), "{origin}: {fault}");
            assert!(!fault.contains("ij.example") && !fault.contains("motdepasse"), "{fault}");
        }
        let fault =
            read(&[("bcn_origine", "bcn"), ("acce_origine", "https://acce"), ("acce_chemin", "acce.csv")]).unwrap_err();
        assert!(fault.contains("bcn_origine") && fault.contains("acce_chemin"), "{fault}");
    }
}
