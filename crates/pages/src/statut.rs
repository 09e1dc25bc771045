//! `/api/status` and `/etat`: what is published, since when, from what, and whether it can be read.
//!
//! It reads the pointer, the public record of the generation and the public reports: never a key
//! of the import's own work.

use crate::gabarit::{echapper, html, page};
use crate::rapport;
use api::erreur::Erreur;
use api::{Monde, Reponse, Requete, lire_corps, routes};
use domain::date;
use serde_json::{Value, json};
use store::publication::Effectifs;
use store::{Lecteur, StoreError};

/// Answers `/api`, `/api/status`, `/etat`; 404 in JSON for everything else.
pub async fn repondre<M: Monde>(monde: &M, requete: Requete) -> Reponse {
    let segments = requete.segments();
    let page = match segments.as_slice() {
        ["api", "status"] => false,
        ["etat"] => true,
        _ => return routes::statut(monde, requete).await,
    };
    let reponse = match traiter(monde, &requete, page).await {
        Ok(reponse) => reponse,
        Err(erreur) => erreur.reponse(),
    };
    reponse.finir(&requete)
}

async fn traiter<M: Monde>(monde: &M, requete: &Requete, en_page: bool) -> Result<Reponse, Erreur> {
    lire_corps(requete)?;
    match requete.methode.as_ref() {
        "GET" | "HEAD" => {}
        "OPTIONS" => return Ok(routes::options(routes::LECTURE)),
        _ => return Err(Erreur::RouteInconnue),
    }
    let etat = etat(monde).await;
    let statut = if etat.get("etat") == Some(&json!("indisponible")) { 503 } else { 200 };
    let reponse = if en_page { html(statut, afficher(&etat)) } else { Reponse::json(statut, &etat) };
    let reponse = if statut == 503 { reponse.avec("retry-after", "5") } else { reponse };
    Ok(reponse.avec("cache-control", "no-store").compresser(requete))
}

fn iso(ms: Option<i64>) -> Value {
    ms.map_or(Value::Null, |ms| date::ecrire_iso(ms).into())
}

async fn etat<M: Monde>(monde: &M) -> Value {
    let env = monde.variable("environnement").await;
    let mut etat = json!({
        "version": env!("CARGO_PKG_VERSION"), "env": env, "etat": "ok", "generation": null, "generation_precedente": null,
        "publication": null, "millesimes_en_vigueur": {}, "documents": {}, "sous_seuil": {}, "imports": [],
    });
    let lecteur = match Lecteur::ouvrir(monde.kv(), monde.cache(), monde.monotone_ms()).await {
        Ok(lecteur) => lecteur,
        Err(erreur) => {
            // The reason is for the log.
            eprintln!("store: {erreur}");
            let mot = if erreur == StoreError::Empty { "vide" } else { "indisponible" };
            poser(&mut etat, "etat", mot.into());
            return etat;
        }
    };
    let pointeur = lecteur.pointeur();
    poser(&mut etat, "generation", pointeur.generation.as_str().into());
    let precedente = pointeur.precedent.as_ref().map(|p| p.generation.as_str());
    poser(&mut etat, "generation_precedente", precedente.into());
    poser(&mut etat, "millesimes_en_vigueur", serde_json::to_value(&pointeur.millesimes).unwrap_or_default());
    let (record, rapports) = match (lecteur.record_public().await, lecteur.rapports_publics().await) {
        (Ok(record), Ok(rapports)) => (record, rapports),
        (Err(erreur), _) | (_, Err(erreur)) => {
            eprintln!("store: {erreur}");
            poser(&mut etat, "etat", "indisponible".into());
            return etat;
        }
    };
    let mut rapports: Vec<Value> = rapports.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
    let mut mise_en_service = None;
    for rapport in &mut rapports {
        let ms = |champ: &str| rapport.get(champ).and_then(Value::as_i64);
        let (ouvert, fini) = (ms("ouvert_ms"), ms("fini_ms"));
        if rapport.get("etape") == Some(&json!("publie")) && rapport.get("generation") == etat.get("generation") {
            mise_en_service = fini;
        }
        if let Some(objet) = rapport.as_object_mut() {
            objet.remove("ouvert_ms");
            objet.remove("fini_ms");
            objet.insert("ouvert_le".into(), iso(ouvert));
            objet.insert("fini_le".into(), iso(fini));
        }
    }
    if let Some(record) = record {
        poser(
            &mut etat,
            "publication",
            json!({
                "travail": record.travail, "ouverte_le": iso(Some(record.ouvert_ms)), "mise_en_service_le": iso(mise_en_service),
                "lignes_recues": record.lignes, "documents_repris": record.reprises, "empreinte": record.digest,
            }),
        );
        poser(&mut etat, "documents", serde_json::to_value(&record.documents).unwrap_or_default());
        poser(&mut etat, "sous_seuil", serde_json::to_value(&record.sous_seuil).unwrap_or_default());
    }
    poser(&mut etat, "imports", rapports.into());
    etat
}

