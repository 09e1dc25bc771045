//! Invariant 3: nothing that stands under the publication threshold ever leaves the service.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests stop where they fail")]

use e2e::{line, with};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use support::push::Push;
use support::{Application, Request, Settings};

const HEADCOUNTS: [&str; 6] = [
    "nb_en_emploi_6_mois",
    "nb_en_emploi_12_mois",
    "nb_en_emploi_18_mois",
    "nb_en_emploi_24_mois",
    "nb_poursuite_etudes",
    "nb_sortant",
];
const RATES: [&str; 10] = [
    "taux_en_emploi_6_mois",
    "taux_en_emploi_12_mois",
    "taux_en_emploi_18_mois",
    "taux_en_emploi_24_mois",
    "taux_en_formation",
    "taux_autres_6_mois",
    "taux_autres_12_mois",
    "taux_autres_18_mois",
    "taux_autres_24_mois",
    "taux_rupture_contrats",
];
const REGIONS: [(&str, &str); 3] = [("11", "Île-de-France"), ("76", "Occitanie"), ("04", "La Réunion")];
const PLACES: [&str; 2] = ["A-1", "B_2"];
/// CFDs that hold a group which is shown.
const SHOWN: usize = 2;
const UAIS: [&str; 3] = ["0751234J", "0010856A", "9740001A"];

/// Secret numbers, each used once: seven digits that stand nowhere else.
struct Secrets {
    next: u64,
    all: BTreeSet<String>,
}

impl Secrets {
    fn take(&mut self) -> Value {
        self.next += 7919;
        self.all.insert(self.next.to_string());
        self.next.into()
    }

    /// A group of fewer than twenty, every figure of it secret.
    fn group(&mut self, size: u64, mut doc: Map<String, Value>) -> Value {
        doc.insert("nb_annee_term".into(), size.into());
        for name in HEADCOUNTS.into_iter().chain(RATES) {
            doc.insert(name.into(), self.take());
        }
        doc.insert(
            "_meta".into(),
            json!({"inserjeunes": {"taux_emploi_6_mois": self.take(), "nb_secret": self.take()}}),
        );
        doc.insert("champ_inconnu".into(), self.take());
        doc.into()
    }
}

fn document(millesime: &str, code: &str, cfd: &str, filiere: &str) -> Map<String, Value> {
    let doc = json!({
        "millesime": millesime, "code_certification": code, "code_certification_type": "cfd",
        "code_formation_diplome": cfd, "libelle": format!("LIBELLE {code}"),
        "diplome": {"code": "4", "libelle": "BAC"}, "filiere": filiere,
        "donnee_source": {"code_certification": code, "type": "self"},
    });
    doc.as_object().unwrap().clone()
}

