//! Why a row is covered or not: exactly one reason a row.

use crate::field::Code;
use crate::final_year::cfds_of;
use crate::lookups::{CodeLinks, DiplomeHistory, Establishment};

/// The reasons, in the order in which the first that holds is told.
///
/// Source: contract, "Output"; names on the wire: conformance/parcoursup/README.md. The order puts first what the
/// establishment can correct itself (details, 5.12; case 087).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Figures are shown.
    Covered,
    /// Fewer than 20 young people.
    BelowThreshold,
    /// No source gives a code of the row's own voie.
    CodeUnknown,
    /// No source gives exactly one code, and one at least gives several.
    SeveralCodes,
    /// None of the row's three establishments is in ACCE and open in the last millesime's year.
    EstablishmentUnknown,
    /// The first session is after the last millesime.
    NewFormation,
    /// The academie is an overseas collectivity.
    BadlyCoveredTerritory,
    /// A shared first year, of which not exactly one final year has figures.
    SharedFirstYear,
    /// A document that names several final years.
    SeveralFinalYears,
    /// Everything is known, and there are no figures.
    NoKnownReason,
    /// The row could not be read.
    UnreadableRow,
}

/// A reason as it is explained to a person who fills in a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonText {
    /// Its name on the wire.
    pub code: &'static str,
    /// What it says.
    pub libelle: &'static str,
    /// Who can correct it.
    pub who: &'static str,
    /// Where, and how.
    pub how: &'static str,
}

const NOBODY: &str = "personne";
const FORMER: &str = "l'établissement";

impl Reason {
    /// Every reason, in order.
    pub const ALL: [Self; 11] = [
        Self::Covered,
        Self::BelowThreshold,
        Self::CodeUnknown,
        Self::SeveralCodes,
        Self::EstablishmentUnknown,
        Self::NewFormation,
        Self::BadlyCoveredTerritory,
        Self::SharedFirstYear,
        Self::SeveralFinalYears,
        Self::NoKnownReason,
        Self::UnreadableRow,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.text().code
    }

    /// Its label, who can correct it, and where.
    #[must_use]
    pub fn text(self) -> ReasonText {
        let (code, libelle, who, how) = match self {
            Self::Covered => ("couvert", "Les indicateurs sont affichés.", NOBODY, "Rien à corriger."),
            Self::BelowThreshold => (
                "sous_seuil",
                "Moins de 20 jeunes : les taux ne peuvent pas être affichés.",
                NOBODY,
                "Rien à corriger : le seuil protège les personnes.",
            ),
            Self::CodeUnknown => (
                "code_inconnu",
                "Aucun des codes de la ligne ne mène à une certification connue de la voie de la formation.",
                FORMER,
                "Dans le catalogue : CODEMEF ou CODECFD, CODESISE pour le supérieur, sinon LISTE_RNCP, LISTE_IDEO ou ID_RCO.",
            ),
            Self::SeveralCodes => (
                "plusieurs_codes",
                "Les codes de la ligne mènent à plusieurs certifications : aucune n'est choisie au hasard.",
                FORMER,
                "Dans le catalogue : déclarer le code précis (CODEMEF, CODECFD ou CODESISE), ou accorder CODEMEF et CODECFD.",
            ),
            Self::EstablishmentUnknown => (
                "etablissement_inconnu",
                "Aucun des UAI de la ligne n'est dans ACCE et ouvert l'année du dernier millésime.",
                FORMER,
                "Dans le catalogue : UAI_COMPOSANTE, UAI_AFF ou UAI_GES ; sinon dans ACCE.",
            ),
            Self::NewFormation => (
                "nouvelle_formation",
                "La première session du diplôme est postérieure au dernier millésime.",
                NOBODY,
                "Les indicateurs viendront avec les premiers sortants.",
            ),
            Self::BadlyCoveredTerritory => (
                "territoire_mal_couvert",
                "Les collectivités d'outre-mer sont mal couvertes par les sources statistiques.",
                "les services statistiques",
                "Rien à corriger dans le catalogue.",
            ),
            Self::SharedFirstYear => (
                "premiere_annee_commune",
                "La première année est commune à plusieurs certifications : aucune ne la représente à elle seule.",
                NOBODY,
                "Les indicateurs des années terminales peuvent être affichés à côté.",
            ),
            Self::SeveralFinalYears => (
                "plusieurs_terminales",
                "L'année déclarée mène à plusieurs années terminales.",
                NOBODY,
                "Les indicateurs des années terminales peuvent être affichés à côté.",
            ),
            Self::NoKnownReason => (
                "sans_raison",
                "La certification et l'établissement sont connus ; il n'y a pas d'indicateur.",
                "les services statistiques",
                "Rien à corriger dans le catalogue.",
            ),
            Self::UnreadableRow => (
                "ligne_illisible",
                "La ligne n'a pas pu être lue.",
                "qui produit le fichier",
                "Dans le fichier : encodage, guillemets, nombre de cellules.",
            ),
        };
        ReasonText { code, libelle, who, how }
    }
}

