//! Rules that the recorded cases do not reach. The others: tests/matching-cases.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use matching::field::{cfd, filiere, mefstat11, sise, written};
use matching::lookups::{CertifInfo, Establishment, Link, Mef, PlaceStatistic};
use matching::resolver::reach::MOST_MEMBERS;
use matching::{
    CodeSource, Coverage, Day, FormationRow, LookupTables, Matcher, Nomenclatures, Options, Pay, Reason, RowAnswer,
    Success, Validity, Voie,
};

const UAI: &str = "9990001X";
const FIRST: &str = "32211031213";
const LAST: &str = "32221031213";
const CFD: &str = "32031213";

/// A diploma of two years, its establishment, and nothing else.
fn tables() -> LookupTables {
    let mut tables = LookupTables::default();
    for (mef, code, year) in [("3113121321", FIRST, 1), ("3113121322", LAST, 2)] {
        let row =
            Mef { mefstat11: mefstat11(code), cfd: cfd(CFD), length: Some(2), year: Some(year), ..Mef::default() };
        tables.add_mef(mef, row);
    }
    for name in ["pro", "agricole", "apprentissage", "superieur"] {
        tables.set_last_year(filiere(name).unwrap(), 2022);
    }
    tables.add_establishment(UAI, Establishment { academie: "10".into(), ..Establishment::default() });
    tables
}

fn covered() -> PlaceStatistic {
    PlaceStatistic::new(Coverage::of(Some(34.0), [Some(52.0), Some(31.0), Some(17.0)]))
}

fn add(tables: &mut LookupTables, uai: &str, code: &str, of: &str) {
    add_statistic(tables, uai, code, of, covered());
}

fn add_statistic(tables: &mut LookupTables, uai: &str, code: &str, of: &str, statistic: PlaceStatistic) {
    let parsed = match code.len() {
        7 => sise(code),
        8 => cfd(code),
        _ => mefstat11(code),
    };
    tables.add_statistic(uai, parsed.unwrap(), filiere(of).unwrap(), statistic);
}

fn judge(tables: &LookupTables, cells: &[(&str, &str)]) -> RowAnswer {
    judge_with(tables, cells, Options::of_campaign(Day::read("2024-08-31").unwrap()))
}

fn judge_with(tables: &LookupTables, cells: &[(&str, &str)], options: Options) -> RowAnswer {
    let nomenclatures = Nomenclatures::default();
    let row = FormationRow::read(&nomenclatures, |column| {
        cells.iter().find(|(name, _)| *name == column).map_or("", |(_, value)| value)
    });
    Matcher::new(tables, &nomenclatures, options).answer(&row)
}

const AT: (&str, &str) = ("UAI_COMPOSANTE", UAI);
const SCHOOL: (&str, &str) = ("APPRENTISSAGEOUSCOLAIRE", "Scolaire");
const APPRENTICESHIP: (&str, &str) = ("APPRENTISSAGEOUSCOLAIRE", "Apprentissage");

/// Source, form and level, code that is retained, code of the figures.
fn path(answer: &RowAnswer) -> (&str, &str, &str, String, String) {
    let found = answer.found().unwrap();
    let retained = &found.retained;
    (retained.source.0, retained.form.as_str(), retained.level.as_str(), written(&retained.code), written(&found.data))
}

#[test]
fn a_school_row_with_its_diploma_only_has_the_final_year() {
    let mut tables = tables();
    add(&mut tables, UAI, LAST, "pro");
    let answer = judge(&tables, &[AT, SCHOOL, ("CODECFD", CFD)]);
    let code = format!("MEFSTAT11:{LAST}");
    assert_eq!(path(&answer), ("CODECFD", "normal", "self", code.clone(), code));
}

#[test]
fn a_mefstat11_is_looked_up_in_both_school_tracks() {
    let mut tables = tables();
    add(&mut tables, UAI, LAST, "agricole");
    assert_eq!(judge(&tables, &[AT, SCHOOL, ("CODEMEF", "3113121321")]).reason(), Reason::Covered);
    add_statistic(&mut tables, UAI, LAST, "pro", PlaceStatistic::new(Coverage::of(Some(3.0), [None; 3])));
    assert_eq!(judge(&tables, &[AT, SCHOOL, ("CODEMEF", "3113121321")]).reason(), Reason::Covered, "covered first");
}

