//! Options of exports: every cell of theirs is a cell of the plain export or a label of the list. Fields of lists: what is left
//! of a row is as it is in the whole row.

use crate::common::ReadStore;
use crate::instance::Instance;
use api::{Request, ResponseBody, routes};
use futures_executor::{block_on, block_on_stream};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Harness = Instance<ReadStore>;

struct Seen {
    status: u16,
    headers: BTreeMap<String, String>,
    text: String,
    /// The largest piece that was sent.
    piece: usize,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
    /// The fault that is told.
    fn fault(&self) -> Value {
        let body: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!((self.status, &body["message"]), (400, &json!("Erreur de validation")), "{body}");
        body["details"][0].clone()
    }
    /// The cells of each row.
    fn rows(&self) -> Vec<Vec<String>> {
        assert_eq!(self.status, 200, "{}", self.text);
        let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
        let mut letters = self.text.strip_prefix('\u{feff}').unwrap_or(&self.text).chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
                '"' => quoted = !quoted,
                ';' if !quoted => row.push(std::mem::take(&mut cell)),
                '\n' if !quoted => {
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                other => cell.push(other),
            }
        }
        assert!(cell.is_empty() && row.is_empty() && !quoted, "cut: {row:?} {cell}");
        rows
    }
}

impl Harness {
    /// A target under `/api/inserjeunes/`, asked of the component of exports.
    fn export(&self, target: &str) -> Seen {
        self.see(target, async |request| routes::lists(self, request).await)
    }

    fn see(&self, target: &str, route: impl AsyncFn(Request) -> api::Response) -> Seen {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            method: "GET".into(),
            path: format!("/api/inserjeunes/{path}"),
            query: query.into(),
            headers: vec![("x-api-key".to_owned(), "cle".to_owned())].into(),
            body: Vec::new(),
        };
        let response = block_on(route(request));
        let headers = response.headers.iter().map(|(n, v)| ((*n).to_owned(), v.to_string())).collect();
        let pieces: Vec<Vec<u8>> = match response.body {
            ResponseBody::Bytes(bytes) => vec![bytes],
            ResponseBody::Stream(stream) => block_on_stream(stream).map(Result::unwrap).collect(),
        };
        let piece = pieces.iter().map(Vec::len).max().unwrap_or_default();
        Seen { status: response.status, headers, text: String::from_utf8(pieces.concat()).unwrap(), piece }
    }
}

/// A statistic whose texts are what breaks a CSV or a spreadsheet; every third is below the threshold.
fn statistic(kind: &str, rank: usize) -> Value {
    let codes = ["01099051", "4002E514", "40025214", "=1234567", "0000E001"];
    let labels = ["CUISINE", "a;b \"c\"\nd", "=1+1", "-x", "3 TEMPS", "VÉLO, ÉTÉ"];
    let (region, academie) =
        [(("11", "Île-de-France"), ("01", "Paris")), (("04", "La Réunion"), ("28", "La Réunion"))][rank % 2];
    let size = if rank.is_multiple_of(3) { 4 + rank % 15 } else { 1_000 + rank };
    let mut doc = json!({
        "code_certification": codes[rank % 3], "code_formation_diplome": codes[rank % 2], "filiere": "apprentissage",
        "libelle": labels[rank % labels.len()], "diplome": {"code": "4", "libelle": "BAC PRO"},
        "nb_annee_term": size, "nb_en_emploi_6_mois": size / 2, "nb_diplome": 770_000 + rank, "taux_en_emploi_6_mois": 50,
        "taux_en_formation": 12.5, "donnee_source": {"code_certification": codes[rank % 3], "type": "self"},
    });
    let fields = match kind {
        "certification" => json!({"millesime": format!("{}", 2_000 + rank), "salaire_12_mois_q1": 1234.5}),
        "regionale" => {
            json!({"millesime": format!("{}_{}", 2_000 + rank, 2_001 + rank), "region": {"code": region.0, "nom": region.1}})
        }
        _ => json!({
            "uai": format!("{:07}E", 10_000 + rank), "millesime": if rank.is_multiple_of(5) { "2018" } else { "2018_2019" },
            "libelle_etablissement": format!("Lycée \"{rank}\""), "uai_type": "lieu_formation", "uai_donnee": format!("{:07}E", 10_000 + rank),
            "region": {"code": region.0, "nom": region.1}, "academie": {"code": academie.0, "nom": academie.1},
        }),
    };
    doc.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"kind": kind, "doc": doc})
}

