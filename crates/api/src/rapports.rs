//! Reports of the last imports: whole for operators, without reasons and values for everyone.

use crate::erreur::Erreur;
use collecte::{Collecte, Rapport};
use serde_json::{Map, Value, json};
use store::cle;
use store::kv::{KeyValue, KeyValueWrite};
use store::publication::Job;

/// Runs whose reports are kept.
const GARDES: usize = 20;
/// The ids of the kept reports, newest first, with what a list of them shows.
const LISTE: &str = "work:reports";
/// Bytes of the public reports together, at most: they lie in one value.
const PUBLICS_MAX: usize = 250 * 1024;
/// Bytes of a report, at most.
const RAPPORT_MAX: usize = 250 * 1024;
/// Unknown fields and measures that a public report names, a service.
const NOMS_PUBLICS: usize = 20;

fn cle_rapport(id: &str) -> String {
    format!("work:report:{id}")
}

/// The kept reports, newest first: id, times, where it ended.
pub async fn lister<K: KeyValue>(kv: &K) -> Result<Vec<Value>, Erreur> {
    Ok(kv.get(LISTE).await?.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default())
}

/// A kept report.
pub async fn lire<K: KeyValue>(kv: &K, id: &str) -> Result<Value, Erreur> {
    let inconnu = Erreur::Introuvable("Rapport inconnu");
    if !lister(kv).await?.iter().any(|r| r.get("id").and_then(Value::as_str) == Some(id)) {
        return Err(inconnu);
    }
    kv.get(&cle_rapport(id)).await?.and_then(|b| serde_json::from_slice(&b).ok()).ok_or(inconnu)
}

/// Keeps the report of an ended import, once.
///
/// The report goes first and the list after it: killed in between, the next call does both again.
pub async fn garder<K: KeyValueWrite>(
    kv: &K,
    job: &Job,
    collecte: Option<&(Collecte, Option<Rapport>)>,
) -> Result<(), Erreur> {
    let mut liste = lister(kv).await?;
    if liste.iter().any(|r| r.get("id").and_then(Value::as_str) == Some(job.id.as_str())) {
        return Ok(());
    }
    let collecte = collecte.filter(|(c, _)| c.id == job.id);
    let mut rapport = serde_json::to_value(job).unwrap_or_default();
    if let (Some((collecte, rapport_collecte)), Some(objet)) = (collecte, rapport.as_object_mut()) {
        objet.insert(
            "collecte".into(),
            json!({
                "demande": collecte.demande, "etape": collecte.etape, "ouvert_ms": collecte.ouvert_ms, "fini_ms": collecte.fini_ms,
                "echec": collecte.echec, "rapport": rapport_collecte,
            }),
        );
        // A run that fails before its publication gives its job up: that is how the job ends, not the import.
        if collecte.echec.is_some() {
            objet.insert("etape".into(), json!("echec"));
        }
    }
    let mut bytes = serde_json::to_vec(&rapport).unwrap_or_default();
    if bytes.len() > RAPPORT_MAX {
        // What would not fit says what it is about, how it ended, and that the rest is left out.
        let mut abrege = choix(&rapport, &["id", "ouvert_ms", "fini_ms", "etape", "generation"]);
        let echec = rapport.get("bilan").and_then(|b| b.get("echec")).and_then(Value::as_str).unwrap_or_default();
        let echec: String = echec.chars().take(1_000).collect();
        if let Some(objet) = abrege.as_object_mut() {
            objet.insert("bilan".into(), json!({"echec": echec}));
            objet.insert("abrege".into(), true.into());
        }
        rapport = abrege;
        bytes = serde_json::to_vec(&rapport).unwrap_or_default();
    }
    kv.set(&cle_rapport(&job.id), bytes).await?;
    let publics: Option<Vec<Value>> = kv.get(cle::REPORTS).await?.and_then(|b| serde_json::from_slice(&b).ok());
    let mut publics = publics.unwrap_or_default();
    let id = rapport.get("id").cloned();
    publics.retain(|r| r.get("id") != id.as_ref());
    publics.insert(0, public(&rapport));
    publics.truncate(GARDES);
    let mut bytes = serde_json::to_vec(&publics).unwrap_or_default();
    while bytes.len() > PUBLICS_MAX && publics.len() > 1 {
        publics.pop();
        bytes = serde_json::to_vec(&publics).unwrap_or_default();
    }
    kv.set(cle::REPORTS, bytes).await?;
    liste.insert(0, choix(&rapport, &["id", "ouvert_ms", "fini_ms", "etape", "generation"]));
    let anciens: Vec<String> = liste
        .drain(GARDES.min(liste.len())..)
        .filter_map(|r| r.get("id").and_then(Value::as_str).map(cle_rapport))
        .collect();
    kv.set(LISTE, serde_json::to_vec(&liste).unwrap_or_default()).await?;
    Ok(kv.delete_many(anciens).await?)
}

