//! Pushed lines: what is accepted, what is refused and why, what is kept out.

use domain::code::est_rncp;
use domain::declaree::{CHAMP_LIEU, CHAMP_MAILLE, MAILLES_MAX};
use domain::indicateur::{self, est_indicateur};
use domain::{Document, Filiere, Kind, MailleDeclaree, Millesime, Uai, territoire};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Why a line is refused, in words for the one who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LigneRefusee(pub String);

/// A line as the store keeps it.
#[derive(Debug)]
pub struct LigneValide {
    /// Its kind.
    pub kind: Kind,
    /// The document's JSON, without what is kept out.
    pub json: Vec<u8>,
}

#[derive(Deserialize)]
struct Ligne<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    doc: &'a RawValue,
}

/// The fields of a statistic that are no indicator.
const CHAMPS: [&str; 22] = [
    "uai",
    "libelle_etablissement",
    "millesime",
    "code_certification",
    "code_certification_type",
    "code_formation_diplome",
    "libelle",
    "libelle_ancien",
    "diplome",
    "filiere",
    "date_fermeture",
    "familleMetier",
    "certificationsTerminales",
    "donnee_source",
    "region",
    "academie",
    "uai_type",
    "uai_donnee",
    "uai_donnee_type",
    "uai_lieu_formation",
    "uai_formateur",
    "uai_gestionnaire",
];

/// Fields that are dropped without a word: they are internal to whoever exports them.
const INTERNES: [&str; 3] = ["_meta", "_id", "__v"];

/// Largest document, in bytes of JSON. A row must fit into a value of the store with its neighbours.
const DOCUMENT_MAX: usize = 64 * 1024;

/// Checks the lines of a push, in their order: a maille is declared before its first statistic.
#[derive(Debug, Default)]
pub struct Controle<'a> {
    /// The indicators that the deployment adds to those of the contract.
    pub indicateurs: &'a [String],
    /// The mailles declared so far, by name.
    pub mailles: BTreeMap<String, MailleDeclaree>,
    /// Fields kept out, and how often.
    pub inconnus: BTreeMap<String, u64>,
}

