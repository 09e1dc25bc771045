//! What search engines read. A site map names whole addresses: it needs the public one.

use super::SiteAnswer;
use super::data::{SiteData, path_code};
use crate::template::{Deployment, LEGAL_ENTRIES};
use api::error::ApiError;
use store::kv::KeyValue;
use store::search::Subject;

const XML: &str = "application/xml; charset=utf-8";
const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Robots read this at the root of a host alone: under a prefix the host's own names the site map.
pub(super) fn robots(deployment: &Deployment) -> String {
    let mut text = "User-agent: *\nDisallow: /api/\nDisallow: /internal/\nDisallow: /recherche\nDisallow: /comparer?\nAllow: /api/doc\n".to_owned();
    if let Some(address) = &deployment.address {
        text += &format!("Sitemap: {address}/sitemap.xml\n");
    }
    text
}

fn address<K: KeyValue>(data: &SiteData<'_, K>) -> Result<String, ApiError> {
    data.deployment.address.clone().ok_or(ApiError::UnknownRoute)
}

/// The parts: one for each page of cards of the search index, and one for the texts.
pub(super) async fn index<K: KeyValue>(data: &SiteData<'_, K>) -> Result<SiteAnswer, ApiError> {
    let address = address(data)?;
    let plan = data.reader.search_plan().await?;
    // Cards with data come first, those without last: pages past them name nothing.
    let with_data = plan.classes.get(2).copied().unwrap_or_default() as u64;
    let pages = plan.cards.iter().filter(|first| **first < with_data).count();
    let parts = (0..pages).map(|n| n.to_string()).chain(["textes".to_owned()]);
    let parts: String = parts.map(|n| format!("<sitemap><loc>{address}/sitemaps/{n}</loc></sitemap>\n")).collect();
    Ok(SiteAnswer::Text(
        XML,
        format!("{HEAD}<sitemapindex xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n{parts}</sitemapindex>\n"),
    ))
}

/// The addresses of one page of cards, or of the texts.
pub(super) async fn part<K: KeyValue>(data: &SiteData<'_, K>, n: &str) -> Result<SiteAnswer, ApiError> {
    let address = address(data)?;
    let paths: Vec<String> = if n == "textes" {
        ["/", "/comparer", "/methode", "/api/doc"]
            .into_iter()
            .chain(LEGAL_ENTRIES.map(|(path, _)| path))
            .map(str::to_owned)
            .collect()
    } else {
        let n: usize = n.parse().map_err(|_| ApiError::UnknownRoute)?;
        let cards = data.reader.card_page(n).await?;
        let cards = cards.into_iter().filter(|card| card.has_data);
        cards
            .filter_map(|card| match card.subject {
                Subject::Certification => {
                    let code = card.codes.iter().find(|c| c.code_kind != "MEFSTAT11")?;
                    Some(format!("/certifications/{}", path_code(&code.code)))
                }
                Subject::Etablissement => Some(format!("/etablissements/{}", card.uai)),
            })
            .collect()
    };
    if paths.is_empty() {
        return Err(ApiError::UnknownRoute);
    }
    let urls: String = paths.iter().map(|path| format!("<url><loc>{address}{path}</loc></url>\n")).collect();
    Ok(SiteAnswer::Text(
        XML,
        format!("{HEAD}<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n{urls}</urlset>\n"),
    ))
}
