//! Texts of senders, cut to what a record holds.

/// Bytes kept of a name that a sender gave.
pub(super) const NAME_MAX: usize = 100;

/// A text cut to so many bytes, at a character.
pub(super) fn short(text: &str, max: usize) -> &str {
    let ending = text.char_indices().map(|(start, c)| start + c.len_utf8()).take_while(|ending| *ending <= max).last();
    text.get(..ending.unwrap_or(0)).unwrap_or_default()
}
