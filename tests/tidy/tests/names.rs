//! Names: one language, one type for one name.

use std::collections::{BTreeMap, BTreeSet};
use tidy::{Definition, definitions, deployed, root, sources, words};

fn all() -> Vec<Definition> {
    sources().iter().flat_map(|(file, source)| definitions(file, source)).collect()
}

/// `tests/tidy/french.txt`, one word a line: verbs, containers and mechanisms. The words of the field that stay French
/// are in GLOSSARY.md.
fn french() -> BTreeSet<String> {
    let list = std::fs::read_to_string(root().join("tests/tidy/french.txt")).unwrap_or_default();
    list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn functions_and_types_have_english_names() {
    let french = french();
    assert!(french.len() > 500, "the list of words is there");
    let faults: Vec<String> = all()
        .iter()
        .filter_map(|definition| {
            let word = words(&definition.name).into_iter().find(|word| french.contains(word))?;
            Some(format!("{definition}: `{word}` is French"))
        })
        .collect();
    assert!(
        faults.is_empty(),
        "{} names to translate (words of the field that stay French: GLOSSARY.md; the list: tests/tidy/french.txt)\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn a_type_is_defined_once_in_what_is_deployed() {
    let folders = deployed();
    assert!(folders.contains("crates/domain") && !folders.contains("tools/host"), "{folders:?}");
    let mut types: BTreeMap<String, Vec<Definition>> = BTreeMap::new();
    for definition in all() {
        let ours = folders.iter().any(|folder| definition.file.starts_with(&format!("{folder}/src/")));
        let named = match definition.keyword {
            "struct" | "enum" | "trait" => true,
            "type" => definition.outermost,
            _ => false,
        };
        if ours && named && !definition.test {
            types.entry(definition.name.clone()).or_default().push(definition);
        }
    }
    let faults: Vec<String> = types
        .iter()
        .filter(|(_, found)| found.len() > 1)
        .map(|(_, found)| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        .collect();
    assert!(faults.is_empty(), "defined more than once: name each after what it is\n{}", faults.join("\n\n"));
}

#[test]
fn the_scanner_sees_names_and_nothing_else() {
    let source = "\
//! fn lire
pub struct Place<'a>(&'a str); // struct Famille
impl Place<'_> {
    type Item = u8;
    async fn put_part(&self) -> char { let _ = (\"fn \\\"poser\", r#\"enum \"Etape\"\"#, b'\"', '\\''); 'x' }
}
#[cfg(test)]
mod tests {
    fn chercher() {}
}
";
    let found: Vec<String> = definitions("a.rs", source).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "a.rs:2: struct Place",
            "a.rs:4: type Item",
            "a.rs:5: fn put_part",
            "a.rs:8: mod tests",
            "a.rs:9: fn chercher"
        ]
    );
    assert_eq!(words("PublishedDocument"), ["published", "document"]);
    assert_eq!(words("read_GET_2"), ["read", "get", "2"]);
}
