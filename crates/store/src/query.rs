//! What people mean by the words of a query: levels, voies and places have marks in the index ([`crate::mark`]), everything else
//! is a word.
//!
//! `cap cuisine lyon` is a level, a word and a place. A certification fits it that is a CAP, has the word, and has data in
//! the region of Lyon; an establishment that teaches a CAP and has both words.

use crate::mark;
use crate::search::{WORDS_MAX, search_words, useful_words, words};
use domain::level::level_of_slug;
use domain::{Filiere, territory};
use std::sync::LazyLock;

/// What a term of a query is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermKind {
    /// A word of labels and names, or a code.
    Word,
    /// A level.
    Level,
    /// A voie of education.
    Voie,
    /// A region.
    Region,
    /// A town that gives an academie its name: establishments that lie there have it as a word.
    Town,
    /// A kind of establishment: whoever names one looks for an establishment.
    School,
}

/// A part of a query that is looked up as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// What it is about.
    pub kind: TermKind,
    /// Its words, of which a card has all.
    pub words: Vec<String>,
    /// Marks, of which one does instead.
    pub marks: Vec<String>,
    /// Marks, of which one does instead for establishments.
    pub marks_of_etablissements: Vec<String>,
    /// Other words for the same, where no certification with data has these.
    pub instead: Vec<String>,
    /// Other words for the same, whatever has these.
    pub also: Vec<String>,
}

impl Term {
    fn new(kind: TermKind, words: Vec<String>) -> Self {
        Self {
            kind,
            words,
            marks: Vec::new(),
            marks_of_etablissements: Vec::new(),
            instead: Vec::new(),
            also: Vec::new(),
        }
    }

    /// With marks that certifications and establishments have alike.
    fn with_marks(self, marks: Vec<String>) -> Self {
        Self { marks_of_etablissements: marks.clone(), marks, ..self }
    }

    /// With marks of certifications alone: establishments are called by the words.
    fn with_marks_of_certifications(self, marks: Vec<String>) -> Self {
        Self { marks, ..self }
    }
}

/// What leads from words to a region, beside its own name.
const REGION_ALIASES: [(&str, &str); 24] = [
    ("idf", "11"),
    ("ile france", "11"),
    ("paca", "93"),
    ("cote azur", "93"),
    ("provence", "93"),
    ("aura", "84"),
    ("rhone alpes", "84"),
    ("auvergne", "84"),
    ("bourgogne", "27"),
    ("franche comte", "27"),
    ("alsace", "44"),
    ("lorraine", "44"),
    ("champagne ardenne", "44"),
    ("picardie", "32"),
    ("nord pas calais", "32"),
    ("aquitaine", "75"),
    ("poitou charentes", "75"),
    ("limousin", "75"),
    ("languedoc roussillon", "76"),
    ("midi pyrenees", "76"),
    ("basse normandie", "28"),
    ("haute normandie", "28"),
    ("reunion", "04"),
    ("centre val loire", "24"),
];

/// How people call levels; the longest name that fits is taken.
const LEVEL_NAMES: [(&str, &str); 38] = [
    ("cap", "cap"),
    ("caps", "cap"),
    ("certificat aptitude professionnelle", "cap"),
    ("bac pro", "bac-pro"),
    ("bacs pro", "bac-pro"),
    ("bacpro", "bac-pro"),
    ("bac professionnel", "bac-pro"),
    ("bac professionnelle", "bac-pro"),
    ("baccalaureat pro", "bac-pro"),
    ("baccalaureat professionnel", "bac-pro"),
    ("baccalaureats professionnels", "bac-pro"),
    ("mc", "mc"),
    ("mention complementaire", "mc"),
    ("mentions complementaires", "mc"),
    ("certificat specialisation", "mc"),
    ("bp", "bp"),
    ("brevet pro", "bp"),
    ("brevet professionnel", "bp"),
    ("bma", "bma"),
    ("brevet metiers art", "bma"),
    ("brevet metiers arts", "bma"),
    ("bts", "bts"),
    ("brevet technicien superieur", "bts"),
    ("brevet technicien", "bts"),
    ("but", "but"),
    ("dut", "but"),
    ("bachelor", "but"),
    ("bachelor universitaire technologie", "but"),
    ("licence", "licence"),
    ("licence pro", "licence"),
    ("licence professionnelle", "licence"),
    ("licences professionnelles", "licence"),
    ("master", "master"),
    ("masters", "master"),
    ("mastere", "master"),
    ("ingenieur", "ingenieur"),
    ("titre pro", "titre"),
    ("titre professionnel", "titre"),
];