impl Controle<'_> {
    /// Reads and checks a line.
    ///
    /// # Errors
    /// The reason of the refusal.
    pub fn ligne(&mut self, ligne: &[u8]) -> Result<LigneValide, LigneRefusee> {
        let refus = |raison: String| LigneRefusee(raison);
        let lue: Ligne<'_> = serde_json::from_slice(ligne)
            .map_err(|e| refus(format!("la ligne n'est pas un objet JSON {{\"kind\", \"doc\"}} : {e}")))?;
        let kind = Kind::parse(&lue.kind).ok_or_else(|| {
            let connus: Vec<&str> = Kind::TOUS.iter().map(|k| k.nom()).collect();
            refus(format!("kind « {} » inconnu ; attendu : {}", lue.kind, connus.join(", ")))
        })?;
        let document: Document =
            serde_json::from_str(lue.doc.get()).map_err(|e| refus(format!("doc n'est pas un objet JSON : {e}")))?;
        self.document(kind, document)
    }

    /// Checks a document as [`Self::ligne`] does the line that holds it.
    ///
    /// # Errors
    /// The reason of the refusal.
    pub fn document(&mut self, kind: Kind, mut document: Document) -> Result<LigneValide, LigneRefusee> {
        let refus = |raison: String| LigneRefusee(raison);
        document.retain(|champ, _| !INTERNES.contains(&champ.as_str()));
        match kind {
            Kind::Certification | Kind::Regionale | Kind::Formation => {
                let connu = |champ: &str| CHAMPS.contains(&champ);
                garder_les_champs_connus(&mut document, connu, self.indicateurs, &mut self.inconnus);
                verifier_statistique(kind, &document)?;
            }
            Kind::Maille => self.declarer(&document)?,
            Kind::Statistique => self.placer(&mut document)?,
            Kind::Bcn => exiger(&document, &["code_certification", "type"])?,
            Kind::BcnMef => exiger(&document, &["mef_stat_11"])?,
            Kind::BcnSise => exiger(&document, &["diplome_sise"])?,
            Kind::Etablissement => exiger(&document, &["numero_uai"])?,
            Kind::Catalogue => {
                // Recorded rows name themselves `{"$oid": …}`.
                if let Some(id) = document.get("id").and_then(|id| id.get("$oid")).cloned() {
                    document.insert("id".to_owned(), id);
                }
                exiger(&document, &["id"])?;
            }
            Kind::Rncp => {
                exiger(&document, &["code_certification", "rncp"])?;
                let code = texte(&document, "code_certification")?;
                if !matches!(code.len(), 7 | 8) || !code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
                    return Err(refus(format!("code_certification : « {code} » n'est ni un CFD ni un code SISE")));
                }
                if !est_rncp(texte(&document, "rncp")?) {
                    return Err(refus("rncp : RNCP suivi d'un à six chiffres est attendu".into()));
                }
            }
            Kind::User => {
                exiger(&document, &["username"])?;
                // Never repeated in a message: it may be a password as well as its hash.
                let garde = document.get("password").and_then(Value::as_str).unwrap_or_default();
                if garde.is_empty() || garde.len() > 1_000 {
                    return Err(refus("password : la forme conservée d'un mot de passe est attendue".into()));
                }
            }
        }
        let json = serde_json::to_vec(&document).map_err(|e| refus(e.to_string()))?;
        if json.len() > DOCUMENT_MAX {
            return Err(refus(format!("le document dépasse {} Kio", DOCUMENT_MAX / 1024)));
        }
        Ok(LigneValide { kind, json })
    }

    /// A declaration; the same one again changes nothing.
    fn declarer(&mut self, document: &Document) -> Result<(), LigneRefusee> {
        let declaree = MailleDeclaree::lire(document).map_err(LigneRefusee)?;
        match self.mailles.get(&declaree.nom) {
            Some(connue) if *connue == declaree => return Ok(()),
            Some(_) => return Err(LigneRefusee(format!("nom : « {} » est déjà déclarée autrement", declaree.nom))),
            None if self.mailles.len() == MAILLES_MAX => {
                return Err(LigneRefusee(format!("{MAILLES_MAX} mailles au plus se déclarent")));
            }
            None => {}
        }
        self.mailles.insert(declaree.nom.clone(), declaree);
        Ok(())
    }

    /// A statistic of a declared maille: checked, and told its place.
    fn placer(&mut self, document: &mut Document) -> Result<(), LigneRefusee> {
        let nom = texte(document, CHAMP_MAILLE)?;
        let Some(maille) = self.mailles.get(nom) else {
            let raison = "n'est pas déclarée : une ligne de kind maille la déclare avant ses documents";
            return Err(LigneRefusee(format!("maille : « {nom} » {raison}")));
        };
        let connu = |champ: &str| {
            // What is said of an establishment is no part of another maille.
            let etablissement = champ.starts_with("uai") || champ == "libelle_etablissement";
            champ == maille.racine() || champ == CHAMP_MAILLE || CHAMPS.contains(&champ) && !etablissement
        };
        garder_les_champs_connus(document, connu, self.indicateurs, &mut self.inconnus);
        let lieu = maille.lieu(document).map_err(LigneRefusee)?.to_owned();
        document.insert(CHAMP_LIEU.to_owned(), lieu.into());
        verifier_statistique(Kind::Statistique, document)
    }
}

fn garder_les_champs_connus(
    document: &mut Document,
    connu: impl Fn(&str) -> bool,
    ajoutes: &[String],
    inconnus: &mut BTreeMap<String, u64>,
) {
    let connu = |champ: &str| {
        connu(champ)
            || indicateur::EFFECTIFS.contains(&champ)
            || indicateur::TAUX.contains(&champ)
            || indicateur::SALAIRES.contains(&champ)
            || champ == indicateur::NB_DIPLOME
            || ajoutes.iter().any(|a| a == champ)
    };
    document.retain(|champ, _| {
        let garde = connu(champ);
        if !garde && (inconnus.len() < 200 || inconnus.contains_key(champ)) {
            *inconnus.entry(champ.clone()).or_default() += 1;
        }
        garde
    });
}

/// Whether an indicator lies inside a value: the publication threshold hides fields of a document,
/// none below them.
fn contient_un_indicateur(valeur: &Value) -> bool {
    match valeur {
        Value::Object(champs) => champs.iter().any(|(nom, v)| est_indicateur(nom) || contient_un_indicateur(v)),
        Value::Array(valeurs) => valeurs.iter().any(contient_un_indicateur),
        _ => false,
    }
}

fn exiger(document: &Document, champs: &[&str]) -> Result<(), LigneRefusee> {
    champs.iter().try_for_each(|champ| texte(document, champ).map(|_| ()))
}

