//! One document: the version asked for, its final years, as JSON or as an image.

use crate::erreur::{self, Erreur};
use crate::parametres::{Chemin, Cible, ImageOnError, ParametresDocument};
use crate::reponse::{AGE, Garde, JSON, Reponse, SVG, accepte_gzip};
use crate::{Monde, Requete, filieres};
use domain::{CodeCertification, Maille, Millesime, TypeCode, Univers};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::cell::LazyCell;
use store::Lecteur;
use store::fiche::{Fiche, Forme, Version};
use store::kv::KeyValue;
use store::pointeur::Pointeur;
use widget::{Formation, Indicateurs, Source};

/// The instant of a request, looked up when the first closing date asks for it: a call of the runtime that most
/// documents do without.
pub type Maintenant<'a> = &'a dyn Fn() -> i64;

/// The age of [`AGE`], in seconds.
const MAX_AGE_S: i64 = 600;

/// The place of a lookup.
#[derive(Clone, Copy, Debug)]
pub struct Lieu<'a> {
    pub maille: Maille,
    /// Region, UAI, declared maille with its place, or nothing.
    pub place: &'a str,
}

/// Answers one document of a maille, or the filieres view of its codes, and keeps the answer under `cle_rendu`.
pub async fn repondre<M: Monde>(
    monde: &M,
    lecteur: &Lecteur<M::Kv>,
    requete: &Requete,
    chemin: Chemin<'_>,
    ext: Option<&str>,
    cle_rendu: &str,
) -> Result<Reponse, Erreur> {
    let (parametres, cible) = ParametresDocument::lire(requete.parametres(), ext, chemin)?;
    let lu = LazyCell::new(|| monde.maintenant_ms());
    let maintenant: Maintenant<'_> = &|| *lu;
    let trouve = if !Lieu::de(&cible).est_connu(lecteur.pointeur()) {
        Err(erreur::MAILLE_INCONNUE)
    } else if parametres.vue_filieres {
        filieres::repondre(lecteur, &parametres, &cible, maintenant()).await
    } else {
        un_document(lecteur, &parametres, &cible, maintenant).await
    };
    let reponse = match trouve {
        Err(erreur @ (Erreur::Introuvable(_) | Erreur::Millesime { .. })) if parametres.svg => {
            match parametres.image_on_error {
                ImageOnError::Non => return Err(erreur),
                ImageOnError::Oui => image(widget::missing(parametres.theme, parametres.direction), 60),
                ImageOnError::Vide => image(widget::empty().to_owned(), 60),
            }
        }
        autre => autre?,
    };
    let reponse = reponse.etiqueter(requete);
    if let Some(rendu) = reponse.rendu() {
        lecteur.garder_rendu(cle_rendu, &rendu);
    }
    Ok(reponse.conditionnelle(requete))
}

/// What an answer is kept under: everything it depends on, but for the generation and the day.
pub fn cle_rendu(requete: &Requete) -> String {
    let encodage = if accepte_gzip(requete) { "gzip " } else { "" };
    [encodage, &requete.chemin, "?", &requete.query].concat()
}

/// The answer that this instance keeps for the request, if it does and it still holds at this instant of the monotonic
/// clock.
pub fn deja_rendu<M: Monde>(monde: &M, requete: &Requete, cle: &str, monotone: u64) -> Option<Reponse> {
    let lire = |rendu: &[u8]| Reponse::de_rendu(rendu, requete, || monde.maintenant_ms());
    monde.cache().rendu(cle, monotone, lire)?
}

pub fn image(svg: String, max_age: i64) -> Reponse {
    image_sans_age(svg).avec("cache-control", format!("public, max-age={max_age}"))
}

/// An image whose age [`publique`] decides.
pub fn image_sans_age(svg: String) -> Reponse {
    Reponse::nouvelle(200, SVG, svg.into_bytes())
}