#[test]
fn a_row_without_voie_has_the_one_of_the_request() {
    let mut tables = tables();
    add(&mut tables, UAI, CFD, "apprentissage");
    let cells = [AT, ("CODEMEF", "3113121321")];
    assert_eq!(path(&judge(&tables, &cells)).1, "inverse");
    let options =
        Options { voie_when_absent: Voie::Apprenticeship, ..Options::of_campaign(Day::read("2024-08-31").unwrap()) };
    assert_eq!(path(&judge_with(&tables, &cells, options)).1, "normal");
}

#[test]
fn the_kit_is_asked_only_where_certif_info_has_no_diploma() {
    let mut tables = tables();
    add(&mut tables, UAI, LAST, "pro");
    tables.add_cfd_of_rncp("RNCP38362", cfd(CFD).unwrap());
    let cells = [AT, SCHOOL, ("LISTE_RNCP", "RNCP38362; 99999")];
    assert_eq!(judge(&tables, &cells).reason(), Reason::Covered);
    let row = CertifInfo { cfd: cfd("32031212"), rncp: Some("38362".into()), ..CertifInfo::default() };
    tables.add_certif_info(row, "");
    assert_eq!(judge(&tables, &cells).reason(), Reason::CodeUnknown, "the nomenclature does not know its diploma");
}

#[test]
fn the_catalogue_names_a_formation_by_its_own_key_where_the_id_leads_nowhere() {
    let mut tables = tables();
    add(&mut tables, UAI, CFD, "apprentissage");
    tables.add_catalogue("id", "47168", &Link { cfd: cfd(CFD), rncp: None });
    for id in ["", "outdated"] {
        let cells = [AT, APPRENTICESHIP, ("CODEFORMATIONACCUEIL", "47168"), ("ID_RCO", id)];
        assert_eq!(path(&judge(&tables, &cells)).0, "ID_RCO", "{id}");
    }
    let cells = [AT, APPRENTICESHIP, ("CODEFORMATIONACCUEIL", "47169"), ("ID_RCO", "")];
    assert_eq!(judge(&tables, &cells).reason(), Reason::CodeUnknown);
}

#[test]
fn a_diploma_that_is_gone_leads_to_its_successor() {
    let mut tables = tables();
    add(&mut tables, UAI, LAST, "pro");
    let entry = |code: &str, diploma: &str, older: Option<&str>| CertifInfo {
        entry: code.into(),
        cfd: cfd(diploma),
        older: older.map(Into::into),
        ..CertifInfo::default()
    };
    tables.add_certif_info(entry("1", "32031299", None), "");
    tables.add_certif_info(entry("2", CFD, Some("1")), "");
    let answer = judge(&tables, &[AT, SCHOOL, ("CODECFD", "32031299")]);
    assert_eq!((path(&answer).0, path(&answer).2), ("CODECFD", "nouveau"));
}

#[test]
fn a_code_by_hand_of_the_other_voie_says_so() {
    let mut tables = tables();
    add(&mut tables, UAI, CFD, "apprentissage");
    tables.add_manual("1", &format!("CFD:{CFD}"));
    let key = ("CODEFORMATIONACCUEIL", "1");
    let code = format!("CFD:{CFD}");
    assert_eq!(path(&judge(&tables, &[AT, SCHOOL, key])), ("manuel", "inverse", "self", code.clone(), code.clone()));
    assert_eq!(path(&judge(&tables, &[AT, APPRENTICESHIP, key])).1, "normal");
    // Its own inverse comes with the inverse forms.
    let mut by_mef = self::tables();
    add(&mut by_mef, UAI, CFD, "apprentissage");
    by_mef.add_manual("1", FIRST);
    assert_eq!(path(&judge(&by_mef, &[AT, SCHOOL, key])), ("manuel", "inverse", "self", code.clone(), code));
    // Several are refused, and so is what cannot be read.
    by_mef.add_manual("1", LAST);
    assert_eq!(judge(&by_mef, &[AT, SCHOOL, key]).reason(), Reason::SeveralCodes);
    let mut unreadable = self::tables();
    unreadable.add_manual("1", "BTS");
    assert_eq!(judge(&unreadable, &[AT, SCHOOL, key]).reason(), Reason::CodeUnknown);
}

