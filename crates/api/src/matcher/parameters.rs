//! What a request decides.

use super::{MatchRefusal, invalid};
use crate::Request;
use crate::access::KEY_IN_QUERY;
use domain::Millesime;
use domain::date::write_day;
use matching::row::RowColumn;
use matching::{Blocks, Day, FormationRow, Nomenclatures, Options, Voie};

/// Bytes of a cell in the query.
const CELL_MAX: usize = 4_096;

/// A request, read.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) options: Options,
    pub(super) campaign: String,
    pub(super) millesime: Option<String>,
    pub(super) blocks: Blocks,
    pub(super) explained: bool,
    pub(super) retained_only: bool,
    /// The cells of one row, by column.
    pub(super) columns: Vec<(String, String)>,
    /// The column that stands for the key of a catalogue.
    pub(super) key: String,
    pub(super) from: u64,
    pub(super) generation: Option<String>,
    pub(super) rncp: String,
    pub(super) ideo: String,
    pub(super) q: String,
}

/// A route that takes no parameter but a key.
pub(super) fn none(request: &Request) -> Result<(), MatchRefusal> {
    match request.parameters()?.into_iter().find(|(name, _)| name != KEY_IN_QUERY) {
        Some((name, _)) => Err(invalid(format!("{name} : paramètre inconnu"), "Cette route n'en prend aucun.")),
        None => Ok(()),
    }
}

fn flag(name: &str, value: &str) -> Result<bool, MatchRefusal> {
    match value {
        "1" | "true" => Ok(true),
        "0" | "false" | "" => Ok(false),
        _ => Err(invalid(format!("{name} : 1 ou 0 est attendu"), "Sans ce paramètre : 0.")),
    }
}

impl Asked {
    /// Reads the parameters that a route takes; an unknown or a repeated one is a fault, told with those there are.
    pub(super) fn read(request: &Request, now_ms: i64, rest: &[&str]) -> Result<Self, MatchRefusal> {
        let (posts, row) = (request.method == "POST", matches!(rest, ["formation" | "codes"]));
        let nomenclatures = Nomenclatures::default();
        let columns: Vec<&str> = RowColumn::ALL
            .iter()
            .map(|column| column.name())
            .chain(nomenclatures.identifiers().iter().map(|one| one.source.0))
            .collect();
        let year = write_day(now_ms).get(..4).unwrap_or_default().to_owned();
        let mut asked = Self {
            options: Options::of_campaign(Day::read("2025-08-31").unwrap_or_else(Day::first)),
            campaign: format!("{year}-08-31"),
            millesime: None,
            blocks: Blocks::ALL,
            explained: false,
            retained_only: false,
            columns: Vec::new(),
            key: RowColumn::Key.name().to_owned(),
            from: 1,
            generation: None,
            rncp: String::new(),
            ideo: String::new(),
            q: String::new(),
        };
        let known: &[&str] = match rest {
            ["etablissements", ..] => &["rncp", "ideo", "q", "millesime", "date_campagne"],
            _ if posts => &[
                "date_campagne",
                "millesime",
                "blocs",
                "explication",
                "colonnes",
                "cle",
                "voie",
                "a_partir",
                "generation",
            ],
            _ => &["date_campagne", "millesime", "blocs", "explication", "colonnes", "voie"],
        };
        let mut voie = None;
        for (name, values) in request.parameters()? {
            if name == KEY_IN_QUERY {
                continue;
            }
            let [value] = values.as_slice() else {
                return Err(invalid(format!("{name} : une seule valeur est attendue"), "Retirer la répétition."));
            };
            if value.len() > CELL_MAX {
                return Err(invalid(format!("{name} : 4 Kio au plus"), "Une cellule de catalogue est courte."));
            }
            let column = columns.iter().find(|column| column.eq_ignore_ascii_case(&name));
            if let Some(column) = column.filter(|_| row && !posts) {
                asked.columns.push(((*column).to_owned(), value.clone()));
                continue;
            }
            if !known.contains(&name.as_str()) {
                let mut names: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
                if row && !posts {
                    names.extend(columns.iter().map(|column| column.to_ascii_lowercase()));
                }
                return Err(invalid(
                    format!("{name} : paramètre inconnu"),
                    &format!("Paramètres acceptés, une fois chacun : {}.", names.join(", ")),
                ));
            }
            match name.as_str() {
                "date_campagne" => asked.campaign.clone_from(value),
                "millesime" if Millesime::parse(value).is_some() => asked.millesime = Some(value.clone()),
                "millesime" => {
                    return Err(invalid(
                        format!("millesime : « {value} » n'est ni une année ni une période"),
                        "Exemples : 2023, 2022_2023. Sans ce paramètre : les derniers millésimes servis.",
                    ));
                }
                "blocs" => asked.blocks = blocks(value)?,
                "explication" => asked.explained = flag(&name, value)?,
                "colonnes" if value == "retenues" => asked.retained_only = true,
                "colonnes" => {
                    return Err(invalid(
                        "colonnes : seule la valeur « retenues » est connue",
                        "Sans ce paramètre, la ligne revient entière.",
                    ));
                }
                "cle" => asked.key.clone_from(value),
                "voie" => {
                    let read = Voie::read(value).ok_or_else(|| {
                        invalid(
                            format!("voie : « {value} » inconnue"),
                            "Valeurs : Scolaire, Apprentissage ; pour les lignes sans APPRENTISSAGEOUSCOLAIRE.",
                        )
                    })?;
                    voie = Some(read);
                }
                "a_partir" => {
                    asked.from = value.parse().ok().filter(|from| *from >= 1).ok_or_else(|| {
                        invalid(
                            "a_partir : un numéro de ligne à partir de 1 est attendu",
                            "La première ligne est la ligne 1.",
                        )
                    })?;
                }
                "generation" => asked.generation = Some(value.clone()),
                "rncp" => asked.rncp.clone_from(value),
                "ideo" => asked.ideo.clone_from(value),
                _ => asked.q.clone_from(value),
            }
        }
        let day = Day::read(&asked.campaign).filter(|_| asked.campaign.len() == 10).ok_or_else(|| {
            invalid(
                format!("date_campagne : « {} » n'est pas une date", asked.campaign),
                "Une date s'écrit 2026-08-31. Sans ce paramètre : le 31 août de l'année.",
            )
        })?;
        asked.options = Options::of_campaign(day);
        if let Some(voie) = voie {
            asked.options.voie_when_absent = voie;
        }
        Ok(asked)
    }

    /// The row that the query describes.
    pub(super) fn row(&self, nomenclatures: &Nomenclatures) -> FormationRow<'_> {
        FormationRow::read(nomenclatures, |column| {
            self.columns.iter().find(|(name, _)| name == column).map_or("", |(_, value)| value.as_str())
        })
    }
}

fn blocks(text: &str) -> Result<Blocks, MatchRefusal> {
    let mut blocks = Blocks { insertion: false, pay: false, success: false };
    for block in text.split([',', '|']).map(str::trim).filter(|block| !block.is_empty()) {
        match block {
            "insertion" => blocks.insertion = true,
            "salaire" => blocks.pay = true,
            "sies" => blocks.success = true,
            _ => {
                return Err(invalid(
                    format!("blocs : « {block} » inconnu"),
                    "Blocs, séparés par des virgules : insertion, salaire, sies.",
                ));
            }
        }
    }
    Ok(blocks)
}
