//! The files of `deploy/nginx` in Debian's nginx, before the built application: what it shares and what not, how fresh it
//! is, and that nobody notices when the application stops.
//!
//! Loopback only. `GATEWAY_STOP_S=60` stops the application for a minute; without it, for some seconds.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop where they fail")]

use gateway_tests::{Chance, Nginx, PREFIX, free_address, nginx};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use support::push::Push;
use support::{Answer, Application, Request, Settings, root};

/// Threads of load: as many as one core of a desk can serve beside the server.
const LOAD: u64 = 4;

fn sample() -> Vec<u8> {
    let mut files: Vec<_> = std::fs::read_dir(root().join("data")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "ndjson"));
    files.sort();
    files.iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
}

fn application() -> Application {
    let application = Application::start(Settings::default()).unwrap();
    assert_eq!(application.push(&Push::all(sample())).unwrap()["etape"], "publie");
    application
}

/// All documents of the sample, and the images of some.
fn documents(application: &Application) -> Vec<String> {
    let list = application.get("/api/inserjeunes/formations.ndjson?items_par_page=100000").unwrap();
    let rows = list.text();
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut targets: Vec<String> = rows
        .map(|row| {
            let (uai, code) = (row["uai"].as_str().unwrap(), row["code_certification"].as_str().unwrap());
            let kind = if code.len() == 7 { "SISE:" } else { "" };
            format!("/api/inserjeunes/formations/{uai}-{kind}{code}")
        })
        .collect();
    targets.dedup();
    let images: Vec<String> = targets.iter().step_by(10).map(|t| format!("{t}.svg?imageOnError=true")).collect();
    targets.extend(images);
    targets
}

fn cache(answer: &Answer) -> &str {
    answer.header("x-cache").unwrap_or("-")
}

const LOTS: &str = "/api/inserjeunes/lots";

/// A lot of as many bytes as clients that write it prettily send.
fn lot(target: &str) -> Request {
    let body = format!("{{\"demandes\":[{{\"code_certification\":\"40099011\"}}{}]}}", " ".repeat(200_000));
    Request::new("POST", target).body(body)
}

