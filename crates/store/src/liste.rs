//! Lists: every row of a maille in two published orders, and what turns a filter into ranges.
//!
//! | order | rows sorted by | serves |
//! | --- | --- | --- |
//! | [`Ordre::Lieux`] | millesime, univers, region, academie, UAI, filiere, code | everything without a code filter; UAI filters with or without codes |
//! | [`Ordre::Codes`] | code, then as above | code filters |
//!
//! Both are stored as rendered rows in segments of a fixed number of rows, so the segment of a
//! row is a division, and a deep page costs what the first one does. Every facet but the code is a
//! range of the first order: the plan ([`Plan`]) holds those ranges, one for each combination of
//! millesime, univers, region and academie there is; it grows with the number of academies, not
//! of rows. Entries for one code ([`EntreeCode`]) and one UAI ([`EntreeUai`]) lie in pages found
//! by the fences of the plan.

use crate::bundle::Damaged;
use crate::codec::{self, Reader, Writer};
use crate::kv::{KeyValue, StoreError};
use crate::{cle, suite};
use domain::Univers;
use domain::date::Instant;

/// Rows in a JSON segment, at most: some 100 KB. A list has half of bare-get's rate to keep and a document nine tenths, so
/// lists take fewer, longer values, and the writes that this saves make the bundles smaller.
pub const LIGNES_JSON: usize = 96;
/// Rows in a CSV segment, at most: some 100 KB.
pub const LIGNES_CSV: usize = 512;

/// The two published orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ordre {
    /// By place: millesime, univers, region, academie, UAI, filiere, code.
    Lieux,
    /// By code first.
    Codes,
}

impl Ordre {
    /// Both.
    pub const TOUS: [Self; 2] = [Self::Lieux, Self::Codes];

    /// Its part of the key.
    #[must_use]
    pub fn nom(self) -> &'static str {
        match self {
            Self::Lieux => "lieux",
            Self::Codes => "codes",
        }
    }
}

/// The forms rows are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Rows of JSON lists and of NDJSON.
    Json,
    /// Rows of CSV exports.
    Csv,
}

/// The family of the segments of a list.
#[must_use]
pub fn famille(liste: &str, ordre: Ordre, format: Format) -> String {
    let format = match format {
        Format::Json => "json",
        Format::Csv => "csv",
    };
    format!("liste.{liste}.{}.{format}", ordre.nom())
}

/// The family of the plan of a list (one value).
#[must_use]
pub fn famille_plan(liste: &str) -> String {
    format!("plan.{liste}")
}

/// The family of the pages of codes.
#[must_use]
pub fn famille_codes(liste: &str) -> String {
    format!("codes.{liste}")
}

/// The family of the pages of UAIs.
#[must_use]
pub fn famille_uais(liste: &str) -> String {
    format!("uais.{liste}")
}

/// A JSON row: two pieces around what depends on the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ligne {
    /// When the course closes; `None` never.
    pub fermeture: Option<Instant>,
    /// From `{` up to the value of `formation_fermee`, or the whole row where `suite` is empty.
    pub debut: Vec<u8>,
    /// What follows that value.
    pub suite: Vec<u8>,
}

impl Ligne {
    /// The stored form.
    pub fn coder(&self, writer: &mut Writer) {
        writer.instant(self.fermeture).bytes(&self.debut).bytes(&self.suite);
    }
}

/// Writes a JSON row as it is sent.
pub fn ecrire_ligne(out: &mut Vec<u8>, ligne: &[u8], maintenant: Instant) -> Result<(), Damaged> {
    let mut reader = Reader(ligne);
    let pieces = (|| Some((reader.instant()?, reader.bytes()?, reader.bytes()?)))().ok_or(Damaged)?;
    out.extend_from_slice(pieces.1);
    if !pieces.2.is_empty() {
        out.extend_from_slice(crate::fiche::est_fermee(pieces.0, || maintenant));
        out.extend_from_slice(pieces.2);
    }
    Ok(())
}

/// Rows under one checksum: an answer of ten rows of JSON verifies those and a few more, a CSV most of a segment.
#[must_use]
pub fn bloc(format: Format) -> usize {
    match format {
        Format::Json => 4,
        Format::Csv => 64,
    }
}

/// Where the payload of a segment begins: sum of the rest of the head, rows, rows under one checksum.
const TETE: usize = 12;

