//! Lists: filters to ranges, ranges to rows, rows to the wire.

use crate::erreur::{self, Erreur};
use crate::parametres::{FiltresPermis, FormatListe, ParametresListe};
use crate::reponse::{Corps, Reponse};
use crate::stream::BodyStream;
use crate::{Monde, Requete};
use domain::{Maille, Univers, date};
use futures_util::stream;
use std::borrow::Cow;
use std::rc::Rc;
use store::Lecteur;
use store::cle;
use store::kv::{KeyValue, StoreError};
use store::liste::{self, Filtre, Format, Ordre, Plan, Tranche};

/// Lists of no more segments than this are put together before they are sent: one piece, with its
/// length known; a page of 1,000 rows is 17 segments, some 1 MB.
const SEGMENTS_ENSEMBLE: usize = 20;

/// A list of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Liste {
    /// Statistics of a maille of the contract.
    Statistiques(Maille),
    /// Statistics of a declared maille.
    Declaree(String),
    /// The nomenclature.
    Bcn,
}

impl Liste {
    /// Its name in paths and answers.
    pub fn nom(&self) -> &str {
        match self {
            Self::Statistiques(maille) => maille.liste(),
            Self::Declaree(nom) => nom,
            Self::Bcn => "bcn",
        }
    }

    /// Its name in the store.
    fn cle(&self) -> Cow<'_, str> {
        match self {
            Self::Declaree(nom) => cle::liste_declaree(nom).into(),
            autre => autre.nom().into(),
        }
    }

    fn permis(&self) -> FiltresPermis {
        let statistiques = FiltresPermis { statistiques: true, ..FiltresPermis::default() };
        match self {
            Self::Bcn => FiltresPermis::default(),
            Self::Statistiques(maille) => FiltresPermis {
                regions: *maille != Maille::Nationale,
                academies: *maille == Maille::Etablissement,
                uais: *maille == Maille::Etablissement,
                ..statistiques
            },
            Self::Declaree(_) => FiltresPermis { regions: true, academies: true, lieux: true, ..statistiques },
        }
    }
}

/// Answers a list; `lieu` is the region in the path, or the place of a declared maille.
pub async fn repondre<M: Monde>(
    monde: &M,
    lecteur: Lecteur<M::Kv>,
    requete: &Requete,
    liste: &Liste,
    lieu: Option<&str>,
    ext: Option<&str>,
) -> Result<Reponse, Erreur> {
    let parametres = ParametresListe::lire(requete.parametres(), ext, lieu, liste.permis())?;
    if matches!(liste, Liste::Declaree(nom) if !lecteur.pointeur().millesimes.mailles.contains_key(nom)) {
        return Err(erreur::MAILLE_INCONNUE);
    }
    let filtre = filtre(&lecteur, liste, &parametres);
    let plan = lecteur.plan(&liste.cle()).await?;
    let selection = lecteur.selection(&liste.cle(), &plan, &filtre).await?;
    let total = selection.total() as u64;
    let format = match parametres.format {
        FormatListe::Csv => Format::Csv,
        _ => Format::Json,
    };
    let taille = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let saut = (parametres.page - 1).saturating_mul(parametres.items_par_page);
    let tranches = selection.tranches(taille(saut), taille(parametres.items_par_page), plan.lignes(format));
    let maintenant = monde.maintenant_ms();
    let lignes = Lignes {
        lecteur,
        liste: liste.cle().into_owned(),
        ordre: selection.ordre,
        format,
        enveloppe: enveloppe(&parametres, liste, &plan, total),
        maintenant,
    };
    let sent: usize = tranches.iter().map(|tranche| tranche.nombre).sum();
    let reponse = entete(parametres.format, maintenant)
        .avec("cache-control", "private, max-age=60")
        .avec("vary", "x-api-key, Authorization")
        // A CSV or an NDJSON that was cut looks whole: these two tell a client whether it has every row.
        .avec("x-total-count", total.to_string())
        .avec("x-row-count", sent.to_string());
    let reponse = match liens(requete, &parametres, total) {
        Some(liens) => reponse.avec("link", liens),
        None => reponse,
    };
    let corps = if tranches.len() <= SEGMENTS_ENSEMBLE {
        Corps::Octets(lignes.ensemble(&tranches).await?)
    } else {
        Corps::Flux(BodyStream::new(lignes.flux(tranches)))
    };
    Ok(Reponse { corps, ..reponse }.compresser(requete))
}

