//! What a push says of itself: what it replaces, how it is to be published.

use domain::declared::MAILLE_FIELD;
use domain::{Document, Filiere, Kind, Universe};
use serde::{Deserialize, Serialize};
use store::pointer::MillesimesInForce;

/// Whether a push replaces or adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// What is published of the declared kinds and millesimes goes, what is pushed comes.
    #[default]
    #[serde(rename = "remplacer")]
    Replace,
    /// What is pushed comes, or takes the place of the document of the same key.
    #[serde(rename = "ajouter")]
    Add,
}

/// How a job is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Replace or add.
    #[serde(default)]
    pub mode: Mode,
    /// The kinds that are replaced; empty: all.
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// The millesimes that are replaced; empty: all. Where no kind is named, what has no millesime stays.
    #[serde(default)]
    pub millesimes: Vec<String>,
    /// The declared mailles that are replaced. With them, kinds that are not named stay; without
    /// them, the kind `statistique` stands for all declared mailles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mailles: Vec<String>,
    /// What is replaced, to the point, where kinds and millesimes alone would take too much with
    /// them: used instead of the two above.
    #[serde(rename = "perimetre", default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<Scope>,
}

/// Documents that a push replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Their kind.
    pub kind: Kind,
    /// Secondary or higher education; without it: both.
    #[serde(rename = "univers", default, skip_serializing_if = "Option::is_none")]
    pub universe: Option<Universe>,
    /// Their millesimes; empty: all.
    #[serde(default)]
    pub millesimes: Vec<String>,
}

impl Opening {
    /// Whether a document in use goes, to make place for what is pushed.
    pub(super) fn replaces(&self, kind: Kind, document: Option<&Document>) -> bool {
        let text = |field: &str| document.and_then(|d| d.get(field)).and_then(|v| v.as_str()).unwrap_or_default();
        let among = |millesimes: &[String]| {
            document.is_none() || millesimes.is_empty() || millesimes.iter().any(|m| m == text("millesime"))
        };
        if self.mode == Mode::Add {
            return false;
        }
        if self.scope.is_empty() {
            let named = match (kind, self.mailles.as_slice()) {
                // Millesimes alone name statistics: nothing else has one.
                (_, []) if self.kinds.is_empty() => self.millesimes.is_empty() || kind.maille().is_some(),
                (_, []) => self.kinds.contains(&kind),
                (Kind::Statistic, mailles) => mailles.iter().any(|m| m == text(MAILLE_FIELD)),
                (_, [_, ..]) => self.kinds.contains(&kind),
            };
            return named && among(&self.millesimes);
        }
        let universe = Filiere::parse(text("filiere")).map(Filiere::universe);
        self.scope
            .iter()
            .any(|p| p.kind == kind && (p.universe.is_none() || p.universe == universe) && among(&p.millesimes))
    }

    /// Whether every document of a kind goes, whatever it says of itself.
    pub(super) fn replaces_all(&self, kind: Kind) -> bool {
        let some_only = !self.scope.is_empty() || !self.millesimes.is_empty();
        let some_mailles = kind == Kind::Statistic && !self.mailles.is_empty();
        self.mode == Mode::Replace && !some_only && !some_mailles && self.replaces(kind, None)
    }
}

impl PublicationOptions {
    /// Adds what a later call confirms; nothing is taken back.
    pub(super) fn confirm(&mut self, later: &Self) {
        self.confirm_losses |= later.confirm_losses;
        self.confirm_anomalies |= later.confirm_anomalies;
        self.confirm_in_force |= later.confirm_in_force;
        self.accept_duplicates |= later.accept_duplicates;
        self.sign_off |= later.sign_off;
    }
}

/// How a publication is started or goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicationOptions {
    /// How many parts were sent, numbered from 0.
    #[serde(rename = "parties", default)]
    pub parts: usize,
    /// Publish in spite of refused lines.
    #[serde(rename = "accepter_refus", default)]
    pub accept_refusals: bool,
    /// Publish although a maille and millesime loses more than 10 % of its documents.
    #[serde(rename = "confirmer_pertes", default)]
    pub confirm_losses: bool,
    /// Publish although rules of plausibility are broken that ask for a confirmation.
    #[serde(rename = "confirmer_anomalies", default)]
    pub confirm_anomalies: bool,
    /// Put a millesime in force although it lies in the future, or has far fewer documents than the one before.
    #[serde(rename = "confirmer_en_vigueur", default)]
    pub confirm_in_force: bool,
    /// Of different documents under one key, take the last.
    #[serde(rename = "accepter_doublons", default)]
    pub accept_duplicates: bool,
    /// Do everything but publish: the report is what is wanted.
    #[serde(rename = "verifier", default)]
    pub verify_only: bool,
    /// Wait, once all is written, until someone has looked at it and signs.
    #[serde(rename = "attendre_validation", default)]
    pub await_sign_off: bool,
    /// The signature.
    #[serde(rename = "valider", default)]
    pub sign_off: bool,
    /// The latest millesimes to put in force, where they are not to be read off the data.
    #[serde(default)]
    pub millesimes: Option<MillesimesInForce>,
}