/// Packs the rows of a segment, with a checksum for every `bloc` of them.
///
/// ```text
/// sum of what stands before the payload (4) | rows (4) | rows of a block (4)
/// per row: its end in the payload (4) | per block: its sum (4) | payload
/// ```
#[must_use]
pub fn pack(lignes: &[Vec<u8>], bloc: usize) -> Vec<u8> {
    let u32_de = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let bloc = bloc.max(1);
    let payload = lignes.concat();
    let mut segment = vec![0; 4];
    segment.extend([u32_de(lignes.len()), u32_de(bloc)].concat());
    let (mut fin, mut debut) = (0, 0);
    let mut sommes = Vec::new();
    for blocs in lignes.chunks(bloc) {
        for ligne in blocs {
            fin += ligne.len();
            segment.extend(u32_de(fin));
        }
        sommes.extend(codec::somme(payload.get(debut..fin).unwrap_or_default()).to_le_bytes());
        debut = fin;
    }
    segment.append(&mut sommes);
    let somme = codec::somme(segment.get(4..).unwrap_or_default());
    segment.splice(..4, somme.to_le_bytes());
    segment.extend(payload);
    segment
}

/// The rows `de .. de + nombre` of a segment, no others verified.
///
/// # Errors
/// [`Damaged`] where a checksum fails or a row is not there.
pub fn lignes(segment: &[u8], de: usize, nombre: usize) -> Result<Vec<&[u8]>, Damaged> {
    lire_lignes(segment, |_| (de, nombre)).ok_or(Damaged)
}

/// All rows of a segment.
///
/// # Errors
/// [`Damaged`] where a checksum fails.
pub fn unpack(segment: &[u8]) -> Result<Vec<&[u8]>, Damaged> {
    lire_lignes(segment, |rows| (0, rows)).ok_or(Damaged)
}

fn u32_a(bytes: &[u8], rang: usize) -> Option<usize> {
    let bytes = bytes.get(rang * 4..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

fn lire_lignes(segment: &[u8], voulues: impl FnOnce(usize) -> (usize, usize)) -> Option<Vec<&[u8]>> {
    let (nombre, bloc) = (u32_a(segment, 1)?, u32_a(segment, 2).filter(|bloc| *bloc > 0)?);
    let tables = nombre.checked_add(nombre.div_ceil(bloc))?.checked_mul(4)?;
    let (tete, payload) = segment.split_at_checked(TETE.checked_add(tables)?)?;
    let somme_lue = |bytes: &[u8], attendue: usize| usize::try_from(codec::somme(bytes)).ok() == Some(attendue);
    if !somme_lue(tete.get(4..)?, u32_a(tete, 0)?) {
        return None;
    }
    let (fins, sommes) = tete.get(TETE..)?.split_at_checked(nombre.checked_mul(4)?)?;
    let debut = |rang: usize| if rang == 0 { Some(0) } else { u32_a(fins, rang - 1) };
    let (de, combien) = voulues(nombre);
    let jusque = de.checked_add(combien).filter(|jusque| *jusque <= nombre)?;
    if payload.len() != debut(nombre)? {
        return None;
    }
    for b in de / bloc..jusque.div_ceil(bloc) {
        let octets = payload.get(debut(b * bloc)?..debut((b + 1).saturating_mul(bloc).min(nombre))?)?;
        if !somme_lue(octets, u32_a(sommes, b)?) {
            return None;
        }
    }
    (de..jusque).map(|rang| payload.get(debut(rang)?..debut(rang + 1)?)).collect()
}

/// A run of rows that share millesime, univers, region and academie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plage {
    /// As published.
    pub millesime: String,
    /// Secondary or higher education.
    pub univers: Univers,
    /// INSEE code; empty on the national maille.
    pub region: String,
    /// Empty but on establishments.
    pub academie: String,
    /// The first row, counted from 0 in its order.
    pub debut: usize,
    /// How many.
    pub nombre: usize,
}

impl Plage {
    fn coder(&self, writer: &mut Writer) {
        writer.text(&self.millesime).number(u64::from(self.univers == Univers::Superieur));
        writer.text(&self.region).text(&self.academie).size(self.debut).size(self.nombre);
    }

    fn decoder(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            millesime: reader.text()?.into(),
            univers: if reader.number()? == 1 { Univers::Superieur } else { Univers::Secondaire },
            region: reader.text()?.into(),
            academie: reader.text()?.into(),
            debut: reader.size()?,
            nombre: reader.size()?,
        })
    }

    /// Whether the next row of an order belongs to this run.
    #[must_use]
    pub fn accueille(&self, ligne: &CleLigne) -> bool {
        self.millesime == ligne.millesime
            && self.univers == ligne.univers
            && self.region == ligne.region
            && self.academie == ligne.academie
    }

    /// The run that a row starts.
    #[must_use]
    pub fn nouvelle(ligne: &CleLigne, debut: usize) -> Self {
        Self {
            millesime: ligne.millesime.clone(),
            univers: ligne.univers,
            region: ligne.region.clone(),
            academie: ligne.academie.clone(),
            debut,
            nombre: 0,
        }
    }
}

