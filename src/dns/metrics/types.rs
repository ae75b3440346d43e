//! The types that have a label of their own.

use crate::wire::RecordType;

/// Of queries without a question, and of types that are not in [`TYPES`].
const NONE: usize = 0;
const OTHER: usize = 1;

/// What resolvers and people ask for (IANA, "Resource Record (RR) TYPEs"). Numbers are below [`NUMBERS`].
const TYPES: [(u16, &str); 27] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (256, "URI"),
    (257, "CAA"),
];
const NUMBERS: usize = 258;

/// All labels.
pub const TYPE_LABELS: [&str; TYPES.len() + 2] = {
    let (mut labels, mut at) = ([""; TYPES.len() + 2], 0);
    labels[NONE] = "none";
    labels[OTHER] = "other";
    while at < TYPES.len() {
        labels[at + 2] = TYPES[at].1;
        at += 1;
    }
    labels
};

/// The place of a type in [`TYPE_LABELS`].
pub fn type_label(qtype: Option<RecordType>) -> usize {
    static PLACES: [u8; NUMBERS] = {
        let (mut places, mut at) = ([OTHER as u8; NUMBERS], 0);
        while at < TYPES.len() {
            places[TYPES[at].0 as usize] = (at + 2) as u8;
            at += 1;
        }
        places
    };
    qtype.map_or(NONE, |qtype| PLACES.get(usize::from(qtype.0)).map_or(OTHER, |place| usize::from(*place)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_label() {
        for (qtype, expected) in [
            (None, "none"),
            (Some(1), "A"),
            (Some(33), "SRV"),
            (Some(255), "ANY"),
            (Some(257), "CAA"),
            (Some(0), "other"),
            (Some(258), "other"),
            (Some(65_535), "other"),
        ] {
            assert_eq!(TYPE_LABELS[type_label(qtype.map(RecordType))], expected, "{qtype:?}");
        }
    }

    #[test]
    fn mnemonics_are_those_of_an_independent_implementation() {
        for (number, mnemonic) in TYPES {
            assert_eq!(domain::base::Rtype::from_int(number).to_string(), mnemonic);
        }
    }
}