fn entete(format: FormatListe, maintenant: i64) -> Reponse {
    match format {
        FormatListe::Json => Reponse::nouvelle(200, "application/json", Vec::new()),
        FormatListe::Ndjson => Reponse::nouvelle(200, "application/x-ndjson; charset=utf-8", Vec::new()),
        FormatListe::Csv => Reponse::nouvelle(200, "text/csv; charset=UTF-8", Vec::new())
            .avec("content-disposition", format!("attachment; filename=export-{}.csv", date::ecrire_jour(maintenant))),
    }
}

/// What is asked for, and the default millesimes of the list where none is.
fn filtre<K: KeyValue>(lecteur: &Lecteur<K>, liste: &Liste, parametres: &ParametresListe) -> Filtre {
    if *liste == Liste::Bcn {
        return Filtre::default();
    }
    let deux = *liste == Liste::Statistiques(Maille::Etablissement);
    let mut millesimes = Vec::new();
    let mut ajouter = |millesime: &domain::Millesime, univers: Option<Univers>| {
        if deux {
            millesimes.extend(millesime.deux_ecritures().map(|m| (m.as_str().to_owned(), univers)));
        } else {
            millesimes.push((millesime.as_str().to_owned(), univers));
        }
    };
    parametres.millesimes.iter().for_each(|m| ajouter(m, None));
    if parametres.millesimes.is_empty() {
        let en_vigueur = &lecteur.pointeur().millesimes;
        // Regional statistics and declared mailles know one line only.
        let un = [(Univers::Secondaire, None)];
        let chacun = [Univers::Secondaire, Univers::Superieur].map(|univers| (univers, Some(univers)));
        let lignes = match liste {
            Liste::Statistiques(Maille::Regionale) | Liste::Declaree(_) => un.as_slice(),
            _ => chacun.as_slice(),
        };
        for (univers, univers_filtre) in lignes {
            let dernier = match liste {
                Liste::Statistiques(maille) => en_vigueur.de(*maille, *univers),
                Liste::Declaree(nom) => en_vigueur.mailles.get(nom).map(String::as_str),
                Liste::Bcn => None,
            };
            if let Some(millesime) = dernier.and_then(domain::Millesime::parse) {
                ajouter(&millesime, *univers_filtre);
            }
        }
    }
    if millesimes.is_empty() {
        // Nothing is in force: no row has the empty millesime.
        millesimes.push((String::new(), None));
    }
    Filtre {
        millesimes,
        regions: parametres.regions.clone(),
        academies: parametres.academies.clone(),
        // A place of a declared maille lies where a UAI does on the list of formations.
        uais: parametres.uais.iter().map(|u| u.as_str().to_owned()).chain(parametres.lieux.iter().cloned()).collect(),
        codes: parametres.codes.iter().map(|c| c.as_str().to_owned()).collect(),
    }
}

/// What stands before, between and after the rows.
struct Enveloppe {
    avant: Vec<u8>,
    entre: &'static [u8],
    apres: &'static [u8],
}

fn enveloppe(parametres: &ParametresListe, liste: &Liste, plan: &Plan, total: u64) -> Enveloppe {
    let items = parametres.items_par_page;
    match parametres.format {
        FormatListe::Csv => Enveloppe { avant: plan.entete_csv.clone().into_bytes(), entre: b"", apres: b"" },
        FormatListe::Ndjson => Enveloppe { avant: Vec::new(), entre: b"\n", apres: b"\n" },
        FormatListe::Json => Enveloppe {
            avant: format!(
                r#"{{"pagination":{{"page":{},"items_par_page":{items},"nombre_de_page":{},"total":{total}}},"{}":["#,
                parametres.page,
                total.div_ceil(items).max(1),
                liste.nom()
            )
            .into_bytes(),
            entre: b",",
            apres: b"]}",
        },
    }
}

