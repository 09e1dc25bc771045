//! What leads to the service, and what may be done with it: records for catalogues of open data, schemas of the exports,
//! `security.txt`, and the terms of use.
//!
//! Records lie in `records/` as they are sent, but for the address of the service and the contact.

use crate::template::{Deployment, PageHead, page};
use api::error::ApiError;
use api::{Response, Runtime};
use domain::date;
use maud::{Markup, html};

/// On what terms a deployment serves.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Where to write: `mailto:…` or `https://…`; `None` where it is not told.
    pub contact: Option<String>,
    /// The availability that is promised, in words; `None` where none is.
    pub availability: Option<String>,
    /// Milliseconds since 1970.
    pub now_ms: i64,
}

impl Terms {
    /// Reads them; where a variable cannot be read, a page without it still helps.
    pub async fn read<M: Runtime>(runtime: &M) -> Self {
        let told = async |name: &str| runtime.variable(name).await.unwrap_or_default();
        let availability = Some(told("disponibilite").await).filter(|text| !text.is_empty());
        Self { contact: contact(&told("contact").await), availability, now_ms: runtime.now_ms() }
    }
}

const RECORDS: [(&str, &str); 8] = [
    ("bcn.json", include_str!("../records/bcn.json")),
    ("certifications.json", include_str!("../records/certifications.json")),
    ("dataservice.json", include_str!("../records/dataservice.json")),
    ("dataset.json", include_str!("../records/dataset.json")),
    ("dcat.jsonld", include_str!("../records/dcat.jsonld")),
    ("formations.json", include_str!("../records/formations.json")),
    ("mailles.json", include_str!("../records/mailles.json")),
    ("regionales.json", include_str!("../records/regionales.json")),
];

/// How long a `security.txt` says that it holds; it is made anew each day.
const HOLDS_MS: i64 = 180 * 24 * 3_600 * 1_000;

/// A record under `/api/doc/catalogue/`; `root` is the address of the service, without a slash at its end.
pub(crate) fn record(name: &str, root: &str, terms: &Terms) -> Result<Response, ApiError> {
    let (_, text) = RECORDS.iter().find(|(known, _)| *known == name).ok_or(ApiError::UnknownRoute)?;
    let contact = terms.contact.clone().unwrap_or_else(|| [root, "/api/doc/conditions#contact"].concat());
    // Neither holds a character that JSON escapes.
    let text = text.replace("{adresse}", root).replace("{contact}", &contact);
    let kind = if name.ends_with(".jsonld") { "application/ld+json" } else { "application/json; charset=utf-8" };
    Ok(Response::new(200, kind, text.into_bytes()))
}

/// `/.well-known/security.txt` (RFC 9116), where there is somebody to write to.
pub(crate) fn security(terms: &Terms) -> Result<Response, ApiError> {
    let contact = terms.contact.as_deref().ok_or(ApiError::UnknownRoute)?;
    let expires = date::write_day(terms.now_ms.saturating_add(HOLDS_MS));
    let text = format!("Contact: {contact}\nExpires: {expires}T00:00:00.000Z\nPreferred-Languages: fr, en\n");
    Ok(Response::new(200, "text/plain; charset=utf-8", text.into_bytes()))
}

/// The terms of use, the level of service, the contact.
pub(crate) fn terms(deployment: &Deployment, terms: &Terms) -> Markup {
    let body = html! {
        h1 { "Conditions d’utilisation" }
        h2 #donnees { "Les données" }
        p {
            "Licence Ouverte 2.0 (Etalab)\u{a0}: chacun les réutilise librement, aussi à des fins commerciales, à condition d’en citer la "
            "source et le millésime, par exemple «\u{a0}Source\u{a0}: InserJeunes, DEPP et DARES, millésime 2023\u{a0}». La date de "
            "publication est dans " a href="/api/status" { code { "/api/status" } } ". Le code du service est sous licence MIT."
        }
        p {
            "Les effectifs et les taux d’un groupe de moins de 20 jeunes sont masqués, sauf son effectif total\u{a0}; ce que montre le réglage "
            "en vigueur est dit à " a href="/etat#secret" { "l’état du service" } ". Qui réutilise les données ne cherche pas à retrouver "
            "ce qui est masqué, ni par différence ni par recoupement, et affiche les textes de " code { "_meta.messages" } "."
        }
        h2 #acces { "L’accès" }
        p {
            "Les documents, les images et la recherche sont ouverts. Les listes, les exports et les catalogues entiers demandent une clé\u{a0}: "
            "elle se demande au contact ci-dessous. Elle ne s’écrit pas dans une page publique, où chacun "
            "la lirait\u{a0}: la page appelle les routes ouvertes, ou votre serveur garde la clé et appelle pour elle."
        }
        h2 #service { "Le niveau de service" }
        ul {
            li {
                "Disponibilité\u{a0}: "
                (terms.availability.as_deref().unwrap_or("aucune n’est promise par ce déploiement")) "."
            }
            li { "Une publication se voit dans les dix minutes, en une fois\u{a0}; rien n’est servi à moitié." }
            li { "Une panne des données répond 503 avec " code { "Retry-After" } ", jamais 404." }
            li {
                "Les routes ouvertes n’ont pas de quota dans l’application. Les listes, les exports et les catalogues peuvent en avoir un\u{a0}: "
                "leurs en-têtes " code { "RateLimit-Policy" } " et " code { "RateLimit" } " le disent, et 429 au-delà. La passerelle d’un "
                "déploiement peut en poser d’autres."
            }
            li { "L’état et ce qui est publié\u{a0}: " a href="/etat" { "état du service" } "." }
        }
        h2 #stabilite { "Ce qui change et ce qui ne change pas" }
        p {
            "Chemins, paramètres, statuts, noms des champs, " code { "null" } " contre absence, colonnes du CSV et corps des erreurs "
            "restent. Des champs, des indicateurs, des mailles et des routes s’ajoutent. Ce qui disparaîtra sera d’abord annoncé, par les "
            "en-têtes " code { "Deprecation" } " et " code { "Sunset" } "."
        }
        h2 #contact { "Contact" }
        @match terms.contact.as_deref() {
            Some(contact) => p { a href=(contact) { (contact.trim_start_matches("mailto:")) } },
            None => p { "L’équipe qui exploite ce service, là où il vous a été indiqué\u{a0}: ce déploiement n’a pas d’adresse publique de contact." },
        }
        h2 #catalogue { "Pour les catalogues" }
        ul {
            @for (name, what) in [
                ("dataset.json", "fiche du jeu de données, pour data.gouv.fr"),
                ("dataservice.json", "fiche de l’API, pour data.gouv.fr"),
                ("dcat.jsonld", "DCAT (JSON-LD)"),
                ("certifications.json", "schéma de l’export national (Table Schema)"),
                ("regionales.json", "schéma de l’export régional"),
                ("formations.json", "schéma de l’export par établissement"),
                ("mailles.json", "schéma de l’export d’une maille déclarée"),
                ("bcn.json", "schéma de l’export de la nomenclature"),
            ] {
                li { a href=(format!("/api/doc/catalogue/{name}")) { (name) } "\u{a0}: " (what) }
            }
        }
    };
    let head = PageHead {
        title: "Conditions d’utilisation",
        description: "Ce que chacun peut faire des données et du service, et ce qu’il peut en attendre.",
        here: "/api/doc",
        canonical: "/api/doc/conditions",
        ..PageHead::default()
    };
    page(deployment, &head, &body)
}