const VOIE_NAMES: [(&str, &[Filiere]); 12] = [
    ("apprentissage", &[Filiere::Apprentissage]),
    ("apprenti", &[Filiere::Apprentissage]),
    ("apprentie", &[Filiere::Apprentissage]),
    ("apprentis", &[Filiere::Apprentissage]),
    ("alternance", &[Filiere::Apprentissage]),
    ("voie scolaire", &[Filiere::Pro, Filiere::Agricultural]),
    ("scolaire", &[Filiere::Pro, Filiere::Agricultural]),
    ("agricole", &[Filiere::Agricultural]),
    ("enseignement superieur", &[Filiere::Superieur]),
    ("universite", &[Filiere::Superieur]),
    ("fac", &[Filiere::Superieur]),
    ("statut scolaire", &[Filiere::Pro, Filiere::Agricultural]),
];

/// Kinds of establishments, and the voie of what they teach.
const SCHOOL_NAMES: [(&str, &[Filiere]); 8] = [
    ("lycee", &[Filiere::Pro, Filiere::Agricultural]),
    ("lycees", &[Filiere::Pro, Filiere::Agricultural]),
    ("lycee pro", &[Filiere::Pro]),
    ("lycee professionnel", &[Filiere::Pro]),
    ("cfa", &[Filiere::Apprentissage]),
    ("centre formation apprentis", &[Filiere::Apprentissage]),
    ("ecole", &[]),
    ("etablissement", &[]),
];

