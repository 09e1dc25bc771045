//! What the treatments look up, built again by each call that needs it.
//!
//! It comes from the answers of this run or of an earlier one; where a service has no address,
//! from what was pushed and is served now.

use crate::demande::Lot;
use crate::reserve::{Reponses, Reserve};
use crate::travail::{Faute, Marche};
use domain::{Document, Kind};
use sources::{Clock, Fetch, Service};
use store::KeyValueWrite;
use store::kv::StoreError;
use store::publication::{Environnement, Position, parcourir_servies};
use treatments::etablissements::etablissement;
use treatments::{Acce, Contexte, Groupes};

/// What is built so far in this call.
#[derive(Default)]
pub(crate) struct Contextes {
    pub contexte: Contexte,
    pub acce: Acce,
    pub groupes: Groupes,
    pret: bool,
}

/// The fields of documents that the treatments look up; of the other kinds all.
fn champs(kind: Kind) -> Option<&'static [&'static str]> {
    Some(match kind {
        Kind::BcnMef => &["mef_stat_11", "formation_diplome", "annee_dispositif"],
        Kind::BcnSise => &["diplome_sise", "libelle_intitule_1", "diplome", "date_fermeture"],
        Kind::Etablissement => {
            &["numero_uai", "appellation_officielle", "departement_insee_3", "academie", "nature_uai", "pays_libe"]
        }
        Kind::Catalogue => &["cfd", "uai_formation", "etablissement_formateur_uai", "etablissement_gestionnaire_uai"],
        _ => return None,
    })
}

/// The kinds that the treatments look up, by the service that brings them.
const RECHERCHES: [(Service, &[Kind]); 3] = [
    (Service::Bcn, &[Kind::Bcn, Kind::BcnMef, Kind::BcnSise]),
    (Service::Acce, &[Kind::Etablissement]),
    (Service::Catalogue, &[Kind::Catalogue]),
];

/// The establishments, before the treatments have made them documents.
pub(crate) async fn acce_brute<K: KeyValueWrite, E: Environnement, F: Fetch, C: Clock>(
    marche: &Marche<'_, K, E, F, C>,
) -> Result<Acce, Faute> {
    let mut acce = Acce::default();
    let reserve = Reserve::lire(marche.kv).await?;
    match reserve.lot(&Lot::Acce).filter(|_| marche.configuration().a(Service::Acce)) {
        Some(lot) => {
            let lot = lot.entier(marche.kv).await?;
            let mut reponses = Reponses::de(marche.kv, &lot, Position::default());
            while let Some((appel, _)) = reponses.suivante().await? {
                let lues = reponses.lignes(&appel, |ligne| {
                    if let Ok(document) = etablissement(&ligne) {
                        acce.ajouter(&document);
                    }
                });
                lues.await?.map_err(|e| Faute::Echec(e.to_string()))?;
            }
        }
        None => parcourir(marche.kv, &[Kind::Etablissement], |_, d| acce.ajouter(&d)).await?,
    }
    Ok(acce)
}

/// The served documents of some kinds.
async fn parcourir<K: KeyValueWrite>(
    kv: &K,
    kinds: &[Kind],
    mut chaque: impl FnMut(Kind, Document),
) -> Result<(), StoreError> {
    parcourir_servies(kv, kinds, |kind, json| {
        if let Ok(document) = serde_json::from_slice(json) {
            chaque(kind, document);
        }
    })
    .await
}

impl Contextes {
    fn ajouter(&mut self, kind: Kind, document: &Document) {
        let nomenclature = &mut self.contexte.nomenclature;
        match kind {
            Kind::Bcn => {
                if let Some(certification) = treatments::Certification::lire(document) {
                    nomenclature.ajouter(certification);
                }
            }
            Kind::BcnMef => nomenclature.ajouter_ligne_mef(document),
            Kind::BcnSise => nomenclature.ajouter_sise(document),
            Kind::Etablissement => self.acce.ajouter(document),
            Kind::Catalogue => self.contexte.catalogue.ajouter(document),
            _ => {}
        }
    }
}

impl<K: KeyValueWrite, E: Environnement, F: Fetch, C: Clock> Marche<'_, K, E, F, C> {
    /// Keeps what later steps look up of a document.
    pub(crate) async fn garder(&mut self, kind: Kind, document: &Document) -> Result<(), StoreError> {
        let mut record = vec![kind.rang()];
        let json = match champs(kind) {
            None => serde_json::to_vec(document),
            Some(noms) => {
                let choix: serde_json::Map<_, _> =
                    noms.iter().filter_map(|n| Some(((*n).to_owned(), document.get(*n)?.clone()))).collect();
                serde_json::to_vec(&choix)
            }
        };
        record.extend(json.unwrap_or_default());
        let numero = self.numero;
        self.etat.contexte.ajouter(&mut self.ecrivain, numero, &record).await
    }

    /// Whether documents of a service are made by this run, not taken as they are served.
    pub(crate) fn traite(&self, service: Service) -> bool {
        let configuration = self.configuration();
        let actif = configuration.reglages.bcn.actif(treatments::Traitement::Nomenclature);
        configuration.a(service) && (service != Service::Bcn || actif)
    }

    /// Builds what the treatments of statistics look up.
    pub(crate) async fn preparer_contexte(&mut self) -> Result<(), Faute> {
        if self.contextes.pret {
            return Ok(());
        }
        let mut contextes = Contextes { pret: true, ..Contextes::default() };
        let abime = || StoreError::Damaged("contexte".into());
        let mut lecture = self.etat.contexte.lecture(self.kv, &self.prefixe, Position::default());
        while let Some(record) = lecture.suivant().await? {
            let (rang, json) = record.split_first().ok_or_else(abime)?;
            let kind = Kind::de_rang(*rang).ok_or_else(abime)?;
            contextes.ajouter(kind, &serde_json::from_slice(json).map_err(|_| abime())?);
        }
        for (service, kinds) in RECHERCHES {
            if !self.traite(service) {
                parcourir(self.kv, kinds, |kind, document| contextes.ajouter(kind, &document)).await?;
            }
        }
        contextes.contexte.reglages = self.configuration().reglages.clone();
        contextes.groupes = Groupes::de(&contextes.contexte.nomenclature);
        self.contextes = contextes;
        Ok(())
    }
}
