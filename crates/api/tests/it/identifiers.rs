//! Documents found by identifiers of other registers: over the sample, rows of our own, and the real nomenclature.

use crate::common::ReadStore;
use crate::instance::{Instance, bytes};
use api::identifiers::{CHOICES_MAX, IdentifierSystem, respond};
use api::{Request, Response};
use dataset::real::Real;
use domain::Kind;
use futures_executor::block_on;
use proptest::prelude::*;
use published::{publish, sample};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Registers = Instance<ReadStore>;

const BASE: &str = "/api/inserjeunes/identifiants/";

/// Links of registers that the sample does not have.
fn links() -> String {
    let mut text = String::new();
    let mut add = |kind: &str, doc: Value| text += &(json!({"kind": kind, "doc": doc}).to_string() + "\n");
    add("certif_info", json!({"code": "501", "cfd": "40099011", "rncp": "RNCP7001", "ideo": "FOR.71"}));
    add("ideo", json!({"ideo": "FOR.72", "code_certification": "40099012"}));
    add("certif_info", json!({"code": "502", "rncp": "RNCP7002", "ideo": "FOR.73"}));
    // An entry without a code, whose older one has one.
    add("certif_info", json!({"code": "503", "rncp": "RNCP7003", "ancien": "504"}));
    add("certif_info", json!({"code": "504", "cfd": "40099013"}));
    add("certif_info", json!({"code": "505", "rncp": "RNCP7005", "sise": "2599901"}));
    // A diploma without a course of a school, and nothing published of it.
    add(
        "bcn",
        json!({"type": "cfd", "code_certification": "32098765", "libelle_long": "DIPLOME SANS DONNEES",
        "diplome": {"code": "3", "libelle": "BTS"}}),
    );
    add("rncp", json!({"code_certification": "32098765", "rncp": "RNCP7006"}));
    for number in 0..30 {
        let cfd = format!("320987{number:02}");
        add("bcn", json!({"type": "cfd", "code_certification": cfd, "libelle_long": format!("DIPLOME {number}")}));
        add("rncp", json!({"code_certification": cfd, "rncp": "RNCP7007"}));
    }
    text
}

fn registers() -> Registers {
    let registers = Registers { now: 1_764_237_000_000, ..Registers::default() };
    publish(&registers.store.0, "1", &(sample() + &links()));
    registers
}

impl Registers {
    fn call(&self, method: &'static str, url: &str) -> Response {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let request = Request {
            method: method.into(),
            path: [BASE, path].concat(),
            query: query.to_owned(),
            ..Request::default()
        };
        block_on(respond(self, request))
    }

    /// Status and body.
    fn look_up(&self, url: &str) -> (u16, Value) {
        let response = self.call("GET", url);
        let status = response.status;
        (status, serde_json::from_slice(&bytes(response)).unwrap())
    }

    /// The document of an address that an answer gives.
    fn follow(&self, address: &str) -> (u16, Value) {
        let path = address.strip_prefix("../../../..").unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let response = self.get(path, query);
        let status = response.status;
        (status, serde_json::from_slice(&bytes(response)).unwrap())
    }
}

fn identifiers(body: &Value) -> Vec<&str> {
    body["choix"].as_array().unwrap().iter().map(|choice| choice["identifiant"].as_str().unwrap()).collect()
}

