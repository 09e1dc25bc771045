//! Letters without their accents: one table for labels that are compared and words that are searched.

/// What a letter is without its accent, case kept: `""` for a combining accent, which belongs to the letter before it.
/// `None` where the letter has none. Ligatures stay: they are letters of their own in a label.
#[must_use]
pub fn without_accent(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => "a",
        'À' | 'Á' | 'Â' | 'Ã' | 'Ä' | 'Å' => "A",
        'ç' => "c",
        'Ç' => "C",
        'è' | 'é' | 'ê' | 'ë' => "e",
        'È' | 'É' | 'Ê' | 'Ë' => "E",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'Ì' | 'Í' | 'Î' | 'Ï' => "I",
        'ñ' => "n",
        'Ñ' => "N",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => "o",
        'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ö' => "O",
        'ù' | 'ú' | 'û' | 'ü' => "u",
        'Ù' | 'Ú' | 'Û' | 'Ü' => "U",
        'ý' | 'ÿ' => "y",
        'Ý' | 'Ÿ' => "Y",
        '\u{300}'..='\u{36f}' => "",
        _ => return None,
    })
}

/// A French text without its accents; letters keep their case.
///
/// ```
/// assert_eq!(domain::letters::without_accents("Élève, ŒUVRE"), "Eleve, ŒUVRE");
/// assert_eq!(domain::letters::without_accents("e\u{301}t\u{e9}"), "ete");
/// ```
#[must_use]
pub fn without_accents(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    for letter in text.chars() {
        match without_accent(letter) {
            Some(bare) => output.push_str(bare),
            None => output.push(letter),
        }
    }
    output
}

/// A letter without case and accent, ligatures in two; `None` for what separates words.
///
/// ```
/// let folded: String = "ŒUVRÉ".chars().filter_map(domain::letters::fold).collect();
/// assert_eq!(folded, "oeuvre");
/// assert_eq!(domain::letters::fold('-'), None);
/// ```
#[must_use]
pub fn fold(letter: char) -> Option<String> {
    match letter {
        'œ' | 'Œ' => return Some("oe".to_owned()),
        'æ' | 'Æ' => return Some("ae".to_owned()),
        _ => {}
    }
    match without_accent(letter) {
        Some(bare) => Some(bare.to_ascii_lowercase()),
        None => letter.is_alphanumeric().then(|| letter.to_lowercase().collect()),
    }
}
