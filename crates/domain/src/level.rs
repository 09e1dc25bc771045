//! Levels of diplomas, as people name them: what a nomenclature calls `TH4-T` is a titre professionnel.

/// A level that people choose among.
#[derive(Debug, PartialEq, Eq)]
pub struct DiplomeLevel {
    /// Its name in addresses and in the search index.
    pub slug: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// What it is called in full.
    pub full_name: &'static str,
    /// How labels of the nomenclature begin that are of it; the first level that fits is the one.
    starts: &'static [&'static str],
}

const fn level(
    slug: &'static str,
    name: &'static str,
    full_name: &'static str,
    starts: &'static [&'static str],
) -> DiplomeLevel {
    DiplomeLevel { slug, name, full_name, starts }
}

/// Every level, from the first that a pupil meets.
pub static LEVELS: [DiplomeLevel; 11] = [
    level("cap", "CAP", "certificat d’aptitude professionnelle", &["CAP", "CAPA"]),
    level("bac-pro", "Bac pro", "baccalauréat professionnel", &["BAC PRO"]),
    level(
        "mc",
        "Mention complémentaire",
        "mention complémentaire ou certificat de spécialisation",
        &["MC", "CSA", "CS"],
    ),
    level("bp", "Brevet professionnel", "brevet professionnel", &["BP", "BPA"]),
    level("bma", "Brevet des métiers d’art", "brevet ou diplôme des métiers d’art", &["BMA", "DMA", "DNMADE"]),
    level("bts", "BTS", "brevet de technicien supérieur", &["BTS", "BTSA"]),
    level("but", "BUT", "bachelor universitaire de technologie", &["BUT", "DUT"]),
    level("licence", "Licence", "licence ou licence professionnelle", &["LIC", "DIP GVL", "GD ETB LIC"]),
    level("master", "Master", "master", &["MAST", "DIP GVM", "GD ETB MAS", "MBA"]),
    level("ingenieur", "Diplôme d’ingénieur", "diplôme d’ingénieur", &["ING"]),
    level("titre", "Titre professionnel", "titre professionnel ou certifié", &["TH", "TNH", "TP", "TITRE"]),
];

/// The level of this name in addresses.
#[must_use]
pub fn level_of_slug(slug: &str) -> Option<&'static DiplomeLevel> {
    LEVELS.iter().find(|level| level.slug == slug)
}

/// The level of a diplome, by its label in the nomenclature. `None` where it is none of these.
#[must_use]
pub fn level_of_diplome(diplome: &str) -> Option<&'static DiplomeLevel> {
    // The whole first word, or its beginning where the nomenclature writes a number behind (`TH4-T`, `MASTER`, `BPA5`).
    let begins = |start: &&str| {
        diplome.strip_prefix(*start).is_some_and(|rest| {
            rest.is_empty()
                || rest.starts_with([' ', '-'])
                || rest.starts_with(|c: char| c.is_ascii_digit())
                || matches!(*start, "LIC" | "MAST" | "TNH")
        })
    };
    LEVELS.iter().find(|level| level.starts.iter().any(begins))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_nomenclature_have_the_level_that_people_name() {
        let slug = |diplome| level_of_diplome(diplome).map_or("", |level| level.slug);
        for (diplome, expected) in [
            ("CAP", "cap"),
            ("CAPA", "cap"),
            ("CAPACITE", ""),
            ("BAC PRO AG", "bac-pro"),
            ("BAC TEC AG", ""),
            ("MC", "mc"),
            ("MC AG", "mc"),
            ("CSA NIV4", "mc"),
            ("BP", "bp"),
            ("BPA5", "bp"),
            ("BTS", "bts"),
            ("BTSA", "bts"),
            ("BT", ""),
            ("LIC PRO", "licence"),
            ("MASTER PRO", "master"),
            ("MAST LMD", "master"),
            ("TH4-T", "titre"),
            ("TNH5", "titre"),
            ("", ""),
        ] {
            assert_eq!(slug(diplome), expected, "{diplome}");
        }
        assert!(LEVELS.iter().all(|level| level_of_slug(level.slug) == Some(level)));
    }
}
