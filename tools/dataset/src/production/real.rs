//! Reference data as far as production needs it.

use super::regions;
use crate::Error;
use crate::tables::{self, Nomenclature, each_row};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Reference data as far as production needs it.
#[derive(Default)]
pub(super) struct Real {
    pub(super) bcn: Nomenclature,
    pub(super) etablissements: Vec<tables::Etablissement>,
    /// UAI → (code, headcount).
    pub(super) keys: BTreeMap<String, Vec<(String, u32)>>,
    /// Code → regions, one bit each.
    pub(super) regions: BTreeMap<String, u32>,
}

impl Real {
    pub(super) fn read(data: &Path) -> Result<Self, Error> {
        let mut real =
            Self { bcn: Nomenclature::read(data)?, etablissements: tables::etablissements(data)?, ..Self::default() };
        each_row(&data.join("effectifs/constat-2020.csv"), |row| {
            let headcount = row.number("Nombre d'élèves : Total")?.unwrap_or_default();
            let keys = real.keys.entry(row.need("UAI")?.to_owned()).or_default();
            keys.push((row.need("Mef Bcp 11")?.to_owned(), headcount));
            Ok(())
        })?;
        let mut views = BTreeSet::new();
        each_row(&data.join("catalogue-apprentissage/formations-2020.csv"), |row| {
            if let (Some(cfd), Some(uai)) = (row.get("cfd"), row.get("etablissement_formateur_uai"))
                && views.insert((cfd.to_owned(), uai.to_owned()))
            {
                real.keys.entry(uai.to_owned()).or_default().push((cfd.to_owned(), 0));
            }
            Ok(())
        })?;
        each_row(&tables::regional_csv(data), |row| {
            let code = row.get("cfd").map_or_else(|| row.need("mefstat11"), Ok)?;
            let region = row.need("code_region")?;
            if let Some(rank) = regions().position(|r| r.code == region) {
                *real.regions.entry(code.to_owned()).or_default() |= 1 << rank;
            }
            Ok(())
        })?;
        Ok(real)
    }
}
