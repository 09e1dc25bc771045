//! What a request is called in a log: the name of its route, its certification, and the line that tells it.
//!
//! Components write it, the usage report reads it, here and in nginx's log: both know a route by the same name. A line
//! holds no part of an address but a code that looks like one, so no key, no query, and nothing that a client made up.

/// The word that a line of this log begins with, so that it is told from all else that a process writes.
pub const MARK: &str = r#"{"journal":"requete""#;
/// Who asked, where nobody is told.
pub const ANONYMOUS: &str = "anonyme";
/// The path under which most routes lie.
const API: &str = "api/inserjeunes/";
/// Characters of a code, or of several with what separates them.
const CODE_MAX: usize = 64;
/// Bytes of who asked.
const USER_MAX: usize = 100;

/// The names of routes under [`API`]. Each is its pattern too: `{…}` stands for any segment, `...` for all that is left.
const READ: [&str; 16] = [
    "certifications",
    "certifications/{code}",
    "regionales",
    "regionales/{region}",
    "regionales/{region}/certifications/{code}",
    "formations",
    "formations/{uai}-{code}",
    "mailles",
    "mailles/{maille}",
    "mailles/{maille}/{lieu}",
    "mailles/{maille}/{lieu}/certifications/{code}",
    "bcn",
    "lots",
    "identifiants/...",
    "auth/login",
    "auth/cle",
];
/// The names of the others.
const ELSEWHERE: [&str; 16] = [
    "etat",
    "etat/changements",
    "api/changements",
    "api/calendrier",
    "api",
    "api/status",
    "api/doc",
    "api/doc/...",
    "api/recherche",
    "api/recherche/certifications/{code}",
    "api/recherche/etablissements/{uai}",
    "api/appariement/...",
    "api/comparaison/...",
    "api/mcp",
    "api/images/...",
    "static/...",
];
/// The import.
pub const INTERNAL: &str = "internal/...";
/// The page at the root.
const ROOT: &str = "/";
/// What is no route.
pub const OTHER: &str = "autre";

/// Every name that [`route`] gives.
pub fn names() -> impl Iterator<Item = &'static str> {
    READ.into_iter().chain(ELSEWHERE).chain([INTERNAL, ROOT, OTHER])
}

/// The name of a route and the certification that a path names, if it does: `formations/{uai}-{code}` and `40025214`.
/// Names hold no part of the path: there are some thirty, whatever clients send.
#[must_use]
pub fn route(path: &str) -> (&'static str, Option<&str>) {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.is_empty() {
        return (ROOT, None);
    }
    let (names, rest): (&[&'static str], &str) = match path.strip_prefix(API) {
        Some(rest) => (&READ, rest),
        None if path.starts_with("internal/") => return (INTERNAL, None),
        None => (&ELSEWHERE, path),
    };
    for name in names {
        if let Some(last) = last_segment(name, rest) {
            return (name, if name.ends_with("{code}") { code(name, last) } else { None });
        }
    }
    (OTHER, None)
}

/// The last segment of a path that a pattern fits. Lists may have an extension.
fn last_segment<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let mut segments = path.split('/');
    let mut last = "";
    for part in pattern.split('/') {
        if part == "..." {
            return segments.next().filter(|segment| !segment.is_empty()).map(|_| last);
        }
        last = segments.next().filter(|segment| !segment.is_empty())?;
        let named = last.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if !named && !part.starts_with('{') {
            return None;
        }
    }
    segments.next().is_none().then_some(last)
}

/// The codes of a segment, without its extension; none where they do not look like codes.
fn code<'a>(name: &str, segment: &'a str) -> Option<&'a str> {
    let segment = if name.contains("}-{") { segment.rsplit_once('-')?.1 } else { segment };
    let codes = segment.rsplit_once('.').map_or(segment, |(codes, _)| codes);
    let fits = codes.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'|' | b'%' | b':' | b','));
    (fits && (1..=CODE_MAX).contains(&codes.len())).then_some(codes)
}

/// One request that was answered.
#[derive(Clone, Debug, Default)]
pub struct LogLine<'a> {
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
    /// `GET`, `HEAD`, …
    pub method: &'a str,
    /// Its path as sent, without the query; only [`route`] of it is told.
    pub path: &'a str,
    /// The status.
    pub status: u16,
    /// Bytes of its body that were handed over.
    pub bytes: u64,
    /// From the request to the last byte.
    pub duration_ms: u64,
    /// Whether the instance had the answer ready.
    pub kept: bool,
    /// Whether its body ended before its end.
    pub broken: bool,
    /// The generation that it was answered from; empty for none.
    pub generation: &'a str,
    /// Who asked; empty where nobody is known.
    pub user: &'a str,
    /// The start of the digest of the personal key that was used; empty for none.
    pub key: &'a str,
}

impl LogLine<'_> {
    /// Writes the line, its end included. It is short enough to be written at once, so that no two lines mix. Apart from
    /// whoever asks for it: where it is asked for at all, nobody waits.
    #[inline(never)]
    pub fn write(&self, out: &mut Vec<u8>) {
        let (route, code) = route(self.path);
        // A method of a client's own making is none of ours.
        let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"].contains(&self.method);
        out.extend_from_slice(MARK.as_bytes());
        let texts = [
            ("methode", if known { self.method } else { OTHER }),
            ("route", route),
            ("code", code.unwrap_or_default()),
            ("forme", if self.path.ends_with(".svg") { "svg" } else { "" }),
            ("cache", if self.kept { "HIT" } else { "MISS" }),
            ("rompu", if self.broken { "oui" } else { "" }),
            ("generation", self.generation),
            ("cle", self.key),
            ("reutilisateur", if self.user.is_empty() { ANONYMOUS } else { self.user }),
        ];
        for (name, text) in texts {
            if !text.is_empty() {
                out.extend_from_slice(b",\"");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"\":\"");
                plain(text, out);
                out.push(b'"');
            }
        }
        let numbers = [
            (",\"ms\":", self.at_ms.unsigned_abs()),
            (",\"statut\":", self.status.into()),
            (",\"octets\":", self.bytes),
            (",\"duree_ms\":", self.duration_ms),
        ];
        for (name, number) in numbers {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        }
        out.extend_from_slice(b"}\n");
    }
}

