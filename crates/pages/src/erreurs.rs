//! Every error of the API: its status, its message, its cause, what to do. The page of errors and
//! the OpenAPI description are made from this one table; `api` names its anchors.

use crate::gabarit::{echapper, page};

/// An error, as the documentation tells it.
#[derive(Clone, Copy, Debug)]
pub struct Explication {
    /// The anchor that the `Link` header of the error names.
    pub ancre: &'static str,
    /// The status.
    pub statut: u16,
    /// The field `message`.
    pub message: &'static str,
    /// When it is answered.
    pub cause: &'static str,
    /// What would be right.
    pub remede: &'static str,
}

/// Every error of the public routes.
pub const ERREURS: [Explication; 17] = [
    Explication {
        ancre: "validation",
        statut: 400,
        message: "Erreur de validation",
        cause: "Un ou plusieurs paramètres sont inconnus, mal formés, ou ne vont pas ensemble.",
        remede: "« details » donne toutes les fautes : « path » nomme le paramètre, « message » la forme attendue, « context.valids » les valeurs possibles quand elles sont en nombre fini. Un CFD a 8 caractères, un MEFSTAT11 en a 11, un code SISE s’écrit avec son préfixe (SISE:2599901), un UAI a sept chiffres et une lettre, un millésime s’écrit 2023 ou 2022_2023.",
    },
    Explication {
        ancre: "recherche",
        statut: 400,
        message: "Erreur de validation",
        cause: "La recherche a reçu un paramètre inconnu, vide, trop long ou répété.",
        remede: "« aide » dit ce qui est accepté. q contient des mots ou un code, type vaut certification ou etablissement, page va de 1 à 1 000.",
    },
    Explication {
        ancre: "illisible",
        statut: 400,
        message: "(selon le cas)",
        cause: "Le corps de la requête n’est pas un objet JSON, ou le chemin contient un échappement (%xx) qui ne se décode pas.",
        remede: "Les routes de lecture n’attendent aucun corps. Encoder le chemin en UTF-8.",
    },
    Explication {
        ancre: "non-autorise",
        statut: 401,
        message: "Not authorized",
        cause: "La route demande une clé ou un jeton ; il manque, il est inconnu, ou il est expiré (un jeton vaut un jour).",
        remede: "Envoyer la clé dans l’en-tête x-api-key, ou un jeton dans Authorization: Bearer. POST /api/inserjeunes/auth/login délivre un jeton. Les routes d’un seul document n’ont pas besoin de clé.",
    },
    Explication {
        ancre: "identifiants",
        statut: 401,
        message: "Votre nom d'utilisateur ou votre mot de passe est invalide",
        cause: "Le nom, le mot de passe, ou les deux sont faux, ou le compte est désactivé.",
        remede: "Vérifier le compte avec l’équipe qui exploite le service.",
    },
    Explication {
        ancre: "certification-inconnue",
        statut: 404,
        message: "Certification inconnue · Certifications inconnues",
        cause: "Aucun indicateur national n’existe sous ce code, quel que soit le millésime ; pour la vue par filière, sous aucun des codes.",
        remede: "L’en-tête Link de la réponse, rel=\"search\", mène aux codes les plus proches. Une certification peut n’avoir de données que sous son MEFSTAT11 (voie scolaire) ou que sous son CFD (apprentissage).",
    },
    Explication {
        ancre: "formation-inconnue",
        statut: 404,
        message: "Formation inconnue",
        cause: "Le code n’est pas dans la nomenclature, ou cet établissement ne dispense pas cette formation.",
        remede: "/api/recherche/certifications/{code}?region= donne les établissements d’une certification, /api/recherche/etablissements/{uai} les formations d’un établissement.",
    },
    Explication {
        ancre: "etablissement-inconnu",
        statut: 404,
        message: "Etablissement inconnu",
        cause: "Aucun établissement ne porte cet UAI.",
        remede: "L’en-tête Link de la réponse, rel=\"search\", mène aux établissements les plus proches.",
    },
    Explication {
        ancre: "maille-inconnue",
        statut: 404,
        message: "Maille inconnue",
        cause: "Aucune donnée n’est publiée sous ce nom de maille.",
        remede: "/api/inserjeunes/mailles donne les mailles publiées. Les indicateurs nationaux, régionaux et par établissement ont leurs propres routes.",
    },
    Explication {
        ancre: "pas-de-donnees",
        statut: 404,
        message: "Pas de données disponibles",
        cause: "Le code est connu, mais aucun indicateur n’existe dans cette région ou ce lieu, ou sous ce code.",
        remede: "/api/recherche/certifications/{code} dit dans quelles régions et pour quels millésimes il y a des données.",
    },
    Explication {
        ancre: "millesime",
        statut: 404,
        message: "Pas de données pour le millésime",
        cause: "Il y a des données, mais pas pour le millésime demandé, ou pas pour celui en vigueur quand aucun n’est demandé.",
        remede: "« data.millesimesDisponible » donne les millésimes disponibles, du plus récent au plus ancien : en demander un par ?millesime=.",
    },
    Explication {
        ancre: "donnees-non-disponibles",
        statut: 404,
        message: "Données non disponibles",
        cause: "Une image est demandée, mais aucun des trois taux n’est publié : groupe de moins de 20 jeunes, année non terminale, ou taux inconnus.",
        remede: "?imageOnError=true donne une image qui le dit, ?imageOnError=empty une image vide d’un pixel.",
    },
    Explication {
        ancre: "route-inconnue",
        statut: 404,
        message: "Not Found",
        cause: "Le chemin n’est pas une route, ou la méthode n’est pas la sienne.",
        remede: "Les chemins s’écrivent en minuscules, sans double barre. La liste des routes est dans cette documentation.",
    },
    Explication {
        ancre: "trop-grand",
        statut: 413,
        message: "Le corps de la requête dépasse 100 Ko",
        cause: "Le corps envoyé est trop grand.",
        remede: "Les routes de lecture n’attendent aucun corps.",
    },
    Explication {
        ancre: "jeu-de-caracteres",
        statut: 415,
        message: "Jeu de caractères non pris en charge : utiliser utf-8",
        cause: "Content-Type annonce un jeu de caractères qui n’est pas lu.",
        remede: "Envoyer de l’UTF-8.",
    },
    Explication {
        ancre: "indisponible",
        statut: 503,
        message: "Les données sont momentanément indisponibles, réessayez dans quelques secondes",
        cause: "Le magasin de données ne répond pas, ou rien n’est encore publié.",
        remede: "Réessayer après le délai de l’en-tête Retry-After. Ce n’est jamais une absence de données : celle-ci est un 404.",
    },
    Explication {
        ancre: "import",
        statut: 409,
        message: "(routes internes)",
        cause: "Une route de l’import refuse un appel qui ne va pas avec l’état d’un travail (409), ou un contenu (422).",
        remede: "Le message le dit ; voir docs/EXPLOITER.md.",
    },
];

/// The page of errors.
#[must_use]
pub fn afficher() -> String {
    let mut corps = String::from(
        "<h1>Les erreurs et leurs causes</h1><p>Toute erreur répond <code>{\"statusCode\", \"error\", \"message\"}</code>, \
avec <code>details</code> (400) ou <code>data</code> (404 sur un millésime) quand il y a plus à dire. L’en-tête \
<code>Link</code> de chaque erreur mène ici (<code>rel=\"help\"</code>) ; pour un code inconnu, un second mène aux codes les plus proches (<code>rel=\"search\"</code>).</p>",
    );
    for e in ERREURS {
        corps.push_str(&format!(
            "<section id=\"{0}\"><h2>{1} – {2}</h2><dl class=\"fiche\"><dt>Cause</dt><dd>{3}</dd><dt>Que faire</dt><dd>{4}</dd></dl></section>",
            e.ancre,
            e.statut,
            echapper(e.message),
            echapper(e.cause),
            echapper(e.remede),
        ));
    }
    page("Les erreurs", "/api/doc/erreurs", "", &corps)
}