fn dataset(secrets: &mut Secrets) -> String {
    let declared = json!({"nom": "bassins", "libelle": "Bassins", "cle": "bassin.code"});
    let mut lines = line("maille", &declared);
    let mut size = 0;
    // A group that is said to be of nobody is added up with its counts, as recorded: not beside groups that are shown.
    let mut next_size = |number: usize| {
        size = (size + 7) % 20;
        if size == 0 && number < SHOWN { 19 } else { size }
    };
    for number in 0..6 {
        let (cfd, mef) = (format!("4009900{number}"), format!("2383009900{number}"));
        for (code, kind) in [(&cfd, "cfd"), (&mef, "mef")] {
            let doc = json!({
                "type": kind, "code_certification": code, "code_formation_diplome": cfd,
                "libelle": format!("BCN {code}"), "libelle_long": "LONG", "diplome": {"code": "4", "libelle": "BAC"},
            });
            lines += &line("bcn", &doc);
        }
        lines += &line("rncp", &json!({"code_certification": cfd, "rncp": format!("RNCP{}", &cfd[3..])}));
        for (code, filiere) in [(&cfd, "apprentissage"), (&mef, "pro")] {
            for year in 2021..=2023 {
                let period = format!("{}_{year}", year - 1);
                let mut national = document(&year.to_string(), code, &cfd, filiere);
                if number == 0 && filiere == "pro" {
                    // A year before the last: its final years are shown inside it.
                    national.insert(
                        "certificationsTerminales".into(),
                        json!([{"code_certification": "23830099001"}, {"code_certification": "23830099002"}]),
                    );
                }
                lines += &line("certification", &secrets.group(next_size(number), national));
                for (region, name) in REGIONS {
                    let mut doc = document(&period, code, &cfd, filiere);
                    doc.insert("region".into(), json!({"code": region, "nom": name}));
                    lines += &line("regionale", &secrets.group(next_size(number), doc));
                }
                for place in PLACES {
                    let mut doc = document(&period, code, &cfd, filiere);
                    doc.insert("maille".into(), "bassins".into());
                    doc.insert("bassin".into(), json!({"code": place, "nom": "Bassin"}));
                    doc.insert("nb_inconnu".into(), secrets.take());
                    lines += &line("statistique", &secrets.group(next_size(number), doc));
                }
                for (uai, (region, name)) in UAIS.into_iter().zip(REGIONS) {
                    let mut doc = document(&period, code, &cfd, filiere);
                    doc.insert("region".into(), json!({"code": region, "nom": name}));
                    doc.insert("academie".into(), json!({"code": "01", "nom": "Paris"}));
                    doc.insert("uai".into(), uai.into());
                    doc.insert("uai_type".into(), "lieu_formation".into());
                    doc.insert("uai_donnee".into(), UAIS[0].into());
                    doc.insert("uai_donnee_type".into(), "formateur".into());
                    lines += &line("formation", &secrets.group(next_size(number), doc));
                }
            }
        }
    }
    // Groups that are shown, of CFDs that hide others.
    for number in 0..SHOWN {
        for (region, name) in std::iter::once(("", "")).chain(REGIONS) {
            let (millesime, code) =
                (if region.is_empty() { "2022" } else { "2021_2022" }, format!("2383009910{number}"));
            let mut doc = document(millesime, &code, &format!("4009900{number}"), "pro");
            if !region.is_empty() {
                doc.insert("region".into(), json!({"code": region, "nom": name}));
            }
            doc.insert("nb_annee_term".into(), 45.into());
            for (rank, name) in HEADCOUNTS.into_iter().chain(RATES).enumerate() {
                doc.insert(name.into(), (20 + rank).into());
            }
            lines += &line(if region.is_empty() { "certification" } else { "regionale" }, &doc.into());
        }
    }
    for uai in UAIS {
        lines += &line("etablissement", &json!({"numero_uai": uai, "academie": "01", "appellation_officielle": uai}));
    }
    lines
}

