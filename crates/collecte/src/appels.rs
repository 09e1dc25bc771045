//! The first step: calls, lot by lot, into the staging of raw answers.

use crate::contexte;
use crate::demande::Lot;
use crate::rapport::AppelEnEchec;
use crate::reserve::{Depot, Flot, LotReserve, Reponses, Reserve};
use crate::travail::{Etape, Faute, LotEnCours, Marche, Suite};
use futures_util::future::{Either, join_all, select};
use sources::{Call, Clock, Fetch, FetchError, Outcome, ReadReport, Reader, SourceError, catalogue_total};
use std::collections::BTreeSet;
use std::pin::pin;
use store::KeyValueWrite;
use store::kv::StoreError;
use store::publication::{Ecrivain, Environnement, EtatRegistre, Journal, Registre};

/// How long calls may take from the start of a step on, in milliseconds: below the 25 s that a step
/// has, with room to save.
const DUREE_MAX_MS: u64 = 22_000;
/// Until when a step begins another call, in milliseconds.
const DERNIER_APPEL_MS: u64 = 14_000;
/// Small calls under way at once. The clients keep their distance themselves.
const PARALLELES: usize = 4;
/// The longest wait before a call is taken up again, in seconds.
const ATTENTE_MAX_S: u64 = 900;
/// The longest wait that a service may ask for: an hour. After that it is asked again, as often as calls are taken up.
pub(crate) const ATTENTE_DEMANDEE_MAX_S: u64 = sources::RETRY_AFTER_MAX_MS / 1_000;
/// Failed calls that a lot of many may have, at least; beyond, one in fifty.
const ECHECS_TOLERES: usize = 10;
/// How far ahead the marks of a lot are raised: its pieces are written a few a step.
const AVANCE: usize = 8;

/// A call that was made: what came, read once.
type Fait = Result<(Option<Vec<u8>>, ReadReport), SourceError>;

