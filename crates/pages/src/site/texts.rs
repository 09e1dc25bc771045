//! Texts that every site of the State has, with what the operator says in variables.

use super::breadcrumb;
use crate::records::Terms;
use crate::template::{Deployment, LEGAL_ENTRIES, PageHead, page};
use api::Runtime;
use maud::{Markup, html};

/// The value of a variable, or what stands for it until the operator tells it.
async fn told<M: Runtime>(runtime: &M, variable: &str, otherwise: &str) -> String {
    let value = runtime.variable(variable).await.unwrap_or_default();
    if value.is_empty() { otherwise.to_owned() } else { value }
}

/// The page of this name, where it is one.
pub(super) async fn show<M: Runtime>(runtime: &M, deployment: &Deployment, name: &str) -> Option<Markup> {
    let contact = Terms::read(runtime).await.contact;
    let write_to = html! {
        @match contact.as_deref() {
            None => "l’équipe qui exploite ce service (adresse à renseigner par l’exploitant)",
            Some(contact) => a href=(contact) { (contact.trim_start_matches("mailto:")) },
        }
    };
    let (title, description, body) = match name {
        "methode" => (
            "Comprendre les chiffres",
            "D’où viennent les chiffres, ce qu’ils mesurent, pourquoi certains manquent.",
            method(),
        ),
        "mentions-legales" => {
            let publisher = told(runtime, "site_editeur", "Ministère de l’Éducation nationale").await;
            let director = told(runtime, "site_directeur", "à renseigner par l’exploitant").await;
            let host = told(runtime, "site_hebergeur", "à renseigner par l’exploitant").await;
            let body = html! {
                h2 { "Éditeur" } p { (publisher) }
                h2 { "Directeur ou directrice de la publication" } p { (director) }
                h2 { "Hébergement" } p { (host) }
                h2 { "Réutilisation" }
                p { "Les chiffres sont publiés sous licence ouverte 2.0\u{a0}: ils se reprennent librement, en citant la source (InserJeunes, DEPP et DARES\u{a0}; InserSup, SIES) et le millésime." }
            };
            ("Mentions légales", "Qui édite et héberge ce site.", body)
        }
        "accessibilite" => {
            let state = told(runtime, "site_conformite", "non conforme").await;
            let body = html! {
                p { "L’éditeur s’engage à rendre ce site accessible, conformément à l’article 47 de la loi n°\u{a0}2005-102 du 11 février 2005." }
                h2 { "État de conformité" }
                p { "Ce site est " b { (state) } " au référentiel général d’amélioration de l’accessibilité (RGAA 4.1). Aucun audit par un tiers n’a encore été mené\u{a0}; une grille tenue par l’équipe accompagne le code." }
                h2 { "Contenus non accessibles" }
                p { "La page d’essai de l’API repose sur un outil tiers (Swagger UI) que nous ne corrigeons pas. Les mêmes routes se lisent dans une page accessible, la " a href="/api/doc/reference" { "référence de l’API" } "." }
                h2 { "Améliorer et contacter" }
                p { "Si un contenu vous résiste, écrivez à " (write_to) "\u{a0}: il vous sera donné autrement." }
                h2 { "Voies de recours" }
                p { "Sans réponse satisfaisante, vous pouvez écrire au Défenseur des droits ou saisir son délégué dans votre région." }
            };
            ("Accessibilité", "Déclaration d’accessibilité de ce site.", body)
        }
        "donnees-personnelles" => {
            let body = html! {
                p { "Ce site ne dépose aucun cookie, n’a pas de compte pour ses visiteurs, ne charge rien d’un autre site et ne suit pas vos visites." }
                h2 { "Ce qui est publié" }
                p { "Des statistiques de groupes\u{a0}: les taux et les effectifs d’un groupe de moins de 20 jeunes sont masqués, sauf son effectif total. " a href="/methode#seuil" { "Le seuil expliqué" } "." }
                h2 { "Journaux techniques" }
                p { "Le serveur qui reçoit vos demandes peut garder leur adresse et leur heure, pour sa sécurité. De ces journaux se compte, sans dire qui, ce qui est demandé\u{a0}; la somme est à " a href="/etat" { "l’état du service" } ". Pour toute question sur vos données\u{a0}: " (write_to) "." }
            };
            ("Données personnelles", "Ce que ce site sait de vous : rien.", body)
        }
        "contact" => {
            let body = html! {
                p { "Une question, une erreur dans les chiffres d’un établissement, une difficulté d’accès\u{a0}: écrivez à " (write_to) "." }
                h2 { "Signaler une erreur" }
                p { "Donnez l’adresse de la page et ce qui vous semble faux. Les chiffres viennent des services statistiques\u{a0}; l’équipe leur transmet, et les corrections arrivent avec l’import suivant." }
            };
            ("Contact", "Poser une question, signaler une erreur.", body)
        }
        "plan-du-site" => {
            let body = html! {
                ul {
                    li { a href="/" { "Accueil" } }
                    li { a href="/recherche" { "Rechercher une formation ou un établissement" } }
                    li { a href="/comparer" { "Comparer des formations" } }
                    li { a href="/methode" { "Comprendre les chiffres" } }
                    li { a href="/api/doc" { "Documentation de l’API" } ul {
                        li { a href="/api/doc/reference" { "Référence de l’API" } }
                        li { a href="/api/doc/appariement" { "Apparier un catalogue" } }
                        li { a href="/api/doc/erreurs" { "Erreurs de l’API" } }
                        li { a href="/etat" { "État du service" } }
                    } }
                    @for (path, name) in LEGAL_ENTRIES { @if path != "/plan-du-site" { li { a href=(path) { (name) } } } }
                }
            };
            ("Plan du site", "Toutes les pages de ce site.", body)
        }
        _ => return None,
    };
    let body = html! { (breadcrumb(&[], title)) h1 { (title) } (body) };
    let here = if name == "methode" { "/methode" } else { "" };
    let canonical = format!("/{name}");
    Some(page(deployment, &PageHead { title, description, here, canonical: &canonical, ..PageHead::default() }, &body))
}