const FORMATIONS: usize = 1_500;

fn published() -> Harness {
    let harness = Harness::default();
    let mut rows: Vec<Value> = (0..FORMATIONS).map(|rank| statistic("formation", rank)).collect();
    for kind in ["certification", "regionale"] {
        rows.extend((0..40).map(|rank| statistic(kind, rank)));
    }
    rows.extend((0..9).map(|n| {
        json!({"kind": "bcn", "doc": {"type": "cfd", "code_certification": format!("0109905{n}"), "code_formation_diplome": format!("0109905{n}"),
            "libelle": "=A", "libelle_long": "B;C", "diplome": {"code": "4", "libelle": "BAC PRO"}, "date_premiere_session": "2015"}})
    }));
    published::publish(&harness.store.0, "a", &published::lines(&rows));
    harness
}

thread_local!(static HARNESS: Harness = published());

const LISTS: [&str; 4] = ["certifications", "regionales", "formations", "bcn"];
const LABELS: [&str; 7] = [
    "libelle",
    "diplome_libelle",
    "region_code",
    "region_nom",
    "academie_code",
    "academie_nom",
    "libelle_etablissement",
];

/// All rows of a list, with every millesime that there is.
fn all(list: &str) -> String {
    let years: Vec<String> =
        (2_000..2_040).flat_map(|year| [format!("{year}"), format!("{year}_{}", year + 1)]).collect();
    let years = if list == "bcn" { String::new() } else { format!("&millesimes={}", years.join(",")) };
    format!("{list}.csv?items_par_page=1000000{years}")
}

#[test]
fn an_export_without_options_has_the_bytes_that_it_had() {
    HARNESS.with(|harness| {
        for list in LISTS {
            let plain = harness.export(&all(list));
            let target = all(list).replacen(".csv?", "?ext=csv&", 1);
            let other = harness.see(&target, async |request| match list {
                "certifications" => routes::certifications(harness, request).await,
                "regionales" => routes::regionales(harness, request).await,
                "formations" => routes::formations(harness, request).await,
                _ => routes::bcn(harness, request).await,
            });
            assert!(plain.rows().len() > 5 && plain.text == other.text, "{list}");
            assert_eq!(plain.header("content-disposition"), "attachment; filename=export-1970-01-01.csv");
        }
        let first = harness.export("bcn.csv?items_par_page=1").text;
        assert_eq!(
            first,
            "code_certification;type;code_formation_diplome;libelle;libelle_long;diplome_libelle;date_ouverture;date_fermerture;\
             date_premiere_session;date_derniere_session\n01099050;cfd;01099050;=A;\"B;C\";BAC PRO;;;2015;\n"
        );
    });
}

#[test]
fn labels_are_those_of_the_list() {
    HARNESS.with(|harness| {
        for (list, count) in [("certifications", 2), ("regionales", 3), ("formations", 7), ("bcn", 0)] {
            let plain = harness.export(&all(list)).rows();
            let with = harness.export(&(all(list) + "&libelles=1")).rows();
            let json = harness.export(&all(list).replacen(".csv", ".ndjson", 1)).text;
            let width = plain[0].len();
            assert_eq!(
                &with[0][width..],
                LABELS[..count].iter().map(|l| (*l).to_owned()).collect::<Vec<_>>(),
                "{list}"
            );
            assert_eq!(plain.len(), with.len());
            for (rank, line) in json.lines().enumerate() {
                let document: Value = serde_json::from_str(line).unwrap();
                assert_eq!(plain[rank + 1], with[rank + 1][..width], "{list} {rank}");
                for (name, cell) in LABELS[..count].iter().zip(&with[rank + 1][width..]) {
                    let path = match *name {
                        "libelle" | "libelle_etablissement" => format!("/{name}"),
                        nested => format!("/{}", nested.replacen('_', "/", 1)),
                    };
                    assert_eq!(
                        document.pointer(&path).and_then(Value::as_str).unwrap_or_default(),
                        cell,
                        "{list} {rank} {name}"
                    );
                }
            }
        }
    });
}

