//! The step that builds the search index ([`crate::recherche`]).
//!
//! | sub-step | reads | writes |
//! | --- | --- | --- |
//! | while bundles are built | each document | what is known of its certification or establishment, by hash; where it lies, by hash |
//! | groups | one partition of what is known | one fiche each, by class and label |
//! | fiches | one partition of fiches, sorted | pages of fiches, numbered; their words, by hash |
//! | words, places | one partition, sorted by hash | pages |
//!
//! No indicator enters a record: only labels, codes, places and millesimes do.

use super::{Echantillon, Marche, PARTITION, code_de, texte};
use crate::bundle;
use crate::cle;
use crate::codec::{Reader, Writer};
use crate::kv::{KeyValueWrite, StoreError, VALUE_MAX};
use crate::publication::flux::Flux;
use crate::publication::{Environnement, Etape, PublicationError};
use crate::recherche::{
    Accord, CodeFiche, FAMILLE_FICHES, FAMILLE_LIEUX, FAMILLE_PLAN, FAMILLE_TERMES, FicheRecherche, LIEUX_MAX, Lieux,
    POSTINGS_MAX, PlanRecherche, Postings, Sujet, cle_code, cle_region, cle_uai, cles_du_mot, mots_utiles,
};
use domain::code::est_rncp;
use domain::declaree::{CHAMP_LIEU, CHAMP_MAILLE};
use domain::{Document, Kind, Maille, TypeCode, territoire};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A page of words is closed at this size: a get costs nearly the same up to 32 KB.
const PAGE: usize = 32 * 1024;
/// Pages of fiches and places are larger: the results of one search lie in fewer of them, and the
/// import writes fewer values.
const PAGE_LARGE: usize = 64 * 1024;
/// Bytes of the numbers under one word, at most: its page holds little else.
const POSTINGS_OCTETS: usize = VALUE_MAX - 64 * 1024;
/// Bytes of words that lie beside a fiche on its way.
const MOTS_MAX: usize = 64 * 1024;
/// RNCP codes kept of one certification: a CFD has a few.
const RNCP_MAX: usize = 50;
/// Longest label kept in the index, in characters.
const LIBELLE_MAX: usize = 200;

/// What the index needs between two calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Index {
    pub groupes: Flux,
    pub fiches: Flux,
    pub termes: Flux,
    pub lieux: Flux,
    echantillon: Echantillon,
    separateurs: Vec<String>,
    octets_fiches: u64,
    octets_termes: u64,
    classes: [usize; 5],
    bornes_termes: Vec<u64>,
    bornes_fiches: Vec<u64>,
    bornes_lieux: Vec<u64>,
    /// The next number of a fiche.
    numerotees: usize,
    /// Entries written and, while they are verified, not yet found again.
    entrees_fiches: u64,
    entrees_termes: u64,
    entrees_lieux: u64,
}

fn parts(octets: u64) -> usize {
    usize::try_from(octets.div_ceil(PARTITION).max(1)).unwrap_or(1)
}

fn abime() -> StoreError {
    StoreError::Damaged("recherche".into())
}

impl Index {
    /// Sized by the bytes of the sources: what is known of a document takes some 200 of its 1,000.
    pub fn nouveau(nomenclature: u64, statistiques: u64) -> Self {
        Self {
            groupes: Flux::nouveau("recherche.groupes", parts(nomenclature / 2 + statistiques / 5)),
            lieux: Flux::nouveau("recherche.lieux", parts(statistiques / 4)),
            ..Self::default()
        }
    }

    pub fn flux(&mut self) -> [&mut Flux; 4] {
        [&mut self.groupes, &mut self.fiches, &mut self.termes, &mut self.lieux]
    }

    fn plan(&self) -> PlanRecherche {
        PlanRecherche {
            classes: self.classes,
            termes: self.bornes_termes.clone(),
            fiches: self.bornes_fiches.clone(),
            lieux: self.bornes_lieux.clone(),
        }
    }
}

fn court(texte: &str) -> &str {
    texte.char_indices().nth(LIBELLE_MAX).and_then(|(fin, _)| texte.get(..fin)).unwrap_or(texte)
}

/// Where a document lies: its maille, place and code.
pub(super) struct Place<'a> {
    pub maille: Maille,
    pub place: &'a str,
    pub code: &'a str,
}

