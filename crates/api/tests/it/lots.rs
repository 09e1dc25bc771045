//! Documents cut, all millesimes of one, several at once, and what is beside one: over the whole sample.

use crate::common::ReadStore;
use crate::instance::{Instance, bytes};
use api::{BodyStream, Request, Response, ResponseBody, lots};
use futures_executor::{block_on, block_on_stream};
use futures_util::stream::iter;
use proptest::prelude::*;
use published::publish;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::rc::Rc;
use store::kv::StoreError;

type Sample = Instance<ReadStore>;

/// A document of the sample, as a lot asks for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    maille: &'static str,
    place: String,
    code: String,
    millesime: Option<String>,
}

impl Pair {
    /// Its path under `/api/inserjeunes` and `/api/comparaison` (a lot's key for its place is `maille`).
    fn path(&self) -> String {
        let (place, code) = (&self.place, &self.code);
        match self.maille {
            "uai" => format!("/formations/{place}-{code}"),
            "region" => format!("/regionales/{place}/certifications/{code}"),
            "" => format!("/certifications/{code}"),
            maille => format!("/mailles/{maille}/{place}/certifications/{code}"),
        }
    }

    fn query(&self, rest: &str) -> String {
        let millesime = self.millesime.as_ref().map(|millesime| format!("millesime={millesime}"));
        millesime.into_iter().chain((!rest.is_empty()).then(|| rest.to_owned())).collect::<Vec<_>>().join("&")
    }

    fn json(&self) -> Value {
        let mut pair = match self.maille {
            "" => json!({}),
            "uai" | "region" => json!({self.maille: self.place}),
            maille => json!({"maille": maille, "lieu": self.place}),
        };
        pair["code_certification"] = self.code.clone().into();
        pair["millesime"] = self.millesime.clone().into();
        pair
    }
}

impl Sample {
    fn new() -> Self {
        let sample = Self { now: 1_764_237_000_000, ..Self::default() };
        publish(&sample.store.0, "1", &published::sample());
        sample
    }

    /// Every document there is, with its millesime.
    fn pairs() -> Vec<Pair> {
        let mut pairs = BTreeSet::new();
        for line in published::sample().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let document = &line["doc"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (maille, place) = match line["kind"].as_str().unwrap() {
                "certification" => ("", String::new()),
                "regionale" => ("region", text(&document["region"]["code"])),
                "formation" => ("uai", text(&document["uai"])),
                "statistique" => ("academies", text(&document["academie"]["code"])),
                _ => continue,
            };
            let code = text(&document["code_certification"]);
            let code = if code.len() == 7 { format!("SISE:{code}") } else { code };
            pairs.insert(Pair { maille, place, code, millesime: Some(text(&document["millesime"])) });
        }
        pairs.into_iter().collect()
    }

    /// One document, by its own route.
    fn single(&self, pair: &Pair, rest: &str) -> (u16, Vec<u8>) {
        let response = self.get(&format!("/api/inserjeunes{}", pair.path()), &pair.query(rest));
        (response.status, bytes(response))
    }