#[test]
fn invariant_3_no_option_shows_what_the_export_hides() {
    HARNESS.with(|harness| {
        for list in ["certifications", "regionales", "formations"] {
            let options = "&libelles=1&excel=1";
            let (plain, with) = (harness.export(&all(list)).rows(), harness.export(&(all(list) + options)).rows());
            let hidden: Vec<usize> =
                (0..plain.len()).filter(|rank| plain[*rank].iter().any(|cell| cell == "null")).collect();
            assert!(hidden.len() > plain.len() / 4, "{list}");
            for rank in hidden {
                for (place, cell) in
                    plain[rank].iter().enumerate().filter(|(_, cell)| *cell == "null" || cell.is_empty())
                {
                    assert_eq!(cell, &with[rank][place], "{list} {rank} {place}");
                }
            }
            let whole = harness.export(&(all(list) + options)).text;
            assert!(!whole.contains("7700") && !whole.contains("7701"), "the number of graduates is no column");
            let fault = harness.export(&(all(list) + "&colonnes=nb_annee_term,nb_diplome")).fault();
            assert_eq!(fault["context"]["value"], "nb_diplome");
            assert!(!fault["context"]["valids"].as_array().unwrap().contains(&json!("nb_diplome")));
        }
    });
}

/// What Excel makes of a cell when a CSV is opened: the text of `="…"`, and nothing that it would take for a number or a formula.
fn in_excel(cell: &str) -> String {
    match cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')) {
        Some(text) => text.replace("\"\"", "\""),
        None => {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "a formula: {cell}");
            cell.to_owned()
        }
    }
}

#[test]
fn excel_keeps_codes_and_labels_as_texts_and_reads_decimals() {
    HARNESS.with(|harness| {
        for list in LISTS {
            let plain = harness.export(&(all(list) + "&libelles=1")).rows();
            let excel = harness.export(&(all(list) + "&libelles=1&excel=1"));
            assert!(excel.text.starts_with('\u{feff}') && !excel.text[3..].contains('\u{feff}'));
            let rows = excel.rows();
            assert_eq!((&rows[0], rows.len()), (&plain[0], plain.len()));
            for (row, plain) in rows.iter().zip(&plain).skip(1) {
                for ((name, cell), plain) in rows[0].iter().zip(row).zip(plain) {
                    let figure = ["nb_", "taux_", "salaire_"].iter().any(|start| name.starts_with(start));
                    let expected = if figure { plain.replace('.', ",") } else { plain.clone() };
                    assert_eq!(in_excel(cell), expected, "{list} {name}");
                    let looks_like_a_number = plain.starts_with(|c: char| c.is_ascii_digit());
                    assert_eq!(
                        cell.starts_with("=\""),
                        !figure && (looks_like_a_number || plain.starts_with(['=', '-'])),
                        "{name} {cell}"
                    );
                }
            }
            if list == "certifications" {
                let place = rows[0].iter().position(|name| name == "salaire_12_mois_q1").unwrap();
                assert_eq!(rows[1][place], "1234,5");
            }
        }
    });
}

#[test]
fn files_say_what_they_hold() {
    HARNESS.with(|harness| {
        for (target, name) in [
            ("formations.csv?libelles=1&items_par_page=1000000", "formations-en-vigueur-libelles-g1-1970-01-01.csv"),
            ("formations.csv?libelles=0&excel=1&regions=75011,04&page=2", "formations-en-vigueur-regions_11+04-page_2-excel-g1-1970-01-01.csv"),
            ("bcn.csv?colonnes=libelle,type&items_par_page=100", "bcn-2-colonnes-g1-1970-01-01.csv"),
            (
                "formations.csv?excel=0&millesimes=2018_2019&uais=0010000E,0010001E,0010002E,0010003E&code_certifications=CFD:01099051&items_par_page=9",
                "formations-2018_2019-4-uais-codes_01099051-g1-1970-01-01.csv",
            ),
        ] {
            assert_eq!(harness.export(target).header("content-disposition"), format!("attachment; filename={name}"), "{target}");
        }
        let next = harness.export("formations.csv?excel=1&colonnes=uai&apiKey=cle").header("link").to_owned();
        assert!(next.contains("formations.csv?excel=1&colonnes=uai&generation=g1&page=2>; rel=\"next\""), "{next}");
    });
}