/// A public answer: kept until the next publication may be seen, or a course closes.
pub fn publique(
    reponse: Reponse,
    fermetures: impl IntoIterator<Item = Option<i64>>,
    maintenant: Maintenant<'_>,
) -> Reponse {
    let prochaine = fermetures.into_iter().flatten().filter(|f| *f >= maintenant()).min();
    let reste = prochaine.map(|f| (f - maintenant()).div_euclid(1000) + 1);
    let max_age = reste.unwrap_or(MAX_AGE_S).min(MAX_AGE_S);
    let age = if max_age == MAX_AGE_S { AGE.into() } else { Cow::from(format!("public, max-age={max_age}")) };
    let mut reponse = reponse.avec("cache-control", age);
    // As long as no closing shortens its age, the answer is the same at every instant.
    reponse.garde = match prochaine {
        None => Garde::Generation,
        Some(_) if max_age < MAX_AGE_S => Garde::Non,
        Some(fermeture) => Garde::Jusque(fermeture - MAX_AGE_S * 1000),
    };
    reponse
}

impl<'a> Lieu<'a> {
    pub fn de(cible: &'a Cible) -> Self {
        match (&cible.uai, &cible.lieu, cible.region) {
            (Some(uai), ..) => Self { maille: Maille::Etablissement, place: uai.as_str() },
            (None, Some(lieu), _) => Self { maille: Maille::Declaree, place: lieu },
            (None, None, Some(region)) => Self { maille: Maille::Regionale, place: region },
            (None, None, None) => Self { maille: Maille::Nationale, place: "" },
        }
    }

    /// The latest millesime of the maille: the default of its documents.
    pub fn en_vigueur<'p>(&self, pointeur: &'p Pointeur, univers: Univers) -> Option<&'p str> {
        match self.maille {
            Maille::Declaree => pointeur.millesimes.mailles.get(self.declaree()).map(String::as_str),
            maille => pointeur.millesimes.de(maille, univers),
        }
    }

    /// The name of a declared maille.
    fn declaree(&self) -> &'a str {
        self.place.split('/').next().unwrap_or_default()
    }

    /// Whether data is published on this maille: those of the contract are always known.
    fn est_connu(&self, pointeur: &Pointeur) -> bool {
        self.maille != Maille::Declaree || pointeur.millesimes.mailles.contains_key(self.declaree())
    }
}

async fn un_document<K: KeyValue>(
    lecteur: &Lecteur<K>,
    parametres: &ParametresDocument,
    cible: &Cible,
    maintenant: Maintenant<'_>,
) -> Result<Reponse, Erreur> {
    let lieu = Lieu::de(cible);
    let Some(code) = cible.codes.first() else { return Err(Erreur::Indisponible) };
    let millesime = match &parametres.millesime {
        Some(millesime) => Some(millesime.clone()),
        None => lieu.en_vigueur(lecteur.pointeur(), code.type_code().univers()).and_then(Millesime::parse),
    };
    let version = chercher(lecteur, lieu, code, millesime.as_ref(), parametres.millesime.is_some()).await?;
    let montree = match &version.terminales {
        // The final year's own document: the title and details are its own, and it goes no further.
        Some(t) if !t.annee_commune && t.codes.len() == 1 => {
            let finale = meme_nomenclature(code, t.codes.first().map_or("", String::as_str));
            chercher_finale(lecteur, lieu, &finale, &version).await?
        }
        _ => version,
    };
    if parametres.svg {
        return dessiner(&montree, parametres, maintenant);
    }
    let mut corps = Vec::new();
    let mut fermetures = vec![montree.fermeture];
    let est_finale =
        montree.terminales.as_ref().is_none_or(|t| t.codes.is_empty() || t.codes.len() == 1 && !t.annee_commune);
    let terminales = match &montree.terminales {
        Some(t) if !est_finale => {
            Some(imbriquer(lecteur, lieu, code, &montree, &t.codes, maintenant, &mut fermetures).await?)
        }
        _ => None,
    };
    montree.ecrire(&mut corps, maintenant, Forme::Seule, terminales.as_deref());
    Ok(publique(Reponse::nouvelle(200, JSON, corps), fermetures, maintenant))
}

