//! Treatment 8: what an establishment is for a certification, and whose numbers it has.
//!
//! Rule (contract, "Treatments" 8 and "Establishments"): in apprenticeship an establishment is
//! where the training takes place (`lieu_formation`), who trains (`formateur`), or on whose account
//! (`gestionnaire`); the services publish numbers of some of them only. By the rows of the
//! catalogue for the whole line of the certification:
//!
//! 1. each UAI is the first of the three roles that a row gives it, else `inconnu`; its document
//!    lists the UAIs of the two other roles;
//! 2. a `lieu_formation` that is its own only formateur becomes `formateur` where another place of
//!    it has no document: its numbers are those of all its places;
//! 3. a `formateur`, or a `lieu_formation` without other places, that is its own only gestionnaire
//!    becomes `gestionnaire` where another formateur of it has no document as such and a place of
//!    that one, on whosever account, has none at all; it lists those on its own account;
//! 4. places without a document inherit that of their formateur, else of their gestionnaire, where
//!    it is the only one that the rows of the place name.
//!
//! In the school track the establishment is all three; higher education is `inconnu`. Only periods
//! get these fields, and only documents that do not have them yet.

use crate::catalogue::{Catalogue, CatalogueRow, UaiRank};
use crate::lineage::line;
use crate::nomenclature::Nomenclature;
use crate::text::field;
use crate::writing::Collection;
use domain::{Document, Kind, Millesime};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What the treatment did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolesSummary {
    /// Documents that got their role.
    pub handled: u64,
    /// Of these, places that became formateurs.
    pub formateur_place: u64,
    /// Of these, formateurs (or places) that became gestionnaires.
    pub formateur_gestionnaire: u64,
    /// Places that inherited a document.
    pub inherited: u64,
}

impl std::ops::AddAssign for RolesSummary {
    fn add_assign(&mut self, other: Self) {
        self.handled += other.handled;
        self.formateur_place += other.formateur_place;
        self.formateur_gestionnaire += other.formateur_gestionnaire;
        self.inherited += other.inherited;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    LieuFormation,
    Formateur,
    Gestionnaire,
    Unknown,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::LieuFormation => "lieu_formation",
            Self::Formateur => "formateur",
            Self::Gestionnaire => "gestionnaire",
            Self::Unknown => "inconnu",
        }
    }
}

/// Distinct UAIs, in order.
type Uais = BTreeSet<UaiRank>;

/// The establishments that rows name next to one establishment.
#[derive(Default)]
struct Neighbours {
    places: Uais,
    formateurs: Uais,
    gestionnaires: Uais,
    /// Some row names no formateur (gestionnaire).
    without_formateur: bool,
    without_gestionnaire: bool,
}

impl Neighbours {
    fn note(&mut self, row: CatalogueRow) {
        self.places.extend(row.place);
        self.formateurs.extend(row.formateur);
        self.gestionnaires.extend(row.gestionnaire);
        self.without_formateur |= row.formateur.is_none();
        self.without_gestionnaire |= row.gestionnaire.is_none();
    }
}

/// The rows of the line of one certification, by each role.
#[derive(Default)]
struct RoleRows {
    by_place: HashMap<UaiRank, Neighbours>,
    by_formateur: HashMap<UaiRank, Neighbours>,
    by_gestionnaire: HashMap<UaiRank, Neighbours>,
    /// Places of each formateur among the rows of one gestionnaire.
    places: HashMap<(UaiRank, UaiRank), Uais>,
}

impl RoleRows {
    fn of(nomenclature: &Nomenclature, catalogue: &Catalogue, code: &str) -> Self {
        let mut rows = Self::default();
        for cfd in line(nomenclature, code) {
            for row in catalogue.rows(&cfd) {
                for (role, uai) in [
                    (&mut rows.by_place, row.place),
                    (&mut rows.by_formateur, row.formateur),
                    (&mut rows.by_gestionnaire, row.gestionnaire),
                ] {
                    if let Some(uai) = uai {
                        role.entry(uai).or_default().note(*row);
                    }
                }
                if let (Some(gestionnaire), Some(formateur)) = (row.gestionnaire, row.formateur) {
                    rows.places.entry((gestionnaire, formateur)).or_default().extend(row.place);
                }
            }
        }
        rows
    }

