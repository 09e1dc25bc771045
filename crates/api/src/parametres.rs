//! Parameters of the read routes: which there are, what they default to, in which order their
//! faults are told.

use crate::acces::CLE_EN_QUERY;
use crate::erreur::Erreur;
use crate::validation::{FauteNombre, Fautes, Lieu, entier};
use domain::declaree::est_lieu;
use domain::{CodeCertification, Millesime, TypeCode, Uai, territoire};
use serde_json::Value;
use store::cle;
use widget::{Direction, Theme};

/// Rows of a page of JSON, at most: an answer stays below some 10 MB.
pub const ITEMS_MAX_JSON: u64 = 10_000;
/// Rows of a page of CSV or NDJSON, at most: they are streamed.
pub const ITEMS_MAX_FLUX: u64 = 1_000_000;

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatListe {
    /// With pagination.
    Json,
    /// An export.
    Csv,
    /// One document a line.
    Ndjson,
}

/// A parameter as sent: one value, or several where it is repeated.
struct Recus(Vec<(String, Vec<String>)>);

fn brut(valeurs: &[String]) -> Value {
    match valeurs {
        [seule] => seule.clone().into(),
        plusieurs => plusieurs.to_vec().into(),
    }
}

impl Recus {
    fn prendre(&mut self, nom: &str) -> Option<Vec<String>> {
        let rang = self.0.iter().position(|(n, _)| n == nom)?;
        Some(self.0.remove(rang).1)
    }

    /// The items of a list parameter. A repeated one is one item that is an array.
    fn liste(&mut self, nom: &str) -> Option<Vec<Value>> {
        let valeurs = self.prendre(nom)?;
        Some(match valeurs.as_slice() {
            [seule] => seule.split([',', '|']).map(Into::into).collect(),
            plusieurs => vec![plusieurs.to_vec().into()],
        })
    }

    /// One value among those allowed.
    fn parmi<'v>(&mut self, nom: &str, valides: &[&'v str], fautes: &mut Fautes) -> Option<&'v str> {
        let valeurs = self.prendre(nom)?;
        if let [seule] = valeurs.as_slice()
            && let Some(valide) = valides.iter().find(|v| *v == seule)
        {
            return Some(valide);
        }
        faute_parmi(Lieu::Nom(nom), &brut(&valeurs), valides, fautes);
        None
    }

    fn finir(self, mut fautes: Fautes) -> Result<(), Erreur> {
        for (nom, valeurs) in self.0 {
            fautes.inconnu(&nom, brut(&valeurs));
        }
        if fautes.0.is_empty() { Ok(()) } else { Err(Erreur::Validation(fautes.0)) }
    }
}

/// An enumerated text that is none of those allowed; empty and repeated ones have a second fault.
fn faute_parmi(lieu: Lieu<'_>, valeur: &Value, valides: &[&str], fautes: &mut Fautes) {
    fautes.parmi(lieu, valeur.clone(), valides, None);
    match valeur.as_str() {
        Some("") => fautes.vide(lieu),
        Some(_) => {}
        None => fautes.pas_un_texte(lieu, valeur.clone()),
    }
}

/// Removes the key that any route may carry: it was looked at before.
fn recus(parametres: Vec<(String, Vec<String>)>) -> Recus {
    let sans_cle = |(nom, valeurs): &(String, Vec<String>)| nom != CLE_EN_QUERY || valeurs.iter().all(String::is_empty);
    Recus(parametres.into_iter().filter(sans_cle).collect())
}

/// A route without parameters.
///
/// # Errors
/// Every parameter that is there.
pub fn aucun(parametres: Vec<(String, Vec<String>)>) -> Result<(), Erreur> {
    recus(parametres).finir(Fautes::default())
}

