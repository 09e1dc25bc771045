//! The pictures that are kept: every theme and direction, with ordinary and with awkward data.

use widget::{Direction, Filieres, Formation, Indicators, Source, Theme, empty, missing, render, render_filieres};

/// Rates in the order employment, education, others.
pub fn indicators(rate: [Option<f64>; 3]) -> Indicators {
    let [employment_rate_6_months, training_rate, other_rate_6_months] = rate;
    Indicators { employment_rate_6_months, training_rate, other_rate_6_months }
}

/// Name and SVG of each picture.
pub fn variants() -> Vec<(String, String)> {
    let usual = Formation {
        title: "Certification 50022137, établissement 0751234J",
        details: "Données InserJeunes pour la certification 50022137 (CAP filière apprentissage) dispensée par \
                  l'établissement 0751234J, pour le millésime 2021_2022",
        libelle: Some("Boulanger (CAP)"),
        millesime: "2021_2022",
        source: Source::InserJeunes,
        messages: &[],
        indicators: indicators([Some(52.0), Some(31.0), Some(17.0)]),
    };
    let unknown = Formation { libelle: None, indicators: indicators([Some(100.0), None, Some(0.0)]), ..usual };
    let full = Formation {
        title: "Certification 2500249",
        details: "Données InserSup pour la certification 2500249 (LIC PRO filière superieur) pour le millésime 2023",
        libelle: Some(
            "Métiers de l’électricité et de l’énergie : gestion, conversion, stockage & distribution des énergies \
             renouvelables (licence professionnelle)",
        ),
        millesime: "2023",
        source: Source::InserSup,
        messages: &[
            "Les données pour cette formation proviennent de l'organisme gestionnaire de la formation.",
            "Nous ne pouvons pas déterminer si les données pour cette formation proviennent de l'organisme \
             gestionnaire, de l'organisme formateur ou du lieu de formation",
        ],
        indicators: indicators([Some(152.0), Some(56.0), Some(0.0)]),
    };
    let filieres = Filieres {
        title: "Certification 40025214",
        details: "Données InserJeunes pour la certification 40025214 (BAC PRO filière pro et BAC PRO filière \
                  apprentissage) pour le millésime 2022",
        libelle: Some("Technicien d’usinage (Bac pro)"),
        millesime: "2022",
        messages: &[],
        pro: Some(indicators([Some(25.0), Some(58.0), Some(17.0)])),
        apprentissage: Some(indicators([Some(61.0), Some(28.0), Some(11.0)])),
    };
    let one_unknown = Filieres {
        title: "Certifications 12345678, 87654321",
        libelle: None,
        messages: &["Les taux ne peuvent pas être affichés car il n'y a pas assez d'élèves pour fournir une \
                     information fiable."],
        pro: Some(indicators([None, None, None])),
        apprentissage: Some(indicators([Some(152.0), Some(100.0), Some(0.0)])),
        ..filieres
    };
    let one_filiere = Filieres { pro: None, ..filieres };

    let mut pictures = vec![("vide".to_owned(), empty().to_owned())];
    for theme in Theme::ALL {
        for direction in Direction::ALL {
            let mut push = |name: &str, svg: String| {
                pictures.push((format!("{}-{}-{name}", theme.as_str(), direction.as_str()), svg));
            };
            for (name, formation) in [("formation", &usual), ("inconnu", &unknown), ("complet", &full)] {
                push(name, render(formation, theme, direction).unwrap());
            }
            for (name, filieres) in
                [("filieres", &filieres), ("filieres-inconnu", &one_unknown), ("filiere-seule", &one_filiere)]
            {
                push(name, render_filieres(filieres, theme, direction).unwrap());
            }
            push("manquant", missing(theme, direction));
        }
    }
    pictures
}
