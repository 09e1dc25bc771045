//! Which component answers which path.
//!
//! A route is exact (`/a/b`), has one-segment parameters (`/a/:code`), or ends in a wildcard (`/a/...`, which also
//! answers the bare `/a`). Where several match, they are compared segment by segment from the left: literal before
//! parameter before wildcard. Slashes at either end of a path are ignored and several in a row count as one when
//! routing; the component still receives the path as it was sent. Nothing is percent-decoded.

use std::cmp::Ordering;

/// A parsed route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    raw: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    Parameter(String),
    Wildcard,
}

impl Segment {
    /// What decides between two routes: the kind only, never the name.
    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Parameter(_) => 1,
            Self::Wildcard => 2,
        }
    }
}

impl Route {
    /// Parses a route as spin.toml writes it.
    pub fn parse(raw: &str) -> Result<Self, String> {
        let mut segments = Vec::new();
        let mut parts = raw.split('/').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            segments.push(if part == "..." || part == "*" {
                if parts.peek().is_some() {
                    return Err(format!("`{part}` may only be the last segment"));
                }
                Segment::Wildcard
            } else if let Some(name) = part.strip_prefix(':') {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                if name.is_empty() || !name.chars().all(word) {
                    return Err(format!(
                        "`{part}` is no parameter: a name of letters, digits, `-` and `_` follows the colon"
                    ));
                }
                Segment::Parameter(name.to_owned())
            } else if part.contains(['*', ':', '[', ']']) {
                return Err(format!(
                    "`{part}` mixes text with `*`, `:`, `[` or `]`, which have a meaning of their own"
                ));
            } else {
                Segment::Literal(part.to_owned())
            });
        }
        Ok(Self { raw: raw.to_owned(), segments })
    }

    /// The route as the manifest writes it.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The route with a leading slash and without a trailing one; empty for the root.
    pub fn based(&self) -> String {
        let slash = if self.raw.starts_with('/') { "" } else { "/" };
        let based = format!("{slash}{}", self.raw);
        based.strip_suffix('/').map(str::to_owned).unwrap_or(based)
    }

    /// The route as the start-up message shows it.
    pub fn shown(&self) -> String {
        let based = self.based();
        match based.strip_suffix("/...").or_else(|| based.strip_suffix("/*")) {
            Some(prefix) => format!("{prefix} (wildcard)"),
            None => based,
        }
    }

    /// More specific first.
    fn compare(&self, other: &Self) -> Ordering {
        let ranks = |route: &Self| route.segments.iter().map(Segment::rank).collect::<Vec<_>>();
        ranks(self).cmp(&ranks(other))
    }

    fn matches<'r, 'p>(&'r self, path: &'p str) -> Option<Captures<'r, 'p>> {
        let mut parameters = Vec::new();
        let mut rest = path.trim_matches('/');
        for segment in &self.segments {
            if *segment == Segment::Wildcard {
                return Some((parameters, Some(rest)));
            }
            let (head, tail) = rest.split_once('/').unwrap_or((rest, ""));
            match segment {
                Segment::Literal(text) if text == head => {}
                Segment::Parameter(name) if !head.is_empty() => parameters.push((name.as_str(), head)),
                _ => return None,
            }
            rest = tail.trim_start_matches('/');
        }
        rest.is_empty().then_some((parameters, None))
    }
}

/// The parameters of a match and what its wildcard took, both raw.
type Captures<'r, 'p> = (Vec<(&'r str, &'p str)>, Option<&'p str>);

/// The routes of an application, each with what it leads to.
#[derive(Debug)]
pub struct Router<T> {
    routes: Vec<(Route, T)>,
}

/// A route that answers a path.
#[derive(Debug)]
pub struct Match<'r, T> {
    /// What the route leads to.
    pub target: &'r T,
    /// The route.
    pub route: &'r Route,
    /// The parameters by name, undecoded.
    pub parameters: Vec<(&'r str, String)>,
    /// What the wildcard took, with a leading slash, and a trailing one where the path has it; else empty.
    pub path_info: String,
}

impl<T> Router<T> {
    /// Orders the routes. Of two routes written alike the later one counts; the earlier is returned in the list.
    pub fn new(routes: impl IntoIterator<Item = (Route, T)>) -> (Self, Vec<(Route, T)>) {
        let (mut kept, mut replaced): (Vec<(Route, T)>, _) = (Vec::new(), Vec::new());
        for (route, target) in routes {
            if let Some(at) = kept.iter().position(|(other, _)| other.raw == route.raw) {
                replaced.push(kept.remove(at));
            }
            kept.push((route, target));
        }
        kept.sort_by(|(a, _), (b, _)| a.compare(b));
        (Self { routes: kept }, replaced)
    }

    /// The routes, most specific first.
    pub fn routes(&self) -> impl Iterator<Item = &(Route, T)> {
        self.routes.iter()
    }

    /// The route that answers a path (without its query).
    pub fn find(&self, path: &str) -> Option<Match<'_, T>> {
        self.routes.iter().find_map(|(route, target)| {
            let (parameters, tail) = route.matches(path)?;
            Some(Match {
                target,
                route,
                parameters: parameters.into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
                path_info: tail.map(|tail| path_info(tail, path)).unwrap_or_default(),
            })
        })
    }
}

fn path_info(tail: &str, path: &str) -> String {
    let end = if path.ends_with('/') { "/" } else { "" };
    if tail.is_empty() { end.to_owned() } else { format!("/{tail}{end}") }
}
