//! What pages read: the documents that the API publishes, one by one, in a bounded number of gets.

pub(super) use crate::fields::text;
use crate::template::Deployment;
use api::error::ApiError;
use domain::{CodeCertification, CodeType, Filiere, Maille, Millesime, Universe};
use serde_json::Value;
use std::collections::BTreeSet;
use store::kv::KeyValue;
use store::list::{Filter, Format};
use store::search::{SearchCard, Subject};
use store::segment::RowStyle;
use store::version_set::Shape;
use store::{Reader, StoreError, counts, keys};

/// Millesimes that a page goes through, at most.
const YEARS_MAX: usize = 20;
/// Codes of a certification that a page reads one by one, at most.
const CODES_MAX: usize = 6;
/// Codes by which a list is filtered, at most.
const FILTER_CODES_MAX: usize = 12;

/// The data of a request.
pub(super) struct SiteData<'a, K> {
    pub reader: &'a Reader<K>,
    pub now: i64,
    pub deployment: &'a Deployment,
}

/// What becomes of those of one voie, the newest millesime first.
pub(super) struct VoieFigures {
    pub filiere: Filiere,
    pub years: Vec<Value>,
}

impl VoieFigures {
    /// The newest year whose rates are published, else the newest.
    pub fn best(&self) -> Option<&Value> {
        self.years.iter().find(|year| shares(year).is_some()).or_else(|| self.years.first())
    }
}

/// A certification in a place.
#[derive(Default)]
pub(super) struct PlaceFigures {
    pub voies: Vec<VoieFigures>,
    /// Codes that have figures of their own, as the API takes them.
    pub codes: Vec<String>,
    /// Codes of the final years, where these are years before them.
    pub final_codes: Vec<String>,
}

/// The shares of those in employment, in studies and elsewhere, where all are published.
pub(super) fn shares(document: &Value) -> Option<[f64; 3]> {
    let rate = |field: &str| document.get(field).and_then(Value::as_f64);
    Some([rate("taux_en_emploi_6_mois")?, rate("taux_en_formation")?, rate("taux_autres_6_mois")?])
}

/// The code of a certification as paths of the site write it.
pub(super) fn path_code(code: &str) -> String {
    if code.len() == 7 { format!("SISE:{code}") } else { code.to_owned() }
}

