//! The page of a certification: each voie beside the others, years, regions or the establishments of one.

use super::data::{PlaceFigures, SiteData, VoieFigures, path_code, shares, text};
use super::figures::{self, Benchmark, bar, level_name, readable, voie_name, words};
use super::{SiteAnswer, absent, breadcrumb, fold, parameter};
use crate::template::{PageHead, page, script};
use api::Request;
use api::error::ApiError;
use domain::territory::Region;
use domain::{CodeCertification, Filiere, Maille, territory};
use maud::{Markup, html};
use serde_json::Value;
use store::kv::KeyValue;
use store::list::Filter;
use store::search::SearchCard;

/// Voies in the order of pages.
const VOIES: [Filiere; 4] = [Filiere::Pro, Filiere::Apprentissage, Filiere::Agricultural, Filiere::Superieur];

/// Establishments that a page lists.
const ETABLISSEMENTS_MAX: usize = 200;

pub(super) async fn show<K: KeyValue>(
    data: &SiteData<'_, K>,
    request: &Request,
    code: &str,
) -> Result<SiteAnswer, ApiError> {
    let unknown = || {
        absent(
            data.deployment,
            "Formation introuvable",
            "Aucune formation n’a ce code. Elle a peut-être changé de nom ou de code : cherchez-la par son nom.",
            "",
        )
    };
    // The same figures as a table.
    let (code, as_table) = code.strip_suffix(".csv").map_or((code, false), |code| (code, true));
    let Some(read) = CodeCertification::parse(code) else { return Ok(unknown()) };
    let own = data.page_code(&read).await?;
    if own != code {
        let end = if as_table { ".csv" } else { "" };
        return Ok(SiteAnswer::Moved(format!("/certifications/{own}{end}")));
    }
    let Some(card) = data.certification(&read).await? else { return Ok(unknown()) };
    if as_table {
        let national = data.statistics(&card, "").await?;
        let regions = regions(data, &national.codes).await?;
        let label = readable(&card.libelle);
        return Ok(SiteAnswer::Text("text/csv; charset=utf-8", figures_table(&label, &national, &regions)));
    }
    let region = territory::region(&parameter(request, "region"));
    let national = data.statistics(&card, "").await?;
    let regional = match region {
        Some(region) => Some(data.statistics(&card, region.code).await?),
        None => None,
    };
    let shown = regional.as_ref().unwrap_or(&national);
    let label = readable(&card.libelle);
    let place = region.map_or("France", |r| r.name);
    let years_before = final_years(data, &national).await?;
    let regions = regions(data, &national.codes).await?;
    let etablissements = match region {
        Some(region) => etablissements(data, &national.codes, region).await?,
        None => (Vec::new(), 0),
    };
    let declared = if region.is_none() {
        data.declared(&national.codes).await?.into_iter().map(|(name, rows)| (name, final_rows(rows))).collect()
    } else {
        Vec::new()
    };
    let highlighted = parameter(request, "etablissement");
    let instead = html! {
        p {
            "À voir à la place\u{a0}: "
            @if region.is_some() { a href=(format!("/certifications/{code}")) { "toute la France" } ", ou " }
            a href="#regions" { "les autres régions" } ". " a href="/methode#seuil" { "Pourquoi\u{a0}?" }
        }
    };
    let path = format!("/certifications/{code}");
    let body = html! {
        (breadcrumb(&[("/recherche", "Formations")], &label))
        h1 { (label) }
        p.lead { (level_name(&card.diplome)) @if !level_name(&card.diplome).is_empty() { " · " } (place) }
        @if shown.voies.is_empty() { (nothing(&years_before, region, code)) }
        div.voies { @for voie in &shown.voies { (figures::answer(voie, &instead)) } }
        p.actions {
            a.fr-btn.fr-btn--secondary href=(compare_path(code, region)) { "Comparer avec une autre formation" }
        }
        (region_form(&path, &regions, region))
        @if let Some(region) = region {
            section #etablissements {
                h2 { "Établissements en " (region.name) }
                (ranking(&etablissements.0, &national.voies, &shown.voies, &highlighted))
                @if etablissements.1 > 0 {
                    p { (etablissements.1) " autres sont dans l’" a href="/api/doc" { "API" } "." }
                }
            }
        }
        @if shown.voies.iter().any(|voie| voie.years.len() > 1) {
            section {
                h2 { "Année après année" }
                div.voies { @for voie in shown.voies.iter().filter(|voie| voie.years.len() > 1) {
                    section { h3 { (voie_name(voie.filiere)) } (figures::years(voie)) }
                } }
            }
        }
        section #regions {
            h2 { "Région par région" }
            @if regions.is_empty() { p { "Aucun chiffre régional n’est publié pour cette formation." } }
            @if region.is_some() { p { a href=(format!("{path}#regions")) { "Comparer toutes les régions" } } }
            @else {
                (places(&regions, &|row| row.get("region").map_or("", |r| text(r, "nom")), &|row| {
                    let region = row.get("region").map_or("", |r| text(r, "code"));
                    format!("{path}?region={region}#etablissements")
                }))
            }
            @if !national.voies.is_empty() {
                p { a.fr-link href=(format!("{path}.csv")) download { "Télécharger la France et ses régions (CSV)" } }
            }
        }
        @for (name, rows) in &declared {
            section.declared { h2 { (name) } (places(rows, &declared_name, &|_| String::new())) }
        }
        (fold::developers(data.deployment.address.as_deref(), &codes(&card), &calls(&national, &own, region)))
    };
    let title = match region {
        Some(region) => format!("{label}, {}", region.name),
        None => label.clone(),
    };
    let description = shown.voies.iter().find_map(|voie| figures::sentence(voie.best()?));
    let description = format!("{label} : que deviennent les jeunes ? {}", description.unwrap_or_default());
    let canonical = match region {
        Some(region) => format!("{path}?region={}", region.code),
        None => path.clone(),
    };
    let head = PageHead {
        title: &title,
        description: description.trim_end(),
        here: "/recherche",
        canonical: &canonical,
        more: script("site.js"),
    };
    Ok(SiteAnswer::Page(200, page(data.deployment, &head, &body)))
}