/// Every path of the service that shows documents, with every format, filter and view.
fn paths() -> Vec<String> {
    let codes: Vec<String> = (0..6).flat_map(|n| [format!("4009900{n}"), format!("2383009900{n}")]).collect();
    let mut paths = vec![
        "/api".to_owned(),
        "/api/inserjeunes/mailles".into(),
        "/api/status".into(),
        "/api/changements".into(),
        "/api/changements?depuis=g1".into(),
        "/api/changements.atom".into(),
        "/etat/changements".into(),
        "/etat".into(),
        "/api/doc".into(),
        "/".into(),
    ];
    let filters: Vec<String> =
        ["", "millesimes=2021,2022,2023,2020_2021,2021_2022,2022_2023", "code_certifications=40099001,23830099001"]
            .into_iter()
            .chain(["universe=secondaire", "page=2", "page=3&items_par_page=7"])
            .map(str::to_owned)
            .collect();
    let of_places = ["regions=11", "regions=11,76&millesimes=2021_2022", "academies=01", "uais=0751234J,9740001A"];
    let mut list = |base: &str, filters: &mut dyn Iterator<Item = &str>| {
        for filter in filters {
            for ext in ["", ".json", ".csv", ".ndjson"] {
                paths.push(
                    format!(
                        "/api/inserjeunes/{base}{ext}?{}",
                        if filter.contains("items_par_page") {
                            filter.to_owned()
                        } else {
                            format!("{filter}&items_par_page=1000")
                        }
                    )
                    .replace("?&", "?"),
                );
            }
        }
    };
    list("certifications", &mut filters.iter().map(String::as_str));
    list("regionales", &mut filters.iter().map(String::as_str).chain(of_places.into_iter().take(2)));
    list("formations", &mut filters.iter().map(String::as_str).chain(of_places));
    let of_declared = ["lieux=A-1", "lieux=A-1,B_2&millesimes=2021_2022&code_certifications=40099001"];
    list("mailles/bassins", &mut filters.iter().map(String::as_str).chain(of_declared));
    for place in PLACES {
        list(&format!("mailles/bassins/{place}"), &mut filters.iter().map(String::as_str));
    }
    list("bcn", &mut ["", "page=2"].into_iter());
    for (region, _) in REGIONS {
        list(&format!("regionales/{region}"), &mut filters.iter().map(String::as_str));
    }
    let views = [
        "",
        "?millesime=2021",
        "?millesime=2020_2021",
        "?vue=filieres",
        "?vue=filieres&millesime=2022",
        "?vue=filieres&millesime=2021_2022",
    ];
    for code in &codes {
        let mut bases = vec![format!("certifications/{code}")];
        bases.extend(REGIONS.map(|(region, _)| format!("regionales/{region}/certifications/{code}")));
        bases.extend(PLACES.map(|place| format!("mailles/bassins/{place}/certifications/{code}")));
        bases.extend(UAIS.map(|uai| format!("formations/{uai}-{code}")));
        for base in bases {
            for view in views {
                for image in ["", ".svg"] {
                    paths.push(format!("/api/inserjeunes/{base}{image}{view}"));
                }
                paths.push(format!("/api/images/{base}.svg{view}"));
            }
        }
        for theme in ["dsfr", "lba"] {
            paths.push(format!(
                "/api/inserjeunes/certifications/{code}.svg?theme={theme}&direction=horizontal&imageOnError=true"
            ));
        }
        paths.push(format!("/api/recherche?q={code}"));
    }
    paths.push("/api/recherche?q=LIBELLE".into());
    paths.extend(pages(&codes));
    paths
}

/// Pages for people, what search engines read, and what the matching and the search tell without a key.
fn pages(codes: &[String]) -> Vec<String> {
    let words =
        ["recherche?q=LIBELLE", "recherche?region=11&voie=lycee", "recherche?niveau=bac", "plan-du-site", "robots.txt"];
    let mut pages: Vec<String> = words
        .into_iter()
        .chain(["methode", "sitemap.xml", "sitemaps/0", "sitemaps/textes"])
        .map(|p| format!("/{p}"))
        .collect();
    pages.push("/api/appariement/raisons".into());
    for code in codes {
        pages.push(format!("/certifications/{code}"));
        pages.push(format!("/api/recherche/certifications/{code}"));
        pages.extend(
            REGIONS.map(|(region, _)| format!("/certifications/{code}?region={region}&etablissement={}", UAIS[0])),
        );
        pages.extend(
            REGIONS.map(|(region, _)| {
                format!("/comparer?avec={code}&avec={code}-{region}&avec=0751234J-{code}&q=LIBELLE")
            }),
        );
        let column = if code.len() == 8 { "codecfd" } else { "codemef" };
        for uai in UAIS {
            pages.push(format!("/etablissements/{uai}/{code}"));
            for voie in ["Scolaire", "Apprentissage"] {
                pages.push(format!(
                    "/api/appariement/formation?uai_composante={uai}&{column}={code}&apprentissageouscolaire={voie}&explication=1"
                ));
            }
        }
        pages.push(format!("/api/appariement/codes?{column}={code}"));
        // The directory's number is made of the CFD's; of another code it is none that is known.
        let identifier = format!("/api/inserjeunes/identifiants/RNCP/{}", code.get(3..).unwrap_or_default());
        pages.extend(["", "?voie=apprentissage"].map(|voie| format!("{identifier}{voie}")));
    }
    for uai in UAIS {
        pages.extend(["", "?tri=nom"].map(|sort| format!("/etablissements/{uai}{sort}")));
        pages.push(format!("/api/recherche/etablissements/{uai}"));
        pages.push(format!("/api/appariement/etablissements/{uai}/suggestions"));
    }
    pages
}