fn poser(etat: &mut Value, champ: &str, valeur: Value) {
    if let Some(place) = etat.get_mut(champ) {
        *place = valeur;
    }
}

fn nom_maille(maille: &str) -> &str {
    match maille {
        "certifications" => "France (certifications)",
        "regionales" => "Régions",
        "formations" => "Établissements (formations)",
        autre => autre,
    }
}

fn texte<'a>(valeur: &'a Value, champ: &str) -> &'a str {
    valeur.get(champ).and_then(Value::as_str).unwrap_or("–")
}

/// A day and hour that people read.
fn quand(iso: &str) -> String {
    match (iso.get(..10), iso.get(11..16)) {
        (Some(jour), Some(heure)) => format!("<time datetime=\"{}\">{jour} à {heure} (UTC)</time>", echapper(iso)),
        _ => "–".into(),
    }
}

fn afficher(etat: &Value) -> String {
    let (mot, classe) = match texte(etat, "etat") {
        "ok" => ("Les données sont lisibles.", "bien"),
        "vide" => ("Rien n’est encore publié : voir docs/EXPLOITER.md.", "attention"),
        _ => ("Le magasin de données ne répond pas.", "erreur"),
    };
    let mut corps = format!("<h1>État du service</h1><p class=\"avis {classe}\">{mot}</p>");
    corps.push_str("<h2>Publication en service</h2><dl class=\"fiche\">");
    let publication = etat.get("publication").cloned().unwrap_or_default();
    for (nom, valeur) in [
        ("Version du service", echapper(texte(etat, "version"))),
        ("Environnement", echapper(texte(etat, "env"))),
        ("Génération", echapper(texte(etat, "generation"))),
        ("Génération précédente", echapper(texte(etat, "generation_precedente"))),
        ("Import ouvert", quand(texte(&publication, "ouverte_le"))),
        ("Mise en service", quand(texte(&publication, "mise_en_service_le"))),
        ("Empreinte des documents", format!("<code>{}</code>", echapper(texte(&publication, "empreinte")))),
    ] {
        corps.push_str(&format!("<dt>{nom}</dt><dd>{valeur}</dd>"));
    }
    corps.push_str("</dl><h2>Millésimes en vigueur</h2><dl class=\"fiche\">");
    for (champ, nom) in [
        ("certifications", "France, secondaire"),
        ("certifications_sup", "France, supérieur"),
        ("regionales", "Régions"),
        ("formations", "Établissements, secondaire"),
        ("formations_sup", "Établissements, supérieur"),
    ] {
        let valeur = etat.get("millesimes_en_vigueur").map_or("–", |m| texte(m, champ));
        corps.push_str(&format!("<dt>{nom}</dt><dd>{}</dd>", echapper(valeur)));
    }
    corps.push_str("</dl><h2>Documents publiés</h2>");
    corps.push_str(&effectifs(etat));
    corps.push_str("<h2>Derniers imports</h2>");
    corps.push_str(&imports(etat));
    corps
        .push_str("<p>Les mêmes informations en JSON&nbsp;: <a href=\"/api/status\"><code>/api/status</code></a>.</p>");
    page("État du service", "/etat", "", &corps)
}