#[test]
fn a_diploma_of_two_voies_is_a_choice_and_a_voie_makes_it_one() {
    let registers = registers();
    let (status, body) = registers.look_up("RNCP/RNCP99001");
    assert_eq!((status, &body["total"]), (300, &json!(2)), "{body}");
    assert_eq!(identifiers(&body), ["40099011", "23830099011"]);
    assert_eq!((&body["systeme"], &body["code"]), (&json!("RNCP"), &json!("RNCP99001")));
    for choice in body["choix"].as_array().unwrap() {
        assert!(choice["libelle"].as_str().unwrap().starts_with("ACCUEIL"), "{choice}");
        assert_eq!((&choice["diplome"], &choice["anciennete"]), (&json!("BAC PRO"), &json!("self")));
        let (found, document) = registers.follow(choice["adresse"].as_str().unwrap());
        assert_eq!(found == 200, choice["donnees"] == true, "{choice}");
        assert_eq!(document["code_certification"], choice["identifiant"]);
    }
    for (voie, code) in [("scolaire", "23830099011"), ("Apprentissage", "40099011")] {
        let response = registers.call("GET", &format!("rncp/rncp%2099001?voie={voie}&millesime=2023"));
        assert_eq!(response.status, 307);
        let location = response.header("location").unwrap().to_owned();
        assert_eq!(location, format!("../../../../api/inserjeunes/certifications/{code}?millesime=2023"));
        let (status, document) = registers.follow(&location);
        assert_eq!((status, &document["code_certification"]), (200, &json!(code)));
    }
}

/// A diploma that Parcoursup's rules lead to its CFD alone has documents of its schools all the same.
#[test]
fn courses_of_a_school_are_offered_where_the_matching_chooses_none_with_data() {
    let registers = registers();
    let (status, body) = registers.look_up("RNCP/RNCP99001?voie=scolaire");
    assert_eq!((status, identifiers(&body)), (307, vec!["23830099011"]), "the final year, and no other");
    for asked in ["IDEO/FOR.71", "CERTIFINFO/501", "RNCP/7001"] {
        let (status, body) = registers.look_up(asked);
        let choices = body["choix"].as_array().unwrap();
        let schools = choices.iter().filter(|choice| choice["voie"] == "scolaire" && choice["donnees"] == true);
        assert!(status == 300 && schools.count() > 0, "{asked}: {body}");
    }
}

#[test]
fn every_register_leads_to_documents() {
    let registers = registers();
    for (asked, expected) in [
        ("IDEO/FOR.71?voie=apprentissage", "certifications/40099011"),
        ("IDEO/72?voie=apprentissage", "certifications/40099012"),
        ("CERTIFINFO/501?voie=apprentissage", "certifications/40099011"),
        ("RNCP/7001?voie=apprentissage", "certifications/40099011"),
        ("RNCP/7005", "certifications/SISE:2599901"),
        ("CERTIFINFO/505", "certifications/SISE:2599901"),
        // A MEF is of a school.
        ("MEF/2389901133", "certifications/23830099011"),
        ("mef/238%2099011%2033?voie=apprentissage", "certifications/40099011"),
        ("MEF/2389901133?uai=0596122X", "formations/0596122X-23830099011"),
        ("MEF/2389901133?region=04&champs=libelle", "regionales/04/certifications/23830099011?champs=libelle"),
        ("MEF/2389901133?lieu=28&maille=academies", "mailles/academies/28/certifications/23830099011"),
    ] {
        let response = registers.call("GET", asked);
        let location = response.header("location").unwrap_or_default().to_owned();
        let (status, text) = (response.status, String::from_utf8(bytes(response)).unwrap());
        assert_eq!(status, 307, "{asked}: {text}");
        assert_eq!(location, format!("../../../../api/inserjeunes/{expected}"));
        // The body says the same, for who does not follow.
        let (_, body) = registers.look_up(asked);
        assert_eq!((&body["total"], &body["choix"][0]["adresse"]), (&json!(1), &json!(location)));
    }
}

#[test]
fn a_code_of_another_entry_is_never_taken_unasked() {
    let registers = registers();
    for asked in ["RNCP/7003?voie=apprentissage", "CERTIFINFO/503?voie=apprentissage"] {
        let (status, body) = registers.look_up(asked);
        assert_eq!((status, identifiers(&body)), (300, vec!["40099013"]), "{body}");
        assert_eq!(body["choix"][0]["anciennete"], "ancien");
        assert!(body["aide"].as_str().unwrap().contains("précède ou le suit"));
    }
}