/// What people call a certification whose label has other words: short names that schools use, and trades. Words of labels
/// that all those have which are meant.
const OTHER_NAMES: [(&str, &str); 166] = [
    ("aepe", "accompagnant educatif petite enfance"),
    ("ag pme", "gestion pme"),
    ("agent securite", "metiers securite"),
    ("agora", "assistance gestion organisations"),
    ("agriculteur", "agricole"),
    ("aide menagere", "assistant vie familles"),
    ("animaux", "canin felin"),
    ("apr", "agent polyvalent restauration"),
    ("architecte", "architecture"),
    ("assistante maternelle", "petite enfance"),
    ("assistante sociale", "assistant service social"),
    ("assp", "accompagnement soins services personne"),
    ("assureur", "assurance"),
    ("atmfc", "assistant technique milieux familial collectif"),
    ("auto", "automobile"),
    ("automobile", "vehicules"),
    ("auxiliaire vie", "accompagnement"),
    ("avs", "accompagnement"),
    ("baby sitter", "petite enfance"),
    ("banquier", "banque"),
    ("barbier", "coiffure"),
    ("barmaid", "barman"),
    ("bijouterie", "bijou"),
    ("bijoutier", "bijou"),
    ("biotech", "biotechnologies"),
    ("caissier", "commerce"),
    ("caissiere", "commerce"),
    ("cg", "comptabilite gestion"),
    ("cgea", "conduite gestion entreprise agricole"),
    ("chat", "felin"),
    ("chaud froid", "froid conditionnement"),
    ("chauffeur", "conducteur"),
    ("chauffeur routier", "conducteur transport routier"),
    ("cheval", "equine"),
    ("chevaux", "hippique"),
    ("chien", "canin"),
    ("ci", "commerce international"),
    ("ciel", "cybersecurite informatique reseaux"),
    ("cira", "controle industriel regulation automatique"),
    ("cpi", "conception produits industriels"),
    ("crcr", "negociation relation client"),
    ("creche", "petite enfance"),
    ("crsa", "conception systemes automatiques"),
    ("cs hcr", "services hotel restaurant"),
    ("csr", "commercialisation services restauration"),
    ("dessinateur", "etudes"),
    ("dev", "informatiques"),
    ("developpeur", "informatiques"),
    ("eboueur", "proprete"),
    ("ehpad", "soins"),
    ("eleveur", "elevage"),
    ("epc", "equipier polyvalent commerce"),
    ("equitation", "hippique"),
    ("esf", "economie sociale familiale"),
    ("femme menage", "proprete"),
    ("fermier", "agricole"),
    ("frigoriste", "froid conditionnement"),
    ("ga", "gestion administration"),
    ("gatl", "gestion administrative transport logistique"),
    ("gendarme", "metiers securite"),
    ("gpme", "gestion pme"),
    ("grutier", "grue"),
    ("gtla", "gestion transports logistique"),
    ("handicap", "accompagnement"),
    ("hopital", "soins"),
    ("hote", "accueil"),
    ("hotel", "hotellerie"),
    ("hotelier", "hotellerie"),
    ("hoteliere", "hotellerie"),
    ("hotellerie", "restauration"),
    ("hotesse", "accueil"),
    ("hotesse air", "accueil transports"),
    ("icc", "chauffage climatisation"),
    ("icer", "chauffage climatisation energies renouvelables"),
    ("imprimante", "imprimes"),
    ("imprimerie", "imprimes"),
    ("infirmier", "soins"),
    ("infirmiere", "soins"),
    ("jardinage", "jardinier paysagiste"),
    ("jeux", "animation"),
    ("joaillier", "bijou"),
    ("kine", "sport"),
    ("laborantin", "laboratoire"),
    ("laborantine", "laboratoire"),
    ("lunettes", "opticien"),
    ("maitre hotel", "services restaurant"),
    ("maitresse", "petite enfance"),
    ("maquillage", "esthetique"),
    ("maquilleuse", "esthetique"),
    ("marin", "maritime"),
    ("maternelle", "petite enfance"),
    ("mco", "management commercial operationnel"),
    ("mcv", "metiers commerce vente"),
    ("medical", "soins"),
    ("mei", "maintenance equipements industriels"),
    ("melec", "metiers electricite"),
    ("menage", "proprete"),
    ("mfer", "maintenance efficacite energetique"),
    ("mhr", "management hotellerie restauration"),
    ("mobylette", "motocycles"),
    ("ms", "maintenance systemes"),
    ("mspc", "maintenance systemes production connectes"),
    ("muc", "management unites commerciales"),
    ("mv", "maintenance vehicules"),
    ("ndrc", "negociation digitalisation relation client"),
    ("nettoyage", "proprete"),
    ("nounou", "petite enfance"),
    ("nourrice", "petite enfance"),
    ("onglerie", "esthetique"),
    ("ongles", "esthetique"),
    ("opticienne", "opticien"),
    ("otm", "organisation transport logistique"),
    ("paysage", "paysagiste"),
    ("peintre auto", "peinture carrosserie"),
    ("peinture auto", "peinture carrosserie"),
    ("peinture batiment", "peintre revetements"),
    ("peinture voiture", "peinture carrosserie"),
    ("pharmacien", "pharmacie"),
    ("pharmacienne", "pharmacie"),
    ("pi", "professions immobilieres"),
    ("plp", "pilote ligne production"),
    ("poids lourds", "transport routier"),
    ("police", "metiers securite"),
    ("policier", "metiers securite"),
    ("pompier", "metiers securite"),
    ("prof sport", "sport"),
    ("programmeur", "informatiques"),
    ("psr", "production service restaurations"),
    ("puericulture", "petite enfance"),
    ("reseau", "reseaux"),
    ("robot", "automatiques"),
    ("robotique", "automatiques"),
    ("routier", "transport routier"),
    ("sage femme", "soins"),
    ("sapat", "services personnes territoires"),
    ("sapeur pompier", "metiers securite"),
    ("sapver", "services personnes territoires"),
    ("secretaire", "assistance gestion organisations"),
    ("secretariat", "assistance gestion organisations"),
    ("sen", "systemes numeriques"),
    ("sio", "services informatiques organisations"),
    ("sn", "systemes numeriques"),
    ("snrc", "systemes numeriques"),
    ("sp3s", "services prestations sanitaire social"),
    ("sportif", "sport"),
    ("steward", "accueil transports"),
    ("stylisme", "mode"),
    ("styliste", "mode"),
    ("taxi", "conducteur"),
    ("tci", "chaudronnerie industrielle"),
    ("tcva", "conseil vente"),
    ("tfca", "froid"),
    ("tisec", "energetiques climatiques"),
    ("tisserand", "textile"),
    ("tma", "technicien menuisier agenceur"),
    ("tmsec", "maintenance energetiques climatiques"),
    ("toiletteur", "canin"),
    ("tp", "travaux publics"),
    ("trpm", "realisation produits mecaniques"),
    ("velo", "cycles"),
    ("veterinaire", "canin"),
    ("vigile", "metiers securite"),
    ("vigneron", "vigne"),
    ("viticulture", "vigne vin"),
    ("vitrier", "verre"),
    ("vtc", "conducteur"),
];