/// Reads items one by one; tells the list as a whole where none is valid.
fn items<T>(
    nom: &str,
    items: Option<Vec<Value>>,
    fautes: &mut Fautes,
    lire: impl Fn(&str) -> Option<T>,
    faute: impl Fn(&mut Fautes, Lieu<'_>, &str),
) -> Vec<T> {
    let Some(items) = items else { return Vec::new() };
    let mut lus = Vec::new();
    for (rang, item) in items.iter().enumerate() {
        let lieu = Lieu::Item(nom, rang);
        match item.as_str() {
            None => fautes.pas_un_texte(lieu, item.clone()),
            Some("") => fautes.vide(lieu),
            Some(texte) => match lire(texte) {
                Some(lu) => lus.push(lu),
                None => faute(fautes, lieu, texte),
            },
        }
    }
    if lus.is_empty() {
        fautes.aucun_item(Lieu::Nom(nom), items.into());
    }
    lus
}

/// The INSEE code of a region, from itself or from a postal code.
fn region(lieu: Lieu<'_>, valeur: &Value, fautes: &mut Fautes) -> Option<&'static str> {
    let texte = valeur.as_str().unwrap_or_default();
    if let Some(region) = territoire::region(texte).or_else(|| territoire::region_du_code_postal(texte)) {
        return Some(region.code);
    }
    if texte.chars().count() == 5 {
        fautes.code_postal(lieu, texte);
    } else {
        let valides: Vec<&str> = territoire::REGIONS.iter().map(|r| r.code).collect();
        faute_parmi(lieu, valeur, &valides, fautes);
    }
    None
}

fn lire_lieu(texte: &str) -> Option<String> {
    est_lieu(texte).then(|| texte.to_owned())
}

/// The place of a declared maille in a path.
fn lieu_declare(texte: &str, fautes: &mut Fautes) -> Option<String> {
    let lu = lire_lieu(texte);
    if lu.is_none() {
        fautes.lieu_declare(Lieu::Nom("lieu"), texte);
    }
    lu
}

fn academie(lieu: Lieu<'_>, valeur: &Value, fautes: &mut Fautes) -> Option<&'static str> {
    if let Some((_, academie)) = valeur.as_str().and_then(territoire::academie) {
        return Some(academie.code);
    }
    let valides: Vec<&str> = territoire::REGIONS.iter().flat_map(|r| r.academies).map(|a| a.code).collect();
    // Not told as a text by the former service: no second fault where it is empty or repeated.
    fautes.parmi(lieu, valeur.clone(), &valides, Some("must be a valid academie code"));
    None
}

/// The univers that codes allow: one only where all are of it, none given counts as secondary,
/// anything where they mix or one is invalid.
fn univers_permis(codes: Option<&[TypeCode]>) -> Option<&'static [&'static str]> {
    let codes = codes?;
    let superieurs = codes.iter().filter(|c| **c == TypeCode::Sise).count();
    match superieurs {
        0 => Some(&["secondaire"]),
        n if n == codes.len() => Some(&["superieur"]),
        _ => None,
    }
}

fn univers(recus: &mut Recus, codes: Option<&[TypeCode]>, fautes: &mut Fautes) {
    match univers_permis(codes) {
        Some(permis) => {
            recus.parmi("universe", permis, fautes);
        }
        None => {
            recus.prendre("universe");
        }
    }
}

/// What a list was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParametresListe {
    /// The form.
    pub format: FormatListe,
    /// From 1.
    pub page: u64,
    /// Rows of a page.
    pub items_par_page: u64,
    /// Empty: the default of the list.
    pub millesimes: Vec<Millesime>,
    /// Empty: all.
    pub codes: Vec<CodeCertification>,
    /// INSEE codes; empty: all.
    pub regions: Vec<String>,
    /// Empty: all.
    pub academies: Vec<String>,
    /// Empty: all.
    pub uais: Vec<Uai>,
    /// Places of a declared maille; empty: all.
    pub lieux: Vec<String>,
}

/// Which filters a list takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FiltresPermis {
    /// `millesimes`, `code_certifications`, `universe`.
    pub statistiques: bool,
    /// `regions`.
    pub regions: bool,
    /// `academies`.
    pub academies: bool,
    /// `uais`.
    pub uais: bool,
    /// `lieux`.
    pub lieux: bool,
}