/// A text as a line may hold it: no quote, no backslash, no control character, and not long. It is cut between two
/// characters.
fn plain(text: &str, out: &mut Vec<u8>) {
    let mut end = text.len().min(USER_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = text.as_bytes().iter().take(end);
    out.extend(bytes.map(|byte| if *byte < b' ' || matches!(byte, b'"' | b'\\' | 0x7f) { b'_' } else { *byte }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_name_of_its_route_and_its_certification() {
        for (path, name, code) in [
            ("/", "/", None),
            ("/api/inserjeunes/certifications", "certifications", None),
            ("/api/inserjeunes/formations.csv", "formations", None),
            ("/api/inserjeunes/certifications/40025214", "certifications/{code}", Some("40025214")),
            ("/api/inserjeunes/certifications/40025214.svg", "certifications/{code}", Some("40025214")),
            ("/api/inserjeunes/certifications/12345678%7C8/", "certifications/{code}", Some("12345678%7C8")),
            ("/api/inserjeunes/regionales/11", "regionales/{region}", None),
            (
                "/api/inserjeunes/regionales/11/certifications/40025214",
                "regionales/{region}/certifications/{code}",
                Some("40025214"),
            ),
            ("/api/inserjeunes/formations/0751234J-40025214.svg", "formations/{uai}-{code}", Some("40025214")),
            ("/api/inserjeunes/formations/0751234J", "formations/{uai}-{code}", None),
            ("/api/inserjeunes/mailles", "mailles", None),
            ("/api/inserjeunes/mailles/academies.csv", "mailles/{maille}", None),
            ("/api/inserjeunes/mailles/academies/28", "mailles/{maille}/{lieu}", None),
            (
                "/api/inserjeunes/mailles/academies/28/certifications/40025214",
                "mailles/{maille}/{lieu}/certifications/{code}",
                Some("40025214"),
            ),
            ("/api/inserjeunes/bcn.ndjson", "bcn", None),
            ("/api/inserjeunes/auth/login", "auth/login", None),
            ("/api/recherche", "api/recherche", None),
            ("/api/recherche/certifications/40025214", "api/recherche/certifications/{code}", Some("40025214")),
            ("/api/recherche/etablissements/0751234J", "api/recherche/etablissements/{uai}", None),
            ("/api/appariement/formations", "api/appariement/...", None),
            ("/api/inserjeunes/lots", "lots", None),
            ("/api/inserjeunes/identifiants/RNCP/RNCP4911", "identifiants/...", None),
            ("/api/inserjeunes/identifiants", OTHER, None),
            ("/api/comparaison/formations/0751234J-40025214", "api/comparaison/...", None),
            ("/api/mcp", "api/mcp", None),
            ("/api/images/formations/0751234J-40025214.png", "api/images/...", None),
            ("/api/doc", "api/doc", None),
            ("/api/status", "api/status", None),
            ("/internal/import/jobs/3", INTERNAL, None),
            ("/static/style.css", "static/...", None),
            ("/etat", "etat", None),
            ("/wp-login.php", OTHER, None),
            ("/api/inserjeunes//formations", OTHER, None),
            ("/api/inserjeunes/secret-dans-le-chemin", OTHER, None),
            ("/api/inserjeunes/certifications/a/b/c/d/e/f/g", OTHER, None),
            ("", "/", None),
        ] {
            assert_eq!(route(path), (name, code), "{path}");
        }
    }

    #[test]
    fn what_does_not_look_like_a_code_is_not_told() {
        for segment in ["é", "a b", "apiKey=secret", "\"", "x".repeat(65).as_str(), ""] {
            assert_eq!(route(&format!("/api/inserjeunes/certifications/{segment}")).1, None, "{segment}");
        }
    }

    #[test]
    fn a_line_is_one_line_whatever_a_client_sends() {
        let hostile = LogLine {
            at_ms: 1_764_237_000_123,
            method: "GE\"T",
            path: "/api/inserjeunes/formations/\"}\n{-40025214",
            status: 200,
            bytes: 12,
            duration_ms: 3,
            kept: true,
            broken: true,
            generation: "g7",
            user: "a\"b\\c\ndé",
            key: "0123abcd",
        };
        let mut out = Vec::new();
        hostile.write(&mut out);
        let expected = concat!(
            r#"{"journal":"requete","methode":"autre","route":"formations/{uai}-{code}","code":"40025214","#,
            r#""cache":"HIT","rompu":"oui","generation":"g7","cle":"0123abcd","reutilisateur":"a_b_c_dé","#,
            r#""ms":1764237000123,"statut":200,"octets":12,"duree_ms":3}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let mut out = Vec::new();
        LogLine { path: "/etat", user: &"é".repeat(1_000), ..LogLine::default() }.write(&mut out);
        assert!(out.len() < 400, "{}", out.len());
        assert!(String::from_utf8(out).is_ok());
    }
}
