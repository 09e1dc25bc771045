//! Writes `openapi.json` from the one description in [`pages::openapi`] and the recorded examples.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = std::fs::read_to_string(folder.join("exemples.json"))?;
    let examples = serde_json::from_str(&examples)?;
    let text = serde_json::to_string_pretty(&pages::openapi::document(&examples))? + "\n";
    std::fs::write(folder.join("openapi.json"), text)
}