/// The same, for what should be found beside the labels that have the word: the words of labels that are meant first.
const SAME_NAMES: [(&str, &str); 95] = [
    ("aide soignant", "aide soignante"),
    ("aide soignante", "aide soignant"),
    ("avion", "aeronautique"),
    ("boucherie", "boucher"),
    ("boulanger patissier", "boulangerie patisserie"),
    ("boulangere", "boulanger"),
    ("boulangerie", "boulanger"),
    ("btp", "batiment"),
    ("camion", "transport routier marchandises"),
    ("carrelage", "carreleur"),
    ("carrossier", "carrosserie"),
    ("charcuterie", "charcutier"),
    ("charpente", "charpentier"),
    ("chaudronnier", "chaudronnerie"),
    ("chauffagiste", "installations thermiques"),
    ("chauffeur poids lourd", "conducteur transport routier"),
    ("chocolaterie", "chocolatier"),
    ("coiffeur", "coiffure"),
    ("coiffeuse", "coiffure"),
    ("compta", "comptabilite"),
    ("comptable", "comptabilite"),
    ("couture", "metiers mode"),
    ("couturier", "metiers mode"),
    ("couturiere", "metiers mode"),
    ("couverture", "couvreur"),
    ("cuisinier", "cuisine"),
    ("cuisiniere", "cuisine"),
    ("cyber", "cybersecurite informatique reseaux"),
    ("cybersecurite", "cybersecurite informatique reseaux"),
    ("ebenisterie", "ebeniste"),
    ("elec", "electricite"),
    ("electricien", "electricite"),
    ("electricienne", "electricite"),
    ("espaces verts", "jardinier paysagiste"),
    ("esthe", "esthetique"),
    ("estheticien", "esthetique"),
    ("estheticienne", "esthetique"),
    ("esthetisienne", "esthetique"),
    ("fleurs", "fleuriste"),
    ("fromagerie", "fromager"),
    ("garage", "maintenance vehicules"),
    ("garagiste", "maintenance vehicules"),
    ("graphisme", "design graphique"),
    ("graphiste", "design graphique"),
    ("horloger", "horlogerie"),
    ("immo", "professions immobilieres"),
    ("immobilier", "professions immobilieres"),
    ("imprimeur", "imprimerie"),
    ("informaticien", "informatique"),
    ("informatique", "services informatiques organisations"),
    ("jardinier", "jardinier paysagiste"),
    ("logisticien", "logistique"),
    ("maconnerie", "macon"),
    ("maroquinier", "maroquinerie"),
    ("meca", "maintenance vehicules"),
    ("meca auto", "maintenance vehicules"),
    ("mecanicien", "maintenance vehicules"),
    ("mecanicien auto", "maintenance vehicules"),
    ("mecanicien automobile", "maintenance vehicules"),
    ("mecanicienne", "maintenance vehicules"),
    ("mecanique", "maintenance vehicules"),
    ("mecanique auto", "maintenance vehicules"),
    ("mecanique automobile", "maintenance vehicules"),
    ("mecano", "maintenance vehicules"),
    ("menuiserie", "menuisier"),
    ("moto", "motocycles"),
    ("opticien", "opticien lunetier"),
    ("patisserie", "patissier"),
    ("patissiere", "patissier"),
    ("paysagisme", "jardinier paysagiste"),
    ("peintre", "peintre revetements"),
    ("petite enfance", "accompagnant educatif petite enfance"),
    ("photographe", "photographie"),
    ("pilote avion", "aeronautique"),
    ("platrerie", "platrier"),
    ("plomberie", "sanitaires"),
    ("plomberie chauffage", "installations thermiques"),
    ("plombier", "sanitaires"),
    ("plombier chauffagiste", "installations thermiques"),
    ("poids lourd", "conducteur transport routier"),
    ("poissonnerie", "poissonnier"),
    ("rh", "ressources humaines"),
    ("securite", "metiers securite"),
    ("serveur", "services restaurant"),
    ("serveuse", "services restaurant"),
    ("sommellerie", "sommelier"),
    ("soudeur", "soudage"),
    ("soudeuse", "soudage"),
    ("soudure", "soudage"),
    ("tapisserie", "tapissier"),
    ("toilettage", "toiletteur canin"),
    ("usineur", "usinage"),
    ("vendeur", "commerce vente"),
    ("vendeuse", "commerce vente"),
    ("voiture", "maintenance vehicules"),
];

