//! What the tests of the pages share: the application with the sample published.

use anyhow::Context;
use support::push::Push;
use support::{Application, Settings, root};

/// The lines of the sample, as `scripts/up` sends them.
///
/// # Errors
/// Where a file of `data/` cannot be read.
pub fn sample() -> anyhow::Result<Vec<u8>> {
    let mut files: Vec<_> = std::fs::read_dir(root().join("data"))?.collect::<Result<_, _>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    let mut lines = Vec::new();
    for file in files.iter().map(std::fs::DirEntry::path).filter(|p| p.extension().is_some_and(|e| e == "ndjson")) {
        lines.extend(std::fs::read(&file).with_context(|| file.display().to_string())?);
    }
    Ok(lines)
}

/// The built application, with the sample.
///
/// # Errors
/// Where components are missing, or the sample is not published.
pub fn start() -> anyhow::Result<Application> {
    let application = Application::start(Settings::default())?;
    let job = application.push(&Push::all(sample()?))?;
    anyhow::ensure!(job.get("etape").is_some_and(|e| e == "publie"), "{job}");
    Ok(application)
}