#[test]
fn options_that_are_wrong_are_told_in_french() {
    HARNESS.with(|harness| {
        for (target, part, value) in [
            ("formations.csv?libelles=oui", "« libelles » vaut 1 ou 0", json!(["oui"])),
            ("formations.csv?excel=1&excel=1", "« excel » vaut 1 ou 0", json!(["1", "1"])),
            ("formations.csv?colonnes=uai&colonnes=x", "se donne une fois", json!(["uai", "x"])),
            ("formations.csv?colonnes=", "colonne inconnue", json!("")),
            ("formations.csv?colonnes=uai|taux", "colonne inconnue", json!("taux")),
            ("formations.csv?colonnes=uai,uai", "deux fois", json!("uai")),
            ("regionales.csv?colonnes=academie_nom", "colonne inconnue", json!("academie_nom")),
            ("formations.ndjson?excel=1", "valent pour un CSV", Value::Null),
            ("formations.json?excel=0", "valent pour un CSV", Value::Null),
        ] {
            let fault = harness.export(target).fault();
            assert!(fault["message"].as_str().unwrap().contains(part), "{target}: {fault}");
            assert_eq!(fault["context"]["value"], value, "{target}");
        }
        // Faults of both kinds are told at once.
        let seen = harness.export("formations.csv?excel=2&page=-1&autre=1");
        let body: Value = serde_json::from_str(&seen.text).unwrap();
        let paths: Vec<&Value> = body["details"].as_array().unwrap().iter().map(|fault| &fault["path"][0]).collect();
        assert_eq!(paths, ["page", "autre", "excel"]);
        // Elsewhere they are unknown, and the answer says where they are.
        let seen =
            harness.see("regionales/11.csv?libelles=1", async |request| routes::regionales(harness, request).await);
        assert_eq!(seen.fault()["type"], "object.unknown");
        assert!(
            seen.header("link").contains("title=\"Cette option vaut sous certifications.csv, "),
            "{}",
            seen.header("link")
        );
    });
}

/// Of a CSV value a piece is sent, with options too; three values of JSON rows at most are read for each, and one that lies on
/// a border is read once.
#[test]
fn an_export_with_labels_costs_three_values_more_for_each_and_no_memory() {
    HARNESS.with(|harness| {
        let cost = |options: &str| {
            let before = harness.store.1.get();
            let seen = harness.export(&(all("formations") + options));
            (harness.store.1.get() - before, seen.piece)
        };
        cost("");
        let (plain, chosen, labels) = (cost(""), cost("&colonnes=uai"), cost("&libelles=1&excel=1"));
        assert_eq!(plain.0, chosen.0, "columns cost no get");
        assert_eq!(labels.0 - plain.0, FORMATIONS.div_ceil(store::list::JSON_ROWS));
        assert!(labels.1 < 4 * plain.1, "{labels:?} {plain:?}");
    });
}

#[test]
fn errors_ask_whether_something_else_was_meant() {
    HARNESS.with(|harness| {
        for (target, said) in [
            ("formations?region=11", "Vouliez-vous dire regions ?"),
            ("formations?Academie=01&codes_certifications=1", "Vouliez-vous dire academies ? Vouliez-vous dire code_certifications ?"),
            ("formations?itemsParPage=2", "Vouliez-vous dire items_par_page ?"),
            ("formations?apikey=cle", "Vouliez-vous dire apiKey ?"),
            ("formations?code_certifications=40025214,1099051", "Vouliez-vous dire SISE:1099051 ? Vouliez-vous dire 01099051 ? Un tableur retire le 0 de gauche."),
            ("formations?uais=010000E", "Vouliez-vous dire 0010000E ? Un tableur retire le 0 de gauche."),
            ("formations?regions=4", "Vouliez-vous dire 04 ? Un tableur retire le 0 de gauche."),
            ("formations?regions=1000", "Vouliez-vous dire 01000 ? Un tableur retire le 0 de gauche."),
            ("formations?academies=1", "Vouliez-vous dire 01 ? Un tableur retire le 0 de gauche."),
            ("formations/010000E-01099051", "Vouliez-vous dire 0010000E ? Un tableur retire le 0 de gauche."),
            ("formations/0010000E-1099051?Millesime=2018", "Vouliez-vous dire millesime ? Vouliez-vous dire SISE:1099051 ? Vouliez-vous dire 01099051 ? Un tableur retire le 0 de gauche."),
            ("formations?regions=\"4%0d%0a", ""),
            ("formations?regions=1%22%0a%0d", ""),
            ("formations?autre=1", ""),
        ] {
            let seen = harness.see(target, async |request| routes::formations(harness, request).await);
            let title = if said.is_empty() { String::new() } else { format!("; title=\"{said}\"") };
            assert_eq!(seen.status, 400, "{target}");
            assert_eq!(seen.header("link"), format!("<{}api/doc/erreurs#validation>; rel=\"help\"{title}", way(target)), "{target}");
        }
    });
}