impl ParametresListe {
    /// Reads the parameters of a list; `ext` is the extension of the path, `lieu` its region, or
    /// its place on a declared maille.
    ///
    /// # Errors
    /// Every fault, in the recorded order.
    pub fn lire(
        parametres: Vec<(String, Vec<String>)>,
        ext: Option<&str>,
        lieu: Option<&str>,
        permis: FiltresPermis,
    ) -> Result<Self, Erreur> {
        let mut recus = recus(parametres);
        let mut fautes = Fautes::default();
        let mut lus = Self {
            format: FormatListe::Json,
            page: 1,
            items_par_page: 10,
            millesimes: Vec::new(),
            codes: Vec::new(),
            regions: Vec::new(),
            academies: Vec::new(),
            uais: Vec::new(),
            lieux: Vec::new(),
        };
        if permis.uais {
            lus.uais = items("uais", recus.liste("uais"), &mut fautes, Uai::parse, |f, l, t| f.uai(l, t));
        }
        if permis.lieux {
            let faute = |f: &mut Fautes, l: Lieu<'_>, t: &str| f.lieu_declare(l, t);
            match lieu {
                Some(texte) => lus.lieux.extend(lieu_declare(texte, &mut fautes)),
                None => lus.lieux = items("lieux", recus.liste("lieux"), &mut fautes, lire_lieu, faute),
            }
        }
        if let Some(texte) = lieu.filter(|_| !permis.lieux) {
            lus.regions.extend(region(Lieu::Nom("region"), &texte.into(), &mut fautes).map(str::to_owned));
        } else if permis.regions {
            for (rang, item) in recus.liste("regions").unwrap_or_default().iter().enumerate() {
                lus.regions.extend(region(Lieu::Item("regions", rang), item, &mut fautes).map(str::to_owned));
            }
        }
        if permis.academies {
            for (rang, item) in recus.liste("academies").unwrap_or_default().iter().enumerate() {
                lus.academies.extend(academie(Lieu::Item("academies", rang), item, &mut fautes).map(str::to_owned));
            }
        }
        if permis.statistiques {
            let recu = recus.liste("millesimes");
            lus.millesimes = items("millesimes", recu, &mut fautes, Millesime::parse, |f, l, t| f.millesime(l, t));
            let types = match recus.liste("code_certifications") {
                None => Some(Vec::new()),
                Some(items) => {
                    let codes: Option<Vec<_>> =
                        items.iter().map(|i| i.as_str().and_then(CodeCertification::parse)).collect();
                    if codes.is_none() {
                        fautes.codes(Lieu::Nom("code_certifications"), items.into());
                    }
                    lus.codes = codes.clone().unwrap_or_default();
                    codes.map(|codes| codes.iter().map(CodeCertification::type_code).collect())
                }
            };
            univers(&mut recus, types.as_deref(), &mut fautes);
        }
        lus.format = format(&mut recus, ext, &mut fautes);
        lus.items_par_page = match lus.format {
            FormatListe::Json => nombre(&mut recus, "items_par_page", 10, ITEMS_MAX_JSON, &mut fautes),
            _ => nombre(&mut recus, "items_par_page", 10, ITEMS_MAX_FLUX, &mut fautes),
        };
        lus.page = nombre(&mut recus, "page", 1, u64::MAX, &mut fautes);
        recus.finir(fautes)?;
        Ok(lus)
    }
}

/// The extension of the path wins over `ext=`.
fn format(recus: &mut Recus, ext: Option<&str>, fautes: &mut Fautes) -> FormatListe {
    // NDJSON is ours; error texts name the two of the former service.
    const VALIDES: [&str; 3] = ["json", "csv", "ndjson"];
    let demande = recus.prendre("ext").map(|v| brut(&v));
    let demande = ext.map(Value::from).or(demande);
    match demande.as_ref().map(|v| VALIDES.iter().find(|f| v.as_str() == Some(f))) {
        None | Some(Some(&"json")) => FormatListe::Json,
        Some(Some(&"csv")) => FormatListe::Csv,
        Some(Some(_)) => FormatListe::Ndjson,
        Some(None) => {
            faute_parmi(Lieu::Nom("ext"), &demande.unwrap_or_default(), VALIDES.get(..2).unwrap_or_default(), fautes);
            FormatListe::Json
        }
    }
}

/// A whole number; 0 means the default.
fn nombre(recus: &mut Recus, nom: &str, defaut: u64, max: u64, fautes: &mut Fautes) -> u64 {
    let Some(valeurs) = recus.prendre(nom) else { return defaut };
    // The former service replaced these characters before it looked: its errors show the result.
    let nettoyees: Vec<String> = valeurs.iter().map(|v| v.replace(['$', '.', '/', '[', ']'], "_")).collect();
    let lu = match valeurs.as_slice() {
        [seule] => entier(seule),
        _ => Err(FauteNombre::Base),
    };
    match lu {
        Ok(0) => defaut,
        Ok(n) if n <= max => n,
        Ok(_) => {
            fautes.nombre(Lieu::Nom(nom), brut(&nettoyees), FauteNombre::Max(max));
            defaut
        }
        Err(faute) => {
            fautes.nombre(Lieu::Nom(nom), brut(&nettoyees), faute);
            defaut
        }
    }
}

/// What to send where there is nothing to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageOnError {
    /// The error itself, as JSON.
    Non,
    /// An image that says so.
    Oui,
    /// A 1×1 image.
    Vide,
}

/// What one document was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParametresDocument {
    /// `None`: the default of the route.
    pub millesime: Option<Millesime>,
    /// The filieres view was asked for.
    pub vue_filieres: bool,
    /// As an image.
    pub svg: bool,
    /// Of the image.
    pub theme: Theme,
    /// Of the image.
    pub direction: Direction,
    /// Instead of a 404.
    pub image_on_error: ImageOnError,
}

/// The codes and the place in the path of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cible {
    /// One or more.
    pub codes: Vec<CodeCertification>,
    /// INSEE code of the region asked for.
    pub region: Option<&'static str>,
    /// The establishment asked for.
    pub uai: Option<Uai>,
    /// The place asked for of a declared maille, as the store knows it.
    pub lieu: Option<String>,
}

