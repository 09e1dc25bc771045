//! The binary form of what lies in values: variable-length numbers and length-prefixed bytes.

/// Appends to a byte vector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoder(pub Vec<u8>);

impl Encoder {
    /// An unsigned number, seven bits a byte, low bits first.
    pub fn number(&mut self, mut n: u64) -> &mut Self {
        loop {
            let low = u8::try_from(n & 0x7f).unwrap_or(0);
            n >>= 7;
            if n == 0 {
                self.0.push(low);
                return self;
            }
            self.0.push(low | 0x80);
        }
    }

    /// A length or an index.
    pub fn size(&mut self, n: usize) -> &mut Self {
        self.number(n as u64)
    }

    /// Bytes with their length before them.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.size(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }

    /// Text with its length before it.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// An instant that may be missing.
    pub fn instant(&mut self, instant: Option<i64>) -> &mut Self {
        match instant {
            None => self.number(0),
            // Zigzag, so that dates before 1970 stay short, plus one for "present".
            Some(i) => self.number(((i << 1) ^ (i >> 63)).cast_unsigned().saturating_add(1)),
        }
    }
}

/// Reads what [`Encoder`] wrote; `None` wherever the bytes do not hold it.
#[derive(Clone, Copy, Debug)]
pub struct Decoder<'a>(pub &'a [u8]);

impl<'a> Decoder<'a> {
    /// An unsigned number; most take one byte or two.
    #[inline]
    pub fn number(&mut self) -> Option<u64> {
        match *self.0 {
            [low, ref rest @ ..] if low < 0x80 => {
                self.0 = rest;
                Some(u64::from(low))
            }
            [low, high, ref rest @ ..] if high < 0x80 => {
                self.0 = rest;
                Some(u64::from(low & 0x7f) | u64::from(high) << 7)
            }
            _ => {
                let (number, rest) = Decoder(self.0).long()?;
                self.0 = rest;
                Some(number)
            }
        }
    }

    #[inline(never)]
    fn long(mut self) -> Option<(u64, &'a [u8])> {
        let (mut n, mut shift) = (0u64, 0);
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            n |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some((n, rest));
            }
            shift += 7;
        }
    }

    /// A length or an index.
    #[inline]
    pub fn size(&mut self) -> Option<usize> {
        self.number().and_then(|n| usize::try_from(n).ok())
    }

    /// Bytes with their length before them.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.size()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Text with its length before it.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// An instant that may be missing.
    pub fn instant(&mut self) -> Option<Option<i64>> {
        Some(match self.number()? {
            0 => None,
            n => {
                let z = n - 1;
                Some((z >> 1).cast_signed() ^ -(z & 1).cast_signed())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(n: u64, text: String, instant: Option<i32>, tail: Vec<u8>) {
            let mut encoder = Encoder::default();
            encoder.number(n).text(&text).instant(instant.map(i64::from)).bytes(&tail);
            let mut decoder = Decoder(&encoder.0);
            prop_assert_eq!(decoder.number(), Some(n));
            prop_assert_eq!(decoder.text(), Some(text.as_str()));
            prop_assert_eq!(decoder.instant(), Some(instant.map(i64::from)));
            prop_assert_eq!(decoder.bytes(), Some(tail.as_slice()));
            prop_assert!(decoder.0.is_empty());
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            let mut decoder = Decoder(&bytes);
            while decoder.instant().is_some() && decoder.text().is_some() {}
        }
    }
}
