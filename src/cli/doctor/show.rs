//! What was found, for people and for programs.

use serde_json::{Value, json};

use super::facts::Facts;
use super::judge::{Finding, Verdict, bare};
use super::remedies::Remedy;
use crate::cli::show::printable;
use crate::cli::table::{self, Fact, Screen};

/// A line for each finding; then, where something is to be done, what to write into which file.
pub(super) fn text(facts: &Facts, findings: &[Finding], remedies: &[Remedy], screen: Screen) -> String {
    let rows: Vec<_> = findings.iter().map(row).collect();
    let mut text = table::rows(&rows, screen);
    text += &format!("\n\n{}\n", conclusion(facts, findings));
    for remedy in remedies {
        let used = if remedy.is_used { " (which this host uses)" } else { "" };
        text += &format!("\n{}{used}: write into {}\n\n", remedy.resolver, remedy.file);
        text.extend(remedy.lines.lines().map(|line| format!("    {line}\n")));
        text += &format!("\n  then: {}\n", remedy.then);
    }
    text
}

fn row(finding: &Finding) -> Vec<Fact> {
    vec![
        Fact::new("what", finding.subject.clone()),
        Fact::status("verdict", finding.verdict.as_str().to_owned()),
        Fact::new("found", printable(&finding.words)),
    ]
}

fn conclusion(facts: &Facts, findings: &[Finding]) -> String {
    let zone = bare(&facts.zone);
    let problem_in = |subject: &str| findings.iter().any(|f| f.subject == subject && f.verdict == Verdict::Problem);
    if problem_in("dns") {
        return format!("srvd itself does not answer for {zone} as this host reaches it: mend that first.");
    }
    if findings.iter().any(|finding| finding.verdict == Verdict::Problem) {
        return format!("Programs on this host do not reach {zone}. Have the resolver they use send it to srvd:");
    }
    match facts.lookup {
        Some(_) => format!("Programs on this host reach {zone}."),
        None => format!("Nothing speaks against programs on this host reaching {zone}, but no name could be tried."),
    }
}

/// The same as one document.
pub(super) fn json(facts: &Facts, findings: &[Finding], remedies: &[Remedy]) -> Value {
    let finding = |finding: &Finding| json!({"subject": finding.subject, "verdict": finding.verdict.as_str(), "words": finding.words});
    let remedy = |remedy: &Remedy| json!({"resolver": remedy.resolver, "file": remedy.file, "lines": remedy.lines, "then": remedy.then, "used": remedy.is_used});
    json!({
        "zone": bare(&facts.zone),
        "well": findings.iter().all(|finding| finding.verdict != Verdict::Problem),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
        "remedies": remedies.iter().map(remedy).collect::<Vec<_>>(),
    })
}