fn method() -> Markup {
    html! {
        p.lead { "Chaque chiffre dit ce que font, six mois plus tard, 100 jeunes qui étaient en dernière année d’une formation." }
        h2 #mesures { "Ce que disent les trois parts" }
        dl.sheet {
            dt #emploi { "En emploi à 6 mois" }
            dd { "Ils ont un emploi salarié du secteur privé ou public en janvier qui suit leur sortie. Le travail indépendant et l’emploi à l’étranger n’y sont pas." }
            dt #etudes { "En études" }
            dd { "Ils sont encore inscrits dans une formation, la même année ou une autre, au lycée, en apprentissage ou à l’université." }
            dt #autre { "Autre situation" }
            dd { "Ni l’un ni l’autre n’est connu\u{a0}: recherche d’emploi, travail indépendant, départ à l’étranger, service civique, inactivité." }
        }
        p { "Les trois parts font 100, aux arrondis près." }
        h2 #autres-mesures { "Les autres chiffres" }
        dl.sheet {
            dt #plus-tard { "En emploi à 12, 18 ou 24 mois" }
            dd { "La même question, posée plus tard, aux mêmes jeunes sortis de formation." }
            dt #salaire { "Salaire net par mois, un an après" }
            dd { "Celui des jeunes en emploi douze mois après leur sortie\u{a0}: la moitié gagne plus que le salaire médian, l’autre moitié moins." }
            dt #ruptures { "Contrats d’apprentissage rompus" }
            dd { "La part des contrats qui ont pris fin avant leur terme, quelle qu’en soit la raison." }
            dt #effectif { "Jeunes en dernière année" }
            dd { "Le nombre de jeunes que les parts décrivent." }
        }
        h2 #millesimes { "Les années" }
        p { "Pour la France, une année est celle de la sortie de formation. Pour les régions et les établissements du secondaire, deux années sont cumulées (par exemple 2021 et 2022)\u{a0}: les groupes y sont plus petits. Une année seule et deux années cumulées ne se comparent pas sans prudence." }
        p { "Quand un diplôme en remplace un autre, les chiffres de l’ancien tiennent lieu de ceux du nouveau tant que celui-ci n’en a pas\u{a0}; la page le dit." }
        h2 #annees-communes { "Les premières années" }
        p { "Une seconde ou une première n’a pas de chiffres propres\u{a0}: sa page mène aux diplômes auxquels elle conduit. Certaines secondes sont communes à plusieurs diplômes." }
        h2 #seuil { "Pourquoi certains chiffres manquent" }
        p { "D’un groupe connu de moins de 20 jeunes, ni taux ni effectif n’est publié, sauf le nombre total de jeunes\u{a0}: on pourrait reconnaître quelqu’un, et le hasard pèserait plus que la formation. Il arrive qu’un groupe plus grand soit masqué aussi, quand ses chiffres laisseraient déduire ceux d’un petit." }
        p { a href="/etat" { "Ce que montre le réglage en vigueur" } "." }
        p { "Ce que vous pouvez voir à la place\u{a0}: la même formation dans la région, dans la France entière, ou dans l’autre voie (lycée ou apprentissage)." }
        h2 #limites { "Ce que ces chiffres ne disent pas" }
        ul {
            li { "Ils ne jugent pas un établissement\u{a0}: les élèves, les métiers et l’emploi local diffèrent d’un lieu à l’autre." }
            li { "Ils ne disent rien de la qualité de l’emploi, sauf le salaire médian quand il est connu." }
            li { "Ils parlent du passé\u{a0}: de jeunes sortis il y a une ou deux années." }
        }
        h2 #sources { "Les sources" }
        p { "InserJeunes (DEPP et DARES) pour les lycéens professionnels et les apprentis, InserSup (SIES) pour les étudiants. Les noms des diplômes viennent des nomenclatures du ministère." }
    }
}
