//! Zones written as master files and read again: nothing is lost, and writing what was read gives the same text.
//!
//! The server writes no master files, so the writer is here. It has every type of the table in its text form and in the
//! generic one, spread over lines or not.

use std::collections::BTreeSet;

use domain::utils::{base32, base64};

use super::*;
use crate::wire::Rdata;
use crate::zone::fields::skip;
use crate::zone::forms::{FORMS, Field, form};

/// Names over few labels, so that they meet, and over any octets.
fn name() -> impl Strategy<Value = Name> {
    let plain = prop_oneof![Just(b"a".to_vec()), Just(b"B".to_vec()), Just(b"*".to_vec()), Just(b"@".to_vec())];
    let label = prop_oneof![3 => plain, 1 => proptest::collection::vec(any::<u8>(), 1..64)];
    proptest::collection::vec(label, 0..3)
        .prop_map(|labels| Name::from_labels(labels.iter().map(Vec::as_slice)).expect("short enough"))
}

fn below_apex(name: &Name) -> Name {
    Name::from_labels(name.labels().chain([&b"e"[..], b"test"])).expect("short enough")
}

/// Octets that a field can have.
fn octets(field: Field) -> BoxedStrategy<Vec<u8>> {
    let any_octets = |from, to| proptest::collection::vec(any::<u8>(), from..to);
    let with_length = |octets: Vec<u8>| [vec![octets.len() as u8], octets].concat();
    match field {
        Field::U8 | Field::Algorithm => any_octets(1, 2).boxed(),
        Field::U16 | Field::Certificate => any_octets(2, 3).boxed(),
        Field::U32 | Field::Time | Field::Ipv4 => any_octets(4, 5).boxed(),
        Field::Period => (0..=crate::zone::MAX_TTL).prop_map(|seconds| seconds.to_be_bytes().to_vec()).boxed(),
        Field::Type => (1..=u16::MAX).prop_map(|rtype| rtype.to_be_bytes().to_vec()).boxed(),
        Field::Locator => any_octets(8, 9).boxed(),
        Field::Ipv6 => any_octets(16, 17).boxed(),
        Field::Eui(length) => any_octets(length, length + 1).boxed(),
        Field::Name => name().prop_map(|name| name.wire().to_vec()).boxed(),
        Field::Text => any_octets(0, 256).prop_map(with_length).boxed(),
        Field::Tag => "[a-zA-Z0-9]{1,255}".prop_map(move |tag| with_length(tag.into_bytes())).boxed(),
        Field::Salt => any_octets(0, 20).prop_map(with_length).boxed(),
        Field::Hash => any_octets(1, 30).prop_map(with_length).boxed(),
        Field::Texts => proptest::collection::vec(any_octets(0, 256).prop_map(with_length), 1..4)
            .prop_map(|texts| texts.concat())
            .boxed(),
        Field::Rest => any_octets(0, 300).boxed(),
        Field::Hex | Field::Base64 => any_octets(1, 80).boxed(),
        Field::Digest => any_octets(12, 80).boxed(),
        Field::Types => proptest::collection::btree_set(1..=u16::MAX, 0..5).prop_map(windows).boxed(),
    }
}

/// RFC 4034 §4.1.2, one type at a time.
fn windows(types: BTreeSet<u16>) -> Vec<u8> {
    let types: Vec<u16> = types.into_iter().collect();
    let window = |types: &[u16]| {
        let [high, last] = types[types.len() - 1].to_be_bytes();
        let mut bits = vec![0_u8; usize::from(last / 8) + 1];
        for low in types.iter().map(|rtype| rtype.to_be_bytes()[1]) {
            bits[usize::from(low / 8)] |= 0x80 >> (low % 8);
        }
        [vec![high, bits.len() as u8], bits].concat()
    };
    types.chunk_by(|one, next| one >> 8 == next >> 8).flat_map(window).collect()
}

/// The data of an SVCB record, with keys that have no form.
fn binding() -> impl Strategy<Value = Vec<u8>> {
    let value = proptest::collection::vec(any::<u8>(), 0..20);
    let parameters = proptest::collection::btree_map(100..u16::MAX, value, 0..4);
    (any::<u16>(), name(), parameters).prop_map(|(priority, target, parameters)| {
        let parameter = |(key, value): (u16, Vec<u8>)| {
            [&key.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), &value].concat()
        };
        let parameters: Vec<u8> = parameters.into_iter().flat_map(parameter).collect();
        [&priority.to_be_bytes()[..], target.wire(), &parameters].concat()
    })
}

/// How a record is laid out.
#[derive(Debug, Clone, Copy)]
struct Style {
    generic: bool,
    spread: bool,
}

#[derive(Debug, Clone)]
struct Line {
    owner: Name,
    ttl: u32,
    rtype: RecordType,
    rdata: Rdata,
    style: Style,
}

/// Records of every type but those of which a name has one at most.
fn line() -> impl Strategy<Value = Line> {
    let alone = [RecordType::SOA, RecordType::CNAME, RecordType::DNAME];
    let rows: Vec<_> = FORMS.iter().filter(|(_, number, _)| !alone.contains(&RecordType(*number))).collect();
    let data = proptest::sample::select(rows).prop_flat_map(|(_, number, fields)| {
        let whole: Vec<BoxedStrategy<Vec<u8>>> = match fields {
            [] => vec![binding().boxed()],
            fields => fields.iter().map(|field| octets(*field)).collect(),
        };
        whole.prop_map(move |parts| (RecordType(*number), Rdata::from(parts.concat())))
    });
    let style = (any::<bool>(), any::<bool>()).prop_map(|(generic, spread)| Style { generic, spread });
    (name(), 0..=crate::zone::MAX_TTL, data, style).prop_map(|(owner, ttl, (rtype, rdata), style)| Line {
        owner: below_apex(&owner),
        ttl,
        rtype,
        rdata,
        style,
    })
}

