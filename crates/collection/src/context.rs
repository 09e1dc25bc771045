//! What the treatments look up, as far as one call has built it.

use domain::{Document, Kind};
use treatments::{Acce, CodeGroups, Context};

/// What is built so far in this call.
#[derive(Default)]
pub(crate) struct Contexts {
    pub context: Context,
    pub acce: Acce,
    pub groups: CodeGroups,
    pub ready: bool,
}

impl Contexts {
    pub fn add(&mut self, kind: Kind, document: &Document) {
        let nomenclature = &mut self.context.nomenclature;
        match kind {
            Kind::Bcn => {
                if let Some(certification) = treatments::Certification::read(document) {
                    nomenclature.add(certification);
                }
            }
            Kind::BcnMef => nomenclature.add_mef_row(document),
            Kind::BcnSise => nomenclature.add_sise(document),
            Kind::Etablissement => self.acce.add(document),
            Kind::Catalogue => self.context.catalogue.add(document),
            _ => {}
        }
    }
}
