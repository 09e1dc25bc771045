//! Regions, departements and academies.
//!
//! Codes of regions are INSEE's; the second code is that of the region academique, which the
//! InserJeunes services use. The order is that of the `valids` in recorded error texts.

/// A region, with what lies in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Region {
    /// INSEE code, two characters.
    pub code: &'static str,
    /// Code of the region academique, two digits.
    pub code_region_academique: &'static str,
    /// Name, as published.
    pub nom: &'static str,
    /// Codes of its departements (two characters, three overseas).
    pub departements: &'static [&'static str],
    /// Its academies.
    pub academies: &'static [Academie],
}

/// An academie: a district of the education authority.
#[derive(Debug, PartialEq, Eq)]
pub struct Academie {
    /// Two digits.
    pub code: &'static str,
    /// Name, as published.
    pub nom: &'static str,
}

/// Every region, in the order of the recorded error texts.
pub static REGIONS: [Region; 19] = [
    Region {
        code: "00",
        code_region_academique: "00",
        nom: "Collectivités d'outre-mer",
        departements: &["987", "988", "989", "984", "986", "975", "977", "978"],
        academies: &[
            Academie { code: "40", nom: "Nouvelle-Calédonie" },
            Academie { code: "42", nom: "Wallis et Futuna" },
            Academie { code: "44", nom: "Saint-Pierre-et-Miquelon" },
            Academie { code: "41", nom: "Polynésie Française" },
            Academie { code: "77", nom: "Saint-Barthélemy" },
            Academie { code: "78", nom: "Saint-Martin" },
        ],
    },
    Region {
        code: "01",
        code_region_academique: "07",
        nom: "Guadeloupe",
        departements: &["971"],
        academies: &[Academie { code: "32", nom: "Guadeloupe" }],
    },
    Region {
        code: "02",
        code_region_academique: "12",
        nom: "Martinique",
        departements: &["972"],
        academies: &[Academie { code: "31", nom: "Martinique" }],
    },
    Region {
        code: "03",
        code_region_academique: "08",
        nom: "Guyane",
        departements: &["973"],
        academies: &[Academie { code: "33", nom: "Guyane" }],
    },
    Region {
        code: "04",
        code_region_academique: "11",
        nom: "La Réunion",
        departements: &["974"],
        academies: &[Academie { code: "28", nom: "La Réunion" }],
    },
    Region {
        code: "06",
        code_region_academique: "13",
        nom: "Mayotte",
        departements: &["976"],
        academies: &[Academie { code: "43", nom: "Mayotte" }],
    },
    Region {
        code: "11",
        code_region_academique: "10",
        nom: "Île-de-France",
        departements: &["75", "77", "78", "91", "92", "93", "94", "95"],
        academies: &[
            Academie { code: "01", nom: "Paris" },
            Academie { code: "24", nom: "Créteil" },
            Academie { code: "25", nom: "Versailles" },
        ],
    },
    Region {
        code: "24",
        code_region_academique: "04",
        nom: "Centre-Val de Loire",
        departements: &["28", "36", "37", "41", "45", "18"],
        academies: &[Academie { code: "18", nom: "Orléans-Tours" }],
    },
    Region {
        code: "27",
        code_region_academique: "02",
        nom: "Bourgogne-Franche-Comté",
        departements: &["70", "71", "89", "90", "39", "21", "25", "58"],
        academies: &[Academie { code: "07", nom: "Dijon" }, Academie { code: "03", nom: "Besançon" }],
    },
    Region {
        code: "28",
        code_region_academique: "14",
        nom: "Normandie",
        departements: &["76", "27", "50", "14", "61"],
        academies: &[Academie { code: "70", nom: "Normandie" }],
    },
    Region {
        code: "32",
        code_region_academique: "09",
        nom: "Hauts-de-France",
        departements: &["80", "02", "59", "60", "62"],
        academies: &[Academie { code: "20", nom: "Amiens" }, Academie { code: "09", nom: "Lille" }],
    },
    Region {
        code: "44",
        code_region_academique: "06",
        nom: "Grand Est",
        departements: &["88", "08", "10", "51", "52", "54", "55", "57", "67", "68"],
        academies: &[
            Academie { code: "19", nom: "Reims" },
            Academie { code: "12", nom: "Nancy-Metz" },
            Academie { code: "15", nom: "Strasbourg" },
        ],
    },
    Region {
        code: "52",
        code_region_academique: "17",
        nom: "Pays de la Loire",
        departements: &["72", "85", "44", "49", "53"],
        academies: &[Academie { code: "17", nom: "Nantes" }],
    },
    Region {
        code: "53",
        code_region_academique: "03",
        nom: "Bretagne",
        departements: &["29", "35", "22", "56"],
        academies: &[Academie { code: "14", nom: "Rennes" }],
    },
    Region {
        code: "75",
        code_region_academique: "15",
        nom: "Nouvelle-Aquitaine",
        departements: &["79", "86", "87", "33", "40", "47", "16", "17", "19", "23", "24", "64"],
        academies: &[
            Academie { code: "13", nom: "Poitiers" },
            Academie { code: "22", nom: "Limoges" },
            Academie { code: "04", nom: "Bordeaux" },
        ],
    },
    Region {
        code: "76",
        code_region_academique: "16",
        nom: "Occitanie",
        departements: &["81", "82", "30", "31", "32", "34", "46", "48", "09", "11", "12", "65", "66"],
        academies: &[Academie { code: "16", nom: "Toulouse" }, Academie { code: "11", nom: "Montpellier" }],
    },
    Region {
        code: "84",
        code_region_academique: "01",
        nom: "Auvergne-Rhône-Alpes",
        departements: &["73", "74", "26", "38", "42", "43", "01", "03", "07", "15", "63", "69"],
        academies: &[
            Academie { code: "10", nom: "Lyon" },
            Academie { code: "06", nom: "Clermont-Ferrand" },
            Academie { code: "08", nom: "Grenoble" },
        ],
    },
    Region {
        code: "93",
        code_region_academique: "18",
        nom: "Provence-Alpes-Côte d'Azur",
        departements: &["83", "84", "04", "05", "06", "13"],
        academies: &[Academie { code: "02", nom: "Aix-Marseille" }, Academie { code: "23", nom: "Nice" }],
    },
    Region {
        code: "94",
        code_region_academique: "05",
        nom: "Corse",
        departements: &["20", "2A", "2B"],
        academies: &[Academie { code: "27", nom: "Corse" }],
    },
];

