//! Files of catalogues, in and out.

/// A name without case and accents.
#[must_use]
pub fn fold(name: &str) -> String {
    name.trim().chars().filter_map(base).flat_map(char::to_lowercase).collect()
}

/// The letter under the accent; `None` for an accent that stands alone.
fn base(letter: char) -> Option<char> {
    Some(match letter {
        'À'..='Å' | 'à'..='å' => 'a',
        'Ç' | 'ç' => 'c',
        'È'..='Ë' | 'è'..='ë' => 'e',
        'Ì'..='Ï' | 'ì'..='ï' => 'i',
        'Ñ' | 'ñ' => 'n',
        'Ò'..='Ö' | 'ò'..='ö' => 'o',
        'Ù'..='Ü' | 'ù'..='ü' => 'u',
        'Ý' | 'ý' | 'ÿ' => 'y',
        '\u{300}'..='\u{36f}' => return None,
        other => other,
    })
}
