//! The order in which the codes of a row are tried.

use crate::lookups::CodeLinks;
use crate::nomenclatures::{CodeSource, DECLARED, Identifier, Path};
use crate::resolution::{CodeFamily, Form, Level, Resolution};
use crate::resolver::Resolver;
use crate::row::{FormationRow, Voie};

/// Sources that are tried as one, the preferred one first.
#[derive(Debug)]
struct Turn {
    family: CodeFamily,
    rank: u8,
    sources: Vec<CodeSource>,
}

impl<L: CodeLinks> Resolver<'_, L> {
    /// The candidates of a row in the order in which they are tried, one a turn: the first level that yields a code, an
    /// ambiguity included.
    ///
    /// Rule: by hand; then what the row declares, CODEMEF and CODECFD as one source, CODESISE; then what is inferred,
    /// LISTE_RNCP, LISTE_IDEO, ID_RCO to CFD and MEFSTAT11 codes, then LISTE_RNCP, ID_RCO, LISTE_IDEO to SISE codes;
    /// then the inverse forms, which SISE codes do not have. Every normal form comes before any inverse one. An
    /// ambiguity is an answer: no later level is asked.
    /// Source: contract, "Choice"; details, 5.6, 5.7, 5.18, 7 a; cases 024 to 032, 063, 101. The contract gives the two
    /// families apart; that a declared SISE code comes before inferred diplomas is ours, as the former material took
    /// rows of higher education out of the others first.
    #[must_use]
    pub fn candidates(&self, row: &FormationRow<'_>, resolutions: &[Resolution]) -> Vec<Resolution> {
        let voie = self.voie(row);
        let mut normal = self.turns(CodeFamily::Secondary, voie);
        normal.extend(self.turns(CodeFamily::Higher, voie));
        normal.sort_by_key(|turn| (turn.rank > DECLARED, turn.family, turn.rank));
        let inverse = self.turns(CodeFamily::Secondary, voie.other());

        let mut by_hand = resolutions.iter().filter(|one| one.source == CodeSource::MANUAL && one.speaks());
        let mut candidates: Vec<&Resolution> = by_hand.next().into_iter().collect();
        candidates.extend(normal.iter().filter_map(|turn| turn.candidate(Form::Normal, resolutions)));
        candidates.extend(by_hand.next());
        candidates.extend(inverse.iter().filter_map(|turn| turn.candidate(Form::Inverse, resolutions)));
        candidates.into_iter().cloned().collect()
    }

    /// The turns of a family, in order: identifiers of one rank are tried as one.
    ///
    /// Of the declared MEF and CFD, school prefers the MEF's own code, so that the course of another length is not
    /// looked at (case 003); apprenticeship prefers the CFD as it is declared.
    fn turns(&self, family: CodeFamily, voie: Voie) -> Vec<Turn> {
        let rank = |identifier: &Identifier| match family {
            CodeFamily::Secondary => identifier.secondary,
            CodeFamily::Higher => identifier.higher,
        };
        let after = |identifier: &Identifier| identifier.path == Path::Mef && voie == Voie::Apprenticeship;
        let mut ranked: Vec<(u8, &Identifier)> = self
            .nomenclatures
            .identifiers()
            .iter()
            .filter_map(|identifier| Some((rank(identifier)?, identifier)))
            .collect();
        ranked.sort_by_key(|(rank, identifier)| (*rank, after(identifier)));
        let mut turns: Vec<Turn> = Vec::new();
        for (rank, identifier) in ranked {
            match turns.last_mut() {
                Some(turn) if turn.rank == rank => turn.sources.push(identifier.source),
                _ => turns.push(Turn { family, rank, sources: vec![identifier.source] }),
            }
        }
        turns
    }
}

impl Turn {
    /// What it yields in a form, at the first level where it says anything.
    fn candidate<'r>(&self, form: Form, resolutions: &'r [Resolution]) -> Option<&'r Resolution> {
        let at = |level: Level, source: CodeSource| {
            let here = (source, self.family, form, level);
            resolutions.iter().find(|one| (one.source, one.family, one.form, one.level) == here && one.speaks())
        };
        Level::ALL.into_iter().find_map(|level| self.sources.iter().find_map(|source| at(level, *source)))
    }
}