fn texte<'a>(document: &'a Document, champ: &str) -> Result<&'a str, LigneRefusee> {
    match document.get(champ) {
        Some(Value::String(t)) if !t.is_empty() && t.len() <= 100 && !t.contains(['\0', '|']) => Ok(t),
        Some(valeur) => Err(LigneRefusee(format!("{champ} : un texte non vide est attendu, reçu {}", court(valeur)))),
        None => Err(LigneRefusee(format!("{champ} manque"))),
    }
}

fn court(valeur: &Value) -> String {
    let texte = valeur.to_string();
    texte.chars().take(60).collect()
}

fn verifier_statistique(kind: Kind, document: &Document) -> Result<(), LigneRefusee> {
    let refus = |raison: String| Err(LigneRefusee(raison));
    let code = texte(document, "code_certification")?;
    if code.len() > 11 || !code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
        return refus(format!("code_certification : « {code} » n'est ni un CFD, ni un MEFSTAT11, ni un code SISE"));
    }
    let millesime = texte(document, "millesime")?;
    if Millesime::parse(millesime).is_none() {
        return refus(format!("millesime : « {millesime} » n'est ni une année (2023) ni une période (2022_2023)"));
    }
    let filiere = texte(document, "filiere")?;
    if Filiere::parse(filiere).is_none() {
        let connues: Vec<&str> = Filiere::TOUTES.iter().map(|f| f.as_str()).collect();
        return refus(format!("filiere : « {filiere} » inconnue ; attendu : {}", connues.join(", ")));
    }
    if kind == Kind::Formation {
        let uai = texte(document, "uai")?;
        if Uai::parse(uai).is_none() {
            return refus(format!("uai : « {uai} » n'a pas la forme 7 chiffres et une majuscule"));
        }
    }
    if kind != Kind::Certification {
        match document.get("region").and_then(|r| r.get("code")).and_then(Value::as_str) {
            Some(code) if territoire::region(code).is_some() => {}
            Some(code) => return refus(format!("region.code : « {code} » n'est pas un code de région de l'INSEE")),
            None if kind == Kind::Regionale => return refus("region.code manque".into()),
            None => {}
        }
    }
    if let Some((champ, _)) = document.iter().find(|(_, valeur)| contient_un_indicateur(valeur)) {
        return refus(format!(
            "{champ} : un indicateur ne se met pas dans un sous-champ, où le seuil ne le verrait pas"
        ));
    }
    for (champ, valeur) in document.iter().filter(|(champ, _)| est_indicateur(champ)) {
        if !valeur.is_null() && !valeur.is_number() {
            // The value is not repeated: it may belong to a group under the threshold.
            return refus(format!("{champ} : un nombre ou null est attendu"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_is_wrong() {
        let base = r#""code_certification":"12345678","millesime":"2020","filiere":"pro""#;
        for (ligne, raison) in [
            ("pas du json".to_owned(), "la ligne n'est pas un objet JSON"),
            (r#"{"kind":"x","doc":{}}"#.into(), "kind « x » inconnu"),
            (r#"{"kind":"bcn","doc":[]}"#.into(), "doc n'est pas un objet JSON"),
            (r#"{"kind":"bcn","doc":{"type":"cfd"}}"#.into(), "code_certification manque"),
            (
                r#"{"kind":"certification","doc":{"code_certification":"é","millesime":"2020","filiere":"pro"}}"#
                    .into(),
                "code_certification : « é »",
            ),
            (
                r#"{"kind":"certification","doc":{"code_certification":"12345678","millesime":"20","filiere":"pro"}}"#
                    .into(),
                "millesime : « 20 »",
            ),
            (
                r#"{"kind":"certification","doc":{"code_certification":"12345678","millesime":"2020","filiere":"x"}}"#
                    .into(),
                "filiere : « x » inconnue",
            ),
            (
                format!(r#"{{"kind":"certification","doc":{{{base},"nb_sortant":"12"}}}}"#),
                "nb_sortant : un nombre ou null",
            ),
            (format!(r#"{{"kind":"regionale","doc":{{{base}}}}}"#), "region.code manque"),
            (
                format!(r#"{{"kind":"certification","doc":{{{base},"diplome":{{"details":[{{"nb_sortant":7}}]}}}}}}"#),
                "diplome : un indicateur",
            ),
            (r#"{"kind":"user","doc":{"username":"a"}}"#.into(), "password : la forme"),
            (
                r#"{"kind":"rncp","doc":{"code_certification":"12345678901","rncp":"RNCP1"}}"#.into(),
                "code_certification :",
            ),
            (r#"{"kind":"rncp","doc":{"code_certification":"12345678","rncp":"1"}}"#.into(), "rncp : RNCP suivi"),
            (format!(r#"{{"kind":"formation","doc":{{{base},"uai":"075"}}}}"#), "uai : « 075 »"),
            (
                format!(r#"{{"kind":"certification","doc":{{{base},"libelle":"{}"}}}}"#, "x".repeat(70_000)),
                "le document dépasse",
            ),
        ] {
            let refus = Controle::default().ligne(ligne.as_bytes()).unwrap_err();
            assert!(refus.0.starts_with(raison), "{} / {raison}", refus.0);
        }
    }

    #[test]
    fn a_row_of_the_catalogue_may_be_named_as_it_was_recorded() {
        for id in [r#""a1""#, r#"{"$oid":"a1"}"#] {
            let ligne = format!(r#"{{"kind":"catalogue","doc":{{"id":{id},"cfd":"40023204"}}}}"#);
            let valide = Controle::default().ligne(ligne.as_bytes()).unwrap();
            assert_eq!(valide.json, br#"{"id":"a1","cfd":"40023204"}"#);
        }
    }

    #[test]
    fn unknown_fields_are_kept_out_and_counted_unless_the_deployment_adds_them() {
        let ligne = br#"{"kind":"certification","doc":{"code_certification":"12345678","millesime":"2020","filiere":"pro","taux_mobilite":3,"autre":1,"_meta":{"x":1}}}"#;
        let indicateurs = ["taux_mobilite".to_owned()];
        let mut controle = Controle { indicateurs: &indicateurs, ..Controle::default() };
        let valide = controle.ligne(ligne).unwrap();
        let document: Document = serde_json::from_slice(&valide.json).unwrap();
        assert_eq!(document["taux_mobilite"], 3);
        assert!(!document.contains_key("autre") && !document.contains_key("_meta"));
        assert_eq!(controle.inconnus, BTreeMap::from([("autre".to_owned(), 1)]));
    }

    #[test]
    fn a_maille_is_declared_before_its_documents_which_are_told_their_place() {
        let mut controle = Controle::default();
        let statistique = |academie: &str| {
            format!(
                r#"{{"kind":"statistique","doc":{{"maille":"academies","code_certification":"12345678","millesime":"2020","filiere":"pro","academie":{academie},"uai":"0750001A","nb_sortant":30}}}}"#
            )
        };
        let lyon = statistique(r#"{"code":"10","nom":"Lyon"}"#);
        let refus = controle.ligne(lyon.as_bytes()).unwrap_err();
        assert!(refus.0.starts_with("maille : « academies » n'est pas déclarée"), "{}", refus.0);
        let declaration =
            br#"{"kind":"maille","doc":{"nom":"academies","libelle":"Acad\u00e9mies","cle":"academie.code"}}"#;
        controle.ligne(declaration).unwrap();
        controle.ligne(declaration).unwrap();
        let autre = br#"{"kind":"maille","doc":{"nom":"academies","libelle":"x","cle":"academie.code"}}"#;
        assert!(controle.ligne(autre).unwrap_err().0.contains("déjà déclarée autrement"));

        let valide = controle.ligne(lyon.as_bytes()).unwrap();
        let document: Document = serde_json::from_slice(&valide.json).unwrap();
        assert_eq!((document["maille"].as_str(), document["lieu"].as_str()), (Some("academies"), Some("10")));
        assert!(!document.contains_key("uai"), "an establishment is another maille");
        for academie in ["null", r#"{"code":"a.b"}"#, r#"{"code":"10","nb_sortant":7}"#] {
            let refus = controle.ligne(statistique(academie).as_bytes()).unwrap_err();
            assert!(refus.0.starts_with("academie") && !refus.0.contains('7'), "{}", refus.0);
        }
        for n in 1..MAILLES_MAX {
            let ligne = format!(r#"{{"kind":"maille","doc":{{"nom":"m{n}","libelle":"m","cle":"lieu"}}}}"#);
            controle.ligne(ligne.as_bytes()).unwrap();
        }
        let trop = br#"{"kind":"maille","doc":{"nom":"encore","libelle":"m","cle":"lieu"}}"#;
        assert!(controle.ligne(trop).unwrap_err().0.contains("au plus"));
    }
}