    fn role(&self, uai: UaiRank) -> (Role, Option<&Neighbours>) {
        if let Some(neighbours) = self.by_place.get(&uai) {
            (Role::LieuFormation, Some(neighbours))
        } else if let Some(neighbours) = self.by_formateur.get(&uai) {
            (Role::Formateur, Some(neighbours))
        } else if let Some(neighbours) = self.by_gestionnaire.get(&uai) {
            (Role::Gestionnaire, Some(neighbours))
        } else {
            (Role::Unknown, None)
        }
    }
}

/// A document of this run, with its role and lists.
struct RoleDocument {
    place: usize,
    uai: UaiRank,
    role: Role,
    places: Option<Uais>,
    formateurs: Option<Uais>,
    gestionnaires: Option<Uais>,
}

/// Gives documents of establishments their role. `documents` must hold all establishments of the
/// codes it holds.
pub fn roles(nomenclature: &Nomenclature, catalogue: &Catalogue, documents: &mut Collection) -> RolesSummary {
    let mut summary = RolesSummary::default();
    // By code, then millesime: every document of apprenticeship, treated before or not.
    let mut apprentissage: BTreeMap<String, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
    for place in 0..documents.places() {
        let Some(document) = documents.document(place) else { continue };
        let millesime = field(document, "millesime").and_then(Millesime::parse).filter(Millesime::is_period);
        let (Some(millesime), Some(uai)) = (millesime, field(document, "uai")) else { continue };
        match field(document, "filiere") {
            Some("apprentissage") => {
                let code = field(document, "code_certification").unwrap_or_default().to_owned();
                let by_millesime = apprentissage.entry(code).or_default();
                by_millesime.entry(millesime.as_str().to_owned()).or_default().push(place);
            }
            Some(filiere) if !document.contains_key("uai_type") => {
                let mut incoming = data(uai, if filiere == "superieur" { Role::Unknown } else { Role::LieuFormation });
                if filiere != "superieur" {
                    for name in ["uai_formateur", "uai_gestionnaire"] {
                        incoming.insert(name.to_owned(), Value::Array(vec![uai.into()]));
                    }
                }
                documents.merge_at(place, &incoming);
                summary.handled += 1;
            }
            _ => {}
        }
    }
    for (code, by_millesime) in apprentissage {
        let rows = RoleRows::of(nomenclature, catalogue, &code);
        for places in by_millesime.into_values() {
            cohort(catalogue, &rows, documents, &places, &mut summary);
        }
    }
    summary
}

/// `uai_type`, and whose numbers a document holds: its own.
fn data(uai: &str, role: Role) -> Document {
    let mut document = Document::new();
    document.insert("uai_type".to_owned(), role.as_str().into());
    document.insert("uai_donnee".to_owned(), uai.into());
    document.insert("uai_donnee_type".to_owned(), role.as_str().into());
    document
}

/// The four steps on the documents of one certification and millesime.
fn cohort(
    catalogue: &Catalogue,
    rows: &RoleRows,
    documents: &mut Collection,
    places: &[usize],
    summary: &mut RolesSummary,
) {
    let mut present = Uais::new();
    let mut formateurs = Uais::new();
    let mut role_documents = Vec::new();
    let mut unknown = Vec::new();
    for place in places {
        let Some(document) = documents.document(*place) else { continue };
        let uai = field(document, "uai").unwrap_or_default();
        let rank = catalogue.rank(uai);
        present.extend(rank);
        if let Some(role) = field(document, "uai_type") {
            formateurs.extend(rank.filter(|_| role == Role::Formateur.as_str()));
            continue;
        }
        match rank.map(|uai| (uai, rows.role(uai))) {
            Some((uai, (role, Some(neighbours)))) => {
                let list = |uais: &Uais, own: Role| (role != own).then(|| uais.clone());
                role_documents.push(RoleDocument {
                    place: *place,
                    uai,
                    role,
                    places: list(&neighbours.places, Role::LieuFormation),
                    formateurs: list(&neighbours.formateurs, Role::Formateur),
                    gestionnaires: list(&neighbours.gestionnaires, Role::Gestionnaire),
                });
            }
            _ => unknown.push((*place, data(uai, Role::Unknown))),
        }
    }
    for (place, incoming) in unknown {
        documents.merge_at(place, &incoming);
        summary.handled += 1;
    }
    for role_document in &mut role_documents {
        if become_formateur(rows, &present, role_document) {
            summary.formateur_place += 1;
        }
    }
    formateurs.extend(role_documents.iter().filter(|f| f.role == Role::Formateur).map(|f| f.uai));
    for role_document in &mut role_documents {
        if become_gestionnaire(rows, &present, &formateurs, role_document) {
            summary.formateur_gestionnaire += 1;
        }
    }
    for role_document in &role_documents {
        let mut incoming = data(catalogue.uai(role_document.uai), role_document.role);
        for (name, uais) in [
            ("uai_lieu_formation", &role_document.places),
            ("uai_formateur", &role_document.formateurs),
            ("uai_gestionnaire", &role_document.gestionnaires),
        ] {
            if let Some(uais) = uais {
                incoming.insert(name.to_owned(), texts(catalogue, uais));
            }
        }
        documents.merge_at(role_document.place, &incoming);
        summary.handled += 1;
    }
    for role in [Role::Formateur, Role::Gestionnaire] {
        for role_document in role_documents.iter().filter(|f| f.role == role) {
            for location in role_document.places.iter().flatten() {
                if !present.contains(location) && bequeath(catalogue, rows, documents, role_document, *location) {
                    present.insert(*location);
                    summary.inherited += 1;
                }
            }
        }
    }
}

