//! Files as people have them: what a file is, told by its first bytes, and what to do with it.

use std::fmt;

/// Bytes of a file that tell what it is.
pub const LOOKED_AT: usize = 64 * 1024;

/// What a file is, where it is not lines of JSON in UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyForm {
    /// Compressed by gzip.
    Gzip,
    /// An archive, `.zip`.
    Zip,
    /// A spreadsheet, `.xlsx` or `.ods`.
    Spreadsheet,
    /// An old spreadsheet, `.xls`.
    OldSpreadsheet,
    /// Text in UTF-16.
    Utf16,
    /// Text in ISO-8859-1 or Windows-1252.
    Latin1,
    /// UTF-8 with a mark at its beginning.
    Marked,
    /// A JSON array of documents.
    Array,
    /// One JSON object over several lines.
    Indented,
    /// A table with `;` or tabulators.
    Table,
    /// A table with commas.
    CommaTable,
    /// A page of the web.
    Html,
}

impl BodyForm {
    /// What the beginning of a file is; `None` for lines of JSON in UTF-8, and for nothing at all.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..LOOKED_AT).unwrap_or(bytes);
        match head {
            [0x1f, 0x8b, ..] => return Some(Self::Gzip),
            [b'P', b'K', 3, 4, ..] => {
                let names = |name: &[u8]| head.windows(name.len()).any(|window| window == name);
                let sheet = names(b"[Content_Types].xml") || names(b"vnd.oasis.opendocument");
                return Some(if sheet { Self::Spreadsheet } else { Self::Zip });
            }
            [0xd0, 0xcf, 0x11, 0xe0, ..] => return Some(Self::OldSpreadsheet),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(Self::Utf16),
            [0xef, 0xbb, 0xbf, ..] => return Some(Self::Marked),
            _ => {}
        }
        if head.iter().take(200).filter(|b| **b == 0).count() > 20 {
            return Some(Self::Utf16);
        }
        if !is_utf8(head) {
            return Some(Self::Latin1);
        }
        let text = String::from_utf8_lossy(head);
        let start = text.trim_start();
        let first_line = start.lines().next().unwrap_or_default().trim_end();
        if start.starts_with('[') {
            return Some(Self::Array);
        }
        if start.starts_with('{') {
            // An object that goes on behind its first line.
            let opens = first_line.matches('{').count() > first_line.matches('}').count();
            return (opens && first_line.len() < 200 && start.lines().nth(1).is_some()).then_some(Self::Indented);
        }
        if start.starts_with('<') {
            return Some(Self::Html);
        }
        let has = |separator: char| first_line.split(separator).count() >= 3;
        if has(';') || has('\t') {
            return Some(Self::Table);
        }
        has(',').then_some(Self::CommaTable)
    }
}

/// What it is and what to do, for whoever sent it to a route that takes lines only.
impl fmt::Display for BodyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "le corps est comprimé par gzip : le décomprimer (gunzip), ou passer par scripts/import, qui le fait",
            Self::Zip => "le corps est une archive zip : l'extraire, ou passer par scripts/import, qui le fait",
            Self::Spreadsheet | Self::OldSpreadsheet => {
                "le corps est un classeur de tableur : l'enregistrer en CSV UTF-8 séparé par des points-virgules et passer par scripts/import"
            }
            Self::Utf16 => "le corps est en UTF-16 : l'enregistrer en UTF-8",
            Self::Latin1 => "le corps n'est pas en UTF-8 (sans doute ISO-8859-1 ou Windows-1252) : l'enregistrer en UTF-8, ou le convertir par iconv -f WINDOWS-1252 -t UTF-8",
            Self::Marked => "le corps commence par une marque d'ordre des octets (BOM) : l'enregistrer en UTF-8 sans BOM",
            Self::Array => "le corps est un tableau JSON : une ligne par document est attendue ; jq -c '.[]' le découpe",
            Self::Indented => "le corps est du JSON sur plusieurs lignes : une ligne par document est attendue ; jq -c . les met à plat",
            Self::Table => "le corps est un tableau CSV : passer par scripts/import, qui reconnaît les colonnes des exports",
            Self::CommaTable => "le corps est un tableau CSV séparé par des virgules : l'enregistrer avec des points-virgules et passer par scripts/import",
            Self::Html => "le corps est une page web, sans doute une page d'erreur ou de connexion enregistrée à la place des données",
        })
    }
}

/// Whether the beginning of a text is UTF-8; a character that is cut at its end is no fault.
fn is_utf8(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(fault) => fault.error_len().is_none() && head.len() == LOOKED_AT,
    }
}

