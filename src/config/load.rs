//! All sources together become a configuration, or the list of what is wrong with them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::agree::Agreement;
use super::given::{Gathered, Given};
use super::table::{ROWS, Row};
use super::{Config, Origin, Origins, Problem, Problems, Reason, file, outside};

/// The file that is read when none is named, if it is there.
const DEFAULT_FILE: &str = "config.toml";

/// Where a configuration comes from. Not `Debug`: the environment holds secrets.
#[derive(Clone, Default)]
pub struct Sources {
    /// `--config`: this file must be there. `None`: `config.toml` of the working directory, if it is.
    pub file: Option<PathBuf>,
    /// The environment, for `SRVD_…` and `${…}`.
    pub env: Vec<(String, String)>,
    /// `--dns`: `dns.listen`.
    pub dns: Option<String>,
    /// `--http`: `http.listen`.
    pub http: Option<String>,
    /// `--data`: `store.path`.
    pub data: Option<String>,
    /// Each `--set`, as `section.key=value`; the last one for a key counts.
    pub set: Vec<String>,
}

/// A configuration that holds together.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    /// What the operator should know, one line each.
    pub warnings: Vec<String>,
    pub origins: Origins,
}

impl Loaded {
    /// What starting found wrong with the value of `key`, such as an address in use, with the place it comes from.
    pub fn problem(&self, key: &str, reason: impl fmt::Display) -> Problem {
        Problem { origin: self.origins.of(key), key: key.to_owned(), reason: Reason::AtStart(reason.to_string()) }
    }
}

impl Config {
    /// Reads the file, then lays variables and flags over it.
    pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
        load(sources, |path| std::fs::read_to_string(path))
    }
}

/// [`Config::load`] with the file system as an argument.
fn load(sources: &Sources, read_file: impl Fn(&Path) -> io::Result<String>) -> Result<Loaded, Problems> {
    let mut gathered = Gathered::default();
    let directory = gather_file(sources, read_file, &mut gathered);
    outside::read_env(&sources.env, &mut gathered);
    outside::read_flags(sources, &mut gathered);

    let mut config = Config::in_directory(&directory);
    let mut origins = Origins::default();
    for row in ROWS {
        read_row(row, &mut config, &mut origins, &mut gathered);
    }
    let Gathered { mut problems, mut warnings, .. } = gathered;
    Agreement { config: &config, origins: &origins, problems: &mut problems, warnings: &mut warnings }.check();
    if problems.is_empty() { Ok(Loaded { config, warnings, origins }) } else { Err(Problems::new(problems)) }
}

/// Adds what the file says, and gives its directory; empty when there is no file.
fn gather_file(sources: &Sources, read_file: impl Fn(&Path) -> io::Result<String>, gathered: &mut Gathered) -> PathBuf {
    let path = sources.file.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    let variable = |name: &str| sources.env.iter().rev().find(|(its, _)| its == name).map(|(_, value)| value.clone());
    match read_file(path) {
        Ok(text) => file::read(path, &text, &variable, gathered),
        Err(error) if error.kind() == io::ErrorKind::NotFound && sources.file.is_none() => return PathBuf::new(),
        Err(error) => {
            let origin = Origin::File { path: path.to_owned(), line: None };
            gathered.refuse(origin, "", Reason::Unreadable { kind: error.kind() });
        }
    }
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// Reads every value of a key, lowest rank first, so that the highest stays; each must be right.
fn read_row(row: &'static Row, config: &mut Config, origins: &mut Origins, gathered: &mut Gathered) {
    let given = gathered.take(row.key);
    for Given { origin, base, node } in &given {
        match row.slot.read(config, node, base) {
            Ok(()) => origins.set(row.key, origin.clone(), node.template().map(str::to_owned)),
            Err(fault) => {
                let key = format!("{}{}", row.key, fault.member);
                gathered.refuse(origin.clone().at(fault.line), key, fault.reason);
            }
        }
    }
}

#[cfg(test)]
mod tests;
