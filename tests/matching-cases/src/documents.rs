//! The tables of a case as documents of a push, and what they say once they are packed.

use crate::case::{Case, Cells};
use crate::tables::cell;
use domain::{Document, Kind};
use matching::field::{any_code, mefstat11};
use matching::packed::{Entries, InForce, Section, entry, facts};
use matching::{CodeLinks, LookupTables};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The documents that a push of the case's tables would hold.
#[must_use]
pub fn of(case: &Case) -> Vec<(Kind, Document)> {
    let mut documents = Vec::new();
    let mut add = |kind: Kind, value: Value| {
        if let Value::Object(mut fields) = value {
            fields.retain(|_, value| !value.is_null());
            documents.push((kind, fields));
        }
    };
    let rows = |name: &str| case.tables.get(name).into_iter().flatten();
    for row in rows("n_mef") {
        let fields = [
            ("mef", "MEF"),
            ("mef_stat_11", "MEF_STAT_11"),
            ("formation_diplome", "FORMATION_DIPLOME"),
            ("duree_dispositif", "DUREE_DISPOSITIF"),
            ("annee_dispositif", "ANNEE_DISPOSITIF"),
            ("date_ouverture", "DATE_OUVERTURE"),
            ("date_fermeture", "DATE_FERMETURE"),
        ];
        add(Kind::BcnMef, object(row, &fields));
    }
    for row in rows("n_formation_diplome") {
        let code = cell(row, "FORMATION_DIPLOME");
        let ancestors: Vec<&str> =
            (1..=7).map(|rank| cell(row, &format!("ANCIEN_DIPLOME_{rank}"))).filter(|code| !code.is_empty()).collect();
        add(
            Kind::Bcn,
            json!({
                "type": "cfd", "code_certification": code, "code_formation_diplome": code, "ancien_diplome": ancestors,
                "date_ouverture": filled(row, "DATE_OUVERTURE"),
                "date_premiere_session": filled(row, "DATE_PREMIERE_SESSION"),
            }),
        );
    }
    for row in rows("n_diplome_sise") {
        add(Kind::BcnSise, json!({"diplome_sise": cell(row, "DIPLOME_SISE")}));
    }
    for (number, row) in rows("opendata_certifinfo").chain(rows("certifinfo")).enumerate() {
        let fields = [
            ("code", "Code_Diplome"),
            ("cfd", "Code_Scolarité"),
            ("sise", "Code_Sise"),
            ("rncp", "Code_RNCP"),
            ("ideo", "codeIdeo2"),
            ("ancien", "Code_Ancien_Diplome"),
            ("nouveau", "Code_Nouveau_Diplome"),
        ];
        let mut entry = object(row, &fields);
        // A push names every entry; a case may leave out the name of one that nothing leads to.
        if let Some(entry) = entry.as_object_mut().filter(|entry| !entry.contains_key("code")) {
            entry.insert("code".to_owned(), format!("sans code {number}").into());
        }
        add(Kind::CertifInfo, entry);
    }
    for row in rows("inserJeune_sise_rncp") {
        add(Kind::Rncp, json!({"code_certification": cell(row, "Code Sise"), "rncp": rncp(cell(row, "Code RNCP"))}));
    }
    for row in rows("ideo_formations_initiales") {
        add(Kind::Ideo, json!({"ideo": cell(row, "ideo"), "rncp": filled(row, "code RNCP")}));
    }
    for (number, row) in rows("catalogue_mne").enumerate() {
        add(
            Kind::Catalogue,
            json!({
                "id": number.to_string(), "cfd": filled(row, "Formation: code CFD"),
                "rncp_code": filled(row, "Formation: code RNCP"),
                "cle_ministere_educatif": filled(row, "Clé ministere educatif"),
                "parcoursup_id": filled(row, "parcoursup_id"),
            }),
        );
    }
    for row in rows("acce_uai") {
        let fields = [
            ("numero_uai", "numero_uai"),
            ("academie", "academie"),
            ("date_ouverture", "date_ouverture"),
            ("date_fermeture", "date_fermeture"),
        ];
        add(Kind::Etablissement, object(row, &fields));
    }
    for row in rows("acce_uai_mere") {
        let fields = [("numero_uai_trouve", "numero_uai_trouve"), ("numero_uai_mere", "numero_uai_mere")];
        add(Kind::UaiMother, object(row, &fields));
    }
    for row in rows("encodages_manuels") {
        let fields = [("cle", "CODEFORMATIONACCUEIL"), ("code_certification", "code_certification_retenu")];
        add(Kind::ManualCode, object(row, &fields));
    }
    families(case, &mut add);
    for row in rows("formations") {
        let terminales: Vec<Value> = cell(row, "terminales")
            .split(';')
            .map(str::trim)
            .filter(|code| !code.is_empty())
            .map(|code| json!({"code_certification": code}))
            .collect();
        add(
            Kind::Formation,
            json!({
                "uai": cell(row, "uai"), "millesime": case.last_millesime, "filiere": cell(row, "filiere"),
                "code_certification": cell(row, "code_certification"),
                "nb_annee_term": number(row, "nb_annee_term"),
                "taux_en_emploi_6_mois": number(row, "taux_en_emploi_6_mois"),
                "taux_en_formation": number(row, "taux_en_formation"),
                "taux_autres_6_mois": number(row, "taux_autres_6_mois"),
                "donnee_source": filled(row, "type_source").map(|of| json!({"type": of})),
                "certificationsTerminales": Some(terminales).filter(|codes| !codes.is_empty()),
            }),
        );
    }
    for row in rows("certifications") {
        add(
            Kind::Certification,
            json!({
                "millesime": case.last_millesime, "filiere": cell(row, "filiere"),
                "code_certification": cell(row, "code_certification"),
                "nb_annee_term": number(row, "nb_annee_term"),
                "salaire_12_mois_q1": number(row, "salaire_12_mois_q1"),
                "salaire_12_mois_q2": number(row, "salaire_12_mois_q2"),
                "salaire_12_mois_q3": number(row, "salaire_12_mois_q3"),
            }),
        );
    }
    for row in rows("sies") {
        let code = any_code(cell(row, "diplom"));
        add(
            Kind::SuccessRate,
            json!({
                "uai": cell(row, "uai"), "code_certification": code.map(|code| code.as_str().to_owned()),
                "taux_de_reussite": filled(row, "taux_de_reussite_19"),
                "taux_de_passage": filled(row, "taux_de_passage_22"),
            }),
        );
    }
    documents
}

