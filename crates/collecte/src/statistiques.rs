//! Treatment 5: answers to documents, spread over groups of codes.

use crate::demande::Lot;
use crate::nomenclature::illisible;
use crate::reserve::{LotReserve, Reponses, Reserve};
use crate::travail::{Etape, Faute, Marche, Suite, TAMPONS};
use domain::{Document, Maille, Millesime};
use sources::{Call, Clock, Fetch, Reader, Service};
use store::KeyValueWrite;
use store::cle;
use store::codec::Writer;
use store::kv::StoreError;
use store::publication::{Environnement, Flux};
use treatments::inserjeunes::{Mesures, Place, livrer, region_demandee};
use treatments::insersup::{self, Disciplines};
use treatments::{Collection, Traitement};

/// Bytes of raw answers that make a partition of documents: these become some 2 MiB, and after the
/// treatments, places that inherit included, up to some 8 MiB.
const PARTITION: u64 = 6 * 1024 * 1024;

impl<K: KeyValueWrite, E: Environnement, F: Fetch, C: Clock> Marche<'_, K, E, F, C> {
    /// Reads answers until the time is over, one lot after the other.
    pub(crate) async fn statistiques(&mut self) -> Result<Suite, Faute> {
        let lots: Vec<Lot> = self.configuration().lots().into_iter().filter(|l| maille(l).is_some()).collect();
        if self.etat.groupes.is_none() {
            self.dimensionner(&lots).await?;
        }
        let Some(lot) = lots.get(self.etat.rang) else { return Ok(Suite::Etape(Etape::Grouper)) };
        self.avancement(self.etat.rang, lots.len(), &lot.to_string());
        self.preparer_contexte().await?;
        let reserve = self.lot_reserve(lot).await?;
        if self.lire_lot(lot, &reserve).await? {
            self.etat.rang += 1;
            (self.etat.position, self.etat.lues) = (Default::default(), 0);
        }
        Ok(Suite::Encore)
    }

    /// Decides how many partitions there are, by the bytes of the answers.
    async fn dimensionner(&mut self, lots: &[Lot]) -> Result<(), StoreError> {
        let reserve = Reserve::lire(self.kv).await?;
        let mut octets = [0; 3];
        for lot in lots {
            if let (Some(rang), Some(garde)) = (maille(lot).map(rang), reserve.lot(lot))
                && let Some(ici) = octets.get_mut(rang)
            {
                *ici += garde.octets;
            }
        }
        let partitions = octets.map(|n| usize::try_from(n.div_ceil(PARTITION).clamp(1, 500)).unwrap_or(1));
        self.etat.partitions = partitions;
        self.etat.groupes = Some(Flux::nouveau("groupes", partitions.iter().sum()));
        Ok(())
    }

    /// `true`: the lot is read to its end.
    async fn lire_lot(&mut self, lot: &Lot, reserve: &LotReserve) -> Result<bool, Faute> {
        let mut reponses = Reponses::de(self.kv, reserve, self.etat.position);
        while let Some((appel, a_un_corps)) = reponses.suivante().await? {
            if a_un_corps {
                match &appel {
                    Call::InserSup | Call::InserSupNational { .. } => {
                        self.enseignement_superieur(&appel, &mut reponses).await?;
                    }
                    _ => self.mesures(&appel, &mut reponses).await?,
                }
            }
            self.etat.lues += 1;
            self.etat.position = reponses.position();
            if !self.a_le_temps() {
                let objet = format!("{lot} ({} réponses)", self.etat.lues);
                let (faits, total) = self.collecte.avancement;
                self.avancement(faits, total, &objet);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// An answer of InserJeunes.
    async fn mesures(&mut self, appel: &Call, reponses: &mut Reponses<'_, K>) -> Result<(), Faute> {
        let mut rapport = treatments::Rapport::default();
        let contextes = &self.contextes;
        let (place, millesime) = match appel {
            Call::InserJeunesUai { uai, millesime } => (Ok(Place::Etablissement(&contextes.acce, uai)), millesime),
            Call::InserJeunesRegion { region, millesime } => (region_demandee(region).map(Place::Region), millesime),
            Call::InserJeunesFrance { millesime, .. } => (Ok(Place::France), millesime),
            _ => return Ok(()),
        };
        let mut documents = None;
        match place {
            Err(rejet) => rapport.rejeter(&rejet),
            Ok(place) => {
                let mut mesures = Mesures::nouvelles(place.maille());
                let mut refus = None;
                let lues = reponses.lignes(appel, |ligne| {
                    if refus.is_none()
                        && let Err(rejet) = mesures.ajouter(&ligne, &mut rapport)
                    {
                        refus = Some(rejet);
                    }
                });
                lues.await?.map_err(|e| illisible(&e))?;
                let traiter = contextes.contexte.reglages.inserjeunes.actif(Traitement::Statistiques);
                let nomenclature = &contextes.contexte.nomenclature;
                let mut livres = Collection::nouvelle(place.maille().into());
                let livre = match refus {
                    Some(rejet) => Err(rejet),
                    None => livrer(nomenclature, mesures, millesime, place, traiter, &mut livres, &mut rapport),
                };
                match livre {
                    Ok(_) => documents = Some((place.maille(), livres)),
                    Err(rejet) => rapport.rejeter(&rejet),
                }
            }
        }
        self.etat.rapport.traitement(Service::InserJeunes).ajouter(&rapport);
        if let Some((maille, livres)) = documents {
            for document in livres.into_documents() {
                self.ranger(maille, &document).await?;
            }
            self.alleger().await?;
        }
        Ok(())
    }

    /// An answer of InserSup, by establishment or national, a chunk at a time.
    async fn enseignement_superieur(&mut self, appel: &Call, reponses: &mut Reponses<'_, K>) -> Result<(), Faute> {
        let mut rapport = treatments::Rapport::default();
        let voulus = &self.configuration().millesimes.formations_sup;
        let voulus: Vec<Millesime> = voulus.iter().filter_map(|m| Millesime::parse(m)).collect();
        let traiter = self.configuration().reglages.insersup.actif(Traitement::Statistiques);
        let national = *appel != Call::InserSup;
        let maille = if national { Maille::Nationale } else { Maille::Etablissement };
        let mut disciplines = Disciplines::default();
        let (mut lecteur, mut lignes) = (Some(Reader::new(appel)), Vec::new());
        let mut encore = true;
        while encore {
            encore = reponses.tranche_de_lignes(&mut lecteur, &mut lignes).await?.map_err(|e| illisible(&e))?;
            // Rows of one diploma may come more than once: they are merged where their group is treated.
            let mut livres = Vec::with_capacity(lignes.len());
            for ligne in lignes.drain(..) {
                rapport.lignes += 1;
                let nomenclature = &self.contextes.contexte.nomenclature;
                let document = if national {
                    insersup::certification(nomenclature, &ligne, traiter)
                } else {
                    insersup::formation(nomenclature, &self.contextes.acce, &ligne, &voulus, traiter)
                };
                let document = document.and_then(|document| match document {
                    Some(document) if !national => disciplines.ajouter(&document).map(|()| Some(document)),
                    document => Ok(document),
                });
                match document {
                    Ok(Some(document)) => livres.push(document),
                    Ok(None) => rapport.ignorer(if national { "detail_ou_total" } else { "millesime_non_voulu" }),
                    Err(rejet) => rapport.rejeter(&rejet),
                }
            }
            for document in livres {
                let mut seul = Collection::nouvelle(maille.into());
                seul.ecrire_livree(document);
                for document in seul.into_documents() {
                    self.ranger(maille, &document).await?;
                }
            }
            self.alleger().await?;
        }
        let service = appel.service();
        self.etat.rapport.traitement(service).ajouter(&rapport);
        Ok(())
    }

    /// Puts a document beside those of its group and millesime: the treatments look at no other.
    async fn ranger(&mut self, maille: Maille, document: &Document) -> Result<(), StoreError> {
        let texte = |champ: &str| document.get(champ).and_then(|v| v.as_str()).unwrap_or_default();
        let groupe = format!("{}|{}", self.contextes.groupes.groupe(texte("code_certification")), texte("millesime"));
        let rang = rang(maille);
        let nombre = self.etat.partitions.get(rang).copied().unwrap_or(1);
        let partition = self.etat.partitions.iter().take(rang).sum::<usize>() + cle::bundle(cle::hash(&groupe), nombre);
        let mut record = Writer::default();
        record.text(&groupe);
        record.0.extend(serde_json::to_vec(document).unwrap_or_default());
        let numero = self.numero;
        match &mut self.etat.groupes {
            Some(flux) => flux.ajouter(&mut self.ecrivain, numero, partition, &record.0).await,
            None => Ok(()),
        }
    }

    /// Keeps the memory of the groups bounded.
    async fn alleger(&mut self) -> Result<(), StoreError> {
        let numero = self.numero;
        match &mut self.etat.groupes {
            Some(flux) if flux.taille() > TAMPONS => flux.vider(&mut self.ecrivain, numero, TAMPONS / 4 * 3).await,
            _ => Ok(()),
        }
    }
}

/// The maille of a lot's statistics.
fn maille(lot: &Lot) -> Option<Maille> {
    match lot {
        Lot::Bcn | Lot::Acce | Lot::Catalogue => None,
        Lot::France(_) | Lot::InserSupNational(_) => Some(Maille::Nationale),
        Lot::Regions(_) => Some(Maille::Regionale),
        Lot::Etablissements(_) | Lot::InserSup => Some(Maille::Etablissement),
    }
}

pub(crate) fn rang(maille: Maille) -> usize {
    Maille::TOUTES.iter().position(|m| *m == maille).unwrap_or_default()
}