    fn post(&self, body: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> Response {
        let headers: Vec<(String, String)> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let request = Request {
            method: "POST".into(),
            path: "/api/inserjeunes/lots".to_owned(),
            headers: headers.into(),
            ..Request::default()
        };
        // In pieces, as bodies come.
        let pieces: Vec<_> = body.into().chunks(1_000).map(|piece| Ok(piece.to_vec())).collect();
        block_on(lots::respond(self, request, BodyStream::new(iter(pieces)), Rc::new(|| 0)))
    }

    /// The lines of a lot.
    fn lot(&self, body: &Value) -> Vec<String> {
        let response = self.post(body.to_string(), &[("x-api-key", "cle")]);
        let rows = response.header("x-row-count").unwrap_or_default().to_owned();
        let status = response.status;
        let text = String::from_utf8(bytes(response)).unwrap();
        assert_eq!(status, 200, "{text}");
        assert!(text.ends_with('\n'));
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(lines.len().to_string(), rows);
        lines
    }
}

/// The line that a lot answers where the document's own route answers this.
fn line(rank: usize, (status, body): &(u16, Vec<u8>)) -> String {
    let name = if *status == 200 { "document" } else { "erreur" };
    format!("{{\"rang\":{rank},\"statut\":{status},\"{name}\":{}}}", std::str::from_utf8(body).unwrap())
}

#[test]
fn every_line_of_a_lot_is_the_answer_of_the_documents_own_route() {
    let sample = Sample::new();
    let mut pairs = Sample::pairs();
    assert!(pairs.len() > 1_000);
    // Documents that there are not, and demands that are wrong in themselves.
    let wrong = [
        ("", "", "99999999", None),
        ("", "", "40099013", Some("1999")),
        ("", "", "zz", Some("20")),
        ("region", "04", "99999999", None),
        ("region", "99", "40099013", None),
        ("uai", "0000000A", "40099013", None),
        ("uai", "x", "y", None),
        ("departements", "1", "40099013", None),
        ("academies", "é", "40099013", None),
        ("", "", "40099013.svg", None),
    ];
    pairs.extend(wrong.map(|(maille, place, code, millesime)| Pair {
        maille,
        place: place.to_owned(),
        code: code.to_owned(),
        millesime: millesime.map(str::to_owned),
    }));
    // The default millesime too.
    pairs.extend(pairs.clone().into_iter().step_by(7).map(|pair| Pair { millesime: None, ..pair }));
    for (options, rest, without_millesime) in [
        (json!({}), "", false),
        (
            json!({"champs": "libelle,taux_en_emploi_6_mois,region.nom,_meta"}),
            "champs=libelle,taux_en_emploi_6_mois,region.nom,_meta",
            false,
        ),
        (json!({"historique": true}), "historique=1", true),
        (
            json!({"historique": true, "champs": ["millesime", "nb_annee_term"]}),
            "historique=1&champs=millesime,nb_annee_term",
            true,
        ),
        (json!({"historique": true}), "historique=1", false),
        (json!({"champs": "inconnu"}), "champs=inconnu", false),
    ] {
        let mut asked = pairs.clone();
        if without_millesime {
            asked.iter_mut().for_each(|pair| pair.millesime = None);
            asked.dedup();
        }
        for part in asked.chunks(997) {
            let mut body = options.clone();
            body["demandes"] = part.iter().map(Pair::json).collect();
            for (rank, (pair, found)) in part.iter().zip(sample.lot(&body)).enumerate() {
                if pair.code.contains('.') {
                    // Its own route would take it for an image.
                    assert!(found.contains("\"statut\":400"));
                    continue;
                }
                assert_eq!(found, line(rank + 1, &sample.single(pair, rest)), "{pair:?} {rest}");
            }
        }
    }
}

#[test]
fn a_history_is_each_millesime_as_its_own_answer_shows_it_newest_first() {
    let sample = Sample::new();
    let (mut several, mut nested) = (0, 0);
    let mut pairs = Sample::pairs();
    pairs.iter_mut().for_each(|pair| pair.millesime = None);
    pairs.dedup();
    for pair in pairs {
        let (status, body) = sample.single(&pair, "historique=1");
        let published: Vec<Pair> = Sample::pairs_of(&pair);
        let mut expected = Vec::new();
        for of_year in published.iter().rev() {
            let (status, body) = sample.single(of_year, "");
            if status == 200 && !expected.contains(&body) {
                expected.push(body);
            }
        }
        if expected.is_empty() {
            assert_eq!(status, 404, "{pair:?}");
            continue;
        }
        let whole = [b"{\"historique\":[".as_slice(), &expected.join(&b','), b"]}"].concat();
        assert_eq!(String::from_utf8(body).unwrap(), String::from_utf8(whole).unwrap(), "{pair:?}");
        several += usize::from(expected.len() > 1);
        nested +=
            usize::from(expected.iter().any(|body| String::from_utf8_lossy(body).contains("certificationsTerminales")));
    }
    assert!(several > 100 && nested > 10, "{several} {nested}");
}

impl Sample {
    /// The same document in every millesime, rising.
    fn pairs_of(pair: &Pair) -> Vec<Pair> {
        thread_local! {
            static PAIRS: Vec<Pair> = Sample::pairs();
        }
        let same = |other: &&Pair| (other.maille, &other.place, &other.code) == (pair.maille, &pair.place, &pair.code);
        PAIRS.with(|pairs| pairs.iter().filter(same).cloned().collect())
    }
}

#[test]
fn a_history_takes_one_get_and_a_lot_reads_a_bundle_of_neighbours_once() {
    let sample = Sample::new();
    let gets = |ask: &dyn Fn()| {
        let before = sample.store.1.get();
        ask();
        sample.store.1.get() - before
    };
    let code = "40099013";
    let single = |rest: &str| sample.get(&format!("/api/inserjeunes/certifications/{code}"), rest);
    bytes(single(""));
    assert_eq!(gets(&|| drop(single("historique=1"))), 1);
    let of = |pairs: Vec<Value>| json!({"demandes": pairs});
    let one = of(vec![json!({"code_certification": code})]);
    assert_eq!(gets(&|| drop(sample.lot(&one))), 1);
    // The answer comes in some ten pieces: between two of them the bundle read last stays.
    let hundred = of(vec![json!({"code_certification": code}); 100]);
    assert_eq!(gets(&|| drop(sample.lot(&hundred))), 1);
    let mut history = hundred.clone();
    history["historique"] = true.into();
    assert_eq!(gets(&|| drop(sample.lot(&history))), 1);
}

#[test]
fn answers_of_other_fields_are_other_answers() {
    let sample = Sample::new();
    let path = "/api/inserjeunes/certifications/40099013";
    let mut etags = BTreeSet::new();
    let queries = [
        "",
        "champs=libelle",
        "champs=libelle,millesime",
        "historique=1",
        "historique=1&champs=libelle",
        "vue=filieres",
        "vue=filieres&champs=libelle",
    ];
    for query in queries {
        let (first, kept) = (sample.get(path, query), sample.get(path, query));
        assert_eq!((first.status, first.header("etag")), (200, kept.header("etag")), "{query}");
        etags.insert(first.header("etag").unwrap().to_owned());
        assert_eq!(bytes(first), bytes(kept), "{query}");
    }
    assert_eq!(etags.len(), queries.len());
    assert_eq!(bytes(sample.get(path, "")), bytes(sample.get(path, "historique=0")));
    let order = |query: &str| bytes(sample.get(path, query));
    assert_eq!(order("champs=millesime,libelle"), order("champs=libelle&champs=millesime"), "in the document's order");
    let view: Value = serde_json::from_slice(&order("vue=filieres&champs=filiere,diplome.code")).unwrap();
    for (filiere, document) in view.as_object().unwrap() {
        assert_eq!(*document, json!({"filiere": filiere, "diplome": {"code": document["diplome"]["code"]}}));
    }
    for (query, told) in [
        ("champs=tau", "champs : inconnu ici : tau. Champs présents : "),
        ("vue=filieres&champs=tau", "champs : inconnu ici : tau. Champs présents : "),
        ("champs=", "champs : de 1 à 64 noms"),
        ("historique=1&millesime=2023", "sans millesime"),
        ("historique=1&vue=filieres", "d’un seul code, sans vue"),
        ("avec=generation&vue=filieres", "d’un seul code, sans vue"),
        ("avec=generation&ext=svg", "image"),
        ("avec=tout", "Erreur de validation"),
        ("champs=_meta.generation", "champs : inconnu ici : _meta.generation"),
        ("historique=oui", "Erreur de validation"),
        ("historique=1&historique=1", "Erreur de validation"),
        ("ext=svg&champs=libelle", "image"),
        ("ext=svg&historique=1", "image"),
    ] {
        let response = sample.get(path, query);
        assert_eq!((response.status, response.header("cache-control")), (400, Some("no-store")), "{query}");
        let body: Value = serde_json::from_slice(&bytes(response)).unwrap();
        assert!(body["message"].as_str().unwrap().contains(told), "{query}: {body}");
    }
    // Faults of the recorded form come first, as they were.
    let both: Value = serde_json::from_slice(&order("champs=tau&page=1")).unwrap();
    assert_eq!(both["message"], "Erreur de validation");
}

#[test]
fn a_document_names_its_generation_where_it_is_asked_for_and_is_else_the_same() {
    let sample = Sample::new();
    for path in ["certifications/40099013", "regionales/04/certifications/40099013", "formations/9749801K-01099051"] {
        let path = format!("/api/inserjeunes/{path}");
        let json = |query: &str| -> Value { serde_json::from_slice(&bytes(sample.get(&path, query))).unwrap() };
        let (plain, mut with) = (json(""), json("avec=generation"));
        let named = with["_meta"].as_object_mut().unwrap().remove("generation");
        assert_eq!((named, with), (Some("g1".into()), plain), "{path}");
        assert_eq!(json("avec=generation&champs=_meta.generation"), json!({"_meta": {"generation": "g1"}}));
        for document in json("avec=generation&historique=1")["historique"].as_array().unwrap() {
            assert_eq!(document["_meta"]["generation"], "g1");
        }
        assert_ne!(sample.get(&path, "").header("etag"), sample.get(&path, "avec=generation").header("etag"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Fields that are left have the bytes that they have in the whole document.
    #[test]
    fn fields_that_are_left_are_those_of_the_whole_document(at: prop::sample::Index, names: Vec<prop::sample::Index>) {
        thread_local! {
            static SAMPLE: (Sample, Vec<Pair>) = (Sample::new(), Sample::pairs());
        }
        SAMPLE.with(|(sample, pairs)| {
            let pair = &pairs[at.index(pairs.len())];
            let (status, whole) = sample.single(pair, "");
            prop_assume!(status == 200 && !names.is_empty());
            let whole: serde_json::Map<String, Value> = serde_json::from_slice(&whole).unwrap();
            let all: Vec<String> = whole.keys().cloned().collect();
            let asked: BTreeSet<&str> = names.iter().map(|name| all[name.index(all.len())].as_str()).collect();
            let (status, cut) = sample.single(pair, &format!("champs={}", asked.iter().copied().collect::<Vec<_>>().join(",")));
            let expected: serde_json::Map<String, Value> = whole.into_iter().filter(|(name, _)| asked.contains(name.as_str())).collect();
            prop_assert_eq!((status, String::from_utf8(cut).unwrap()), (200, Value::Object(expected).to_string()));
            Ok(())
        })?;
    }
}

/// Nothing is told beside a document that its own route does not tell.
#[test]
fn a_comparison_is_made_of_whole_answers_of_documents() {
    let sample = Sample::new();
    let (mut hidden, mut found, mut apprentis, mut pupils) = (0, 0, 0, 0);
    for pair in Sample::pairs() {
        let (status, own) = sample.single(&pair, "");
        let response = sample.get(&format!("/api/comparaison{}", pair.path()), &pair.query(""));
        assert_eq!(response.status, status, "{pair:?}");
        let cached = response.header("cache-control").unwrap().to_owned();
        let both = bytes(response);
        if status != 200 {
            assert_eq!(both, own, "{pair:?}");
            continue;
        }
        assert!(cached.starts_with("public"));
        let text = String::from_utf8(both.clone()).unwrap();
        assert!(
            text.starts_with(&format!("{{\"document\":{},\"comparaison\":{{", String::from_utf8(own).unwrap())),
            "{pair:?}"
        );
        let body: Value = serde_json::from_slice(&both).unwrap();
        let document = &body["document"];
        let comparison = body["comparaison"].as_object().unwrap();
        let lower = matches!(pair.maille, "uai" | "academies");
        assert_eq!(comparison.contains_key("region"), lower, "{pair:?}");
        assert_eq!(comparison.contains_key("pays"), !pair.maille.is_empty(), "{pair:?}");
        let others = comparison["autre_voie"].as_array().unwrap();
        // Fewer fields are no fewer documents, though they may be alike then.
        let narrow = sample.get(&format!("/api/comparaison{}", pair.path()), &pair.query("champs=millesime"));
        let narrow: Value = serde_json::from_slice(&bytes(narrow)).unwrap();
        let codes = |others: &Value| {
            others.as_array().unwrap().iter().map(|it| it["code_certification"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(codes(&narrow["comparaison"]["autre_voie"]), codes(&comparison["autre_voie"]), "{pair:?}");
        let of_place = |maille, place: &str| Pair { maille, place: place.to_owned(), ..pair.clone() };
        let mut beside: Vec<(Pair, &Value)> = Vec::new();
        if let Some(region) = comparison.get("region") {
            beside.push((of_place("region", document["region"]["code"].as_str().unwrap()), region));
        }
        beside.extend(comparison.get("pays").map(|country| (of_place("", ""), country)));
        for other in others {
            let code = other["code_certification"].as_str().unwrap().to_owned();
            assert_ne!(code, pair.code);
            beside.push((Pair { code, ..pair.clone() }, other));
        }
        for (other, told) in beside {
            let year = document["millesime"].as_str().unwrap();
            let spellings = domain::Millesime::parse(year).unwrap();
            let singles: Vec<(u16, Vec<u8>)> = spellings
                .both_spellings()
                .map(|m| sample.single(&Pair { millesime: Some(m.as_str().to_owned()), ..other.clone() }, ""))
                .collect();
            let is = |(status, body): &(u16, Vec<u8>)| {
                let name = if *status == 200 { "document" } else { "erreur" };
                told["statut"] == *status && told[name].to_string().as_bytes() == body.as_slice()
            };
            // The first spelling that there is; an error where there is none.
            let expected = singles.iter().find(|(status, _)| *status == 200).or(singles.first());
            assert!(expected.is_some_and(is), "{pair:?} {other:?}: {told}");
            if told["statut"] == 200 {
                found += 1;
                let shown = &told["document"];
                hidden += usize::from(shown["_meta"]["messages"].is_array());
                assert!(
                    shown["nb_annee_term"]
                        .as_u64()
                        .is_none_or(|size| size >= 20 || shown["taux_en_formation"].is_null())
                );
                if other.code != pair.code {
                    let apprentissage = |document: &Value| document["filiere"] == "apprentissage";
                    assert_ne!(apprentissage(shown), apprentissage(document), "{pair:?} {other:?}");
                    apprentis += usize::from(apprentissage(shown));
                    pupils += usize::from(!apprentissage(shown));
                }
            }
        }
    }
    println!("{found} documents beside others, {hidden} of them hidden, {apprentis} and {pupils} in the other voie");
    assert!(found > 1_000 && hidden > 50 && apprentis > 20 && pupils > 20);
}

#[test]
fn a_line_of_a_lot_bears_the_comparison_of_its_own_route() {
    let sample = Sample::new();
    for champs in [None, Some("libelle,region.nom,taux_en_formation")] {
        let rest = champs.map(|champs| format!("champs={champs}")).unwrap_or_default();
        for part in Sample::pairs().chunks(1_000) {
            let body = json!({"demandes": part.iter().map(Pair::json).collect::<Vec<_>>(), "comparaison": 1, "champs": champs});
            for (rank, (pair, found)) in part.iter().zip(sample.lot(&body)).enumerate() {
                let own = sample.single(pair, &rest);
                if own.0 != 200 {
                    assert_eq!(found, line(rank + 1, &own));
                    continue;
                }
                let both = String::from_utf8(bytes(
                    sample.get(&format!("/api/comparaison{}", pair.path()), &pair.query(&rest)),
                ))
                .unwrap();
                assert_eq!(found, format!("{{\"rang\":{},\"statut\":200,{}", rank + 1, &both[1..]), "{pair:?}");
            }
        }
    }
}

#[test]
fn a_lot_asks_for_a_key_and_tells_what_is_wrong_with_its_form() {
    let sample = Sample::new();
    let status = |body: &str, headers: &[(&str, &str)]| {
        let response = sample.post(body, headers);
        (response.status, String::from_utf8(bytes(response)).unwrap())
    };
    let key = [("x-api-key", "cle")];
    let body = r#"{"demandes":[{"code_certification":"40099013"}]}"#;
    assert_eq!(status(body, &[]).0, 401);
    assert_eq!(status(body, &key).0, 200);
    assert_eq!(status("{", &key).0, 400);
    assert_eq!(status(&format!("{}{}", " ".repeat(lots::BODY_MAX), body), &key).0, 413);
    assert_eq!(status(body, &[("x-api-key", "cle"), ("content-length", "1073741824")]).0, 413, "before it is read");
    for (method, path, status) in [
        ("OPTIONS", "/api/inserjeunes/lots", 200),
        ("GET", "/api/inserjeunes/lots", 404),
        ("POST", "/api/comparaison/certifications/40099013", 404),
        ("GET", "/api/comparaison", 404),
        ("GET", "/api/comparaison/certifications", 404),
        ("GET", "/api/comparaison/certifications/40099013,40099014", 400),
        ("GET", "/api/comparaison/certifications/40099013", 200),
        ("HEAD", "/api/comparaison/formations/9749801K-01099051", 200),
        ("GET", "/api/comparaison/formations/-01099051", 404),
        ("GET", "/api/comparaison/mailles/academies/28/certifications/40099013/", 200),
        ("GET", "/api/comparaison/mailles/x/28/certifications/40099013", 404),
    ] {
        let request = Request { method: method.into(), path: path.to_owned(), ..Request::default() };
        let answer = block_on(lots::respond(&sample, request, BodyStream::new(iter([])), Rc::new(|| 0)));
        assert_eq!(answer.status, status, "{method} {path}");
    }
    let broken = BodyStream::new(iter([Ok(b"{".to_vec()), Err(StoreError::Unavailable("gone".to_owned()))]));
    let headers: Vec<(String, String)> = vec![("x-api-key".to_owned(), "cle".to_owned())];
    let request = Request {
        method: "POST".into(),
        path: "/api/inserjeunes/lots".to_owned(),
        headers: headers.into(),
        ..Request::default()
    };
    assert_eq!(block_on(lots::respond(&sample, request, broken, Rc::new(|| 0))).status, 400);
}

/// What takes too long breaks off: it never looks whole.
#[test]
fn a_lot_that_takes_too_long_breaks_off() {
    let sample = Sample::new();
    let headers: Vec<(String, String)> = vec![("x-api-key".to_owned(), "cle".to_owned())];
    let request = Request {
        method: "POST".into(),
        path: "/api/inserjeunes/lots".to_owned(),
        headers: headers.into(),
        ..Request::default()
    };
    let pairs = vec![json!({"code_certification": "40099013"}); 1_000];
    let body = json!({"demandes": pairs}).to_string().into_bytes();
    let clock = Rc::new(std::cell::Cell::new(0));
    let ticking = {
        let clock = Rc::clone(&clock);
        Rc::new(move || {
            clock.set(clock.get() + 100);
            clock.get()
        })
    };
    let response = block_on(lots::respond(&sample, request, BodyStream::new(iter([Ok(body)])), ticking));
    let ResponseBody::Stream(stream) = response.body else { panic!("no stream") };
    let pieces: Vec<_> = block_on_stream(stream).collect();
    assert!(pieces.last().is_some_and(Result::is_err) && pieces.iter().filter(|piece| piece.is_ok()).count() > 1);
}
