//! Where a value comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The place of a value; those of a file come first, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of the file, counted from 1; `None` for the file as a whole.
    File { path: PathBuf, line: Option<usize> },
    /// An environment variable.
    Env(String),
    /// A flag.
    Flag(&'static str),
    /// Nobody set it.
    Default,
}

impl Origin {
    /// The same origin, at `line` if it is a file.
    pub(super) fn at(mut self, at: Option<usize>) -> Self {
        if let (Self::File { line, .. }, Some(_)) = (&mut self, at) {
            *line = at;
        }
        self
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Env(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
            Self::Default => f.write_str("default"),
        }
    }
}

/// Who set each key, and how a value may be shown.
#[derive(Debug, Clone, Default)]
pub struct Origins(BTreeMap<&'static str, Source>);

#[derive(Debug, Clone)]
struct Source {
    origin: Origin,
    /// The text with its `${…}` still in it, where there was one.
    template: Option<String>,
}

impl Origins {
    pub(super) fn set(&mut self, key: &'static str, origin: Origin, template: Option<String>) {
        self.0.insert(key, Source { origin, template });
    }

    /// The origin of the value that `key` has, such as `dns.listen`.
    pub fn of(&self, key: &str) -> Origin {
        self.0.get(key).map_or(Origin::Default, |source| source.origin.clone())
    }

    /// `value` of `key` as an error may show it; what came through `${…}` is shown as it stands in the file.
    pub fn shown(&self, key: &str, value: impl fmt::Display) -> String {
        match self.0.get(key).and_then(|source| source.template.as_ref()) {
            Some(template) => format!("{template:?}"),
            None => value.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_shown_and_ordered() {
        let line = |line| Origin::File { path: PathBuf::from("config.toml"), line };
        let ordered = [line(None), line(Some(2)), line(Some(10)), Origin::Env("SRVD_A".into()), Origin::Flag("--set")];
        assert!(ordered.is_sorted());
        assert_eq!(
            ordered.map(|origin| origin.to_string()),
            ["config.toml", "config.toml:2", "config.toml:10", "SRVD_A", "--set"]
        );
    }

    #[test]
    fn what_came_from_the_environment_is_shown_as_written() {
        let mut origins = Origins::default();
        origins.set("http.listen", Origin::Flag("--http"), None);
        origins.set("store.path", Origin::Flag("--set"), Some("${DIR}".into()));
        assert_eq!(origins.shown("http.listen", 7), "7");
        assert_eq!(origins.shown("store.path", "/root"), "\"${DIR}\"");
        assert_eq!(origins.of("dns.zone"), Origin::Default);
    }
}