/// UAIs in alphabetical order, whatever the order of the catalogue's rows.
fn texts(catalogue: &Catalogue, uais: &Uais) -> Value {
    let mut texts: Vec<&str> = uais.iter().map(|uai| catalogue.uai(*uai)).collect();
    texts.sort_unstable();
    texts.into()
}

fn is_alone(uais: Option<&Uais>, uai: UaiRank) -> bool {
    uais.is_some_and(|uais| uais.len() == 1 && uais.contains(&uai))
}

/// Step 2.
fn become_formateur(rows: &RoleRows, present: &Uais, role_document: &mut RoleDocument) -> bool {
    if role_document.role != Role::LieuFormation || !is_alone(role_document.formateurs.as_ref(), role_document.uai) {
        return false;
    }
    let Some(neighbours) = rows.by_formateur.get(&role_document.uai) else { return false };
    if !neighbours.places.iter().any(|place| *place != role_document.uai && !present.contains(place)) {
        return false;
    }
    let mut places = neighbours.places.clone();
    places.insert(role_document.uai);
    role_document.role = Role::Formateur;
    role_document.places = Some(places);
    true
}

/// Step 3.
fn become_gestionnaire(rows: &RoleRows, present: &Uais, formateurs: &Uais, role_document: &mut RoleDocument) -> bool {
    let own = role_document.uai;
    let own_places = rows.by_formateur.get(&own).map(|a| &a.places);
    let eligible = match role_document.role {
        Role::Formateur => true,
        Role::LieuFormation => {
            let others = |place: &&UaiRank| **place != own;
            is_alone(role_document.formateurs.as_ref(), own)
                && !own_places.into_iter().flatten().filter(others).any(|place| present.contains(place))
        }
        Role::Gestionnaire | Role::Unknown => false,
    };
    if !eligible || !is_alone(role_document.gestionnaires.as_ref(), own) {
        return false;
    }
    let Some(neighbours) = rows.by_gestionnaire.get(&own) else { return false };
    let places_of = |formateur: UaiRank| rows.places.get(&(own, formateur)).into_iter().flatten();
    let has_no_data = |formateur: &UaiRank| {
        *formateur != own
            && !formateurs.contains(formateur)
            && rows.by_formateur.get(formateur).is_some_and(|a| a.places.iter().any(|l| !present.contains(l)))
    };
    if !neighbours.formateurs.iter().any(has_no_data) {
        return false;
    }
    let mut all = neighbours.formateurs.clone();
    all.insert(own);
    let mut places = role_document.places.take().unwrap_or_default();
    if role_document.role == Role::LieuFormation {
        places.insert(own);
    }
    places.extend(all.iter().flat_map(|f| places_of(*f)));
    role_document.role = Role::Gestionnaire;
    role_document.places = Some(places);
    role_document.formateurs = Some(all);
    true
}