/// The region of an INSEE code.
#[must_use]
pub fn region(code: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|r| r.code == code)
}

/// The region of a code of a region academique.
#[must_use]
pub fn region_academique(code: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|r| r.code_region_academique == code)
}

/// The region that holds a departement. 975, 977 and 978 lie in the first region that names them.
#[must_use]
pub fn region_du_departement(code: &str) -> Option<&'static Region> {
    // 976 (Mayotte) is also listed with the overseas collectivities: its own region comes first.
    let holds = |r: &&Region| r.departements.contains(&code);
    REGIONS.iter().skip(1).find(holds).or_else(|| REGIONS.iter().find(holds))
}

/// The region that holds an academie, and the academie.
#[must_use]
pub fn academie(code: &str) -> Option<(&'static Region, &'static Academie)> {
    REGIONS.iter().find_map(|r| Some((r, r.academies.iter().find(|a| a.code == code)?)))
}

/// The region of a postal code: any five characters whose first two (97 and 98: three) are a
/// departement.
///
/// ```
/// use domain::territoire::region_du_code_postal;
/// assert_eq!(region_du_code_postal("75011").map(|r| r.code), Some("11"));
/// assert_eq!(region_du_code_postal("97400").map(|r| r.code), Some("04"));
/// assert_eq!(region_du_code_postal("99000").map(|r| r.code), None);
/// ```
#[must_use]
pub fn region_du_code_postal(texte: &str) -> Option<&'static Region> {
    if texte.chars().count() != 5 {
        return None;
    }
    let length = if texte.starts_with("97") || texte.starts_with("98") { 3 } else { 2 };
    region_du_departement(texte.get(..length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_resolve_to_their_region() {
        for (rank, r) in REGIONS.iter().enumerate() {
            assert_eq!(region(r.code).map(|r| r.nom), Some(r.nom));
            assert_eq!(region_academique(r.code_region_academique).map(|r| r.nom), Some(r.nom));
            for a in r.academies {
                assert_eq!(academie(a.code).map(|(r, a)| (r.code, a.nom)), Some((r.code, a.nom)));
            }
            for d in r.departements.iter().filter(|d| rank > 0 || **d != "976") {
                assert_eq!(region_du_departement(d).map(|r| r.code), Some(r.code), "{d}");
            }
        }
        assert_eq!(REGIONS.iter().map(|r| r.academies.len()).sum::<usize>(), 36);
    }

    #[test]
    fn postal_codes_lead_to_regions() {
        for (texte, code) in [
            ("2A004", Some("94")),
            ("20000", Some("94")),
            ("97600", Some("06")),
            ("98800", Some("00")),
            ("7501", None),
            ("750111", None),
            ("é5011", None),
        ] {
            assert_eq!(region_du_code_postal(texte).map(|r| r.code), code, "{texte}");
        }
    }
}
