//! What is hidden beyond the threshold: the two switches of the statistical offices.
//!
//! They are read where documents are made, once a publication. Readers hand out what is stored: a switch that readers looked at
//! would change answers without a generation, and would have to be right in every route, list, image and view.

use crate::writer::read_long;
use domain::Secrecy;
use serde::{Deserialize, Serialize};
use store::Shelf;
use store::kv::{KeyValue, StoreError};

/// The family of a generation that holds the report of what is withheld, cell by cell.
pub(crate) const CELLS_FAMILY: &str = "secret";

/// The two switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecrecySettings {
    /// How far the threshold reaches.
    #[serde(rename = "secret")]
    pub secrecy: Secrecy,
    /// Whether figures are withheld from which those of a small group would follow.
    #[serde(rename = "secret_secondaire")]
    pub secondary: bool,
}

impl SecrecySettings {
    /// Reads the application's variables. What is neither on nor off is on: a slip of the pen must not show more.
    #[must_use]
    pub fn parse(secrecy: &str, secondary: &str) -> Self {
        let off = matches!(secondary.trim(), "" | "non" | "0" | "false");
        Self { secrecy: Secrecy::parse(secrecy), secondary: !off }
    }

    /// What tells renderings apart: nothing for those of the contract, as the version before has it.
    pub(crate) fn rendering(self) -> String {
        let secondary = if self.secondary { ".secondaire" } else { "" };
        match self.secrecy {
            Secrecy::Contract => secondary.to_owned(),
            strict => format!(".{}{secondary}", strict.name()),
        }
    }
}

/// What a generation withholds and why, as CSV: a statistic a line, without a figure. `None` where nothing was looked for.
///
/// # Errors
/// Those of the store.
pub async fn withheld_cells<K: KeyValue>(kv: &K, shelf: Shelf<'_>) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(first) = shelf.find(kv, CELLS_FAMILY, 0).await? else { return Ok(None) };
    let count: usize = serde_json::from_slice(first.content()?).map_err(|_| first.damaged())?;
    Ok(Some(read_long(kv, shelf, CELLS_FAMILY, 1, count).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_shows_less() {
        let read = |secrecy, secondary| SecrecySettings::parse(secrecy, secondary);
        assert_eq!(read("", ""), SecrecySettings::default());
        assert_eq!(read("contrat", "non"), SecrecySettings::default());
        assert_eq!(read("Strict", "oui"), SecrecySettings { secrecy: Secrecy::Strict, secondary: true });
        assert_eq!(read("", "nom").rendering(), ".secondaire");
        assert_eq!(read("strict", "").rendering(), ".strict");
    }
}
