//! Rendezvous hashing: for each thing, every server has a number, and the highest wins.

use super::ServerId;

/// The server that is drawn for a thing of this name; `None` when there is none.
pub(super) fn draw(servers: impl Iterator<Item = ServerId>, name: u64) -> Option<ServerId> {
    servers.max_by_key(|server| (mixed(server.0 ^ mixed(name)), *server))
}

/// The number of a name that consists of these parts: FNV-1a, with an octet between the parts that none of them has.
pub(super) fn number(parts: &[&str]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let octets = parts.iter().flat_map(|part| part.bytes().chain([0]));
    octets.fold(BASIS, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(PRIME))
}

/// Spreads a number over all numbers (the finalizer of SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: [ServerId; 4] = [ServerId(1), ServerId(2), ServerId(3), ServerId(0xffff_0000_ffff_0000)];

    fn shares(servers: &[ServerId]) -> Vec<ServerId> {
        let name = |at: usize| number(&["web", &at.to_string()]);
        (0..4_000).map(|at| draw(servers.iter().copied(), name(at)).unwrap()).collect()
    }

    #[test]
    fn everybody_gets_about_the_same_share() {
        let drawn = shares(&SERVERS);
        for server in SERVERS {
            let share = drawn.iter().filter(|other| **other == server).count();
            assert!((850..1_150).contains(&share), "{server}: {share}");
        }
    }

    #[test]
    fn only_what_one_had_changes_hands_when_it_goes() {
        let (before, after) = (shares(&SERVERS), shares(&SERVERS[..3]));
        assert!(before.iter().zip(&after).all(|(before, after)| before == after || *before == SERVERS[3]));
    }

    #[test]
    fn all_servers_of_all_versions_draw_alike() {
        assert_eq!(number(&["web", "a"]), 0x22f9_3e3a_4f77_1532);
        assert_ne!(number(&["we", "ba"]), number(&["web", "a"]));
        assert_eq!(draw(SERVERS.into_iter(), number(&["web", "a"])), Some(ServerId(3)));
        assert_eq!(draw(std::iter::empty(), 7), None);
    }
}
