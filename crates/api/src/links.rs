//! Links of answers, as the client must follow them.
//!
//! The service may lie under a path that only its gateway knows. So no link begins with `/`: it is absolute where the
//! variable `adresse_publique` says under which address clients see the service, and else relative to the request.

use crate::{Request, Runtime};
use std::borrow::Cow;

/// A link: to a path of this service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebLink {
    /// From the root of the service, without the slash before it.
    target: Cow<'static, str>,
    /// `next`, `help`, …
    rel: &'static str,
    /// What it says by itself, in words without accents or quotes: a header has no other letters. Empty for nothing.
    title: String,
}

impl WebLink {
    /// A link to `target`, a path (and query) with or without the slash before it.
    #[must_use]
    pub fn new(target: impl Into<Cow<'static, str>>, rel: &'static str) -> Self {
        let target = match target.into() {
            Cow::Borrowed(text) => text.strip_prefix('/').unwrap_or(text).into(),
            Cow::Owned(text) => text.strip_prefix('/').map(str::to_owned).unwrap_or(text).into(),
        };
        Self { target, rel, title: String::new() }
    }

    /// The same, saying something.
    #[must_use]
    pub fn saying(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// A link to the cause of an error.
    #[must_use]
    pub fn help(anchor: &str) -> Self {
        Self::new(["api/doc/erreurs#", anchor].concat(), "help")
    }
}

/// What stands before a path of this service in a link: the public address, or the way from the request to the root.
pub async fn base<M: Runtime>(runtime: &M, request: &Request) -> String {
    match public_address(runtime).await {
        Some(address) => address + "/",
        None => way_to_root(&request.path),
    }
}

/// The address that clients see, without a slash at its end; `None` where it is not told, or is none that a header or a
/// page could hold.
pub async fn public_address<M: Runtime>(runtime: &M) -> Option<String> {
    // Where it cannot be read, the relative form holds: it does under any prefix.
    let mut address = runtime.variable("adresse_publique").await.ok()?;
    address.truncate(address.trim_end_matches('/').len());
    let safe = |b: u8| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'\'' | b'&' | b'\\' | b'?' | b'#');
    let known = address.starts_with("https://") || address.starts_with("http://");
    (known && address.bytes().all(safe)).then_some(address)
}

/// From a path to the root: `./`, or `../` for each folder that the path lies in. It depends on the path as it was sent,
/// the slash at its end too, as the client resolves it.
#[must_use]
pub fn way_to_root(path: &str) -> String {
    match path.bytes().filter(|b| *b == b'/').count() {
        0 | 1 => "./".to_owned(),
        folders => "../".repeat(folders - 1),
    }
}

/// The value of `Link`.
pub(crate) fn header(links: &[WebLink], base: &str) -> String {
    let mut text = String::new();
    for link in links {
        let start = if text.is_empty() { "<" } else { ", <" };
        let title = if link.title.is_empty() { "" } else { "\"; title=\"" };
        for part in [start, base, &link.target, ">; rel=\"", link.rel, title, &link.title, "\""] {
            text.push_str(part);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_root_is_that_of_the_path_as_it_was_sent() {
        for (path, way) in [
            ("/", "./"),
            ("", "./"),
            ("/etat", "./"),
            ("/etat/", "../"),
            ("/api/doc", "../"),
            ("/api/doc/", "../../"),
            ("/api/inserjeunes/formations/x", "../../../"),
            ("/api//doc", "../../"),
        ] {
            assert_eq!(way_to_root(path), way, "{path}");
        }
    }

    #[test]
    fn links_stand_in_one_header() {
        let links = [WebLink::new("/a?page=2", "next"), WebLink::help("validation")];
        assert_eq!(header(&links, "../"), "<../a?page=2>; rel=\"next\", <../api/doc/erreurs#validation>; rel=\"help\"");
        let link = [WebLink::help("validation").saying("Vouliez-vous dire regions ?")];
        let said = "<./api/doc/erreurs#validation>; rel=\"help\"; title=\"Vouliez-vous dire regions ?\"";
        assert_eq!(header(&link, "./"), said);
    }
}
