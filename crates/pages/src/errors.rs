//! Every error of the API: its status, its message, its cause, what to do. The page of errors is
//! made from this table, the OpenAPI description repeats its words, `api` names its anchors.

use crate::template::{Deployment, PageHead, page};
use maud::{Markup, html};

/// An error, as the documentation tells it.
#[derive(Clone, Copy, Debug)]
pub struct Explanation {
    /// The anchor that the `Link` header of the error names.
    pub anchor: &'static str,
    /// The status.
    pub status: u16,
    /// The field `message`.
    pub message: &'static str,
    /// When it is answered.
    pub cause: &'static str,
    /// What would be right.
    pub remedy: &'static str,
}

/// Every error of the public routes.
pub const ERRORS: [Explanation; 25] = [
    Explanation {
        anchor: "validation",
        status: 400,
        message: "Erreur de validation",
        cause: "Un ou plusieurs paramètres sont inconnus, mal formés, ou ne vont pas ensemble.",
        remedy: "« details » donne les fautes, 100 au plus, puis le nombre des autres : « path » nomme le paramètre, « message » la forme attendue, « context.valids » les valeurs possibles quand elles sont en nombre fini. Là où le service devine ce qui a été voulu, « title » de l’en-tête Link le dit : un nom au singulier pour un pluriel, un code dont un tableur a retiré le 0 de gauche, un code SISE sans préfixe. Un CFD a 8 caractères, un MEFSTAT11 en a 11, un code SISE s’écrit avec son préfixe (SISE:2599901), un UAI a sept chiffres et une lettre, un millésime s’écrit 2023 ou 2022_2023.",
    },
    Explanation {
        anchor: "recherche",
        status: 400,
        message: "Erreur de validation",
        cause: "La recherche a reçu un paramètre inconnu, vide, trop long ou répété.",
        remedy: "« aide » dit ce qui est accepté. q contient des mots ou un code, type vaut certification ou etablissement, page va de 1 à 1 000.",
    },
    Explanation {
        anchor: "appariement",
        status: 400,
        message: "(selon le cas)",
        cause: "Un catalogue ne peut pas être lu (colonne clé absente, fichier vide, classeur au lieu d’un CSV, première ligne de plus de 64 Kio), un paramètre de l’appariement est faux, ou la génération demandée n’est plus servie (409).",
        remedy: "« message » nomme ce qui manque et les colonnes trouvées, « aide » ce qui serait juste. Un classeur s’enregistre en CSV UTF-8 ; 409 : reprendre le catalogue à sa première ligne ; 503 : réessayer après Retry-After.",
    },
    Explanation {
        anchor: "identifiant",
        status: 400,
        message: "(selon le cas)",
        cause: "Un identifiant (RNCP, IDEO, MEF, Certif Info) n’a pas la forme de son système, ou un paramètre de sa recherche est faux ou répété.",
        remedy: "« aide » donne la forme attendue : RNCP12345, RNCP 12345 ou 12345 ; FOR.1234 ; 10 chiffres pour un MEF. Un CFD, un MEFSTAT11 ou un code SISE n’en a pas besoin : il va droit dans l’adresse d’un document.",
    },
    Explanation {
        anchor: "illisible",
        status: 400,
        message: "(selon le cas)",
        cause: "Le corps de la requête n’est pas un objet JSON, le chemin contient un échappement (%xx) qui ne se décode pas, ou la requête porte plus de 64 paramètres.",
        remedy: "Les routes de lecture n’attendent aucun corps. Encoder le chemin en UTF-8.",
    },
    Explanation {
        anchor: "demande",
        status: 400,
        message: "(selon le cas)",
        cause: "champs nomme un champ que ni le contrat ni la réponse ne connaissent, champs, historique ou avec se combine avec ce qui l’exclut (image, CSV, millesime, vue, plusieurs codes), ou le corps d’un lot n’a pas la forme attendue.",
        remedy: "« message » dit ce qui est en cause, sa place, et ce qui est possible.",
    },
    Explanation {
        anchor: "mcp",
        status: 405,
        message: "(selon le cas)",
        cause: "/api/mcp a reçu autre chose qu’un POST (405), ou un corps qui n’est pas annoncé comme du JSON (415).",
        remedy: "Un assistant y envoie, par POST et en application/json, les messages du Model Context Protocol ; ce qui ne va pas dans un message est dit dans la forme de ce protocole.",
    },
    Explanation {
        anchor: "non-autorise",
        status: 401,
        message: "Not authorized",
        cause: "La route demande une clé ou un jeton ; il manque, il est inconnu, ou il est expiré (un jeton vaut un jour).",
        remedy: "Envoyer la clé dans l’en-tête x-api-key, ou un jeton dans Authorization: Bearer. POST /api/inserjeunes/auth/login délivre un jeton. Les routes d’un seul document n’ont pas besoin de clé. « title » de l’en-tête Link dit si la clé manque ou si elle ne vaut rien.",
    },
    Explanation {
        anchor: "identifiants",
        status: 401,
        message: "Votre nom d'utilisateur ou votre mot de passe est invalide",
        cause: "Le nom, le mot de passe, ou les deux sont faux, ou le compte est désactivé.",
        remedy: "Vérifier le compte avec l’équipe qui exploite le service.",
    },
    Explanation {
        anchor: "identifiant-inconnu",
        status: 404,
        message: "(selon le cas)",
        cause: "Le système d’identifiants est inconnu, ou aucune table publiée ne mène de cet identifiant à un code de certification.",
        remedy: "« message » dit ce qui a été cherché ; « aide », si l’identifiant est connu sans code, s’il mène à une autre voie, ou s’il n’est dans aucune table. L’en-tête Link, rel=\"search\", mène à la recherche par mots.",
    },
    Explanation {
        anchor: "certification-inconnue",
        status: 404,
        message: "Certification inconnue · Certifications inconnues",
        cause: "Aucun indicateur national n’existe sous ce code, quel que soit le millésime ; pour la vue par filière, sous aucun des codes.",
        remedy: "L’en-tête Link de la réponse, rel=\"search\", mène aux codes les plus proches. Une certification peut n’avoir de données que sous son MEFSTAT11 (voie scolaire) ou que sous son CFD (apprentissage).",
    },
    Explanation {
        anchor: "formation-inconnue",
        status: 404,
        message: "Formation inconnue",
        cause: "Le code n’est pas dans la nomenclature, ou cet établissement ne dispense pas cette formation.",
        remedy: "/api/recherche/certifications/{code}?region= donne les établissements d’une certification, /api/recherche/etablissements/{uai} les formations d’un établissement.",
    },
    Explanation {
        anchor: "etablissement-inconnu",
        status: 404,
        message: "Etablissement inconnu",
        cause: "Aucun établissement ne porte cet UAI.",
        remedy: "L’en-tête Link de la réponse, rel=\"search\", mène aux établissements les plus proches.",
    },
    Explanation {
        anchor: "maille-inconnue",
        status: 404,
        message: "Maille inconnue",
        cause: "Aucune donnée n’est publiée sous ce nom de maille.",
        remedy: "/api/inserjeunes/mailles donne les mailles publiées. Les indicateurs nationaux, régionaux et par établissement ont leurs propres routes.",
    },
    Explanation {
        anchor: "pas-de-donnees",
        status: 404,
        message: "Pas de données disponibles",
        cause: "Le code est connu, mais aucun indicateur n’existe dans cette région ou ce lieu, ou sous ce code.",
        remedy: "/api/recherche/certifications/{code} dit dans quelles régions et pour quels millésimes il y a des données.",
    },
    Explanation {
        anchor: "millesime",
        status: 404,
        message: "Pas de données pour le millésime",
        cause: "Il y a des données, mais pas pour le millésime demandé, ou pas pour celui en vigueur quand aucun n’est demandé.",
        remedy: "« data.millesimesDisponible » donne les millésimes disponibles, du plus récent au plus ancien : en demander un par ?millesime=.",
    },
    Explanation {
        anchor: "donnees-non-disponibles",
        status: 404,
        message: "Données non disponibles",
        cause: "Une image est demandée, mais aucun des trois taux n’est publié : groupe de moins de 20 jeunes, somme d’où un tel groupe se déduirait, année non terminale, ou taux inconnus.",
        remedy: "?imageOnError=true donne une image qui le dit, ?imageOnError=empty une image vide d’un pixel.",
    },
    Explanation {
        anchor: "route-inconnue",
        status: 404,
        message: "Not Found",
        cause: "Le chemin n’est pas une route, ou la méthode n’est pas la sienne.",
        remedy: "Les chemins s’écrivent en minuscules, sans double barre. La liste des routes est dans cette documentation.",
    },
    Explanation {
        anchor: "generation",
        status: 409,
        message: "Cette génération n'est pas, ou plus, servie : tout reprendre depuis le début",
        cause: "« generation » nomme des données qui ont été remplacées (409), ou « depuis » une génération que le journal des changements ne connaît pas (404) ou plus (410).",
        remedy: "Une liste se reprend à sa première page, sans generation ; un miroir se reprend en entier par les exports, puis suit /api/changements depuis la génération que dit x-generation.",
    },
    Explanation {
        anchor: "trop-grand",
        status: 413,
        message: "Le corps de la requête dépasse 100 Ko",
        cause: "Le corps envoyé est trop grand.",
        remedy: "Les routes de lecture n’attendent aucun corps.",
    },
    Explanation {
        anchor: "jeu-de-caracteres",
        status: 415,
        message: "Jeu de caractères non pris en charge : utiliser utf-8",
        cause: "Content-Type annonce un jeu de caractères qui n’est pas lu.",
        remedy: "Envoyer de l’UTF-8.",
    },
    Explanation {
        anchor: "trop-de-connexions",
        status: 429,
        message: "Trop de connexions, réessayez après le délai de l'en-tête Retry-After",
        cause: "Plusieurs connexions ont lieu en même temps, ou trop de mots de passe faux ont été essayés pour ce nom.",
        remedy: "Réessayer après le délai de l’en-tête Retry-After. Un jeton vaut un jour : le garder plutôt que de se connecter à chaque appel.",
    },
    Explanation {
        anchor: "limite",
        status: 429,
        message: "Limite atteinte, réessayez après le délai de l'en-tête Retry-After",
        cause: "Plus de requêtes par seconde, ou plus d’exports par heure, que n’en a un réutilisateur. Les en-têtes RateLimit-Policy et RateLimit disent les limites et ce qu’il en reste.",
        remedy: "Réessayer après le délai de l’en-tête Retry-After. Garder les exports : ils ne changent qu’à une publication.",
    },
    Explanation {
        anchor: "indisponible",
        status: 503,
        message: "Les données sont momentanément indisponibles, réessayez dans quelques secondes",
        cause: "Le magasin de données ne répond pas, ou rien n’est encore publié.",
        remedy: "Réessayer après le délai de l’en-tête Retry-After. Ce n’est jamais une absence de données : celle-ci est un 404.",
    },
    Explanation {
        anchor: "import",
        status: 409,
        message: "(routes internes)",
        cause: "Une route de l’import refuse un appel qui ne va pas avec l’état d’un travail (409), ou un contenu (422).",
        remedy: "Le message le dit ; voir docs/EXPLOITER.md.",
    },
];

/// The page of errors.
#[must_use]
pub fn show(deployment: &Deployment) -> Markup {
    let body = html! {
        h1 { "Les erreurs et leurs causes" }
        p {
            "Toute erreur répond " code { "{\"statusCode\", \"error\", \"message\"}" } ", avec " code { "details" }
            " (400) ou " code { "data" } " (404 sur un millésime) quand il y a plus à dire. L’en-tête " code { "Link" }
            " de chaque erreur mène ici (" code { "rel=\"help\"" } ")\u{a0}; pour un code inconnu, un second mène aux codes les plus proches ("
            code { "rel=\"search\"" } ")."
        }
        @for e in ERRORS {
            section id=(e.anchor) {
                h2 { (e.status) " – " (e.message) }
                dl.sheet {
                    dt { "Cause" } dd { (e.cause) }
                    dt { "Que faire" } dd { (e.remedy) }
                }
            }
        }
    };
    let head = PageHead {
        title: "Les erreurs de l’API",
        description: "Chaque erreur de l’API, sa cause et ce qu’il faut faire.",
        here: "/api/doc",
        canonical: "/api/doc/erreurs",
        ..PageHead::default()
    };
    page(deployment, &head, &body)
}
