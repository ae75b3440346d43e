//! `srvd update`: change some members of a registration, and leave the others.
//!
//! What is sent is a JSON merge patch (RFC 7396): an option replaces its member, but `--ports` and `--meta` change the
//! entries that they name, and `--unset` puts a member or an entry back to what it would be had it never been given.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hyper::Method;
use serde_json::{Map, Value};

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::members::Members;
use super::target::Target;
use super::{document, show};

/// Which instance, and what of it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct UpdateArgs {
    #[command(flatten)]
    connection: Connection,
    /// Service of the instance
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    service: String,
    /// Id of the instance
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// Member to take away, or one entry, as metadata.team or ports.http; may be repeated
    #[arg(long, value_name = "MEMBER[.ENTRY]", value_parser = NonEmptyStringValueParser::new())]
    unset: Vec<String>,
    /// JSON merge patch, `-` for standard input; an option replaces the member it names
    #[arg(long)]
    file: Option<PathBuf>,
    #[command(flatten)]
    members: Members,
}

impl UpdateArgs {
    fn patch(&self, input: &mut dyn Read) -> anyhow::Result<Map<String, Value>> {
        let mut patch = match &self.file {
            None => Map::new(),
            Some(path) => document::object(path, input).with_context(|| format!("--file {}", path.display()))?,
        };
        self.members.set_in(&mut patch)?;
        // A registration has one of the two; the one that is named takes the place of the other.
        match self.members.address.len() {
            0 => None,
            1 => patch.insert("addresses".to_owned(), Value::Null),
            _ => patch.insert("address".to_owned(), Value::Null),
        };
        for path in &self.unset {
            unset(&mut patch, path)?;
        }
        if patch.is_empty() {
            bail!("there is nothing to change; name a member, as in `--weight 0`");
        }
        Ok(patch)
    }
}

/// Has the patch take away the member, or the entry of a member, that `path` names.
fn unset(patch: &mut Map<String, Value>, path: &str) -> anyhow::Result<()> {
    let (member, entry) = path.split_once('.').map_or((path, None), |(member, entry)| (member, Some(entry)));
    let place = match entry {
        None => patch,
        Some(_) => match patch.entry(member).or_insert_with(|| Map::new().into()) {
            Value::Object(entries) => entries,
            _ => bail!("--unset {path}: {member} has no entries"),
        },
    };
    match place.insert(entry.unwrap_or(member).to_owned(), Value::Null) {
        Some(_) => bail!("--unset {path}: it is also given a value"),
        None => Ok(()),
    }
}

impl Ask for UpdateArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, input: &mut dyn Read) -> anyhow::Result<Call> {
        let target = Target::v1(&["services", &self.service, "instances", &self.id]);
        let mut call = Call::new(format!("{}/{}", self.service, self.id), Method::PATCH, target);
        call.body = Some(self.patch(input)?);
        Ok(call)
    }

    fn show(&self, reply: &Value, page: Page) -> String {
        show::instance(reply, page)
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd update web a --weight 0
  srvd update web a --tag v2 --tag canary --meta team=shop
  srvd update web a --unset version --unset metadata.team
  srvd update web a --file patch.json --output json";

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::cli::{ClientCommand, Command};

    fn patch(line: &str, file: &str) -> Result<Value, String> {
        let words = ["srvd", "update", "web", "a"].into_iter().chain(line.split_whitespace());
        let Command::Client(ClientCommand::Update(args)) = crate::cli::Cli::try_parse_from(words).unwrap().command
        else {
            panic!("{line}")
        };
        args.patch(&mut file.as_bytes()).map(Value::Object).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn patches() {
        for (line, file, body) in [
            ("--weight 0", "", json!({"weight": 0})),
            ("--meta team=shop", "", json!({"metadata": {"team": "shop"}})),
            ("--address ::1", "", json!({"address": "::1", "addresses": null})),
            ("--address ::1 --address ::2", "", json!({"addresses": ["::1", "::2"], "address": null})),
            ("--unset version", "", json!({"version": null})),
            (
                "--meta a=1 --unset metadata.b --unset metadata.c.d",
                "",
                json!({"metadata": {"a": "1", "b": null, "c.d": null}}),
            ),
            (
                "--weight 2 --slow-start 1m --deregister-after 1h --file -",
                r#"{"weight":1,"version":null}"#,
                json!({"weight": 2, "slow_start": "1m", "deregister_after": "1h", "version": null}),
            ),
        ] {
            assert_eq!(patch(line, file), Ok(body), "{line}");
        }
    }

    #[test]
    fn what_says_nothing_or_two_things() {
        for (line, words) in [
            ("", "nothing to change"),
            ("--weight 1 --unset weight", "also given a value"),
            ("--weight 1 --unset weight.x", "weight has no entries"),
            ("--meta a=1 --unset metadata.a", "also given a value"),
            ("--meta a=1 --unset metadata", "also given a value"),
            ("--file -", "--file -: not a JSON object"),
        ] {
            let error = patch(line, "[]").unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