fn effectifs(etat: &Value) -> String {
    let documents: Effectifs =
        etat.get("documents").and_then(|d| serde_json::from_value(d.clone()).ok()).unwrap_or_default();
    if documents.is_empty() {
        return "<p>Aucun.</p>".into();
    }
    let mut lignes = String::new();
    for (maille, par_millesime) in &documents {
        for (millesime, provenances) in par_millesime {
            let de = |nom: &str| provenances.get(nom).copied().unwrap_or_default();
            lignes.push_str(&format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                echapper(nom_maille(maille)),
                echapper(&millesime.replace('_', "-")),
                provenances.values().sum::<u64>(),
                de("self"),
                de("ancienne") + de("nouvelle"),
                de("sans donnees"),
            ));
        }
    }
    let sous_seuil: Vec<String> = etat
        .get("sous_seuil")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(maille, n)| format!("{} : {n}", echapper(nom_maille(maille))))
        .collect();
    let sous_seuil = if sous_seuil.is_empty() { "aucun".into() } else { sous_seuil.join(", ") };
    format!(
        "<div class=\"defile\" role=\"region\" aria-label=\"Documents par maille et millésime\" tabindex=\"0\"><table><caption>Par maille et millésime</caption><thead><tr><th scope=\"col\">Maille</th><th scope=\"col\">Millésime</th>\
<th scope=\"col\">Documents</th><th scope=\"col\">Données propres</th><th scope=\"col\">D’un autre diplôme de la lignée</th><th scope=\"col\">Année non terminale</th></tr></thead><tbody>{lignes}</tbody></table></div>\
<p>Documents dont les chiffres sont masqués, faute d’un groupe d’au moins 20 jeunes&nbsp;: {sous_seuil}.</p>"
    )
}

fn imports(etat: &Value) -> String {
    let rapports = etat.get("imports").and_then(Value::as_array).cloned().unwrap_or_default();
    if rapports.is_empty() {
        return "<p>Aucun import terminé.</p>".into();
    }
    let lignes: String = rapports
        .iter()
        .map(|r| {
            let bilan = r.get("bilan").cloned().unwrap_or_default();
            let n = |champ: &str| bilan.get(champ).and_then(Value::as_u64).unwrap_or_default();
            let recues: u64 = bilan
                .get("lignes")
                .and_then(Value::as_object)
                .map_or(0, |l| l.values().filter_map(Value::as_u64).sum());
            let inconnus: Vec<&str> = bilan
                .get("champs_inconnus")
                .and_then(Value::as_object)
                .map_or_else(Vec::new, |c| c.keys().map(String::as_str).collect());
            let fin = match texte(r, "etape") {
                "publie" => "publié",
                "inchange" => "inchangé",
                "abandonne" => "abandonné",
                "echec" => "échec",
                autre => autre,
            };
            format!(
                "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td><td>{recues}</td><td>{}</td><td>{}</td><td>{:.1}&nbsp;s</td></tr>",
                echapper(texte(r, "id")),
                quand(texte(r, "fini_le")),
                echapper(fin),
                n("lignes_refusees"),
                echapper(&inconnus.join(", ")),
                std::time::Duration::from_millis(n("duree_ms")).as_secs_f64(),
            )
        })
        .collect();
    format!(
        "<div class=\"defile\" role=\"region\" aria-label=\"Derniers imports\" tabindex=\"0\"><table><caption>Du plus récent au plus ancien</caption><thead><tr><th scope=\"col\">Import</th><th scope=\"col\">Fin</th><th scope=\"col\">Résultat</th>\
<th scope=\"col\">Lignes reçues</th><th scope=\"col\">Lignes refusées</th><th scope=\"col\">Champs inconnus</th><th scope=\"col\">Durée</th></tr></thead><tbody>{lignes}</tbody></table></div>{}",
        rapports.iter().map(rapport::collecte).collect::<String>()
    )
}