/// Whether ACCE has an establishment that was open in a year.
///
/// Rule: not closed before that year and not opened after it; a missing date says nothing against it.
/// Source: details, section 3 ("Reasons in the siblings") and 5.10; case 083.
#[must_use]
pub fn is_open_in(establishment: &Establishment, year: Option<i32>) -> bool {
    let Some(year) = year else { return true };
    establishment.opened.is_none_or(|opened| opened <= year) && establishment.closed.is_none_or(|closed| closed >= year)
}

/// Whether an academie is an overseas collectivity, which the sources cover badly.
///
/// Rule: its code of two characters starts with 4. Source: details, section 2 ("Reasons") and 5.8; cases 050, 081.
#[must_use]
pub fn is_badly_covered(academie: &str) -> bool {
    academie.len() == 2 && academie.starts_with('4')
}

/// Whether a diploma is too new to have leavers in the last millesime.
///
/// Rule: the first session of the oldest of the diploma and its direct ancestors is after that year. A first session
/// that the nomenclature does not tell is the opening year plus the length of the course; without a MEF the opening
/// year alone decides. A diploma of which nothing is known is not new.
/// Source: contract, "Output"; details, section 3 and 5.11; cases 048, 049, 078 to 080, 086, 089.
#[must_use]
pub fn is_new(links: &impl CodeLinks, code: &Code, last_year: i32) -> bool {
    let sessions: Vec<i32> = cfds_of(links, code)
        .iter()
        .filter_map(|cfd| Some((cfd, links.diplome(cfd)?)))
        .flat_map(|(cfd, diplome)| {
            let ancestors: Vec<Option<i32>> = diplome
                .ancestors
                .iter()
                .map(|ancestor| first_session(links, ancestor, &links.diplome(ancestor)?))
                .collect();
            std::iter::once(first_session(links, cfd, &diplome)).chain(ancestors)
        })
        .flatten()
        .collect();
    sessions.iter().min().is_some_and(|first| *first > last_year)
}

fn first_session(links: &impl CodeLinks, cfd: &Code, diplome: &DiplomeHistory) -> Option<i32> {
    let length = || links.mefs_of_cfd(cfd).iter().filter_map(|mef| mef.length).max().unwrap_or(0);
    diplome.first_session.or_else(|| Some(diplome.opened?.saturating_add(i32::from(length()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::cfd;
    use crate::lookups::Mef;
    use crate::tables::LookupTables;

    #[test]
    fn a_diploma_is_as_old_as_its_oldest_ancestor() {
        let (own, old) = (cfd("32031213").unwrap(), cfd("32031212").unwrap());
        for (opened, session, ancestor, length, expected) in [
            (Some(2022), Some(2024), None, Some(2), true),
            (Some(2019), Some(2022), None, Some(2), false),
            (Some(2020), Some(2022), None, Some(2), false),
            (Some(2021), Some(2023), Some(2015), Some(2), false),
            (Some(2021), Some(2023), Some(2023), Some(2), true),
            (Some(2021), None, None, Some(2), true),
            (Some(2020), None, None, Some(2), false),
            (Some(2021), None, None, None, false),
            (Some(2023), None, None, None, true),
            (None, None, None, Some(2), false),
        ] {
            let mut tables = LookupTables::default();
            let ancestors = ancestor.map(|_| old.clone()).into_iter().collect();
            tables.add_diplome(own.clone(), DiplomeHistory { opened, first_session: session, ancestors });
            if let Some(session) = ancestor {
                tables.add_diplome(
                    old.clone(),
                    DiplomeHistory { first_session: Some(session), ..DiplomeHistory::default() },
                );
            }
            if length.is_some() {
                tables.add_mef("1", Mef { cfd: Some(own.clone()), length, ..Mef::default() });
            }
            assert_eq!(is_new(&tables, &own, 2022), expected, "{opened:?} {session:?} {ancestor:?} {length:?}");
        }
    }

    #[test]
    fn establishments_are_open_from_year_to_year() {
        for (opened, closed, expected) in [
            (None, None, true),
            (Some(1990), Some(2019), false),
            (Some(1990), Some(2022), true),
            (Some(2022), None, true),
            (Some(2023), None, false),
        ] {
            let establishment = Establishment { academie: "10".into(), opened, closed };
            assert_eq!(is_open_in(&establishment, Some(2022)), expected, "{opened:?} {closed:?}");
        }
    }

    #[test]
    fn overseas_collectivities_have_two_characters() {
        assert!(is_badly_covered("41") && is_badly_covered("44"));
        assert!(!is_badly_covered("4") && !is_badly_covered("04") && !is_badly_covered("14") && !is_badly_covered(""));
    }

    #[test]
    fn every_reason_has_its_own_name_and_says_who_can_correct_it() {
        let names: std::collections::BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        assert!(Reason::ALL.iter().all(|reason| {
            let text = reason.text();
            !text.libelle.is_empty() && !text.who.is_empty() && !text.how.is_empty()
        }));
        assert!(Reason::ALL.is_sorted());
    }
}