/// The nomenclature of the treatments names the famille of a shared first year and of its final years: here each shared
/// first year has one of its own.
fn families(case: &Case, add: &mut impl FnMut(Kind, Value)) {
    let mut tables = LookupTables::default();
    for row in case.tables.get("n_mef").into_iter().flatten() {
        tables.load_mef(|column| cell(row, column));
    }
    let cfd_of = |text: &str| tables.mefs_of_mefstat11(&mefstat11(text)?).into_iter().find_map(|mef| mef.cfd);
    for row in case.tables.get("famillemetiers").into_iter().flatten() {
        let (first, last) = (cell(row, "MEFSTAT11 2DE PRO Affelnet"), cell(row, "MEFSTAT11 TERMINALE PRO IJ"));
        if mefstat11(first).is_none() || mefstat11(last).is_none() {
            continue;
        }
        for (code, shared) in [(first, true), (last, false)] {
            let famille = json!({"code": format!("F{first}"), "isAnneeCommune": shared});
            add(Kind::Bcn, json!({"type": "mef", "code_certification": code, "familleMetier": famille}));
        }
        if let (Some(first), Some(last)) = (cfd_of(first), cfd_of(last)) {
            // Beside the row of the nomenclature, which says the dates.
            for (code, shared) in [(&first, true), (&last, false)] {
                let famille = json!({"code": format!("F{}", first.as_str()), "isAnneeCommune": shared});
                add(Kind::Bcn, json!({"type": "cfd", "code_certification": code.as_str(), "familleMetier": famille}));
            }
        }
    }
}

fn object(row: &Cells, fields: &[(&str, &str)]) -> Value {
    let fields = fields.iter().filter_map(|(name, column)| Some(((*name).to_owned(), filled(row, column)?.into())));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn filled<'a>(row: &'a Cells, column: &str) -> Option<&'a str> {
    Some(cell(row, column)).filter(|text| !text.is_empty())
}

fn number(row: &Cells, column: &str) -> Option<Value> {
    serde_json::from_str(cell(row, column).trim()).ok()
}

fn rncp(text: &str) -> String {
    let text = text.trim();
    if text.starts_with("RNCP") { text.to_owned() } else { format!("RNCP{text}") }
}

/// The millesimes that the case puts in force.
#[must_use]
pub fn in_force(case: &Case) -> InForce {
    let last = || Some(case.last_millesime.clone());
    InForce { formations: last(), formations_sup: last(), certifications: last(), certifications_sup: last() }
}

/// Entries held in a map.
#[derive(Debug, Default)]
pub struct Held(BTreeMap<(Section, String), Vec<u8>>);

impl Entries for Held {
    fn entry(&self, section: Section, key: &str) -> Option<Vec<u8>> {
        self.0.get(&(section, key.to_owned())).cloned()
    }

    #[expect(clippy::panic, reason = "a player stops where it fails")]
    fn damaged(&self, section: Section, key: &str) {
        panic!("{section:?} {key} cannot be read");
    }
}

/// What the documents of a case say, packed as a publication packs it.
#[must_use]
pub fn entries(case: &Case) -> Held {
    let mut said: BTreeMap<(Section, String), Vec<Vec<u8>>> = BTreeMap::new();
    for (kind, document) in of(case) {
        for fact in facts(kind, &document) {
            said.entry((fact.section, fact.key)).or_default().push(fact.record);
        }
    }
    Held(said.into_iter().map(|(key, records)| (key, entry(records.iter().map(Vec::as_slice)))).collect())
}