impl<K: KeyValueWrite, E: Environnement, F: Fetch, C: Clock> Marche<'_, K, E, F, C> {
    pub(crate) async fn collecter(&mut self) -> Result<Suite, Faute> {
        let Some(lot) = self.etat.a_appeler.get(self.etat.rang).cloned() else {
            return Ok(Suite::Etape(Etape::Nomenclature));
        };
        let mut en_cours = match self.etat.lot.take() {
            Some(en_cours) => en_cours,
            None => match self.ouvrir_lot(&lot).await? {
                Ok(en_cours) => en_cours,
                Err(suite) => return Ok(suite),
            },
        };
        let suite = self.appeler(&mut en_cours).await;
        if self.etat.rang < self.etat.a_appeler.len() && self.etat.a_appeler.get(self.etat.rang) == Some(&lot) {
            self.etat.lot = Some(en_cours);
        }
        suite
    }

    /// A prefix for the answers, and what the list of calls depends on.
    async fn ouvrir_lot(&mut self, lot: &Lot) -> Result<Result<LotEnCours, Suite>, Faute> {
        let mut total = 0;
        if *lot == Lot::Catalogue {
            let mut reponse = Vec::new();
            let ecoule = self.env.monotone_ms().saturating_sub(self.debut);
            let delai = DUREE_MAX_MS.saturating_sub(ecoule);
            if self.commence && ecoule >= DERNIER_APPEL_MS {
                // The next call gives it all its time.
                self.fin = 0;
                return Ok(Err(Suite::Encore));
            }
            self.commence = true;
            let fait = {
                let make = pin!(self.sources.make(&Call::CatalogueTotal, &mut reponse));
                match select(make, pin!(self.sources.clock().sleep(delai))).await {
                    Either::Left((fait, _)) => fait.map(|_| ()),
                    Either::Right(_) => {
                        let (call, fault) = (Call::CatalogueTotal.label(), FetchError::Timeout);
                        Err(SourceError::Network { service: lot.service(), call, fault, tries: 1 })
                    }
                }
            };
            let fait = fait.and_then(|()| catalogue_total(&reponse));
            match fait {
                Ok(0) => return Err(Faute::Echec(format!("{lot} : le catalogue est vide"))),
                Ok(n) => (total, self.etat.tours_du_total) = (n, 0),
                Err(erreur) => {
                    let mut tours = self.etat.tours_du_total;
                    let suite = self.reporter(&erreur, &mut tours);
                    self.etat.tours_du_total = tours;
                    return suite.map(Err);
                }
            }
        }
        if matches!(lot, Lot::Etablissements(_)) && self.etat.uais.is_none() {
            let acce = contexte::acce_brute(self).await?;
            let rapport = self.etat.rapport.traitement(sources::Service::Acce);
            self.etat.uais = Some(acce.a_demander(rapport).into_iter().map(str::to_owned).collect());
        }
        let maintenant = self.env.maintenant_ms();
        let prefixe = Registre::nouveau_prefixe(self.kv, &self.collecte.id, EtatRegistre::EnCours, maintenant).await?;
        self.appels = None;
        Ok(Ok(LotEnCours {
            lot: lot.clone(),
            prefixe,
            journal: Journal::nouveau("brut"),
            total,
            faits: 0,
            tours: 0,
            echecs: Vec::new(),
            octets: 0,
            reprise: None,
            repris: BTreeSet::new(),
        }))
    }

    async fn appeler(&mut self, en_cours: &mut LotEnCours) -> Result<Suite, Faute> {
        let appels = match self.appels.take() {
            Some(appels) => appels,
            None => en_cours.lot.appels(self.etat.uais.as_deref().unwrap_or_default(), en_cours.total),
        };
        let mut ecrivain = Ecrivain::ouvrir(self.kv, &en_cours.prefixe, self.env.lot()).await?.avec_avance(AVANCE);
        let suite = self.appeler_tous(en_cours, &appels, &mut ecrivain).await;
        en_cours.journal.vider(&mut ecrivain, self.numero).await?;
        ecrivain.vider().await?;
        self.etat.rapport.ecritures += ecrivain.ecritures;
        let suite = suite?;
        if matches!(suite, Suite::Encore) && en_cours.faits >= appels.len() {
            if self.reprendre(en_cours).await? {
                self.clore_lot(en_cours).await?;
                self.etat.rang += 1;
            } else {
                self.appels = Some(appels);
            }
        } else {
            self.appels = Some(appels);
        }
        Ok(suite)
    }

    /// Makes calls until the lot or the time is over.
    async fn appeler_tous(
        &mut self,
        en_cours: &mut LotEnCours,
        appels: &[Call],
        ecrivain: &mut Ecrivain<'_, K>,
    ) -> Result<Suite, Faute> {
        let a_la_fois = if en_cours.lot.est_volumineux() { 1 } else { PARALLELES };
        loop {
            self.avancement(en_cours.faits, appels.len(), &en_cours.lot.to_string());
            let reste = appels.get(en_cours.faits..).unwrap_or_default();
            let prochains = reste.get(..a_la_fois.min(reste.len())).unwrap_or_default();
            let ecoule = self.env.monotone_ms().saturating_sub(self.debut);
            let tard = ecoule >= DERNIER_APPEL_MS || !self.a_le_temps();
            if prochains.is_empty() || (self.commence && tard) {
                return Ok(Suite::Encore);
            }
            let premier = !std::mem::replace(&mut self.commence, true);
            let delai = DUREE_MAX_MS.saturating_sub(ecoule);
            let faits = match prochains {
                [seul] if a_la_fois == 1 => vec![self.appeler_en_flot(en_cours, seul, ecrivain, delai).await?],
                plusieurs => self.appeler_ensemble(plusieurs, delai).await,
            };
            for (appel, fait) in prochains.iter().zip(faits) {
                match fait {
                    None if !premier => {
                        // It began late in the step: the next one gives it all its time.
                        self.fin = 0;
                        return Ok(Suite::Encore);
                    }
                    None => {
                        let service = en_cours.lot.service();
                        let (call, fault) = (appel.label(), FetchError::Timeout);
                        let erreur = SourceError::Network { service, call, fault, tries: 1 };
                        return self.reporter(&erreur, &mut en_cours.tours);
                    }
                    Some(fait) => {
                        if let Some(suite) = self.noter(en_cours, appel, fait, ecrivain).await? {
                            return Ok(suite);
                        }
                    }
                }
            }
        }
    }

    /// One large answer, staged while it comes. `None`: it did not end in time.
    async fn appeler_en_flot(
        &mut self,
        en_cours: &mut LotEnCours,
        appel: &Call,
        ecrivain: &mut Ecrivain<'_, K>,
        delai: u64,
    ) -> Result<Option<Fait>, StoreError> {
        let depot = Depot { journal: &mut en_cours.journal, ecrivain, numero: self.numero };
        let mut flot = Flot::ouvrir(depot, appel).await?;
        let made = {
            let make = pin!(self.sources.make(appel, &mut flot));
            match select(make, pin!(self.sources.clock().sleep(delai))).await {
                Either::Left((made, _)) => Some(made),
                Either::Right(_) => None,
            }
        };
        Ok(match made {
            Some(Ok(made)) if made.outcome == Outcome::Answer => {
                en_cours.octets += made.tally.bytes;
                Some(flot.clore().await?.map(|lu| (None, lu)))
            }
            autre => {
                flot.oublier();
                match autre {
                    Some(Ok(_)) => Some(Ok((None, ReadReport::default()))),
                    Some(Err(erreur)) => Some(Err(erreur)),
                    None => None,
                }
            }
        })
    }

    /// A few small answers at once, held in memory.
    async fn appeler_ensemble(&mut self, appels: &[Call], delai: u64) -> Vec<Option<Fait>> {
        let (sources, horloge) = (self.sources, self.sources.clock());
        let faits = join_all(appels.iter().map(async |appel| {
            let mut corps = Vec::new();
            let made = {
                let make = pin!(sources.make(appel, &mut corps));
                match select(make, pin!(horloge.sleep(delai))).await {
                    Either::Left((made, _)) => Some(made),
                    Either::Right(_) => None,
                }
            };
            made.map(|made| made.map(|made| (made, corps)))
        }))
        .await;
        faits
            .into_iter()
            .zip(appels)
            .map(|(fait, appel)| {
                fait.map(|fait| {
                    let (made, corps) = fait?;
                    if made.outcome == Outcome::NoData {
                        return Ok((None, ReadReport::default()));
                    }
                    let mut lecteur = Reader::new(appel);
                    lecteur.push(&corps, |_| ())?;
                    Ok((Some(corps), lecteur.finish(|_| ())?))
                })
            })
            .collect()
    }

    /// Counts a call that was made. `Some`: the step is over.
    async fn noter(
        &mut self,
        en_cours: &mut LotEnCours,
        appel: &Call,
        fait: Fait,
        ecrivain: &mut Ecrivain<'_, K>,
    ) -> Result<Option<Suite>, Faute> {
        let volumineux = en_cours.lot.est_volumineux();
        let fait = fait.and_then(|(corps, lu)| {
            let (service, call) = (appel.service(), appel.label());
            if lu.rows == 0 && en_cours.lot.refuse_le_vide() {
                return Err(SourceError::Answer { service, call, reason: "elle ne contient aucune ligne".into() });
            }
            Ok((corps, lu))
        });
        match fait {
            Ok((corps, lu)) => {
                let rapport = self.etat.rapport.source(appel.service());
                if !volumineux && corps.is_none() {
                    rapport.appels += 1;
                    rapport.sans_donnee += 1;
                } else {
                    rapport.lire(&lu);
                }
                if !volumineux {
                    en_cours.octets += corps.as_ref().map_or(0, |c| c.len() as u64);
                    let mut depot = Depot { journal: &mut en_cours.journal, ecrivain, numero: self.numero };
                    depot.poser(appel, corps.as_deref()).await?;
                }
            }
            Err(erreur) if erreur.is_transient() => {
                return self.reporter(&erreur, &mut en_cours.tours).map(Some);
            }
            Err(erreur) => {
                let refus = matches!(erreur, SourceError::Login { .. } | SourceError::NotConfigured { .. });
                if refus || !en_cours.lot.tolere_des_echecs() {
                    return Err(self.echec(appel, &erreur));
                }
                en_cours.echecs.push((appel.clone(), erreur.to_string()));
                let toleres = ECHECS_TOLERES.max(self.etat.uais.as_ref().map_or(0, Vec::len) / 50);
                if en_cours.echecs.len() > toleres {
                    return Err(Faute::Echec(format!(
                        "{} : plus de {toleres} appels en échec ; le dernier : {erreur}",
                        en_cours.lot
                    )));
                }
            }
        }
        en_cours.faits += 1;
        en_cours.tours = 0;
        Ok(None)
    }

    fn echec(&mut self, appel: &Call, erreur: &SourceError) -> Faute {
        let raison = erreur.to_string();
        let echec = AppelEnEchec { appel: appel.label(), raison: raison.clone(), repris: false };
        self.etat.rapport.source(appel.service()).echouer(echec);
        Faute::Echec(raison)
    }

    /// A call that may succeed later: waits longer each time, then gives the run up.
    fn reporter(&mut self, erreur: &SourceError, tours: &mut u32) -> Result<Suite, Faute> {
        if !erreur.is_transient() {
            return Err(Faute::Echec(erreur.to_string()));
        }
        *tours += 1;
        let configuration = self.configuration();
        if *tours > configuration.reprises {
            return Err(Faute::Echec(format!("{erreur}, repris {} fois", configuration.reprises)));
        }
        let attente = u64::from(configuration.attente_s) << (*tours - 1).min(10);
        let secondes = match erreur {
            SourceError::Wait { seconds, .. } => (*seconds).min(ATTENTE_DEMANDEE_MAX_S),
            _ => attente.min(ATTENTE_MAX_S),
        };
        Ok(Suite::Attendre(secondes, erreur.to_string()))
    }

    /// The lot is whole: older answers stand in for the calls that failed, then it takes the place
    /// of the older lot.
    async fn clore_lot(&mut self, en_cours: &mut LotEnCours) -> Result<(), Faute> {
        for (appel, raison) in &en_cours.echecs {
            let repris = en_cours.repris.contains(appel);
            let echec = AppelEnEchec { appel: appel.label(), raison: raison.clone(), repris };
            self.etat.rapport.source(appel.service()).echouer(echec);
        }
        let (maintenant, journal) = (self.env.maintenant_ms(), (self.numero, &en_cours.journal));
        let (prefixe, octets) = (en_cours.prefixe.as_str(), en_cours.octets);
        let neuf = LotReserve::nouveau(self.kv, self.env.lot(), prefixe, maintenant, octets, journal).await?;
        let ancien = Reserve::remplacer(self.kv, &en_cours.lot, neuf).await?;
        Registre::garder(self.kv, prefixe).await?;
        if let Some(ancien) = ancien {
            Registre::abandonner(self.kv, &ancien, maintenant).await?;
        }
        Ok(())
    }

    /// Copies what an earlier run staged for the calls that failed: those that it had. `true` once all of it was looked
    /// through; it may be hundreds of megabytes, so the next call goes on where the time of this one is over.
    async fn reprendre(&mut self, en_cours: &mut LotEnCours) -> Result<bool, Faute> {
        if en_cours.echecs.is_empty() {
            return Ok(true);
        }
        let reserve = Reserve::lire(self.kv).await?;
        let Some(ancien) = reserve.lot(&en_cours.lot) else { return Ok(true) };
        let ancien = ancien.entier(self.kv).await?;
        let en_echec: BTreeSet<Call> = en_cours.echecs.iter().map(|(appel, _)| appel.clone()).collect();
        let mut ecrivain = Ecrivain::ouvrir(self.kv, &en_cours.prefixe, self.env.lot()).await?.avec_avance(AVANCE);
        let mut depot = Depot { journal: &mut en_cours.journal, ecrivain: &mut ecrivain, numero: self.numero };
        let mut reponses = Reponses::de(self.kv, &ancien, en_cours.reprise.unwrap_or_default());
        let mut fini = false;
        while self.env.monotone_ms() < self.fin {
            let Some((appel, a_un_corps)) = reponses.suivante().await? else {
                fini = true;
                break;
            };
            if en_echec.contains(&appel) && !en_cours.repris.contains(&appel) {
                let corps = if a_un_corps { Some(reponses.corps().await?) } else { None };
                depot.poser(&appel, corps.as_deref()).await?;
                en_cours.repris.insert(appel);
            }
        }
        en_cours.reprise = Some(reponses.position());
        en_cours.journal.vider(&mut ecrivain, self.numero).await?;
        ecrivain.vider().await?;
        Ok(fini)
    }
}
