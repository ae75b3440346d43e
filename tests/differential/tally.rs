//! What came of all questions: counts, groups with an example each, and the smallest failure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;

use crate::asking;
use crate::common::message::{Record, Response};
use crate::questions::{Question, Transport};
use crate::references::NAMES;
use crate::verdict::View;
use crate::zones::Zone;

/// Records of one example that are shown in full.
const SHOWN: usize = 12;

/// The counts so far.
#[derive(Default)]
pub struct Tally {
    pub asked: usize,
    /// Questions to which the three references agree.
    pub agreed: usize,
    truncated: usize,
    /// How often which parts differ between whom, and the first example.
    groups: BTreeMap<String, (usize, String)>,
    /// Where srvd differs, with what everybody answered.
    pub wrong: Vec<(Question, String)>,
}

impl Tally {
    /// Takes the responses of srvd and of the references, in this order.
    pub fn judge(&mut self, zone: &Zone, question: &Question, responses: &[Response], servers: &[SocketAddr]) {
        let views: Vec<View> = responses.iter().map(|response| View::of(response, question, &zone.apex)).collect();
        let [own, references @ ..] = views.as_slice() else { panic!("no responses") };
        self.asked += 1;
        let quarrel = quarrel(references);
        if !quarrel.is_empty() {
            let with = (0..3).filter(|at| own.differs(&references[*at]).is_empty());
            let with: Vec<&str> = with.map(|at| NAMES[at]).collect();
            self.group(format!("{quarrel}; srvd is with {with:?}"), || example(zone, question, &views));
            return;
        }
        self.agreed += 1;
        let mut parts = own.differs(&references[0]);
        if !references.iter().any(|reference| own.has_additional_of(reference)) {
            parts.push("additional, from all");
        }
        if has_repetition(&responses[0]) {
            parts.push("a record twice in a section");
        }
        if own.tc || (own.is_referral() && question.transport != Transport::Tcp) {
            self.truncated += usize::from(own.tc);
            parts.extend(against_whole(own, question, zone, servers));
        }
        if !parts.is_empty() {
            let told = example(zone, question, &views);
            self.group(format!("srvd: {}", parts.join(", ")), || told.clone());
            self.wrong.push((question.clone(), told));
        }
    }

    fn group(&mut self, name: String, example: impl FnOnce() -> String) {
        self.groups.entry(name).or_insert_with(|| (0, example())).0 += 1;
    }

    /// The counts, and every group with its example.
    pub fn summary(&self) -> String {
        let Self { asked, agreed, truncated, groups, wrong } = self;
        let mut text = format!(
            "{asked} questions; NSD, Knot and BIND agree on {agreed}, of which srvd truncates {truncated} and differs on {}\n",
            wrong.len()
        );
        for (group, (count, example)) in groups {
            writeln!(text, "{count:6} {group}\n{example}").expect("text grows");
        }
        text
    }

    /// The failure in the smallest zone, to be replayed by serving the zone and asking the question.
    pub fn smallest(&self, zones: &[Zone]) -> String {
        let smallest = self.wrong.iter().min_by_key(|(question, _)| zones[question.zone].text.len());
        smallest.map_or(String::new(), |(question, told)| {
            let Zone { apex, text, .. } = &zones[question.zone];
            format!("{apex}.zone:\n{text}\n{told}")
        })
    }
}

/// The parts in which the references differ among each other.
fn quarrel(references: &[View]) -> String {
    let pairs = [(0, 1), (0, 2), (1, 2)];
    let differ = pairs.into_iter().filter_map(|(one, other)| {
        let parts = references[one].differs(&references[other]);
        (!parts.is_empty()).then(|| format!("{}/{}: {}", NAMES[one], NAMES[other], parts.join(" ")))
    });
    differ.collect::<Vec<_>>().join(", ")
}

fn has_repetition(response: &Response) -> bool {
    [&response.answer, &response.authority, &response.additional].into_iter().any(|section| {
        let different: BTreeSet<&Record> = section.iter().collect();
        different.len() < section.len()
    })
}

/// What is wrong with a response that may lack something, held against Knot's over TCP.
fn against_whole(own: &View, question: &Question, zone: &Zone, servers: &[SocketAddr]) -> Option<&'static str> {
    let again = [Question { transport: Transport::Tcp, ..question.clone() }];
    let whole = View::of(&asking::ask(&servers[2..3], &again)[0][0], question, &zone.apex);
    if !own.is_part_of(&whole) {
        Some("a truncated response with records of its own")
    } else if own.is_referral() && !own.glue_is_whole(&whole) {
        Some("tc does not tell whether in-domain glue is missing")
    } else {
        None
    }
}

/// A question and what everybody answered.
fn example(zone: &Zone, question: &Question, views: &[View]) -> String {
    let Question { name, kind, transport, .. } = question;
    let mut text = format!("  {name} {kind} {transport:?}, in {}\n", zone.parts.join(", "));
    let servers: Vec<&str> = ["srvd"].into_iter().chain(NAMES).collect();
    for (at, view) in views.iter().enumerate() {
        let same = views[..at].iter().position(|earlier| earlier == view);
        let told = same.map_or_else(|| shortened(&view.to_string()), |earlier| format!("as {}", servers[earlier]));
        writeln!(text, "  {}: {told}", servers[at]).expect("text grows");
    }
    text
}

fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let rest = lines.len().saturating_sub(SHOWN);
    let shown = lines[..lines.len() - rest].join("\n");
    if rest == 0 { shown } else { format!("{shown}\n    and {rest} more") }
}
