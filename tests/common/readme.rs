//! What the README says, for the tests that hold it to it.

/// The only fenced block of `language`, without its fence.
pub fn block(language: &str) -> String {
    let blocks = blocks(language);
    assert_eq!(blocks.len(), 1, "the README has one {language} block");
    blocks.into_iter().next().unwrap_or_default()
}

/// Every fenced block of `language`, in order.
pub fn blocks(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the README");
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).filter_map(|rest| rest.split("```").next().map(str::to_owned)).collect()
}