/// The settings of a deployment that tells its address: without it there is no site map.
fn settings() -> Settings {
    let others = [("adresse_publique".to_owned(), "https://exposition.example".to_owned())];
    Settings { others: others.into(), ..Settings::default() }
}

/// Every request of [`paths`], those that fail, and rows of a catalogue.
fn requests() -> Vec<Request> {
    let wrong = [
        "certifications/99999999",
        "certifications/40099000?millesime=1999",
        "certifications/40099000|23830099100?vue=filieres",
        "certifications/40099000|23830099100|40099001?vue=filieres&millesime=2022",
        "regionales/11/certifications/40099000|40099001|40099002?vue=filieres&millesime=2021_2022",
        "regionales/99/certifications/40099000",
        "formations/9999999Z-40099000",
        "formations/0751234J-99999999",
        "mailles/bassins/A-1/certifications/99999999",
        "formations?items_par_page=-1",
    ];
    let search = ["LIBELLE 4009900", "0751234J", "40099000 BAC", "inconnu"];
    let paths = paths()
        .into_iter()
        .chain(wrong.map(|path| format!("/api/inserjeunes/{path}")))
        .chain(search.map(|words| format!("/api/recherche?q={}", words.replace(' ', "%20"))))
        // These tell moments; of what changed, `crates/publication/tests/it/changes.rs` shows that hidden figures are no part.
        .filter(|path| path != "/etat" && !path.contains("/changements"));
    let mut requests: Vec<Request> = paths.map(|path| Request::get(&path)).collect();
    let mut rows = "CODEFORMATIONACCUEIL;UAI_COMPOSANTE;CODEMEF;CODECFD\n".to_owned();
    for (rank, uai) in UAIS.into_iter().enumerate() {
        for number in 0..6 {
            rows += &format!("a{rank}{number};{uai};2383009900{number};\nb{rank}{number};{uai};;4009900{number}\n");
        }
    }
    for route in ["formations?explication=1", "couverture", "codes"] {
        let request = Request::new("POST", &format!("/api/appariement/{route}")).header("content-type", "text/csv");
        requests.push(request.body(rows.clone()));
    }
    requests.extend(tools());
    requests
}

/// What an assistant may ask of the same certifications.
fn tools() -> impl Iterator<Item = Request> {
    let places = [json!({}), json!({"region": REGIONS[0].0}), json!({"uai": UAIS[0]}), json!({"uai": UAIS[1]})];
    let codes = (0..6).flat_map(|number| [format!("4009900{number}"), format!("2383009900{number}")]);
    let documents = codes.flat_map(move |code| {
        places.clone().into_iter().flat_map(move |mut arguments| {
            arguments["code_certification"] = code.clone().into();
            let mut whole = arguments.clone();
            whole["historique"] = true.into();
            [("document", arguments.clone()), ("document", whole), ("comparaison", arguments)]
        })
    });
    documents.chain([("rechercher", json!({"q": "LIBELLE"}))]).map(|(name, arguments)| {
        let params = json!({"name": name, "arguments": arguments});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        Request::new("POST", "/api/mcp").header("content-type", "application/json").body(message.to_string())
    })
}