#[test]
fn what_is_public_is_shared_by_address_and_encoding_and_nothing_else_is() {
    let Some(program) = nginx("a cache before the application") else { return };
    let application = application();
    let nginx = Nginx::cache(&program, application.host.address()).unwrap();
    let one = documents(&application).swap_remove(0);
    let key = application.settings.legacy_api_key.clone();

    // With and without the prefix, which the application does not see.
    let direct = application.get(&one).unwrap();
    let first = nginx.get(&one).unwrap();
    assert_eq!((first.status, cache(&first), &first.body), (200, "MISS", &direct.body));
    assert_eq!(cache(&nginx.get(&one).unwrap()), "HIT");
    let at_root = nginx.send(&Request::get(&one)).unwrap();
    assert_eq!((cache(&at_root), &at_root.body), ("HIT", &direct.body));
    assert!(first.header("date").is_some() && first.header("vary") == Some("Accept-Encoding"));

    // A token of the gateway comes with every request, and changes nothing.
    let tokens = [("authorization", "Bearer un-jeton"), ("x-omogen-api-key", "x"), ("cookie", "a=b")];
    for (name, value) in tokens {
        let seen = nginx.send(&Request::get(&format!("{PREFIX}{one}")).header(name, value)).unwrap();
        assert_eq!((seen.status, cache(&seen), &seen.body), (200, "HIT", &direct.body), "{name}");
    }

    // Encodings: two forms, however they are asked for.
    let coded = |accepts: &str| {
        let large = format!("{PREFIX}/api/doc/erreurs");
        nginx.send(&Request::get(&large).header("accept-encoding", accepts)).unwrap()
    };
    for (accepts, expected, kept) in [
        ("gzip", Some("gzip"), "MISS"),
        ("br, GZIP;q=0.5, *", Some("gzip"), "HIT"),
        ("identity", None, "MISS"),
        ("gzip;q=0", None, "HIT"),
        ("br;q=1, gzip; q=0.000, *", None, "HIT"),
    ] {
        let seen = coded(accepts);
        assert_eq!((seen.header("content-encoding"), cache(&seen)), (expected, kept), "{accepts}");
    }
    // The page at the root is for people, and programs keep the 404 of the former service.
    for _ in 0..2 {
        let page = nginx.send(&Request::get(&format!("{PREFIX}/")).header("accept", "text/html,*/*")).unwrap();
        let program = nginx.send(&Request::get(&format!("{PREFIX}/")).header("accept", "*/*")).unwrap();
        assert_eq!((page.status, program.status), (200, 404));
    }
    let bare = nginx.send(&Request::get(PREFIX)).unwrap();
    assert_eq!((bare.status, bare.header("location")), (308, Some(format!("{PREFIX}/").as_str())));

    // By its ETag.
    let etag = first.header("etag").unwrap();
    let again = nginx.send(&Request::get(&format!("{PREFIX}{one}")).header("if-none-match", etag)).unwrap();
    assert_eq!((again.status, again.body.len()), (304, 0));

    // 404 is shared; 400, 401, lists, the status, and whatever comes with a key are not.
    let shared = [
        "/api/comparaison/certifications/40099011",
        "/api/inserjeunes/identifiants/RNCP/RNCP99001",
        "/api/inserjeunes/identifiants/MEF/2389901133?millesime=2023",
        "/api/images/certifications/40099011.png",
        "/api/inserjeunes/certifications/99999999",
        "/api/recherche?q=exemple",
        "/static/style.css",
    ];
    for target in shared {
        nginx.get(target).unwrap();
        assert_eq!(cache(&nginx.get(target).unwrap()), "HIT", "{target}");
    }
    let list = "/api/inserjeunes/formations?items_par_page=1";
    let with_key = [
        Request::get(&format!("{PREFIX}{list}")).header("x-api-key", &key),
        Request::get(&format!("{PREFIX}{list}&apiKey={key}")),
        Request::get(&format!("{PREFIX}{list}&api%4Bey={key}")),
        Request::get(&format!("{PREFIX}/api/inserjeunes/formations.csv?items_par_page=1&%61%70iKey={key}")),
        Request::get(&format!("{PREFIX}{one}?apiKey={key}")),
        Request::get(&format!("{PREFIX}{one}")).header("x-api-key", &key),
        lot(&format!("{PREFIX}{LOTS}")).header("x-api-key", &key),
        lot(&format!("{PREFIX}{LOTS}?apiKey={key}")),
    ];
    for request in &with_key {
        for _ in 0..2 {
            let seen = nginx.send(request).unwrap();
            assert!(!matches!(cache(&seen), "HIT" | "STALE" | "UPDATING"), "{request:?}");
            assert!(matches!(seen.status, 200 | 400), "{request:?}: {}", seen.status);
        }
    }
    // More than a lot may have is told by the application's own error, or by nginx before it.
    let large = lot(LOTS).header("x-api-key", &key).body(vec![b' '; 300 * 1024]);
    assert_eq!(nginx.send(&large).unwrap().status, 413);
    for (target, status) in [
        (list, 401),
        ("/api/inserjeunes/formations.csv", 401),
        ("/api/inserjeunes/regionales/11", 401),
        ("/api/inserjeunes/mailles/academies", 401),
        ("/api/inserjeunes/certifications/abc", 400),
        ("/api/status", 200),
        ("/etat", 200),
        ("/rien", 404),
    ] {
        for _ in 0..2 {
            let seen = nginx.get(target).unwrap();
            assert_eq!(seen.status, status, "{target}");
            assert!(!matches!(cache(&seen), "HIT"), "{target}: {}", cache(&seen));
        }
    }
    let login = Request::new("POST", &format!("{PREFIX}/api/inserjeunes/auth/login")).body(r#"{"username":"a"}"#);
    assert_eq!(nginx.send(&login).unwrap().status, 400);
    assert!(!nginx.kept().contains(&key), "a key lies in the cache");
}

#[test]
fn the_import_is_called_past_this_server_only() {
    let Some(program) = nginx("/internal/ behind the cache") else { return };
    let application = application();
    let nginx = Nginx::cache(&program, application.host.address()).unwrap();
    let secret = format!("Bearer {}", application.settings.import_secret);
    let open = |target: &str| Request::get(target).header("authorization", &secret);
    assert_eq!(application.send(&open("/internal/import/status")).unwrap().status, 200);
    for path in [
        "/internal/import/status",
        "//internal/import/status",
        "/./internal/import/status",
        "/api/../internal/import/status",
        "/%69nternal/import/status",
        "/internal%2Fimport/status",
        "/internal/import/status/..%2f..%2f..%2f..%2fapi",
        "/Internal/import/status",
        "/internal",
        "/internal/import/status?apiKey=x",
    ] {
        for prefix in ["", PREFIX] {
            let seen = nginx.send(&open(&format!("{prefix}{path}"))).unwrap();
            // Above the root there is nothing that nginx would ask for.
            let refused = seen.status == 404 && seen.json()["message"] == "Not Found";
            assert!(refused || seen.status == 400 && seen.text().contains("nginx"), "{prefix}{path}: {}", seen.text());
        }
    }
}

#[test]
fn no_key_is_logged_whatever_fails() {
    let Some(program) = nginx("logs of the cache") else { return };
    let application = application();
    let nginx = Nginx::cache(&program, application.host.address()).unwrap();
    let secret = "cle-a-ne-pas-ecrire";
    let calls = || {
        for target in [
            format!("/api/inserjeunes/formations?apiKey={secret}"),
            format!("/api/inserjeunes/formations?regions=11&api%4Bey={secret}"),
            format!("/api/inserjeunes/certifications/40099011?apiKey={secret}"),
            format!("/internal/import/status?apiKey={secret}"),
            format!("/rien?APIKEY={secret}"),
        ] {
            nginx.get(&target).unwrap();
        }
        let page = format!("http://hote/api/inserjeunes/formations?regions=1&apiKey={secret}");
        for (name, value) in [("x-api-key", secret), ("authorization", secret), ("referer", &page)] {
            nginx.send(&Request::get(&format!("{PREFIX}/rien")).header(name, value)).unwrap();
        }
        nginx.get("/api/inserjeunes/formations?regions=11").unwrap();
    };
    calls();
    drop(application);
    calls();
    // The last line is written once its answer is out.
    std::thread::sleep(Duration::from_millis(200));
    let logs = nginx.logs();
    assert!(logs.contains("regions=11") && logs.contains("(cle)"), "the log tells what was asked: {logs}");
    assert!(logs.contains("upstream"), "and what failed");
    assert!(!logs.contains(secret), "{logs}");
}

#[test]
fn logins_and_lists_have_limits_that_answers_name() {
    let Some(program) = nginx("limits of the cache") else { return };
    let application = application();
    let nginx = Nginx::cache(&program, application.host.address()).unwrap();
    let login = || Request::new("POST", &format!("{PREFIX}/api/inserjeunes/auth/login")).body("{}");
    let statuses: Vec<Answer> = (0..20).map(|_| nginx.send(&login()).unwrap()).collect();
    let refused: Vec<&Answer> = statuses.iter().filter(|a| a.status == 429).collect();
    assert!((5..15).contains(&refused.len()), "{}", refused.len());
    assert!(refused.iter().all(|a| a.header("retry-after").is_some() && a.json()["statusCode"] == 429));
    // A long address, as filters by thousands of codes make it, and a large body.
    let long = format!("/api/inserjeunes/formations?uais={}", "0750000A,".repeat(4_000));
    assert_eq!(nginx.get(&long).unwrap().status, 401);
    assert_eq!(nginx.send(&login().body(vec![b' '; 200_000])).unwrap().status, 413);
}

#[test]
fn nearly_all_of_a_campaigns_traffic_is_answered_by_the_cache() {
    let Some(program) = nginx("hit rate of the cache") else { return };
    let application = application();
    let nginx = Nginx::cache(&program, application.host.address()).unwrap();
    let targets = documents(&application);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let requests = 20_000;
    let mut distinct = std::collections::BTreeSet::new();
    for _ in 0..requests {
        let target = &targets[chance.zipf(targets.len())];
        distinct.insert(target);
        let answer = nginx.get(target).unwrap();
        assert_eq!(answer.status, 200, "{target}");
        *seen.entry(cache(&answer).to_owned()).or_default() += 1;
    }
    println!("{requests} requests for {} of {} documents: {seen:?}", distinct.len(), targets.len());
    assert_eq!(seen["MISS"], distinct.len(), "each is fetched once");
    assert_eq!(seen["HIT"] + seen["MISS"], requests);
    assert!(seen["HIT"] * 100 / requests >= 90, "{seen:?}");

    // Many who ask for the same thing that is not kept are one request to the application.
    let cold = "/api/recherche?q=accueil%20exemple";
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..32).map(|_| scope.spawn(|| nginx.get(cold).unwrap())).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|a| a.status == 200 && a.body == answers[0].body));
    assert_eq!(answers.iter().filter(|a| cache(a) == "MISS").count(), 1, "collapsed");
}

