//! The table of rules.

use crate::Severity;

/// A rule of plausibility.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// An indicator is a number.
    Number,
    /// A rate lies between 0 and 100.
    RateBounds,
    /// A rate is a percentage, not a fraction of 1.
    RateFraction,
    /// A rate is a whole number.
    RateWhole,
    /// The shares of one delay make up 100.
    ShareSum,
    /// A count is a whole number, 0 or above.
    CountWhole,
    /// A count is not larger than there are pupils.
    CountHuge,
    /// A count is not larger than its group.
    CountAboveSize,
    /// A wage is a whole number, above 0.
    WageWhole,
    /// A wage is monthly and net.
    WageBounds,
    /// Quartiles are in order.
    WageOrder,
    /// Wages are known nationally only.
    WageMaille,
    /// A code has the shape of its nomenclature.
    CodeShape,
    /// A code belongs to the nomenclature of its filiere.
    CodeFiliere,
    /// A code is known to the nomenclature.
    CodeUnknown,
    /// A date is a day in ISO form.
    DateShape,
    /// A date lies in a century of schools.
    DateBounds,
    /// A course closes after it has opened.
    DateOrder,
    /// The letter of a UAI checks its digits.
    UaiLetter,
    /// A UAI begins with a departement of its region.
    UaiTerritory,
    /// An academie exists.
    AcademieUnknown,
    /// An academie lies in its region.
    AcademieRegion,
    /// A millesime is over.
    MillesimeFuture,
    /// A millesime is of a time with statistics.
    MillesimeBounds,
    /// A millesime is written as those of its maille are.
    MillesimeMaille,
    /// A text was not spoilt on its way.
    TextSpoilt,
    /// One key, one document.
    Duplicate,
    /// One key, the same document several times.
    DuplicateEqual,
    /// One millesime, one spelling.
    TwoSpellings,
    /// A column keeps its scale.
    ColumnScale,
    /// What is noted stays rare.
    NotedOften,
    /// A millesime that is put in force is over.
    ForceFuture,
    /// A millesime that is put in force has about as many documents as the one before it.
    ForceThin,
}

