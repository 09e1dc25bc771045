//! Foreign bytes in every place where stored bytes are read: a fault is told, nothing panics.
//!
//! `FUZZ_CASES` sets how many cases are tried; `scripts/fuzz` tries many.
#![allow(missing_docs, reason = "tests")]

use proptest::prelude::*;
use store::codec::Decoder;
use store::frame::Frame;
use store::list::{CodeEntry, Plan, UaiEntry};
use store::pointer::Pointer;
use store::segment::{self, JsonRow, RowStyle};
use store::version_set::VersionSet;
use store::{bundle, counts};

fn cases() -> ProptestConfig {
    let cases = std::env::var("FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn stored_forms(bytes: Vec<u8>, key: String) {
        let _ = VersionSet::decode(&bytes);
        let _ = Plan::decode(&bytes);
        let _ = CodeEntry::decode(&bytes);
        let _ = UaiEntry::decode(&bytes);
        if let Ok(frame) = Frame::read(&key, &bytes) {
            let style = RowStyle { first: true, between: b",", now: 0 };
            let _ = (segment::verify(&frame), segment::append_rows(&mut Vec::new(), &frame, 1, 2, style));
            let _ = (bundle::find(&frame, &key), bundle::entries(&frame));
        }
        let _ = JsonRow::read(&bytes);
        let _ = Pointer::read(&bytes);
        let _ = counts::view(&[(key, bytes.clone())], |_| true, "11", 0);
        let mut decoder = Decoder(&bytes);
        while decoder.number().is_some() {}
    }
}
