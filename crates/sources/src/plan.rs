//! Which calls an import makes.

use crate::call::{BcnTable, Call};

/// Rows on a page of the catalogue.
pub const CATALOGUE_PAGE: u64 = 100;

/// Tracks that national statistics are asked for.
pub const FILIERES: [&str; 2] = ["apprentissage", "voie_pro_sco_educ_nat"];

/// Every table of the BCN, in the order of the treatments.
#[must_use]
pub fn bcn() -> Vec<Call> {
    BcnTable::ALL.into_iter().map(|table| Call::Bcn { table }).collect()
}

/// National statistics: every year in every track.
pub fn inserjeunes_france<'a>(millesimes: &'a [String], filieres: &'a [&'a str]) -> impl Iterator<Item = Call> + 'a {
    millesimes.iter().flat_map(move |millesime| {
        filieres.iter().map(move |filiere| Call::InserJeunesFrance {
            millesime: millesime.clone(),
            filiere: (*filiere).to_owned(),
        })
    })
}

/// Regional statistics: every period in every region academique.
pub fn inserjeunes_regions<'a>(
    regions: impl IntoIterator<Item = &'a str> + 'a,
    millesimes: &'a [String],
) -> impl Iterator<Item = Call> + 'a {
    regions.into_iter().flat_map(move |region| {
        millesimes.iter().map(move |m| Call::InserJeunesRegion { region: region.to_owned(), millesime: m.clone() })
    })
}

/// Statistics of establishments: every period in every establishment.
pub fn inserjeunes_uais<'a>(
    uais: impl IntoIterator<Item = &'a str> + 'a,
    millesimes: &'a [String],
) -> impl Iterator<Item = Call> + 'a {
    uais.into_iter().flat_map(move |uai| {
        millesimes.iter().map(move |m| Call::InserJeunesUai { uai: uai.to_owned(), millesime: m.clone() })
    })
}

/// National statistics of higher education, every year or period.
pub fn insersup_national(millesimes: &[String]) -> impl Iterator<Item = Call> {
    millesimes.iter().map(|millesime| Call::InserSupNational { millesime: millesime.clone() })
}

/// The pages of the catalogue, once its total is known ([`crate::catalogue_total`]).
pub fn catalogue(total: u64) -> impl Iterator<Item = Call> {
    (1..=total.div_ceil(CATALOGUE_PAGE)).map(|page| Call::CataloguePage { page })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_may_be_short() {
        assert_eq!(catalogue(0).count(), 0);
        assert_eq!(catalogue(100).count(), 1);
        assert_eq!(catalogue(39_510).count(), 396);
    }

    #[test]
    fn every_pair_is_asked_once() {
        let millesimes = ["2019_2020".to_owned(), "2020_2021".to_owned()];
        assert_eq!(inserjeunes_regions(["01", "02", "03"], &millesimes).count(), 6);
        assert_eq!(inserjeunes_france(&millesimes, &FILIERES).count(), 4);
    }
}
