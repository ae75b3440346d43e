//! DNS cookies (RFC 7873) with the server cookies of RFC 9018, which servers of one address can make for each other.
//!
//! A client sends eight octets of its own and, once it has one, the server cookie that it was given. That is a hash of the
//! client's octets and address with a secret, so that no state is kept and a client that shows it has shown that its
//! address is not forged.
//!
//! ```text
//! client cookie (8) │ version 1 │ reserved (3) │ seconds (4) │ SipHash-2-4 of all that and the address (8)
//! ```

use std::fmt;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

use crate::model::Moment;

/// Octets of a client cookie.
const CLIENT: usize = 8;
/// Octets of an option with both cookies, as this server makes them.
pub const BOTH: usize = 24;
/// Octets of the option before the hash.
const HASHED: usize = 16;
const VERSION: u8 = 1;
/// Seconds that a server cookie is good for (RFC 9018 §4.3).
const GOOD_FOR: u32 = 3600;
/// Seconds after which a good one is replaced.
const FRESH_FOR: u32 = 1800;
/// Seconds that the clocks of two servers may be apart.
const AHEAD: u32 = 300;

/// Whether the data of an option have a length that cookies have (RFC 7873 §4).
pub fn has_length(option: &[u8]) -> bool {
    matches!(option.len(), CLIENT | 16..=40)
}

/// The time in which cookies tell their age: seconds of Unix time modulo 2³² (RFC 9018 §4.3).
pub fn seconds(now: Moment) -> u32 {
    now.wall.as_second() as u32
}

/// Makes and checks server cookies with one secret.
#[derive(Clone)]
pub struct Cookies {
    hasher: SipHasher24,
}

/// What a COOKIE option is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The data of the option in the reply.
    pub option: [u8; BOTH],
    /// Whether the client's server cookie was made here for its address, and lately.
    pub is_valid: bool,
}

impl Cookies {
    pub fn new(secret: [u8; 16]) -> Self {
        Self { hasher: SipHasher24::new_with_key(&secret) }
    }

    /// Answers a COOKIE option of `client` at `now` (see [`seconds`]). `None` is a format error: a length
    /// that no cookie has (RFC 7873 §5.2.2).
    pub fn answer(&self, option: &[u8], client: IpAddr, now: u32) -> Option<Answered> {
        if !has_length(option) {
            return None;
        }
        let age = self.age(option, client, now);
        let kept = match age {
            Some(age) if !(FRESH_FOR..=GOOD_FOR).contains(&age) => option.try_into().ok(),
            _ => None,
        };
        let option = kept.unwrap_or_else(|| self.make(option, client, now));
        Some(Answered { option, is_valid: age.is_some() })
    }

    /// The age of a valid server cookie in seconds; one that is ahead of the clock has an age below zero, modulo 2³²
    /// (RFC 1982). `None` for any other.
    fn age(&self, option: &[u8], client: IpAddr, now: u32) -> Option<u32> {
        let option: &[u8; BOTH] = option.try_into().ok()?;
        let made = u32::from_be_bytes([option[12], option[13], option[14], option[15]]);
        let age = now.wrapping_sub(made);
        let in_time = age <= GOOD_FOR || made.wrapping_sub(now) <= AHEAD;
        let hash = self.hash(&option[..HASHED], client);
        // Whole numbers are compared in a time that says nothing of where they differ.
        let same = u64::from_le_bytes(hash) == u64::from_le_bytes(option[HASHED..].try_into().ok()?);
        (option[CLIENT] == VERSION && in_time && same).then_some(age)
    }

    fn make(&self, option: &[u8], client: IpAddr, now: u32) -> [u8; BOTH] {
        let mut made = [0; BOTH];
        made[..CLIENT].copy_from_slice(&option[..CLIENT]);
        made[CLIENT] = VERSION;
        made[12..HASHED].copy_from_slice(&now.to_be_bytes());
        let hash = self.hash(&made[..HASHED], client);
        made[HASHED..].copy_from_slice(&hash);
        made
    }

    /// RFC 9018 §4.4. The reserved octets count as they came.
    fn hash(&self, option: &[u8], client: IpAddr) -> [u8; 8] {
        let mut input = [0; HASHED + 16];
        input[..HASHED].copy_from_slice(option);
        let length = match client.to_canonical() {
            IpAddr::V4(ip) => {
                input[HASHED..HASHED + 4].copy_from_slice(&ip.octets());
                HASHED + 4
            }
            IpAddr::V6(ip) => {
                input[HASHED..].copy_from_slice(&ip.octets());
                HASHED + 16
            }
        };
        self.hasher.hash(&input[..length]).to_le_bytes()
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookies")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn cookies(secret: &str) -> Cookies {
        Cookies::new(octets(secret).try_into().unwrap())
    }