#[test]
fn a_but_has_the_figures_of_the_one_code_that_is_published() {
    let mut tables = tables();
    let at = ("UAI_GES", UAI);
    add(&mut tables, UAI, "0000002", "superieur");
    tables.add_published_sise(sise("2500999").unwrap(), sise("0000002").unwrap());
    let answer = judge(&tables, &[at, SCHOOL, ("CODESISE", "2500999")]);
    let expected = ("CODESISE", "normal", "self", "SISE:2500999".to_owned(), "SISE:0000002".to_owned());
    assert_eq!(path(&answer), expected);
    tables.add_published_sise(sise("2500999").unwrap(), sise("0000003").unwrap());
    assert_eq!(judge(&tables, &[at, SCHOOL, ("CODESISE", "2500999")]).reason(), Reason::SeveralFinalYears);
}

#[test]
fn what_is_declared_comes_before_what_is_inferred() {
    let mut tables = tables();
    let cells = [AT, ("UAI_GES", UAI), APPRENTICESHIP, ("CODESISE", "2300002"), ("LISTE_RNCP", "1")];
    tables.add_sise(sise("2300002").unwrap());
    tables.add_cfd_of_rncp("1", cfd(CFD).unwrap());
    add(&mut tables, UAI, CFD, "apprentissage");
    assert_eq!(path(&judge(&tables, &cells)).0, "LISTE_RNCP");
    add(&mut tables, UAI, "2300002", "superieur");
    assert_eq!(path(&judge(&tables, &cells)).0, "CODESISE");
    let with_cfd: Vec<_> = cells.iter().copied().chain([("CODECFD", CFD)]).collect();
    assert_eq!(path(&judge(&tables, &with_cfd)).0, "CODECFD");
}

#[test]
fn an_ambiguity_is_not_settled_by_a_farther_establishment() {
    let mut tables = tables();
    let other = "32221031212";
    for last in [LAST, other] {
        tables.add_shared_first_year(mefstat11(FIRST).unwrap(), mefstat11(last).unwrap());
        add(&mut tables, UAI, last, "pro");
    }
    add(&mut tables, "9990002Y", LAST, "pro");
    let row = |near, far| [("UAI_COMPOSANTE", near), ("UAI_GES", far), SCHOOL, ("CODEMEF", "3113121321")];
    assert_eq!(judge(&tables, &row(UAI, "9990002Y")).reason(), Reason::SharedFirstYear);
    assert_eq!(judge(&tables, &row("9990002Y", UAI)).reason(), Reason::Covered);
}

#[test]
fn a_shared_first_year_with_one_group_below_the_threshold_is_below() {
    let mut tables = tables();
    tables.add_shared_first_year(mefstat11(FIRST).unwrap(), mefstat11(LAST).unwrap());
    tables.add_shared_first_year(mefstat11(FIRST).unwrap(), mefstat11("32221031212").unwrap());
    let below = || PlaceStatistic::new(Coverage::of(Some(12.0), [Some(1.0); 3]));
    add_statistic(&mut tables, UAI, LAST, "pro", below());
    let cells = [AT, SCHOOL, ("CODEMEF", "3113121321")];
    assert_eq!(judge(&tables, &cells).reason(), Reason::BelowThreshold);
    add(&mut tables, UAI, "32221031212", "pro");
    assert_eq!(judge(&tables, &cells).reason(), Reason::SharedFirstYear, "two groups, and none is picked");
}

#[test]
fn the_sole_mother_is_that_of_the_first_establishment_that_has_any() {
    let mut tables = tables();
    let mother = "9990009F";
    add(&mut tables, mother, LAST, "pro");
    tables.add_mother("9990002Y", mother);
    let cells = [AT, ("UAI_GES", "9990002Y"), SCHOOL, ("CODEMEF", "3113121321")];
    let answer = judge(&tables, &cells);
    assert_eq!(answer.found().unwrap().field.as_str(), "UAI_MERE");
    tables.add_mother(UAI, "9990003Z");
    assert_ne!(judge(&tables, &cells).reason(), Reason::Covered, "the composante's mother is asked instead");
}

