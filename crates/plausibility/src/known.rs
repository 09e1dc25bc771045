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
        let text = if self.some { hexadecimal(&self.bits) } else { String::new() };
        serializer.serialize_str(&text)
    }
}

impl<'de> serde::Deserialize<'de> for KnownCodes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(read_hexadecimal(&text).and_then(|bytes| Self::read(&bytes)).unwrap_or_default())
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

// Not generic over the format, as what calls them is: a job's state is read and written with every step, and these are most
// of its bytes.

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' - 10 + half });
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// `None` where a digit is none, or has no other half.
fn read_hexadecimal(text: &str) -> Option<Vec<u8>> {
    // Without a branch for each digit: what is none has a bit that no digit has, and is looked for once.
    const NONE: u8 = 0x80;
    let values: [u8; 256] = std::array::from_fn(|digit| {
        let value = u8::try_from(digit).ok().and_then(|digit| char::from(digit).to_digit(16));
        value.and_then(|value| u8::try_from(value).ok()).unwrap_or(NONE)
    });
    let value = |digit: u8| values.get(usize::from(digit)).copied().unwrap_or(NONE);
    let pairs = text.as_bytes().chunks_exact(2);
    let mut seen = if pairs.remainder().is_empty() { 0 } else { NONE };
    let bytes = pairs.map(|pair| match *pair {
        [high, low] => {
            let (high, low) = (value(high), value(low));
            seen |= high | low;
            high << 4 | low
        }
        _ => 0,
    });
    let bytes = bytes.collect();
    (seen < NONE).then_some(bytes)
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
        // What is no such text is no code at all: nothing is called unknown then.
        let digits = "1".repeat(BITS / 4 - 1);
        for end in ["", "11", "g", "/", ":", "`", "\u{e9}"] {
            let text = format!("\"{digits}{end}\"");
            assert!(serde_json::from_str::<KnownCodes>(&text).unwrap().is_empty(), "{end}");
        }
        for known in [known, KnownCodes::default()] {
            let text = serde_json::to_string(&known).unwrap();
            assert!(serde_json::from_str::<KnownCodes>(&text).unwrap() == known);
        }
    }
}