/// What an answer tells, but for the moment that it was made, and the moments and the names of imports.
fn told(application: &Application, request: Request) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let status = request.target == b"/api/status";
    let answer = application.send(&request.header("x-api-key", &application.settings.legacy_api_key)).unwrap();
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
    if !status {
        return (answer.status, headers, answer.body);
    }
    headers.retain(|(name, _)| !["etag", "content-length"].contains(&name.as_str()));
    let mut state = answer.json();
    timeless(&mut state);
    (answer.status, headers, state.to_string().into_bytes())
}

fn timeless(state: &mut Value) {
    match state {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                !(name.ends_with("_le") || name.ends_with("_ms") || ["travail", "id"].contains(&name.as_str()))
            });
            fields.values_mut().for_each(timeless);
        }
        Value::Array(values) => values.iter_mut().for_each(timeless),
        _ => {}
    }
}

/// Numbers of seven digits or more in a text.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() >= 7)
}

fn check(application: &Application, request: &Request, secrets: &Secrets) -> u16 {
    let answer = application.send(request).unwrap();
    let target = String::from_utf8_lossy(&request.target);
    let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    for text in [answer.text(), headers] {
        // Pages for people put a narrow space between thousands.
        let text = text.replace(['\u{202f}', '\u{a0}'], "");
        let leaked: Vec<&str> = numbers(&text).filter(|digits| secrets.all.contains(*digits)).collect();
        assert!(leaked.is_empty(), "{} {target} shows {leaked:?}:\n{text}", request.method);
    }
    answer.status
}

#[test]
fn invariant_3_no_secret_number_appears_on_any_route_format_filter_or_view() {
    let mut secrets = Secrets { next: 5_000_000, all: BTreeSet::new() };
    let lines = dataset(&mut secrets);
    assert!(secrets.all.len() > 3000);
    let application = with(settings(), &Push::all(lines)).unwrap();
    let key = application.settings.legacy_api_key.clone();
    let mut answered = 0;
    for path in paths() {
        answered += u32::from(check(&application, &Request::get(&path).header("x-api-key", &key), &secrets) == 200);
    }
    assert!(answered > 400, "only {answered} paths answer");
    // What operators see names counts and reasons, never a value.
    for path in ["status", "users"] {
        check(&application, &application.import("GET", path), &secrets);
    }
    let refused = line("formation", &json!({"uai": 5_007_919, "nb_sortant": 5_007_919}));
    let answer = application.send(&application.import("POST", "documents").body(refused)).unwrap();
    assert_eq!(answer.status, 422, "{}", answer.text());
}

/// Two publications that differ by every hidden figure answer alike: bodies, ETags, lengths, order, search, coverage, errors, and
/// the fingerprint. The figures of the second are longer too.
#[test]
fn invariant_3_hidden_figures_that_differ_change_no_answer() {
    let published = [5_000_000, 7_000_000_000].map(|next| {
        let mut secrets = Secrets { next, all: BTreeSet::new() };
        with(settings(), &Push::all(dataset(&mut secrets))).unwrap()
    });
    let mut answered = 0;
    for request in requests() {
        let [one, other] = published.each_ref().map(|application| told(application, request.clone()));
        answered += u32::from(one.0 == 200);
        let target = String::from_utf8_lossy(&request.target).into_owned();
        assert_eq!((one.0, &one.1), (other.0, &other.1), "{target}");
        assert!(
            one.2 == other.2,
            "{target}: {}\n{}",
            String::from_utf8_lossy(&one.2),
            String::from_utf8_lossy(&other.2)
        );
    }
    assert!(answered > 400, "only {answered} requests are answered");
    // What an operator is told of them is in reports, and not public.
    let digest =
        |application: &Application| application.get("/api/status").unwrap().json()["publication"]["empreinte"].clone();
    assert!(digest(&published[0]).as_str().is_some_and(|digest| digest.len() == 64));
}

