//! The id that an instance gets where none is given.

/// The longest id (RFC 1035, section 2.3.4).
const LONGEST: usize = 63;
/// Letters of an id that is made up.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The name of this host, as it calls itself.
pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// `HOST-PORT`: the same whenever the program is started anew, so that it takes its own place again, and another beside
/// every other instance. Where the host has no name of its own, eight letters out of `random`.
pub(super) fn id(host: &str, port: u16, random: u64) -> String {
    let label = host.split('.').next().unwrap_or_default().to_lowercase();
    let letters = label.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    let room = LONGEST - "-65535".len();
    let label: String = letters.take(room).collect();
    match label.trim_matches('-') {
        "" | "localhost" => (0..8).map(|at| char::from(LETTERS[(random >> (5 * at)) as usize % 32])).collect(),
        label => format!("{label}-{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InstanceId;

    #[test]
    fn ids() {
        for (host, made) in [
            ("web01", "web01-8080"),
            ("Web_01.example.net", "web-01-8080"),
            ("-a-", "a-8080"),
            ("", "aaaaaaaa"),
            ("localhost", "aaaaaaaa"),
            ("\u{fc}.example", "aaaaaaaa"),
        ] {
            assert_eq!(id(host, 8080, 0), made, "{host}");
            assert!(InstanceId::parse(made).is_ok());
        }
        let long = id(&"a".repeat(200), 65535, 0);
        assert!(long.len() == 63 && InstanceId::parse(&long).is_ok(), "{long}");
        assert_ne!(id("", 1, 7), id("", 1, 8));
    }
}