/// What is said of a rule, for whoever reads a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleText {
    /// Its name in reports and in the variable.
    pub name: &'static str,
    /// What becomes of what breaks it, unless the deployment says otherwise.
    pub level: Severity,
    /// Where it comes from.
    pub source: &'static str,
    /// What it asks for.
    pub asks: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 33] = [
        Self::Number,
        Self::RateBounds,
        Self::RateFraction,
        Self::RateWhole,
        Self::ShareSum,
        Self::CountWhole,
        Self::CountHuge,
        Self::CountAboveSize,
        Self::WageWhole,
        Self::WageBounds,
        Self::WageOrder,
        Self::WageMaille,
        Self::CodeShape,
        Self::CodeFiliere,
        Self::CodeUnknown,
        Self::DateShape,
        Self::DateBounds,
        Self::DateOrder,
        Self::UaiLetter,
        Self::UaiTerritory,
        Self::AcademieUnknown,
        Self::AcademieRegion,
        Self::MillesimeFuture,
        Self::MillesimeBounds,
        Self::MillesimeMaille,
        Self::TextSpoilt,
        Self::Duplicate,
        Self::DuplicateEqual,
        Self::TwoSpellings,
        Self::ColumnScale,
        Self::NotedOften,
        Self::ForceFuture,
        Self::ForceThin,
    ];

    /// What is said of it. Where a recorded answer of the former service shows a document that breaks a rule, its level is
    /// "noted": the contract asks for such a document to be published.
    #[must_use]
    pub fn text(self) -> RuleText {
        use Severity::{Confirmed, Noted, Refused};
        let (name, level, source, asks, remedy) = match self {
            Self::Number => (
                "nombre",
                Refused,
                "contrat, forme des documents",
                "un nombre ou null est attendu",
                "écrire le nombre sans guillemets, espace ni signe, et null pour une valeur inconnue ou secrète",
            ),
            Self::RateBounds => (
                "taux_bornes",
                Refused,
                "contrat, indicateurs",
                "un taux va de 0 à 100",
                "vérifier le calcul ou l'unité",
            ),
            Self::RateFraction => (
                "taux_fraction",
                Refused,
                "contrat, indicateurs",
                "un taux est un pourcentage, pas une fraction de 1",
                "multiplier la colonne par 100 et arrondir",
            ),
            Self::RateWhole => (
                "taux_entier",
                Refused,
                "contrat, indicateurs",
                "un taux est un nombre entier",
                "arrondir à l'entier, la moitié vers le pair",
            ),
            Self::ShareSum => (
                "parts_somme",
                Noted,
                "contrat, traitement des statistiques",
                "formation, emploi et autres situations font 100 à un délai donné",
                "vérifier les trois taux de ce délai",
            ),
            Self::CountWhole => (
                "effectif_entier",
                Refused,
                "contrat, indicateurs",
                "un effectif est un nombre entier, positif ou nul",
                "donner l'effectif observé, ou null s'il est inconnu",
            ),
            Self::CountHuge => (
                "effectif_demesure",
                Confirmed,
                "population scolaire",
                "un effectif ne dépasse pas un million de jeunes",
                "vérifier que la colonne est bien celle d'un effectif",
            ),
            Self::CountAboveSize => (
                "effectif_taille",
                Noted,
                "contrat, indicateurs",
                "un effectif, ou la somme des sortants et des poursuites, ne dépasse pas celui du groupe (nb_annee_term)",
                "vérifier que les deux effectifs portent sur les mêmes jeunes",
            ),
            Self::WageWhole => (
                "salaire_entier",
                Refused,
                "contrat, indicateurs",
                "un salaire est un nombre entier d'euros, positif",
                "arrondir à l'euro, ou null s'il est inconnu",
            ),
            Self::WageBounds => (
                "salaire_bornes",
                Noted,
                "contrat, indicateurs",
                "un salaire est mensuel et net : de 500 à 15 000 euros",
                "vérifier qu'il n'est ni annuel, ni horaire, ni en centimes",
            ),
            Self::WageOrder => (
                "salaire_ordre",
                Noted,
                "définition des quartiles",
                "les quartiles vont du plus petit au plus grand (q1, q2, q3)",
                "vérifier l'ordre des colonnes",
            ),
            Self::WageMaille => (
                "salaire_maille",
                Noted,
                "contrat, traitement InserJeunes",
                "les salaires ne sont connus qu'au niveau national",
                "les retirer : ils ne sont publiés que là",
            ),
            Self::CodeShape => (
                "code_forme",
                Refused,
                "nomenclatures de la BCN",
                "un code est un CFD (8 caractères), un MEFSTAT11 (11) ou un code SISE (7), en chiffres et majuscules",
                "compléter les zéros de tête qu'un tableur retire, retirer espaces et préfixe",
            ),
            Self::CodeFiliere => (
                "code_filiere",
                Noted,
                "contrat, traitement InserJeunes",
                "l'apprentissage se compte par CFD, les voies pro et agricole par MEFSTAT11, le supérieur par code SISE",
                "vérifier la filière, ou le code",
            ),
            Self::CodeUnknown => (
                "code_inconnu",
                Noted,
                "nomenclatures de la BCN",
                "un code figure dans la nomenclature en service, ou dans celle que l'envoi apporte avant lui",
                "corriger le code, ou envoyer d'abord la nomenclature (bcn, bcn_sise)",
            ),
            Self::DateShape => (
                "date_forme",
                Refused,
                "contrat, forme des documents",
                "une date est un jour sous la forme AAAA-MM-JJ",
                "l'écrire ainsi",
            ),
            Self::DateBounds => (
                "date_bornes",
                Noted,
                "nomenclatures de la BCN",
                "une date d'ouverture ou de fermeture est entre 1900 et 2100",
                "vérifier l'année",
            ),
            Self::DateOrder => (
                "date_ordre",
                Noted,
                "nomenclatures de la BCN",
                "une date de fermeture vient après celle d'ouverture",
                "vérifier les deux dates",
            ),
            Self::UaiLetter => (
                "uai_lettre",
                Refused,
                "répertoire des établissements",
                "la lettre d'un UAI découle de ses sept chiffres",
                "corriger l'UAI : une faute de frappe désignerait un autre établissement",
            ),
            Self::UaiTerritory => (
                "uai_territoire",
                Noted,
                "répertoire des établissements",
                "un UAI commence par un département de sa région",
                "vérifier l'UAI et la région",
            ),
            Self::AcademieUnknown => (
                "academie_inconnue",
                Confirmed,
                "liste des académies",
                "le code d'une académie a deux chiffres et figure dans la liste",
                "corriger le code : depuis 2020, Caen et Rouen sont l'académie de Normandie (70)",
            ),
            Self::AcademieRegion => (
                "academie_region",
                Noted,
                "liste des académies",
                "une académie est dans sa région, un établissement dans un département de son académie",
                "vérifier l'académie, la région et l'UAI",
            ),
            Self::MillesimeFuture => {
                ("millesime_futur", Confirmed, "calendrier", "un millésime n'est pas dans l'avenir", "corriger l'année")
            }
            Self::MillesimeBounds => (
                "millesime_bornes",
                Confirmed,
                "premières publications des services statistiques",
                "les statistiques commencent en 2000",
                "corriger l'année",
            ),
            Self::MillesimeMaille => (
                "millesime_maille",
                Noted,
                "contrat, sources",
                "dans le secondaire, un millésime est une année au niveau national et deux années qui se suivent ailleurs",
                "vérifier le millésime : la même période sous deux écritures ferait deux documents",
            ),
            Self::TextSpoilt => (
                "texte_abime",
                Confirmed,
                "encodage des fichiers",
                "les textes sont en UTF-8",
                "enregistrer le fichier en UTF-8 et le renvoyer",
            ),
            Self::Duplicate => (
                "doublon",
                Refused,
                "contrat, clés",
                "une clé (code, millésime, filière, lieu) désigne un seul document",
                "ne garder que la bonne ligne, ou accepter la dernière (accepter_doublons)",
            ),
            Self::DuplicateEqual => (
                "doublon_egal",
                Noted,
                "contrat, clés",
                "une clé désigne un seul document",
                "rien : les lignes sont égales, une seule est gardée",
            ),
            Self::TwoSpellings => (
                "deux_ecritures",
                Noted,
                "contrat, millésimes",
                "un millésime s'écrit d'une seule façon (2023 ou 2022_2023) pour un même code et un même lieu",
                "choisir une écriture : les deux documents seraient publiés côte à côte",
            ),
            Self::ColumnScale => (
                "colonne_echelle",
                Confirmed,
                "génération en service",
                "une colonne garde son ordre de grandeur d'une publication à la suivante",
                "vérifier l'unité de toute la colonne",
            ),
            Self::NotedOften => (
                "frequence",
                Confirmed,
                "usage",
                "ce qui est noté reste rare : moins d'un document sur vingt",
                "chercher la cause commune, ou confirmer",
            ),
            Self::ForceFuture => (
                "en_vigueur_futur",
                Confirmed,
                "calendrier",
                "un millésime mis en vigueur n'est pas dans l'avenir",
                "corriger l'année, ou nommer les millésimes en vigueur (--en-vigueur)",
            ),
            Self::ForceThin => (
                "en_vigueur_maigre",
                Confirmed,
                "usage",
                "un millésime mis en vigueur a au moins la moitié des documents du précédent",
                "attendre que le millésime soit complet, ou nommer les millésimes en vigueur (--en-vigueur)",
            ),
        };
        RuleText { name, level, source, asks, remedy }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.text().name == name)
    }

    /// Whether it looks at figures, which the threshold may hide: how often it is broken depends on them, and is not for
    /// everyone. Documents of one key are compared whole.
    #[must_use]
    pub fn reads_figures(self) -> bool {
        match self {
            Self::Number
            | Self::RateBounds
            | Self::RateFraction
            | Self::RateWhole
            | Self::ShareSum
            | Self::CountWhole
            | Self::CountHuge
            | Self::CountAboveSize
            | Self::WageWhole
            | Self::WageBounds
            | Self::WageOrder
            | Self::Duplicate
            | Self::DuplicateEqual
            | Self::NotedOften => true,
            // Columns are judged by what is published of them.
            Self::WageMaille
            | Self::ColumnScale
            | Self::CodeShape
            | Self::CodeFiliere
            | Self::CodeUnknown
            | Self::DateShape
            | Self::DateBounds
            | Self::DateOrder
            | Self::UaiLetter
            | Self::UaiTerritory
            | Self::AcademieUnknown
            | Self::AcademieRegion
            | Self::MillesimeFuture
            | Self::MillesimeBounds
            | Self::MillesimeMaille
            | Self::TextSpoilt
            | Self::TwoSpellings
            | Self::ForceFuture
            | Self::ForceThin => false,
        }
    }

    /// Its place in [`Rule::ALL`].
    pub(crate) fn rank(self) -> usize {
        Self::ALL.iter().position(|rule| *rule == self).unwrap_or_default()
    }
}

