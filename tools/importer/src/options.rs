//! The command line.

use crate::service::Service;
use anyhow::{Context, anyhow, bail, ensure};
use lexopt::Arg::{Long, Short, Value};
use serde_json::Map;
use std::ffi::OsString;
use std::path::PathBuf;

const HELP: &str = "\
Publie des documents : les envoie par parties, suit la publication, rend son bilan.

  scripts/import [options] FICHIER…
  scripts/import pull [--url URL] [--source LISTE] [--millesimes LISTE] [--rejouer] [--confirmer-pertes] [--json]
  scripts/import pull --abandonner
  scripts/import report [ID]
  scripts/import verify [options] FICHIER…       la même chose que --verifier
  scripts/import status                          ce qui est en service, ce qui attend et quoi faire
  scripts/import preview                         où regarder, avant de valider, ce qui attend une validation
  scripts/import confirm ID [--oui]              confirme ou valide la publication qui attend
  scripts/import abandon ID                      renonce à une publication
  scripts/import rollback                        remet en service la génération précédente
  scripts/import diff [AVANT APRÈS] [--csv]      ce qui change d'une génération à l'autre
  scripts/import trace CODE… [--lieu LIEU] [--millesimes M]   d'où vient un document publié
  scripts/import coverage                        ce qui est couvert, en CSV
  scripts/import calendar FICHIER                remplace le calendrier des publications attendues (JSON)
  scripts/import rules                           les règles de vraisemblance et leurs niveaux

