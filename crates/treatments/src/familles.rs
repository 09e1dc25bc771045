//! Treatment 4: familles de metiers.
//!
//! Rule (contract, "Treatments" 4): N_GROUPE_FORMATION names the familles, N_LIEN_FORMATION_GROUPE
//! links CFDs to them. A link holds for the whole line of its CFD, and for the MEFs of every CFD
//! of it. `isAnneeCommune` is the linked CFD's: it has MEFs, and all of them are first years.
//! Why: the first year of a professional baccalaureate is shared by a famille, and its pupils ask
//! about all the specialities it leads to.

use crate::lignee::ligne;
use crate::nomenclature::{Famille, Nomenclature};
use crate::rejet::Rejet;
use crate::texte::champ;
use domain::Document;
use std::collections::{BTreeSet, HashMap};

/// The two tables of the familles.
#[derive(Clone, Debug, Default)]
pub struct Familles {
    libelles: HashMap<String, String>,
    liens: HashMap<String, String>,
}

impl Familles {
    /// Takes a row of N_GROUPE_FORMATION.
    ///
    /// # Errors
    /// [`Rejet::ChampManquant`].
    pub fn ajouter_groupe(&mut self, ligne: &Document) -> Result<(), Rejet> {
        let code = champ(ligne, "groupe_formation").ok_or(Rejet::ChampManquant { champ: "groupe_formation" })?;
        let libelle = champ(ligne, "libelle_edition").unwrap_or_default();
        self.libelles.insert(code.to_owned(), libelle.to_owned());
        Ok(())
    }

    /// Takes a row of N_LIEN_FORMATION_GROUPE. Of two links of one CFD the first holds.
    ///
    /// # Errors
    /// [`Rejet::ChampManquant`].
    pub fn ajouter_lien(&mut self, ligne: &Document) -> Result<(), Rejet> {
        let exiger = |nom: &'static str| champ(ligne, nom).ok_or(Rejet::ChampManquant { champ: nom });
        let (cfd, groupe) = (exiger("formation_diplome")?, exiger("groupe_formation")?);
        self.liens.entry(cfd.to_owned()).or_insert_with(|| groupe.to_owned());
        Ok(())
    }

    /// The famille of a linked CFD. `None` where the link names an unknown group.
    fn de_cfd(&self, nomenclature: &Nomenclature, cfd: &str) -> Option<Famille> {
        let code = self.liens.get(cfd)?;
        let libelle = self.libelles.get(code)?.clone();
        Some(Famille { code: code.clone(), libelle, annee_commune: est_annee_commune(nomenclature, cfd) })
    }
}

/// Whether a CFD has MEFs and all of them are first years.
fn est_annee_commune(nomenclature: &Nomenclature, cfd: &str) -> bool {
    let mut annees = nomenclature.annees(cfd).map(|(_, annee)| annee == Some("1")).peekable();
    annees.peek().is_some() && annees.all(|premiere| premiere)
}

/// Gives certifications their famille: by their own CFD's link, else by the nearest of its line,
/// else by the line of the MEF itself. Returns the codes that changed.
pub fn familles(nomenclature: &mut Nomenclature, familles: &Familles) -> BTreeSet<String> {
    let mut par_cfd: HashMap<String, Option<Famille>> = HashMap::new();
    let mut trouvees: Vec<(String, Famille)> = Vec::new();
    for certification in nomenclature.certifications() {
        let cfd = certification.cfd.as_str();
        let famille = par_cfd
            .entry(cfd.to_owned())
            .or_insert_with(|| ligne(nomenclature, cfd).iter().find_map(|c| familles.de_cfd(nomenclature, c)));
        let famille = famille.clone().or_else(|| {
            let ligne = ligne(nomenclature, &certification.code);
            let mut cfds = ligne.iter().filter_map(|c| nomenclature.certification(c)).map(|c| &c.cfd);
            cfds.find_map(|c| familles.de_cfd(nomenclature, c))
        });
        if let Some(famille) = famille.filter(|f| certification.famille.as_ref() != Some(f)) {
            trouvees.push((certification.code.clone(), famille));
        }
    }
    let mut changes = BTreeSet::new();
    for (code, famille) in trouvees {
        if let Some(certification) = nomenclature.certification_mut(&code) {
            certification.famille = Some(famille);
            changes.insert(code);
        }
    }
    changes
}