/// From a target to the root.
fn way(target: &str) -> String {
    api::links::way_to_root(&format!("/api/inserjeunes/{}", target.split('?').next().unwrap()))
}

#[test]
fn a_missing_key_is_told_from_a_wrong_one() {
    HARNESS.with(|harness| {
        let ask = |query: &str, headers: &[(&str, &str)]| {
            let request = Request {
                method: "GET".into(),
                path: "/api/inserjeunes/formations.csv".into(),
                query: query.into(),
                headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>().into(),
                body: Vec::new(),
            };
            let response = block_on(routes::lists(harness, request));
            let ResponseBody::Bytes(body) = &response.body else { panic!("a stream") };
            assert_eq!(body, br#"{"statusCode":401,"error":"Unauthorized","message":"Not authorized"}"#);
            response.header("link").unwrap().to_owned()
        };
        assert!(ask("", &[]).contains("title=\"Il manque x-api-key"));
        for (query, headers) in [
            ("", [("x-api-key", "autre")].as_slice()),
            ("apiKey=autre", &[]),
            ("", &[("authorization", "Bearer a.b.c")]),
        ] {
            let said = ask(query, headers);
            assert!(said.contains("inconnue ou ne vaut plus") && !said.contains("autre"), "{said}");
        }
        assert!(ask("apiKey=a&apiKey=b", &[]).contains("Plusieurs apiKey"));
    });
}

/// The same rows as JSON, one a line.
fn ndjson(list: &str) -> String {
    all(list).replace(".csv", ".ndjson")
}

#[test]
fn a_field_that_no_row_can_have_is_told_the_same_on_every_page() {
    HARNESS.with(|harness| {
        let told = |target: &str| {
            let seen = harness.export(target);
            assert_eq!(seen.status, 400, "{target}");
            let body: Value = serde_json::from_str(&seen.text).unwrap();
            body["message"].as_str().unwrap().to_owned()
        };
        for list in LISTS {
            let first = told(&format!("{list}?champs=libelle,tau"));
            assert!(first.starts_with("champs : inconnu ici : tau. Champs présents : uai,"), "{first}");
            for target in [format!("{list}?champs=tau&page=3"), format!("{list}.ndjson?champs=tau,code_certification")]
            {
                assert_eq!(told(&target), first);
            }
            assert!(told(&format!("{list}?champs=diplome.zz,taux_zz")).contains(" : diplome.zz, taux_zz. "));
            assert!(told(&format!("{list}?champs=")).starts_with("champs : de 1 à 64 noms"));
            assert!(told(&format!("{list}.csv?champs=libelle")).contains("colonnes"));
        }
        assert!(told("formations?champs=libelle_long").contains("libelle_long"), "a field of the nomenclature");
        assert_eq!(harness.export("bcn?champs=libelle_long,lettreSpecialite").status, 200);
        // Faults of the recorded form come first, as they were.
        assert_eq!(told("formations?champs=tau&page=x"), "Erreur de validation");
        let none = harness.export("formations.ndjson?champs=libelle&uais=0750652B");
        assert_eq!((none.status, none.text.as_str(), none.header("x-row-count")), (200, "", "0"));
    });
}

#[test]
fn a_field_of_the_contract_that_rows_lack_is_absent_and_pages_keep_the_fields() {
    HARNESS.with(|harness| {
        let seen = harness
            .export("certifications?items_par_page=2&millesimes=2000,2001&champs=uai,region.nom,filiere,diplome.code");
        let body: Value = serde_json::from_str(&seen.text).unwrap();
        let row = json!({"filiere": "apprentissage", "diplome": {"code": "4"}});
        assert_eq!(body["certifications"], json!([row, row]), "{}", seen.text);
        assert_eq!(body["pagination"]["total"], 2);
        let link =
            harness.see("formations?champs=uai,libelle", async |request| routes::formations(harness, request).await);
        assert!(link.header("link").contains("champs=uai,libelle&generation="), "{}", link.header("link"));
    });
}

/// Filters of the list of formations, each name once.
fn filter() -> impl Strategy<Value = String> {
    let parts = vec![
        "regions=11",
        "regions=04,75011",
        "academies=01",
        "uais=0010000E,0010003E,0011234E",
        "millesimes=2018",
        "millesimes=2018_2019",
        "code_certifications=01099051",
        "code_certifications=4002E514,40025214",
        "page=2",
        "items_par_page=700",
    ];
    proptest::collection::vec(prop::sample::select(parts), 0..4).prop_map(|parts| {
        let by_name: BTreeMap<&str, &str> = parts.iter().filter_map(|part| part.split_once('=')).collect();
        by_name.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_columns_in_any_order_hold_the_cells_of_the_whole_file(
        list in prop::sample::select(LISTS.to_vec()), order in Just((0..60usize).collect::<Vec<_>>()).prop_shuffle(),
        count in 1usize..12, excel: bool,
    ) {
        HARNESS.with(|harness| {
            let whole = harness.export(&format!("{}&libelles=1&excel={}", all(list), u8::from(excel))).rows();
            let places: Vec<usize> = order.iter().copied().filter(|place| *place < whole[0].len()).take(count).collect();
            let names: Vec<&str> = places.iter().map(|place| whole[0][*place].as_str()).collect();
            let some = harness.export(&format!("{}&excel={}&colonnes={}", all(list), u8::from(excel), names.join(","))).rows();
            prop_assert_eq!(some.len(), whole.len());
            for (some, whole) in some.iter().zip(&whole) {
                let expected: Vec<&String> = places.iter().map(|place| &whole[*place]).collect();
                prop_assert_eq!(some.iter().collect::<Vec<_>>(), expected);
            }
            Ok(())
        })?;
    }

    #[test]
    fn fields_that_are_left_of_rows_are_those_of_the_whole_rows(
        list in prop::sample::select(LISTS.to_vec()), picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..6),
        page in 1u64..4, items in prop::sample::select(vec![1u64, 10, 333]),
    ) {
        HARNESS.with(|harness| {
            let rows = |text: &str| -> Vec<serde_json::Map<String, Value>> { text.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
            let page = ndjson(list).replace("items_par_page=1000000", &format!("items_par_page={items}&page={page}"));
            let whole = harness.export(&page);
            let all: Vec<String> = rows(&whole.text).iter().flat_map(|row| row.keys().cloned().collect::<Vec<_>>()).collect();
            prop_assume!(!all.is_empty());
            let asked: Vec<&str> = picks.iter().map(|pick| all[pick.index(all.len())].as_str()).collect();
            let expected: Vec<String> = rows(&whole.text).into_iter().map(|row| {
                Value::Object(row.into_iter().filter(|(name, _)| asked.contains(&name.as_str())).collect()).to_string()
            }).collect();
            let cut = harness.export(&format!("{page}&champs={}", asked.join(",")));
            prop_assert_eq!(cut.text.lines().collect::<Vec<_>>(), expected.iter().map(String::as_str).collect::<Vec<_>>());
            for name in ["x-row-count", "x-total-count"] {
                prop_assert_eq!(whole.header(name), cut.header(name));
            }
            // The same rows in the envelope of a page.
            let json = harness.export(&format!("{}&champs={}", page.replace(".ndjson", ""), asked.join(",")));
            let start = json.text.find('[').unwrap() + 1;
            prop_assert_eq!(&json.text[start..json.text.len() - 2], expected.join(","));
            Ok(())
        })?;
    }

    #[test]
    fn a_filter_has_the_rows_that_it_has_without_options(
        filter in filter(), options in prop::sample::select(vec!["libelles=1", "excel=1", "libelles=1&excel=1", "colonnes=uai,code_certification,libelle"]),
    ) {
        HARNESS.with(|harness| {
            let plain = harness.export(&format!("formations.csv?{filter}"));
            let with = harness.export(&format!("formations.csv?{filter}&{options}"));
            for name in ["x-row-count", "x-total-count"] {
                prop_assert_eq!(plain.header(name), with.header(name), "{}", filter);
            }
            let (plain, with) = (plain.rows(), with.rows());
            prop_assert_eq!(plain.len(), with.len(), "{}", &filter);
            let (from, to) = (plain[0].iter().position(|name| name == "uai").unwrap(), with[0].iter().position(|name| name == "uai").unwrap());
            for (plain, with) in plain.iter().zip(&with) {
                prop_assert_eq!(&plain[from], &in_excel(&with[to]));
            }
            Ok(())
        })?;
    }
}