/// What a row is sorted and filtered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleLigne {
    /// As published.
    pub millesime: String,
    /// Secondary or higher education.
    pub univers: Univers,
    /// INSEE code, or empty.
    pub region: String,
    /// Or empty.
    pub academie: String,
    /// Or empty.
    pub uai: String,
    /// As published.
    pub filiere: String,
    /// Without prefix.
    pub code: String,
}

impl CleLigne {
    /// The bytes that rows are compared by.
    #[must_use]
    pub fn tri(&self, ordre: Ordre) -> Vec<u8> {
        let univers = if self.univers == Univers::Superieur { "1" } else { "0" };
        let lieux = [self.millesime.as_str(), univers, &self.region, &self.academie, &self.uai, &self.filiere];
        let code = self.code.as_str();
        match ordre {
            Ordre::Lieux => [lieux.as_slice(), &[code]].concat().join("\0").into_bytes(),
            Ordre::Codes => [&[code], lieux.as_slice()].concat().join("\0").into_bytes(),
        }
    }

    /// Reads back what [`Self::tri`] wrote.
    #[must_use]
    pub fn lire(tri: &[u8], ordre: Ordre) -> Option<Self> {
        let texte = std::str::from_utf8(tri).ok()?;
        let mut champs: Vec<&str> = texte.split('\0').collect();
        if ordre == Ordre::Codes {
            champs.rotate_left(1);
        }
        let [millesime, univers, region, academie, uai, filiere, code] = champs.try_into().ok()?;
        let own = str::to_owned;
        Some(Self {
            millesime: own(millesime),
            univers: if univers == "1" { Univers::Superieur } else { Univers::Secondaire },
            region: own(region),
            academie: own(academie),
            uai: own(uai),
            filiere: own(filiere),
            code: own(code),
        })
    }
}

/// What a reader needs to know of a list before its first segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Rows in all.
    pub total: usize,
    /// Rows in a JSON segment.
    pub lignes_json: usize,
    /// Rows in a CSV segment.
    pub lignes_csv: usize,
    /// The header row of the CSV, line end included.
    pub entete_csv: String,
    /// The runs of [`Ordre::Lieux`].
    pub plages: Vec<Plage>,
    /// The first code of each page of codes.
    pub pages_codes: Vec<String>,
    /// The first UAI of each page of UAIs.
    pub pages_uais: Vec<String>,
}

impl Plan {
    /// The stored form.
    #[must_use]
    pub fn coder(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.size(self.total).size(self.lignes_json).size(self.lignes_csv).text(&self.entete_csv);
        writer.size(self.plages.len());
        for plage in &self.plages {
            plage.coder(&mut writer);
        }
        for pages in [&self.pages_codes, &self.pages_uais] {
            writer.size(pages.len());
            for premiere in pages {
                writer.text(premiere);
            }
        }
        writer.0
    }

