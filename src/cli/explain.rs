//! `srvd explain`: how DNS answers a question, and why each instance is in the answer or is not.

use std::io::Read;
use std::net::IpAddr;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hyper::Method;
use serde_json::Value;

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::show::{items, text};
use super::table::{self, Fact};
use super::target::Target;

/// Which question.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    #[command(flatten)]
    connection: Connection,
    /// Name that is asked for; taken as absolute
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    name: String,
    /// Type that is asked for
    #[arg(value_name = "TYPE", default_value = "A", value_parser = NonEmptyStringValueParser::new())]
    rtype: String,
    /// Who asks; this host unless given
    #[arg(long, value_name = "IP")]
    client: Option<IpAddr>,
}

impl Ask for ExplainArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        let target = Target::v1(&["explain"])
            .with_each("name", [&self.name])
            .with_each("type", [&self.rtype])
            .with_each("client", self.client.map(|client| client.to_string()));
        Ok(Call::new(&self.name, Method::GET, target))
    }

    fn show(&self, reply: &Value, page: Page) -> String {
        show(reply, page)
    }
}

/// The answer as a whole, then its records, then the instances.
fn show(reply: &Value, page: Page) -> String {
    let mut parts = vec![table::sheet(&facts(reply), page.screen)];
    for (member, title) in [("records", "answer"), ("authority", "authority"), ("additional", "additional")] {
        let lines: Vec<String> = items(reply, member).iter().map(|line| format!("  {}", text(line))).collect();
        if !lines.is_empty() {
            parts.push(format!("{title}:\n{}", lines.join("\n")));
        }
    }
    let rows: Vec<_> = items(reply, "instances").iter().map(row).collect();
    if !rows.is_empty() {
        parts.push(table::rows(&rows, page.screen));
    }
    parts.join("\n\n")
}

fn facts(reply: &Value) -> Vec<Fact> {
    let zone = &reply["zone"];
    let zone = [&zone["apex"], &zone["kind"], &zone["file"]].map(text);
    let service = &reply["service"];
    let mut facts = vec![
        Fact::new("question", words([&reply["name"], &reply["type"]].map(text))),
        Fact::new("client", text(&reply["client"])),
        Fact::new("rcode", text(&reply["rcode"])),
        Fact::new("why", text(&reply["why"])),
        Fact::new("zone", words(zone)),
        Fact::new("ttl", ttl(service)),
    ];
    facts.extend(items(reply, "notes").iter().map(|note| Fact::new("note", text(note))));
    let messages = &reply["messages"];
    for (word, member) in [("udp", "udp"), ("udp, edns", "edns"), ("tcp", "tcp")] {
        facts.push(Fact::new(word, message(&messages[member])));
    }
    facts
}

/// The TTL of a service's records, and who says so.
fn ttl(service: &Value) -> String {
    let whose = match service["record_ttl_is_own"].as_bool() {
        Some(true) => "set for the service",
        Some(false) => "as configured",
        None => return String::new(),
    };
    format!("{} s, {whose}", text(&service["record_ttl"]))
}

fn message(message: &Value) -> String {
    if message["octets"].is_null() {
        return String::new();
    }
    let [octets, limit, answers] = ["octets", "limit", "answers"].map(|member| text(&message[member]));
    let truncated = if message["truncated"] == true { ", truncated" } else { "" };
    format!("{octets} of {limit} octets, {answers} in the answer{truncated}")
}

fn row(instance: &Value) -> Vec<Fact> {
    let share = instance["share"].as_f64().map_or_else(String::new, |share| format!("{:.1} %", share * 100.0));
    let is_in = match instance["in"].as_bool() {
        Some(true) => "in",
        Some(false) => "out",
        None => "",
    };
    let name = [&instance["service"], &instance["id"]].map(text);
    vec![
        Fact::new("instance", name.join("/")),
        Fact::new("answer", is_in.to_owned()),
        Fact::status("status", text(&instance["status"])),
        Fact::common("priority", text(&instance["priority"]), "0"),
        Fact::new("weight", text(&instance["effective_weight"])),
        Fact::new("first", share),
        Fact::common("why", text(&instance["why"]), "healthy"),
    ]
}

fn words<const N: usize>(words: [String; N]) -> String {
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

const EXAMPLES: &str = "\
Examples:
  srvd explain web.svc.local
  srvd explain _web._tcp.svc.local SRV --client 192.0.2.7
  srvd explain 7.0.0.10.in-addr.arpa PTR --output json";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::Screen;
    use serde_json::json;

    fn page() -> Page {
        Page { screen: Screen::PLAIN, now: jiff::Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn an_answer() {
        let message = json!({"limit": 512, "octets": 65, "truncated": false, "answers": 1, "additional": 0});
        let cut = json!({"limit": 512, "octets": 500, "truncated": true, "answers": 28, "additional": 0});
        let reply = json!({
        "name": "web.svc.local.", "type": "A", "client": "127.0.0.1", "rcode": "NOERROR",
        "why": "it stands for the instances of service web", "notes": ["one", "two"],
        "zone": {"kind": "live", "apex": "svc.local."},
        "service": {"record_ttl": 5, "record_ttl_is_own": false},
        "records": ["web.svc.local. 5 IN A 10.0.0.1"], "authority": [], "additional": [],
        "messages": {"udp": cut, "tcp": message},
        "instances": [
            {"service": "web", "id": "a", "status": "healthy", "in": true, "why": "healthy", "priority": 0,
             "effective_weight": 3, "share": 1.0},
            {"service": "web", "id": "b", "status": "lapsed", "in": false, "why": "lapsed: its lease\nran out",
             "priority": 0, "effective_weight": 1},
        ]});
        let lines = [
            "question  web.svc.local. A",
            "client    127.0.0.1",
            "rcode     NOERROR",
            "why       it stands for the instances of service web",
            "zone      svc.local. live",
            "ttl       5 s, as configured",
            "note      one",
            "note      two",
            "udp       500 of 512 octets, 28 in the answer, truncated",
            "tcp       65 of 512 octets, 1 in the answer",
            "",
            "answer:",
            "  web.svc.local. 5 IN A 10.0.0.1",
            "",
            "INSTANCE  ANSWER  STATUS   WEIGHT  FIRST    WHY",
            "web/a     in      healthy  3       100.0 %  healthy",
            r"web/b     out     lapsed   1                lapsed: its lease\nran out",
        ];
        assert_eq!(show(&reply, page()), lines.join("\n"));
    }

    #[test]
    fn replies_with_gaps() {
        assert_eq!(show(&json!({"rcode": "REFUSED", "zone": null}), page()), "rcode  REFUSED");
        assert_eq!(show(&json!(null), page()), "");
    }
}
