//! Foreign bytes in what is pushed: a refusal with a reason, nothing panics.
//!
//! `FUZZ_CASES` sets how many cases are tried; `scripts/fuzz` tries many.
#![allow(missing_docs, reason = "tests")]

use proptest::prelude::*;
use publication::LineChecker;

fn cases() -> ProptestConfig {
    let cases = std::env::var("FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    /// A pushed line, whole or not: accepted or refused with a reason.
    #[test]
    fn pushed_lines(bytes: Vec<u8>, kind in "[a-z_]{0,14}", doc in "\\PC{0,60}") {
        let rows = [bytes, format!("{{\"kind\":\"{kind}\",\"doc\":{{{doc}}}}}").into_bytes(),
            format!("{{\"kind\":\"certification\",\"doc\":{{\"code_certification\":\"12345678\",\"millesime\":\"2020\",\"filiere\":\"pro\",{doc}}}}}").into_bytes()];
        for row in rows {
            if let Err(refusal) = LineChecker::default().line(&row) {
                prop_assert!(!refusal.0.is_empty());
            }
        }
    }
}