    /// The plan of a list. It lies in one value, and goes on in others where its runs are too many for one.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it is not whole, else those of the store.
    pub async fn lire<K: KeyValue>(kv: &K, generation: &str, liste: &str) -> Result<Self, StoreError> {
        let famille = famille_plan(liste);
        let key = cle::valeur(generation, &famille, 0);
        let abime = || StoreError::Damaged(key.clone());
        let valeur = kv.get(&key).await?.ok_or_else(abime)?;
        let debut = unpack(&valeur).ok().and_then(|l| l.first().map(|l| l.to_vec())).ok_or_else(abime)?;
        let entier = suite::entiere(kv, generation, &famille, debut).await?;
        Self::decoder(&entier).map_err(|Damaged| abime())
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decoder(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(bytes);
        let mut lire = || {
            let mut plan = Self {
                total: reader.size()?,
                lignes_json: reader.size()?.max(1),
                lignes_csv: reader.size()?.max(1),
                entete_csv: reader.text()?.into(),
                ..Self::default()
            };
            let count = reader.size()?;
            plan.plages = (0..count).map(|_| Plage::decoder(&mut reader)).collect::<Option<_>>()?;
            for pages in [&mut plan.pages_codes, &mut plan.pages_uais] {
                let count = reader.size()?;
                *pages = (0..count).map(|_| reader.text().map(Into::into)).collect::<Option<_>>()?;
            }
            Some(plan)
        };
        lire().ok_or(Damaged)
    }

    /// The rows that pass a filter without codes and UAIs. Runs lie sorted by millesime and univers first: those that
    /// are not asked for are passed over together, and where no place is asked for the others are one range.
    #[must_use]
    pub fn choisir(&self, filtre: &Filtre) -> Selection {
        let mut selection = Selection { ordre: Ordre::Lieux, plages: Vec::new() };
        let mut reste = self.plages.as_slice();
        while let Some(premiere) = reste.first() {
            let meme = |p: &Plage| p.univers == premiere.univers && p.millesime == premiere.millesime;
            let (groupe, suite) = reste.split_at(reste.partition_point(meme));
            reste = suite;
            if !filtre.accepte_annee(premiere) {
                continue;
            }
            match groupe.last() {
                Some(derniere) if filtre.regions.is_empty() && filtre.academies.is_empty() => {
                    selection.ajouter(premiere.debut, derniere.debut + derniere.nombre - premiere.debut);
                }
                _ => {
                    for plage in groupe.iter().filter(|p| filtre.accepte_lieu(p)) {
                        selection.ajouter(plage.debut, plage.nombre);
                    }
                }
            }
        }
        selection
    }

    /// Rows in a segment of a format.
    #[must_use]
    pub fn lignes(&self, format: Format) -> usize {
        match format {
            Format::Json => self.lignes_json,
            Format::Csv => self.lignes_csv,
        }
    }
}

/// The page that holds a key, by the first key of each page.
#[must_use]
pub fn page(premieres: &[String], cle: &str) -> Option<usize> {
    premieres.partition_point(|p| p.as_str() <= cle).checked_sub(1)
}

/// The rows of one code, in [`Ordre::Codes`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntreeCode(pub Vec<Plage>);

impl EntreeCode {
    /// The stored form.
    #[must_use]
    pub fn coder(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for plage in &self.0 {
            plage.coder(&mut writer);
        }
        writer.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decoder(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(bytes);
        let mut plages = Vec::new();
        while !reader.0.is_empty() {
            plages.push(Plage::decoder(&mut reader).ok_or(Damaged)?);
        }
        Ok(Self(plages))
    }
}

/// The rows of one UAI, in [`Ordre::Lieux`]: runs of consecutive rows, with the code of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntreeUai(pub Vec<(Plage, Vec<String>)>);

impl EntreeUai {
    /// Adds the next row of this UAI.
    pub fn ajouter(&mut self, ligne: &CleLigne, rang: usize) {
        match self.0.last_mut() {
            Some((plage, codes)) if plage.accueille(ligne) && plage.debut + plage.nombre == rang => {
                plage.nombre += 1;
                codes.push(ligne.code.clone());
            }
            _ => {
                let plage = Plage { nombre: 1, ..Plage::nouvelle(ligne, rang) };
                self.0.push((plage, vec![ligne.code.clone()]));
            }
        }
    }

