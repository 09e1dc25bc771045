//! The explorer at `/`, the documentation under `/api/doc`, and what they load under `/static/`.

use crate::erreurs;
use crate::gabarit::{html, page};
use api::erreur::Erreur;
use api::{Corps, Monde, Reponse, Requete, accepte_gzip, lire_corps, routes};
use flate2::read::GzDecoder;
use std::io::Read;

/// A file that was compressed when the component was built.
#[derive(Clone, Copy, Debug)]
pub struct Fichier {
    /// Its name under `/static/`.
    pub nom: &'static str,
    /// Its gzip form.
    pub gzip: &'static [u8],
}

const STYLE: &[u8] = include_bytes!("../pages/style.css");
const EXPLORATEUR_JS: &[u8] = include_bytes!("../pages/explorateur.js");
const DOC_JS: &[u8] = include_bytes!("../pages/doc.js");
const EXPLORATEUR: &str = include_str!("../pages/explorateur.html");
const OPENAPI: &[u8] = include_bytes!("../openapi.json");

/// Files change with the version of the application only.
const CACHE: &str = "public, max-age=3600";

/// Answers `/`, `/static/…` and `/api/doc…`; `fichiers` are those of the build.
pub async fn repondre<M: Monde>(_: &M, requete: Requete, fichiers: &[Fichier]) -> Reponse {
    let reponse = match traiter(&requete, fichiers) {
        Ok(reponse) => reponse,
        Err(erreur) => erreur.reponse(),
    };
    reponse.finir(&requete)
}

fn traiter(requete: &Requete, fichiers: &[Fichier]) -> Result<Reponse, Erreur> {
    lire_corps(requete)?;
    let segments = requete.segments();
    // The former service has no page at `/`: programs still get its 404, people the explorer.
    let pour_une_personne = requete.entete("accept").is_some_and(|a| a.to_ascii_lowercase().contains("text/html"));
    let reponse = match segments.as_slice() {
        [] if pour_une_personne => {
            html(200, page("Explorateur", "/", EXPLORATEUR_TETE, EXPLORATEUR)).avec("vary", "Accept")
        }
        ["static", nom] => return fichier(requete, nom, fichiers),
        ["api", "doc"] => html(200, documentation(fichiers)),
        ["api", "doc", "erreurs"] => html(200, erreurs::afficher()),
        ["api", "doc", "openapi.json"] => Reponse::nouvelle(200, "application/json; charset=utf-8", OPENAPI.to_vec()),
        _ => return Err(Erreur::RouteInconnue),
    };
    lecture(requete)?.map_or_else(|| Ok(reponse.avec("cache-control", CACHE).avec_etag(requete)), Ok)
}

/// `None` where the method reads; the answer to OPTIONS; 404 for another one.
fn lecture(requete: &Requete) -> Result<Option<Reponse>, Erreur> {
    match requete.methode.as_ref() {
        "GET" | "HEAD" => Ok(None),
        "OPTIONS" => Ok(Some(routes::options(routes::LECTURE))),
        _ => Err(Erreur::RouteInconnue),
    }
}

fn type_contenu(nom: &str) -> &'static str {
    match nom.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn fichier(requete: &Requete, nom: &str, fichiers: &[Fichier]) -> Result<Reponse, Erreur> {
    let propre = match nom {
        "style.css" => Some(STYLE),
        "explorateur.js" => Some(EXPLORATEUR_JS),
        "doc.js" => Some(DOC_JS),
        _ => None,
    };
    let embarque = fichiers.iter().find(|f| f.nom == nom);
    if propre.is_none() && embarque.is_none() {
        return Err(Erreur::RouteInconnue);
    }
    if let Some(reponse) = lecture(requete)? {
        return Ok(reponse);
    }
    let reponse = |corps: Vec<u8>| Reponse::nouvelle(200, type_contenu(nom), corps).avec("cache-control", CACHE);
    let Some(embarque) = embarque else {
        return Ok(reponse(propre.unwrap_or_default().to_vec()).avec_etag(requete));
    };
    // Already compressed: the same form with its ETag, for those who take it.
    let sans_codage = Requete { entetes: requete.entetes.sans("accept-encoding"), ..requete.clone() };
    if accepte_gzip(requete) {
        let mut sortie = reponse(embarque.gzip.to_vec()).avec_etag(&sans_codage);
        // A 304 carries no content.
        if matches!(&sortie.corps, Corps::Octets(corps) if !corps.is_empty()) {
            sortie = sortie.avec("content-encoding", "gzip");
        }
        return Ok(sortie);
    }
    let mut corps = Vec::new();
    GzDecoder::new(embarque.gzip).read_to_end(&mut corps).map_err(|_| Erreur::Indisponible)?;
    Ok(reponse(corps).avec_etag(&sans_codage))
}

