//! What an establishment, its mothers and its antennas have in the statistics: for the person who fills in a catalogue.

use super::parameters::Asked;
use super::{MatchRefusal, invalid};
use crate::matching_data::MatchingData;
use domain::{CodeCertification, CodeType, Uai};
use matching::field::written;
use matching::file::fold;
use matching::lookups::{CertifInfoKey, CodeLinks};
use matching::packed::Packed;
use matching::{FormationRow, Nomenclatures, Options, Resolver, Voie};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use store::kv::KeyValue;

/// Suggestions of one answer.
const MOST: usize = 200;
/// Establishments around one that are looked at: a rectorate is the mother of hundreds.
const AROUND: usize = 20;

struct Suggestion {
    fits: bool,
    libelle: String,
    value: Value,
}

pub(super) async fn of<K: KeyValue>(data: &MatchingData<K>, asked: &Asked, uai: &str) -> Result<Value, MatchRefusal> {
    if Uai::parse(uai).is_none() {
        return Err(invalid(
            format!("« {uai} » n'est pas un UAI"),
            "Un UAI a sept chiffres et une lettre majuscule : 0750652B.",
        ));
    }
    let suggestions = data.settle(|packed, nomenclatures| all(packed, nomenclatures, asked, uai)).await?;
    let Some(mut suggestions) = suggestions else {
        return Err(MatchRefusal::Help(
            404,
            "Etablissement inconnu".to_owned(),
            format!("Établissements les plus proches : /api/recherche?q={uai}&type=etablissement"),
        ));
    };
    suggestions.sort_by(|a, b| (!a.fits, &a.libelle).cmp(&(!b.fits, &b.libelle)));
    let total = suggestions.len();
    let shown: Vec<Value> = suggestions.into_iter().take(MOST).map(|one| one.value).collect();
    Ok(json!({"uai": uai, "total": total, "suggestions": shown}))
}

/// Every certification that is taught there or around; `None` where nobody knows the establishment.
fn all<L: matching::packed::Entries>(
    packed: &Packed<'_, L>,
    nomenclatures: &Nomenclatures,
    asked: &Asked,
    uai: &str,
) -> Option<Vec<Suggestion>> {
    let own = packed.taught(uai);
    if !own.known && own.codes.is_empty() && own.mothers.is_empty() && own.daughters.is_empty() {
        return None;
    }
    let mut places: BTreeMap<CodeCertification, Vec<Value>> = BTreeMap::new();
    let mut note = |codes: &[CodeCertification], uai: &str, role: &str| {
        for code in codes {
            places.entry(code.clone()).or_default().push(json!({"uai": uai, "lien": role}));
        }
    };
    note(&own.codes, uai, "lui-même");
    for (around, role) in [(&own.mothers, "mère"), (&own.daughters, "antenne")] {
        for other in around.iter().take(AROUND) {
            note(&packed.taught(other).codes, other, role);
        }
    }
    let wanted = wanted(packed, nomenclatures, asked.options, &asked.rncp, &asked.ideo);
    let words = fold(&asked.q);
    let suggestion = |(code, places): (CodeCertification, Vec<Value>)| {
        let label = packed.label(&code);
        let found =
            words.is_empty() || fold(&label.libelle).contains(&words) || code.as_str().starts_with(asked.q.trim());
        if !found {
            return None;
        }
        let fits = wanted.contains(&code);
        let value = json!({
            "code_certification": written(&code),
            "libelle": label.libelle,
            "diplome": label.diplome,
            "rncp": rncp_of(packed, &code),
            "correspond": fits,
            "etablissements": places,
        });
        Some(Suggestion { fits, libelle: fold(&label.libelle), value })
    };
    Some(places.into_iter().filter_map(suggestion).collect())
}

/// The codes that an entry of the national directory or an identifier of Onisep leads to, of either voie.
fn wanted(
    links: &impl CodeLinks,
    nomenclatures: &Nomenclatures,
    options: Options,
    rncp: &str,
    ideo: &str,
) -> BTreeSet<CodeCertification> {
    if rncp.is_empty() && ideo.is_empty() {
        return BTreeSet::new();
    }
    let row = FormationRow::read(nomenclatures, |column| match column {
        "LISTE_RNCP" => rncp,
        "LISTE_IDEO" => ideo,
        _ => "",
    });
    let options = Options { voie_when_absent: Voie::School, ..options };
    let resolutions = Resolver::new(links, nomenclatures, options).resolve(&row);
    resolutions.iter().flat_map(|one| one.codes.iter().cloned()).collect()
}

/// The entries of the national directory of a code.
fn rncp_of(links: &impl CodeLinks, code: &CodeCertification) -> Vec<String> {
    let rows = match code.code_type() {
        CodeType::Sise => links.certif_info(CertifInfoKey::Sise(code)),
        CodeType::Cfd => links.certif_info(CertifInfoKey::Cfd(code)),
        CodeType::Mef => {
            let cfds = links.mefs_of_mefstat11(code).into_iter().filter_map(|mef| mef.cfd);
            cfds.flat_map(|cfd| links.certif_info(CertifInfoKey::Cfd(&cfd))).collect()
        }
    };
    let entries: BTreeSet<String> = rows.into_iter().filter_map(|row| row.rncp).collect();
    entries.into_iter().map(|rncp| format!("RNCP{rncp}")).collect()
}
