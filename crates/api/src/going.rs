//! What will go: told by headers on every answer of it, long before (RFC 9745 and RFC 8594).
//!
//! The table is the one place. A line goes in when something is announced, and out when the thing itself goes. The contract with
//! the former service announces nothing, so the table is empty; docs/REUTILISER.md says what a client finds.

use crate::Response;

/// A part of the service that will go.
#[derive(Clone, Copy, Debug)]
pub struct Going {
    /// What its paths begin with.
    pub path: &'static str,
    /// Since when it should not be used any more, in seconds since 1970.
    pub deprecated_s: i64,
    /// When it goes, as HTTP writes a day: `Sun, 01 Nov 2026 00:00:00 GMT`.
    pub sunset: &'static str,
}

/// What will go.
pub const GOING: &[Going] = &[];

/// The answer, with the headers of what will go.
pub(crate) fn announce(mut response: Response, path: &str, table: &[Going]) -> Response {
    if let Some(going) = table.iter().find(|going| path.starts_with(going.path)) {
        response = response
            .with("deprecation", ["@", itoa::Buffer::new().format(going.deprecated_s)].concat())
            .with("sunset", going.sunset);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_go_says_since_when_and_until_when() {
        let table =
            [Going { path: "/api/ancienne", deprecated_s: 1_793_491_200, sunset: "Tue, 01 Jun 2027 00:00:00 GMT" }];
        let answer = |path: &str| announce(Response::new(200, "text/plain", Vec::new()), path, &table);
        let going = answer("/api/ancienne/route");
        assert_eq!(going.header("deprecation"), Some("@1793491200"));
        assert_eq!(going.header("sunset"), Some("Tue, 01 Jun 2027 00:00:00 GMT"));
        assert_eq!((answer("/api/autre").header("deprecation"), answer("/api/autre").header("sunset")), (None, None));
    }
}
