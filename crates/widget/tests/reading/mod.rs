//! Reads a picture as a client does.

use roxmltree::{Document, Node};

/// What a picture says.
#[derive(Debug, PartialEq)]
pub struct Picture {
    /// The width of the root, in pixels.
    pub width: u64,
    /// The text of `title`.
    pub title: Option<String>,
    /// The text of `desc`.
    pub desc: Option<String>,
    /// The percentages drawn, such as `45%`, sorted; unknown ones left out.
    pub percentages: Vec<String>,
}

/// Reads a picture; panics where it is no well-formed SVG document with one view box of its own size.
pub fn read(svg: &str) -> Picture {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "svg");
    assert_eq!(root.tag_name().namespace(), Some("http://www.w3.org/2000/svg"));
    let [width, height] = ["width", "height"].map(|name| root.attribute(name).unwrap().parse::<u64>().unwrap());
    assert_eq!(root.attribute("viewBox").unwrap(), format!("0 0 {width} {height}"));
    let text = |tag: &str| {
        let mut nodes = root.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", tag)));
        let first = nodes.next().map(|node| node.text().unwrap_or_default().to_owned());
        assert!(nodes.next().is_none(), "more than one {tag}");
        first
    };
    let mut percentages: Vec<String> =
        root.descendants().filter(|node| node.has_tag_name("text")).filter_map(percentage).collect();
    percentages.sort();
    Picture { width, title: text("title"), desc: text("desc"), percentages }
}

fn percentage(node: Node<'_, '_>) -> Option<String> {
    let number = node.text()?.strip_suffix('%')?;
    (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())).then(|| format!("{number}%"))
}
