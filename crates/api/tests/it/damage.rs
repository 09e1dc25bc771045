//! Invariant 9, of every value that an answer is read from: flipped, cut, emptied, deleted, exchanged with another one, it
//! leads to the answer from before or to 503.
//!
//! Which bits are flipped is drawn from a seed (`DAMAGE_SEED`); `DAMAGE_BITS` says how many a value.

use crate::instance::Instance;
use api::{Request, Response, ResponseBody, routes, search};
use futures_executor::{block_on, block_on_stream};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use store::faulty::Chance;
use store::kv::{KeyValue, KeyValueWrite, StoreError};
use store::pointer::Pointer;
use store::{MemoryStore, Reader};

/// The store, and the keys that were read.
#[derive(Clone, Default)]
struct WatchedStore(Rc<MemoryStore>, Rc<RefCell<BTreeSet<String>>>);

impl KeyValue for WatchedStore {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.1.borrow_mut().insert(key.to_owned());
        self.0.get(key).await
    }
}

/// Some lines of each file of the sample.
fn some_documents() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data");
    let kinds = [
        "maille",
        "bcn",
        "bcn_sise",
        "etablissement",
        "rncp",
        "certification",
        "regionale",
        "formation",
        "statistique",
    ];
    let mut lines = Vec::new();
    for kind in kinds {
        let text = std::fs::read_to_string(folder.join(kind).with_extension("ndjson")).unwrap();
        let step = (text.lines().count() / 24).max(1);
        lines.extend(text.lines().step_by(step).map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    lines
}

/// Requests for what the lines say, and for what they do not.
fn targets(lines: &[Value]) -> BTreeSet<String> {
    let mut targets = BTreeSet::new();
    for line in lines {
        let text = |field: &str| line["doc"][field].as_str().unwrap_or_default();
        let code = text("code_certification");
        match line["kind"].as_str().unwrap() {
            "certification" => {
                targets.insert(format!("certifications/{code}"));
                targets.insert(format!("certifications/{code}?millesime={}", text("millesime")));
                targets.insert(format!("certifications/{}?vue=filieres", text("code_formation_diplome")));
                targets.insert(format!("recherche?q={code}"));
                targets.insert(format!("recherche/certifications/{code}"));
            }
            "regionale" => {
                let region = line["doc"]["region"]["code"].as_str().unwrap();
                targets.insert(format!("regionales/{region}/certifications/{code}"));
                targets.insert(format!(
                    "regionales/{region}/certifications/{}?vue=filieres",
                    text("code_formation_diplome")
                ));
            }
            "formation" => {
                targets.insert(format!("formations/{}-{code}", text("uai")));
                targets.insert(format!("formations?uais={}", text("uai")));
                for ext in ["", ".csv"] {
                    let year = text("millesime");
                    targets.insert(format!("formations{ext}?code_certifications={code}&millesimes={year}"));
                }
                targets.insert(format!("recherche/etablissements/{}", text("uai")));
            }
            "statistique" => {
                let place = line["doc"]["academie"]["code"].as_str().unwrap();
                targets.insert(format!("mailles/academies/{place}/certifications/{code}"));
                targets.insert(format!("mailles/academies?places={place}"));
            }
            _ => {}
        }
    }
    for list in ["certifications", "regionales", "formations", "mailles/academies", "bcn"] {
        for query in
            ["", "?items_par_page=100", "?page=2&items_par_page=7", "?code_certifications=50099033", "?regions=11"]
        {
            targets.insert(format!("{list}{query}"));
            targets.insert(format!("{list}.csv{query}"));
        }
    }
    targets.extend(
        ["mailles", "recherche?q=exemple", "recherche?q=lycee", "formations/0000000A-00000000"].map(String::from),
    );
    targets.extend(["certifications/00000000", "certifications/50099034", "recherche?q=zzzz"].map(String::from));
    targets
}

/// Status and body; `None` for a body that was begun and could not be ended.
type Answer = Option<(u16, Vec<u8>)>;

fn answer(store: &WatchedStore, target: &str) -> Answer {
    let runtime = Instance { store: store.clone(), now: 1_700_000_000_000, ..Instance::default() };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        method: "GET".into(),
        path: format!("/api/inserjeunes/{path}"),
        query: query.into(),
        headers: vec![("x-api-key".to_owned(), "cle".to_owned())].into(),
        body: Vec::new(),
    };
    let response = block_on(async {
        match path.split(['/', '.']).next().unwrap() {
            "recherche" => search::respond(&runtime, Request { path: format!("/api/{path}"), ..request }).await,
            _ if !path.contains('/') && path.contains('.') => routes::lists(&runtime, request).await,
            "certifications" => routes::certifications(&runtime, request).await,
            "regionales" => routes::regionales(&runtime, request).await,
            "formations" => routes::formations(&runtime, request).await,
            "mailles" => routes::mailles(&runtime, request).await,
            _ => routes::bcn(&runtime, request).await,
        }
    });
    body(response)
}

fn body(response: Response) -> Answer {
    match response.body {
        ResponseBody::Bytes(bytes) => Some((response.status, bytes)),
        ResponseBody::Stream(stream) => {
            let pieces: Option<Vec<Vec<u8>>> = block_on_stream(stream).map(Result::ok).collect();
            pieces.map(|pieces| (response.status, pieces.concat()))
        }
    }
}