/// The place of a document: region, UAI, or nothing.
pub(super) fn place(maille: Maille, document: &Document) -> String {
    match maille {
        Maille::Nationale => String::new(),
        Maille::Regionale => code_de(document, "region"),
        Maille::Etablissement => texte(document, "uai"),
        Maille::Declaree => cle::lieu_declare(&texte(document, CHAMP_MAILLE), &texte(document, CHAMP_LIEU)),
    }
}

/// What every document of an entry says together.
pub(super) struct Entree {
    /// `filiere` and millesime of each version.
    pub versions: BTreeSet<(String, String)>,
    pub document: Document,
}

/// What is said of a certification or an establishment, by one document.
struct Dit<'a> {
    /// A label of the nomenclature wins over one of a document, the certification's own over a MEF's.
    rang: u64,
    libelle: &'a str,
    diplome: &'a str,
    uai: &'a str,
    region: &'a str,
    code: &'a str,
    genre: &'a str,
    donnees: bool,
    /// Further words it is found by.
    mots: &'a str,
}

impl Dit<'_> {
    /// One that says nothing.
    fn vide() -> Self {
        Dit {
            rang: u64::MAX,
            libelle: "",
            diplome: "",
            uai: "",
            region: "",
            code: "",
            genre: "",
            donnees: false,
            mots: "",
        }
    }

    fn coder(&self, groupe: &str) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(groupe).number(self.rang).text(court(self.libelle)).text(court(self.diplome)).text(self.uai);
        writer.text(self.region).text(self.code).text(self.genre).number(u64::from(self.donnees));
        writer.text(court(self.mots));
        writer.0
    }
}

fn genre(type_code: TypeCode) -> &'static str {
    match type_code {
        TypeCode::Cfd => "CFD",
        TypeCode::Mef => "MEFSTAT11",
        TypeCode::Sise => "SISE",
    }
}

/// What a line says of the RNCP code of a certification; the rest of it is passed over.
#[derive(Deserialize)]
struct LienRncp<'a> {
    #[serde(borrow, rename = "cfd", alias = "code_certification")]
    code: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "rncp_code", alias = "rncp")]
    rncp: Option<Cow<'a, str>>,
}

/// The kind of a code that leads to no document.
const RNCP: &str = "RNCP";

/// The kind of a code, by its length: documents hold codes without their prefix.
fn genre_de(code: &str) -> &'static str {
    genre(match code.len() {
        11 => TypeCode::Mef,
        7 => TypeCode::Sise,
        _ => TypeCode::Cfd,
    })
}

/// The certification that a code belongs to.
fn groupe_de(code: &str, cfd: &str) -> String {
    if genre_de(code) == "SISE" {
        return format!("s:{code}");
    }
    format!("c:{}", if cfd.is_empty() { code } else { cfd })
}

fn region_acce(document: &Document) -> &'static str {
    let departement = texte(document, "departement_insee_3");
    let departement = departement.strip_prefix('0').filter(|d| d.len() == 2).unwrap_or(&departement);
    territoire::region_du_departement(departement)
        .or_else(|| territoire::academie(&texte(document, "academie")).map(|(region, _)| region))
        .map_or("", |r| r.code)
}

/// A fiche on its way, with its words.
struct Groupe {
    fiche: FicheRecherche,
    rang: u64,
    mots: BTreeSet<String>,
}

