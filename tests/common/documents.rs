//! What the README, `docs/` and `packaging/README.md` say, for the tests that hold them to it.
//!
//! A fenced block is named by its page, the heading above it, and its language. `tests/documents.rs` reads the calls of
//! [`block`] and [`blocks`] in all tests, and fails for a block that none of them names; so the three are always written
//! out.

use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    pub page: String,
    pub heading: String,
    pub language: String,
    /// Without the fence.
    pub text: String,
}

/// The only block of `language` under a heading.
#[track_caller]
pub fn block(page: &str, heading: &str, language: &str) -> String {
    let blocks = blocks(page, heading, language);
    assert_eq!(blocks.len(), 1, "{page} has one {language} block under {heading:?}");
    blocks.into_iter().next().unwrap_or_default()
}

/// Every block of `language` under a heading, in order.
pub fn blocks(page: &str, heading: &str, language: &str) -> Vec<String> {
    let is_meant = |block: &Block| block.heading == heading && block.language == language;
    fenced(page).into_iter().filter(is_meant).map(|block| block.text).collect()
}

/// Every page.
pub fn pages() -> Vec<String> {
    let docs = std::fs::read_dir(root().join("docs")).expect("the directory");
    let names = docs.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut pages: Vec<String> =
        names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}")).collect();
    pages.extend(["README.md", "packaging/README.md"].map(str::to_owned));
    pages.sort();
    pages
}

/// The text of a page, or of another file of the repository.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every fenced block of a page.
pub fn fenced(page: &str) -> Vec<Block> {
    let text = read(page);
    let (mut heading, mut blocks, mut open) = (String::new(), Vec::new(), None::<Block>);
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(""), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                let (page, heading, language) = (page.to_owned(), heading.clone(), language.to_owned());
                open = Some(Block { page, heading, language, text: String::new() });
            }
            (_, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) if line.starts_with('#') => heading = line.trim_start_matches('#').trim().to_owned(),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{page}: a block has no end");
    blocks
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