fn written(line: &Line) -> String {
    let Line { owner, ttl, rtype, rdata, style } = line;
    let fields = form(*rtype).unwrap_or_default();
    let parts = if style.generic || fields.is_empty() {
        let hex: String = rdata.iter().map(|octet| format!("{octet:02x}")).collect();
        vec!["\\#".to_owned(), rdata.len().to_string(), hex]
    } else {
        let mut left: &[u8] = rdata;
        let mut text = |field: &Field| {
            let rest = skip(*field, left).expect("the octets are of this type");
            let octets = &left[..left.len() - rest.len()];
            left = rest;
            shown(*field, octets)
        };
        fields.iter().map(&mut text).collect()
    };
    let number = rtype.0;
    if style.spread {
        format!("{owner} IN {ttl} TYPE{number} ( ; \"\n {} )\n", parts.join(" ; ) \"\n\t"))
    } else {
        format!("{owner} {ttl} IN TYPE{number} {}\n", parts.join(" "))
    }
}

/// A field as RFCs write it.
fn shown(field: Field, octets: &[u8]) -> String {
    let number = || octets.iter().fold(0_u32, |number, octet| number << 8 | u32::from(*octet));
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02X}")).collect::<String>();
    match field {
        Field::Type => format!("TYPE{}", number()),
        Field::Ipv4 => std::net::Ipv4Addr::from(number()).to_string(),
        Field::Ipv6 => std::net::Ipv6Addr::from(<[u8; 16]>::try_from(octets).expect("16 octets")).to_string(),
        Field::Name => Name::from_wire(octets).expect("a name").to_string(),
        Field::Text | Field::Tag => quoted(&octets[1..]),
        Field::Texts => {
            let mut texts = Vec::new();
            let mut left = octets;
            while let [length, rest @ ..] = left {
                let (text, after) = rest.split_at(usize::from(*length));
                texts.push(quoted(text));
                left = after;
            }
            texts.join(" ")
        }
        Field::Rest => quoted(octets),
        Field::Hex | Field::Digest => octets.chunks(7).map(hex).collect::<Vec<_>>().join(" "),
        Field::Base64 => base64::encode_string(octets),
        Field::Salt if octets == [0] => "-".to_owned(),
        Field::Salt => hex(&octets[1..]),
        Field::Hash => base32::encode_string_hex(&octets[1..]),
        Field::Types => types(octets).iter().map(|rtype| format!("TYPE{rtype}")).collect::<Vec<_>>().join(" "),
        Field::Eui(_) => octets.iter().map(|octet| hex(&[*octet])).collect::<Vec<_>>().join("-"),
        Field::Locator => octets.chunks(2).map(hex).collect::<Vec<_>>().join(":"),
        Field::U8 | Field::U16 | Field::U32 | Field::Period | Field::Time | Field::Algorithm | Field::Certificate => {
            number().to_string()
        }
    }
}

fn quoted(octets: &[u8]) -> String {
    let plain = |octet: &u8| match octet {
        b'"' | b'\\' => format!("\\{}", char::from(*octet)),
        b' '..=b'~' => char::from(*octet).to_string(),
        octet => format!("\\{octet:03}"),
    };
    format!("\"{}\"", octets.iter().map(plain).collect::<String>())
}

fn types(mut windows: &[u8]) -> Vec<u16> {
    let mut types = Vec::new();
    while let [high, length, rest @ ..] = windows {
        let (bits, after) = rest.split_at(usize::from(*length));
        let is_set = |low: &u16| bits.get(usize::from(low / 8)).is_some_and(|octet| octet & 0x80 >> (low % 8) != 0);
        types.extend((0..256).filter(is_set).map(|low| u16::from(*high) << 8 | low));
        windows = after;
    }
    types
}

fn zone_of(text: &str) -> Zone {
    read(&[("z/e", text)], Kind::Live).unwrap_or_else(|errors| panic!("{errors:?} in\n{text}"))
}

fn lines(zone: &Zone, style: Style) -> Vec<Line> {
    let of_set = |set: &crate::wire::RrSet| {
        let line = |rdata: &Rdata| Line {
            owner: set.owner.clone(),
            ttl: set.ttl,
            rtype: set.rtype,
            rdata: rdata.clone(),
            style,
        };
        set.rdata.iter().map(line).collect::<Vec<_>>()
    };
    zone.rrsets().flat_map(of_set).collect()
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(written).collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(mut made in proptest::collection::vec(line(), 1..12), generic: bool, spread: bool) {
        let first = zone_of(&text(&made));
        let data = |lines: &[Line]| -> BTreeSet<(Name, u16, Rdata)> {
            lines.iter().map(|line| (line.owner.clone(), line.rtype.0, line.rdata.clone())).collect()
        };
        let style = Style { generic, spread };
        let kept = lines(&first, style);
        prop_assert_eq!(data(&kept), data(&made));
        let again = text(&kept);
        let second = zone_of(&again);
        prop_assert_eq!(records(&second), records(&first));
        prop_assert_eq!(text(&lines(&second, style)), again);
        made.iter_mut().for_each(|line| line.style.generic = !line.style.generic);
        prop_assert_eq!(records(&zone_of(&text(&made))), records(&first), "the generic form says the same");
    }
}
