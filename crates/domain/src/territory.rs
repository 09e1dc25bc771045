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
    pub region_academie_code: &'static str,
    /// Name, as published.
    pub name: &'static str,
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
    pub name: &'static str,
}

/// Every region, in the order of the recorded error texts.
pub static REGIONS: [Region; 19] = [
    Region {
        code: "00",
        region_academie_code: "00",
        name: "Collectivités d'outre-mer",
        departements: &["987", "988", "989", "984", "986", "975", "977", "978"],
        academies: &[
            Academie { code: "40", name: "Nouvelle-Calédonie" },
            Academie { code: "42", name: "Wallis et Futuna" },
            Academie { code: "44", name: "Saint-Pierre-et-Miquelon" },
            Academie { code: "41", name: "Polynésie Française" },
            Academie { code: "77", name: "Saint-Barthélemy" },
            Academie { code: "78", name: "Saint-Martin" },
        ],
    },
    Region {
        code: "01",
        region_academie_code: "07",
        name: "Guadeloupe",
        departements: &["971"],
        academies: &[Academie { code: "32", name: "Guadeloupe" }],
    },
    Region {
        code: "02",
        region_academie_code: "12",
        name: "Martinique",
        departements: &["972"],
        academies: &[Academie { code: "31", name: "Martinique" }],
    },
    Region {
        code: "03",
        region_academie_code: "08",
        name: "Guyane",
        departements: &["973"],
        academies: &[Academie { code: "33", name: "Guyane" }],
    },
    Region {
        code: "04",
        region_academie_code: "11",
        name: "La Réunion",
        departements: &["974"],
        academies: &[Academie { code: "28", name: "La Réunion" }],
    },
    Region {
        code: "06",
        region_academie_code: "13",
        name: "Mayotte",
        departements: &["976"],
        academies: &[Academie { code: "43", name: "Mayotte" }],
    },
    Region {
        code: "11",
        region_academie_code: "10",
        name: "Île-de-France",
        departements: &["75", "77", "78", "91", "92", "93", "94", "95"],
        academies: &[
            Academie { code: "01", name: "Paris" },
            Academie { code: "24", name: "Créteil" },
            Academie { code: "25", name: "Versailles" },
        ],
    },
    Region {
        code: "24",
        region_academie_code: "04",
        name: "Centre-Val de Loire",
        departements: &["28", "36", "37", "41", "45", "18"],
        academies: &[Academie { code: "18", name: "Orléans-Tours" }],
    },
    Region {
        code: "27",
        region_academie_code: "02",
        name: "Bourgogne-Franche-Comté",
        departements: &["70", "71", "89", "90", "39", "21", "25", "58"],
        academies: &[Academie { code: "07", name: "Dijon" }, Academie { code: "03", name: "Besançon" }],
    },
    Region {
        code: "28",
        region_academie_code: "14",
        name: "Normandie",
        departements: &["76", "27", "50", "14", "61"],
        academies: &[Academie { code: "70", name: "Normandie" }],
    },
    Region {
        code: "32",
        region_academie_code: "09",
        name: "Hauts-de-France",
        departements: &["80", "02", "59", "60", "62"],
        academies: &[Academie { code: "20", name: "Amiens" }, Academie { code: "09", name: "Lille" }],
    },
    Region {
        code: "44",
        region_academie_code: "06",
        name: "Grand Est",
        departements: &["88", "08", "10", "51", "52", "54", "55", "57", "67", "68"],
        academies: &[
            Academie { code: "19", name: "Reims" },
            Academie { code: "12", name: "Nancy-Metz" },
            Academie { code: "15", name: "Strasbourg" },
        ],
    },
    Region {
        code: "52",
        region_academie_code: "17",
        name: "Pays de la Loire",
        departements: &["72", "85", "44", "49", "53"],
        academies: &[Academie { code: "17", name: "Nantes" }],
    },
    Region {
        code: "53",
        region_academie_code: "03",
        name: "Bretagne",
        departements: &["29", "35", "22", "56"],
        academies: &[Academie { code: "14", name: "Rennes" }],
    },
    Region {
        code: "75",
        region_academie_code: "15",
        name: "Nouvelle-Aquitaine",
        departements: &["79", "86", "87", "33", "40", "47", "16", "17", "19", "23", "24", "64"],
        academies: &[
            Academie { code: "13", name: "Poitiers" },
            Academie { code: "22", name: "Limoges" },
            Academie { code: "04", name: "Bordeaux" },
        ],
    },
    Region {
        code: "76",
        region_academie_code: "16",
        name: "Occitanie",
        departements: &["81", "82", "30", "31", "32", "34", "46", "48", "09", "11", "12", "65", "66"],
        academies: &[Academie { code: "16", name: "Toulouse" }, Academie { code: "11", name: "Montpellier" }],
    },
    Region {
        code: "84",
        region_academie_code: "01",
        name: "Auvergne-Rhône-Alpes",
        departements: &["73", "74", "26", "38", "42", "43", "01", "03", "07", "15", "63", "69"],
        academies: &[
            Academie { code: "10", name: "Lyon" },
            Academie { code: "06", name: "Clermont-Ferrand" },
            Academie { code: "08", name: "Grenoble" },
        ],
    },
    Region {
        code: "93",
        region_academie_code: "18",
        name: "Provence-Alpes-Côte d'Azur",
        departements: &["83", "84", "04", "05", "06", "13"],
        academies: &[Academie { code: "02", name: "Aix-Marseille" }, Academie { code: "23", name: "Nice" }],
    },
    Region {
        code: "94",
        region_academie_code: "05",
        name: "Corse",
        departements: &["20", "2A", "2B"],
        academies: &[Academie { code: "27", name: "Corse" }],
    },
];

