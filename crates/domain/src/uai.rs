//! UAI: the identifier of an establishment.

use std::fmt;

/// A well-formed UAI: seven digits and a capital.
///
/// The check letter is not verified here: re-users send it as it is written in the documents.
/// See [`check_letter`] for where it matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uai(String);

impl Uai {
    /// Reads a UAI.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, letter) = text.split_at_checked(7)?;
        let letter = letter.as_bytes();
        let valid = digits.bytes().all(|b| b.is_ascii_digit())
            && letter.len() == 1
            && letter.iter().all(u8::is_ascii_uppercase);
        valid.then(|| Self(text.to_owned()))
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the letter is the right one for the digits.
    #[must_use]
    pub fn is_check_letter(&self) -> bool {
        let (digits, letter) = self.0.split_at(self.0.len().saturating_sub(1));
        check_letter(digits).is_some_and(|right| letter.starts_with(right))
    }
}

impl fmt::Display for Uai {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The letter that follows seven digits: their number modulo 23 in an alphabet without i, o, q.
///
/// Source: the rule of the national directory of establishments (contract, import details).
#[must_use]
pub fn check_letter(digits: &str) -> Option<char> {
    let number: u32 = digits.parse().ok()?;
    let rank = usize::try_from(number % 23).ok()?;
    "ABCDEFGHJKLMNPRSTUVWXYZ".chars().nth(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_and_check_letter() {
        let real = Uai::parse("0750652B").unwrap();
        assert_eq!(check_letter("0750652"), Some('B'));
        assert!(real.is_check_letter());
        assert!(!Uai::parse("0750652A").unwrap().is_check_letter());
        for text in ["", "0750652", "0750652k", "075065BB", "é750652K", "0750652É"] {
            assert!(Uai::parse(text).is_none(), "{text}");
        }
    }
}