Les fichiers sont en NDJSON, une ligne {\"kind\": …, \"doc\": {…}} par document, ou des tableaux de statistiques en CSV
(UTF-8, points-virgules, colonnes des exports). Gzip (.gz) et zip sont acceptés.

  --url URL               le service (http://127.0.0.1:3000)
  --mode MODE             remplacer (par défaut) ou ajouter
  --kinds LISTE           les sortes de documents remplacées, séparées par des virgules (toutes)
  --millesimes LISTE      les millésimes remplacés (tous) ; seuls, ils ne remplacent que des statistiques
  --mailles LISTE         les mailles déclarées remplacées ; les autres sortes de documents restent alors,
                          sauf celles que --kinds nomme
  --en-vigueur LISTE      les derniers millésimes à mettre en vigueur, par exemple
                          certifications=2023,certifications_sup=2024,regionales=2022_2023,
                          formations=2022_2023,formations_sup=2022_2023 (sinon lus dans les données)
  --accepter-refus        publie malgré des lignes refusées
  --confirmer-pertes      publie même si une maille perd plus de 10 % de ses documents
  --confirmer-anomalies   publie malgré des données invraisemblables (voir rules)
  --accepter-doublons     d'une clé donnée deux fois, garde la dernière ligne
  --verifier              fait tout sauf la mise en service, et rend le bilan
  --attendre-validation   attend, une fois tout écrit, qu'on relise et valide (confirm)
  --json                  rend le bilan en JSON

pull demande au service de collecter auprès des services statistiques, puis de traiter et de publier :
  --source LISTE          n'interroge que ces sources : bcn, acce, catalogue, inserjeunes, insersup,
                          insersup_national, certif_info, onisep, onisep_passage, acce_meres ; les autres sont
                          reprises des réponses gardées
  --millesimes LISTE      n'interroge que pour ces millésimes
  --rejouer               n'interroge personne : rejoue les traitements sur les réponses gardées
  --abandonner            abandonne la collecte en cours
report montre les derniers rapports, ou l'un d'eux.

Le secret vient de IMPORT_SECRET, de SPIN_VARIABLE_IMPORT_SECRET ou du fichier .env.
Interrompu, l'envoi reprend où il en était : relancer la même commande.
Fin : 0 publié, inchangé ou vérifié sans réserve, 1 erreur, 2 lignes refusées, 3 confirmation attendue,
      4 validation attendue, 130 interrompu au clavier.
";

const USERS_HELP: &str = "\
Comptes et clés personnelles.

  scripts/users [--url URL] list
  scripts/users [--url URL] create NOM [--generer]     le mot de passe est demandé, ou lu sur l'entrée
  scripts/users [--url URL] disable NOM
  scripts/users [--url URL] key create NOM [LIBELLÉ] [--contact QUI] [--expire JOUR]
                                                       la clé n'est montrée qu'une fois ; JOUR : le dernier où elle
                                                       vaut, comme 2027-11-27
  scripts/users [--url URL] key rotate NOM EMPREINTE [--jours N] [--expire JOUR]
                                                       une clé neuve ; l'ancienne vaut encore N jours (30)
  scripts/users [--url URL] key revoke NOM EMPREINTE   le début de l'empreinte, 8 caractères au moins (voir list)

Mot de passe : 8 à 50 caractères, dont un chiffre, une minuscule, une majuscule et un caractère spécial.
Le secret vient de IMPORT_SECRET, de SPIN_VARIABLE_IMPORT_SECRET ou du fichier .env.
";

const URL: &str = "http://127.0.0.1:3000";

/// What is asked for.
pub enum Command {
    /// How to ask.
    Help(&'static str),
    /// A publication.
    Publish(Options),
    /// A collection from the statistical services.
    Pull(Pull),
    /// Something an operator does or looks at.
    Operate {
        /// Where.
        service: Service,
        /// What.
        operation: Operation,
        /// As JSON.
        json: bool,
        /// Without asking.
        yes: bool,
    },
    /// The kept reports, or one of them.
    Reports {
        /// Where.
        service: Service,
        /// Which.
        id: Option<String>,
        /// As JSON.
        json: bool,
    },
    /// Something about accounts.
    Users(Service, Action),
}

/// How the statistical services are asked.
pub struct Pull {
    /// Where.
    pub service: Service,
    /// The body of `POST pull`.
    pub demand: serde_json::Value,
    /// Gives the run under way up instead.
    pub abandon: bool,
    /// Publishes in spite of losses.
    pub confirm_losses: bool,
    /// Tells what came of it as JSON.
    pub json: bool,
}

/// How documents are published.
pub struct Options {
    /// Where.
    pub service: Service,
    /// What.
    pub files: Vec<PathBuf>,
    /// The body of `POST jobs`.
    pub opening: serde_json::Value,
    /// The latest millésimes to put in force.
    pub in_force: Option<Map<String, serde_json::Value>>,
    /// Publishes in spite of refused lines.
    pub accept_refusals: bool,
    /// Publishes in spite of losses.
    pub confirm_losses: bool,
    /// What else the body of `POST publish` says.
    pub order: Map<String, serde_json::Value>,
    /// Tells what came of it as JSON.
    pub json: bool,
}

/// What is said of a key when it is made.
#[derive(Clone, Debug, Default)]
pub struct KeyTerms {
    /// What its owner calls it.
    pub label: String,
    /// Who is told of it.
    pub contact: String,
    /// The last day that it opens anything; empty for no end.
    pub expires: String,
}

impl KeyTerms {
    /// As the service reads them.
    pub fn to_json(&self) -> serde_json::Value {
        let mut terms = serde_json::json!({"libelle": self.label, "contact": self.contact});
        if !self.expires.is_empty() {
            terms["expire_le"] = self.expires.as_str().into();
        }
        terms
    }
}

/// Something an operator does or looks at.
#[derive(Debug, PartialEq, Eq)]
pub enum Operation {
    /// What is served, what waits, and what to do.
    Status,
    /// Serves the generation before again.
    Rollback,
    /// Gives a publication up.
    Abandon(String),
    /// Confirms or signs a publication that waits.
    Confirm(String),
    /// What changed, between two generations or to the one served.
    Differences {
        /// The two generations.
        names: Option<(String, String)>,
        /// As a table.
        table: bool,
    },
    /// Where documents come from.
    Trace {
        /// Codes of certifications.
        codes: Vec<String>,
        /// Their place; empty for the whole country.
        place: String,
        /// Their millesime.
        millesime: Option<String>,
    },
    /// Where what waits for a signature may be looked at.
    Preview,
    /// What is covered.
    Coverage,
    /// The rules of plausibility.
    Rules,
    /// Brings when publications are expected.
    Calendar(PathBuf),
}

/// Something about accounts.
pub enum Action {
    /// Lists them.
    List,
    /// Makes one, or gives it another password.
    Create { name: String, generate: bool },
    /// Closes one.
    Disable { name: String },
    /// Makes a personal key.
    KeyCreate { name: String, terms: KeyTerms },
    /// Makes a key in the place of another, which still holds for some days.
    KeyRotate { name: String, digest: String, days: u32, terms: KeyTerms },
    /// Takes a personal key back.
    KeyRevoke { name: String, digest: String },
}

impl Command {
    /// Reads the command line; `connect` makes the service at an address.
    pub fn read(
        arguments: impl Iterator<Item = String>,
        connect: impl Fn(&str) -> anyhow::Result<Service>,
    ) -> anyhow::Result<Self> {
        let mut url = URL.to_owned();
        let (mut words, mut mode, mut kinds, mut millesimes) = (Vec::new(), "remplacer".to_owned(), vec![], vec![]);
        let mut mailles = Vec::new();
        let (mut in_force, mut json, mut generate) = (None, false, false);
        let (mut terms, mut days) = (KeyTerms::default(), 30);
        let (mut accept_refusals, mut confirm_losses) = (false, false);
        let (mut sources, mut replay, mut abandon) = (Vec::new(), false, false);
        let (mut order, mut place, mut table, mut yes) = (Map::new(), String::new(), false, false);
        let list = |value: String| -> Vec<String> {
            value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        };
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            let name = match argument {
                Short('h') | Long("help") => {
                    let of_users = words.first().is_some_and(|word| word == "users");
                    return Ok(Self::Help(if of_users { USERS_HELP } else { HELP }));
                }
                Value(word) => {
                    words.push(text(word)?);
                    continue;
                }
                Short(letter) => bail!("option -{letter} inconnue (--help les montre)"),
                Long(name) => name.to_owned(),
            };
            let mut value = || {
                let value = parser.value().map_err(|_| anyhow!("--{name} : une valeur manque"));
                value.and_then(text)
            };
            match name.as_str() {
                "url" => url = value()?,
                "mode" => mode = value()?,
                "kinds" => kinds = list(value()?),
                "mailles" => mailles = list(value()?),
                "millesimes" => millesimes = list(value()?),
                "en-vigueur" => in_force = Some(read_in_force(&list(value()?))?),
                "source" | "sources" => sources = list(value()?),
                "accepter-refus" => accept_refusals = true,
                "confirmer-pertes" => confirm_losses = true,
                "confirmer-anomalies" => set(&mut order, "confirmer_anomalies"),
                "accepter-doublons" => set(&mut order, "accepter_doublons"),
                "verifier" => set(&mut order, "verifier"),
                "attendre-validation" => set(&mut order, "attendre_validation"),
                "lieu" => place = value()?,
                "csv" => table = true,
                "oui" => yes = true,
                "json" => json = true,
                "rejouer" => replay = true,
                "abandonner" => abandon = true,
                "generer" => generate = true,
                "contact" => terms.contact = value()?,
                "expire" => terms.expires = value()?,
                "jours" => days = value()?.parse().map_err(|_| anyhow!("--jours : un nombre de jours"))?,
                _ => bail!("option --{name} inconnue (--help les montre)"),
            }
            ensure!(parser.optional_value().is_none(), "--{name} : aucune valeur n'est attendue");
        }
        let service = || connect(&url);
        if words.first().is_some_and(|word| word == "users") {
            let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
            let Some(action) = Action::read(&words, generate, terms, days) else {
                bail!("commande inconnue\n\n{USERS_HELP}")
            };
            return Ok(Self::Users(service()?, action));
        }
        if let Some(("pull", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
            ensure!(rest.is_empty(), "pull n'attend pas de fichier\n\n{HELP}");
            let demand = serde_json::json!({"sources": sources, "millesimes": millesimes, "rejouer": replay});
            return Ok(Self::Pull(Pull { service: service()?, demand, abandon, confirm_losses, json }));
        }
        if let Some(("report", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
            return Ok(Self::Reports { service: service()?, id: rest.first().cloned(), json });
        }
        let of = |operation| Ok(Self::Operate { service: service()?, operation, json, yes });
        let said: Vec<&str> = words.iter().map(String::as_str).collect();
        match said.as_slice() {
            ["status"] => return of(Operation::Status),
            ["rollback"] => return of(Operation::Rollback),
            ["preview"] => return of(Operation::Preview),
            ["coverage"] => return of(Operation::Coverage),
            ["rules"] => return of(Operation::Rules),
            ["calendar", file] => return of(Operation::Calendar(PathBuf::from(file))),
            ["calendar", ..] => bail!("calendar attend un fichier"),
            ["abandon", id] => return of(Operation::Abandon((*id).to_owned())),
            ["confirm", id] => return of(Operation::Confirm((*id).to_owned())),
            ["diff"] => return of(Operation::Differences { names: None, table }),
            ["diff", before, after] => {
                let names = Some(((*before).to_owned(), (*after).to_owned()));
                return of(Operation::Differences { names, table });
            }
            ["trace", codes @ ..] if !codes.is_empty() => {
                let codes = codes.iter().map(|code| (*code).to_owned()).collect();
                return of(Operation::Trace { codes, place, millesime: millesimes.first().cloned() });
            }
            ["abandon" | "confirm", ..] => {
                bail!("l'identifiant d'un travail est attendu (scripts/import status les montre)")
            }
            ["trace"] => bail!("trace attend au moins un code de certification"),
            ["diff", ..] => bail!("diff attend deux générations, ou aucune"),
            ["status" | "rollback" | "preview" | "coverage" | "rules", other, ..] => {
                bail!("« {other} » n'est pas attendu ici")
            }
            ["verify", ..] => {
                words.remove(0);
                set(&mut order, "verifier");
            }
            _ => {}
        }
        ensure!(!words.is_empty(), "aucun fichier à publier\n\n{HELP}");
        ensure!(["remplacer", "ajouter"].contains(&mode.as_str()), "--mode : remplacer ou ajouter");
        let opening = serde_json::json!({"mode": mode, "kinds": kinds, "millesimes": millesimes, "mailles": mailles});
        let files = words.into_iter().map(PathBuf::from).collect();
        let service = service()?;
        Ok(Self::Publish(Options { service, files, opening, in_force, accept_refusals, confirm_losses, order, json }))
    }
}

fn set(order: &mut Map<String, serde_json::Value>, option: &str) {
    order.insert(option.to_owned(), true.into());
}

fn text(word: OsString) -> anyhow::Result<String> {
    word.into_string().map_err(|word| anyhow!("{} n'est pas en UTF-8", word.display()))
}

fn read_in_force(pairs: &[String]) -> anyhow::Result<Map<String, serde_json::Value>> {
    let known = ["certifications", "certifications_sup", "regionales", "formations", "formations_sup"];
    let mut in_force = Map::new();
    for pair in pairs {
        let (name, millesime) = pair
            .split_once('=')
            .with_context(|| format!("--en-vigueur : {pair} n'est pas de la forme nom=millésime"))?;
        ensure!(known.contains(&name), "--en-vigueur : {name} inconnu ; attendu : {}", known.join(", "));
        in_force.insert(name.to_owned(), millesime.into());
    }
    Ok(in_force)
}

impl Action {
    fn read(words: &[&str], generate: bool, terms: KeyTerms, days: u32) -> Option<Self> {
        let name = |name: &&str| (*name).to_owned();
        Some(match words {
            ["list"] => Self::List,
            ["create", user] => Self::Create { name: name(user), generate },
            ["disable", user] => Self::Disable { name: name(user) },
            ["key", "create", user] => Self::KeyCreate { name: name(user), terms },
            ["key", "create", user, label] => {
                Self::KeyCreate { name: name(user), terms: KeyTerms { label: name(label), ..terms } }
            }
            ["key", "rotate", user, digest] => Self::KeyRotate { name: name(user), digest: name(digest), days, terms },
            ["key", "revoke", user, digest] => Self::KeyRevoke { name: name(user), digest: name(digest) },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> anyhow::Result<Command> {
        let connect = |url: &str| Ok(Service::with_secret(url, "secret".to_owned()));
        Command::read(line.split_whitespace().map(str::to_owned), connect)
    }

    #[test]
    fn options_are_read_in_both_spellings() {
        let Ok(Command::Publish(options)) = read(
            "--mode=ajouter --kinds bcn,formation --mailles academies a.ndjson --en-vigueur certifications=2023 --json b.ndjson",
        ) else {
            panic!("not understood")
        };
        assert_eq!(options.files, [PathBuf::from("a.ndjson"), PathBuf::from("b.ndjson")]);
        assert_eq!(options.opening["mode"], "ajouter");
        assert_eq!(options.opening["kinds"], serde_json::json!(["bcn", "formation"]));
        assert_eq!(options.opening["mailles"], serde_json::json!(["academies"]));
        assert_eq!(options.in_force.unwrap()["certifications"], "2023");
        assert!(options.json && !options.accept_refusals);
    }

    #[test]
    fn a_pull_is_told_what_to_ask() {
        let Ok(Command::Pull(pull)) = read("pull --source bcn,insersup --millesimes=2021_2022 --rejouer") else {
            panic!("not understood")
        };
        let wanted = serde_json::json!({"sources": ["bcn", "insersup"], "millesimes": ["2021_2022"], "rejouer": true});
        assert_eq!(pull.demand, wanted);
        assert!(!pull.abandon && !pull.json);
        assert!(matches!(read("report"), Ok(Command::Reports { id: None, .. })));
        assert!(matches!(read("report j1 --json"), Ok(Command::Reports { id: Some(_), json: true, .. })));
    }

    #[test]
    fn a_key_is_made_and_rotated_on_terms() {
        let Ok(Command::Users(_, Action::KeyCreate { name, terms })) =
            read("users key create moi bureau --contact a@b.fr --expire 2027-11-27")
        else {
            panic!("not understood")
        };
        let expected = serde_json::json!({"libelle": "bureau", "contact": "a@b.fr", "expire_le": "2027-11-27"});
        assert_eq!((name.as_str(), terms.to_json()), ("moi", expected));
        let Ok(Command::Users(_, Action::KeyRotate { digest, days, terms, .. })) =
            read("users key rotate moi 0123abcd --jours 7")
        else {
            panic!("not understood")
        };
        assert_eq!((digest.as_str(), days), ("0123abcd", 7));
        assert!(terms.to_json().get("expire_le").is_none(), "no end is no empty day");
    }

    #[test]
    fn operators_have_a_command_for_everything() {
        let operation = |line: &str| match read(line) {
            Ok(Command::Operate { operation, .. }) => operation,
            _ => panic!("{line}: not understood"),
        };
        assert_eq!(operation("status"), Operation::Status);
        assert_eq!(operation("confirm j1 --oui"), Operation::Confirm("j1".into()));
        assert_eq!(operation("abandon j1"), Operation::Abandon("j1".into()));
        let names = Some(("g1".to_owned(), "g2".to_owned()));
        assert_eq!(operation("diff g1 g2 --csv"), Operation::Differences { names, table: true });
        let traced = Operation::Trace {
            codes: vec!["40025214".into()],
            place: "0750652B".into(),
            millesime: Some("2023".into()),
        };
        assert_eq!(operation("trace 40025214 --lieu 0750652B --millesimes 2023"), traced);
        let Ok(Command::Publish(options)) = read("verify a.ndjson --accepter-doublons") else {
            panic!("not understood")
        };
        assert_eq!(options.files, [PathBuf::from("a.ndjson")]);
        assert!(options.order["verifier"] == true && options.order["accepter_doublons"] == true);
    }

    #[test]
    fn faults_name_what_is_wrong() {
        for (line, word) in [
            ("confirm", "est attendu"),
            ("trace", "au moins un code"),
            ("diff g1", "deux générations"),
            ("status encore", "« encore »"),
            ("verify", "aucun fichier"),
            ("", "aucun fichier"),
            ("--oubli a", "--oubli"),
            ("a --mode autre", "--mode"),
            ("a --en-vigueur x=1", "x inconnu"),
            ("a --kinds", "une valeur manque"),
            ("a --json=1", "--json"),
            ("a -x", "-x"),
            ("pull a.ndjson", "pull n'attend pas de fichier"),
            ("users effacer x", "commande inconnue"),
            ("users key rotate x 0123abcd --jours demain", "--jours"),
        ] {
            let fault = read(line).err().map(|fault| format!("{fault:#}")).unwrap_or_default();
            assert!(fault.contains(word), "{line}: {fault}");
        }
    }
}
