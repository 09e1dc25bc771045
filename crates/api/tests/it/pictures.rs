//! Pictures of every document of the sample: the figures of the contract's image and no other, named by their place, refused
//! outside of their bounds, kept like every public answer.

use crate::common::ReadStore;
use crate::instance::Instance;
use api::picture::{self, Painter};
use api::{Request, Response, ResponseBody, routes};
use futures_executor::block_on;
use serde_json::Value;

type Sample = Instance<ReadStore>;

/// Paints nothing: hands the SVG back, so that a test reads what would be painted.
const PAINTER: Painter = Painter {
    paint: |picture, scale| (picture.pixels[0] * scale <= 2_000).then(|| picture.svg().into_bytes()),
    empty: Vec::new,
    pixels_max: 7,
};

fn published() -> Sample {
    let sample = Sample { now: 1_764_237_000_000, ..Sample::default() };
    published::publish(&sample.store.0, "1", &published::sample());
    sample
}

fn ask(sample: &Sample, method: &str, target: &str, headers: &[(&str, &str)]) -> (Response, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, String)> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let request = Request {
        method: method.to_owned().into(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.into(),
        ..Request::default()
    };
    let mut response = block_on(async {
        match path.trim_start_matches("/api/inserjeunes/").split('/').next().unwrap() {
            "certifications" => routes::certifications(sample, request).await,
            "regionales" => routes::regionales(sample, request).await,
            "formations" => routes::formations(sample, request).await,
            "mailles" => routes::mailles(sample, request).await,
            _ => picture::respond(sample, request, PAINTER).await,
        }
    });
    let body = std::mem::replace(&mut response.body, ResponseBody::Bytes(Vec::new()));
    let ResponseBody::Bytes(bytes) = body else { panic!("a stream") };
    (response, String::from_utf8_lossy(&bytes).into_owned())
}

/// The texts of a picture that are percentages, without what stands before their sign.
fn percentages(svg: &str) -> Vec<String> {
    let texts = svg.split('>').filter_map(|piece| piece.strip_suffix("%</text"));
    let mut found: Vec<String> = texts.map(|text| text.trim_end_matches('\u{a0}').to_owned()).collect();
    found.sort();
    found
}