/// What a question is made of beside what is asked: no label is looked for by it, unless it is all that was typed.
const QUESTION_WORDS: [&str; 62] = [
    "academie",
    "academies",
    "villes",
    "region",
    "regions",
    "departement",
    "departements",
    "formation",
    "formations",
    "diplome",
    "diplomes",
    "metier",
    "travailler",
    "etude",
    "etudes",
    "cours",
    "ecoles",
    "devenir",
    "faire",
    "veux",
    "voudrais",
    "cherche",
    "je",
    "j",
    "on",
    "mon",
    "ma",
    "mes",
    "etre",
    "pour",
    "apres",
    "avec",
    "sans",
    "dans",
    "par",
    "sur",
    "sous",
    "un",
    "une",
    "que",
    "quoi",
    "quel",
    "quelle",
    "quels",
    "quelles",
    "ou",
    "comment",
    "pres",
    "proche",
    "chez",
    "moi",
    "an",
    "ans",
    "annee",
    "salaire",
    "debouches",
    "avenir",
    "fille",
    "ville",
    "1",
    "2",
    "3",
];

/// What a region or an academie is called, in words as queries have them.
struct PlaceName {
    name: String,
    region: &'static str,
    /// Of a name of an academie: its code.
    academie: Option<&'static str>,
}

/// Every name of a region and of an academie, made once: a query is compared with all of them, term by term.
static PLACE_NAMES: LazyLock<Vec<PlaceName>> = LazyLock::new(|| {
    let mut names = Vec::new();
    for region in &territory::REGIONS {
        let mut add = |name: &str, academie| {
            let name = useful_words(name).join(" ");
            if !name.is_empty() {
                names.push(PlaceName { name, region: region.code, academie });
            }
        };
        add(region.name, None);
        for academie in region.academies {
            add(academie.name, Some(academie.code));
            // `Aix-Marseille` is two towns.
            academie.name.split('-').for_each(|town| add(town, Some(academie.code)));
        }
    }
    names
});

/// What one or several words at the start of `words` mean, and how many they are.
fn meaning(words: &[String]) -> Option<(Term, usize)> {
    let begins = |name: &str| {
        // Nearly every name is another one from its first letter on.
        if words.first().is_none_or(|first| first.as_bytes().first() != name.as_bytes().first()) {
            return None;
        }
        // One or many: `infirmieres` are called as an `infirmiere` is.
        let same = |name: &str, word: &String| name == word || word.strip_suffix('s') == Some(name);
        let mut rest = words.iter();
        let fits = name.split(' ').all(|part| rest.next().is_some_and(|word| same(part, word)));
        fits.then(|| words.len() - rest.len())
    };
    let mut best: Option<(Term, usize)> = None;
    let mut offer = |term: &dyn Fn(usize) -> Term, length: Option<usize>| {
        if let Some(length) = length.filter(|length| best.as_ref().is_none_or(|(_, known)| length > known)) {
            best = Some((term(length), length));
        }
    };
    let said = |length: usize| words.iter().take(length).cloned().collect::<Vec<_>>();
    for (name, slug) in LEVEL_NAMES {
        let marks = || level_of_slug(slug).map(|level| mark::level(level.slug)).into_iter().collect();
        // A level is in labels in its short form: `CUISINE (CAP)`.
        offer(&|_| Term::new(TermKind::Level, useful_words(slug)).with_marks(marks()), begins(name));
    }
    for (name, filieres) in VOIE_NAMES {
        let marks = || filieres.iter().copied().map(mark::filiere).collect();
        offer(&|length| Term::new(TermKind::Voie, said(length)).with_marks(marks()), begins(name));
    }
    for (name, filieres) in SCHOOL_NAMES {
        let marks = || filieres.iter().copied().map(mark::filiere).collect();
        let term = |length| Term::new(TermKind::School, said(length)).with_marks_of_certifications(marks());
        offer(&term, begins(name));
    }
    for (name, others) in OTHER_NAMES {
        let term = |length| Term { instead: useful_words(others), ..Term::new(TermKind::Word, said(length)) };
        offer(&term, begins(name));
    }
    for (name, others) in SAME_NAMES {
        let term = |length| Term { also: useful_words(others), ..Term::new(TermKind::Word, said(length)) };
        offer(&term, begins(name));
    }
    for (name, code) in REGION_ALIASES {
        let marks = || vec![mark::region(code)];
        offer(&|length| Term::new(TermKind::Region, said(length)).with_marks(marks()), begins(name));
    }
    for PlaceName { name, region, academie } in &*PLACE_NAMES {
        let marks = || vec![mark::region(region)];
        match academie {
            None => offer(&|length| Term::new(TermKind::Region, said(length)).with_marks(marks()), begins(name)),
            Some(academie) => {
                let term = |length| Term {
                    marks_of_etablissements: vec![mark::academie(academie)],
                    ..Term::new(TermKind::Town, said(length)).with_marks_of_certifications(marks())
                };
                offer(&term, begins(name));
            }
        }
    }
    best
}