/// Final years belong to the same nomenclature as the year that leads to them.
fn meme_nomenclature(modele: &CodeCertification, code: &str) -> CodeCertification {
    let prefixe = if modele.type_code() == TypeCode::Sise { "SISE:" } else { "" };
    CodeCertification::parse(&format!("{prefixe}{code}")).unwrap_or_else(|| modele.clone())
}

/// The version of a code in a place: that of the millesime asked for, or of the default.
/// Establishments publish a year under either spelling, and both are looked up.
async fn chercher<K: KeyValue>(
    lecteur: &Lecteur<K>,
    lieu: Lieu<'_>,
    code: &CodeCertification,
    millesime: Option<&Millesime>,
    demande: bool,
) -> Result<Version, Erreur> {
    let accepte = |ecrit: &str| match (millesime, lieu.maille) {
        (None, _) => false,
        (Some(m), Maille::Etablissement) => m.est_ecrit(ecrit),
        (Some(m), _) => m.as_str() == ecrit,
    };
    let fiche = match lecteur.version(lieu.maille, lieu.place, code.as_str(), accepte).await? {
        Ok(version) => return Ok(version),
        Err(fiche) => fiche,
    };
    let nomme = match (millesime, lieu.maille, demande) {
        (None, ..) => String::new(),
        // The default of an establishment is a year, found under either spelling.
        (Some(m), Maille::Etablissement, false) => m.annee().to_owned(),
        (Some(m), ..) => m.as_str().to_owned(),
    };
    Err(absence(lecteur, lieu, code, &fiche, nomme).await?)
}

/// Why there is no version: the code, the place or the millesime is not known.
async fn absence<K: KeyValue>(
    lecteur: &Lecteur<K>,
    lieu: Lieu<'_>,
    code: &CodeCertification,
    fiche: &Fiche,
    millesime: String,
) -> Result<Erreur, Erreur> {
    if !fiche.versions.is_empty() {
        let disponibles = fiche.millesimes().into_iter().map(str::to_owned).collect();
        return Ok(Erreur::Millesime { millesime, disponibles });
    }
    let connu = |kind: &'static str| lecteur.nomenclature(kind, code.as_str());
    Ok(match lieu.maille {
        Maille::Nationale => erreur::CERTIFICATION_INCONNUE,
        Maille::Regionale | Maille::Declaree => {
            if connu("bcn").await?.is_none() {
                erreur::FORMATION_INCONNUE
            } else {
                erreur::PAS_DE_DONNEES
            }
        }
        Maille::Etablissement => {
            let kind = if code.type_code() == TypeCode::Sise { "bcn_sise" } else { "bcn" };
            if connu(kind).await?.is_none() {
                erreur::FORMATION_INCONNUE
            } else if lecteur.nomenclature("etablissement", lieu.place).await?.is_none() {
                erreur::ETABLISSEMENT_INCONNU
            } else {
                erreur::FORMATION_INCONNUE
            }
        }
    })
}

/// A final year: the same place and the millesime of the document that leads to it.
async fn chercher_finale<K: KeyValue>(
    lecteur: &Lecteur<K>,
    lieu: Lieu<'_>,
    code: &CodeCertification,
    depuis: &Version,
) -> Result<Version, Erreur> {
    chercher(lecteur, lieu, code, Millesime::parse(depuis.millesime()).as_ref(), true).await
}

