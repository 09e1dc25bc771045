//! Tokens, made from their recorded description and held against it.

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::SystemTime;

/// A recorded description of a token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its header.
    pub header: Value,
    /// Its payload, without the two instants.
    pub payload: Map<String, Value>,
    /// When it was issued.
    #[serde(default)]
    pub iat: Option<String>,
    /// When it ends.
    #[serde(default)]
    pub exp: Option<String>,
    /// How long it lives; told by the two instants.
    #[serde(default)]
    pub ttl_seconds: Option<f64>,
    /// What it is signed with; in parentheses: any other secret than the server's.
    pub secret: String,
}

impl Token {
    fn claims(&self) -> anyhow::Result<Map<String, Value>> {
        let mut claims = self.payload.clone();
        for (name, instant) in [("iat", &self.iat), ("exp", &self.exp)] {
            if let Some(instant) = instant {
                claims.insert(name.to_owned(), seconds(instant)?.into());
            }
        }
        Ok(claims)
    }

    /// The token.
    ///
    /// # Errors
    /// Where its algorithm is unknown.
    pub fn sign(&self) -> anyhow::Result<String> {
        let secret = match self.secret.strip_prefix('(') {
            Some(_) => "a secret that is not the server's",
            None => &self.secret,
        };
        let claims = Value::Object(self.claims()?);
        let signed = format!("{}.{}", BASE64.encode(self.header.to_string()), BASE64.encode(claims.to_string()));
        let signature = match self.header["alg"].as_str() {
            Some("HS256") => mac::<Hmac<sha2::Sha256>>(secret, &signed)?,
            Some("HS384") => mac::<Hmac<sha2::Sha384>>(secret, &signed)?,
            Some("HS512") => mac::<Hmac<sha2::Sha512>>(secret, &signed)?,
            Some("none") => String::new(),
            other => bail!("no way to sign with {other:?}"),
        };
        Ok(format!("{signed}.{signature}"))
    }

    /// Holds an issued token against the description.
    ///
    /// # Errors
    /// What differs.
    pub fn check(&self, token: &str) -> anyhow::Result<()> {
        let mut parts = token.split('.');
        let mut part = || parts.next().context("the token has three parts");
        let (header, claims, signature) = (part()?, part()?, part()?);
        let read = |part: &str| {
            anyhow::Ok(serde_json::from_slice::<Value>(&BASE64.decode(part).map_err(anyhow::Error::msg)?)?)
        };
        ensure!(read(header)? == self.header, "header {}, not {}", read(header)?, self.header);
        let expected = Value::Object(self.claims()?);
        ensure!(read(claims)? == expected, "claims {}, not {expected}", read(claims)?);
        let right = mac::<Hmac<sha2::Sha256>>(&self.secret, &format!("{header}.{claims}"))?;
        ensure!(signature == right, "the signature is not the server's");
        Ok(())
    }
}

fn mac<M: Mac + hmac::digest::KeyInit>(secret: &str, text: &str) -> anyhow::Result<String> {
    let mut mac = <M as hmac::digest::KeyInit>::new_from_slice(secret.as_bytes()).map_err(anyhow::Error::msg)?;
    mac.update(text.as_bytes());
    Ok(BASE64.encode(mac.finalize().into_bytes()))
}

/// Seconds since 1970 of a recorded instant.
///
/// # Errors
/// Where it is no instant.
pub fn seconds(instant: &str) -> anyhow::Result<u64> {
    let instant = host::testing::parse_instant(instant).map_err(anyhow::Error::msg)?;
    Ok(instant.duration_since(SystemTime::UNIX_EPOCH)?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_token_is_made_and_recognised() {
        let token: Token = serde_json::from_value(serde_json::json!({
            "header": {"alg": "HS256", "typ": "JWT"},
            "payload": {"sub": "1234567890", "name": "John Doe"},
            "iat": "2018-01-18T01:30:22Z",
            "secret": "your-256-bit-secret"
        }))
        .unwrap();
        let known = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        assert_eq!(token.sign().unwrap(), known);
        token.check(known).unwrap();
        assert!(token.check(&known.replace("Sfl", "Sfm")).is_err());
    }
}