/// What a query means: its terms, in the order they were typed, of no more than [`WORDS_MAX`] words.
#[must_use]
pub fn terms(q: &str) -> Vec<Term> {
    let kept = search_words(q);
    // Words that a level needs may be those that are too common, or too many, to be looked for.
    let mut all = useful_words(q);
    if all.len() > 1 {
        let useful: Vec<String> = all.iter().filter(|word| !QUESTION_WORDS.contains(&word.as_str())).cloned().collect();
        if !useful.is_empty() {
            all = useful;
        }
    }
    let mut terms: Vec<Term> = Vec::new();
    let mut rest = all.as_slice();
    let mut plain = 0;
    while let Some((first, after)) = rest.split_first() {
        let term = match meaning(rest) {
            Some((term, length)) => {
                rest = rest.get(length..).unwrap_or_default();
                term
            }
            None => {
                rest = after;
                let Some(word) = kept.iter().find(|word| *word == first || word.ends_with(first.as_str())) else {
                    continue;
                };
                plain += 1;
                if plain > WORDS_MAX {
                    continue;
                }
                Term::new(TermKind::Word, vec![word.clone()])
            }
        };
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    if terms.is_empty() {
        let word = |word| Term::new(TermKind::Word, vec![word]);
        terms = words(q).into_iter().take(WORDS_MAX).map(word).collect();
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(q: &str) -> Vec<String> {
        let show = |term: &Term| format!("{:?} {}", term.kind, term.words.join("+"));
        terms(q).iter().map(show).collect()
    }

    #[test]
    fn levels_voies_and_places_are_told_from_words() {
        for (q, expected) in [
            ("cap cuisine lyon", vec!["Level cap", "Word cuisine", "Town lyon"]),
            ("Bac professionnel commerce", vec!["Level bac+pro", "Word commerce"]),
            ("baccalauréat pro vente", vec!["Level bac+pro", "Word vente"]),
            ("bac", vec!["Word bac"]),
            ("Marseille", vec!["Town marseille"]),
            ("mention complémentaire", vec!["Level mc"]),
            ("certificat d'aptitude professionnelle", vec!["Level cap"]),
            ("apprentissage Bretagne", vec!["Voie apprentissage", "Region bretagne"]),
            ("BTS en Île-de-France", vec!["Level bts", "Region ile+france"]),
            ("lycée Jean Moulin", vec!["School lycee", "Word jean", "Word moulin"]),
            ("académie de Lille", vec!["Town lille"]),
            ("cuisine à La Réunion", vec!["Word cuisine", "Region reunion"]),
            ("Provence-Alpes-Côte d’Azur", vec!["Region provence+alpes+cote+azur"]),
            ("aix marseille", vec!["Town aix+marseille"]),
            ("MEFSTAT11:23830099011", vec!["Word 23830099011"]),
            ("rncp 38430", vec!["Word rncp38430"]),
            ("de la", vec!["Word de", "Word la"]),
            ("?!", vec![]),
        ] {
            assert_eq!(read(q), expected, "{q}");
        }
    }

    #[test]
    fn no_query_asks_for_more_words_than_its_budget() {
        let long = (0..60).map(|n| format!("mot{n}")).collect::<Vec<_>>().join(" ");
        assert!(terms(&long).len() <= WORDS_MAX);
    }
}
