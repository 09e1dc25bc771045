//! The filieres view: what becomes of those who took a course, by school and by apprenticeship.

use crate::document::{Lieu, image_sans_age, indicateurs, publique};
use crate::erreur::{self, Erreur};
use crate::parametres::{Cible, ParametresDocument};
use crate::reponse::{JSON, Reponse};
use domain::{Document, Filiere, Maille, TypeCode, Univers, territoire};
use serde_json::{Value, json};
use store::Lecteur;
use store::compte::{self, VueFilieres};
use store::kv::KeyValue;
use widget::{Filieres, Indicateurs};

/// Answers the view of a certification or of several, nationally or in a region.
pub async fn repondre<K: KeyValue>(
    lecteur: &Lecteur<K>,
    parametres: &ParametresDocument,
    cible: &Cible,
    maintenant: i64,
) -> Result<Reponse, Erreur> {
    let lieu = Lieu::de(cible);
    let cfds = cfds(lecteur, cible).await?;
    if cfds.is_empty() {
        let nationale = lieu.maille == Maille::Nationale;
        return Err(if nationale { erreur::CERTIFICATIONS_INCONNUES } else { erreur::FORMATION_INCONNUE });
    }
    let mut entrees = Vec::new();
    for cfd in cfds {
        let comptes = lecteur.comptes(lieu.place, &cfd).await?.unwrap_or_default();
        entrees.push((cfd, comptes));
    }
    // The view always defaults to the school track's latest year.
    let demande = parametres.millesime.as_ref().map(|m| m.as_str());
    let millesime = demande.or_else(|| lieu.en_vigueur(lecteur.pointeur(), Univers::Secondaire));
    let region = territoire::region(lieu.place).filter(|_| lieu.maille == Maille::Regionale);
    let region_json = region.map(|r| json!({"code": r.code, "nom": r.nom}));
    let vue = compte::vue(&entrees, |m| Some(m) == millesime, region_json.as_ref(), maintenant)
        .ok_or(Erreur::Indisponible)?;
    if vue.0.is_empty() {
        let nationale = lieu.maille == Maille::Nationale;
        return Err(if nationale { erreur::CERTIFICATIONS_INCONNUES } else { erreur::PAS_DE_DONNEES });
    }
    let fermetures =
        vue.0.iter().map(|(_, d)| d.as_document().get("date_fermeture").and_then(domain::date::lire_valeur));
    let fermetures: Vec<Option<i64>> = fermetures.collect();
    let reponse = if parametres.svg {
        dessiner(&vue, parametres, region.map(|r| r.nom))?
    } else {
        let objet: Document =
            vue.0.into_iter().map(|(f, d)| (f.as_str().to_owned(), Value::Object(d.as_document().clone()))).collect();
        Reponse::nouvelle(200, JSON, Value::Object(objet).to_string().into_bytes())
    };
    Ok(publique(reponse, fermetures, &|| maintenant))
}

/// The CFDs of the codes asked for, each once, in their order. A SISE code has none.
async fn cfds<K: KeyValue>(lecteur: &Lecteur<K>, cible: &Cible) -> Result<Vec<String>, Erreur> {
    let mut cfds: Vec<String> = Vec::new();
    for code in cible.codes.iter().filter(|c| c.type_code() != TypeCode::Sise) {
        if let Some(bytes) = lecteur.nomenclature("bcn", code.as_str()).await? {
            let cfd = String::from_utf8_lossy(&bytes).into_owned();
            if !cfd.is_empty() && !cfds.contains(&cfd) {
                cfds.push(cfd);
            }
        }
    }
    Ok(cfds)
}

fn dessiner(vue: &VueFilieres, parametres: &ParametresDocument, region: Option<&str>) -> Result<Reponse, Erreur> {
    let trouve = |filiere: Filiere| vue.0.iter().find(|(f, _)| *f == filiere).map(|(_, d)| d.as_document());
    let lire = |filiere: Filiere| {
        trouve(filiere).map_or_else(Indicateurs::default, |d| indicateurs(&Value::Object(d.clone())))
    };
    let documents = || vue.0.iter().map(|(_, d)| d.as_document());
    let mut cfds: Vec<&str> = documents()
        .filter_map(|d| d.get("codes_formation_diplome")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    cfds.sort_unstable();
    cfds.dedup();
    let seul = cfds.len() == 1;
    let cfds = cfds.join(", ");
    let texte =
        |document: &Document, champ: &str| document.get(champ).and_then(Value::as_str).unwrap_or_default().to_owned();
    let diplomes: Vec<String> = documents()
        .map(|d| {
            let diplome = d.get("diplome").and_then(|d| d.get("libelle")).and_then(Value::as_str);
            format!("{}filière {}", diplome.map_or(String::new(), |d| format!("{d} ")), texte(d, "filiere"))
        })
        .collect();
    let millesime = documents().map(|d| texte(d, "millesime")).max().unwrap_or_default();
    let titre = if seul { format!("Certification {cfds}") } else { format!("Certifications {cfds}") };
    let pour = if seul { "la certification" } else { "les certifications" };
    let mut details =
        format!("Données InserJeunes pour {pour} {cfds} ({}) pour le millésime {millesime}", diplomes.join(" et "));
    if let Some(region) = region {
        details += &format!(" et la région {region}");
    }
    let libelle = documents().map(|d| texte(d, "libelle")).find(|l| !l.is_empty());
    let messages: Vec<&str> = documents()
        .filter_map(|d| d.get("_meta")?.get("messages")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .take(1)
        .collect();
    let filieres = Filieres {
        titre: &titre,
        details: &details,
        libelle: libelle.as_deref(),
        millesime: &millesime,
        messages: &messages,
        pro: lire(Filiere::Pro),
        apprentissage: lire(Filiere::Apprentissage),
    };
    let svg = widget::render_filieres(&filieres, parametres.theme, parametres.direction)
        .ok_or(erreur::DONNEES_NON_DISPONIBLES)?;
    Ok(image_sans_age(svg))
}