/// `next` and `prev`, with the query as it was sent but for the page and the key.
fn liens(requete: &Requete, parametres: &ParametresListe, total: u64) -> Option<String> {
    let pages = total.div_ceil(parametres.items_par_page).max(1);
    let autres: Vec<&str> = requete
        .query
        .split('&')
        .filter(|p| !p.is_empty() && !matches!(p.split('=').next(), Some("page" | "apiKey")))
        .collect();
    let lien = |page: u64, rel: &str| {
        let query: Vec<String> = autres.iter().map(|p| (*p).to_owned()).chain([format!("page={page}")]).collect();
        format!("<{}?{}>; rel=\"{rel}\"", requete.chemin, query.join("&"))
    };
    let mut liens = Vec::new();
    if parametres.page < pages {
        liens.push(lien(parametres.page + 1, "next"));
    }
    if parametres.page > 1 {
        liens.push(lien((parametres.page - 1).min(pages), "prev"));
    }
    // A header is no place for what could split it.
    let propre = |l: &String| l.bytes().all(|b| (0x20..0x7f).contains(&b));
    (!liens.is_empty() && liens.iter().all(propre)).then(|| liens.join(", "))
}

/// The rows of an answer, read segment by segment.
struct Lignes<K> {
    lecteur: Lecteur<K>,
    liste: String,
    ordre: Ordre,
    format: Format,
    enveloppe: Enveloppe,
    maintenant: i64,
}

impl<K: KeyValue + 'static> Lignes<K> {
    async fn tranche(&self, out: &mut Vec<u8>, tranche: Tranche, premiere: bool) -> Result<(), StoreError> {
        let segment = self.lecteur.segment(&self.liste, self.ordre, self.format, tranche.segment).await?;
        let abime = |_| StoreError::Damaged(format!("{} {}", self.liste, tranche.segment));
        let lignes = liste::lignes(&segment, tranche.de, tranche.nombre).map_err(abime)?;
        out.reserve(lignes.iter().map(|ligne| ligne.len() + 8).sum());
        for (rang, ligne) in lignes.into_iter().enumerate() {
            if !(premiere && rang == 0) {
                out.extend_from_slice(self.enveloppe.entre);
            }
            match self.format {
                Format::Csv => out.extend_from_slice(ligne),
                Format::Json => liste::ecrire_ligne(out, ligne, self.maintenant)
                    .map_err(|_| StoreError::Damaged(self.liste.clone()))?,
            }
        }
        Ok(())
    }

    fn fin(&self, vide: bool) -> &'static [u8] {
        // An empty NDJSON has no line, so no line end either.
        if vide && self.enveloppe.apres == b"\n" { b"" } else { self.enveloppe.apres }
    }

    async fn ensemble(&self, tranches: &[Tranche]) -> Result<Vec<u8>, StoreError> {
        let mut out = self.enveloppe.avant.clone();
        for (rang, tranche) in tranches.iter().enumerate() {
            self.tranche(&mut out, *tranche, rang == 0).await?;
        }
        out.extend_from_slice(self.fin(tranches.is_empty()));
        Ok(out)
    }

    /// One piece a segment: the memory of an answer does not grow with it.
    fn flux(self, tranches: Vec<Tranche>) -> impl futures_util::Stream<Item = Result<Vec<u8>, StoreError>> {
        let lignes = Rc::new(self);
        stream::unfold(Some(0), move |rang: Option<usize>| {
            let lignes = Rc::clone(&lignes);
            let tranche = rang.and_then(|rang| tranches.get(rang).copied());
            let dernier = rang.is_some_and(|rang| rang + 1 == tranches.len());
            async move {
                let (rang, tranche) = rang.zip(tranche)?;
                let mut out = if rang == 0 { lignes.enveloppe.avant.clone() } else { Vec::new() };
                if let Err(erreur) = lignes.tranche(&mut out, tranche, rang == 0).await {
                    return Some((Err(erreur), None));
                }
                if dernier {
                    out.extend_from_slice(lignes.fin(false));
                }
                Some((Ok(out), Some(rang + 1)))
            }
        })
    }
}
