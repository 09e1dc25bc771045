//! Building a list: rows come in sorted, segments, pages and runs go out.

use super::ecrivain::Ecrivain;
use crate::bundle;
use crate::codec::{Reader, Writer};
use crate::fiche::{Forme, Version};
use crate::kv::{KeyValueWrite, StoreError};
use crate::liste::{self, CleLigne, EntreeCode, Format, Ligne, Ordre, Plage, Plan};
use crate::suite::ENTREE_MAX;
use domain::declaree::CHAMP_LIEU;
use domain::{Document, DocumentPublie, Maille, date, indicateur};
use serde_json::Value;

/// A page of codes or UAIs is closed at this size.
pub(super) const PAGE_MIN: usize = 24 * 1024;

/// A row on its way into a list.
pub(super) struct Rangee {
    pub cle: CleLigne,
    /// The coded [`Ligne`].
    pub json: Vec<u8>,
    pub csv: Vec<u8>,
}

impl Rangee {
    /// The row of a published statistic.
    pub fn statistique(
        maille: Maille,
        cle: CleLigne,
        publie: &DocumentPublie,
        version: &Version,
        ajoutes: &[String],
    ) -> Self {
        let mut debut = version.corps().to_vec();
        if let Some(terminales) = &version.terminales {
            debut.extend_from_slice(b",\"certificationsTerminales\":");
            debut.extend_from_slice(&terminales.json);
        }
        debut.extend_from_slice(b",\"formation_fermee\":");
        let ligne = Ligne { fermeture: version.fermeture, debut, suite: version.queue(Forme::Rangee) };
        let mut writer = Writer::default();
        ligne.coder(&mut writer);
        Self { cle, json: writer.0, csv: ligne_csv(maille, publie.as_document(), ajoutes) }
    }

    /// The row of a code of the nomenclature.
    pub fn bcn(document: &Document) -> Self {
        let texte = |champ: &str| document.get(champ).and_then(Value::as_str).unwrap_or_default();
        let mut objet = document.clone();
        for (champ, valeur) in &mut objet {
            if champ.starts_with("date_")
                && let Some(instant) = date::lire_valeur(valeur).filter(|_| valeur.is_object())
            {
                *valeur = date::ecrire_iso(instant).into();
            }
        }
        let mut writer = Writer::default();
        let debut = serde_json::to_vec(&objet).unwrap_or_default();
        Ligne { fermeture: None, debut, suite: Vec::new() }.coder(&mut writer);
        let diplome =
            document.get("diplome").and_then(|d| d.get("libelle")).and_then(Value::as_str).unwrap_or_default();
        let ouverture =
            document.get("date_ouverture").and_then(date::lire_valeur).map(date::ecrire_paris).unwrap_or_default();
        let champs = [
            texte("code_certification"),
            texte("type"),
            texte("code_formation_diplome"),
            texte("libelle"),
            texte("libelle_long"),
            diplome,
            &ouverture,
            "",
            texte("date_premiere_session"),
            texte("date_derniere_session"),
        ];
        Self {
            cle: CleLigne {
                millesime: String::new(),
                univers: domain::Univers::Secondaire,
                region: String::new(),
                academie: String::new(),
                uai: String::new(),
                filiere: String::new(),
                code: texte("code_certification").to_owned(),
            },
            json: writer.0,
            csv: joindre(champs.iter().map(|c| citer(c))),
        }
    }

    /// The record of a sorting stream.
    pub fn coder(&self, ordre: Ordre) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(&self.cle.tri(ordre)).bytes(&self.json).bytes(&self.csv);
        writer.0
    }
}

/// The columns of the nomenclature.
const COLONNES_BCN: &str = "code_certification;type;code_formation_diplome;libelle;libelle_long;diplome_libelle;date_ouverture;date_fermerture;date_premiere_session;date_derniere_session\n";

/// The columns before the statistics: the place where there is one, then the certification.
fn colonnes_fixes(maille: Maille) -> impl Iterator<Item = &'static str> {
    let lieu: &[&str] = match maille {
        Maille::Nationale => &[],
        Maille::Regionale => &["region"],
        Maille::Etablissement => &["uai", "uai_type", "uai_donnee", "uai_donnee_type"],
        Maille::Declaree => &[CHAMP_LIEU],
    };
    let certification = [
        "code_certification",
        "code_formation_diplome",
        "filiere",
        "millesime",
        "donnee_source_type",
        "donnee_source_code_certification",
    ];
    lieu.iter().copied().chain(certification)
}

/// The header row of a CSV; `None` for the nomenclature.
pub(super) fn entete_csv(maille: Option<Maille>, ajoutes: &[String]) -> String {
    let Some(maille) = maille else { return COLONNES_BCN.to_owned() };
    let statistiques = indicateur::colonnes(maille == Maille::Nationale, ajoutes);
    let mut colonnes: Vec<&str> = colonnes_fixes(maille).collect();
    colonnes.extend(statistiques);
    colonnes.join(";") + "\n"
}

