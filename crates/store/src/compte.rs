//! The counts that the filieres view sums.
//!
//! They are the only values below the publication threshold that a generation holds, because
//! sums over several certifications may pass it. They lie in a family of their own, and
//! [`vue`] is the one function that reads them: what it returns went through the threshold.

use crate::codec::{Reader, Writer};
use domain::indicateur::{DELAIS, EFFECTIFS, NB_ANNEE_TERM};
use domain::taux::{nombre, taux, taux_autres};
use domain::{Document, DocumentPublie, Filiere};
use serde_json::{Value, json};

/// One statistic of a CFD, for the filieres view.
#[derive(Clone, Debug, PartialEq)]
pub struct Compte {
    filiere: String,
    millesime: String,
    code_certification: String,
    libelle: String,
    libelle_ancien: String,
    /// `diplome` and `date_fermeture` as JSON, empty where absent.
    diplome: String,
    date_fermeture: String,
    /// In the order of [`EFFECTIFS`]; `None`: missing or null.
    effectifs: [Option<f64>; 7],
}

impl Compte {
    /// What the view needs of a document as pushed. `None` for filieres it never shows.
    #[must_use]
    pub fn nouveau(document: &Document) -> Option<Self> {
        let texte = |champ: &str| document.get(champ).and_then(Value::as_str).unwrap_or_default().to_owned();
        let brut = |champ: &str| document.get(champ).filter(|v| !v.is_null()).map(Value::to_string).unwrap_or_default();
        let filiere = texte("filiere");
        matches!(Filiere::parse(&filiere), Some(Filiere::Pro | Filiere::Apprentissage)).then(|| Self {
            filiere,
            millesime: texte("millesime"),
            code_certification: texte("code_certification"),
            libelle: texte("libelle"),
            libelle_ancien: texte("libelle_ancien"),
            diplome: brut("diplome"),
            date_fermeture: document
                .get("date_fermeture")
                .and_then(domain::date::lire_valeur)
                .map(domain::date::ecrire_iso)
                .unwrap_or_default(),
            effectifs: EFFECTIFS.map(|champ| document.get(champ).and_then(Value::as_f64)),
        })
    }

    /// Appends the stored form.
    pub fn coder(&self, writer: &mut Writer) {
        for texte in [
            &self.filiere,
            &self.millesime,
            &self.code_certification,
            &self.libelle,
            &self.libelle_ancien,
            &self.diplome,
            &self.date_fermeture,
        ] {
            writer.text(texte);
        }
        for effectif in self.effectifs {
            // Bits plus one, so that "missing" has a form of its own.
            writer.number(effectif.map_or(0, |e| e.to_bits().swap_bytes().wrapping_add(1)));
        }
    }

    fn decoder(reader: &mut Reader<'_>) -> Option<Self> {
        let mut texte = || reader.text().map(str::to_owned);
        let (filiere, millesime, code_certification, libelle) = (texte()?, texte()?, texte()?, texte()?);
        let (libelle_ancien, diplome, date_fermeture) = (texte()?, texte()?, texte()?);
        let mut effectifs = [None; 7];
        for effectif in &mut effectifs {
            *effectif = match reader.number()? {
                0 => None,
                n => Some(f64::from_bits(n.wrapping_sub(1).swap_bytes())),
            };
        }
        Some(Self {
            filiere,
            millesime,
            code_certification,
            libelle,
            libelle_ancien,
            diplome,
            date_fermeture,
            effectifs,
        })
    }
}

/// The aggregated documents of a filieres view: `pro`, then `apprentissage`, where they have data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VueFilieres(pub Vec<(Filiere, DocumentPublie)>);

/// Reads the counts of CFDs and sums them by filiere, for a millesime.
///
/// Rule (contract, "The filieres view"): statistics of these CFDs for the millesimes asked for,
/// by filiere, the latest millesime kept; counts are summed, rates computed again from the sums,
/// then the publication threshold applies to the sum. `formation_fermee` is absent where the
/// view covers more than one CFD; `region` is that of the regional maille.
///
/// `entrees` are the stored entries of each CFD. `None` where one cannot be read.
#[must_use]
pub fn vue(
    entrees: &[(String, Vec<u8>)],
    accepte: impl Fn(&str) -> bool,
    region: Option<&Value>,
    maintenant: i64,
) -> Option<VueFilieres> {
    let mut comptes: Vec<(&str, Compte)> = Vec::new();
    for (cfd, bytes) in entrees {
        let mut reader = Reader(bytes);
        while !reader.0.is_empty() {
            comptes.push((cfd, Compte::decoder(&mut reader)?));
        }
    }
    comptes.retain(|(_, c)| accepte(&c.millesime));
    let plusieurs_cfd = entrees.len() > 1;
    let filieres = [Filiere::Pro, Filiere::Apprentissage].into_iter().filter_map(|filiere| {
        let de_filiere = comptes.iter().filter(|(_, c)| c.filiere == filiere.as_str());
        let millesime = de_filiere.clone().map(|(_, c)| c.millesime.as_str()).max()?;
        let retenus: Vec<&(&str, Compte)> = de_filiere.filter(|(_, c)| c.millesime == millesime).collect();
        Some((filiere, agreger(filiere, millesime, &retenus, plusieurs_cfd, region, maintenant)))
    });
    Some(VueFilieres(filieres.collect()))
}