/// The public record, as the status page reads it.
fn record(store: &WatchedStore) -> Answer {
    let read = block_on(async { Reader::open(store.clone(), Rc::default(), 0).await?.public_record().await });
    Some(read.map_or((503, Vec::new()), |record| (200, serde_json::to_vec(&record).unwrap())))
}

/// What may befall the value under a key.
fn faults(
    kv: &MemoryStore,
    key: &str,
    others: &[String],
    chance: &Chance,
    bits: usize,
) -> Vec<(String, Option<Vec<u8>>)> {
    let value = block_on(kv.get(key)).unwrap().unwrap();
    let below = |n: usize| usize::try_from(chance.below(n as u64)).unwrap();
    let mut faults = vec![("deleted".to_owned(), None), ("emptied".to_owned(), Some(Vec::new()))];
    let cut = below(value.len());
    faults.push((format!("cut at {cut}"), Some(value[..cut].to_vec())));
    // The head, where most is decided, and anywhere.
    let places: Vec<usize> =
        (0..bits).map(|n| below(if n % 2 == 0 { value.len().min(64) } else { value.len() })).collect();
    for at in places {
        let mut flipped = value.clone();
        let bit = below(8);
        flipped[at] ^= 1 << bit;
        faults.push((format!("bit {bit} of byte {at} flipped"), Some(flipped)));
    }
    // One of the same family, of the same family in another generation, of another family.
    let family = |key: &str| key.split(':').nth(1).map(str::to_owned);
    let number = |key: &str| key.split(':').nth(2).map(str::to_owned);
    let same = others.iter().rfind(|o| *o != key && family(o) == family(key) && number(o) != number(key));
    let older = others.iter().find(|o| *o != key && family(o) == family(key) && number(o) == number(key));
    let foreign = &others[below(others.len())];
    for other in [same, older, Some(foreign).filter(|o| *o != key)].into_iter().flatten() {
        faults.push((format!("exchanged with {other}"), block_on(kv.get(other)).unwrap()));
    }
    faults
}

#[test]
fn invariant_9_whatever_befalls_a_value_an_answer_is_the_same_or_503() {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (seed, bits) = (number("DAMAGE_SEED", 14), usize::try_from(number("DAMAGE_BITS", 4)).unwrap());
    let chance = Chance::new(seed);
    let store = WatchedStore::default();
    let kv = &*store.0;
    let lines = some_documents();
    // An older generation, to exchange values with; the pointer no longer leads back to it.
    let mut older = lines.clone();
    for line in older.iter_mut().filter(|line| !line["doc"]["nb_annee_term"].is_null()) {
        line["doc"]["nb_annee_term"] = 99.into();
    }
    published::publish(kv, "a", &published::lines(&older));
    published::publish(kv, "b", &published::lines(&lines));
    let pointer = Pointer::read(&block_on(kv.get("current")).unwrap().unwrap()).unwrap();
    let alone = Pointer { previous: None, ..pointer }.write().unwrap();
    block_on(kv.set("current", alone)).unwrap();

    let targets: Vec<String> = targets(&lines).into_iter().collect();
    let mut readers: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut before = Vec::new();
    for rank in 0..=targets.len() {
        store.1.borrow_mut().clear();
        before.push(targets.get(rank).map_or_else(|| record(&store), |target| answer(&store, target)));
        for key in store.1.borrow().iter() {
            readers.entry(key.clone()).or_default().push(rank);
        }
    }
    let found = before.iter().flatten().filter(|(status, _)| *status == 200).count();
    assert!(found > targets.len() / 2, "{found} of {} answers are 200", targets.len());
    assert!(before.iter().flatten().all(|(status, _)| *status < 500));
    let families: BTreeSet<&str> = readers.keys().filter_map(|key| key.split(':').nth(1)).collect();
    for family in [
        "certifications",
        "regionales",
        "formations",
        "mailles",
        "nomenclature",
        "comptes",
        "plan.formations",
        "codes.formations",
        "uais.formations",
        "liste.formations.lieux.json",
        "liste.formations.codes.csv",
        "liste.bcn.lieux.json",
        "liste.maille.academies.lieux.csv",
        "recherche",
        "recherche.termes",
        "recherche.fiches",
        "recherche.lieux",
        "declarations",
        "public",
    ] {
        assert!(families.contains(family), "no answer reads {family}: {families:?}");
    }

    let others = kv.keys();
    let (mut refused, mut same, mut wrong) = (0, 0, Vec::new());
    for (key, ranks) in readers.iter().filter(|(key, _)| others.contains(key)) {
        let whole = block_on(kv.get(key)).unwrap();
        // Of values that many answers read, some are enough.
        let step = (ranks.len() / 12).max(1);
        for (fault, value) in faults(kv, key, &others, &chance, bits) {
            kv.corrupt(key, value);
            for rank in ranks.iter().step_by(step) {
                let now = targets.get(*rank).map_or_else(|| record(&store), |target| answer(&store, target));
                match now {
                    None | Some((503, _)) => refused += 1,
                    now if now == before[*rank] => same += 1,
                    now => {
                        let status = now.map(|(status, _)| status);
                        wrong.push(format!("{key} {fault}: {:?} answers {status:?}", targets.get(*rank)));
                    }
                }
            }
        }
        kv.corrupt(key, whole);
    }
    assert!(
        wrong.is_empty(),
        "seed {seed}, {} of {}:\n{}",
        wrong.len(),
        wrong.len() + refused + same,
        wrong.join("\n")
    );
    assert!(refused > 1_000 && same > 100, "{refused} refused, {same} the same");
}
