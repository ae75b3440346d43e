//! `srvd doctor`: whether programs on this host reach the zone by name, and what to change where they do not.
//!
//! The host and the server are looked at ([`look`]), which gives [`facts::Facts`]; what these mean is judged without looking
//! again ([`judge`]), and what to write into which file follows from the zone and where srvd answers ([`remedies`]).

mod asking;
mod facts;
mod files;
mod judge;
mod look;
mod message;
mod remedies;
mod show;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;

use super::ask::{self, Streams};
use super::connection::{Connection, Output};
use super::exit::{Exit, Failure};
use super::table::Screen;
use crate::wire::Name;
use judge::Verdict;

/// Which zone, and who serves it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DoctorArgs {
    #[command(flatten)]
    connection: Connection,
    /// Zone to reach; the server's own unless given
    #[arg(long, value_parser = zone)]
    zone: Option<Name>,
    /// Where srvd answers DNS, as this host reaches it; what the server says unless given
    #[arg(long, value_name = "ADDR:PORT")]
    dns: Option<SocketAddr>,
    /// Name to look up; one that the server has unless given
    #[arg(long, value_parser = zone)]
    name: Option<Name>,
    /// Show what to write into the files of each resolver even if all is well
    #[arg(long)]
    remedies: bool,
}

fn zone(text: &str) -> Result<Name, String> {
    match Name::parse(text) {
        Ok(name) if name.is_root() => Err("the root is no zone of srvd".to_owned()),
        Ok(name) => Ok(name.to_lowercase()),
        Err(error) => Err(error.to_string()),
    }
}

/// Looks, judges and prints. The exit code is [`Exit::Done`] when the names of the zone reach programs on this host.
pub fn doctor(args: &DoctorArgs) -> ExitCode {
    let mut streams = Streams {
        input: &mut std::io::empty(),
        output: &mut std::io::stdout(),
        errors: &mut std::io::stderr(),
        screen: Screen::of_standard_output(),
    };
    let done = run(args, &mut streams);
    ask::finish(done, args.connection.output, streams.errors).into()
}

fn run(args: &DoctorArgs, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let facts = look::look(args);
    let findings = judge::judge(&facts);
    let is_well = findings.iter().all(|finding| finding.verdict != Verdict::Problem);
    let remedies = remedies::remedies(&facts);
    let text = match args.connection.output {
        Output::Json => show::json(&facts, &findings, &remedies).to_string(),
        Output::Table => {
            let remedies = if is_well && !args.remedies { &[][..] } else { &remedies };
            show::text(&facts, &findings, remedies, streams.screen)
        }
    };
    ask::print(streams.output, text.as_bytes()).map_err(Failure::Output)?;
    Ok(match (&facts.server, is_well) {
        (_, true) => Exit::Done,
        (Err(_), false) => Exit::Unreachable,
        (Ok(_), false) => Exit::Refused,
    })
}

pub(super) const ABOUT: &str = "\
Find out whether programs on this host reach the zone by name: ask srvd, each name server that the host is configured \
with, and the host's own resolver. Where one of them fails, say why, what `.local` means here, and which lines to add for \
systemd-resolved, dnsmasq, unbound, CoreDNS and macOS. Nothing is changed.";

const EXAMPLES: &str = "\
Examples:
  srvd doctor
  srvd doctor --name web.svc.local
  srvd doctor --server http://10.0.0.2:8053 --dns 10.0.0.2:53
  srvd doctor --remedies
  srvd doctor --output json";