    fn answered(secret: &str, client: &str, now: u32, option: &str) -> Option<(String, bool)> {
        let answered = cookies(secret).answer(&octets(option), client.parse().unwrap(), now)?;
        Some((answered.option.iter().map(|octet| format!("{octet:02x}")).collect(), answered.is_valid))
    }

    #[test]
    fn the_vectors_of_rfc_9018() {
        const OLD_SECRET: &str = "dd3bdf9344b678b185a6f5cb60fca715";
        const NEW_SECRET: &str = "445536bcd2513298075a5d379663c962";
        const V6: &str = "2001:db8:220:1:59de:d0f4:8769:82b8";
        for (at, secret, client, now, option, made, valid) in [
            // A.1: a new cookie; A.2: one that is due for renewal.
            (
                "A.1",
                SECRET,
                "198.51.100.100",
                0x5cf7_9f11,
                "2464c4abcf10c957",
                "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
                false,
            ),
            (
                "A.2",
                SECRET,
                "198.51.100.100",
                0x5cf7_a871,
                "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
                "2464c4abcf10c957010000005cf7a871d4a564a1442aca77",
                true,
            ),
            // A.3: reserved octets that are not zero; more than an hour old, so it is replaced and not believed.
            (
                "A.3",
                SECRET,
                "203.0.113.203",
                0x5cf7_a9ac,
                "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
                "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e",
                false,
            ),
            (
                "A.3, in time",
                SECRET,
                "203.0.113.203",
                0x5cf7_8f72,
                "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
                "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
                true,
            ),
            // A.4: the same cookie with the secret before and after a change.
            (
                "A.4, before",
                OLD_SECRET,
                V6,
                0x5cf7_c609,
                "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
                "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
                true,
            ),
            (
                "A.4, after",
                NEW_SECRET,
                V6,
                0x5cf7_c609,
                "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
                "22681ab97d52c298010000005cf7c609a6bb79d16625507a",
                false,
            ),
        ] {
            assert_eq!(answered(secret, client, now, option), Some((made.to_owned(), valid)), "{at}");
        }
    }

    #[test]
    fn cookies_hold_for_an_hour_and_are_renewed_after_half() {
        const MADE: u32 = 0xffff_ff00;
        let client = "192.0.2.1".parse().unwrap();
        let cookies = cookies(SECRET);
        let first = cookies.answer(b"12345678", client, MADE).unwrap();
        assert!(!first.is_valid);
        // Seconds wrap in the middle of it.
        for (after, valid, same) in [
            (0, true, true),
            (1799, true, true),
            (1800, true, false),
            (3600, true, false),
            (3601, false, false),
            (-300, true, true),
            (-301, false, false),
            (i32::MAX, false, false),
            (i32::MIN, false, false),
        ] {
            let now = MADE.wrapping_add_signed(after);
            let next = cookies.answer(&first.option, client, now).unwrap();
            assert_eq!((next.is_valid, next.option == first.option), (valid, same), "after {after} s");
            assert!(cookies.answer(&next.option, client, now).unwrap().is_valid, "what is given is good");
        }
    }

    #[test]
    fn a_cookie_is_of_one_client_and_one_secret() {
        let here = "192.0.2.1".parse().unwrap();
        let made = cookies(SECRET).answer(b"12345678", here, 1000).unwrap().option;
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert!(cookies(SECRET).answer(&made, mapped, 1000).unwrap().is_valid, "the same address");
        assert!(!cookies(SECRET).answer(&made, "192.0.2.2".parse().unwrap(), 1000).unwrap().is_valid);
        assert!(!cookies("00000000000000000000000000000000").answer(&made, here, 1000).unwrap().is_valid);
        for at in 0..BOTH {
            let mut forged = made;
            forged[at] ^= 1;
            assert!(!cookies(SECRET).answer(&forged, here, 1000).unwrap().is_valid, "octet {at}");
        }
    }

    #[test]
    fn lengths_that_no_cookie_has() {
        let client = "192.0.2.1".parse().unwrap();
        for length in 0..50 {
            let answer = cookies(SECRET).answer(&vec![1; length], client, 1000);
            assert_eq!(answer.is_some(), length == 8 || (16..=40).contains(&length), "{length}");
            assert!(answer.is_none_or(|answer| !answer.is_valid && answer.option[..8] == [1; 8]));
        }
    }
}
