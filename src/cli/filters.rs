//! The options that choose among the instances of a service, for every command that takes them.

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::pair;
use super::target::Target;

/// What `--status` takes: each status, and the one for no filter.
const STATUSES: [&str; 7] = ["all", "healthy", "starting", "unhealthy", "lapsed", "draining", "maintenance"];

/// Which instances.
#[derive(Debug, Args)]
pub struct Filters {
    /// Only those with that status
    #[arg(long, value_parser = PossibleValuesParser::new(STATUSES))]
    status: Option<String>,
    /// Only those that carry the tag; repeat for all of several
    #[arg(long)]
    tag: Vec<String>,
    /// Only those of that version
    #[arg(long)]
    version: Option<String>,
    /// Only those with that metadata; repeat for all of several
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair::text)]
    meta: Vec<(String, String)>,
}

impl Filters {
    /// `target` with the parameters that say so.
    pub(super) fn onto(&self, target: Target) -> Target {
        let target =
            target.with_each("status", &self.status).with_each("tag", &self.tag).with_each("version", &self.version);
        self.meta.iter().fold(target, |target, (key, value)| target.with(&format!("meta.{key}"), value))
    }
}
