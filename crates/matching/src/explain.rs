//! Resolutions and explanations as JSON.

use crate::field::{Code, written};
use crate::matcher::{RowExplanation, Tried};
use crate::places::{Figures, SeveralYears, Trial};
use crate::resolution::{Resolution, Validity};
use crate::row::FormationRow;
use serde_json::{Value, json};

/// A line of the resolver's answer.
#[must_use]
pub fn resolution_to_json(row: &FormationRow<'_>, resolution: &Resolution) -> Value {
    json!({
        "CODEFORMATIONACCUEIL": row.key,
        "type_certification": resolution.source.0,
        "anciennete": resolution.level.as_str(),
        "forme": resolution.form.as_str(),
        "validite": resolution.validity().as_str(),
        "codes": codes(&resolution.codes),
    })
}

/// An explanation, step by step. It holds no number.
#[must_use]
pub fn explanation_to_json(row: &FormationRow<'_>, explanation: &RowExplanation) -> Value {
    let lines: Vec<Value> = explanation.resolutions.iter().map(|one| resolution_to_json(row, one)).collect();
    let places: Vec<Value> =
        explanation.places.iter().map(|place| json!({"uai": place.uai, "champ_uai": place.field.as_str()})).collect();
    let tried: Vec<Value> = explanation.tried.iter().map(tried_to_json).collect();
    let untried: Vec<Value> = explanation.untried.iter().map(candidate_to_json).collect();
    json!({"codes": lines, "etablissements": places, "essais": tried, "non_essayes": untried})
}

fn candidate_to_json(candidate: &Resolution) -> Value {
    json!({
        "source": candidate.source.0,
        "forme": candidate.form.as_str(),
        "anciennete": candidate.level.as_str(),
        "validite": candidate.validity().as_str(),
        "codes": codes(&candidate.codes),
    })
}

fn tried_to_json(tried: &Tried) -> Value {
    let mut value = candidate_to_json(&tried.candidate);
    if let Value::Object(fields) = &mut value {
        let refused = (tried.candidate.validity() == Validity::Several).then_some("plusieurs_codes");
        fields.insert("refus".to_owned(), refused.into());
        fields.insert("etablissements".to_owned(), tried.trials.iter().map(trial_to_json).collect());
    }
    value
}

fn trial_to_json(trial: &Trial) -> Value {
    let (data, refused) = match &trial.figures {
        Figures::Of(code, _) => (Some(written(code)), None),
        Figures::Several(SeveralYears::SharedFirstYear) => (None, Some("premiere_annee_commune")),
        Figures::Several(SeveralYears::SeveralFinalYears) => (None, Some("plusieurs_terminales")),
        Figures::None => (None, None),
    };
    json!({
        "uai": trial.place.uai,
        "champ_uai": trial.place.field.as_str(),
        "code_certification_donnee": data,
        "couverture": trial.coverage().as_str(),
        "refus": refused,
    })
}

fn codes(codes: &[Code]) -> Vec<String> {
    codes.iter().map(written).collect()
}