#[test]
fn what_leads_nowhere_says_what_was_looked_for_and_what_to_do() {
    let registers = registers();
    for (asked, message, help) in [
        ("RNCP/1234", "l'identifiant RNCP RNCP1234", "Aucune des tables publiées"),
        ("IDEO/FOR.73", "IDEO FOR.73", "L'identifiant est connu"),
        ("RNCP/RNCP7002", "RNCP7002", "L'identifiant est connu"),
        ("MEF/1234567890", "MEF 1234567890", "Aucune des tables"),
        ("RNCP/7005?voie=scolaire", "RNCP7005, voie scolaire", "retirer le paramètre voie"),
        ("SIRET/1", "inconnu : SIRET", "Systèmes : RNCP"),
    ] {
        let response = registers.call("GET", asked);
        assert_eq!(response.status, 404, "{asked}");
        assert_eq!(response.header("cache-control"), Some("public, max-age=60"));
        let link = response.header("link").unwrap().to_owned();
        assert!(link.contains("api/doc/erreurs#identifiant-inconnu"), "{link}");
        assert_eq!(link.contains("api/recherche?q="), !asked.starts_with("SIRET"), "{link}");
        let body: Value = serde_json::from_slice(&bytes(response)).unwrap();
        assert_eq!((&body["statusCode"], &body["error"]), (&json!(404), &json!("Not Found")));
        assert!(body["message"].as_str().unwrap().contains(message), "{body}");
        assert!(body["aide"].as_str().unwrap().contains(help), "{body}");
    }
}

#[test]
fn a_malformed_demand_says_the_form_that_is_expected() {
    let registers = registers();
    for (asked, help) in [
        ("RNCP/RNCP", "RNCP12345, RNCP 12345 ou 12345"),
        ("RNCP/12345678", "RNCP12345"),
        ("RNCP/RS1234", "RNCP12345"),
        ("RNCP/%C3%A9", "RNCP12345"),
        ("IDEO/FOR.", "FOR.1234"),
        ("IDEO/FOR.12a", "FOR.1234"),
        ("MEF/23830099011", "23830099011 est un code de certification : /api/inserjeunes/certifications/23830099011"),
        ("MEF/123", "10 chiffres"),
        ("CERTIFINFO/x", "54321"),
        ("RNCP/1?voie=cfa", "Voies : scolaire, apprentissage, superieur."),
        ("RNCP/1?voie=scolaire&voie=scolaire", "Retirer"),
        ("RNCP/1?uai=", "Retirer"),
        ("RNCP/1?uai=0596122X&region=04", "uai, ou region, ou maille avec lieu"),
        ("RNCP/1?maille=academies", "maille avec lieu"),
        ("RNCP/1?date_campagne=2025", "2026-08-31"),
        (&format!("RNCP/1?champs={}", "a".repeat(1_100)), "moins de champs"),
    ] {
        let response = registers.call("GET", asked);
        assert_eq!((response.status, response.header("cache-control")), (400, Some("no-store")), "{asked}");
        let body: Value = serde_json::from_slice(&bytes(response)).unwrap();
        assert!(body["aide"].as_str().unwrap().contains(help), "{asked}: {body}");
        assert!(body.to_string().len() < 1_000);
    }
    assert_eq!(registers.look_up("RNCP/%ff").0, 400);
}