fn ligne_csv(maille: Maille, document: &Document, ajoutes: &[String]) -> Vec<u8> {
    let fixes = colonnes_fixes(maille).map(|colonne| {
        let valeur = match colonne {
            "region" => document.get("region").and_then(|r| r.get("nom")),
            "donnee_source_type" => document.get("donnee_source").and_then(|s| s.get("type")),
            "donnee_source_code_certification" => {
                document.get("donnee_source").and_then(|s| s.get("code_certification"))
            }
            champ => document.get(champ),
        };
        cellule(valeur)
    });
    let statistiques = indicateur::colonnes(maille == Maille::Nationale, ajoutes);
    joindre(fixes.chain(statistiques.into_iter().map(|champ| cellule(document.get(champ)))))
}

/// A hidden value is written `null`, an unknown one is empty.
fn cellule(valeur: Option<&Value>) -> String {
    match valeur {
        None => String::new(),
        Some(Value::String(texte)) => citer(texte),
        Some(autre) => citer(&autre.to_string()),
    }
}

/// Quotes a cell where the separator, a quote or a line end would break its row.
fn citer(texte: &str) -> String {
    if texte.contains([';', '"', '\n', '\r']) {
        format!("\"{}\"", texte.replace('"', "\"\""))
    } else {
        texte.to_owned()
    }
}

fn joindre(cellules: impl Iterator<Item = String>) -> Vec<u8> {
    let mut ligne = cellules.collect::<Vec<_>>().join(";").into_bytes();
    ligne.push(b'\n');
    ligne
}

/// Builds the segments and pages of one order of one list, row after row.
pub(super) struct Constructeur {
    liste: String,
    ordre: Ordre,
    pub total: usize,
    lignes_json: usize,
    lignes_csv: usize,
    json: Vec<Vec<u8>>,
    csv: Vec<Vec<u8>>,
    /// Runs of the whole order ([`Ordre::Lieux`]) or of the present code ([`Ordre::Codes`]).
    plages: Vec<Plage>,
    code: String,
    page: Vec<(String, Vec<u8>)>,
    octets_page: usize,
    pages: Vec<String>,
    /// The next value of an entry that does not fit into a page.
    suite: usize,
}

impl Constructeur {
    pub fn nouveau(liste: &str, ordre: Ordre, max_json: usize, max_csv: usize) -> Self {
        // A segment of the longest rows must still fit into a value; rows are some 1 KB.
        let place = crate::kv::VALUE_MAX - 64;
        let tient = |max: usize, voulu: usize| (place / (max + 4).max(1)).clamp(1, voulu);
        Self {
            liste: liste.to_owned(),
            ordre,
            total: 0,
            lignes_json: tient(max_json, liste::LIGNES_JSON),
            lignes_csv: tient(max_csv, liste::LIGNES_CSV),
            json: Vec::new(),
            csv: Vec::new(),
            plages: Vec::new(),
            code: String::new(),
            page: Vec::new(),
            octets_page: 0,
            pages: Vec::new(),
            suite: 0,
        }
    }

    /// Adds the next row; its rank.
    pub async fn ajouter<K: KeyValueWrite>(
        &mut self,
        ecrivain: &mut Ecrivain<'_, K>,
        cle: &CleLigne,
        json: &[u8],
        csv: &[u8],
    ) -> Result<usize, StoreError> {
        let rang = self.total;
        if self.ordre == Ordre::Codes && cle.code != self.code {
            self.clore_code(ecrivain).await?;
            self.code.clone_from(&cle.code);
        }
        match self.plages.last_mut() {
            Some(plage) if plage.accueille(cle) => plage.nombre += 1,
            _ => self.plages.push(Plage { nombre: 1, ..Plage::nouvelle(cle, rang) }),
        }
        self.total += 1;
        self.json.push(json.to_vec());
        self.csv.push(csv.to_vec());
        if self.json.len() == self.lignes_json {
            self.segment(ecrivain, Format::Json).await?;
        }
        if self.csv.len() == self.lignes_csv {
            self.segment(ecrivain, Format::Csv).await?;
        }
        Ok(rang)
    }

    async fn segment<K: KeyValueWrite>(
        &mut self,
        ecrivain: &mut Ecrivain<'_, K>,
        format: Format,
    ) -> Result<(), StoreError> {
        let (lignes, par_segment) = match format {
            Format::Json => (&mut self.json, self.lignes_json),
            Format::Csv => (&mut self.csv, self.lignes_csv),
        };
        if lignes.is_empty() {
            return Ok(());
        }
        let n = (self.total - 1) / par_segment;
        let valeur = liste::pack(&std::mem::take(lignes), liste::bloc(format));
        ecrivain.poser(&liste::famille(&self.liste, self.ordre, format), n, valeur).await
    }

