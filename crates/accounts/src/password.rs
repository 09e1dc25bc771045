//! Passwords: what is acceptable, how they are hashed, how they are checked.

use api::access::equal;
use api::accounts::Account;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use domain::StoredPassword;
use sha2::Sha512;
use std::cell::Cell;
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

/// Argon2id with 7 MiB, 5 passes, 1 lane: of the choices that OWASP's password storage advice holds equal, the one with the
/// least memory. An instance never gives memory back, so each that has hashed once keeps what a hash takes.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(7 * 1024, 5, 1, None).unwrap_or_default())
}

/// What a hash made by [`argon2`] begins with.
const PRESENT: &str = "$argon2id$v=19$m=7168,t=5,p=1$";

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
    /// Right, under the scheme of the former service or with other parameters than today's: to be hashed again.
    ToResume,
}

thread_local! {
    /// Iterations of the last hash of the former service that this instance met: what all others pay too.
    static ITERATIONS: Cell<u32> = const { Cell::new(0) };
}

/// Checks a password.
///
/// Whatever the account, a check costs one Argon2id and one PBKDF2 with as many iterations as the hashes of the former
/// service have, so that its time does not tell who has an account, or who has not logged in since the migration. The
/// instance learns that number from the first such hash it meets: until then, PBKDF2 makes the difference. Only a login
/// that succeeds may cost more: its hash is made anew. A stored form that asks for more than [`StoredPassword`] allows is
/// none.
#[must_use]
pub fn verify(account: Option<&Account>, password: &str) -> Verification {
    const NONE: &str =
        "$argon2id$v=19$m=7168,t=5,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let stored = account.filter(|c| !c.disabled).and_then(|c| StoredPassword::parse(&c.password).ok());
    let (argon, former) = match stored {
        Some(StoredPassword::Argon2(hash)) => (Some(hash), None),
        Some(StoredPassword::Former { expected, iterations, salt }) => (None, Some((expected, iterations, salt))),
        None => (None, None),
    };
    let matches = PasswordHash::new(argon.unwrap_or(NONE))
        .is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok());
    let (expected, iterations, salt) = former.unwrap_or_else(|| ("", ITERATIONS.get(), ""));
    ITERATIONS.set(iterations);
    let mut computed = [0; 64];
    if iterations > 0 {
        pbkdf2::pbkdf2_hmac::<Sha512>(password.as_bytes(), salt.as_bytes(), iterations, &mut computed);
    }
    let former_matches = equal(hex(&computed).as_bytes(), expected.to_ascii_lowercase().as_bytes());
    match (argon, former) {
        (Some(hash), _) if matches && hash.starts_with(PRESENT) => Verification::Accepted,
        (Some(_), _) if matches => Verification::ToResume,
        (_, Some(_)) if former_matches => Verification::ToResume,
        _ => Verification::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(password: &str) -> Account {
        Account::new("test", password.into())
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
        // Hashed by version 0.1, with the parameters of then.
        let before = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap());
        let salt = SaltString::encode_b64(&[7; 16]).unwrap();
        let before = account(&before.hash_password(b"Password1234!", &salt).unwrap().to_string());
        assert_eq!(verify(Some(&before), "Password1234!"), Verification::ToResume);
        assert_eq!(verify(Some(&before), "password1234!"), Verification::Refused);
        assert_eq!(verify(None, "Password1234!"), Verification::Refused);
        assert_eq!(verify(Some(&account("")), ""), Verification::Refused);
        let closes = Account { disabled: true, ..old };
        assert_eq!(verify(Some(&closes), "Password1234!"), Verification::Refused);
    }

    #[test]
    fn a_stored_form_that_asks_for_too_much_is_none_and_costs_no_more() {
        let start = std::time::Instant::now();
        for stored in [
            "ab$4294967295$s".to_owned(),
            OLD.replace("$2$", "$4294967295$"),
            hash_password("Password1234!", [7; 16]).unwrap().replace("m=7168", "m=4194303"),
            hash_password("Password1234!", [7; 16]).unwrap().replace("t=5", "t=4294967295"),
        ] {
            assert_eq!(verify(Some(&account(&stored)), "Password1234!"), Verification::Refused, "{stored}");
        }
        assert!(start.elapsed().as_secs() < 60, "four checks, not four billion rounds");
    }

    #[test]
    fn every_check_pays_the_iterations_of_the_former_hashes() {
        ITERATIONS.set(0);
        assert_eq!(verify(None, "Password1234!"), Verification::Refused);
        assert_eq!(ITERATIONS.get(), 0, "none was met yet");
        assert_eq!(verify(Some(&account(&OLD.replace("$2$", "$9$"))), "Password1234!"), Verification::Refused);
        for other in [None, Some(&account(&hash_password("Password1234!", [7; 16]).unwrap()))] {
            assert_eq!(verify(other, "autre"), Verification::Refused);
            assert_eq!(ITERATIONS.get(), 9);
        }
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
