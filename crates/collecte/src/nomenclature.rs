//! Treatments 1 to 4, the establishments and the catalogue: raw tables to documents.

use crate::demande::Lot;
use crate::reserve::{LotReserve, Reponses, Reserve};
use crate::travail::{Etape, Faute, Marche, Suite};
use domain::code::est_rncp;
use domain::{Document, Kind};
use sources::{BcnTable, Call, Clock, Fetch, Service, SourceError};
use std::collections::BTreeSet;
use store::KeyValueWrite;
use store::publication::depot::PARTS_MAX;
use store::publication::{Depot, Environnement, Position};
use treatments::nomenclature::{Nature, Niveaux, TypesSise, bcn_mef, bcn_sise, cfd, lignes_but, mef};
use treatments::{Nomenclature, Rejet, Traitement, catalogue, etablissements, familles, libelles, lignee};

/// Documents of a part: what is held at once.
const PAR_PARTIE: usize = 4_000;
/// Answers of the catalogue that are treated together: some 10,000 rows.
const REPONSES: usize = 100;

pub(crate) fn illisible(erreur: &SourceError) -> Faute {
    Faute::Echec(format!("la réponse gardée ne peut plus être lue ; collecter à nouveau ({erreur})"))
}

/// What treatments 1 to 4 make of the tables.
#[derive(Default)]
struct Tables {
    niveaux: Niveaux,
    types: TypesSise,
    familles: familles::Familles,
    /// Rows of N_FORMATION_DIPLOME, for the lineage.
    lignees: Vec<Document>,
    nomenclature: Nomenclature,
    /// Documents as text: parsed, tens of thousands of them are most of an instance's memory.
    mefs: Vec<Vec<u8>>,
    sises: Vec<Vec<u8>>,
}

fn texte(document: &Document) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

impl Tables {
    fn ajouter(&mut self, table: BcnTable, ligne: Document) -> Result<(), Rejet> {
        match table {
            BcnTable::NNiveauFormationDiplome => self.niveaux.ajouter(&ligne)?,
            BcnTable::VFormationDiplome | BcnTable::NFormationDiplomeEnquete51 => {
                self.nomenclature.ajouter(cfd(&ligne, &self.niveaux)?);
            }
            BcnTable::NFormationDiplome => {
                self.nomenclature.ajouter(cfd(&ligne, &self.niveaux)?);
                self.lignees.push(ligne);
            }
            BcnTable::NMef => {
                self.nomenclature.ajouter_ligne_mef(&ligne);
                self.nomenclature.ajouter(mef(&ligne, &self.niveaux)?);
                self.mefs.push(texte(&bcn_mef(&ligne)?));
            }
            BcnTable::NTypeDiplomeSise => self.types.ajouter(&ligne)?,
            BcnTable::NDiplomeSise => self.sises.push(texte(&bcn_sise(&ligne, &self.types)?)),
            BcnTable::NGroupeFormation => self.familles.ajouter_groupe(&ligne)?,
            BcnTable::NLienFormationGroupe => self.familles.ajouter_lien(&ligne)?,
        }
        Ok(())
    }
}

/// The entry of the national directory that a row of the catalogue names: the search finds its CFD by it.
fn lien_rncp(ligne: &Document) -> Option<(String, String)> {
    let texte = |nom: &str| ligne.get(nom).and_then(|v| v.as_str()).map(str::trim);
    let (cfd, code) = (texte("cfd")?, texte("rncp_code")?);
    (cfd.len() == 8 && est_rncp(code)).then(|| (cfd.to_owned(), code.to_owned()))
}

fn document_rncp(cfd: String, code: String) -> Document {
    [("code_certification", cfd), ("rncp", code)].into_iter().map(|(nom, v)| (nom.to_owned(), v.into())).collect()
}

