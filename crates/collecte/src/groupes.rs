//! Treatments 6 to 8, a partition of groups at a time.

use crate::rapport::Rapport;
use crate::travail::{Etape, Faute, Marche, Suite};
use domain::{Document, Kind, Maille};
use sources::{Clock, Fetch, Service};
use std::collections::BTreeMap;
use store::KeyValueWrite;
use store::codec::Reader;
use store::kv::StoreError;
use store::publication::{Environnement, Flux};
use treatments::{Collection, Traitement, reglages, traiter_groupe};

/// Treated documents that are held before they are handed over: some 4 KB each.
const PAR_PARTIE: usize = 1_500;

impl<K: KeyValueWrite, E: Environnement, F: Fetch, C: Clock> Marche<'_, K, E, F, C> {
    pub(crate) async fn grouper(&mut self) -> Result<Suite, Faute> {
        let rang = self.etat.rang;
        let Some((maille, kind, locale)) = self.partition(rang) else { return Ok(Suite::Etape(Etape::Remettre)) };
        let total: usize = self.etat.partitions.iter().sum();
        self.avancement(rang, total, maille.liste());
        self.preparer_contexte().await?;
        let flux = self.etat.groupes.clone().unwrap_or_else(|| Flux::nouveau("groupes", 1));
        let lue = flux.lire(self.kv, &self.prefixe, rang).await?;
        let abime = || StoreError::Damaged(format!("groupes, {} {locale}", maille.liste()));
        let mut groupes: BTreeMap<&str, Vec<&[u8]>> = BTreeMap::new();
        for record in lue.records() {
            let mut reader = Reader(record);
            let groupe = reader.text().ok_or_else(abime)?;
            groupes.entry(groupe).or_default().push(reader.0);
        }
        let mut traites = Vec::new();
        for textes in groupes.into_values() {
            let documents: Result<Vec<Document>, _> = textes.into_iter().map(serde_json::from_slice).collect();
            let documents = Collection::de(maille.into(), documents.map_err(|_| abime())?);
            traites.extend(self.traiter(maille, documents).into_documents().map(|d| (kind, d)));
            if traites.len() >= PAR_PARTIE {
                self.poser_partie(std::mem::take(&mut traites)).await?;
            }
        }
        if !traites.is_empty() {
            self.poser_partie(traites).await?;
        }
        self.etat.rang += 1;
        Ok(Suite::Encore)
    }

    /// The maille, its kind and the rank in it of a partition.
    fn partition(&self, rang: usize) -> Option<(Maille, Kind, usize)> {
        let mut locale = rang;
        for (maille, nombre) in Maille::TOUTES.into_iter().zip(self.etat.partitions) {
            if locale < nombre {
                let kind = Kind::TOUS.into_iter().find(|k| k.maille() == Some(maille))?;
                return Some((maille, kind, locale));
            }
            locale -= nombre;
        }
        None
    }

    fn traiter(&mut self, maille: Maille, mut documents: Collection) -> Collection {
        let univers = documents.iter().next().and_then(reglages::univers);
        let service = match (univers, maille) {
            (Some(domain::Univers::Superieur), Maille::Nationale) => Service::InserSupNational,
            (Some(domain::Univers::Superieur), _) => Service::InserSup,
            _ => Service::InserJeunes,
        };
        let rapport: &mut Rapport = &mut self.etat.rapport;
        rapport.couvrir(Traitement::Statistiques.nom(), maille, &documents);
        let mut rejets = treatments::Rapport::default();
        let mut suivi = |traitement: Traitement, documents: &Collection| {
            rapport.couvrir(traitement.nom(), maille, documents);
        };
        let bilan = traiter_groupe(&self.contextes.contexte, maille, &mut documents, &mut rejets, &mut suivi);
        rapport.traitement(service).ajouter(&rejets);
        for (quoi, n) in [
            ("traites", bilan.roles.traites),
            ("lieu_formateur", bilan.roles.lieu_formateur),
            ("formateur_gestionnaire", bilan.roles.formateur_gestionnaire),
            ("herites", bilan.roles.herites),
        ] {
            *rapport.roles.entry(quoi.to_owned()).or_default() += n;
        }
        documents
    }
}