const EXPLORATEUR_TETE: &str = "<script src=\"/static/explorateur.js\" defer></script>";

const SWAGGER_TETE: &str = "<link rel=\"stylesheet\" href=\"/static/swagger-ui.css\"><script src=\"/static/swagger-ui-bundle.js\" defer></script><script src=\"/static/doc.js\" defer></script>";

fn documentation(fichiers: &[Fichier]) -> String {
    let debut = "<h1>Documentation de l’API</h1><p>Chaque route s’essaie ici même, sur ce service. La description entière est dans \
<a href=\"/api/doc/openapi.json\"><code>/api/doc/openapi.json</code></a> (OpenAPI 3.1) ; les erreurs et leurs causes sont dans <a href=\"/api/doc/erreurs\">leur page</a>.</p>";
    if fichiers.iter().any(|f| f.nom == "swagger-ui-bundle.js") {
        let corps = format!(
            "{debut}<div id=\"swagger\"></div><noscript><p>Les essais demandent JavaScript ; la description se lit sans.</p></noscript>"
        );
        return page("Documentation", "/api/doc", SWAGGER_TETE, &corps);
    }
    let corps = format!(
        "{debut}<p class=\"avis attention\">Cette construction du service n’embarque pas l’outil d’essai : lancer scripts/assets, puis reconstruire.</p>"
    );
    page("Documentation", "/api/doc", "", &corps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requete(chemin: &str, accept: &str) -> Requete {
        Requete {
            methode: "GET".into(),
            chemin: chemin.into(),
            entetes: vec![("accept".into(), accept.into())].into(),
            ..Requete::default()
        }
    }

    #[test]
    fn people_get_the_explorer_and_programs_the_recorded_404() {
        assert_eq!(traiter(&requete("/", "text/html,*/*;q=0.8"), &[]).map(|r| r.statut).ok(), Some(200));
        for accept in ["", "*/*", "application/json"] {
            assert_eq!(traiter(&requete("/", accept), &[]).err(), Some(Erreur::RouteInconnue), "{accept}");
        }
    }

    #[test]
    fn the_explorer_names_every_code_that_the_search_finds() {
        let indice = EXPLORATEUR.lines().find(|ligne| ligne.contains("class=\"indice\"")).unwrap();
        for code in ["CFD", "MEFSTAT11", "code SISE", "code RNCP", "UAI"] {
            assert!(indice.contains(code), "{code}");
        }
        assert!(!indice.contains("pas encore"), "{indice}");
    }

    #[test]
    fn nothing_of_a_page_comes_from_elsewhere_and_the_explorer_stays_small() {
        let fichiers = [Fichier { nom: "swagger-ui-bundle.js", gzip: b"" }];
        for page in [
            documentation(&fichiers),
            documentation(&[]),
            erreurs::afficher(),
            page("x", "/", EXPLORATEUR_TETE, EXPLORATEUR),
        ] {
            for attribut in ["src=\"http", "src=\"//", "url(http", "<link rel=\"stylesheet\" href=\"http"] {
                assert!(!page.contains(attribut), "{attribut}");
            }
        }
        let total = EXPLORATEUR.len() + STYLE.len() + EXPLORATEUR_JS.len();
        assert!(total < 150 * 1024, "{total}");
    }
}
