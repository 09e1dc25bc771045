//! Where this service differs from the former one on purpose: what must be stored instead.

use crate::case::Case;
use domain::Document;
use domain::indicator::is_indicator;
use serde_json::Value;
use std::collections::BTreeMap;

const STATISTICS: [&str; 3] = ["certificationsStats", "regionalesStats", "formationsStats"];

/// What must be stored after a case, by its marks.
///
/// # Errors
/// A mark that is not known.
pub fn expected(case: &Case) -> Result<BTreeMap<String, Vec<Document>>, String> {
    let mut after = case.after.clone();
    for mark in &case.deviation {
        match mark.as_str() {
            "continuum-mix" => lent_alone(&mut after),
            "empty-size" => keep_empty_sizes(case, &mut after),
            unknown => return Err(unknown.to_owned()),
        }
    }
    Ok(after)
}

/// `continuum-mix`: of numbers that a newer diploma gave, those it has and no other.
fn lent_alone(after: &mut BTreeMap<String, Vec<Document>>) {
    let place = |document: &Document| -> Vec<Option<Value>> {
        ["millesime", "filiere", "uai", "region"].map(|name| document.get(name).cloned()).to_vec()
    };
    for documents in STATISTICS.iter().filter_map(|name| after.remove_entry(*name)).collect::<Vec<_>>() {
        let (name, mut documents) = documents;
        let lenders = documents.clone();
        for document in &mut documents {
            let Some(Value::Object(source)) = document.get("donnee_source") else { continue };
            if source.get("type").is_none_or(|kind| kind != "nouvelle") {
                continue;
            }
            let code = source.get("code_certification");
            let lender =
                lenders.iter().find(|l| l.get("code_certification") == code && place(l) == place(document)).cloned();
            if let Some(lender) = lender {
                document.retain(|name, _| !is_indicator(name) || lender.contains_key(name));
            }
        }
        after.insert(name, documents);
    }
}

/// `empty-size`: what a service says of an empty group is kept, without the rates that would divide by its size.
fn keep_empty_sizes(case: &Case, after: &mut BTreeMap<String, Vec<Document>>) {
    let bodies = case.upstream.iter().filter_map(|exchange| exchange.get("response")?.get("body"));
    let rows = bodies.filter_map(|body| body.get("data")?.as_array()).flatten();
    let mut groups: BTreeMap<String, Document> = BTreeMap::new();
    for row in rows {
        let dimension = row.get("dimensions").and_then(|d| d.get(0));
        let code =
            ["id_formation_apprentissage", "id_mefstat11"].iter().find_map(|name| dimension?.get(name)?.as_str());
        let measure = (row.get("id_mesure").and_then(Value::as_str), row.get("valeur_mesure"));
        if let (Some(code), (Some(name), Some(value))) = (code, measure) {
            groups.entry(code.to_owned()).or_default().insert(name.to_owned(), value.clone());
        }
    }
    let filiere = case.args.first().and_then(|a| a.get("filieres")?.get(0)).cloned();
    let millesime = case.args.first().and_then(|a| a.get("millesimes")?.get(0)).cloned();
    let nomenclature: Vec<Document> = after.get("bcn").cloned().unwrap_or_default();
    let documents = after.entry("certificationsStats".to_owned()).or_default();
    for (code, measures) in groups {
        let number = |name: &str| measures.get(name).and_then(Value::as_f64);
        let counts = measures.keys().any(|name| name.starts_with("nb_") && number(name).is_some_and(|n| n > 0.0));
        let known = nomenclature.iter().find(|c| c.get("code_certification").is_some_and(|c| *c == code));
        let (true, Some(known)) = (number("nb_annee_term") == Some(0.0) && counts, known) else { continue };
        let mut document = measures;
        let source = serde_json::json!({"code_certification": code, "type": "self"});
        let of = |name: &str| known.get(name).cloned().unwrap_or_default();
        for (name, value) in [
            ("code_certification", code.into()),
            ("millesime", millesime.clone().unwrap_or_default()),
            ("filiere", filiere.clone().unwrap_or_default()),
            ("donnee_source", source),
            ("_meta", serde_json::json!({"inserjeunes": {}})),
            ("code_certification_type", if of("type") == "mef" { "mef11".into() } else { "cfd".into() }),
            ("code_formation_diplome", of("code_formation_diplome")),
            ("libelle", of("libelle_long")),
            ("diplome", of("diplome")),
        ] {
            document.insert(name.to_owned(), value);
        }
        documents.push(document);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn case(after: &Value, upstream: &Value, deviation: &[&str]) -> Case {
        let documents =
            |list: &Value| list.as_array().unwrap().iter().map(|d| d.as_object().unwrap().clone()).collect();
        Case {
            id: "c".into(),
            job: "j".into(),
            args: vec![json!({"millesimes": ["2020"], "filieres": ["apprentissage"]})],
            files: BTreeMap::new(),
            before: BTreeMap::new(),
            upstream: upstream.as_array().unwrap().clone(),
            after: after.as_object().unwrap().iter().map(|(name, list)| (name.clone(), documents(list))).collect(),
            thrown: None,
            deviation: deviation.iter().map(|mark| (*mark).to_owned()).collect(),
        }
    }

    #[test]
    fn fields_that_a_newer_lender_lacks_are_not_expected() {
        let statistic = |code: &str, source: Value, counts: Value| {
            let mut document = json!({"code_certification": code, "millesime": "2019", "donnee_source": source});
            document.as_object_mut().unwrap().extend(counts.as_object().unwrap().clone());
            document
        };
        let newer = |counts| statistic("1", json!({"code_certification": "2", "type": "nouvelle"}), counts);
        let lender = statistic("2", json!({"code_certification": "2", "type": "self"}), json!({"nb_sortant": 1}));
        let recorded = json!({"certificationsStats": [newer(json!({"nb_sortant": 1, "nb_annee_term": 4})), lender]});
        let right = json!({"certificationsStats": [newer(json!({"nb_sortant": 1})), lender]});
        let marked = expected(&case(&recorded, &json!([]), &["continuum-mix"])).unwrap();
        assert!(crate::compare::states(&case(&right, &json!([]), &[]).after, &marked).is_empty());
        assert_eq!(expected(&case(&recorded, &json!([]), &[])).unwrap(), case(&recorded, &json!([]), &[]).after);
        assert_eq!(expected(&case(&recorded, &json!([]), &["new"])), Err("new".to_owned()));
    }

    #[test]
    fn an_empty_group_with_a_count_is_expected_without_its_rate() {
        let row = |name: &str, value: u8| json!({"id_mesure": name, "valeur_mesure": value, "dimensions": [{"id_formation_apprentissage": "40000001"}]});
        let exchange = |size: u8| json!([{"response": {"body": {"data": [row("nb_annee_term", size), row("nb_en_emploi_12_mois", 1)]}}}]);
        let after = json!({"bcn": [{"code_certification": "40000001", "type": "cfd"}]});
        let marked = expected(&case(&after, &exchange(0), &["empty-size"])).unwrap();
        let [kept] = marked["certificationsStats"].as_slice() else { panic!("{marked:?}") };
        assert_eq!((&kept["nb_en_emploi_12_mois"], kept.get("taux_en_emploi_12_mois")), (&json!(1), None));
        let other = expected(&case(&after, &exchange(3), &["empty-size"])).unwrap();
        assert!(other["certificationsStats"].is_empty());
    }
}