/// What lies in the path of one document, not yet checked.
#[derive(Clone, Copy, Debug)]
pub enum Chemin<'a> {
    /// `certifications/{codes}`
    Nationale(&'a str),
    /// `regionales/{region}/certifications/{codes}`
    Regionale(&'a str, &'a str),
    /// `mailles/{maille}/{lieu}/certifications/{codes}`
    Declaree(&'a str, &'a str, &'a str),
    /// `formations/{uai}-{code}`
    Formation(&'a str, &'a str),
}

impl ParametresDocument {
    /// Reads the parameters of one document; `ext` is the extension of the path.
    ///
    /// # Errors
    /// Every fault, in the recorded order.
    pub fn lire(
        parametres: Vec<(String, Vec<String>)>,
        ext: Option<&str>,
        chemin: Chemin<'_>,
    ) -> Result<(Self, Cible), Erreur> {
        let mut recus = recus(parametres);
        let mut fautes = Fautes::default();
        let mut cible = Cible { codes: Vec::new(), region: None, uai: None, lieu: None };
        let types: Option<Vec<TypeCode>>;
        match chemin {
            Chemin::Formation(uai, code) => {
                cible.uai = Uai::parse(uai);
                if cible.uai.is_none() {
                    fautes.uai(Lieu::Nom("uai"), uai);
                }
                match CodeCertification::parse(code) {
                    Some(code) => cible.codes.push(code),
                    None => fautes.code(Lieu::Nom("code_certification"), code),
                }
                // One formation knows the secondary univers only, whatever its code.
                types = Some(Vec::new());
            }
            Chemin::Nationale(codes) | Chemin::Regionale(_, codes) | Chemin::Declaree(_, _, codes) => {
                if let Chemin::Regionale(texte, _) = chemin {
                    cible.region = region(Lieu::Nom("region"), &texte.into(), &mut fautes);
                }
                if let Chemin::Declaree(maille, texte, _) = chemin {
                    cible.lieu = lieu_declare(texte, &mut fautes).map(|lieu| cle::lieu_declare(maille, &lieu));
                }
                let items: Vec<&str> = codes.split([',', '|']).collect();
                let lus: Option<Vec<_>> = items.iter().map(|i| CodeCertification::parse(i)).collect();
                if lus.is_none() {
                    let items: Vec<Value> = items.into_iter().map(Into::into).collect();
                    fautes.codes(Lieu::Nom("codes_certifications"), items.into());
                }
                types = lus.as_ref().map(|codes| codes.iter().map(CodeCertification::type_code).collect());
                cible.codes = lus.unwrap_or_default();
            }
        }
        univers(&mut recus, types.as_deref(), &mut fautes);
        let millesime = recus.prendre("millesime").and_then(|valeurs| millesime(&valeurs, &mut fautes));
        let vue = match chemin {
            Chemin::Formation(..) => None,
            _ => recus.parmi("vue", &["filieres"], &mut fautes),
        };
        let direction = recus.parmi("direction", &["horizontal", "vertical"], &mut fautes);
        let theme = recus.parmi("theme", &["dsfr", "lba"], &mut fautes);
        let mut svg = false;
        let de_query = recus.prendre("ext").map(|v| brut(&v));
        for demande in [ext.map(Value::from), de_query].into_iter().flatten() {
            if demande == "svg" {
                svg = true;
            } else {
                faute_parmi(Lieu::Nom("ext"), &demande, &["svg"], &mut fautes);
            }
        }
        let image_on_error = image_on_error(&mut recus, &mut fautes);
        recus.finir(fautes)?;
        let lus = Self {
            millesime,
            vue_filieres: vue.is_some() || cible.codes.len() > 1,
            svg,
            theme: theme.and_then(Theme::parse).unwrap_or_default(),
            direction: direction.and_then(Direction::parse).unwrap_or_default(),
            image_on_error,
        };
        Ok((lus, cible))
    }
}

fn image_on_error(recus: &mut Recus, fautes: &mut Fautes) -> ImageOnError {
    let Some(valeurs) = recus.prendre("imageOnError") else { return ImageOnError::Non };
    match valeurs.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["" | "false"] => ImageOnError::Non,
        ["true"] => ImageOnError::Oui,
        ["empty"] => ImageOnError::Vide,
        _ => {
            faute_parmi(Lieu::Nom("imageOnError"), &brut(&valeurs), &["true", "false", "empty"], fautes);
            ImageOnError::Non
        }
    }
}

fn millesime(valeurs: &[String], fautes: &mut Fautes) -> Option<Millesime> {
    let lieu = Lieu::Nom("millesime");
    let texte = match valeurs {
        [seule] => seule,
        _ => {
            fautes.pas_un_texte(lieu, brut(valeurs));
            return None;
        }
    };
    let lu = Millesime::parse(texte);
    if texte.is_empty() {
        fautes.vide(lieu);
    } else if lu.is_none() {
        fautes.millesime(lieu, texte);
    }
    lu
}
