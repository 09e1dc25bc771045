//! Reads the sources of the workspace as text, for rules that neither the compiler nor clippy can hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// A function or a type, where it is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The file, from the root of the workspace.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// `fn`, `struct`, `enum`, `trait`, `type` or `mod`.
    pub keyword: &'static str,
    /// Its name.
    pub name: String,
    /// Whether it stands at the start of its line: a type that does not is an associated one.
    pub outermost: bool,
    /// Whether it lies in a test module or file.
    pub test: bool,
}

impl fmt::Display for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} {}", self.file, self.line, self.keyword, self.name)
    }
}

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What a file defines.
#[must_use]
pub fn definitions(file: &str, source: &str) -> Vec<Definition> {
    const KEYWORDS: [&str; 6] = ["fn", "struct", "enum", "trait", "type", "mod"];
    let code = blanked(source);
    let mut found = Vec::new();
    let mut test = file.ends_with("tests.rs") || file.contains("/tests/");
    for (line, text) in code.lines().enumerate() {
        // rustfmt puts a test module at the start of a line, and it is the last thing in a file.
        test |= text.starts_with("#[cfg(test)]");
        let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
        let mut keyword = None;
        for word in words.by_ref() {
            if let Some(keyword) = keyword.take() {
                found.push(Definition {
                    file: file.to_owned(),
                    line: line + 1,
                    keyword,
                    name: word.to_owned(),
                    outermost: !text.starts_with(' '),
                    test,
                });
            }
            keyword = KEYWORDS.into_iter().find(|k| *k == word);
        }
    }
    found.retain(|d| d.name.starts_with(|c: char| c.is_alphabetic()));
    found
}

/// The source with comments and literals blanked out, line by line what it was.
fn blanked(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = literal(rest);
        let (part, after) = rest.split_at(length.max(first.len_utf8()));
        if length == 0 {
            out.push_str(part);
        } else {
            out.extend(part.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = after;
        // A literal's prefix stands at the start of a word: the rest of a word holds none.
        if length == 0 && part.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            let more = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let (word, after) = rest.split_at(more);
            out.push_str(word);
            rest = after;
        }
    }
    out
}

/// How many bytes of a comment or a literal stand here; 0 where none does.
fn literal(text: &str) -> usize {
    let end = |from: usize, mark: &str| text[from..].find(mark).map_or(text.len(), |at| from + at + mark.len());
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return end(2, "*/");
    }
    let body = text.trim_start_matches(['b', 'r']);
    let prefix = text.len() - body.len();
    if prefix <= 2 && text[..prefix].contains('r') {
        let hashes = body.len() - body.trim_start_matches('#').len();
        if body[hashes..].starts_with('"') {
            return end(prefix + hashes + 1, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    if prefix <= 1 && body.starts_with('"') {
        return prefix + quoted(body, '"');
    }
    if prefix <= 1 && body.starts_with('\'') {
        // A lifetime is no literal: a name follows, and no quote after its first character.
        let mut chars = body.chars().skip(1);
        let escaped = chars.next() == Some('\\');
        if escaped || chars.next() == Some('\'') {
            return prefix + quoted(body, '\'');
        }
    }
    0
}

/// The bytes of a literal up to the quote that ends it.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !escaped {
            return at + c.len_utf8();
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// The words of a name, in lower case: `PublishedDocument` and `published_document` have the same two.
#[must_use]
pub fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut fresh = true;
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            fresh = true;
            continue;
        }
        if fresh || c.is_uppercase() && !upper {
            words.push(String::new());
        }
        fresh = false;
        upper = c.is_uppercase();
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// Every Rust file of the workspace, from its root, in order.
#[must_use]
pub fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let skipped =
                ["target", "node_modules"].iter().any(|n| name == *n) || name.to_string_lossy().starts_with('.');
            if path.is_dir() && !skipped {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|e| e == "rs")
                && let (Ok(text), Ok(file)) = (std::fs::read_to_string(&path), path.strip_prefix(root))
            {
                found.insert(file.to_string_lossy().into_owned(), text);
            }
        }
    }
    let root = root();
    let mut found = BTreeMap::new();
    walk(&root, &root, &mut found);
    found
}

/// The folders of what is deployed: the components, and every crate of ours that one of them needs.
#[must_use]
pub fn deployed() -> BTreeSet<String> {
    let root = root();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    // `name = { path = "folder" }` in the table of the workspace.
    let table: BTreeMap<String, String> = read(&root.join("Cargo.toml"))
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(" = { path = \"")?;
            Some((name.to_owned(), rest.split('"').next()?.to_owned()))
        })
        .collect();
    let mut folders: Vec<String> = std::fs::read_dir(root.join("components"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| format!("components/{}", entry.file_name().to_string_lossy()))
        .collect();
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        let manifest = read(&root.join(&folder).join("Cargo.toml"));
        if !found.insert(folder) {
            continue;
        }
        let needed = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        folders.extend(needed.lines().filter_map(|line| table.get(line.split(['.', ' ']).next()?).cloned()));
    }
    found
}
