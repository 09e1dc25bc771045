//! Where the statistical services are: the variables of the application, read into [`sources::Config`].
//!
//! A service has two variables for its address. `…_origine` (`https://host[:port]`) is also what the manifest grants
//! to the import, as a template: an empty one grants nothing and leaves the service out, and one with a path would make
//! the runtime refuse every call of the component. So it is checked here before any call. `…_chemin` is the rest of the
//! address; its default is the service's own.

use crate::Monde;
use sources::{Config, Secret};

/// Every variable of the services, as the manifest hands them to the import.
pub const VARIABLES: [&str; 21] = [
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
];

/// Variables that make no address. Their values are not repeated: they may hold what should not be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariablesFausses(Vec<String>);

impl std::fmt::Display for VariablesFausses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fautes = self.0.join(" ; ");
        write!(f, "{fautes}. Tant qu'une origine est fausse, aucun service ne peut être appelé")
    }
}

impl std::error::Error for VariablesFausses {}

/// The services, as the variables of the application say.
///
/// # Errors
/// [`VariablesFausses`] names each variable at fault and says what it should be.
pub async fn configuration<M: Monde>(monde: &M) -> Result<Config, VariablesFausses> {
    let mut fautes = Vec::new();
    let secret = async |nom: &str| Secret::new(monde.variable(nom).await.trim());
    let mut adresse = async |service: &str| {
        let (origine, chemin) = (format!("{service}_origine"), format!("{service}_chemin"));
        let (o, c) = (monde.variable(&origine).await, monde.variable(&chemin).await);
        composer(&o, &c).unwrap_or_else(|faute| {
            fautes.push(match faute {
                Faute::Origine => format!("La variable {origine} doit être une origine : https://hote ou https://hote:port, sans chemin ni astérisque"),
                Faute::Chemin => format!("La variable {chemin} doit commencer par « / » et ne contenir ni espace ni « # »"),
            });
            String::new()
        })
    };
    // The calls add their own paths to a base; InserSup and ACCE are asked at the whole address.
    let base = |adresse: String| adresse.trim_end_matches('/').to_owned();
    let inserjeunes_url = base(adresse("inserjeunes").await);
    let insersup_url = adresse("insersup").await;
    let insersup_national_url = base(adresse("insersup_national").await);
    let bcn_url = base(adresse("bcn").await);
    let catalogue_url = base(adresse("catalogue").await);
    let acce_url = adresse("acce").await;
    if !fautes.is_empty() {
        return Err(VariablesFausses(fautes));
    }
    Ok(Config {
        inserjeunes_url,
        inserjeunes_username: secret("inserjeunes_username").await,
        inserjeunes_password: secret("inserjeunes_password").await,
        insersup_url,
        insersup_key: secret("insersup_key").await,
        insersup_national_url,
        insersup_national_source: monde.variable("insersup_national_source").await.trim().to_owned(),
        bcn_url,
        bcn_key: secret("bcn_key").await,
        bcn_login: secret("bcn_login").await,
        bcn_password: secret("bcn_password").await,
        catalogue_url,
        catalogue_username: secret("catalogue_username").await,
        catalogue_password: secret("catalogue_password").await,
        acce_url,
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Faute {
    Origine,
    Chemin,
}

/// An address of its two halves; empty where there is no origin: the service is not configured.
fn composer(origine: &str, chemin: &str) -> Result<String, Faute> {
    let (origine, chemin) = (origine.trim(), chemin.trim());
    // The runtime lets a single slash at the end pass, so it does here.
    let origine = origine.strip_suffix('/').unwrap_or(origine);
    if origine.is_empty() {
        return Ok(String::new());
    }
    let hote = ["https://", "http://"].iter().find_map(|schema| origine.strip_prefix(schema));
    let hote = hote.ok_or(Faute::Origine)?;
    let (nom, port) = match hote.rsplit_once(':') {
        Some((nom, port)) if !port.contains(']') => (nom, Some(port)),
        _ => (hote, None),
    };
    let crochets = nom.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let nom_vrai = match crochets {
        Some(ipv6) => ipv6.parse::<core::net::Ipv6Addr>().is_ok(),
        None => !nom.is_empty() && nom.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
    };
    if !nom_vrai || port.is_some_and(|p| p.parse::<u16>().is_err()) {
        return Err(Faute::Origine);
    }
    let chemin_vrai = chemin.is_empty() || chemin.starts_with('/');
    if !chemin_vrai || chemin.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#') {
        return Err(Faute::Chemin);
    }
    Ok(format!("{origine}{chemin}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use std::collections::BTreeMap;
    use std::rc::Rc;
    use store::kv::{KeyValue, StoreError};
    use store::lecture::Cache;

    #[derive(Clone)]
    struct Vide;

    impl KeyValue for Vide {
        async fn get(&self, _: &str) -> Result<Option<Vec<u8>>, StoreError> {
            Ok(None)
        }
    }

    struct Variables(BTreeMap<&'static str, &'static str>);

    impl Monde for Variables {
        type Kv = Vide;

        fn kv(&self) -> Vide {
            Vide
        }

        fn cache(&self) -> Rc<Cache> {
            Rc::new(Cache::new())
        }

        async fn variable(&self, nom: &str) -> String {
            assert!(VARIABLES.contains(&nom), "{nom} is not in the list");
            self.0.get(nom).copied().unwrap_or_default().to_owned()
        }

        fn maintenant_ms(&self) -> i64 {
            0
        }

        fn monotone_ms(&self) -> u64 {
            0
        }
    }

    fn lire(variables: &[(&'static str, &'static str)]) -> Result<Config, String> {
        block_on(configuration(&Variables(variables.iter().copied().collect()))).map_err(|e| e.to_string())
    }

    #[test]
    fn an_address_is_an_origin_and_a_path() {
        let config = lire(&[
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
        assert_eq!(lire(&[("inserjeunes_chemin", "/api/v1.0")]).unwrap().inserjeunes_url, "");
    }

    #[test]
    fn every_wrong_variable_is_named_and_no_value_repeated() {
        for origine in [
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
            let faute = lire(&[("inserjeunes_origine", origine)]).unwrap_err();
            assert!(faute.starts_with("La variable inserjeunes_origine doit être une origine"), "{origine}: {faute}");
            assert!(!faute.contains("ij.example") && !faute.contains("motdepasse"), "{faute}");
        }
        let faute =
            lire(&[("bcn_origine", "bcn"), ("acce_origine", "https://acce"), ("acce_chemin", "acce.csv")]).unwrap_err();
        assert!(faute.contains("bcn_origine") && faute.contains("acce_chemin"), "{faute}");
    }
}