/// The final years inside a document, sorted by label: each one's own document, without title and
/// details, or why it cannot be had.
///
/// They are looked up at request time, one get each: a famille de metiers has some ten, and the
/// import stays free of a join over all documents.
async fn imbriquer<K: KeyValue>(
    lecteur: &Lecteur<K>,
    lieu: Lieu<'_>,
    modele: &CodeCertification,
    depuis: &Version,
    codes: &[String],
    maintenant: Maintenant<'_>,
    fermetures: &mut Vec<Option<i64>>,
) -> Result<Vec<u8>, Erreur> {
    let mut finales: Vec<(Option<String>, Vec<u8>)> = Vec::new();
    for code in codes {
        let finale = meme_nomenclature(modele, code);
        finales.push(match chercher_finale(lecteur, lieu, &finale, depuis).await {
            Ok(version) => {
                let mut corps = Vec::new();
                version.ecrire(&mut corps, maintenant, Forme::Rangee, None);
                fermetures.push(version.fermeture);
                (Some(version.libelle().to_owned()), corps)
            }
            Err(erreur) => {
                let connu = lieu.maille == Maille::Etablissement && erreur == erreur::FORMATION_INCONNUE;
                let nom = if connu && lecteur.nomenclature("bcn", code).await?.is_some() {
                    "ErrorFormationNotFound"
                } else {
                    erreur.nom().ok_or(Erreur::Indisponible)?
                };
                let annees: Vec<Value> = annees(depuis.millesime());
                (None, json!({"error": nom, "millesimes": annees, "code_certification": code}).to_string().into_bytes())
            }
        });
    }
    // Those that cannot be had come last, in their order.
    finales.sort_by(|(a, _), (b, _)| (a.is_none(), a).cmp(&(b.is_none(), b)));
    let corps: Vec<Vec<u8>> = finales.into_iter().map(|(_, corps)| corps).collect();
    Ok([b"[".as_slice(), &corps.join(&b','), b"]"].concat())
}

/// The millesimes that a final year was looked up under.
fn annees(millesime: &str) -> Vec<Value> {
    Millesime::parse(millesime).map_or_else(Vec::new, |m| m.annees().map(Into::into).collect())
}

fn dessiner(version: &Version, parametres: &ParametresDocument, maintenant: Maintenant<'_>) -> Result<Reponse, Erreur> {
    let mut json = Vec::new();
    version.ecrire(&mut json, maintenant, Forme::Seule, None);
    let document: Value = serde_json::from_slice(&json).map_err(|_| Erreur::Indisponible)?;
    let meta = |champ: &str| document.get("_meta").and_then(|m| m.get(champ));
    let texte = |valeur: Option<&Value>| valeur.and_then(Value::as_str).unwrap_or_default().to_owned();
    let (titre, details, libelle) = (texte(meta("titre")), texte(meta("details")), texte(document.get("libelle")));
    let messages: Vec<&str> =
        meta("messages").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let formation = Formation {
        titre: &titre,
        details: &details,
        libelle: Some(libelle.as_str()).filter(|l| !l.is_empty()),
        millesime: version.millesime(),
        source: match version.univers() {
            domain::Univers::Secondaire => Source::InserJeunes,
            domain::Univers::Superieur => Source::InserSup,
        },
        messages: &messages,
        indicateurs: indicateurs(&document),
    };
    let svg =
        widget::render(&formation, parametres.theme, parametres.direction).ok_or(erreur::DONNEES_NON_DISPONIBLES)?;
    Ok(publique(image_sans_age(svg), [version.fermeture], maintenant))
}

/// The three indicators of an image.
pub fn indicateurs(document: &Value) -> Indicateurs {
    let taux = |champ: &str| document.get(champ).and_then(Value::as_f64);
    Indicateurs {
        taux_en_emploi_6_mois: taux("taux_en_emploi_6_mois"),
        taux_en_formation: taux("taux_en_formation"),
        taux_autres_6_mois: taux("taux_autres_6_mois"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_age_is_written_once_and_counted_once() {
        assert_eq!(AGE, format!("public, max-age={MAX_AGE_S}"));
    }
}
