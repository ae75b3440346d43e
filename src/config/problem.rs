//! What is wrong with a configuration, and where.

use std::fmt;
use std::io;

use super::Origin;
use crate::model;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub origin: Origin,
    /// The key, such as `dns.udp_payload` or `health.default_checks[0].port`; empty when it is about no key.
    pub key: String,
    pub reason: Reason,
}

/// Why a configuration is refused, as facts. What is shown of a value never holds what a `${…}` stood for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Reason {
    #[error("{message}")]
    Syntax { message: String },
    #[error("cannot be read: {kind}")]
    Unreadable { kind: io::ErrorKind },
    #[error("is no section{}", meant(.nearest.as_ref()))]
    UnknownSection { nearest: Option<&'static str> },
    #[error("is not a known key{}", meant(.nearest.as_ref()))]
    UnknownKey { nearest: Option<&'static str> },
    #[error("must be {expected}, not {shown}")]
    Value { expected: String, shown: String },
    #[error("has more than {max} entries")]
    TooMany { max: usize },
    #[error("holds a user or password; they have keys of their own")]
    Credentials,
    #[error("{0}")]
    Check(model::Reason),
    #[error("the environment variable {name} is not set; set it, or give a default as ${{{name}:-…}}")]
    MissingVariable { name: String },
    #[error("--set takes section.key=value, not {text:?}")]
    NoAssignment { text: String },
    #[error("must name at least one address")]
    Nowhere,
    #[error("names {address} more than once")]
    Repeated { address: String },
    #[error("{address} is taken by dns.listen, which serves TCP there too")]
    TakenByDns { address: String },
    #[error(
        "{address} can be reached from other hosts, and there is no authentication; listen on a loopback address, or \
         set http.insecure = true to serve it all the same"
    )]
    Exposed { address: String },
    #[error("takes cookies that nobody gets; set dns.cookies = true")]
    NoCookies,
    #[error("{prefix} holds every address there is; name the prefixes of instances, such as 10.0.0.0/8 or fd00::/8")]
    WholeReverse { prefix: String },
    #[error("takes {other} too: a certificate and its key are of use together")]
    HalfIdentity { other: &'static str },
    #[error("must name at least one member of etcd")]
    NoMembers,
    #[error("needs an srvd that is built with traces (cargo build --release --features otlp); this one is not")]
    NoTraces,
    /// What starting found out, such as an address in use.
    #[error("{0}")]
    AtStart(String),
}

fn meant(nearest: Option<&&'static str>) -> String {
    nearest.map(|name| format!("; is `{name}` meant?")).unwrap_or_default()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.origin, self.reason),
            key => write!(f, "{}: {key}: {}", self.origin, self.reason),
        }
    }
}

impl std::error::Error for Problem {}

/// Everything that is wrong, by file line, then variables, then flags. Shown as one line each.
#[derive(Debug, Clone, PartialEq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (&a.origin, &a.key).cmp(&(&b.origin, &b.key)));
        Self(problems)
    }

    /// Whether anything was typed wrong, which can be told without starting.
    pub fn are_of_usage(&self) -> bool {
        let is_typed = |problem: &Problem| matches!(problem.origin, Origin::Flag(_));
        self.0.iter().any(|problem| is_typed(problem) && !matches!(problem.reason, Reason::AtStart(_)))
    }

    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        Self::new(problems.into_iter().collect())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let newline = if at == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_come_by_line() {
        let at = |line, key: &str, reason| Problem {
            origin: Origin::File { path: "config.toml".into(), line: Some(line) },
            key: key.into(),
            reason,
        };
        let range = Reason::Value { expected: "512 to 4096".into(), shown: "99".into() };
        let problems = Problems::new(vec![
            at(10, "dns.lisen", Reason::UnknownKey { nearest: Some("listen") }),
            at(7, "dns.udp_payload", range),
            at(2, "", Reason::Syntax { message: "duplicate key".into() }),
        ]);
        assert_eq!(
            problems.to_string(),
            "config.toml:2: duplicate key\n\
             config.toml:7: dns.udp_payload: must be 512 to 4096, not 99\n\
             config.toml:10: dns.lisen: is not a known key; is `listen` meant?"
        );
    }
}
