//! What an image shows: its width, its name, its percentages.

use anyhow::Context;
use serde::Deserialize;

/// What is compared of an image. A recorded answer to HEAD shows nothing at all.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The width in pixels.
    pub width: Option<f64>,
    /// The text of `title`.
    pub title: Option<String>,
    /// The text of `desc`.
    pub desc: Option<String>,
    /// The percentages as drawn, in any order.
    pub percentages: Vec<String>,
}

impl Shown {
    /// Reads an image.
    ///
    /// # Errors
    /// Where it is no SVG.
    pub fn read(svg: &str) -> anyhow::Result<Self> {
        let document = roxmltree::Document::parse(svg).context("the image is no XML")?;
        let root = document.root_element();
        anyhow::ensure!(root.has_tag_name(("http://www.w3.org/2000/svg", "svg")), "the root is no svg element");
        let text = |name: &str| {
            let found = root.children().find(|child| child.tag_name().name() == name)?;
            Some(found.text().unwrap_or_default().to_owned())
        };
        let width = root.attribute("width").and_then(|width| width.trim_end_matches("px").parse().ok());
        let percentages = root
            .descendants()
            .filter(|node| node.is_text())
            .filter_map(|node| node.text())
            .map(|text| text.replace([' ', '\u{a0}', '\u{202f}'], ""))
            .filter(|text| text.strip_suffix('%').is_some_and(|number| number.parse::<f64>().is_ok()))
            .collect();
        Ok(Self { width, title: text("title"), desc: text("desc"), percentages }.sorted())
    }

    /// With the percentages in order, unknown ones left out.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.percentages.retain(|percentage| percentage != "--");
        self.percentages.sort();
        self
    }

    /// What differs from a recorded image.
    #[must_use]
    pub fn differences(&self, theirs: &Self) -> Vec<String> {
        let (ours, theirs) = (self.clone().sorted(), theirs.clone().sorted());
        let mut differences = Vec::new();
        let mut note = |name: &str, theirs: String, ours: String| {
            if theirs != ours {
                differences.push(format!("{name}: expected {theirs}, got {ours}"));
            }
        };
        note("width", format!("{:?}", theirs.width), format!("{:?}", ours.width));
        note("title", format!("{:?}", theirs.title), format!("{:?}", ours.title));
        note("desc", format!("{:?}", theirs.desc), format!("{:?}", ours.desc));
        note("percentages", format!("{:?}", theirs.percentages), format!("{:?}", ours.percentages));
        differences
    }
}
