//! The types of records that a zone can write by name, and what their data consist of.
//!
//! A type is a row of [`FORMS`]. Types with a grammar of their own have a row without fields and are read elsewhere; of
//! the others, the obsolete and the rare go by their number and the generic form (RFC 3597).

use crate::wire::RecordType;

/// One field of RDATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    U8,
    U16,
    U32,
    /// 32 bits, in text with units.
    Period,
    /// 32 bits, in text a date or seconds (RFC 4034 §3.2).
    Time,
    /// 16 bits, in text a type.
    Type,
    /// 8 bits, in text a number or the mnemonic of a DNSSEC algorithm (RFC 4034 appendix A.1).
    Algorithm,
    /// 16 bits, in text a number or the mnemonic of a kind of certificate (RFC 4398 §2.1).
    Certificate,
    Ipv4,
    Ipv6,
    Name,
    /// A character-string: a length octet and up to 255 octets.
    Text,
    /// A character-string of letters and digits, at least one (RFC 8659 §4.1).
    Tag,
    /// All that is left, one or more character-strings.
    Texts,
    /// All that is left, one string without a length.
    Rest,
    /// All that is left, hexadecimal in text, at least one octet.
    Hex,
    /// All that is left, hexadecimal in text, at least 12 octets (RFC 8976 §2.2.4).
    Digest,
    /// All that is left, base64 in text (RFC 4648 §4).
    Base64,
    /// A length octet and as many octets, in text hexadecimal in one word or `-` (RFC 5155 §3.3).
    Salt,
    /// A length octet and as many octets, in text base32 of extended hexadecimal (RFC 5155 §3.3).
    Hash,
    /// All that is left, windows of a bit for each type (RFC 4034 §4.1.2); in text the types, or nothing.
    Types,
    /// So many octets, in text pairs of hexadecimal digits with hyphens between them (RFC 7043).
    Eui(usize),
    /// 64 bits, in text four groups of hexadecimal digits with colons between them (RFC 6742).
    Locator,
}

use Field::{
    Algorithm, Base64, Certificate, Digest, Eui, Hash, Hex, Ipv4, Ipv6, Locator, Name, Period, Rest, Salt, Tag, Text,
    Texts, Time, Type, Types, U8, U16, U32,
};

/// A type that never got a number; hickory gives it one of those for private use (RFC 6895 §3.1).
pub(super) const ANAME: RecordType = RecordType(65305);

