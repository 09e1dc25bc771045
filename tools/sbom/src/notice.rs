//! The NOTICE: what is shipped, under which licence, and the texts of these.

use crate::licence::{Expression, allowed};
use crate::shipped::{self, Package};
use anyhow::{Context, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The file, in the root of the project.
pub const FILE: &str = "NOTICE";

const HEAD: &str = "\
Exposition is published under the MIT licence (LICENSE). What the built components contain beside its own code is listed
here, each with the licence under which it is used, and its text below. Made by scripts/sbom --notice; not edited by hand.

The data that a deployment serves is not part of the software and has a licence of its own (see README.md, Licences).
";

/// Where texts begin; the list before it is what a check compares.
const TEXTS: &str = "\nTexts of the licences\n";

/// The list of what is shipped, without the texts.
///
/// # Errors
/// Where a licence is not allowed by `deny.toml`, or a file cannot be read.
pub fn list(root: &Path, packages: &BTreeSet<Package>) -> anyhow::Result<String> {
    let allowed = allowed(root)?;
    let mut text = format!("{HEAD}\nPackages linked into the components\n\n");
    for package in packages {
        let chosen = chosen(package, &allowed)?.join(" and ");
        writeln!(text, "  {} {} ({chosen})", package.name, package.version)?;
    }
    let swagger = swagger_version(root)?;
    text += "\nLinked in by the toolchain\n\n";
    text += "  the standard library of Rust (MIT or Apache-2.0), © the Rust project's developers\n";
    text +=
        "  wasi-libc (MIT, Apache-2.0 with the LLVM exception, and parts under MIT and BSD licences), © its authors\n";
    text += "\nEmbedded in the component images\n\n";
    text += "  Arimo, Latin letters of it (OFL-1.1), © The Arimo Project Authors; the text is in crates/raster/fonts/OFL.txt\n";
    text += "\nEmbedded in the documentation, where it is built with scripts/assets --install\n\n";
    let dsfr = npm_version(root, "@gouvfr/dsfr")?;
    writeln!(
        text,
        "  a part of the DSFR {dsfr} (Etalab-2.0, for sites of the State alone), © Service d'information du Gouvernement; its licence is served beside it"
    )?;
    writeln!(text, "  Swagger UI {swagger} (Apache-2.0), © SmartBear Software; its licence is served beside it")?;
    Ok(text)
}

/// The whole file.
///
/// # Errors
/// As [`list`]; where a package has no text of its licence and no other package has it.
pub fn whole(root: &Path, packages: &BTreeSet<Package>, metadata: &Value) -> anyhow::Result<String> {
    let allowed = allowed(root)?;
    let folders = folders(metadata);
    // The packages of each text, by licence; the same text is printed once.
    let mut texts: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut without: Vec<(String, String)> = Vec::new();
    for package in packages {
        let folder =
            folders.get(&(package.name.as_str(), package.version.as_str())).context("a package has a folder")?;
        for licence in chosen(package, &allowed)? {
            match licence_text(folder, &licence)? {
                Some(text) => texts.entry((licence, text)).or_default().push(package.name.clone()),
                None => without.push((licence, package.name.clone())),
            }
        }
    }
    for (licence, name) in without {
        let alike = texts.iter_mut().find(|((of, _), _)| *of == licence);
        let elsewhere = alike.map(|(_, names)| names.push(format!("{name} (whose package holds no text)")));
        if elsewhere.is_none() {
            let text = of_another(metadata, &licence)?;
            let text = text.with_context(|| format!("{name} has no text of {licence}, nor has any other package"))?;
            texts.insert((licence, text), vec![format!("{name} (whose package holds no text)")]);
        }
    }
    let mut notice = list(root, packages)? + TEXTS;
    for ((licence, text), names) in texts {
        write!(notice, "\n{}\n{licence}: {}\n\n{text}\n", "-".repeat(100), names.join(", "))?;
    }
    Ok(notice)
}

/// What the NOTICE should list and does not, and the other way round.
///
/// # Errors
/// Those differences.
pub fn check(root: &Path) -> anyhow::Result<()> {
    let expected = list(root, &shipped::packages(root)?)?;
    let notice = std::fs::read_to_string(root.join(FILE)).context(FILE)?;
    let listed = notice.split(TEXTS).next().unwrap_or_default();
    let missing: Vec<&str> = expected.lines().filter(|line| !listed.lines().any(|other| other == *line)).collect();
    let extra: Vec<&str> = listed.lines().filter(|line| !expected.lines().any(|other| other == *line)).collect();
    ensure!(
        missing.is_empty() && extra.is_empty(),
        "NOTICE is stale, run scripts/sbom --notice. Missing: {missing:#?}, no longer shipped: {extra:#?}"
    );
    Ok(())
}

fn chosen(package: &Package, allowed: &[String]) -> anyhow::Result<Vec<String>> {
    let expression = Expression::parse(&package.licence).with_context(|| package.name.clone())?;
    let chosen = expression.choose(allowed);
    chosen.with_context(|| {
        format!("{} is shipped under {}, which deny.toml does not allow", package.name, package.licence)
    })
}

fn folders(metadata: &Value) -> BTreeMap<(&str, &str), PathBuf> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let of = |package: &'_ Value| {
        let manifest = Path::new(package["manifest_path"].as_str()?);
        manifest.parent().map(Path::to_owned)
    };
    packages
        .filter_map(|package| Some(((package["name"].as_str()?, package["version"].as_str()?), of(package)?)))
        .collect()
}

/// A package's text of a licence: of the file whose name says so, or else of its only one.
fn licence_text(folder: &Path, licence: &str) -> anyhow::Result<Option<String>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if entry.path().is_file() && ["LICENSE", "LICENCE", "COPYING"].iter().any(|word| name.starts_with(word)) {
            files.push((name, entry.path()));
        }
    }
    files.sort();
    let says = |name: &str| match licence {
        "Apache-2.0" => name.contains("APACHE") && !name.contains("LLVM"),
        "Apache-2.0 WITH LLVM-exception" => name.contains("LLVM"),
        other => other.split('-').next().is_some_and(|word| name.contains(&word.to_uppercase())),
    };
    let found = files.iter().find(|(name, _)| says(name));
    let only = || files.first().filter(|_| files.len() == 1);
    let Some((_, path)) = found.or_else(only) else { return Ok(None) };
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
    Ok(Some(lines.join("\n")))
}

/// A licence's text out of any package that is not shipped under it, but could be.
fn of_another(metadata: &Value, licence: &str) -> anyhow::Result<Option<String>> {
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let offered =
            package["license"].as_str().is_some_and(|offered| offered.split(" OR ").any(|one| one == licence));
        let folder = package["manifest_path"].as_str().and_then(|path| Path::new(path).parent());
        if let (true, Some(folder)) = (offered, folder)
            && let Some(text) = licence_text(folder, licence)?
        {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

/// The version of Swagger UI that the documentation embeds.
///
/// # Errors
/// Where its package.json does not say.
pub fn swagger_version(root: &Path) -> anyhow::Result<String> {
    npm_version(root, "swagger-ui-dist")
}

/// The version of a package that the documentation embeds.
///
/// # Errors
/// Where its package.json does not say.
pub fn npm_version(root: &Path, package: &str) -> anyhow::Result<String> {
    let file = "components/documentation/package.json";
    let manifest: Value = serde_json::from_slice(&std::fs::read(root.join(file)).context(file)?)?;
    manifest["dependencies"][package].as_str().map(str::to_owned).context(file)
}