#[test]
fn pay_is_never_of_the_other_voie_unless_the_row_says_inverse() {
    let mut tables = tables();
    let quartiles = [Some(1_500.0), Some(1_600.0), Some(1_700.0)];
    tables.add_pay(cfd(CFD).unwrap(), Pay::of(None, quartiles));
    let cells = [AT, SCHOOL, ("CODEMEF", "3113121321")];
    assert_eq!(judge(&tables, &cells).pay.pay, Pay::NotCovered);
    add(&mut tables, UAI, CFD, "apprentissage");
    let answer = judge(&tables, &cells);
    assert_eq!((path(&answer).1, answer.pay.code.clone()), ("inverse", cfd(CFD)));
    tables.add_pay(mefstat11(LAST).unwrap(), Pay::of(Some(19.0), quartiles));
    tables.add_pay(cfd(CFD).unwrap(), Pay::NotCovered);
    assert_eq!(judge(&tables, &cells).pay.pay, Pay::BelowThreshold, "one threshold, everywhere");
}

#[test]
fn success_is_asked_of_the_gestionnaire_then_of_the_composante() {
    let mut tables = tables();
    let code = sise("2300002").unwrap();
    tables.add_sise(code.clone());
    tables.add_success(UAI, code.clone(), Success::read("ns", "50,9"));
    tables.add_success("9990002Y", code.clone(), Success::read("ns", ""));
    let answer = judge(&tables, &[AT, ("UAI_GES", "9990002Y"), SCHOOL, ("CODESISE", "2300002")]);
    assert_eq!((answer.success.code, answer.success.success.passage), (Some(code), Some(50.9)));
    assert_eq!(answer.success.success.success, None);
}

#[test]
fn a_code_that_no_place_has_is_told_apart() {
    let mut tables = tables();
    let cells = [AT, SCHOOL, ("CODEMEF", "3113121321")];
    let precision = |answer: &RowAnswer| answer.value("precision").unwrap().to_json();
    let answer = judge(&tables, &cells);
    assert_eq!((answer.reason(), precision(&answer)), (Reason::NoKnownReason, "certification_sans_statistique".into()));
    assert_eq!(
        answer.retained().map(|retained| retained.source),
        Some(CodeSource::MEF),
        "the code is told all the same"
    );
    add(&mut tables, "9990009F", LAST, "pro");
    assert!(precision(&judge(&tables, &cells)).is_null());
}

#[test]
fn a_list_of_many_members_is_refused_unread() {
    let mut tables = tables();
    tables.add_cfd_of_rncp("1", cfd(CFD).unwrap());
    let of = |count: usize| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>().join(";");
    let nomenclatures = Nomenclatures::default();
    for (list, expected) in [
        (of(MOST_MEMBERS), Validity::Valid),
        (of(MOST_MEMBERS + 1), Validity::Several),
        ("1;".repeat(10 * MOST_MEMBERS), Validity::Valid),
        (format!("{}2;", "1;".repeat(10 * MOST_MEMBERS)), Validity::Valid),
    ] {
        let row = FormationRow::read(&nomenclatures, |column| if column == "LISTE_RNCP" { &list } else { "" });
        let options = Options::of_campaign(Day::read("2024-08-31").unwrap());
        let resolutions = Matcher::new(&tables, &nomenclatures, options).resolver().resolve(&row);
        assert_eq!(resolutions[0].validity(), expected, "{} bytes", list.len());
    }
}

#[test]
fn a_later_member_of_a_long_list_still_makes_it_ambiguous() {
    let mut tables = tables();
    tables.add_cfd_of_rncp("1", cfd(CFD).unwrap());
    tables.add_diplome(cfd("32031212").unwrap(), matching::lookups::DiplomeHistory::default());
    tables.add_cfd_of_rncp("2", cfd("32031212").unwrap());
    let list = format!("{}2", "1;".repeat(10 * MOST_MEMBERS));
    let answer = judge(&tables, &[AT, APPRENTICESHIP, ("LISTE_RNCP", &list)]);
    assert_eq!(answer.reason(), Reason::SeveralCodes);
}