/// Why there is no figure, and where there is one.
fn nothing(years_before: &[(String, String)], region: Option<&Region>, code: &str) -> Markup {
    html! {
        @if years_before.is_empty() {
            p.notice {
                "Aucun chiffre n’est publié "
                @if region.is_some() { "dans cette région. " a href=(format!("/certifications/{code}")) { "Voir toute la France" } "." }
                @else { "pour cette formation. Elle est peut-être trop récente, ou trop peu de jeunes la suivent. " a href="/methode#seuil" { "Pourquoi\u{a0}?" } }
            }
        } @else {
            p.notice { "C’est une première année\u{a0}: les chiffres sont ceux des diplômes auxquels elle mène." }
            ul { @for (path, label) in years_before { li { a.fr-link href=(path) { (label) } } } }
        }
    }
}

/// The certifications that a year before them leads to.
async fn final_years<K: KeyValue>(
    data: &SiteData<'_, K>,
    statistics: &PlaceFigures,
) -> Result<Vec<(String, String)>, ApiError> {
    let mut found = Vec::new();
    if !statistics.voies.is_empty() {
        return Ok(found);
    }
    for code in statistics.final_codes.iter().take(12) {
        let Some(code) = CodeCertification::parse(&path_code(code)) else { continue };
        let own = data.page_code(&code).await?;
        let documents = data.versions(Maille::National, "", code.as_str()).await?;
        let label = documents.first().map_or_else(|| own.clone(), |(document, _)| readable(text(document, "libelle")));
        found.push((format!("/certifications/{own}"), label));
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
    found.dedup();
    Ok(found)
}

async fn regions<K: KeyValue>(data: &SiteData<'_, K>, codes: &[String]) -> Result<Vec<Value>, ApiError> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let filter = Filter { millesimes: data.in_force(Maille::Regionale), codes: codes.to_vec(), ..Filter::default() };
    let (rows, _) = data.rows(Maille::Regionale.list(), &filter, 100).await?;
    let mut rows = final_rows(rows);
    let name = |row: &Value| row.get("region").map_or("", |r| text(r, "nom")).to_owned();
    rows.sort_by(|a, b| (name(a), text(a, "filiere")).cmp(&(name(b), text(b, "filiere"))));
    Ok(rows)
}

async fn etablissements<K: KeyValue>(
    data: &SiteData<'_, K>,
    codes: &[String],
    region: &Region,
) -> Result<(Vec<Value>, usize), ApiError> {
    if codes.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let filter = Filter {
        millesimes: data.in_force(Maille::Etablissement),
        regions: vec![region.code.to_owned()],
        codes: codes.to_vec(),
        ..Filter::default()
    };
    let (rows, total) = data.rows(Maille::Etablissement.list(), &filter, ETABLISSEMENTS_MAX).await?;
    let cut = total.saturating_sub(rows.len());
    let mut rows = final_rows(rows);
    // The most in employment or studies first; those without figures last, by name.
    let rank = |row: &Value| shares(row).map_or(f64::MAX, |[.., other]| other);
    rows.sort_by(|a, b| {
        rank(a).total_cmp(&rank(b)).then_with(|| text(a, "libelle_etablissement").cmp(text(b, "libelle_etablissement")))
    });
    Ok((rows, cut))
}

/// What the page shows of France, each year, and of each region, as a table for a spreadsheet: published figures alone, empty
/// where there is none.
fn figures_table(label: &str, national: &PlaceFigures, regions: &[Value]) -> String {
    // A byte order mark: spreadsheets read UTF-8 by it.
    let mut table = "\u{feff}formation;lieu;voie;annee;taux_emploi_6_mois;taux_etudes;taux_autre_situation;jeunes_derniere_annee\r\n".to_owned();
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let figure =
        |row: &Value, field: &str| row.get(field).and_then(Value::as_f64).map_or(String::new(), |n| n.to_string());
    let mut add = |place: &str, voie: &str, row: &Value| {
        let year = figures::year(text(row, "millesime"));
        let rates = ["taux_en_emploi_6_mois", "taux_en_formation", "taux_autres_6_mois", "nb_annee_term"];
        let rates = rates.map(|field| figure(row, field)).join(";");
        table += &format!("{};{};{};{};{rates}\r\n", quoted(label), quoted(place), quoted(voie), quoted(&year));
    };
    for voie in &national.voies {
        for year in &voie.years {
            add("France", voie_name(voie.filiere), year);
        }
    }
    for row in regions {
        let place = row.get("region").map_or("", |region| text(region, "nom"));
        add(place, Filiere::parse(text(row, "filiere")).map_or("", voie_name), row);
    }
    table
}

/// Years before the last have no figures of their own.
fn final_rows(rows: Vec<Value>) -> Vec<Value> {
    rows.into_iter().filter(|row| row.get("certificationsTerminales").is_none()).collect()
}

fn region_form(path: &str, regions: &[Value], chosen: Option<&Region>) -> Markup {
    let has_data = |code: &str| regions.iter().any(|row| row.get("region").is_some_and(|r| text(r, "code") == code));
    html! {
        form.facets action=(path) method="get" {
            div {
                label.fr-label for="region" { "Voir une région et ses établissements" }
                select.fr-select #region name="region" {
                    option value="" { "France entière" }
                    @for region in territory::REGIONS.iter().filter(|r| has_data(r.code) || chosen == Some(r)) {
                        option value=(region.code) selected[chosen == Some(region)] { (region.name) }
                    }
                }
            }
            button.fr-btn type="submit" { "Afficher" }
        }
    }
}

