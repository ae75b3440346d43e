//! Values from the environment and from flags.

use super::given::{Gathered, Given};
use super::node::Node;
use super::table::{ROWS, Row, SECTIONS, nearest_key, nearest_section, nearest_variable};
use super::{Origin, Reason, Sources};

/// Variables of the command line's clients, which are none of the server's business.
const CLIENT_VARIABLES: &[&str] = &["SRVD_SERVER"];

/// Adds what variables say. One that begins with `SRVD_` and is no key only warns: container platforms make such for a
/// service that is called srvd.
pub(super) fn read_env(env: &[(String, String)], gathered: &mut Gathered) {
    for (name, value) in env.iter().filter(|(name, _)| name.starts_with("SRVD_")) {
        match ROWS.iter().find(|row| row.variable() == *name) {
            Some(row) => gathered.add(row.key, given(Origin::Env(name.clone()), value)),
            None if CLIENT_VARIABLES.contains(&name.as_str()) => {}
            None => {
                let meant = nearest_variable(name).map(|meant| format!("; is {meant} meant?")).unwrap_or_default();
                gathered.warnings.push(format!("{name}: is no variable of srvd and is ignored{meant}"));
            }
        }
    }
}

/// Adds what flags say, `--set` after those with a name of their own.
pub(super) fn read_flags(sources: &Sources, gathered: &mut Gathered) {
    let named = [
        ("--dns", "dns.listen", &sources.dns),
        ("--http", "http.listen", &sources.http),
        ("--data", "store.path", &sources.data),
    ];
    for (flag, key, value) in named {
        if let Some(value) = value {
            gathered.add(key, given(Origin::Flag(flag), value));
        }
    }
    sources.set.iter().for_each(|assignment| read_set(assignment, gathered));
}

fn read_set(assignment: &str, gathered: &mut Gathered) {
    let origin = Origin::Flag("--set");
    let Some((key, value)) = assignment.split_once('=') else {
        gathered.refuse(origin, "", Reason::NoAssignment { text: assignment.to_owned() });
        return;
    };
    let key = key.trim();
    let (section, name) = key.split_once('.').unwrap_or((key, ""));
    match Row::of(key) {
        Some(row) => gathered.add(row.key, given(origin, value.trim())),
        None if SECTIONS.contains(&section) => {
            gathered.refuse(origin, key, Reason::UnknownKey { nearest: nearest_key(section, name) });
        }
        None => gathered.refuse(origin, key, Reason::UnknownSection { nearest: nearest_section(section) }),
    }
}

fn given(origin: Origin, value: &str) -> Given {
    Given { origin, base: std::path::PathBuf::new(), node: Node::bare(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_variables_only_warn() {
        for (name, warning) in [
            ("SRVD_DNS_ZONE", ""),
            ("SRVD_SERVER", ""),
            ("HOME", ""),
            ("SRVD_PORT", "SRVD_PORT: is no variable of srvd and is ignored"),
            ("SRVD_DNS_ZONES", "SRVD_DNS_ZONES: is no variable of srvd and is ignored; is SRVD_DNS_ZONE meant?"),
        ] {
            let mut gathered = Gathered::default();
            read_env(&[(name.into(), "value".into())], &mut gathered);
            assert_eq!(gathered.warnings.concat(), warning);
            assert!(gathered.problems.is_empty());
        }
    }

    #[test]
    fn strange_flags_are_refused() {
        for (set, problem) in [
            ("dns.zone=a", ""),
            ("dns.zone", "--set: --set takes section.key=value, not \"dns.zone\""),
            ("dns.zne=a", "--set: dns.zne: is not a known key; is `zone` meant?"),
            ("dns=a", "--set: dns: is not a known key"),
            ("zone=a", "--set: zone: is no section; is `dns.zone` meant?"),
        ] {
            let mut gathered = Gathered::default();
            read_flags(&Sources { set: vec![set.into()], ..Sources::default() }, &mut gathered);
            let problems: Vec<String> = gathered.problems.iter().map(ToString::to_string).collect();
            assert_eq!(problems.concat(), problem);
        }
    }
}
