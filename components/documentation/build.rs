//! Embeds what scripts/assets left in `assets/`: gzip files, by name. The folder may be absent.

use std::fmt::Write;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("assets");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=assets");
    let mut names: Vec<String> = match std::fs::read_dir(&folder) {
        Ok(entries) => {
            entries.map(|e| Ok(e?.file_name().to_string_lossy().into_owned())).collect::<std::io::Result<_>>()?
        }
        Err(_) => Vec::new(),
    };
    names.retain(|n| n.ends_with(".gz"));
    names.sort();
    let mut code = String::from("static FILES: &[PackedFile] = &[\n");
    for name in &names {
        let path = folder.join(name);
        writeln!(
            code,
            "    PackedFile {{ name: {:?}, gzip: include_bytes!({:?}) }},",
            name.trim_end_matches(".gz"),
            path.display().to_string()
        )?;
    }
    code.push_str("];\n");
    std::fs::write(Path::new(&std::env::var("OUT_DIR")?).join("files.rs"), code)?;
    Ok(())
}