/// Establishments with their bars, beside the rates of France and the region.
fn ranking(rows: &[Value], national: &[VoieFigures], regional: &[VoieFigures], highlighted: &str) -> Markup {
    let benchmarks = |filiere: Filiere| -> Vec<Benchmark> {
        let national = figures::benchmark(national, filiere, "France", "national");
        let regional = figures::benchmark(regional, filiere, "région", "regional");
        [national, regional].into_iter().flatten().collect()
    };
    html! {
        @if rows.is_empty() { p { "Aucun établissement de cette région n’a de données publiées pour cette formation." } }
        @else {
            p.hint.kept { "Du moins au plus de jeunes dans une autre situation que les études ou l’emploi. Les repères sur les barres sont les taux d’emploi de la France (trait plein) et de la région (trait pointillé)." }
        }
        @for filiere in VOIES {
            @let of_filiere = rows.iter().filter(|row| text(row, "filiere") == filiere.as_str());
            @let (shown, hidden): (Vec<&Value>, Vec<&Value>) = of_filiere.partition(|row| shares(row).is_some());
            @let benchmarks = benchmarks(filiere);
            @if !shown.is_empty() || !hidden.is_empty() {
                h3 { (voie_name(filiere)) }
                @if !benchmarks.is_empty() {
                    p.hint.kept { "En emploi à 6\u{a0}mois\u{a0}: " @for (rank, r) in benchmarks.iter().enumerate() { @if rank > 0 { ", " } (r.name) " " (r.rate) "\u{a0}%" } "." }
                }
                ol.ranking { @for row in shown {
                    li.chosen[text(row, "uai") == highlighted] { p.name { (course_link(row)) } (bar(row, &benchmarks)) (words(row)) }
                } }
                (without_figures(&hidden, &course_link))
            }
        }
    }
}