/// Mnemonic, number and fields; a type that is not of RFC 1035 names the RFC with its format.
pub(super) const FORMS: &[(&str, u16, &[Field])] = &[
    ("A", 1, &[Ipv4]),
    ("NS", 2, &[Name]),
    ("MD", 3, &[Name]),
    ("MF", 4, &[Name]),
    ("CNAME", 5, &[Name]),
    ("SOA", 6, &[Name, Name, U32, Period, Period, Period, Period]),
    ("MB", 7, &[Name]),
    ("MG", 8, &[Name]),
    ("MR", 9, &[Name]),
    ("PTR", 12, &[Name]),
    ("HINFO", 13, &[Text, Text]),
    ("MINFO", 14, &[Name, Name]),
    ("MX", 15, &[U16, Name]),
    ("TXT", 16, &[Texts]),
    ("RP", 17, &[Name, Name]),                                                 // RFC 1183 §2.2
    ("AFSDB", 18, &[U16, Name]),                                               // RFC 1183 §1
    ("X25", 19, &[Text]),                                                      // RFC 1183 §3.1
    ("ISDN", 20, &[Texts]),                                                    // RFC 1183 §3.2
    ("RT", 21, &[U16, Name]),                                                  // RFC 1183 §3.3
    ("SIG", 24, &[Type, Algorithm, U8, U32, Time, Time, U16, Name, Base64]),   // RFC 2931 §2
    ("KEY", 25, &[U16, U8, Algorithm, Base64]),                                // RFC 2535 §3.1
    ("PX", 26, &[U16, Name, Name]),                                            // RFC 2163 §4
    ("GPOS", 27, &[Text, Text, Text]),                                         // RFC 1712 §3
    ("AAAA", 28, &[Ipv6]),                                                     // RFC 3596 §2.2
    ("SRV", 33, &[U16, U16, U16, Name]),                                       // RFC 2782
    ("NAPTR", 35, &[U16, U16, Text, Text, Text, Name]),                        // RFC 3403 §4.1
    ("KX", 36, &[U16, Name]),                                                  // RFC 2230 §3.1
    ("CERT", 37, &[Certificate, U16, Algorithm, Base64]),                      // RFC 4398 §2
    ("DNAME", 39, &[Name]),                                                    // RFC 6672 §2.1
    ("DS", 43, &[U16, Algorithm, U8, Hex]),                                    // RFC 4034 §5.1
    ("SSHFP", 44, &[U8, U8, Hex]),                                             // RFC 4255 §3.1
    ("RRSIG", 46, &[Type, Algorithm, U8, U32, Time, Time, U16, Name, Base64]), // RFC 4034 §3.1
    ("NSEC", 47, &[Name, Types]),                                              // RFC 4034 §4.1
    ("DNSKEY", 48, &[U16, U8, Algorithm, Base64]),                             // RFC 4034 §2.1
    ("DHCID", 49, &[Base64]),                                                  // RFC 4701 §3
    ("NSEC3", 50, &[U8, U8, U16, Salt, Hash, Types]),                          // RFC 5155 §3.2
    ("NSEC3PARAM", 51, &[U8, U8, U16, Salt]),                                  // RFC 5155 §4.2
    ("TLSA", 52, &[U8, U8, U8, Hex]),                                          // RFC 6698 §2.1
    ("SMIMEA", 53, &[U8, U8, U8, Hex]),                                        // RFC 8162 §2
    ("CDS", 59, &[U16, Algorithm, U8, Hex]),                                   // RFC 7344 §3.1
    ("CDNSKEY", 60, &[U16, U8, Algorithm, Base64]),                            // RFC 7344 §3.2
    ("OPENPGPKEY", 61, &[Base64]),                                             // RFC 7929 §2.1
    ("CSYNC", 62, &[U32, U16, Types]),                                         // RFC 7477 §2.1
    ("ZONEMD", 63, &[U32, U8, U8, Digest]),                                    // RFC 8976 §2.2
    ("SVCB", 64, &[]),                                                         // RFC 9460 §2
    ("HTTPS", 65, &[]),                                                        // RFC 9460 §9
    ("SPF", 99, &[Texts]),                                                     // RFC 7208 §14.1
    ("NID", 104, &[U16, Locator]),                                             // RFC 6742 §2.1
    ("L32", 105, &[U16, Ipv4]),                                                // RFC 6742 §2.2
    ("L64", 106, &[U16, Locator]),                                             // RFC 6742 §2.3
    ("LP", 107, &[U16, Name]),                                                 // RFC 6742 §2.4
    ("EUI48", 108, &[Eui(6)]),                                                 // RFC 7043 §3
    ("EUI64", 109, &[Eui(8)]),                                                 // RFC 7043 §4
    ("URI", 256, &[U16, U16, Rest]),                                           // RFC 7553 §4.5
    ("CAA", 257, &[U8, Tag, Rest]),                                            // RFC 8659 §4.1
    ("AVC", 258, &[Texts]),                                                    // as TXT
    ("RESINFO", 261, &[Texts]),                                                // RFC 9606 §3
    ("WALLET", 262, &[Texts]),                                                 // as TXT
    ("DLV", 32769, &[U16, Algorithm, U8, Hex]),                                // RFC 4431 §2
    ("ANAME", ANAME.0, &[Name]),                                               // draft-ietf-dnsop-aname-04
];

