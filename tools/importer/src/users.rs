//! Accounts and personal keys.

use crate::options::Action;
use crate::service::{Body, Refusal, Service};
use anyhow::{Context, ensure};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, Read, Write};
use std::process::Command;

/// The characters of a generated password, by kind: none that are mistaken for another.
const KINDS: [&str; 4] = ["23456789", "abcdefghijkmnpqrstuvwxyz", "ABCDEFGHJKLMNPQRSTUVWXYZ", "-_.+=%!?"];

/// Does what is asked for.
pub fn run(service: &Service, action: Action) -> anyhow::Result<()> {
    let call = |method: &str, path: &str, body: &Body<'_>| service.once(method, path, body)?.map_err(Refusal::fault);
    match action {
        Action::List => {
            let listed = call("GET", "users", &Body::None)?;
            for user in listed["users"].as_array().into_iter().flatten() {
                let state = if user["desactive"] == true { "  (désactivé)" } else { "" };
                println!("{}{state}", text(&user["username"]));
                for key in user["cles"].as_array().into_iter().flatten() {
                    let digest = text(&key["empreinte"]).get(..12).unwrap_or_default();
                    println!("    clé {digest}  {}{}", text(&key["libelle"]), told(key));
                }
            }
        }
        Action::Create { name, generate } => {
            let password = if generate { generated()? } else { asked()? };
            acceptable(&password)?;
            call("POST", "users", &Body::Json(&json!({"username": name, "password": password})))?;
            println!("Compte {name} créé");
            if generate {
                println!("Mot de passe (montré cette seule fois) : {password}");
            }
        }
        Action::Disable { name } => {
            call("DELETE", &format!("users/{}", encoded(&name)), &Body::None)?;
            println!("Compte {name} désactivé : ses jetons et ses clés sont refusés");
        }
        Action::KeyCreate { name, terms } => {
            let path = format!("users/{}/cles", encoded(&name));
            let made = call("POST", &path, &Body::Json(&terms.to_json()))?;
            println!("Clé de {name} (montrée cette seule fois) : {}", text(&made["cle"]));
        }
        Action::KeyRotate { name, digest, days, terms } => {
            let path = format!("users/{}/cles/{}/rotation", encoded(&name), encoded(&digest));
            let mut body = terms.to_json();
            body["jours"] = json!(days);
            let made = call("POST", &path, &Body::Json(&body))?;
            println!("Nouvelle clé de {name} (montrée cette seule fois) : {}", text(&made["cle"]));
            println!("L'ancienne vaut jusqu'au {} compris", text(&made["ancienne_jusqu_au"]));
        }
        Action::KeyRevoke { name, digest } => {
            call("DELETE", &format!("users/{}/cles/{}", encoded(&name), encoded(&digest)), &Body::None)?;
            println!("Clé retirée à {name}");
        }
    }
    Ok(())
}

/// What is known of a key beside its label.
fn told(key: &Value) -> String {
    let mut told = String::new();
    for (field, name) in [
        ("contact", "contact"),
        ("cree_le", "créée le"),
        ("expire_le", "vaut jusqu'au"),
        ("dernier_usage", "utilisée le"),
    ] {
        if let Some(value) = key[field].as_str().filter(|value| !value.is_empty()) {
            told.push_str(&format!("  {name} {value}"));
        }
    }
    told
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A name as one segment of a path.
fn encoded(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// Letters, digits and `-_.` of a segment stay.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The rule of the service, told before the call.
fn acceptable(password: &str) -> anyhow::Result<()> {
    let length = password.chars().count();
    let has = |kind: fn(char) -> bool| password.chars().any(kind);
    ensure!((8..=50).contains(&length), "le mot de passe doit avoir de 8 à 50 caractères");
    ensure!(has(|c| c.is_ascii_digit()), "il faut un chiffre dans le mot de passe");
    ensure!(has(char::is_lowercase), "il faut une minuscule dans le mot de passe");
    ensure!(has(char::is_uppercase), "il faut une majuscule dans le mot de passe");
    ensure!(has(|c| !c.is_alphanumeric()), "il faut un caractère spécial dans le mot de passe");
    Ok(())
}

/// A password from the keyboard, unseen, or from the input's first line.
fn asked() -> anyhow::Result<String> {
    let echo = |state: &str| {
        let _ = Command::new("stty").arg(state).status();
    };
    let terminal = std::io::stdin().is_terminal();
    if terminal {
        eprint!("Mot de passe : ");
        std::io::stderr().flush()?;
        echo("-echo");
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    if terminal {
        echo("echo");
        eprintln!();
    }
    read.context("aucun mot de passe lu")?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Twenty characters at random, five of each kind.
fn generated() -> anyhow::Result<String> {
    let mut random = std::fs::File::open("/dev/urandom").context("aucune source de hasard")?;
    // Below this a byte chooses among `n` without favour.
    let mut choose = |n: usize| -> anyhow::Result<usize> {
        loop {
            let mut byte = [0];
            random.read_exact(&mut byte)?;
            let byte = usize::from(byte[0]);
            if byte < 256 / n * n {
                return Ok(byte % n);
            }
        }
    };
    let mut characters = Vec::new();
    for kind in KINDS.iter().cycle().take(20) {
        let index = choose(kind.len())?;
        characters.extend(kind.chars().nth(index));
    }
    for last in (1..characters.len()).rev() {
        characters.swap(last, choose(last + 1)?);
    }
    Ok(characters.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passwords_are_acceptable_and_differ() {
        let passwords: Vec<String> = (0..50).map(|_| generated().unwrap()).collect();
        assert!(passwords.iter().all(|password| acceptable(password).is_ok() && password.len() == 20));
        assert!(passwords.iter().any(|password| *password != passwords[0]));
    }

    #[test]
    fn the_rule_of_passwords_is_told_part_by_part() {
        for (password, word) in [
            ("Aa1!", "8 à 50"),
            ("Motdepasse!", "chiffre"),
            ("MOTDEPASSE1!", "minuscule"),
            ("motdepasse1!", "majuscule"),
            ("Motdepasse1", "spécial"),
        ] {
            let fault = acceptable(password).unwrap_err().to_string();
            assert!(fault.contains(word), "{password}: {fault}");
        }
        assert!(acceptable("Password1234!").is_ok());
    }

    #[test]
    fn names_become_one_segment() {
        assert_eq!(encoded("a/b c@d.é"), "a%2Fb%20c%40d.%C3%A9");
    }
}