/// The page of a course of an establishment, by its name.
fn course_link(row: &Value) -> Markup {
    let path = format!("/etablissements/{}/{}", text(row, "uai"), path_code(text(row, "code_certification")));
    html! { a href=(path) { (text(row, "libelle_etablissement")) } }
}

/// Places with their bars, one voie after the other: regions, or those of a declared maille. Those that show nothing are
/// named together.
fn places(rows: &[Value], name: &dyn Fn(&Value) -> &str, link: &dyn Fn(&Value) -> String) -> Markup {
    let named = |row: &Value| {
        let href = link(row);
        html! { @if href.is_empty() { (name(row)) } @else { a href=(href) { (name(row)) } } }
    };
    html! {
        @for filiere in VOIES {
            @let of_filiere = rows.iter().filter(|row| text(row, "filiere") == filiere.as_str());
            @let (shown, hidden): (Vec<&Value>, Vec<&Value>) = of_filiere.partition(|row| shares(row).is_some());
            @if !shown.is_empty() || !hidden.is_empty() {
                h3 { (voie_name(filiere)) }
                ol.ranking { @for row in shown { li { p.name { (named(row)) } (bar(row, &[])) (words(row)) } } }
                (without_figures(&hidden, &named))
            }
        }
    }
}

/// Those that show nothing, in one sentence.
fn without_figures(rows: &[&Value], named: &dyn Fn(&Value) -> Markup) -> Markup {
    html! {
        @if !rows.is_empty() {
            p.hidden-figures {
                "Chiffres non publiés (moins de 20 jeunes, le plus souvent)\u{a0}: "
                @for (rank, row) in rows.iter().enumerate() { @if rank > 0 { ", " } (named(row)) }
                ". " a href="/methode#seuil" { "Pourquoi\u{a0}?" }
            }
        }
    }
}

/// The name of a place of a declared maille: that of the object that its key lies in, or the key itself.
fn declared_name(row: &Value) -> &str {
    let names = ["academie", "departement", "bassin", "commune", "zone"].into_iter().filter_map(|f| row.get(f));
    names.map(|place| text(place, "nom")).find(|name| !name.is_empty()).unwrap_or_else(|| text(row, "lieu"))
}

fn compare_path(code: &str, region: Option<&Region>) -> String {
    match region {
        Some(region) => format!("/comparer?avec={code}-{}", region.code),
        None => format!("/comparer?avec={code}"),
    }
}

fn codes(card: &SearchCard) -> Vec<String> {
    card.codes
        .iter()
        .take(12)
        .map(|c| format!("{} {}", c.code_kind, c.code))
        .chain(card.rncp.iter().take(3).cloned())
        .collect()
}

/// The calls of the API that a page shows the answers of.
fn calls(statistics: &PlaceFigures, own: &str, region: Option<&Region>) -> Vec<(&'static str, String)> {
    let base = match region {
        Some(region) => format!("api/inserjeunes/regionales/{}/certifications/", region.code),
        None => "api/inserjeunes/certifications/".to_owned(),
    };
    let mut calls = Vec::new();
    if !own.starts_with("SISE") && !statistics.codes.is_empty() {
        calls.push(("Lycée et apprentissage ensemble", format!("{base}{own}?vue=filieres")));
    }
    for code in &statistics.codes {
        calls.push(("Un code seul", format!("{base}{}", path_code(code))));
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn invariant_3_a_table_holds_what_is_published_and_nothing_else() {
        let shown = json!({"millesime": "2023", "taux_en_emploi_6_mois": 28, "taux_en_formation": 50, "taux_autres_6_mois": 22,
            "nb_annee_term": 120});
        let hidden = json!({"millesime": "2022_2023", "filiere": "pro", "region": {"code": "04", "nom": "La Réunion"},
            "taux_en_emploi_6_mois": null, "taux_en_formation": null, "taux_autres_6_mois": null, "nb_annee_term": 12,
            "nb_en_emploi_6_mois": null});
        let national = PlaceFigures {
            voies: vec![VoieFigures { filiere: Filiere::Pro, years: vec![shown] }],
            ..PlaceFigures::default()
        };
        let table = figures_table("Vente \"A\"", &national, &[hidden]);
        let lines: Vec<&str> = table.trim_end().split("\r\n").skip(1).collect();
        let expected = [
            "\"Vente \"\"A\"\"\";\"France\";\"Au lycée\";\"2023\";28;50;22;120",
            "\"Vente \"\"A\"\"\";\"La Réunion\";\"Au lycée\";\"2022 et 2023\";;;;12",
        ];
        assert_eq!(lines, expected);
    }
}
