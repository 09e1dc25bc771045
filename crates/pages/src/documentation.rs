//! The documentation under `/api/doc`, and what all pages load under `/static/`.

use crate::errors;
use crate::records::{self, Terms};
use crate::reference;
use crate::template::{self, Deployment, PageHead, fragment, page, script};
use api::error::ApiError;
use api::{Request, Response, ResponseBody, Runtime, accepts_gzip, links, read_body, routes};
use flate2::read::GzDecoder;
use maud::{Markup, html};
use std::io::Read;

/// A file that was compressed when the component was built.
#[derive(Clone, Copy, Debug)]
pub struct PackedFile {
    /// Its name under `/static/`.
    pub name: &'static str,
    /// Its gzip form.
    pub gzip: &'static [u8],
}

const STYLE: &[u8] = include_bytes!("../pages/style.css");
const DOC_JS: &[u8] = include_bytes!("../pages/doc.js");
const SITE_JS: &[u8] = include_bytes!("../pages/site.js");
const COMMON_JS: &[u8] = include_bytes!("../pages/common.js");
const MATCHING_JS: &[u8] = include_bytes!("../pages/appariement.js");
const MATCHING: &str = include_str!("../pages/appariement.html");
const KEY_JS: &[u8] = include_bytes!("../pages/cle.js");
const KEY: &str = include_str!("../pages/cle.html");
/// `openapi.json` without the spaces between its words.
const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// Files change with the version of the application only; a cache may answer for a day while it asks.
const CACHE: &str = "public, max-age=3600, stale-while-revalidate=86400, stale-if-error=86400";

/// Answers `/`, `/static/…`, `/api/doc…` and `/.well-known/…`; `files` are those of the build.
pub async fn respond<M: Runtime>(runtime: &M, request: Request, files: &[PackedFile]) -> Response {
    let deployment = Deployment::read(runtime).await;
    let terms = Terms::read(runtime).await;
    let response = match handle(&request, files, &deployment, &terms) {
        Ok(response) => response,
        Err(error) => error.response(),
    };
    response.finish(runtime, &request).await
}

fn handle(
    request: &Request,
    files: &[PackedFile],
    deployment: &Deployment,
    terms: &Terms,
) -> Result<Response, ApiError> {
    read_body(request)?;
    let segments = request.segments();
    let show = |page| template::show(request, 200, page);
    let response = match segments.as_slice() {
        ["static", name] => return file(request, name, files),
        // Links inside the description are shown on this page, and are relative to one form of its path.
        ["api", "doc"] if request.path.ends_with('/') => {
            Response::new(308, "text/plain", Vec::new()).with("location", "../doc")
        }
        ["api", "doc"] => show(documentation(deployment, files)),
        ["api", "doc", "reference"] => show(reference::show(deployment, OPENAPI)),
        ["api", "doc", "erreurs"] => show(errors::show(deployment)),
        ["api", "doc", "appariement"] => show(matching(deployment)),
        ["api", "doc", "cle"] => show(key(deployment)),
        ["api", "doc", "conditions"] => show(records::terms(deployment, terms)),
        ["api", "doc", "catalogue", name] => {
            // Without an address the way to the root, whose slash stands in the record.
            let way = || links::way_to_root(&request.path);
            let root = deployment.address.clone().unwrap_or_else(|| way().trim_end_matches('/').to_owned());
            records::record(name, &root, terms)?
        }
        [".well-known", "security.txt"] => records::security(terms)?,
        ["api", "doc", "openapi.json"] => {
            let server = deployment.address.as_deref().map_or_else(|| links::way_to_root(&request.path), str::to_owned);
            Response::new(200, "application/json; charset=utf-8", description(&server).into_bytes())
        }
        _ => return Err(ApiError::UnknownRoute),
    };
    reading(request)?.map_or_else(|| Ok(response.with("cache-control", CACHE).with_etag(request)), Ok)
}

/// The description of the API, which names this server: by its address, or by the way to the root from where the
/// description lies.
fn description(server: &str) -> String {
    let root = "\"/\"";
    let place = OPENAPI.find("\"servers\"").and_then(|servers| Some(servers + OPENAPI.get(servers..)?.find(root)?));
    // Links of its texts are shown by the page at `/api/doc`.
    match place.and_then(|place| OPENAPI.split_at_checked(place)) {
        Some((before, after)) => {
            // Addresses of its fields are resolved by that of the server, so says OpenAPI 3.1. One that ends without a slash would
            // lose its last segment: it is written before them.
            let base = if server.ends_with('/') { String::new() } else { [server, "/"].concat() };
            let before = before.replace("](/", "](../").replace("\"api/doc/", &["\"", &base, "api/doc/"].concat());
            [&before, "\"", server, "\"", after.strip_prefix(root).unwrap_or(after)].concat()
        }
        None => OPENAPI.to_owned(),
    }
}