#[test]
fn it_is_a_read_route_like_the_others() {
    let registers = registers();
    for asked in ["RNCP/RNCP99001", "RNCP/7005"] {
        let (get, head) = (registers.call("GET", asked), registers.call("HEAD", asked));
        assert_eq!((get.status, &get.headers), (head.status, &head.headers));
        assert!(bytes(head).is_empty());
        assert_eq!(get.header("access-control-allow-origin"), Some("*"));
        assert!(get.header("cache-control").unwrap().starts_with("public, max-age=600"));
        assert_eq!(get.header("vary"), Some("Accept-Encoding"));
    }
    let options = registers.call("OPTIONS", "RNCP/1");
    assert_eq!((options.status, options.header("allow")), (200, Some("GET, HEAD")));
    for (method, asked) in [("POST", "RNCP/1"), ("DELETE", "RNCP/1"), ("GET", ""), ("GET", "RNCP"), ("GET", "RNCP/1/2")]
    {
        assert_eq!(registers.call(method, asked).status, 404, "{method} {asked}");
    }
    // A key goes nowhere, and what no header can hold is escaped.
    let query = "api%4Bey=secret&apiKey=secret&champs=%22\u{e9}\"<>\\&x=a|b";
    let location = registers.call("GET", &format!("RNCP/7005?{query}")).header("location").unwrap().to_owned();
    assert!(location.ends_with("SISE:2599901?champs=%22%C3%A9%22%3C%3E%5C&x=a%7Cb"), "{location}");
    let path = registers.call("GET", "RNCP/7005?uai=%0D%0A/../x").header("location").unwrap().to_owned();
    assert!(path.ends_with("formations/%0D%0A%2F..%2Fx-SISE:2599901"), "{path}");
}

#[test]
fn many_codes_are_counted_and_twenty_are_told() {
    let registers = registers();
    let (status, body) = registers.look_up("RNCP/7007?voie=apprentissage");
    assert_eq!((status, body["choix"].as_array().unwrap().len()), (300, CHOICES_MAX));
    // The resolver itself keeps twenty codes of a source: enough to show that there are several.
    assert_eq!(body["total"], 20);
    let before = registers.store.1.get();
    registers.look_up("RNCP/7007?voie=apprentissage");
    assert!(registers.store.1.get() - before <= 2 + 2 * CHOICES_MAX, "{}", registers.store.1.get() - before);
}

/// Invariant 3: of a code nothing is told but what it is called, and that a document is there, which its route says too.
#[test]
fn invariant_3_no_figure_is_told() {
    let registers = registers();
    let mut seen = 0;
    for line in sample().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let Some(rncp) = line["doc"]["rncp"].as_str().filter(|_| line["kind"] == "rncp") else { continue };
        let (_, body) = registers.look_up(&format!("RNCP/{rncp}"));
        for choice in body["choix"].as_array().unwrap() {
            seen += 1;
            for (name, value) in choice.as_object().unwrap() {
                assert!(value.is_string() || value.is_null() || name == "donnees", "{choice}");
            }
            let (found, _) = registers.follow(choice["adresse"].as_str().unwrap());
            // A national document is a document; some codes have theirs in regions and establishments alone.
            assert!(found != 200 || choice["donnees"] == true, "{choice}");
        }
    }
    assert!(seen > 20, "{seen}");
    let (status, body) = registers.look_up("RNCP/7006?voie=apprentissage");
    assert_eq!((status, &body["choix"][0]["donnees"]), (307, &json!(false)));
    assert_eq!(
        (&body["choix"][0]["libelle"], &body["choix"][0]["diplome"]),
        (&json!("DIPLOME SANS DONNEES"), &json!("BTS"))
    );
}

#[test]
fn a_generation_without_links_says_to_come_back() {
    let registers = Registers::default();
    assert_eq!(registers.look_up("RNCP/1").0, 503);
}

