//! The stored form of a password: which forms there are, and what checking one may cost.
//!
//! Checking a password costs what its stored form says. So a form that says too much is refused when it is pushed, and
//! again when it is read: four billion iterations would hold an instance for an hour.

/// Iterations of PBKDF2 that a hash of the former service may ask for, at most: above what OWASP advises (210,000).
pub const ITERATIONS_MAX: u32 = 250_000;
/// Memory that an Argon2 hash may ask for, at most, in KiB: ours ask for 7 MiB, those of version 0.1 for 19.
pub const MEMORY_MAX_KIB: u32 = 64 * 1024;
/// Passes of Argon2, at most.
pub const PASSES_MAX: u32 = 10;
/// Lanes of Argon2, at most.
pub const LANES_MAX: u32 = 4;

/// A stored password whose check costs a bounded time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredPassword<'a> {
    /// An Argon2 hash in its usual text (`$argon2id$v=19$m=…,t=…,p=…$salt$hash`).
    Argon2(&'a str),
    /// `hex$iterations$salt` of the former service.
    Former {
        /// What is expected, in hexadecimal.
        expected: &'a str,
        /// Of PBKDF2.
        iterations: u32,
        /// Taken as text.
        salt: &'a str,
    },
}

impl<'a> StoredPassword<'a> {
    /// Reads a stored form.
    ///
    /// # Errors
    /// What is wrong with it, in French, without a part of it: it may be a password as well as its hash.
    pub fn parse(text: &'a str) -> Result<Self, &'static str> {
        if text.starts_with('$') {
            return argon2_is_bounded(text).map(|()| Self::Argon2(text));
        }
        let parts: Vec<&str> = text.split('$').collect();
        let &[expected, iterations, salt] = parts.as_slice() else {
            return Err("la forme conservée d'un mot de passe est attendue");
        };
        match iterations.parse() {
            Ok(iterations @ 1..=ITERATIONS_MAX) if !expected.is_empty() => {
                Ok(Self::Former { expected, iterations, salt })
            }
            _ => Err("le nombre d'itérations va de 1 à 250 000"),
        }
    }
}

fn argon2_is_bounded(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "la forme $argon2id$v=19$m=…,t=…,p=…$sel$empreinte est attendue";
    let parts: Vec<&str> = text.split('$').collect();
    let ["", "argon2id" | "argon2i" | "argon2d", _version, parameters, salt, hash] = parts.as_slice() else {
        return Err(FORM);
    };
    if salt.is_empty() || hash.is_empty() || hash.len() > 100 || salt.len() > 64 {
        return Err(FORM);
    }
    for (name, max) in [("m=", MEMORY_MAX_KIB), ("t=", PASSES_MAX), ("p=", LANES_MAX)] {
        let mut values = parameters.split(',').filter_map(|p| p.strip_prefix(name));
        let value = values.next().and_then(|v| v.parse::<u32>().ok()).ok_or(FORM)?;
        if values.next().is_some() || value == 0 || value > max {
            return Err("Argon2 : 64 Mio, 10 passes et 4 voies au plus");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_whose_check_would_not_end_is_refused() {
        let usual = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(StoredPassword::parse(usual), Ok(StoredPassword::Argon2(usual)));
        let former = StoredPassword::Former { expected: "ab", iterations: 2, salt: "s" };
        assert_eq!(StoredPassword::parse("ab$2$s"), Ok(former));
        for text in [
            "ab$4294967295$s",
            "ab$99999999999$s",
            "ab$250001$s",
            "ab$0$s",
            "ab$-1$s",
            "ab$2",
            "ab$2$s$t",
            "$2$s",
            "",
            "Password1234!",
            &usual.replace("m=19456", "m=4194304"),
            &usual.replace("t=2", "t=4294967295"),
            &usual.replace("p=1", "p=255"),
            &usual.replace("p=1", "p=1,m=4194304"),
            &usual.replace("m=19456,", ""),
            "$argon2id$v=19$m=19456,t=2,p=1$AAAA",
            "$scrypt$ln=30,r=8,p=1$AAAA$AAAA",
        ] {
            assert!(StoredPassword::parse(text).is_err(), "{text}");
        }
    }
}