/// The paths of all documents and views, with the place that a picture names.
fn paths() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    for line in published::sample().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let document = &line["doc"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let code = text(&document["code_certification"]);
        let code = if code.len() == 7 { format!("SISE:{code}") } else { code };
        let (path, place) = match line["kind"].as_str().unwrap() {
            "certification" => (format!("certifications/{code}"), "France".to_owned()),
            "regionale" => {
                let region = &document["region"];
                let path = format!("regionales/{}/certifications/{code}", region["code"].as_str().unwrap());
                (path, format!("Région\u{a0}: {}", region["nom"].as_str().unwrap()))
            }
            "formation" => {
                let uai = text(&document["uai"]);
                let name = document["libelle_etablissement"].as_str();
                (format!("formations/{uai}-{code}"), name.map_or(format!("Établissement {uai}"), str::to_owned))
            }
            "statistique" => {
                let academie = &document["academie"];
                let path = format!("mailles/academies/{}/certifications/{code}", academie["code"].as_str().unwrap());
                (path, text(&academie["nom"]))
            }
            _ => continue,
        };
        paths.push((format!("{path}.EXT?millesime={}", document["millesime"].as_str().unwrap()), place.clone()));
        if !path.starts_with("formations") && !path.starts_with("mailles") && !code.starts_with("SISE") {
            paths.push((format!("{path}.EXT?vue=filieres"), place));
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn invariant_3_a_picture_shows_the_figures_of_the_contracts_image_and_names_its_place() {
    let sample = published();
    let (mut drawn, mut absent) = (0, 0);
    for (path, place) in paths() {
        let of = |root: &str, ext: &str| ask(&sample, "GET", &format!("{root}/{}", path.replace("EXT", ext)), &[]);
        let (recorded, image) = of("/api/inserjeunes", "svg");
        for ext in ["svg", "png"] {
            let (response, picture) = of("/api/images", ext);
            assert_eq!(response.status, recorded.status, "{path}: {picture}");
            assert_eq!(response.header("cache-control"), recorded.header("cache-control"), "{path}");
            if recorded.status == 200 {
                assert_eq!(percentages(&picture), percentages(&image), "{path}");
                let title = picture.split("</title>").next().unwrap();
                assert!(title.contains(&place.replace('&', "&amp;")), "{path}: {title}");
                assert!(!picture.contains("0%") && !picture.contains("5%"), "{path}: no space before %");
                drawn += 1;
            } else {
                assert_eq!(picture, image, "{path}");
                absent += 1;
            }
        }
    }
    assert!(drawn > 200 && absent > 20, "{drawn} drawn, {absent} not");
}

#[test]
fn options_are_taken_within_their_bounds() {
    let sample = published();
    let path = "/api/images/certifications/40099011";
    for (target, status) in [
        ("{}.svg?largeur=240", 200),
        ("{}.svg?largeur=239", 400),
        ("{}.svg?largeur=1200&texte=200", 200),
        ("{}.svg?largeur=1201", 400),
        ("{}.svg?largeur=320&texte=200", 400),
        ("{}.svg?largeur=480&texte=200", 200),
        ("{}.svg?texte=201", 400),
        ("{}.svg?texte=99", 400),
        ("{}.svg?largeur=+300", 400),
        ("{}.svg?largeur=", 400),
        ("{}.svg?largeur=300&largeur=300", 400),
        ("{}.svg?largeur=99999999999999999999", 400),
        ("{}.svg?fond=sombre&theme=lba&direction=horizontal", 200),
        ("{}.svg?fond=noir", 400),
        ("{}.svg?echelle=2", 400),
        ("{}.png?echelle=3", 200),
        ("{}.png?texte=200&largeur=1200", 200),
        ("{}.png?echelle=4", 400),
        ("{}.png?echelle=0", 400),
        ("{}.png?echelle=3&largeur=1200", 400),
        ("{}.png?inconnu=1", 400),
        ("{}.png?champs=uai", 400),
        ("{}.png?historique=1", 400),
        ("{}.png/", 200),
        ("{}", 404),
        ("{}.gif", 404),
        ("/api/images/.png", 404),
        ("/api/images", 404),
        ("/api/images/formations/-40099011.png", 404),
        ("/api/images/certifications/99999999.png", 404),
        ("/api/images/certifications/99999999.png?imageOnError=true", 200),
        ("/api/images/certifications/99999999.svg?imageOnError=empty", 200),
        ("/api/images/mailles/x/28/certifications/40099013.png?imageOnError=true", 200),
    ] {
        let target = target.replace("{}", path);
        let (response, body) = ask(&sample, "GET", &target, &[]);
        assert_eq!(response.status, status, "{target}: {body}");
        if status == 400 {
            let error: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(error["statusCode"], 400, "{target}: {body}");
        }
    }
    // All faults at once, those of documents too.
    let (_, body) = ask(&sample, "GET", &format!("{path}.svg?largeur=1&texte=1&theme=x&millesime=x"), &[]);
    let error: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(error["details"].as_array().unwrap().len(), 4, "{body}");
    let (_, body) = ask(&sample, "GET", &format!("{path}.svg?largeur=300"), &[]);
    assert!(body.contains("width=\"300\"") && body.contains("viewBox=\"0 0 300 "), "{body}");
    let (_, body) = ask(&sample, "GET", &format!("{path}.svg?texte=200"), &[]);
    assert!(body.contains("width=\"640\"") && body.contains("viewBox=\"0 0 320 "), "{body}");
}

#[test]
fn a_picture_is_kept_and_asked_for_again() {
    let sample = published();
    for (ext, kind) in [("svg", "image/svg+xml; charset=utf-8"), ("png", "image/png")] {
        let target = format!("/api/images/certifications/40099011.{ext}");
        let (first, body) = ask(&sample, "GET", &target, &[("accept-encoding", "gzip")]);
        assert_eq!((first.status, first.header("content-type")), (200, Some(kind)));
        assert!(first.header("cache-control").unwrap().starts_with("public, max-age="), "{:?}", first.headers);
        // A PNG is folded already.
        assert_eq!(first.header("content-encoding"), (ext == "svg").then_some("gzip"));
        assert!(!body.is_empty());
        let etag = first.header("etag").unwrap().to_owned();
        let reads = sample.store.1.get();
        let headers = [("accept-encoding", "gzip"), ("if-none-match", etag.as_str())];
        let (again, body) = ask(&sample, "GET", &target, &headers);
        assert_eq!((again.status, body.as_str(), sample.store.1.get()), (304, "", reads), "{ext}");
        let (head, body) = ask(&sample, "HEAD", &target, &[("accept-encoding", "gzip")]);
        assert_eq!((head.status, body.as_str(), head.header("etag")), (200, "", Some(etag.as_str())));
        let (options, body) = ask(&sample, "OPTIONS", &target, &[]);
        assert_eq!((options.status, body.as_str()), (200, "GET, HEAD"));
        assert_eq!(ask(&sample, "POST", &target, &[]).0.status, 404);
    }
}