/// The academies that share their region with others, each with its departements as `departement_insee_3` writes them.
const SHARED_REGIONS: [(&str, &[&str]); 20] = [
    ("01", &["075"]),
    ("24", &["077", "093", "094"]),
    ("25", &["078", "091", "092", "095"]),
    ("15", &["067", "068"]),
    ("12", &["054", "055", "057", "088"]),
    ("19", &["008", "010", "051", "052"]),
    ("07", &["021", "058", "071", "089"]),
    ("03", &["025", "039", "070", "090"]),
    ("20", &["002", "060", "080"]),
    ("09", &["059", "062"]),
    ("04", &["024", "033", "040", "047", "064"]),
    ("22", &["019", "023", "087"]),
    ("13", &["016", "017", "079", "086"]),
    ("16", &["009", "012", "031", "032", "046", "065", "081", "082"]),
    ("11", &["011", "030", "034", "048", "066"]),
    ("08", &["007", "026", "038", "073", "074"]),
    ("10", &["001", "042", "069"]),
    ("06", &["003", "015", "043", "063"]),
    ("02", &["004", "005", "013", "084"]),
    ("23", &["006", "083"]),
];

/// The code of the academie that a departement lies in, where its region has several; `None` where the region says it.
#[must_use]
pub fn academie_of_departement_insee_3(code: &str) -> Option<&'static str> {
    SHARED_REGIONS.iter().find(|(_, departements)| departements.contains(&code)).map(|(academie, _)| *academie)
}

/// The region of an INSEE code.
#[must_use]
pub fn region(code: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|r| r.code == code)
}

/// The region of a code of a region academique.
#[must_use]
pub fn region_academie(code: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|r| r.region_academie_code == code)
}

/// The region that holds a departement. 975, 977 and 978 lie in the first region that names them.
#[must_use]
pub fn region_of_departement(code: &str) -> Option<&'static Region> {
    // 976 (Mayotte) is also listed with the overseas collectivities: its own region comes first.
    let holds = |r: &&Region| r.departements.contains(&code);
    REGIONS.iter().skip(1).find(holds).or_else(|| REGIONS.iter().find(holds))
}

/// The region of a `departement_insee_3` of the ACCE file: the code of the departement, after a zero where it has two
/// characters.
#[must_use]
pub fn region_of_departement_insee_3(code: &str) -> Option<&'static Region> {
    let bare = code.strip_prefix('0').filter(|rest| rest.len() == 2);
    region_of_departement(bare.unwrap_or(code))
}