/// The sample with other labels, so that a publication shows.
fn renamed(lines: &[u8], label: &str) -> Vec<u8> {
    let text = std::str::from_utf8(lines).unwrap();
    text.replace("(données fictives)", label).into_bytes()
}

#[test]
fn an_answer_follows_a_publication_within_its_age_and_is_asked_for_by_its_etag() {
    let Some(program) = nginx("ages in the cache") else { return };
    let application = application();
    let ages = Nginx::short_ages(&program, application.host.address(), free_address().unwrap()).unwrap();
    let nginx = Nginx::cache(&program, ages.address).unwrap();
    let changed = renamed(&sample(), "(autre publication)");
    assert_ne!(changed, sample());
    // Those whose answer the publication changes: asked for all the time, and once before and once long after.
    let targets = documents(&application);
    let before: Vec<Vec<u8>> = targets.iter().map(|target| application.get(target).unwrap().body).collect();
    for target in &targets {
        nginx.get(target).unwrap();
    }
    assert_eq!(application.push(&Push::all(changed)).unwrap()["etape"], "publie");
    let published = Instant::now();
    let moved: Vec<usize> =
        (0..targets.len()).filter(|n| application.get(&targets[*n]).unwrap().body != before[*n]).collect();
    assert!(!moved.is_empty(), "the publication changes nothing");
    let (often, seldom) = moved.split_at(moved.len() / 2);
    // The pointer is kept for a second, the answer for two, and for one more while the next one is fetched; nginx counts
    // whole seconds, twice.
    let bound = Duration::from_secs(1 + 2 + 1 + 2);
    let mut late = 0;
    while published.elapsed() < bound + Duration::from_secs(2) {
        for n in often {
            let asked = published.elapsed();
            let answer = nginx.get(&targets[*n]).unwrap();
            if asked > bound && answer.body == before[*n] {
                late += 1;
            }
        }
    }
    assert_eq!(late, 0, "answers older than their age");
    for n in seldom {
        let answer = nginx.get(&targets[*n]).unwrap();
        assert_ne!(answer.body, before[*n], "{}: {}", targets[*n], cache(&answer));
    }
    // What has not changed since is asked for by its ETag, and not sent again.
    std::thread::sleep(bound);
    assert_eq!(cache(&nginx.get(&targets[seldom[0]]).unwrap()), "REVALIDATED");
}

