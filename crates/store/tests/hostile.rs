//! Foreign bytes in every place where stored bytes are read: a fault is told, nothing panics.
//!
//! `FUZZ_CASES` sets how many cases are tried; `scripts/fuzz` tries many.
#![allow(missing_docs, reason = "tests")]

use proptest::prelude::*;
use store::codec::Reader;
use store::fiche::Fiche;
use store::liste::{EntreeCode, EntreeUai, Plan, ecrire_ligne, unpack};
use store::pointeur::Pointeur;
use store::publication::Controle;
use store::{bundle, compte};

fn cases() -> ProptestConfig {
    let cases = std::env::var("FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(256);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn stored_forms(bytes: Vec<u8>, key: String) {
        let _ = Fiche::decoder(&bytes);
        let _ = Plan::decoder(&bytes);
        let _ = EntreeCode::decoder(&bytes);
        let _ = EntreeUai::decoder(&bytes);
        let _ = unpack(&bytes);
        let _ = bundle::find(&bytes, &key);
        let _ = bundle::entries(&bytes);
        let _ = ecrire_ligne(&mut Vec::new(), &bytes, 0);
        let _ = Pointeur::lire(&bytes);
        let _ = compte::vue(&[(key, bytes.clone())], |_| true, None, 0);
        let mut reader = Reader(&bytes);
        while reader.number().is_some() {}
    }

    /// A pushed line, whole or not: accepted or refused with a reason.
    #[test]
    fn pushed_lines(bytes: Vec<u8>, kind in "[a-z_]{0,14}", doc in "\\PC{0,60}") {
        let lignes = [bytes, format!("{{\"kind\":\"{kind}\",\"doc\":{{{doc}}}}}").into_bytes(),
            format!("{{\"kind\":\"certification\",\"doc\":{{\"code_certification\":\"12345678\",\"millesime\":\"2020\",\"filiere\":\"pro\",{doc}}}}}").into_bytes()];
        for ligne in lignes {
            if let Err(refus) = Controle::default().ligne(&ligne) {
                prop_assert!(!refus.0.is_empty());
            }
        }
    }
}
