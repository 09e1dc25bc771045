//! Which codes the nomenclature knows, in a value of fixed size.

/// Bits: with 20,000 codes, one unknown code in 3,000 passes as known.
const BITS: usize = 1 << 19;
/// Bits set for a code.
const MARKS: u64 = 4;

/// A set of codes that never calls a known one unknown. It is as large for a million codes as for one, and lists none.
#[derive(Clone, PartialEq, Eq)]
pub struct KnownCodes {
    bits: Vec<u8>,
    some: bool,
}

impl serde::Serialize for KnownCodes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or_default();
        let text: String = if self.some {
            self.bits.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
        } else {
            String::new()
        };
        serializer.serialize_str(&text)
    }
}

impl<'de> serde::Deserialize<'de> for KnownCodes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
        Ok(bytes.and_then(|bytes| Self::read(&bytes)).unwrap_or_default())
    }
}

impl std::fmt::Debug for KnownCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KnownCodes").field("some", &self.some).finish_non_exhaustive()
    }
}

impl Default for KnownCodes {
    fn default() -> Self {
        Self { bits: vec![0; BITS / 8], some: false }
    }
}

impl KnownCodes {
    /// Reads what [`Self::as_bytes`] gave; `None` where it is something else.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == BITS / 8).then(|| Self { bits: bytes.to_owned(), some: bytes.iter().any(|b| *b != 0) })
    }

    /// Its bytes, for the store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bits
    }

    /// Whether it knows no code at all: nothing can be called unknown then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.some
    }

    /// Adds a code.
    pub fn add(&mut self, code: &str) {
        for place in places(code) {
            if let Some(byte) = self.bits.get_mut(place / 8) {
                *byte |= 1 << (place % 8);
            }
        }
        self.some = true;
    }

    /// Adds all codes of another set.
    pub fn add_all(&mut self, other: &Self) {
        for (byte, others) in self.bits.iter_mut().zip(&other.bits) {
            *byte |= others;
        }
        self.some |= other.some;
    }

    /// Whether a code may be known.
    #[must_use]
    pub fn knows(&self, code: &str) -> bool {
        places(code).all(|place| self.bits.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1))
    }
}

/// The bits of a code, by one hash that is stepped on (FNV-1a, then a multiplicative mix).
fn places(code: &str) -> impl Iterator<Item = usize> {
    let hash = code.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let step = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) | 1;
    (0..MARKS).map(move |n| {
        let place = hash.wrapping_add(step.wrapping_mul(n)) >> 20;
        usize::try_from(place).unwrap_or_default() % BITS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_are_never_called_unknown_and_few_unknown_ones_known() {
        let mut known = KnownCodes::default();
        assert!(known.is_empty());
        for code in 0..20_000 {
            known.add(&format!("{:08}", code * 37));
        }
        assert!((0..20_000).all(|code| known.knows(&format!("{:08}", code * 37))));
        let taken = (0..20_000).filter(|code| known.knows(&format!("X{:07}", code * 31))).count();
        assert!(taken < 40, "{taken} of 20,000 unknown codes pass");
        let read = KnownCodes::read(known.as_bytes()).unwrap();
        assert!(read == known && !read.is_empty());
        assert!(KnownCodes::read(b"short").is_none());
        for known in [known, KnownCodes::default()] {
            let text = serde_json::to_string(&known).unwrap();
            assert!(serde_json::from_str::<KnownCodes>(&text).unwrap() == known);
        }
    }
}