fn agreger(
    filiere: Filiere,
    millesime: &str,
    comptes: &[&(&str, Compte)],
    plusieurs_cfd: bool,
    region: Option<&Value>,
    maintenant: i64,
) -> DocumentPublie {
    let mut cfds: Vec<&str> = comptes.iter().map(|(cfd, _)| *cfd).collect();
    cfds.sort_unstable();
    cfds.dedup();
    let mut codes: Vec<&str> = comptes.iter().map(|(_, c)| c.code_certification.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    let mut document = Document::new();
    if let Some(region) = region {
        document.insert("region".into(), region.clone());
    }
    document.insert("codes_certifications".into(), codes.into());
    document.insert("codes_formation_diplome".into(), json!(cfds));
    if let (false, [cfd], [(_, premier), ..]) = (plusieurs_cfd, cfds.as_slice(), comptes) {
        document.insert("code_formation_diplome".into(), json!(cfd));
        document.insert("libelle".into(), premier.libelle.clone().into());
        if !premier.libelle_ancien.is_empty() {
            document.insert("libelle_ancien".into(), premier.libelle_ancien.clone().into());
        }
    }
    document.insert("filiere".into(), filiere.as_str().into());
    document.insert("millesime".into(), millesime.into());
    if let Some(diplome) = commun(comptes, |c| &c.diplome) {
        document.insert("diplome".into(), serde_json::from_str(diplome).unwrap_or(Value::Null));
    }

    let sommes: [Option<f64>; 7] = std::array::from_fn(|rang| {
        comptes.iter().filter_map(|(_, c)| c.effectifs.get(rang).copied().flatten()).reduce(|a, b| a + b)
    });
    let somme =
        |champ: &str| EFFECTIFS.iter().position(|e| *e == champ).and_then(|rang| sommes.get(rang).copied().flatten());
    for champ in EFFECTIFS {
        document.insert(champ.into(), somme(champ).map_or(Value::Null, nombre));
    }
    let total = somme(NB_ANNEE_TERM).filter(|t| *t != 0.0);
    let poursuite = somme("nb_poursuite_etudes");
    let part = |effectif: Option<f64>| total.map(|total| effectif.and_then(|e| taux(e, total)));
    let poser = |document: &mut Document, champ: String, valeur: Option<Option<f64>>| {
        if let Some(valeur) = valeur {
            document.insert(champ, valeur.map_or(Value::Null, nombre));
        }
    };
    for delai in DELAIS {
        let emploi = somme(&format!("nb_en_emploi_{delai}_mois"));
        poser(&mut document, format!("taux_en_emploi_{delai}_mois"), part(emploi));
        let vide = |effectif: Option<f64>| effectif.is_none_or(|e| e == 0.0);
        let autres = if vide(emploi) && vide(poursuite) {
            Some(None)
        } else {
            total.map(|t| {
                let rate = |effectif: Option<f64>| effectif.and_then(|e| taux(e, t)).unwrap_or(0.0);
                Some(taux_autres(rate(emploi), rate(poursuite)))
            })
        };
        poser(&mut document, format!("taux_autres_{delai}_mois"), autres);
    }
    poser(&mut document, "taux_en_formation".into(), part(poursuite));

    let mut publie = DocumentPublie::nouveau(document);
    let fermeture = commun(comptes, |c| &c.date_fermeture);
    if let Some(fermeture) = fermeture {
        publie.poser("date_fermeture", fermeture.into());
    }
    if !plusieurs_cfd {
        let fermee = fermeture.and_then(domain::date::lire_iso).is_some_and(|f| f < maintenant);
        publie.poser("formation_fermee", fermee.into());
    }
    if publie.est_sous_seuil() {
        publie.poser("_meta", json!({"messages": [domain::seuil::MESSAGE_SEUIL]}));
    }
    publie
}

/// The value that no two statistics disagree on; those without one do not count.
fn commun<'a>(comptes: &[&'a (&str, Compte)], champ: impl Fn(&'a Compte) -> &'a String) -> Option<&'a str> {
    let mut valeurs = comptes.iter().map(|c| champ(&c.1).as_str()).filter(|v| !v.is_empty());
    let premiere = valeurs.next()?;
    valeurs.all(|v| v == premiere).then_some(premiere)
}
