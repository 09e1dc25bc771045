//! The tables of a case, as look-ups.

use crate::case::{Case, Cells};
use matching::field::{Code, Filiere, any_code, cfd, filiere, mefstat11, sise};
use matching::file::fold;
use matching::lookups::{Link, PlaceStatistic};
use matching::tables::rncp_number;
use matching::{CodeLinks, Coverage, LookupTables, Pay, Success};

/// The cell of a column, its name in any case and without accents; empty where it is absent.
#[must_use]
pub fn cell<'a>(cells: &'a Cells, column: &str) -> &'a str {
    let named = cells.get(column).or_else(|| {
        let wanted = fold(column);
        cells.iter().find(|(name, _)| fold(name) == wanted).map(|(_, value)| value)
    });
    named.and_then(|value| value.as_str()).unwrap_or_default()
}

fn number(cells: &Cells, column: &str) -> Option<f64> {
    cell(cells, column).trim().parse().ok()
}

/// A code of the statistics: the filiere tells what it is.
fn code(filiere: Filiere, text: &str) -> Option<Code> {
    match filiere {
        Filiere::Superieur => sise(text),
        Filiere::Apprentissage => cfd(text),
        Filiere::Pro | Filiere::Agricultural => mefstat11(text),
    }
}

/// The look-ups of a case. A table or a column that is missing is empty.
#[must_use]
pub fn of(case: &Case) -> LookupTables {
    let mut tables = LookupTables::default();
    let rows = |name: &str| case.tables.get(name).into_iter().flatten();
    for row in rows("n_mef") {
        tables.load_mef(|column| cell(row, column));
    }
    for row in rows("n_formation_diplome") {
        tables.load_diplome(|column| cell(row, column));
    }
    for row in rows("n_diplome_sise") {
        sise(cell(row, "DIPLOME_SISE")).into_iter().for_each(|code| tables.add_sise(code));
    }
    for row in rows("opendata_certifinfo").chain(rows("certifinfo")) {
        tables.load_certif_info(|column| cell(row, column));
    }
    for row in rows("inserJeune_sise_rncp") {
        let code = sise(cell(row, "Code Sise"));
        code.into_iter().for_each(|code| tables.add_sise_of_rncp(cell(row, "Code RNCP"), code));
    }
    for row in rows("ideo_formations_initiales") {
        tables.add_onisep(cell(row, "ideo"), link("", cell(row, "code RNCP")));
    }
    for row in rows("catalogue_mne") {
        let link = link(cell(row, "Formation: code CFD"), cell(row, "Formation: code RNCP"));
        tables.add_catalogue(cell(row, "Clé ministere educatif"), cell(row, "parcoursup_id"), &link);
    }
    for row in rows("acce_uai") {
        tables.load_establishment(|column| cell(row, column));
    }
    for row in rows("acce_uai_mere") {
        tables.add_mother(cell(row, "numero_uai_trouve"), cell(row, "numero_uai_mere"));
    }
    for row in rows("encodages_manuels") {
        tables.add_manual(cell(row, "CODEFORMATIONACCUEIL"), cell(row, "code_certification_retenu"));
    }
    shared_first_years(case, &mut tables);
    figures(case, &mut tables);
    tables
}

fn link(cfd_text: &str, rncp: &str) -> Link {
    Link { cfd: cfd(cfd_text), rncp: Some(rncp_number(rncp).to_owned()).filter(|rncp| !rncp.is_empty()) }
}

/// A shared first year stands for its final years by MEFSTAT11, and by CFD in apprenticeship.
fn shared_first_years(case: &Case, tables: &mut LookupTables) {
    for row in case.tables.get("famillemetiers").into_iter().flatten() {
        let first = mefstat11(cell(row, "MEFSTAT11 2DE PRO Affelnet"));
        let last = mefstat11(cell(row, "MEFSTAT11 TERMINALE PRO IJ"));
        let (Some(first), Some(last)) = (first, last) else { continue };
        let diploma = |code: &Code| tables.mefs_of_mefstat11(code).into_iter().find_map(|mef| mef.cfd);
        if let (Some(first), Some(last)) = (diploma(&first), diploma(&last)) {
            tables.add_shared_first_year(first, last);
        }
        tables.add_shared_first_year(first, last);
    }
}

fn figures(case: &Case, tables: &mut LookupTables) {
    let rows = |name: &str| case.tables.get(name).into_iter().flatten();
    for row in rows("formations") {
        let Some(of) = filiere(cell(row, "filiere")) else { continue };
        let Some(of_code) = code(of, cell(row, "code_certification")) else { continue };
        let rates = ["taux_en_emploi_6_mois", "taux_en_formation", "taux_autres_6_mois"];
        let coverage = Coverage::of(number(row, "nb_annee_term"), rates.map(|rate| number(row, rate)));
        let final_years = cell(row, "terminales").split(';').filter_map(|text| code(of, text)).collect();
        let donnee_source = Some(cell(row, "type_source")).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        let statistic = PlaceStatistic {
            final_years,
            donnee_source,
            millesime: Some(case.last_millesime.clone()),
            ..PlaceStatistic::new(coverage)
        };
        tables.add_statistic(cell(row, "uai"), of_code, of, statistic);
    }
    for row in rows("certifications") {
        let of_code = filiere(cell(row, "filiere")).and_then(|of| code(of, cell(row, "code_certification")));
        let quartiles = ["salaire_12_mois_q1", "salaire_12_mois_q2", "salaire_12_mois_q3"];
        let pay = Pay::of(number(row, "nb_annee_term"), quartiles.map(|quartile| number(row, quartile)));
        of_code.into_iter().for_each(|code| tables.add_pay(code, pay));
    }
    for row in rows("sies") {
        let success = Success::read(cell(row, "taux_de_reussite_19"), cell(row, "taux_de_passage_22"));
        let of_code = any_code(cell(row, "diplom"));
        of_code.into_iter().for_each(|code| tables.add_success(cell(row, "uai"), code, success));
    }
    // `2021_2022` and `2022` both end in 2022.
    let year = case.last_millesime.rsplit('_').next().and_then(|year| year.parse().ok());
    for of in ["pro", "agricole", "apprentissage", "superieur"] {
        if let (Some(of), Some(year)) = (filiere(of), year) {
            tables.set_last_year(of, year);
        }
    }
}
