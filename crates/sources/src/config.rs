//! Where the services are, and our credentials there.

use crate::call::Service;
use std::fmt;

/// A password, a key or a token. It prints as `***`; its text leaves through
/// [`Secret::expose`] only, into a header or body of a request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for a request.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing was configured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Variables of the services. Base URLs have no slash at their end. A service whose base URL is
/// empty is not configured: its calls fail with [`crate::SourceError::NotConfigured`].
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// InserJeunes, as in `https://host/api/v1.0`.
    pub inserjeunes_url: String,
    /// Its account.
    pub inserjeunes_username: Secret,
    /// Its password.
    pub inserjeunes_password: Secret,
    /// InserSup by establishment: the whole address.
    pub insersup_url: String,
    /// Its key (`X-Omogen-Api-Key`).
    pub insersup_key: Secret,
    /// Open data of higher education, as in `https://host/api/explore/v2.1`.
    pub insersup_national_url: String,
    /// Value of `source` that the national rows are filtered on; empty: no such filter.
    pub insersup_national_source: String,
    /// BCN, as in `https://host/bcnAPI`.
    pub bcn_url: String,
    /// Its key (`X-Omogen-Api-Key`).
    pub bcn_key: Secret,
    /// Its account.
    pub bcn_login: Secret,
    /// Its password.
    pub bcn_password: Secret,
    /// Catalogue de l'apprentissage, as in `https://host/api/v1`.
    pub catalogue_url: String,
    /// Its account.
    pub catalogue_username: Secret,
    /// Its password.
    pub catalogue_password: Secret,
    /// The ACCE file: the whole address. Empty where the file is pushed.
    pub acce_url: String,
    /// The open file of Certif Info: the whole address.
    pub certif_info_url: String,
    /// The formations of Onisep: the whole address.
    pub onisep_url: String,
    /// The passage table of Onisep: the whole address.
    pub onisep_passage_url: String,
    /// The mothers that ACCE knows: the whole address.
    pub acce_meres_url: String,
}

impl Config {
    /// The address of a service, and the variable that holds its origin.
    #[must_use]
    pub fn address(&self, service: Service) -> (&str, &'static str) {
        match service {
            Service::InserJeunes => (&self.inserjeunes_url, "inserjeunes_origine"),
            Service::InserSup => (&self.insersup_url, "insersup_origine"),
            Service::InserSupNational => (&self.insersup_national_url, "insersup_national_origine"),
            Service::Bcn => (&self.bcn_url, "bcn_origine"),
            Service::Acce => (&self.acce_url, "acce_origine"),
            Service::Catalogue => (&self.catalogue_url, "catalogue_origine"),
            Service::CertifInfo => (&self.certif_info_url, "certif_info_origine"),
            Service::Onisep => (&self.onisep_url, "onisep_origine"),
            Service::OnisepPassage => (&self.onisep_passage_url, "onisep_passage_origine"),
            Service::AcceMothers => (&self.acce_meres_url, "acce_meres_origine"),
        }
    }
}

impl Config {
    fn secrets(&self) -> [&Secret; 8] {
        [
            &self.inserjeunes_username,
            &self.inserjeunes_password,
            &self.insersup_key,
            &self.bcn_key,
            &self.bcn_login,
            &self.bcn_password,
            &self.catalogue_username,
            &self.catalogue_password,
        ]
    }

    /// A text of a service, cut to 200 characters, with every secret in it made unreadable.
    #[must_use]
    pub fn clear(&self, text: &str) -> String {
        let mut text: String = text.chars().filter(|c| !c.is_control()).collect();
        for secret in self.secrets() {
            if !secret.is_empty() {
                text = text.replace(&secret.0, "***");
            }
        }
        text.chars().take(200).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print() {
        let config = Config { bcn_password: "motdepasse".into(), bcn_url: "https://bcn".into(), ..Config::default() };
        assert!(!format!("{config:?}").contains("motdepasse"));
        assert_eq!(config.clear("refused: motdepasse\n"), "refused: ***");
        assert_eq!(config.clear(&"x".repeat(500)).len(), 200);
    }
}