    async fn clore_code<K: KeyValueWrite>(&mut self, ecrivain: &mut Ecrivain<'_, K>) -> Result<(), StoreError> {
        if self.ordre == Ordre::Codes && !self.plages.is_empty() {
            let entree = EntreeCode(std::mem::take(&mut self.plages)).coder();
            let famille = liste::famille_codes(&self.liste);
            let entree = ecrivain.poser_suite(&famille, &mut self.suite, entree, ENTREE_MAX).await?;
            self.octets_page += entree.len();
            self.page.push((std::mem::take(&mut self.code), entree));
            if self.octets_page >= PAGE_MIN {
                self.clore_page(ecrivain).await?;
            }
        }
        Ok(())
    }

    async fn clore_page<K: KeyValueWrite>(&mut self, ecrivain: &mut Ecrivain<'_, K>) -> Result<(), StoreError> {
        if let Some((premiere, _)) = self.page.first() {
            self.pages.push(premiere.clone());
            let page = bundle::pack(std::mem::take(&mut self.page));
            self.octets_page = 0;
            ecrivain.poser(&liste::famille_codes(&self.liste), self.pages.len() - 1, page).await?;
        }
        Ok(())
    }

    /// Writes what is left, and what the plan needs to know of this order.
    pub async fn finir<K: KeyValueWrite>(
        mut self,
        ecrivain: &mut Ecrivain<'_, K>,
        plan: &mut Plan,
    ) -> Result<(), StoreError> {
        self.segment(ecrivain, Format::Json).await?;
        self.segment(ecrivain, Format::Csv).await?;
        self.clore_code(ecrivain).await?;
        self.clore_page(ecrivain).await?;
        plan.total = self.total;
        plan.lignes_json = self.lignes_json;
        plan.lignes_csv = self.lignes_csv;
        match self.ordre {
            Ordre::Lieux => plan.plages = self.plages,
            Ordre::Codes => plan.pages_codes = self.pages,
        }
        Ok(())
    }

    /// The state between two steps.
    pub fn coder(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.text(&self.liste).number(u64::from(self.ordre == Ordre::Codes));
        writer.size(self.total).size(self.lignes_json).size(self.lignes_csv);
        for lignes in [&self.json, &self.csv] {
            writer.bytes(&liste::pack(lignes, 1));
        }
        writer.bytes(&EntreeCode(self.plages.clone()).coder()).text(&self.code).size(self.octets_page);
        writer.size(self.page.len());
        for (cle, entree) in &self.page {
            writer.text(cle).bytes(entree);
        }
        writer.size(self.pages.len());
        for premiere in &self.pages {
            writer.text(premiere);
        }
        writer.size(self.suite);
        writer.0
    }

    /// Reads the state back.
    pub fn decoder(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let liste = reader.text()?.to_owned();
        let ordre = if reader.number()? == 1 { Ordre::Codes } else { Ordre::Lieux };
        let (total, lignes_json, lignes_csv) = (reader.size()?, reader.size()?, reader.size()?);
        let mut lignes =
            || Some(liste::unpack(reader.bytes()?).ok()?.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
        let (json, csv) = (lignes()?, lignes()?);
        let plages = EntreeCode::decoder(reader.bytes()?).ok()?.0;
        let (code, octets_page) = (reader.text()?.to_owned(), reader.size()?);
        let count = reader.size()?;
        let page =
            (0..count).map(|_| Some((reader.text()?.to_owned(), reader.bytes()?.to_vec()))).collect::<Option<_>>()?;
        let count = reader.size()?;
        let pages = (0..count).map(|_| reader.text().map(str::to_owned)).collect::<Option<_>>()?;
        let suite = reader.size()?;
        Some(Self {
            liste,
            ordre,
            total,
            lignes_json,
            lignes_csv,
            json,
            csv,
            plages,
            code,
            page,
            octets_page,
            pages,
            suite,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_quoted_where_a_row_would_fall_apart() {
        for (valeur, cellule_attendue) in [
            (Some(json!(null)), "null"),
            (None, ""),
            (Some(json!(12)), "12"),
            (Some(json!("a;b")), "\"a;b\""),
            (Some(json!("dit \"x\"\n")), "\"dit \"\"x\"\"\n\""),
        ] {
            assert_eq!(cellule(valeur.as_ref()), cellule_attendue);
        }
    }

    #[test]
    fn headers_are_those_of_the_contract() {
        let formations = entete_csv(Some(Maille::Etablissement), &[]);
        assert!(formations.starts_with("uai;uai_type;uai_donnee;uai_donnee_type;code_certification;code_formation_diplome;filiere;millesime;donnee_source_type;donnee_source_code_certification;nb_annee_term;"));
        assert!(entete_csv(Some(Maille::Regionale), &[]).starts_with("region;code_certification;"));
        assert!(entete_csv(Some(Maille::Nationale), &["taux_x".into()]).ends_with("taux_rupture_contrats;taux_x\n"));
        assert!(!formations.contains("salaire") && !formations.contains("nb_diplome"));
    }
}