fn lire_groupes<'a>(records: impl Iterator<Item = &'a [u8]>) -> Option<BTreeMap<String, Groupe>> {
    let mut groupes: BTreeMap<String, Groupe> = BTreeMap::new();
    for record in records {
        let mut r = Reader(record);
        let cle = r.text()?;
        let (rang, libelle, diplome, uai, region) = (r.number()?, r.text()?, r.text()?, r.text()?, r.text()?);
        let (code, genre, donnees, mots) = (r.text()?, r.text()?, r.number()? == 1, r.text()?);
        let groupe = groupes.entry(cle.to_owned()).or_insert_with(|| Groupe {
            fiche: FicheRecherche {
                sujet: if cle.starts_with("e:") { Sujet::Etablissement } else { Sujet::Certification },
                libelle: String::new(),
                diplome: String::new(),
                uai: uai.to_owned(),
                region: String::new(),
                codes: Vec::new(),
                rncp: Vec::new(),
                donnees: false,
            },
            rang: u64::MAX,
            mots: BTreeSet::new(),
        });
        let fiche = &mut groupe.fiche;
        // The best label, and of equals the first in the alphabet: the order of the push decides nothing.
        if !libelle.is_empty() && (rang, libelle) < (groupe.rang, fiche.libelle.as_str()) || fiche.libelle.is_empty() {
            (groupe.rang, fiche.libelle) = (rang, libelle.to_owned());
        }
        for (champ, valeur) in [(&mut fiche.diplome, diplome), (&mut fiche.region, region)] {
            if champ.is_empty() || !valeur.is_empty() && valeur < champ.as_str() {
                *champ = valeur.to_owned();
            }
        }
        fiche.donnees |= donnees;
        if genre == RNCP {
            if !fiche.rncp.iter().any(|r| r == code) {
                fiche.rncp.push(code.to_owned());
            }
        } else if !code.is_empty() {
            match fiche.codes.iter_mut().find(|c| c.code == code) {
                Some(connu) => connu.donnees |= donnees,
                None => fiche.codes.push(CodeFiche { code: code.to_owned(), genre: genre.to_owned(), donnees }),
            }
        }
        groupe.mots.extend([libelle, diplome, uai, code, mots].into_iter().flat_map(mots_utiles));
    }
    // A certification of which only the RNCP code is said is not known.
    groupes.retain(|_, groupe| !groupe.fiche.codes.is_empty() || groupe.fiche.sujet == Sujet::Etablissement);
    for groupe in groupes.values_mut() {
        groupe.fiche.rncp.sort_unstable();
        groupe.fiche.rncp.truncate(RNCP_MAX);
        // Those with data first, the CFD before its MEFs.
        groupe.fiche.codes.sort_by(|a, b| (!a.donnees, &a.genre, &a.code).cmp(&(!b.donnees, &b.genre, &b.code)));
        groupe.fiche.codes.truncate(LIEUX_MAX);
    }
    Some(groupes)
}

fn classe(fiche: &FicheRecherche) -> usize {
    usize::from(!fiche.donnees) * 2 + usize::from(fiche.sujet == Sujet::Etablissement)
}

/// Pages of entries sorted by hash.
struct Pages<'a> {
    famille: &'static str,
    bornes: &'a mut Vec<u64>,
    page: Vec<(String, Vec<u8>)>,
    octets: usize,
    taille: usize,
}

impl<'a> Pages<'a> {
    fn nouvelles(famille: &'static str, bornes: &'a mut Vec<u64>, taille: usize) -> Self {
        Self { famille, bornes, page: Vec::new(), octets: 0, taille }
    }

    async fn ajouter<K: KeyValueWrite>(
        &mut self,
        ecrivain: &mut crate::publication::ecrivain::Ecrivain<'_, K>,
        borne: u64,
        cle: String,
        entree: Vec<u8>,
    ) -> Result<(), StoreError> {
        let plein = self.octets + entree.len() > VALUE_MAX / 2;
        // Two keys of one hash lie in one page.
        if !self.page.is_empty() && (self.octets >= self.taille || plein) && self.bornes.last() != Some(&borne) {
            self.clore(ecrivain).await?;
        }
        if self.page.is_empty() {
            self.bornes.push(borne);
        }
        self.octets += cle.len() + entree.len() + 24;
        self.page.push((cle, entree));
        Ok(())
    }

    async fn clore<K: KeyValueWrite>(
        &mut self,
        ecrivain: &mut crate::publication::ecrivain::Ecrivain<'_, K>,
    ) -> Result<(), StoreError> {
        if self.page.is_empty() {
            return Ok(());
        }
        self.octets = 0;
        let page = bundle::pack(std::mem::take(&mut self.page));
        ecrivain.poser(self.famille, self.bornes.len() - 1, page).await
    }
}