/// The same of what a second publication changes: which of the hidden figures it brings, no answer tells, nor what is told of
/// imports.
#[test]
fn invariant_3_hidden_figures_that_a_second_publication_brings_change_no_answer() {
    let published = [6_000_000, 7_000_000_000].map(|next| {
        let application =
            with(settings(), &Push::all(dataset(&mut Secrets { next: 5_000_000, all: BTreeSet::new() }))).unwrap();
        let opening = json!({"mode": "ajouter"});
        let push = Push { opening, ..Push::all(dataset(&mut Secrets { next, all: BTreeSet::new() })) };
        let job = application.push(&push).unwrap();
        assert_eq!(job["etape"], "publie", "{job}");
        application
    });
    // An instance follows the pointer within a second.
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    for request in requests() {
        let [one, other] = published.each_ref().map(|application| told(application, request.clone()));
        assert!(one == other, "{}", String::from_utf8_lossy(&request.target));
    }
}

/// Of a hidden group the size alone is told: two publications that differ by one group, its figures and its size, answer alike
/// once sizes are left out.
#[test]
fn invariant_3_of_a_hidden_group_the_size_alone_is_told() {
    let published = [7, 8].map(|size| {
        let mut secrets = Secrets { next: 5_000_000 + 1_000_000 * size, all: BTreeSet::new() };
        let mut other = Secrets { next: 5_000_000, all: BTreeSet::new() };
        let mut lines = dataset(&mut other);
        let mut doc = document("2021_2022", "23830099777", "40099000", "pro");
        doc.insert("region".into(), json!({"code": "11", "nom": "Île-de-France"}));
        lines += &line("regionale", &secrets.group(size, doc));
        with(settings(), &Push::all(lines)).unwrap()
    });
    let sizeless = |body: &[u8]| -> Option<Value> {
        fn leave_out(value: &mut Value) {
            match value {
                Value::Object(fields) => {
                    fields.remove("nb_annee_term");
                    fields.remove("empreinte");
                    fields.remove("empreintes");
                    fields.remove("digest");
                    fields.values_mut().for_each(leave_out);
                }
                Value::Array(values) => values.iter_mut().for_each(leave_out),
                // The answer of a tool holds that of its route as a text.
                Value::String(text) => {
                    if let Ok(mut inner @ Value::Object(_)) = serde_json::from_str(text) {
                        leave_out(&mut inner);
                        *text = inner.to_string();
                    }
                }
                _ => {}
            }
        }
        let mut value = serde_json::from_slice(body).ok()?;
        leave_out(&mut value);
        Some(value)
    };
    let (mut alike, mut sized) = (0, 0);
    for request in requests() {
        let [one, other] = published.each_ref().map(|application| told(application, request.clone()));
        let target = String::from_utf8_lossy(&request.target).into_owned();
        if one == other {
            alike += 1;
            continue;
        }
        let told_apart = |headers: &[(String, String)]| -> Vec<(String, String)> {
            headers.iter().filter(|(name, _)| name != "etag").cloned().collect()
        };
        // The size has one digit in both: lengths are alike.
        assert_eq!((one.0, told_apart(&one.1)), (other.0, told_apart(&other.1)), "{target}");
        assert_eq!(one.2.len(), other.2.len(), "{target}");
        if let Some(left) = sizeless(&one.2) {
            assert_eq!(Some(left), sizeless(&other.2), "{target}");
        } else {
            let differing =
                one.2.iter().zip(&other.2).filter(|(a, b)| a != b).map(|(a, b)| (*a, *b)).collect::<Vec<_>>();
            assert_eq!(differing, [(b'7', b'8')], "{target}: more than the size differs");
        }
        sized += 1;
    }
    assert!(alike > 300 && sized > 5, "{alike} answers are alike, {sized} tell the size");
}