proptest! {
    /// However people write an identifier, it is one; what reads as one reads as itself.
    #[test]
    fn forms_of_a_code_are_one_code(
        number in 1u32..=999_999, zeros in 0usize..3, before in "[ \u{a0}\t]{0,2}", between in "[ \u{a0}.:-]{0,2}", small: bool, prefixed: bool,
    ) {
        for (system, prefix, written) in [
            (IdentifierSystem::Rncp, "RNCP", format!("RNCP{number}")),
            (IdentifierSystem::Ideo, "FOR", format!("FOR.{number}")),
            (IdentifierSystem::CertifInfo, "", number.to_string()),
        ] {
            let prefix = if prefixed { prefix } else { "" };
            let prefix = if small { prefix.to_lowercase() } else { prefix.to_owned() };
            let between = if prefix.is_empty() { "" } else { between.as_str() };
            let text = format!("{before}{prefix}{between}{}{number}{before}", "0".repeat(zeros));
            prop_assert_eq!(system.read(&text), Some(written.clone()), "{}", text);
            prop_assert_eq!(system.read(&written), Some(written));
        }
    }

    #[test]
    fn what_is_read_is_one_word_of_the_register(text in "\\PC{0,30}") {
        for system in IdentifierSystem::ALL {
            if let Some(read) = system.read(&text) {
                prop_assert!(read.len() <= 20 && read.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'), "{}", read);
                prop_assert_eq!(system.read(&read), Some(read.clone()));
            }
        }
    }
}

/// Over the real nomenclature: every identifier of the registers has one of the answers, and a code that is told is one.
#[test]
fn real_identifiers_lead_to_real_codes() {
    let Some(data) = beside::shared("data", "real identifiers") else { return };
    let real = Real::read(&data).unwrap();
    let wanted = [Kind::Bcn, Kind::BcnMef, Kind::BcnSise, Kind::CertifInfo, Kind::Ideo, Kind::Rncp];
    let mut text = Vec::new();
    let mut asked: Vec<(IdentifierSystem, String)> = Vec::new();
    for line in real.lines().filter(|line| wanted.contains(&line.kind)) {
        let field = |name: &str| line.doc.get(name).and_then(Value::as_str).map(str::to_owned);
        let of = |system, name| field(name).map(|code| (system, code));
        match line.kind {
            Kind::CertifInfo => {
                asked.extend(of(IdentifierSystem::CertifInfo, "code"));
                asked.extend(of(IdentifierSystem::Rncp, "rncp"));
                asked.extend(of(IdentifierSystem::Ideo, "ideo"));
            }
            Kind::Ideo => asked.extend(of(IdentifierSystem::Ideo, "ideo")),
            Kind::Rncp => asked.extend(of(IdentifierSystem::Rncp, "rncp")),
            Kind::BcnMef => asked.extend(of(IdentifierSystem::Mef, "mef")),
            _ => {}
        }
        line.write_to(&mut text).unwrap();
    }
    let registers = Registers { now: 1_764_237_000_000, ..Registers::default() };
    publish(&registers.store.0, "1", &String::from_utf8(text).unwrap());
    asked.sort_by_key(|(system, code)| (system.name(), code.clone()));
    asked.dedup();
    let mut answers: BTreeMap<(&str, u16), usize> = BTreeMap::new();
    for (system, code) in asked.iter().step_by(7) {
        let (status, body) = registers.look_up(&format!("{}/{code}", system.name()));
        assert!([300, 307, 404].contains(&status), "{} {code}: {body}", system.name());
        *answers.entry((system.name(), status)).or_default() += 1;
        for choice in body["choix"].as_array().into_iter().flatten() {
            assert!(choice["libelle"].is_string(), "{choice}");
        }
    }
    eprintln!("{answers:?}");
    for (system, status) in
        [("CERTIFINFO", 300), ("RNCP", 300), ("RNCP", 307), ("IDEO", 300), ("MEF", 307), ("RNCP", 404)]
    {
        assert!(answers.get(&(system, status)).is_some_and(|count| *count > 10), "{system} {status}: {answers:?}");
    }
    // The BTS Commerce international, of both voies.
    let (status, body) = registers.look_up("RNCP/RNCP38362");
    assert_eq!(status, 300, "{body}");
    assert!(identifiers(&body).contains(&"32031213"), "{body}");
}