/// `None` where the method reads; the answer to OPTIONS; 404 for another one.
fn reading(request: &Request) -> Result<Option<Response>, ApiError> {
    match request.method.as_ref() {
        "GET" | "HEAD" => Ok(None),
        "OPTIONS" => Ok(Some(routes::options(routes::READING))),
        _ => Err(ApiError::UnknownRoute),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn file(request: &Request, name: &str, files: &[PackedFile]) -> Result<Response, ApiError> {
    let embedded = files.iter().find(|f| f.name == name);
    let own = match name {
        "style.css" => Some(STYLE),
        "site.js" => Some(SITE_JS),
        // A build without scripts/assets shows its pages without the State's design system.
        "dsfr.css" if embedded.is_none() => Some(b"/* scripts/assets --install */".as_slice()),
        "common.js" => Some(COMMON_JS),
        "doc.js" => Some(DOC_JS),
        "appariement.js" => Some(MATCHING_JS),
        "cle.js" => Some(KEY_JS),
        _ => None,
    };
    if own.is_none() && embedded.is_none() {
        return Err(ApiError::UnknownRoute);
    }
    if let Some(response) = reading(request)? {
        return Ok(response);
    }
    let response = |body: Vec<u8>| Response::new(200, content_type(name), body).with("cache-control", CACHE);
    let Some(embedded) = embedded else {
        return Ok(response(own.unwrap_or_default().to_vec()).with_etag(request));
    };
    // Already compressed: the same form with its ETag, for those who take it.
    let without_coding = Request { headers: request.headers.without("accept-encoding"), ..request.clone() };
    if accepts_gzip(request) {
        let mut output = response(embedded.gzip.to_vec()).with_etag(&without_coding);
        // A 304 carries no content.
        if matches!(&output.body, ResponseBody::Bytes(body) if !body.is_empty()) {
            output = output.with("content-encoding", "gzip");
        }
        return Ok(output);
    }
    let mut body = Vec::new();
    GzDecoder::new(embedded.gzip).read_to_end(&mut body).map_err(|_| ApiError::Unavailable)?;
    Ok(response(body).with_etag(&without_coding))
}

fn matching(deployment: &Deployment) -> Markup {
    let head = PageHead {
        title: "Apparier un catalogue",
        description: "Donner un code et des indicateurs à chaque ligne d’un catalogue de formations.",
        here: "/api/doc",
        canonical: "/api/doc/appariement",
        more: script("appariement.js"),
    };
    page(deployment, &head, &fragment(MATCHING))
}

fn key(deployment: &Deployment) -> Markup {
    let head = PageHead {
        title: "Ma clé",
        description: "Ce que vaut une clé : son propriétaire, sa fin, ses limites.",
        here: "/api/doc",
        more: script("cle.js"),
        ..PageHead::default()
    };
    page(deployment, &head, &fragment(KEY))
}

fn documentation(deployment: &Deployment, files: &[PackedFile]) -> Markup {
    let tries = files.iter().any(|f| f.name == "swagger-ui-bundle.js");
    let more = html! {
        @if tries {
            link rel="stylesheet" href="/static/swagger-ui.css";
            script src="/static/swagger-ui-bundle.js" defer {}
            script src="/static/doc.js" defer {}
        }
    };
    let body = html! {
        h1 { "Documentation de l’API" }
        p {
            "Chaque route s’essaie ici même, sur ce service. La description entière est dans "
            a href="/api/doc/openapi.json" { code { "/api/doc/openapi.json" } }
            " (OpenAPI 3.1)\u{a0}; les erreurs et leurs causes sont dans " a href="/api/doc/erreurs" { "leur page" }
            ", toutes les routes sans script dans la " a href="/api/doc/reference" { "référence" }
            ", les licences, le niveau de service et le contact dans les " a href="/api/doc/conditions" { "conditions d’utilisation" } "."
        }
        @if tries {
            div #swagger {}
            noscript { p { "Les essais demandent JavaScript\u{a0}; " a href="/api/doc/reference" { "la référence" } " se lit sans." } }
        } @else {
            p.notice.warning {
                "Cette construction du service n’embarque pas l’outil d’essai\u{a0}: lancer scripts/assets --install, puis reconstruire."
            }
        }
    };
    let head = PageHead {
        title: "Documentation de l’API",
        description: "Les routes de l’API, à essayer : indicateurs, recherche, appariement.",
        here: "/api/doc",
        canonical: "/api/doc",
        more,
    };
    page(deployment, &head, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(path: &str, address: Option<&str>) -> String {
        let files = [PackedFile { name: "swagger-ui-bundle.js", gzip: b"" }];
        let deployment = Deployment { address: address.map(str::to_owned), ..Deployment::default() };
        let request = Request { method: "GET".into(), path: path.into(), ..Request::default() };
        match handle(&request, &files, &deployment, &Terms::default()).unwrap().body {
            ResponseBody::Bytes(body) => String::from_utf8(body).unwrap(),
            ResponseBody::Stream(_) => panic!("a page is whole"),
        }
    }

    #[test]
    fn no_page_and_no_script_names_a_path_from_the_root() {
        for path in [
            "/api/doc",
            "/api/doc/appariement",
            "/api/doc/erreurs",
            "/api/doc/erreurs/",
            "/api/doc/reference",
            "/api/doc/cle",
            "/api/doc/conditions",
        ] {
            let page = body(path, None);
            assert!(!page.contains("=\"/"), "{path}: {page}");
            let style = format!("href=\"{}static/style.css\"", links::way_to_root(path));
            assert!(page.contains(&style), "{path}: {style}");
        }
        for script in [SITE_JS, DOC_JS, COMMON_JS, MATCHING_JS, KEY_JS] {
            let text = std::str::from_utf8(script).unwrap();
            for start in ["\"/", "`/", "'/", "location.origin"] {
                assert!(!text.contains(start), "{start}");
            }
        }
    }

    #[test]
    fn the_description_and_the_pages_name_the_public_address_where_it_is_told() {
        let server = |path: &str, address| {
            let description: serde_json::Value = serde_json::from_str(&body(path, address)).unwrap();
            description["servers"][0]["url"].as_str().unwrap().to_owned()
        };
        assert!(!body("/api/doc/openapi.json", None).contains("](/"), "links of its texts");
        let slash = Request { method: "GET".into(), path: "/api/doc/".into(), ..Request::default() };
        let moved = handle(&slash, &[], &Deployment::default(), &Terms::default()).unwrap();
        assert_eq!((moved.status, moved.header("location")), (308, Some("../doc")));
        assert_eq!(server("/api/doc/openapi.json", None), "../../");
        assert_eq!(server("/api/doc/openapi.json/", None), "../../../");
        assert_eq!(server("/api/doc/openapi.json", Some("https://hote/prefixe")), "https://hote/prefixe");
        let terms = |address| {
            let description: serde_json::Value = serde_json::from_str(&body("/api/doc/openapi.json", address)).unwrap();
            assert_eq!(
                description["info"]["contact"]["url"],
                [description["info"]["termsOfService"].as_str().unwrap(), "#contact"].concat()
            );
            description["info"]["termsOfService"].as_str().unwrap().to_owned()
        };
        assert_eq!(terms(None), "api/doc/conditions");
        assert_eq!(terms(Some("https://hote/prefixe")), "https://hote/prefixe/api/doc/conditions");
        let page = body("/api/doc", Some("https://hote/prefixe"));
        assert!(page.contains("data-address=\"https://hote/prefixe/\""), "{page}");
        assert!(page.contains("rel=\"canonical\" href=\"https://hote/prefixe/api/doc\""), "{page}");
        assert!(!body("/api/doc", None).contains("data-address"));
    }

    #[test]
    fn nothing_of_a_page_comes_from_elsewhere_and_own_files_stay_small() {
        for path in ["/api/doc", "/api/doc/erreurs", "/api/doc/appariement"] {
            let page = body(path, None);
            for attribute in ["src=\"http", "src=\"//", "url(http", "<link rel=\"stylesheet\" href=\"http"] {
                assert!(!page.contains(attribute), "{attribute}");
            }
        }
        let total = STYLE.len() + SITE_JS.len();
        assert!(total < 20 * 1024, "{total}");
    }
}