/// The region that holds an academie, and the academie.
#[must_use]
pub fn academie(code: &str) -> Option<(&'static Region, &'static Academie)> {
    REGIONS.iter().find_map(|r| Some((r, r.academies.iter().find(|a| a.code == code)?)))
}

/// INSEE codes of Saint-Barthélemy and Saint-Martin. The directory has their establishments in Guadeloupe, whose academie
/// runs them, and their postal codes (97133, 97150) lead there too: both kinds of code have one answer.
const NORTHERN_ISLANDS: [&str; 2] = ["97701", "97801"];

/// The region of a postal code: any five characters whose first two (97 and 98: three) are a
/// departement.
///
/// ```
/// use domain::territory::region_of_postal_code;
/// assert_eq!(region_of_postal_code("75011").map(|r| r.code), Some("11"));
/// assert_eq!(region_of_postal_code("97400").map(|r| r.code), Some("04"));
/// assert_eq!(region_of_postal_code("99000").map(|r| r.code), None);
/// ```
#[must_use]
pub fn region_of_postal_code(text: &str) -> Option<&'static Region> {
    if text.chars().count() != 5 {
        return None;
    }
    if NORTHERN_ISLANDS.contains(&text) {
        return region_of_departement("971");
    }
    let length = if text.starts_with("97") || text.starts_with("98") { 3 } else { 2 };
    region_of_departement(text.get(..length)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of each region with several academies, every departement lies in one of them; of the others none is named.
    #[test]
    fn departements_lie_in_an_academie_of_their_region() {
        // Overseas collectivities have no departement of the directory's kind.
        for region in REGIONS.iter().skip(1) {
            for departement in region.departements {
                let found = academie_of_departement_insee_3(&format!("{departement:0>3}"));
                let of_region = |code| region.academies.iter().any(|academie| academie.code == code);
                assert_eq!(found.is_some_and(of_region), region.academies.len() > 1, "{departement}");
            }
        }
        assert_eq!(SHARED_REGIONS.iter().map(|(_, departements)| departements.len()).sum::<usize>(), 74);
        assert_eq!(academie_of_departement_insee_3("35"), None);
    }

    #[test]
    fn codes_are_unique_and_resolve_to_their_region() {
        for (rank, r) in REGIONS.iter().enumerate() {
            assert_eq!(region(r.code).map(|r| r.name), Some(r.name));
            assert_eq!(region_academie(r.region_academie_code).map(|r| r.name), Some(r.name));
            for a in r.academies {
                assert_eq!(academie(a.code).map(|(r, a)| (r.code, a.name)), Some((r.code, a.name)));
            }
            for d in r.departements.iter().filter(|d| rank > 0 || **d != "976") {
                assert_eq!(region_of_departement(d).map(|r| r.code), Some(r.code), "{d}");
            }
        }
        assert_eq!(REGIONS.iter().map(|r| r.academies.len()).sum::<usize>(), 36);
    }

    #[test]
    fn departements_lose_their_leading_zero() {
        for (code, region) in
            [("001", Some("84")), ("02A", Some("94")), ("974", Some("04")), ("invalid", None), ("", None)]
        {
            assert_eq!(region_of_departement_insee_3(code).map(|r| r.code), region, "{code}");
        }
    }

    #[test]
    fn postal_codes_lead_to_regions() {
        for (text, code) in [
            ("2A004", Some("94")),
            ("20000", Some("94")),
            ("97600", Some("06")),
            ("98800", Some("00")),
            // Saint-Martin, Saint-Barthélemy, Saint-Pierre, Monaco: the postal code, then INSEE's.
            ("97150", Some("01")),
            ("97801", Some("01")),
            ("97133", Some("01")),
            ("97701", Some("01")),
            ("97500", Some("00")),
            ("97502", Some("00")),
            ("98000", None),
            ("99138", None),
            ("7501", None),
            ("750111", None),
            ("é5011", None),
        ] {
            assert_eq!(region_of_postal_code(text).map(|r| r.code), code, "{text}");
        }
    }
}