    /// The stored form.
    #[must_use]
    pub fn coder(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        for (plage, codes) in &self.0 {
            plage.coder(&mut writer);
            for code in codes {
                writer.text(code);
            }
        }
        writer.0
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`] where it is not whole.
    pub fn decoder(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(bytes);
        let mut runs = Vec::new();
        while !reader.0.is_empty() {
            let plage = Plage::decoder(&mut reader).ok_or(Damaged)?;
            let codes = (0..plage.nombre).map(|_| reader.text().map(Into::into)).collect::<Option<_>>();
            runs.push((plage, codes.ok_or(Damaged)?));
        }
        Ok(Self(runs))
    }
}

/// What a list is asked for. Empty lists do not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filtre {
    /// Spellings as stored, each optionally for one univers only.
    pub millesimes: Vec<(String, Option<Univers>)>,
    /// INSEE codes.
    pub regions: Vec<String>,
    /// Codes of academies.
    pub academies: Vec<String>,
    /// Establishments.
    pub uais: Vec<String>,
    /// Certifications, without prefix.
    pub codes: Vec<String>,
}

impl Filtre {
    /// Whether the rows of a run pass, its UAI and code aside.
    #[must_use]
    pub fn accepte(&self, plage: &Plage) -> bool {
        self.accepte_annee(plage) && self.accepte_lieu(plage)
    }

    fn accepte_annee(&self, plage: &Plage) -> bool {
        let meme = |(m, univers): &(String, Option<Univers>)| {
            univers.is_none_or(|u| u == plage.univers) && *m == plage.millesime
        };
        self.millesimes.is_empty() || self.millesimes.iter().any(meme)
    }

    fn accepte_lieu(&self, plage: &Plage) -> bool {
        let dans = |liste: &[String], valeur: &str| liste.is_empty() || liste.iter().any(|v| v == valeur);
        dans(&self.regions, &plage.region) && dans(&self.academies, &plage.academie)
    }
}

/// Rows that pass a filter: ranges of an order, in the order of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The order the ranges count in.
    pub ordre: Ordre,
    /// First row and number of rows.
    pub plages: Vec<(usize, usize)>,
}

impl Selection {
    /// Rows in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.plages.iter().map(|(_, nombre)| nombre).sum()
    }

    /// Appends a range, joined to the one before where they touch.
    pub fn ajouter(&mut self, debut: usize, nombre: usize) {
        match self.plages.last_mut() {
            Some((d, n)) if *d + *n == debut => *n += nombre,
            _ => self.plages.push((debut, nombre)),
        }
    }

    /// The slices of segments that hold rows `sauter .. sauter + prendre` of the answer.
    #[must_use]
    pub fn tranches(&self, mut sauter: usize, mut prendre: usize, lignes: usize) -> Vec<Tranche> {
        let lignes = lignes.max(1);
        let mut tranches = Vec::new();
        for &(debut, nombre) in &self.plages {
            let saute = sauter.min(nombre);
            sauter -= saute;
            let (mut rang, fin) = (debut + saute, debut + saute + (nombre - saute).min(prendre));
            prendre -= fin - rang;
            while rang < fin {
                let segment = rang / lignes;
                let jusque = fin.min((segment + 1) * lignes);
                tranches.push(Tranche { segment, de: rang % lignes, nombre: jusque - rang });
                rang = jusque;
            }
            if prendre == 0 {
                break;
            }
        }
        tranches
    }
}

/// Consecutive rows of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tranche {
    /// The segment.
    pub segment: usize,
    /// The first row in it.
    pub de: usize,
    /// How many.
    pub nombre: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cle(millesime: &str, region: &str, code: &str) -> CleLigne {
        CleLigne {
            millesime: millesime.into(),
            univers: Univers::Secondaire,
            region: region.into(),
            academie: String::new(),
            uai: "0750652B".into(),
            filiere: "pro".into(),
            code: code.into(),
        }
    }

    #[test]
    fn sort_keys_come_back_in_both_orders() {
        let ligne = cle("2018_2019", "11", "12345678");
        for ordre in Ordre::TOUS {
            assert_eq!(CleLigne::lire(&ligne.tri(ordre), ordre), Some(ligne.clone()));
        }
    }

    #[test]
    fn a_plan_comes_back_and_its_fences_lead_to_pages() {
        let plan = Plan {
            total: 3,
            lignes_json: 64,
            lignes_csv: 512,
            entete_csv: "a;b\n".into(),
            plages: vec![Plage { nombre: 3, ..Plage::nouvelle(&cle("2019", "11", "1"), 0) }],
            pages_codes: vec!["B".into(), "M".into()],
            pages_uais: Vec::new(),
        };
        assert_eq!(Plan::decoder(&plan.coder()), Ok(plan.clone()));
        let pages: Vec<_> = ["A", "B", "L", "M", "Z"].iter().map(|c| page(&plan.pages_codes, c)).collect();
        assert_eq!(pages, [None, Some(0), Some(0), Some(1), Some(1)]);
    }

    #[test]
    fn entries_come_back() {
        let mut uai = EntreeUai::default();
        for (rang, code) in [(4, "1"), (5, "2"), (9, "3")] {
            uai.ajouter(&cle("2019", "11", code), rang);
        }
        assert_eq!(uai.0.len(), 2, "rows that follow each other are one run");
        assert_eq!(EntreeUai::decoder(&uai.coder()), Ok(uai.clone()));
        let code = EntreeCode(uai.0.into_iter().map(|(plage, _)| plage).collect());
        assert_eq!(EntreeCode::decoder(&code.coder()), Ok(code));
    }

    proptest! {
        #[test]
        fn pages_meet_each_row_once_in_order(plages in proptest::collection::vec((0usize..40, 1usize..30), 0..8), par_page in 1usize..20, lignes in 1usize..16) {
            let mut selection = Selection { ordre: Ordre::Lieux, plages: Vec::new() };
            let mut debut = 0;
            for (trou, nombre) in plages {
                debut += trou;
                selection.ajouter(debut, nombre);
                debut += nombre;
            }
            let attendu: Vec<usize> = selection.plages.iter().flat_map(|&(d, n)| d..d + n).collect();
            let mut lus = Vec::new();
            for page in 0..=selection.total() / par_page {
                for t in selection.tranches(page * par_page, par_page, lignes) {
                    prop_assert!(t.de + t.nombre <= lignes);
                    lus.extend((0..t.nombre).map(|i| t.segment * lignes + t.de + i));
                }
            }
            prop_assert_eq!(lus, attendu);
        }

        #[test]
        fn a_plan_chooses_the_rows_that_pass_one_by_one(
            tailles in proptest::collection::btree_map((0u8..4, any::<bool>(), 0u8..3, 0u8..2), 1usize..5, 0..20),
            millesimes in proptest::collection::vec((0u8..4, proptest::option::of(any::<bool>())), 0..3),
            regions in proptest::collection::vec(0u8..3, 0..2),
            academies in proptest::collection::vec(0u8..2, 0..2),
        ) {
            let univers = |superieur: bool| if superieur { Univers::Superieur } else { Univers::Secondaire };
            let mut plan = Plan::default();
            for ((millesime, superieur, region, academie), nombre) in tailles {
                let (millesime, region, academie) = (millesime.to_string(), region.to_string(), academie.to_string());
                plan.plages.push(Plage { millesime, univers: univers(superieur), region, academie, debut: plan.total, nombre });
                plan.total += nombre;
            }
            let filtre = Filtre {
                millesimes: millesimes.into_iter().map(|(m, u)| (m.to_string(), u.map(univers))).collect(),
                regions: regions.iter().map(u8::to_string).collect(),
                academies: academies.iter().map(u8::to_string).collect(),
                ..Filtre::default()
            };
            let mut attendue = Selection { ordre: Ordre::Lieux, plages: Vec::new() };
            for plage in plan.plages.iter().filter(|p| filtre.accepte(p)) {
                attendue.ajouter(plage.debut, plage.nombre);
            }
            prop_assert_eq!(plan.choisir(&filtre), attendue);
        }

        #[test]
        fn segments_come_back_and_damage_is_a_fault(rows: Vec<Vec<u8>>, bloc in 1usize..6, de in 0usize..8, nombre in 0usize..8, at: prop::sample::Index, flip in 1u8..) {
            let mut segment = pack(&rows, bloc);
            prop_assert_eq!(unpack(&segment).unwrap(), rows.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let voulues: Option<Vec<&[u8]>> = rows.get(de..de + nombre).map(|v| v.iter().map(Vec::as_slice).collect());
            prop_assert_eq!(lignes(&segment, de, nombre).ok(), voulues.clone());
            let at = at.index(segment.len());
            segment[at] ^= flip;
            prop_assert_eq!(unpack(&segment), Err(Damaged));
            // Damage elsewhere is passed by; these rows are as they were, or a fault.
            if let Ok(lues) = lignes(&segment, de, nombre) {
                prop_assert_eq!(Some(lues), voulues);
            }
            segment.pop();
            prop_assert_eq!(unpack(&segment), Err(Damaged));
        }
    }
}
