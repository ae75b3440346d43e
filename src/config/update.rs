//! What a running server makes of a configuration that was read again.

use super::Config;
use super::table::{Effect, ROWS};

/// The outcome of reading the configuration again.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// What holds from now on: the new value of each key that acts at once, the old one of each that needs a restart.
    pub config: Config,
    /// Keys that have another value now, in the order of the table.
    pub changed: Vec<&'static str>,
    /// Keys that were given another value and keep the old one until a restart.
    pub kept: Vec<&'static str>,
}

impl Config {
    /// What becomes of this configuration, which a server runs on, when `new` is read.
    pub fn update(&self, new: &Self) -> Update {
        let (mut config, mut old) = (new.clone(), self.clone());
        let (mut changed, mut kept) = (Vec::new(), Vec::new());
        for row in ROWS {
            let mut with_old = config.clone();
            row.slot.copy(&mut old, &mut with_old);
            match row.effect {
                _ if with_old == config => {}
                Effect::AtOnce => changed.push(row.key),
                Effect::AtStart => {
                    kept.push(row.key);
                    config = with_old;
                }
            }
        }
        Update { config, changed, kept }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LogFormat, LogLevel, Sources, Traces};
    use super::*;
    use crate::model::Span;

    #[test]
    fn keys_change_or_wait_as_the_table_says() {
        let old = Config::default();
        let mut new = old.clone();
        new.dns.record_ttl = 30;
        new.dns.workers = 3;
        new.leases.ttl = Span::from_secs(10);
        new.store.path = "elsewhere".into();
        new.log.level = LogLevel::Debug;
        new.log.format = LogFormat::Json;
        let update = old.update(&new);
        assert_eq!(update.changed, ["dns.record_ttl", "leases.ttl", "log.level"]);
        assert_eq!(update.kept, ["dns.workers", "store.path", "log.format"]);
        let mut expected = old.clone();
        expected.dns.record_ttl = 30;
        expected.leases.ttl = Span::from_secs(10);
        expected.log.level = LogLevel::Debug;
        assert_eq!(update.config, expected);
    }

    #[test]
    fn nothing_new_changes_nothing() {
        let update = Config::default().update(&Config::default());
        assert_eq!(update, Update { config: Config::default(), changed: vec![], kept: vec![] });
    }

    /// Each row is told from all others: a place that is copied wrongly would name other keys, or none.
    #[test]
    fn every_key_is_noticed_by_itself() {
        let others = [
            "another.example",
            "127.0.0.9:9",
            "10.0.0.0/8",
            "http://a:1",
            "[{kind = \"tcp\"}]",
            "600",
            "7",
            "0.5",
            "7s",
            "true",
            "false",
            "0123456789abcdef0123456789abcdef",
            "/x",
            "memory",
            "warn",
            "json",
        ];
        for row in ROWS {
            let given = |value: &&str| Sources { set: vec![format!("{}={value}", row.key)], ..Sources::default() };
            let read = |value: &&str| Config::load(&given(value)).ok().map(|loaded| loaded.config);
            let base = Config::load(&Sources::default()).unwrap().config;
            let new = match row.key {
                // What is built without traces takes no value for it.
                "traces.endpoint" => {
                    let traces = Traces { endpoint: Some("http://a:1".into()), ..Traces::default() };
                    Config { traces, ..base.clone() }
                }
                key => others.iter().filter_map(read).find(|new| *new != base).unwrap_or_else(|| panic!("{key}")),
            };
            let update = base.update(&new);
            let expected: &[&str] = &[row.key];
            let none: &[&str] = &[];
            match row.effect {
                Effect::AtOnce => assert_eq!((&*update.changed, &*update.kept), (expected, none)),
                Effect::AtStart => assert_eq!((&*update.changed, &*update.kept), (none, expected)),
            }
        }
    }
}