impl<K: KeyValue> SiteData<'_, K> {
    /// The card of a certification, whichever of its codes is asked for.
    pub async fn certification(&self, code: &CodeCertification) -> Result<Option<SearchCard>, ApiError> {
        Ok(self.reader.card(Subject::Certification, code.as_str()).await?)
    }

    /// The code that the page of a certification lies under: its CFD, or its SISE code.
    pub async fn page_code(&self, code: &CodeCertification) -> Result<String, ApiError> {
        if code.code_type() == CodeType::Sise {
            return Ok(path_code(code.as_str()));
        }
        let cfd = self.reader.nomenclature("bcn", code.as_str()).await?;
        let cfd = cfd.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).filter(|cfd| !cfd.is_empty());
        Ok(cfd.unwrap_or_else(|| code.as_str().to_owned()))
    }

    /// What becomes of those who took a certification, in a region or (`""`) in France.
    pub async fn statistics(&self, card: &SearchCard, region: &str) -> Result<PlaceFigures, ApiError> {
        let mut statistics = PlaceFigures::default();
        if let Some(cfd) = card.codes.iter().find(|c| c.code_kind == "CFD") {
            statistics.voies = self.filieres(region, &cfd.code).await?;
        }
        let codes = statistics.voies.iter().flat_map(|voie| &voie.years);
        let codes = codes.filter_map(|year| year.get("codes_certifications")?.as_array());
        let mut known: BTreeSet<String> = codes.flatten().filter_map(|c| Some(c.as_str()?.to_owned())).collect();
        let others = card.codes.iter().filter(|c| c.has_data && !known.contains(&c.code));
        let others: Vec<&str> = others.map(|c| c.code.as_str()).take(CODES_MAX).collect();
        let maille = if region.is_empty() { Maille::National } else { Maille::Regionale };
        for code in others {
            for (document, final_codes) in self.versions(maille, region, code).await? {
                if !final_codes.is_empty() {
                    let new = final_codes.into_iter().filter(|c| !statistics.final_codes.contains(c));
                    statistics.final_codes.extend(new.collect::<Vec<_>>());
                    continue;
                }
                let Some(filiere) = Filiere::parse(text(&document, "filiere")) else { continue };
                // The two that the filieres view knows come from there, summed by its rules.
                if matches!(filiere, Filiere::Pro | Filiere::Apprentissage) {
                    continue;
                }
                known.insert(code.to_owned());
                match statistics.voies.iter_mut().find(|voie| voie.filiere == filiere) {
                    Some(voie) => {
                        let millesime = text(&document, "millesime");
                        if !voie.years.iter().any(|year| text(year, "millesime") == millesime) {
                            voie.years.push(document);
                        }
                    }
                    None => statistics.voies.push(VoieFigures { filiere, years: vec![document] }),
                }
            }
        }
        statistics.codes = known.into_iter().take(FILTER_CODES_MAX).collect();
        Ok(statistics)
    }

    /// The filieres view of every millesime, as the API answers it: a millesime at a time.
    async fn filieres(&self, place: &str, cfd: &str) -> Result<Vec<VoieFigures>, ApiError> {
        let Some(counts) = self.reader.counts(place, cfd).await? else { return Ok(Vec::new()) };
        let entries = [(cfd.to_owned(), counts)];
        let mut millesimes: Vec<String> = Vec::new();
        while millesimes.len() < YEARS_MAX {
            let bound = millesimes.last();
            let view = counts::view(&entries, |m| bound.is_none_or(|b| m < b.as_str()), place, self.now)
                .ok_or(ApiError::Unavailable)?;
            let documents = view.0.iter().filter_map(|(_, d)| d.as_document().get("millesime")?.as_str());
            let Some(newest) = documents.max().map(str::to_owned) else { break };
            millesimes.push(newest);
        }
        let mut voies: Vec<VoieFigures> = Vec::new();
        for millesime in &millesimes {
            let view = counts::view(&entries, |m| m == millesime, place, self.now).ok_or(ApiError::Unavailable)?;
            for (filiere, document) in view.0 {
                let document = Value::Object(document.as_document().clone());
                match voies.iter_mut().find(|voie| voie.filiere == filiere) {
                    Some(voie) => voie.years.push(document),
                    None => voies.push(VoieFigures { filiere, years: vec![document] }),
                }
            }
        }
        voies.sort_by_key(|voie| voie.filiere != Filiere::Pro);
        Ok(voies)
    }

    /// Every document of a code in a place, the newest first, each with the final years that it leads to.
    pub async fn versions(
        &self,
        maille: Maille,
        place: &str,
        code: &str,
    ) -> Result<Vec<(Value, Vec<String>)>, ApiError> {
        let Some(set) = self.reader.version_set(maille, place, code).await? else { return Ok(Vec::new()) };
        let mut documents = Vec::new();
        for version in set.versions.iter().take(YEARS_MAX) {
            let mut body = Vec::new();
            version.write(&mut body, || self.now, Shape::Alone, None);
            let document: Value = serde_json::from_slice(&body).map_err(|_| ApiError::Unavailable)?;
            let final_codes = version.final_years.as_ref().map(|t| t.codes.clone()).unwrap_or_default();
            documents.push((document, final_codes));
        }
        documents.sort_by(|(a, _), (b, _)| text(b, "millesime").cmp(text(a, "millesime")));
        Ok(documents)
    }

    /// Rows of a list, as the API's list answers them: `take` of them, and how many there are.
    pub async fn rows(&self, list: &str, filter: &Filter, take: usize) -> Result<(Vec<Value>, usize), ApiError> {
        let plan = self.reader.plan(list).await?;
        let selection = self.reader.selection(list, &plan, filter).await?;
        let mut json = vec![b'['];
        for (rank, slice) in selection.slices(0, take, plan.rows(Format::Json)).into_iter().enumerate() {
            let value = self.reader.segment(list, selection.order, Format::Json, slice.segment).await?;
            let style = RowStyle { first: rank == 0, between: b",", now: self.now };
            value.append_rows(&mut json, slice.from, slice.count, style)?;
        }
        json.push(b']');
        let rows = serde_json::from_slice(&json).map_err(|_| ApiError::Unavailable)?;
        Ok((rows, selection.total()))
    }

    /// The millesimes in force of a maille, in the spellings that its rows may have.
    pub fn in_force(&self, maille: Maille) -> Vec<(String, Option<Universe>)> {
        let millesimes = &self.reader.pointer().millesimes;
        let mut filter = Vec::new();
        for universe in [Universe::Secondaire, Universe::Superieur] {
            let Some(millesime) = millesimes.of(maille, universe).and_then(Millesime::parse) else { continue };
            let spellings = millesime.both_spellings().filter(|m| maille == Maille::Etablissement || *m == millesime);
            let universe = (maille != Maille::Regionale).then_some(universe);
            filter.extend(spellings.map(|m| (m.as_str().to_owned(), universe)));
        }
        if filter.is_empty() {
            // Nothing is in force: no row has the empty millesime.
            filter.push((String::new(), None));
        }
        filter.sort_unstable();
        filter.dedup();
        filter
    }

    /// A certification in each place of the mailles that pushes declared: the label of the maille, and its rows.
    pub async fn declared(&self, codes: &[String]) -> Result<Vec<(String, Vec<Value>)>, ApiError> {
        let mut found = Vec::new();
        if codes.is_empty() {
            return Ok(found);
        }
        for maille in self.reader.mailles().await? {
            let filter = Filter {
                millesimes: vec![(maille.millesime.clone(), None)],
                codes: codes.to_vec(),
                ..Filter::default()
            };
            let (rows, _) = self.rows(&keys::declared_list(&maille.declared.name), &filter, 60).await?;
            if !rows.is_empty() {
                found.push((maille.declared.libelle.clone(), rows));
            }
        }
        Ok(found)
    }

    /// The card of an establishment.
    pub async fn etablissement(&self, uai: &str) -> Result<Option<SearchCard>, StoreError> {
        self.reader.card(Subject::Etablissement, uai).await
    }
}