impl<K: KeyValueWrite, E: Environnement, F: Fetch, C: Clock> Marche<'_, K, E, F, C> {
    /// The answers of a lot that the run needs; the calls have seen to it that they are there.
    pub(crate) async fn lot_reserve(&self, lot: &Lot) -> Result<LotReserve, Faute> {
        let reserve = Reserve::lire(self.kv).await?;
        let garde = reserve.lot(lot).ok_or_else(|| Faute::Echec(format!("rien n'est gardé pour {lot}")))?;
        Ok(garde.entier(self.kv).await?)
    }

    /// Hands documents over, as the next part.
    pub(crate) async fn poser_partie(
        &mut self,
        documents: impl IntoIterator<Item = (Kind, Document)>,
    ) -> Result<(), Faute> {
        let partie = self.etat.totaux.parties;
        if partie >= PARTS_MAX {
            return Err(Faute::Echec(format!("plus de {PARTS_MAX} parties de documents")));
        }
        let depot = Depot::new(self.kv, &self.collecte.id, self.env.lot());
        let info = depot.deposer_documents(partie, documents, self.indicateurs).await?;
        self.etat.rapport.ecritures += info.morceaux as u64 + 2;
        Ok(self.etat.totaux.ajouter(&info)?)
    }

    /// Hands documents over, and keeps what later steps look up of them.
    async fn remettre_et_garder(
        &mut self,
        kind: Kind,
        documents: impl IntoIterator<Item = Document>,
    ) -> Result<(), Faute> {
        let mut documents = documents.into_iter().peekable();
        while documents.peek().is_some() {
            let partie: Vec<Document> = documents.by_ref().take(PAR_PARTIE).collect();
            for document in &partie {
                self.garder(kind, document).await?;
            }
            self.poser_partie(partie.into_iter().map(|d| (kind, d))).await?;
        }
        Ok(())
    }

    /// Treatments 1 to 4, in one piece: the whole nomenclature is some 30 MiB.
    pub(crate) async fn nomenclature(&mut self) -> Result<Suite, Faute> {
        if !self.traite(Service::Bcn) {
            return Ok(Suite::Etape(Etape::Etablissements));
        }
        let lot = self.lot_reserve(&Lot::Bcn).await?;
        let mut tables = Tables::default();
        let mut rapport = treatments::Rapport::default();
        let mut reponses = Reponses::de(self.kv, &lot, Position::default());
        while let Some((appel, _)) = reponses.suivante().await? {
            let Call::Bcn { table } = appel else { continue };
            let lues = reponses.lignes(&appel, |ligne| {
                rapport.lignes += 1;
                if let Err(rejet) = tables.ajouter(table, ligne) {
                    rapport.rejeter(&rejet);
                }
            });
            lues.await?.map_err(|e| illisible(&e))?;
        }
        for ligne in lignes_but() {
            if let Err(rejet) = tables.ajouter(BcnTable::NDiplomeSise, ligne) {
                rapport.rejeter(&rejet);
            }
        }
        let Tables { lignees, mut nomenclature, mefs, sises, familles: liens, .. } = tables;
        let interrupteurs = self.configuration().reglages.bcn.clone();
        if interrupteurs.actif(Traitement::Lignee) {
            lignee::lignee_cfd(&mut nomenclature, &lignees);
            lignee::lignee_mef(&mut nomenclature);
        }
        drop(lignees);
        if interrupteurs.actif(Traitement::Libelles) {
            libelles::libelles(&mut nomenclature);
        }
        if interrupteurs.actif(Traitement::Familles) {
            familles::familles(&mut nomenclature, &liens);
        }
        *self.etat.rapport.traitement(Service::Bcn) = rapport;
        self.compter_nomenclature(&nomenclature, mefs.len(), sises.len());
        let certifications = nomenclature.certifications().map(treatments::Certification::document);
        self.remettre_et_garder(Kind::Bcn, certifications).await?;
        drop(nomenclature);
        for (kind, textes) in [(Kind::BcnMef, mefs), (Kind::BcnSise, sises)] {
            let documents = textes.iter().filter_map(|t| serde_json::from_slice(t).ok());
            self.remettre_et_garder(kind, documents).await?;
        }
        Ok(Suite::Etape(Etape::Etablissements))
    }

    fn compter_nomenclature(&mut self, nomenclature: &Nomenclature, mefs: usize, sises: usize) {
        let de = |nature| nomenclature.certifications().filter(|c| c.nature == nature).count();
        let cfds = || nomenclature.certifications().filter(|c| c.nature == Nature::Cfd);
        let rapport = &mut self.etat.rapport;
        rapport.compter("cfd", de(Nature::Cfd));
        rapport.compter("mef", de(Nature::Mef));
        rapport.compter("lignes_mef", mefs);
        rapport.compter("sise", sises);
        rapport.compter("cfd_avec_anciens", cfds().filter(|c| !c.anciens.is_empty()).count());
        rapport.compter("cfd_avec_nouveaux", cfds().filter(|c| !c.nouveaux.is_empty()).count());
        rapport.compter("cfd_de_familles", cfds().filter(|c| c.famille.is_some()).count());
        let anciens = nomenclature.certifications().filter(|c| c.libelle_long_ancien.is_some()).count();
        rapport.compter("libelles_anciens", anciens);
    }

    /// The ACCE file, in one piece.
    pub(crate) async fn etablissements(&mut self) -> Result<Suite, Faute> {
        if !self.traite(Service::Acce) {
            return Ok(Suite::Etape(Etape::Catalogue));
        }
        let lot = self.lot_reserve(&Lot::Acce).await?;
        let mut rapport = treatments::Rapport::default();
        let mut documents = Vec::new();
        let mut reponses = Reponses::de(self.kv, &lot, Position::default());
        let mut lignes = Vec::new();
        while let Some((appel, _)) = reponses.suivante().await? {
            let mut lecteur = Some(sources::Reader::new(&appel));
            while reponses.tranche_de_lignes(&mut lecteur, &mut lignes).await?.map_err(|e| illisible(&e))? {
                for ligne in lignes.drain(..) {
                    rapport.lignes += 1;
                    match etablissements::etablissement(&ligne) {
                        Ok(document) => documents.push(document),
                        Err(rejet) => rapport.rejeter(&rejet),
                    }
                }
                if documents.len() >= PAR_PARTIE {
                    self.remettre_et_garder(Kind::Etablissement, std::mem::take(&mut documents)).await?;
                }
            }
        }
        self.etat.rapport.compter("etablissements", usize::try_from(rapport.lignes).unwrap_or(usize::MAX));
        self.remettre_et_garder(Kind::Etablissement, documents).await?;
        self.etat.rapport.traitement(Service::Acce).ajouter(&rapport);
        Ok(Suite::Etape(Etape::Catalogue))
    }

    /// The catalogue, some pages at a time.
    pub(crate) async fn catalogue(&mut self) -> Result<Suite, Faute> {
        if !self.traite(Service::Catalogue) {
            return Ok(Suite::Etape(Etape::Statistiques));
        }
        let lot = self.lot_reserve(&Lot::Catalogue).await?;
        let mut rapport = treatments::Rapport::default();
        let (mut documents, mut rncp) = (Vec::new(), BTreeSet::new());
        let mut reponses = Reponses::de(self.kv, &lot, self.etat.position);
        let mut fini = false;
        for _ in 0..REPONSES {
            let Some((appel, _)) = reponses.suivante().await? else {
                fini = true;
                break;
            };
            let lues = reponses.lignes(&appel, |ligne| {
                rapport.lignes += 1;
                rncp.extend(lien_rncp(&ligne));
                match catalogue::catalogue(&ligne) {
                    Ok(document) => documents.push(document),
                    Err(rejet) => rapport.rejeter(&rejet),
                }
            });
            lues.await?.map_err(|e| illisible(&e))?;
            self.etat.lues += 1;
        }
        let (position, lues) = (reponses.position(), self.etat.lues);
        self.avancement(lues, lot.morceaux().max(lues), &Lot::Catalogue.to_string());
        self.remettre_et_garder(Kind::Catalogue, documents).await?;
        if !rncp.is_empty() {
            self.poser_partie(rncp.into_iter().map(|(cfd, code)| (Kind::Rncp, document_rncp(cfd, code)))).await?;
        }
        self.etat.rapport.traitement(Service::Catalogue).ajouter(&rapport);
        self.etat.position = position;
        Ok(if fini { Suite::Etape(Etape::Statistiques) } else { Suite::Encore })
    }
}
