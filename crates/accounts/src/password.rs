//! Passwords: what is acceptable, how they are hashed, how they are checked.

use api::access::equal;
use api::accounts::Account;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use sha2::Sha512;
use store::codec::hex;

/// Whether a new password is strong enough: 8 to 50 characters with a digit, a lower-case, an
/// upper-case and a special character.
#[must_use]
pub fn acceptable_password(password: &str) -> bool {
    let length = password.chars().count();
    let contains = |class: fn(char) -> bool| password.chars().any(class);
    (8..=50).contains(&length)
        && contains(|c| c.is_ascii_digit())
        && contains(char::is_lowercase)
        && contains(char::is_uppercase)
        && contains(|c| !c.is_alphanumeric() && !c.is_whitespace())
}

/// Argon2id with 19 MiB, 2 passes, 1 lane: the first choice of OWASP's password storage advice.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap_or_default())
}

/// Hashes a password with 16 random bytes.
#[must_use]
pub fn hash_password(password: &str, random: [u8; 16]) -> Option<String> {
    let salt = SaltString::encode_b64(&random).ok()?;
    Some(argon2().hash_password(password.as_bytes(), &salt).ok()?.to_string())
}

/// What came of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Wrong, unknown or disabled.
    Refused,
    /// Right.
    Accepted,
    /// Right, under the scheme of the former service: to be hashed again.
    ToResume,
}

/// Checks a password. An unknown or disabled account, and a wrong password under either scheme,
/// cost one Argon2id as a right one does.
#[must_use]
pub fn verify(account: Option<&Account>, password: &str) -> Verification {
    const NONE: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let freshness = account.filter(|c| !c.disabled).map_or("", |c| c.password.as_str());
    let argon = if freshness.starts_with("$argon2") { freshness } else { NONE };
    let matches =
        PasswordHash::new(argon).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok());
    if matches && argon != NONE {
        return Verification::Accepted;
    }
    if old_one_matches(freshness, password) == Some(true) { Verification::ToResume } else { Verification::Refused }
}

/// `hex$iterations$salt`; `None` where it is of another form.
fn old_one_matches(freshness: &str, password: &str) -> Option<bool> {
    let mut parts = freshness.split('$');
    let (expected, iterations, salt) = (parts.next()?, parts.next()?, parts.next()?);
    let iterations: u32 = iterations.parse().ok()?;
    let mut computed = [0; 64];
    pbkdf2::pbkdf2_hmac::<Sha512>(password.as_bytes(), salt.as_bytes(), iterations.max(1), &mut computed);
    Some(equal(hex(&computed).as_bytes(), expected.to_ascii_lowercase().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(password: &str) -> Account {
        Account { username: "test".into(), password: password.into(), disabled: false, keys: Vec::new() }
    }

    /// The recorded password of the former service.
    const OLD: &str = "93edede8ec63d84b72ed3430a8296ed66a8aff4f7f11f9f48d2cb064c22077f7fbc575ee77160bbdd8e92fa61f79cc2af1dcb4c355f3d4da7e4070355fb5287a$2$00112233445566778899aabbccddeeff";

    #[test]
    fn passwords_of_both_schemes_are_checked() {
        let old = account(OLD);
        assert_eq!(verify(Some(&old), "Password1234!"), Verification::ToResume);
        assert_eq!(verify(Some(&old), "password1234!"), Verification::Refused);
        let new = account(&hash_password("Password1234!", [7; 16]).unwrap());
        assert_eq!(verify(Some(&new), "Password1234!"), Verification::Accepted);
        assert_eq!(verify(Some(&new), ""), Verification::Refused);
        assert_eq!(verify(None, "Password1234!"), Verification::Refused);
        assert_eq!(verify(Some(&account("")), ""), Verification::Refused);
        let closes = Account { disabled: true, ..old };
        assert_eq!(verify(Some(&closes), "Password1234!"), Verification::Refused);
    }

    #[test]
    fn new_passwords_follow_the_policy() {
        for (word, accepts) in [
            ("Password1234!", true),
            ("Ab1!xyz", false),
            ("password1234!", false),
            ("PASSWORD1234!", false),
            ("Password!", false),
            ("Password1234", false),
            (&"Aa1!".repeat(13), false),
        ] {
            assert_eq!(acceptable_password(word), accepts, "{word}");
        }
    }
}
