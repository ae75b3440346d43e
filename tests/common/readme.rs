//! What the README and `docs/` say, for the tests that hold them to it.

/// The only fenced block of `language` in the README, without its fence.
pub fn block(language: &str) -> String {
    only(blocks(language), &format!("the README has one {language} block"))
}

/// Every fenced block of `language` in the README, in order.
pub fn blocks(language: &str) -> Vec<String> {
    fenced(&read("README.md"), language)
}

/// The only fenced block of `language` in the section `title` of `docs/consumers.md`.
pub fn consumer(title: &str, language: &str) -> String {
    let text = read("docs/consumers.md");
    let heading = format!("## {title}\n");
    let section = text.split("\n## ").find(|section| format!("## {section}").starts_with(&heading));
    let section = section.unwrap_or_else(|| panic!("docs/consumers.md has a section {title}"));
    only(fenced(section, language), &format!("the section {title} has one {language} block"))
}

fn read(path: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    std::fs::read_to_string(format!("{root}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn fenced(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).filter_map(|rest| rest.split("```").next().map(str::to_owned)).collect()
}

fn only(blocks: Vec<String>, what: &str) -> String {
    assert_eq!(blocks.len(), 1, "{what}");
    blocks.into_iter().next().unwrap_or_default()
}
