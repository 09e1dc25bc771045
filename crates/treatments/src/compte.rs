//! Accounts: the record of a user. Passwords are hashed elsewhere; only their form passes here.

use crate::rejet::Rejet;
use domain::Document;
use serde_json::json;

/// The record of a new account.
///
/// `mot_de_passe` is the stored form `hash$iterations$salt`, `widget` the random text that the
/// account's widget addresses carry.
///
/// # Errors
/// [`Rejet::Compte`] without a name or with a password in clear.
pub fn creer(username: &str, mot_de_passe: &str, widget: &str) -> Result<Document, Rejet> {
    if username.is_empty() {
        return Err(Rejet::Compte { raison: "an account needs a name" });
    }
    if mot_de_passe.split('$').count() != 3 || mot_de_passe.split('$').any(str::is_empty) {
        return Err(Rejet::Compte { raison: "store passwords as hash$iterations$salt, never in clear" });
    }
    let mut document = Document::new();
    document.insert("username".to_owned(), username.into());
    document.insert("password".to_owned(), mot_de_passe.into());
    document.insert("widget".to_owned(), json!({"hash": widget, "version": []}));
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_clear_is_refused() {
        assert!(creer("dne", "Password1234!", "w").is_err());
        assert!(creer("", "hash$1$salt", "w").is_err());
        assert_eq!(creer("dne", "hash$1$salt", "w").unwrap()["widget"]["version"], json!([]));
    }
}