impl<K: KeyValueWrite, E: Environnement> Marche<'_, K, E> {
    async fn dire(&mut self, groupe: &str, dit: &Dit<'_>) -> Result<(), StoreError> {
        let flux = &mut self.etat.index.groupes;
        let partition = cle::bundle(cle::hash(groupe), flux.partitions());
        flux.ajouter(&mut self.ecrivain, self.numero, partition, &dit.coder(groupe)).await
    }

    /// What the nomenclature says of a code or an establishment.
    pub(super) async fn indexer_nomenclature(
        &mut self,
        kind: Kind,
        document: &Document,
    ) -> Result<(), PublicationError> {
        let t = |champ: &str| texte(document, champ);
        let diplome = document.get("diplome").and_then(|d| d.get("libelle")).and_then(|l| l.as_str());
        let vide = Dit { rang: 0, diplome: diplome.unwrap_or_default(), ..Dit::vide() };
        match kind {
            Kind::Bcn => {
                let (code, cfd, long, libelle) =
                    (t("code_certification"), t("code_formation_diplome"), t("libelle_long"), t("libelle"));
                let choisi = if long.is_empty() { &libelle } else { &long };
                let rang = if code == cfd { 0 } else { 1 };
                let dit = Dit { rang, libelle: choisi, code: &code, genre: genre_de(&code), mots: &libelle, ..vide };
                self.dire(&groupe_de(&code, &cfd), &dit).await?;
            }
            Kind::BcnSise => {
                let (code, libelle) = (t("diplome_sise"), t("libelle_intitule_1"));
                let dit = Dit { libelle: &libelle, code: &code, genre: "SISE", ..vide };
                self.dire(&format!("s:{code}"), &dit).await?;
            }
            Kind::Etablissement => {
                let (uai, nom) = (t("numero_uai"), t("appellation_officielle"));
                let mots = [t("academie_libe"), t("localite_acheminement"), t("commune_libe")].join(" ");
                let dit = Dit { libelle: &nom, uai: &uai, region: region_acce(document), mots: &mots, ..vide };
                self.dire(&format!("e:{uai}"), &dit).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The RNCP code that a line of the catalogue, or one of its own, gives a CFD or a SISE code.
    pub(super) async fn indexer_rncp(&mut self, kind: Kind, json: &[u8]) -> Result<(), StoreError> {
        if !matches!(kind, Kind::Catalogue | Kind::Rncp) {
            return Ok(());
        }
        // A row of the catalogue may hold something else there: then it says nothing.
        let Ok(lien) = serde_json::from_slice::<LienRncp<'_>>(json) else { return Ok(()) };
        let Some((code, rncp)) = lien.code.zip(lien.rncp).filter(|(_, rncp)| est_rncp(rncp)) else { return Ok(()) };
        let groupe = groupe_de(&code, &code);
        self.dire(&groupe, &Dit { code: &rncp, genre: RNCP, ..Dit::vide() }).await
    }

    async fn situer(&mut self, cle: &str, ligne: &[&str]) -> Result<(), StoreError> {
        let mut writer = Writer::default();
        writer.text(cle);
        for texte in ligne {
            writer.text(texte);
        }
        let flux = &mut self.etat.index.lieux;
        let partition = cle::bundle(cle::hash(cle), flux.partitions());
        flux.ajouter(&mut self.ecrivain, self.numero, partition, &writer.0).await
    }

    /// What the documents of one certification in one place say: that they are there.
    pub(super) async fn indexer_entree(&mut self, place: &Place<'_>, entree: &Entree) -> Result<(), PublicationError> {
        let document = &entree.document;
        let t = |champ: &str| texte(document, champ);
        let diplome = document.get("diplome").and_then(|d| d.get("libelle")).and_then(|l| l.as_str());
        let (libelle, cfd, diplome) = (t("libelle"), t("code_formation_diplome"), diplome.unwrap_or_default());
        let groupe = groupe_de(place.code, &cfd);
        let genre = genre_de(place.code);
        let de = |rang| Dit {
            rang,
            libelle: &libelle,
            diplome,
            uai: "",
            region: "",
            code: place.code,
            genre,
            donnees: true,
            mots: "",
        };
        self.dire(&groupe, &de(if genre == "MEFSTAT11" { 3 } else { 2 })).await?;
        let millesimes: BTreeSet<&str> = entree.versions.iter().map(|(_, m)| m.as_str()).collect();
        let millesimes = millesimes.into_iter().collect::<Vec<_>>().join(",");
        let code = cle_code(place.code);
        match place.maille {
            Maille::Nationale => {
                self.situer(&code, &["0", &libelle, diplome, &cfd]).await?;
                for (filiere, millesime) in &entree.versions {
                    self.situer(&code, &["1", filiere, millesime]).await?;
                }
            }
            Maille::Regionale => {
                self.situer(&code, &["0", &libelle, diplome, &cfd]).await?;
                self.situer(&code, &["2", place.place, &millesimes]).await?;
            }
            Maille::Etablissement => {
                let (region, nom) = (code_de(document, "region"), t("libelle_etablissement"));
                self.situer(&code, &["0", &libelle, diplome, &cfd]).await?;
                self.situer(&code, &["3", &region]).await?;
                self.situer(&cle_region(place.code, &region), &[place.place, court(&nom), &millesimes]).await?;
                let filieres: BTreeSet<&str> = entree.versions.iter().map(|(f, _)| f.as_str()).collect();
                let filieres = filieres.into_iter().collect::<Vec<_>>().join(",");
                let uai = cle_uai(place.place);
                self.situer(&uai, &[place.code, court(&libelle), diplome, &filieres, &millesimes]).await?;
                let dit = Dit {
                    rang: 2,
                    libelle: &nom,
                    diplome: "",
                    uai: place.place,
                    region: &region,
                    code: "",
                    genre: "",
                    ..de(2)
                };
                self.dire(&format!("e:{}", place.place), &dit).await?;
            }
            // Not searched: those who ask for a declared maille know its places.
            Maille::Declaree => {}
        }
        Ok(())
    }

    pub(super) async fn indexer(&mut self) -> Result<Option<Etape>, PublicationError> {
        let (phase, partition) = self.etat.curseur;
        self.job.avancement = (phase, 4);
        let partitions = match phase {
            0 => self.etat.index.groupes.partitions(),
            1 => self.etat.index.fiches.partitions(),
            2 => self.etat.index.termes.partitions(),
            3 => self.etat.index.lieux.partitions(),
            _ => {
                let plan = self.etat.index.plan().coder();
                self.ecrivain.poser(FAMILLE_PLAN, 0, plan).await?;
                return Ok(Some(Etape::Verifier));
            }
        };
        if partition >= partitions {
            self.vider().await?;
            if phase == 0 {
                self.preparer_les_fiches().await?;
            }
            self.etat.curseur = (phase + 1, 0);
            return Ok(None);
        }
        match phase {
            0 => self.grouper(partition).await?,
            1 => self.numeroter(partition).await?,
            2 => self.paginer_termes(partition).await?,
            _ => self.paginer_lieux(partition).await?,
        }
        self.etat.curseur = (phase, partition + 1);
        self.alleger().await?;
        Ok(None)
    }

    /// One fiche for each certification and establishment of a partition.
    async fn grouper(&mut self, partition: usize) -> Result<(), PublicationError> {
        if self.etat.index.fiches.partitions() == 0 {
            // Fiches are sorted by label: their own partitions are cut once a sample of labels is
            // known. Until then they wait in as many partitions as there are groups.
            self.etat.index.fiches = Flux::nouveau("recherche.avant", self.etat.index.groupes.partitions());
        }
        let lue = self.etat.index.groupes.lire(self.kv, &self.generation, partition).await?;
        for (cle, groupe) in lire_groupes(lue.records()).ok_or_else(abime)? {
            let libelle = crate::recherche::mots(&groupe.fiche.libelle).join(" ");
            let code = groupe.fiche.codes.first().map_or(groupe.fiche.uai.as_str(), |c| c.code.as_str());
            // The group itself goes last: a certification may be spread over several records, told apart by it.
            let tri = format!("{}\0{libelle}\0{code}\0{cle}", classe(&groupe.fiche));
            // A diploma may have tens of thousands of courses, each found by its code: what does not fit beside the fiche
            // follows it, without one.
            let mut fiche = groupe.fiche.coder();
            let mut mots = groupe.mots.iter().peekable();
            loop {
                let (mut nombre, mut textes) = (0, Writer::default());
                while let Some(mot) = mots.next_if(|_| textes.0.len() < MOTS_MAX) {
                    self.etat.index.octets_termes += cles_du_mot(mot).map(|c| c.len() as u64 + 10).sum::<u64>();
                    textes.text(mot);
                    nombre += 1;
                }
                let mut writer = Writer::default();
                writer.text(&tri).bytes(&std::mem::take(&mut fiche)).size(nombre);
                writer.0.append(&mut textes.0);
                let index = &mut self.etat.index;
                index.octets_fiches += writer.0.len() as u64;
                index.fiches.ajouter(&mut self.ecrivain, self.numero, partition, &writer.0).await?;
                if mots.peek().is_none() {
                    break;
                }
            }
            self.etat.index.echantillon.ajouter(tri);
            if let Some(nombre) = self.etat.index.classes.get_mut(classe(&groupe.fiche)) {
                *nombre += 1;
            }
        }
        Ok(())
    }

    /// Spreads the fiches over partitions in the order of their labels.
    async fn preparer_les_fiches(&mut self) -> Result<(), PublicationError> {
        let index = &mut self.etat.index;
        let avant = std::mem::take(&mut index.fiches);
        let echantillon = std::mem::take(&mut index.echantillon);
        index.separateurs = echantillon.separateurs(parts(index.octets_fiches));
        index.fiches = Flux::nouveau("recherche.fiches", index.separateurs.len() + 1);
        index.termes = Flux::nouveau("recherche.termes", parts(index.octets_termes));
        let mut debut = 0;
        for nombre in &mut index.classes {
            (*nombre, debut) = (debut, debut + *nombre);
        }
        for partition in 0..avant.partitions() {
            let lue = avant.lire(self.kv, &self.generation, partition).await?;
            for record in lue.records() {
                let tri = Reader(record).text().ok_or_else(abime)?.to_owned();
                let index = &mut self.etat.index;
                let partition = index.separateurs.partition_point(|s| *s <= tri);
                index.fiches.ajouter(&mut self.ecrivain, self.numero, partition, record).await?;
            }
            self.alleger().await?;
        }
        self.vider().await
    }

    /// Pages of fiches, in order, and the words each is found by.
    async fn numeroter(&mut self, partition: usize) -> Result<(), PublicationError> {
        let index = &mut self.etat.index;
        let lue = index.fiches.lire(self.kv, &self.generation, partition).await?;
        let mut fiches: BTreeMap<&str, (&[u8], Vec<&str>)> = BTreeMap::new();
        for record in lue.records() {
            let mut r = Reader(record);
            let mut lire = || {
                let (tri, fiche) = (r.text()?, r.bytes()?);
                let nombre = r.size()?;
                Some((tri, fiche, (0..nombre).map(|_| r.text()).collect::<Option<Vec<_>>>()?))
            };
            let (tri, fiche, mots) = lire().ok_or_else(abime)?;
            let connue = fiches.entry(tri).or_default();
            if !fiche.is_empty() {
                connue.0 = fiche;
            }
            connue.1.extend(mots);
        }
        let mut numero = index.numerotees;
        let mut pages = Pages::nouvelles(FAMILLE_FICHES, &mut index.bornes_fiches, PAGE_LARGE);
        for (fiche, mots) in fiches.into_values() {
            let lue = FicheRecherche::decoder(fiche).map_err(|_| abime())?;
            let premier = mots_utiles(&lue.libelle).into_iter().next().unwrap_or_default();
            // One record for each key: the best accord where several words begin alike.
            let mut cles: BTreeMap<&str, u8> = BTreeMap::new();
            for mot in mots {
                for cle in cles_du_mot(mot) {
                    let exact = if cle == mot { Accord::EXACT } else { 0 };
                    let accord = exact + if mot == premier { Accord::PREMIER } else { 0 };
                    let place = cles.entry(cle).or_default();
                    *place = accord.max(*place);
                }
            }
            for (cle, accord) in cles {
                let mut writer = Writer::default();
                writer.text(cle).size(numero).number(u64::from(accord));
                let p = cle::bundle(cle::hash(cle), index.termes.partitions());
                index.termes.ajouter(&mut self.ecrivain, self.numero, p, &writer.0).await?;
            }
            pages.ajouter(&mut self.ecrivain, numero as u64, numero.to_string(), fiche.to_vec()).await?;
            numero += 1;
            index.entrees_fiches += 1;
        }
        pages.clore(&mut self.ecrivain).await?;
        index.numerotees = numero;
        Ok(())
    }

    async fn paginer_termes(&mut self, partition: usize) -> Result<(), PublicationError> {
        let index = &mut self.etat.index;
        let lue = index.termes.lire(self.kv, &self.generation, partition).await?;
        let mut termes: BTreeMap<(u64, &str), Vec<(usize, Accord)>> = BTreeMap::new();
        for record in lue.records() {
            let mut r = Reader(record);
            let cle = r.text().ok_or_else(abime)?;
            let (numero, accord) = (r.size().ok_or_else(abime)?, r.number().ok_or_else(abime)?);
            let accord = Accord(u8::try_from(accord).unwrap_or_default());
            termes.entry((cle::hash(cle), cle)).or_default().push((numero, accord));
        }
        let mut pages = Pages::nouvelles(FAMILLE_TERMES, &mut index.bornes_termes, PAGE);
        for ((hash, cle), mut ids) in termes {
            ids.sort_unstable();
            ids.truncate(POSTINGS_MAX);
            let mut entree = Postings(ids).coder();
            while entree.len() > POSTINGS_OCTETS {
                let mut moitie = Postings::decoder(&entree).map_err(|_| abime())?;
                moitie.0.truncate(moitie.0.len() / 2);
                entree = moitie.coder();
            }
            index.entrees_termes += 1;
            pages.ajouter(&mut self.ecrivain, hash, cle.to_owned(), entree).await?;
        }
        Ok(pages.clore(&mut self.ecrivain).await?)
    }

    async fn paginer_lieux(&mut self, partition: usize) -> Result<(), PublicationError> {
        let index = &mut self.etat.index;
        let lue = index.lieux.lire(self.kv, &self.generation, partition).await?;
        let mut lieux: BTreeMap<(u64, &str), BTreeSet<Vec<String>>> = BTreeMap::new();
        for record in lue.records() {
            let mut r = Reader(record);
            let cle = r.text().ok_or_else(abime)?;
            let mut ligne = Vec::new();
            while !r.0.is_empty() {
                ligne.push(r.text().ok_or_else(abime)?.to_owned());
            }
            lieux.entry((cle::hash(cle), cle)).or_default().insert(ligne);
        }
        let mut pages = Pages::nouvelles(FAMILLE_LIEUX, &mut index.bornes_lieux, PAGE_LARGE);
        for ((hash, cle), lignes) in lieux {
            index.entrees_lieux += 1;
            let mut lignes = Lieux(lignes.into_iter().take(LIEUX_MAX).collect());
            let mut entree = lignes.coder();
            while entree.len() > VALUE_MAX / 2 {
                lignes.0.truncate(lignes.0.len() / 2);
                entree = lignes.coder();
            }
            pages.ajouter(&mut self.ecrivain, hash, cle.to_owned(), entree).await?;
        }
        Ok(pages.clore(&mut self.ecrivain).await?)
    }

    /// Reads the index again: every page whole, every number a fiche, nothing missing. `true`
    /// once all of it was read; `depart` is where the last call stopped.
    pub(super) async fn verifier_index(&mut self, depart: usize) -> Result<bool, PublicationError> {
        let lu = super::lire_long(self.kv, &self.generation, FAMILLE_PLAN, 0, 1).await?;
        let plan = PlanRecherche::decoder(&lu).map_err(|_| abime())?;
        if plan != self.etat.index.plan() {
            return Err(abime().into());
        }
        let familles = [
            (FAMILLE_FICHES, plan.fiches.len()),
            (FAMILLE_TERMES, plan.termes.len()),
            (FAMILLE_LIEUX, plan.lieux.len()),
        ];
        let pages = familles.into_iter().flat_map(|(famille, nombre)| (0..nombre).map(move |n| (famille, n)));
        for (rang, (famille, n)) in pages.enumerate().skip(depart) {
            let key = cle::valeur(&self.generation, famille, n);
            let manque = || StoreError::Damaged(key.clone());
            let valeur = self.kv.get(&key).await?.ok_or_else(manque)?;
            let entrees = bundle::entries(&valeur).map_err(|_| manque())?;
            let index = &mut self.etat.index;
            let compte = match famille {
                FAMILLE_FICHES => &mut index.entrees_fiches,
                FAMILLE_TERMES => &mut index.entrees_termes,
                _ => &mut index.entrees_lieux,
            };
            // What was counted when it was built must be found: to zero over the whole family.
            *compte = compte.checked_sub(entrees.len() as u64).ok_or_else(manque)?;
            for (_, entree) in entrees {
                let entier = match famille {
                    FAMILLE_FICHES => FicheRecherche::decoder(entree).is_ok(),
                    FAMILLE_TERMES => {
                        let total = plan.total();
                        Postings::decoder(entree).is_ok_and(|p| p.0.iter().all(|(numero, _)| *numero < total))
                    }
                    _ => Lieux::decoder(entree).is_ok(),
                };
                if !entier {
                    return Err(manque().into());
                }
            }
            if !self.a_le_temps() {
                self.etat.curseur.1 = rang + 1;
                return Ok(false);
            }
        }
        let index = &self.etat.index;
        if index.entrees_fiches + index.entrees_termes + index.entrees_lieux > 0 {
            return Err(abime().into());
        }
        Ok(true)
    }
}