/// A group that is withheld for the sake of a smaller one is as hidden as that one: no route has a rate of it, and the matching
/// does not say that its establishment is covered.
#[test]
fn invariant_3_what_is_withheld_is_on_no_route() {
    let (cfd, code, mef) = ("40099000", "23830099000", "2389900003");
    let row = json!({"mef": mef, "mef_stat_11": code, "formation_diplome": cfd, "duree_dispositif": "3", "annee_dispositif": "3"});
    let mut lines = line("bcn_mef", &row);
    for (code, kind) in [(cfd, "cfd"), (code, "mef")] {
        let doc = json!({"type": kind, "code_certification": code, "code_formation_diplome": cfd, "libelle": "LIBELLE",
            "libelle_long": "LONG", "diplome": {"code": "4", "libelle": "BAC"}});
        lines += &line("bcn", &doc);
    }
    for uai in UAIS {
        lines += &line("etablissement", &json!({"numero_uai": uai, "academie": "01", "appellation_officielle": uai}));
    }
    // Of two establishments of a region one is small: the region less the other would be it.
    let mut rates: BTreeMap<(&str, &str), BTreeSet<String>> = BTreeMap::new();
    let mut next = 5_000_000;
    for (kind, list, place, region, size) in [
        ("formation", "formations", UAIS[0], "11", 12),
        ("formation", "formations", UAIS[1], "11", 48),
        ("regionale", "regionales", "11", "11", 60),
        ("regionale", "regionales", "76", "76", 45),
        ("certification", "certifications", "", "", 105),
    ] {
        let mut doc = document(if region.is_empty() { "2022" } else { "2021_2022" }, code, cfd, "pro");
        doc.insert("nb_annee_term".into(), size.into());
        for name in ["nb_en_emploi_6_mois", "nb_poursuite_etudes", "nb_sortant"] {
            doc.insert(name.into(), (size / 3).into());
        }
        let mut secrets = Secrets { next, all: BTreeSet::new() };
        for name in RATES {
            doc.insert(name.into(), secrets.take());
        }
        next = secrets.next;
        rates.insert((list, place), secrets.all);
        if !region.is_empty() {
            doc.insert("region".into(), json!({"code": region, "nom": "Région"}));
        }
        if kind == "formation" {
            doc.insert("uai".into(), place.into());
            doc.insert("academie".into(), json!({"code": "01", "nom": "Paris"}));
        }
        lines += &line(kind, &doc.into());
    }
    let mut settings = settings();
    settings.others.insert("secret_secondaire".into(), "oui".into());
    let application = with(settings, &Push::all(lines)).unwrap();
    let report = application.send(&application.import("GET", "secret")).unwrap().text();
    let mut secrets = Secrets { next, all: rates[&("formations", UAIS[0])].clone() };
    for row in report.lines().skip(1) {
        let cells: Vec<&str> = row.split(';').collect();
        secrets.all.extend(rates[&(cells[0], cells[1])].iter().cloned());
    }
    assert!(report.contains(&format!("formations;{};", UAIS[1])), "{report}");
    let mut answered = 0;
    for request in requests() {
        let request = request.header("x-api-key", &application.settings.legacy_api_key);
        answered += u32::from(check(&application, &request, &secrets) == 200);
    }
    assert!(answered > 100, "{answered}");
    let row = format!("/api/appariement/formation?uai_composante={}&codemef={mef}", UAIS[1]);
    let row = application.get(&row).unwrap().json();
    let expected = (&json!(format!("MEFSTAT11:{code}")), &json!("sans_raison"));
    assert_eq!((&row["code_certification_retenu"], &row["raison"]), expected, "{row}");
}

#[test]
fn the_walk_would_see_a_number_that_is_not_hidden() {
    let mut secrets = Secrets { next: 5_000_000, all: BTreeSet::new() };
    let group = secrets.group(20, document("2023", "40099000", "40099000", "apprentissage"));
    let application = with(Settings::default(), &Push::all(line("certification", &group))).unwrap();
    let shown = application.get("/api/inserjeunes/certifications").unwrap().text();
    let seen = numbers(&shown).filter(|digits| secrets.all.contains(*digits)).count();
    assert_eq!(seen, HEADCOUNTS.len() + RATES.len(), "{shown}");
}
