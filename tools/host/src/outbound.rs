//! Which outgoing requests a component may make: the rules of `allowed_outbound_hosts`.
//!
//! An entry is `scheme://host[:port]`. Scheme and port may be `*`; the port may be a range `a..b` (end excluded); the
//! host may be `*`, `*.domain`, an address, a network (`10.0.0.0/8`), `self` for this application, or
//! `name.spin.internal` for another of its components. An entry with a path is refused when the manifest is read. An
//! empty entry is skipped. An entry whose template does not resolve denies every outgoing request of the component.

use crate::variables::{Template, Variables};
use std::net::IpAddr;

/// The outgoing requests a component may make.
#[derive(Debug)]
pub struct Allowed(Result<Vec<Entry>, String>);

#[derive(Debug, PartialEq)]
struct Entry {
    /// `None`: any.
    scheme: Option<String>,
    host: Host,
    /// `None`: any.
    ports: Option<std::ops::Range<u32>>,
}

#[derive(Debug, PartialEq)]
enum Host {
    Any,
    Itself,
    Subdomain(String),
    Name(String),
    Network(IpAddr, u8),
}

impl Allowed {
    /// Parses a component's list. `Err` where a literal entry is malformed; a template that does not resolve to an
    /// entry is kept as the reason to deny everything.
    pub fn parse(entries: &[String], variables: &Variables) -> Result<Self, String> {
        let mut parsed = Vec::new();
        let mut fault = None;
        for entry in entries {
            let template = Template::parse(entry)?;
            if template.is_literal() {
                parsed.extend(Entry::parse(entry)?);
            } else {
                match template.resolve(variables).and_then(|text| Entry::parse(&text)) {
                    Ok(entry) => parsed.extend(entry),
                    Err(reason) => fault = Some(reason),
                }
            }
        }
        Ok(Self(fault.map_or(Ok(parsed), Err)))
    }

    /// Why everything is denied, where a template did not resolve.
    pub fn fault(&self) -> Option<&str> {
        self.0.as_ref().err().map(String::as_str)
    }

    /// Whether a request to this URI is allowed. A URI without a host is a request to the application itself.
    pub fn allows(&self, uri: &http::Uri) -> bool {
        let Ok(entries) = &self.0 else { return false };
        if is_self(uri) {
            let speaks = |entry: &Entry| entry.speaks("http") || entry.speaks("https");
            let itself = |entry: &Entry| matches!(entry.host, Host::Any | Host::Itself) && speaks(entry);
            return entries.iter().any(itself);
        }
        let scheme = uri.scheme_str().unwrap_or("https");
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        let port = uri.port_u16().or_else(|| usual_port(scheme));
        entries.iter().any(|entry| entry.speaks(scheme) && entry.host.covers(&host) && entry.covers_port(port))
    }
}

/// True for a request to the application itself: no host, or `self.alt` for SDKs that demand one.
pub fn is_self(uri: &http::Uri) -> bool {
    matches!(uri.host(), None | Some("" | "self.alt"))
}

/// The component that a `name.spin.internal` URI means.
pub fn internal_component(uri: &http::Uri) -> Option<&str> {
    uri.host()?.strip_suffix(".spin.internal").filter(|name| !name.contains('.'))
}

impl Entry {
    /// `Ok(None)` for an empty entry.
    fn parse(text: &str) -> Result<Option<Self>, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            format!("{text:?} is not an allowed outbound host: it must be <scheme>://<host>[:<port>]")
        })?;
        if scheme != "*" && (scheme.is_empty() || !scheme.chars().all(char::is_alphabetic)) {
            return Err(format!("{text:?}: scheme {scheme:?} is not a word"));
        }
        let (host, port) =
            if rest.starts_with('[') || rest.matches(':').count() == 1 { split_port(rest) } else { (rest, "") };
        let port = port.strip_suffix('/').unwrap_or(port);
        let host = host.strip_suffix('/').unwrap_or(host);
        Ok(Some(Self {
            scheme: (scheme != "*").then(|| scheme.to_ascii_lowercase()),
            host: Host::parse(host).map_err(|reason| format!("{text:?} {reason}"))?,
            ports: ports(port, scheme).map_err(|reason| format!("{text:?} {reason}"))?,
        }))
    }

    fn speaks(&self, scheme: &str) -> bool {
        self.scheme.as_deref().is_none_or(|own| own == scheme)
    }

    fn covers_port(&self, port: Option<u16>) -> bool {
        match (&self.ports, port) {
            (None, _) => true,
            (Some(range), Some(port)) => range.contains(&u32::from(port)),
            (Some(_), None) => false,
        }
    }
}

/// Splits `host:port`, minding the colons of a bracketed IPv6 address.
fn split_port(text: &str) -> (&str, &str) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    }
}

/// The ports an entry allows; `None` for any.
fn ports(text: &str, scheme: &str) -> Result<Option<std::ops::Range<u32>>, String> {
    if text.contains('/') {
        return Err("has a path but is not allowed to".to_owned());
    }
    if text == "*" {
        return Ok(None);
    }
    let number = |text: &str| {
        text.parse::<u16>().map(u32::from).map_err(|_| format!("has a port that is not a number: {text:?}"))
    };
    if text.is_empty() {
        let port = usual_port(scheme)
            .map(u32::from)
            .ok_or_else(|| format!("names no port, and the scheme {scheme:?} has no usual one"))?;
        return Ok(Some(port..port + 1));
    }
    Ok(Some(match text.split_once("..") {
        Some((start, end)) => number(start)?..number(end)?,
        None => number(text)?..number(text)? + 1,
    }))
}

impl Host {
    fn parse(text: &str) -> Result<Self, String> {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Network(address, if address.is_ipv4() { 32 } else { 128 }));
        }
        if let Some((address, bits)) = text.split_once('/') {
            return match (address.parse::<IpAddr>(), bits.parse::<u8>()) {
                (Ok(address), Ok(bits)) if bits <= if address.is_ipv4() { 32 } else { 128 } => {
                    Ok(Self::Network(address, bits))
                }
                _ => Err("has a path but is not allowed to".to_owned()),
            };
        }
        match text {
            "*" => Ok(Self::Any),
            "self" | "self.alt" => Ok(Self::Itself),
            "" => Err("names no host".to_owned()),
            _ => match text.strip_prefix("*.").unwrap_or(text) {
                name if name.contains('*') => Err("has a wildcard that is not its first label".to_owned()),
                name if name.len() < text.len() => Ok(Self::Subdomain(format!(".{}", name.to_ascii_lowercase()))),
                name => Ok(Self::Name(name.to_ascii_lowercase())),
            },
        }
    }

    fn covers(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Itself => false,
            Self::Subdomain(suffix) => host.ends_with(suffix),
            Self::Name(name) => host == name,
            Self::Network(network, bits) => host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .parse()
                .is_ok_and(|address| in_network(address, *network, *bits)),
        }
    }
}

fn in_network(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let wide = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    };
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    address.is_ipv4() == network.is_ipv4() && wide(address) & mask == wide(network) & mask
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "redis" => Some(6379),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "mqtt" => Some(1883),
        _ => None,
    }
}