/// Step 4: writes the document of a place that inherits from a formateur or gestionnaire.
fn bequeath(
    catalogue: &Catalogue,
    rows: &RoleRows,
    documents: &mut Collection,
    role_document: &RoleDocument,
    place: UaiRank,
) -> bool {
    let Some(neighbours) = rows.by_place.get(&place) else { return false };
    let own = Uais::from([role_document.uai]);
    let (only, formateurs, gestionnaires) = match role_document.role {
        Role::Formateur => {
            let only = !neighbours.without_formateur && is_alone(Some(&neighbours.formateurs), role_document.uai);
            (only, &own, role_document.gestionnaires.as_ref())
        }
        Role::Gestionnaire => {
            let only = !neighbours.without_gestionnaire && is_alone(Some(&neighbours.gestionnaires), role_document.uai);
            (only, &neighbours.formateurs, Some(&own))
        }
        Role::LieuFormation | Role::Unknown => return false,
    };
    let Some(source) = documents.document(role_document.place).filter(|_| only) else { return false };
    let mut document = source.clone();
    document.remove("uai_lieu_formation");
    if let Some(Value::Object(meta)) = document.get_mut("_meta") {
        // Dates and the like of the source's own record; what the services said stays.
        meta.retain(|name, _| !name.starts_with("date_") && !name.ends_with("_on"));
    }
    document.insert("uai".to_owned(), catalogue.uai(place).into());
    document.insert("uai_type".to_owned(), Role::LieuFormation.as_str().into());
    document.insert("uai_donnee".to_owned(), catalogue.uai(role_document.uai).into());
    document.insert("uai_donnee_type".to_owned(), role_document.role.as_str().into());
    document.insert("uai_formateur".to_owned(), texts(catalogue, formateurs));
    if let Some(gestionnaires) = gestionnaires {
        document.insert("uai_gestionnaire".to_owned(), texts(catalogue, gestionnaires));
    }
    debug_assert_eq!(documents.kind(), Kind::Formation);
    documents.write(document).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nomenclature::Certification;
    use serde_json::json;

    /// Role and lists of each establishment that has a document; rows of the catalogue are place, formateur and
    /// gestionnaire.
    fn roles_of(present: &[&str], all_rows: &[[&str; 3]]) -> Vec<String> {
        let mut nomenclature = Nomenclature::default();
        let code = "40000001";
        nomenclature.add(Certification { code: code.into(), cfd: code.into(), ..Certification::default() });
        let object = |value: Value| value.as_object().unwrap().clone();
        let rows = all_rows.iter().enumerate().map(|(id, [place, formateur, gestionnaire])| {
            object(json!({"id": id.to_string(), "cfd": code, "uai_formation": place,
                "etablissement_formateur_uai": formateur, "etablissement_gestionnaire_uai": gestionnaire}))
        });
        let catalogue = Catalogue::of(&rows.collect::<Vec<_>>());
        let documents = present.iter().map(|uai| {
            object(
                json!({"uai": uai, "code_certification": code, "millesime": "2018_2019", "filiere": "apprentissage"}),
            )
        });
        let mut documents = Collection::of(Kind::Formation, documents);
        roles(&nomenclature, &catalogue, &mut documents);
        let list = |d: &Document, name: &str| d.get(name).map_or(String::new(), |l| format!(" {l}"));
        let show = |d: &Document| {
            let lists = ["uai_lieu_formation", "uai_formateur", "uai_gestionnaire"].map(|name| list(d, name)).concat();
            format!("{} {}{}", d["uai"].as_str().unwrap(), d["uai_type"].as_str().unwrap(), lists.replace('"', ""))
        };
        documents.iter().filter(|d| present.contains(&d["uai"].as_str().unwrap())).map(show).collect()
    }

    #[test]
    fn a_place_of_another_formateur_counts_whoever_is_its_gestionnaire() {
        let own = ["U3", "U3", "U3"];
        let here = ["U1", "U1", "U3"];
        // U1 has a second formateur, so it is no formateur for all its places.
        let second = ["U1", "U0", "U4"];
        for (elsewhere, expected) in [
            // U4 has no document: the numbers of U3 are also those of what U1 teaches.
            (["U4", "U1", "U4"], "U3 gestionnaire [U1,U3] [U1,U3] [U3]"),
            (["U1", "U1", "U4"], "U3 lieu_formation [U3] [U3]"),
            (["U4", "U0", "U4"], "U3 lieu_formation [U3] [U3]"),
        ] {
            let roles = roles_of(&["U3", "U1"], &[own, here, second, elsewhere]);
            assert_eq!(roles.first().map(String::as_str), Some(expected), "{elsewhere:?}");
        }
        // Its lists name what is taught on its own account.
        let roles = roles_of(&["U3", "U1"], &[own, here, second, ["U4", "U1", "U4"], ["U5", "U2", "U4"]]);
        assert_eq!(roles.first().map(String::as_str), Some("U3 gestionnaire [U1,U3] [U1,U3] [U3]"));
    }
}
