//! The encoding of a file, as its sender tells it.

/// An encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// ISO-8859-1, read as Windows-1252, which is what Excel writes and what browsers read under either name.
    Latin1,
}

/// The characters of Windows-1252 at 0x80 to 0x9F, where ISO-8859-1 has none that are printed.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

impl Encoding {
    /// The encoding of a name, as in `charset=…`; `None` for one that is not read.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "utf-8" | "utf8" | "us-ascii" => Some(Self::Utf8),
            "iso-8859-1" | "iso8859-1" | "latin1" | "latin-1" | "l1" | "windows-1252" | "cp1252" => Some(Self::Latin1),
            _ => None,
        }
    }

    /// Appends a chunk as UTF-8.
    pub(crate) fn append(self, chunk: &[u8], to: &mut Vec<u8>) {
        match self {
            Self::Utf8 => to.extend_from_slice(chunk),
            Self::Latin1 => {
                let mut buffer = [0; 4];
                for byte in chunk {
                    let letter = match byte {
                        0x80..=0x9f => WINDOWS.get(usize::from(byte - 0x80)).copied().unwrap_or('\u{fffd}'),
                        _ => char::from(*byte),
                    };
                    to.extend_from_slice(letter.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_letters() {
        assert_eq!(Encoding::named("ISO-8859-1"), Some(Encoding::Latin1));
        assert_eq!(Encoding::named("UTF-8"), Some(Encoding::Utf8));
        assert_eq!(Encoding::named("utf-16"), None);
        let mut text = Vec::new();
        Encoding::Latin1.append(b"\xe9t\xe9 \x80 \x9c", &mut text);
        assert_eq!(text, "été € œ".as_bytes());
    }
}
