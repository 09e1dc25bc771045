//! Embeds what scripts/assets left in `assets/`: gzip files, by name. The folder may be absent.

use std::fmt::Write;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dossier = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("assets");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=assets");
    let mut noms: Vec<String> = match std::fs::read_dir(&dossier) {
        Ok(entrees) => {
            entrees.map(|e| Ok(e?.file_name().to_string_lossy().into_owned())).collect::<std::io::Result<_>>()?
        }
        Err(_) => Vec::new(),
    };
    noms.retain(|n| n.ends_with(".gz"));
    noms.sort();
    let mut code = String::from("static FICHIERS: &[Fichier] = &[\n");
    for nom in &noms {
        let chemin = dossier.join(nom);
        writeln!(
            code,
            "    Fichier {{ nom: {:?}, gzip: include_bytes!({:?}) }},",
            nom.trim_end_matches(".gz"),
            chemin.display().to_string()
        )?;
    }
    code.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("fichiers.rs"), code)?;
    Ok(())
}