/// Why a line is no document, in words; the parser's own reach nobody.
#[must_use]
pub fn line_fault(line: &[u8], column: usize, cut: bool) -> String {
    const EXPECTED: &str = "la ligne n'est pas un objet JSON {\"kind\", \"doc\"}";
    if std::str::from_utf8(line).is_err() {
        return format!("{EXPECTED} : elle n'est pas en UTF-8 ; enregistrer le fichier en UTF-8");
    }
    let text = String::from_utf8_lossy(line);
    let start = text.trim_start();
    let why = match start.chars().next() {
        Some('[') => "c'est un tableau JSON ; écrire une ligne par document (jq -c '.[]')".to_owned(),
        Some('"' | '}' | ']') => {
            "c'est un morceau de JSON sur plusieurs lignes ; écrire une ligne par document (jq -c .)".to_owned()
        }
        Some('{') if cut => {
            "elle s'arrête avant la fin de l'objet ; écrire une ligne par document, sans retour à la ligne".to_owned()
        }
        Some('{') if start.contains("'kind'") => {
            "les noms et les textes s'écrivent entre guillemets doubles".to_owned()
        }
        Some('{') if start.contains("NaN") => "NaN n'existe pas en JSON ; écrire null".to_owned(),
        Some('{') if column > 0 => {
            format!("le JSON est mal formé vers le caractère {column} ; vérifier virgules et guillemets à cet endroit")
        }
        Some('{') => "kind (un texte) et doc (un objet) sont attendus, et rien d'autre".to_owned(),
        _ if start.split(';').count() >= 3 => {
            "c'est une ligne de CSV ; passer par scripts/import, qui la convertit".to_owned()
        }
        _ => "un objet commence par une accolade".to_owned(),
    };
    format!("{EXPECTED} : {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_first_bytes() {
        for (bytes, expected) in [
            (&b"{\"kind\":\"bcn\",\"doc\":{}}\n"[..], None),
            (b"", None),
            (b"\n\n{\"kind\":\"bcn\"}", None),
            (b"\x1f\x8b\x08\x00", Some(BodyForm::Gzip)),
            (b"PK\x03\x04\x14\x00statistiques.csv", Some(BodyForm::Zip)),
            (b"PK\x03\x04\x14\x00[Content_Types].xml", Some(BodyForm::Spreadsheet)),
            (b"PK\x03\x04\x14\x00mimetypeapplication/vnd.oasis.opendocument.spreadsheet", Some(BodyForm::Spreadsheet)),
            (b"\xd0\xcf\x11\xe0\xa1\xb1", Some(BodyForm::OldSpreadsheet)),
            (b"\xff\xfe{\x00", Some(BodyForm::Utf16)),
            (b"\xef\xbb\xbf{\"kind\":1}", Some(BodyForm::Marked)),
            (b"{\"kind\":\"bcn\",\"doc\":{\"libelle\":\"\xe9lectricit\xe9\"}}", Some(BodyForm::Latin1)),
            (b" [{\"kind\":\"bcn\"}]", Some(BodyForm::Array)),
            (b"{\n  \"kind\": \"bcn\"\n}", Some(BodyForm::Indented)),
            (b"code_certification;millesime;filiere\n1;2;3", Some(BodyForm::Table)),
            (b"code_certification,millesime,filiere\n1,2,3", Some(BodyForm::CommaTable)),
            (b"<!doctype html><html>", Some(BodyForm::Html)),
        ] {
            assert_eq!(BodyForm::of(bytes), expected, "{}", String::from_utf8_lossy(bytes));
            if let Some(form) = expected {
                assert!(form.to_string().starts_with("le corps"), "{form}");
            }
        }
    }

    #[test]
    fn a_line_that_is_no_document_is_explained_without_a_parser_s_words() {
        for (line, said) in [
            (&b"[1]"[..], "tableau JSON"),
            (b"  \"kind\": \"bcn\",", "plusieurs lignes"),
            (b"{'kind': 'bcn'}", "guillemets doubles"),
            (b"{\"kind\": NaN}", "NaN"),
            (b"a;b;c", "CSV"),
            (b"\xe9", "UTF-8"),
            (b"bonjour", "accolade"),
        ] {
            let fault = line_fault(line, 3, false);
            assert!(fault.starts_with("la ligne n'est pas un objet JSON") && fault.contains(said), "{fault}");
        }
        assert!(line_fault(b"{\"kind\": \"bcn\", \"doc\": {", 0, true).contains("s'arrête"));
    }
}