fn choix(valeur: &Value, champs: &[&str]) -> Value {
    let choisis = champs.iter().map(|c| ((*c).to_owned(), valeur.get(*c).cloned().unwrap_or_default()));
    Value::Object(choisis.collect())
}

/// What everyone may see of a report: counts, names of fields, kinds of reasons. Neither examples
/// nor words of a service: they may name an establishment.
fn public(rapport: &Value) -> Value {
    let mut public = choix(rapport, &["id", "ouvert_ms", "fini_ms", "etape", "generation", "bilan"]);
    if let Some(bilan) = public.get_mut("bilan").and_then(Value::as_object_mut) {
        bilan.remove("refus");
        bilan.remove("echec");
    }
    let collecte = rapport.get("collecte");
    let releve = collecte.and_then(|c| c.get("rapport")).filter(|r| !r.is_null());
    if let (Some(releve), Some(objet)) = (releve, public.as_object_mut()) {
        let mut copie = releve.clone();
        if let Some(copie) = copie.as_object_mut() {
            for source in copie.get_mut("sources").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
            {
                if let Some(source) = source.as_object_mut() {
                    source.remove("echecs");
                    premiers(source.get_mut("champs_inconnus"));
                }
            }
            let traitements = copie.get_mut("traitements").and_then(Value::as_object_mut);
            for traitement in traitements.into_iter().flat_map(Map::values_mut) {
                premiers(traitement.get_mut("mesures_inconnues"));
                let rejets = traitement.get_mut("rejets").and_then(Value::as_object_mut);
                for rejet in rejets.into_iter().flat_map(Map::values_mut) {
                    *rejet = rejet.get("nombre").cloned().unwrap_or_default();
                }
            }
            copie.insert("demande".into(), collecte.and_then(|c| c.get("demande")).cloned().unwrap_or_default());
        }
        objet.insert("collecte".into(), copie);
    }
    public
}

fn premiers(noms: Option<&mut Value>) {
    if let Some(Value::Object(noms)) = noms {
        let trop: Vec<String> = noms.keys().skip(NOMS_PUBLICS).cloned().collect();
        for nom in trop {
            noms.remove(&nom);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_executor::block_on;
    use store::Memoire;

    #[test]
    fn twenty_reports_are_kept_and_the_public_ones_hold_no_example() {
        let kv = Memoire::default();
        block_on(async {
            for n in 0..25 {
                let mut job = Job::default();
                job.id = format!("j{n}");
                let mut collecte = Collecte::default();
                collecte.id.clone_from(&job.id);
                let mut rapport = Rapport::default();
                let source = rapport.sources.entry(sources::Service::Bcn).or_default();
                source.appels = 9;
                source.echecs.push(collecte::AppelEnEchec {
                    appel: "/UAI/0750001U".into(),
                    raison: "status 404".into(),
                    repris: true,
                });
                let mut traitement = treatments::Rapport::default();
                traitement.rejeter(&treatments::Rejet::UaiIncorrect { uai: "0750001U".into() });
                rapport.traitements.insert(sources::Service::Bcn, traitement);
                let releve = (collecte, Some(rapport));
                garder(&kv, &job, Some(&releve)).await.unwrap();
                garder(&kv, &job, Some(&releve)).await.unwrap();
            }
            assert_eq!(lister(&kv).await.unwrap().len(), GARDES);
            assert!(lire(&kv, "j24").await.unwrap().to_string().contains("0750001U"));
            assert!(lire(&kv, "j0").await.is_err());
            assert_eq!(kv.keys().iter().filter(|k| k.starts_with("work:report:")).count(), GARDES);
            let publics = String::from_utf8(kv.get(cle::REPORTS).await.unwrap().unwrap()).unwrap();
            assert!(publics.contains("\"appels\":9") && publics.contains("uai_incorrect"), "{publics}");
            assert!(!publics.contains("0750001U") && !publics.contains("404"), "{publics}");
        });
    }
}
