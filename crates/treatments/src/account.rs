//! Accounts: the record of a user. Passwords are hashed elsewhere; only their form passes here.

use crate::rejection::Rejection;
use domain::Document;
use serde_json::json;

/// The record of a new account.
///
/// `password` is the stored form `hash$iterations$salt`, `widget` the random text that the
/// account's widget addresses carry.
///
/// # Errors
/// [`Rejection::Account`] without a name or with a password in clear.
pub fn create(username: &str, password: &str, widget: &str) -> Result<Document, Rejection> {
    if username.is_empty() {
        return Err(Rejection::Account { reason: "an account needs a name" });
    }
    if password.split('$').count() != 3 || password.split('$').any(str::is_empty) {
        return Err(Rejection::Account { reason: "store passwords as hash$iterations$salt, never in clear" });
    }
    let mut document = Document::new();
    document.insert("username".to_owned(), username.into());
    document.insert("password".to_owned(), password.into());
    document.insert("widget".to_owned(), json!({"hash": widget, "version": []}));
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_clear_is_refused() {
        assert!(create("dne", "Password1234!", "w").is_err());
        assert!(create("", "hash$1$salt", "w").is_err());
        assert_eq!(create("dne", "hash$1$salt", "w").unwrap()["widget"]["version"], json!([]));
    }
}