#[test]
fn nobody_notices_that_the_application_stops() {
    let Some(program) = nginx("the application stopped behind the cache") else { return };
    let stop = std::env::var("GATEWAY_STOP_S").ok().and_then(|s| s.parse().ok()).unwrap_or(6);
    let application = application();
    let address = free_address().unwrap();
    let front = Nginx::short_ages(&program, application.host.address(), address).unwrap();
    let nginx = Nginx::cache(&program, address).unwrap();
    let targets = documents(&application);
    for target in &targets {
        assert_eq!(nginx.get(target).unwrap().status, 200);
    }
    let (end, asked, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let slowest = std::sync::Mutex::new(Duration::ZERO);
    let mut states = BTreeMap::new();
    std::thread::scope(|scope| {
        let load: Vec<_> = (0..LOAD)
            .map(|seed| {
                let (targets, nginx, end, asked, failed, slowest) = (&targets, &nginx, &end, &asked, &failed, &slowest);
                scope.spawn(move || {
                    let mut chance = Chance(0x9e37_79b9_7f4a_7c15 + seed);
                    let mut states: BTreeMap<String, usize> = BTreeMap::new();
                    while !end.load(Relaxed) {
                        let target = &targets[chance.zipf(targets.len())];
                        let begun = Instant::now();
                        let answer = nginx.get(target);
                        asked.fetch_add(1, Relaxed);
                        let took = begun.elapsed();
                        let mut most = slowest.lock().unwrap();
                        *most = took.max(*most);
                        drop(most);
                        match answer {
                            Ok(answer) if answer.status == 200 && !answer.body.is_empty() => {
                                *states.entry(cache(&answer).to_owned()).or_default() += 1;
                            }
                            other => {
                                failed.fetch_add(1, Relaxed);
                                eprintln!("{target}: {:?}", other.map(|a| (a.status, a.text())));
                            }
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    states
                })
            })
            .collect();
        let wait = |seconds| std::thread::sleep(Duration::from_secs(seconds));
        wait(1);
        // Its connections are refused.
        drop(front);
        wait(stop);
        // It is there again, and then takes connections without answering.
        let front = Nginx::short_ages(&program, application.host.address(), address).unwrap();
        wait(2);
        front.signal("-STOP").unwrap();
        wait(stop);
        front.signal("-CONT").unwrap();
        // It answers 503: the application is there, its store is not.
        wait(1);
        let fault = host::testing::Faults::one(host::testing::Fault::default());
        application.host.inject_faults(fault);
        wait(stop.min(6));
        application.host.inject_faults(host::testing::Faults::default());
        wait(2);
        end.store(true, Relaxed);
        for thread in load {
            for (state, count) in thread.join().unwrap() {
                *states.entry(state).or_insert(0) += count;
            }
        }
    });
    let (asked, failed) = (asked.into_inner(), failed.into_inner());
    println!(
        "{asked} requests, {failed} failed, stopped and still for {stop} s each, slowest {:?}: {states:?}",
        slowest.lock()
    );
    assert_eq!(failed, 0);
    assert!(asked > 1_000 && states["STALE"] > 100, "{states:?}");
    // What it never kept is told as such.
    drop(application);
    let missing = nginx.get("/api/inserjeunes/certifications/40099012").unwrap();
    assert_eq!((missing.status, missing.header("retry-after")), (503, Some("5")));
    assert_eq!(missing.json()["statusCode"], 503);
    assert!(missing.header("cache-control").is_some_and(|c| c.contains("no-store")));
}