/// A rule that a document breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// What becomes of the document.
    pub level: Severity,
    /// The field, in the words of the document: `region.code`.
    pub field: String,
    /// What was found there, in words; no value of a small group.
    pub found: String,
    /// What to do in this case, where it can be told better than by the rule alone.
    pub remedy: Option<String>,
}

impl Finding {
    /// Field, value, rule and remedy in one sentence.
    ///
    /// ```
    /// use plausibility::{Finding, Severity, Rule};
    /// let finding = Finding {
    ///     rule: Rule::RateBounds,
    ///     level: Severity::Refused,
    ///     field: "taux_en_formation".into(),
    ///     found: "280".into(),
    ///     remedy: None,
    /// };
    /// let said = "taux_en_formation : un taux va de 0 à 100, reçu 280 ; vérifier le calcul ou l'unité [taux_bornes]";
    /// assert_eq!(finding.message(), said);
    /// ```
    #[must_use]
    pub fn message(&self) -> String {
        let text = self.rule.text();
        let found = if self.found.is_empty() { String::new() } else { format!(", reçu {}", self.found) };
        let remedy = self.remedy.as_deref().unwrap_or(text.remedy);
        format!("{} : {}{found} ; {remedy} [{}]", self.field, text.asks, text.name)
    }
}