/// A contact that a header, a page and a record can hold.
pub(crate) fn contact(text: &str) -> Option<String> {
    let safe = |b: u8| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'"' | b'\'' | b'\\' | b'{' | b'}');
    let known = text.starts_with("https://") || text.starts_with("mailto:");
    (known && text.bytes().all(safe)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::ResponseBody;
    use domain::indicator;
    use serde_json::{Value, json};

    fn text(response: Response) -> String {
        match response.body {
            ResponseBody::Bytes(body) => String::from_utf8(body).unwrap(),
            ResponseBody::Stream(_) => panic!("a record is whole"),
        }
    }

    fn told(contact: Option<&str>) -> Terms {
        Terms { contact: contact.map(str::to_owned), availability: None, now_ms: 1_795_773_600_000 }
    }

    #[test]
    fn records_are_json_and_name_the_address_and_the_contact() {
        for (name, _) in RECORDS {
            let record = text(record(name, "https://hote/prefixe", &told(Some("mailto:a@b.example"))).unwrap());
            serde_json::from_str::<Value>(&record).unwrap();
            assert!(!record.contains("{adresse}") && !record.contains("{contact}"), "{name}");
        }
        assert!(record("rien.json", "", &told(None)).is_err());
    }

    /// That exports are what the schemas tell is shown in `tests/pages`.
    #[test]
    fn schemas_name_the_columns_of_the_code_in_its_order() {
        for (name, wages) in [
            ("certifications.json", true),
            ("regionales.json", false),
            ("formations.json", false),
            ("mailles.json", false),
        ] {
            let schema: Value = serde_json::from_str(&text(record(name, "", &told(None)).unwrap())).unwrap();
            let fields = schema["fields"].as_array().unwrap();
            let statistics: Vec<&str> =
                fields.iter().filter_map(|f| f["name"].as_str()).filter(|name| indicator::is_indicator(name)).collect();
            assert_eq!(statistics, indicator::columns(wages, &[]), "{name}");
            for field in fields.iter().filter(|f| indicator::is_indicator(f["name"].as_str().unwrap())) {
                assert!(field["unite"].is_string() && field["constraints"]["minimum"] == json!(0), "{field}");
            }
        }
    }

    #[test]
    fn security_txt_names_the_contact_and_ends_in_half_a_year() {
        let text = text(security(&told(Some("mailto:securite@exemple.example"))).unwrap());
        assert!(
            text.starts_with("Contact: mailto:securite@exemple.example\nExpires: 2027-05-26T00:00:00.000Z\n"),
            "{text}"
        );
        assert!(security(&told(None)).is_err());
    }

    #[test]
    fn a_contact_that_would_break_a_page_or_a_record_is_none() {
        for (text, known) in [
            ("mailto:a@b.example", true),
            ("https://b.example/contact?sujet=api", true),
            ("javascript:alert(1)", false),
            ("mailto:a@b.example\nContact: x", false),
            ("https://b.example/\"><script>", false),
            ("", false),
        ] {
            assert_eq!(contact(text).is_some(), known, "{text}");
        }
    }

    #[test]
    fn the_terms_say_what_the_deployment_says() {
        let page = terms(
            &Deployment::default(),
            &Terms { availability: Some("99,5 % par mois".into()), ..told(Some("mailto:a@b.example")) },
        );
        let page = page.into_string();
        assert!(page.contains("href=\"mailto:a@b.example\"") && page.contains("99,5 % par mois"), "{page}");
        let bare = terms(&Deployment::default(), &told(None)).into_string();
        assert!(bare.contains("aucune n’est promise") && bare.contains("pas d’adresse publique"), "{bare}");
    }
}