/// Types that have a name and no row: their data go by the generic form, or the type is no data at all.
const NAMED: &[(&str, u16)] = &[
    ("NULL", 10),
    ("WKS", 11),
    ("NSAP", 22),
    ("NSAP-PTR", 23),
    ("LOC", 29),
    ("NXT", 30),
    ("EID", 31),
    ("NIMLOC", 32),
    ("ATMA", 34),
    ("A6", 38),
    ("APL", 42),
    ("IPSECKEY", 45),
    ("HIP", 55),
    ("NINFO", 56),
    ("RKEY", 57),
    ("TALINK", 58),
    ("DOA", 259),
    ("AMTRELAY", 260),
    ("TA", 32768),
    ("TKEY", 249),
    ("TSIG", 250),
    ("IXFR", 251),
    ("AXFR", 252),
    ("MAILB", 253),
    ("MAILA", 254),
    ("ANY", 255),
];

/// Algorithms of DNSSEC by mnemonic (RFC 4034 appendix A.1 and the registry that continues it).
pub(super) const ALGORITHMS: &[(&str, u32)] = &[
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// Kinds of certificates by mnemonic (RFC 4398 §2.1).
pub(super) const CERTIFICATES: &[(&str, u32)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

/// The fields of a type, none for one with a grammar of its own.
pub(super) fn form(rtype: RecordType) -> Option<&'static [Field]> {
    FORMS.iter().find(|(_, number, _)| *number == rtype.0).map(|(_, _, fields)| *fields)
}

/// Reads a type mnemonic in any case, or `TYPEnnn` (RFC 3597 §5). Meta-types are types here; 0 is not (RFC 6895 §3.1).
pub fn record_type(text: &str) -> Option<RecordType> {
    let named = FORMS.iter().map(|(name, number, _)| (*name, *number)).chain(NAMED.iter().copied());
    if let Some((_, number)) = named.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Some(RecordType(number));
    }
    let (prefix, number) = text.split_at_checked(4)?;
    let digits = number.bytes().all(|octet| octet.is_ascii_digit());
    let number = number.parse().ok().filter(|number| *number != 0 && digits)?;
    prefix.eq_ignore_ascii_case("TYPE").then_some(RecordType(number))
}

/// A type as it is written.
pub fn mnemonic(rtype: RecordType) -> String {
    let mut named = FORMS.iter().map(|(name, number, _)| (*name, *number)).chain(NAMED.iter().copied());
    let name = named.find(|(_, number)| *number == rtype.0).map(|(name, _)| name.to_owned());
    name.unwrap_or_else(|| rtype.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnemonics_are_types() {
        for (text, expected) in [
            ("a", Some(1)),
            ("Https", Some(65)),
            ("TYPE257", Some(257)),
            ("type65280", Some(65280)),
            ("nsap-ptr", Some(23)),
            ("type0", None),
            ("TYPE65536", None),
            ("TYPE", None),
            ("TYPE+1", None),
            ("TYPE 1", None),
            ("AXFR", Some(252)),
            ("OPT", None),
            ("*", None),
            ("aname", Some(65305)),
            ("ALIAS", None),
            ("BOGUS", None),
            ("typé1", None),
            ("", None),
        ] {
            assert_eq!(record_type(text), expected.map(RecordType), "{text}");
        }
    }

    /// The domain crate, which has its own table, calls the same numbers by the same names.
    #[test]
    fn mnemonics_are_those_of_others() {
        let named = FORMS.iter().map(|(name, number, _)| (*name, *number)).chain(NAMED.iter().copied());
        for (name, number) in named {
            let theirs = domain::base::Rtype::from_int(number).to_string();
            let same = theirs.replace('-', "") == name.replace('-', "");
            assert!(same || theirs == format!("TYPE{number}"), "{name} is {theirs} to others");
        }
    }

    #[test]
    fn numbers_stand_once() {
        let mut numbers: Vec<u16> =
            FORMS.iter().map(|(_, number, _)| *number).chain(NAMED.iter().map(|(_, number)| *number)).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }
}
