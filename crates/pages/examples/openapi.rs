//! Writes `openapi.json` from the one description in [`pages::openapi`] and the recorded examples.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let dossier = Path::new(env!("CARGO_MANIFEST_DIR"));
    let exemples = std::fs::read_to_string(dossier.join("exemples.json"))?;
    let exemples = serde_json::from_str(&exemples)?;
    let texte = serde_json::to_string_pretty(&pages::openapi::document(&exemples))? + "\n";
    std::fs::write(dossier.join("openapi.json"), texte)
}
