//! Form 2: an instance in as few octets as it takes, written and read within a microsecond.
//!
//! ```text
//! flags: u16, said and status: octet, revision: varint, created and changed: i64 (nanoseconds since 1970),
//! addresses, port: u16, weight, priority, ttl (milliseconds, 0 for none): varint,
//! and what the flags name, in their order
//! addresses = 0, host name | 1, the one address | 1 + count, address…
//! address   = 4 or 6, octets
//! verdicts  = one octet for each
//! ```
//!
//! Metadata and checks are JSON inside, as they are in the API. Nothing may follow: another layout is another form.

use std::net::IpAddr;

use serde_json::Value;
use smol_str::SmolStr;

use super::octets::{Octets, put_text, put_varint};
use crate::model::{
    Address, CheckDefaults, CheckSpec, Condition, DrainedBy, HostName, Instance, Key, LeaseTtl, Metadata, Parts, Port,
    PortName, Priority, Protocol, Registration, Revision, SelfReport, Span, Tag, Verdict, Weight,
};
use crate::registry::Stored;

pub const FORM: u8 = 2;

const BRINGS_CHECKS: u16 = 1 << 0;
const LAPSED: u16 = 1 << 1;
const OVERLOADED: u16 = 1 << 2;
const DRAINING: u16 = 1 << 3;
const BY_OPERATOR: u16 = 1 << 4;
const UDP: u16 = 1 << 5;
const PORTS: u16 = 1 << 6;
const SCHEME: u16 = 1 << 7;
const VERSION: u16 = 1 << 8;
const TAGS: u16 = 1 << 9;
const METADATA: u16 = 1 << 10;
const DEREGISTER_AFTER: u16 = 1 << 11;
const SLOW_START: u16 = 1 << 12;
const CHECKS: u16 = 1 << 13;
const KNOWN: u16 = (1 << 14) - 1;

/// The scheme of registrations that do not say.
const USUAL_SCHEME: &str = "http";

/// The checks that were seen last: as a rule all instances of a service have the same.
#[derive(Debug, Default)]
pub struct Checks(Option<(Vec<CheckSpec>, Vec<u8>)>);

impl Checks {
    fn write(&mut self, checks: &[CheckSpec]) -> &[u8] {
        if self.0.as_ref().is_none_or(|(seen, _)| seen != checks) {
            let json: Value = checks.iter().map(CheckSpec::to_json).collect();
            self.0 = Some((checks.to_vec(), json.to_string().into_bytes()));
        }
        self.0.as_ref().map_or(&[], |(_, written)| written)
    }

    fn read(&mut self, written: &[u8]) -> Option<&[CheckSpec]> {
        if self.0.as_ref().is_none_or(|(_, seen)| seen != written) {
            // Never used: what is written has everything spelled out.
            let zero = Span::from_millis(0);
            let defaults = CheckDefaults { interval: zero, timeout: zero, rise: 1, fall: 1 };
            let Value::Array(list) = serde_json::from_slice(written).ok()? else { return None };
            let checks = list.iter().map(|check| CheckSpec::from_json(check, &defaults)).collect::<Result<_, _>>();
            self.0 = Some((checks.ok()?, written.to_vec()));
        }
        self.0.as_ref().map(|(checks, _)| checks.as_slice())
    }
}

/// Appends an instance.
pub fn encode(instance: &Instance, checks: &mut Checks, to: &mut Vec<u8>) {
    let Instance { registration, condition, created_at, changed_at, revision, .. } = instance;
    to.extend_from_slice(&flags(registration, condition).to_le_bytes());
    to.push(said(condition.said) | said(registration.status) << 2);
    put_varint(to, revision.0);
    for time in [created_at, changed_at] {
        // Until the year 2262.
        to.extend_from_slice(&(time.timestamp().as_nanosecond() as i64).to_le_bytes());
    }
    put_address(to, &registration.address);
    to.extend_from_slice(&registration.port.number().to_le_bytes());
    put_varint(to, registration.weight.0.into());
    put_varint(to, registration.priority.0.into());
    put_varint(to, if let LeaseTtl::For(span) = registration.ttl() { span.as_millis() } else { 0 });
    put_optional(to, registration, checks);
    to.extend(condition.checks.iter().map(|verdict| match verdict {
        Verdict::Unknown => 0,
        Verdict::Passing => 1,
        Verdict::Failing => 2,
    }));
}

fn flags(registration: &Registration, condition: &Condition) -> u16 {
    // The mark of maintenance is a record of its own; weights are not kept, as what bears on them is reported anew.
    let Condition { maintenance: _, draining, lapsed, said: _, overloaded, checks: _, capacity: _, ramp: _ } =
        condition;
    let flags = [
        (BRINGS_CHECKS, registration.brings_checks),
        (LAPSED, *lapsed),
        (OVERLOADED, *overloaded),
        (DRAINING, draining.is_some()),
        (BY_OPERATOR, *draining == Some(DrainedBy::Operator)),
        (UDP, registration.protocol == Protocol::Udp),
        (PORTS, !registration.ports().is_empty()),
        (SCHEME, registration.scheme() != USUAL_SCHEME),
        (VERSION, registration.version().is_some()),
        (TAGS, !registration.tags().is_empty()),
        (METADATA, !registration.metadata().is_empty()),
        (DEREGISTER_AFTER, registration.deregister_after().is_some()),
        (SLOW_START, registration.slow_start().is_some()),
        (CHECKS, !registration.checks().is_empty()),
    ];
    flags.into_iter().filter(|(_, holds)| *holds).map(|(flag, _)| flag).sum()
}

fn put_address(to: &mut Vec<u8>, address: &Address) {
    match address {
        Address::Host(name) => {
            to.push(0);
            put_text(to, name.as_str().as_bytes());
        }
        Address::One(ip) => {
            to.push(1);
            put_ip(to, *ip);
        }
        Address::Several(ips) => {
            // At most eight.
            to.push(1 + ips.len() as u8);
            ips.iter().for_each(|ip| put_ip(to, *ip));
        }
    }
}

fn put_ip(to: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            to.push(4);
            to.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            to.push(6);
            to.extend_from_slice(&ip.octets());
        }
    }
}

fn put_optional(to: &mut Vec<u8>, registration: &Registration, checks: &mut Checks) {
    if !registration.ports().is_empty() {
        put_varint(to, registration.ports().len() as u64);
        for (name, port) in registration.ports() {
            put_text(to, name.as_str().as_bytes());
            to.extend_from_slice(&port.number().to_le_bytes());
        }
    }
    if registration.scheme() != USUAL_SCHEME {
        put_text(to, registration.scheme().as_bytes());
    }
    if let Some(version) = registration.version() {
        put_text(to, version.as_bytes());
    }
    if !registration.tags().is_empty() {
        put_varint(to, registration.tags().len() as u64);
        registration.tags().iter().for_each(|tag| put_text(to, tag.as_str().as_bytes()));
    }
    if !registration.metadata().is_empty() {
        put_text(to, registration.metadata().to_json().to_string().as_bytes());
    }
    for span in [registration.deregister_after(), registration.slow_start()].into_iter().flatten() {
        put_varint(to, span.as_millis());
    }
    if !registration.checks().is_empty() {
        put_text(to, checks.write(registration.checks()));
    }
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// Which part does not read.
pub fn decode(key: Key, value: &[u8], checks: &mut Checks) -> Result<Stored, &'static str> {
    let mut octets = Octets(value);
    let flags = octets.array().map(u16::from_le_bytes).filter(|flags| flags & !KNOWN == 0).ok_or("its flags")?;
    let has = |flag: u16| flags & flag != 0;
    let words = octets.octet().ok_or("what it says")?;
    let revision = Revision(octets.varint().ok_or("its revision")?);
    let created_at = time(&mut octets).ok_or("when it was created")?;
    let changed_at = time(&mut octets).ok_or("when it changed")?;
    let registration = Registration::from(Parts {
        address: address(&mut octets).ok_or("its address")?,
        port: port(&mut octets).ok_or("its port")?,
        protocol: if has(UDP) { Protocol::Udp } else { Protocol::Tcp },
        weight: Weight(short(&mut octets).ok_or("its weight")?),
        priority: Priority(short(&mut octets).ok_or("its priority")?),
        ttl: ttl(octets.varint().ok_or("its ttl")?),
        ports: if has(PORTS) { ports(&mut octets).ok_or("its ports")? } else { Default::default() },
        scheme: if has(SCHEME) { word(&mut octets).ok_or("its scheme")? } else { SmolStr::new_static(USUAL_SCHEME) },
        version: if has(VERSION) { Some(word(&mut octets).ok_or("its version")?) } else { None },
        tags: if has(TAGS) { tags(&mut octets).ok_or("its tags")? } else { Vec::new() },
        metadata: if has(METADATA) { metadata(&mut octets).ok_or("its metadata")? } else { Metadata::default() },
        deregister_after: if has(DEREGISTER_AFTER) { Some(span(&mut octets).ok_or("its times")?) } else { None },
        slow_start: if has(SLOW_START) { Some(span(&mut octets).ok_or("its times")?) } else { None },
        checks: if has(CHECKS) {
            octets.text().and_then(|written| checks.read(written)).ok_or("its checks")?.to_vec()
        } else {
            Vec::new()
        },
        brings_checks: has(BRINGS_CHECKS),
        status: self_report(words >> 2).ok_or("what it says")?,
    });
    let verdicts = octets.0.iter().map(|verdict| match verdict {
        0 => Some(Verdict::Unknown),
        1 => Some(Verdict::Passing),
        2 => Some(Verdict::Failing),
        _ => None,
    });
    let verdicts =
        verdicts.collect::<Option<Vec<_>>>().filter(|verdicts| verdicts.len() == registration.checks().len());
    let condition = Condition {
        maintenance: None,
        draining: has(DRAINING).then_some(if has(BY_OPERATOR) { DrainedBy::Operator } else { DrainedBy::Itself }),
        lapsed: has(LAPSED),
        said: self_report(words & 3).ok_or("what it says")?,
        overloaded: has(OVERLOADED),
        checks: verdicts.ok_or("its verdicts")?.into_iter().collect(),
        ..Condition::default()
    };
    Ok(Stored { key, registration, condition, created_at, changed_at, revision })
}

fn said(said: SelfReport) -> u8 {
    match said {
        SelfReport::Starting => 0,
        SelfReport::Healthy => 1,
        SelfReport::Unhealthy => 2,
    }
}

fn self_report(number: u8) -> Option<SelfReport> {
    [SelfReport::Starting, SelfReport::Healthy, SelfReport::Unhealthy].get(usize::from(number)).copied()
}

fn time(octets: &mut Octets<'_>) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(octets.array().map(i64::from_le_bytes)?.into()).ok()
}

fn address(octets: &mut Octets<'_>) -> Option<Address> {
    match octets.octet()? {
        0 => HostName::parse(octets.str()?).ok().map(Address::Host),
        1 => ip(octets).map(Address::One),
        several => (1..several).map(|_| ip(octets)).collect::<Option<_>>().map(Address::Several),
    }
}

fn ip(octets: &mut Octets<'_>) -> Option<IpAddr> {
    match octets.octet()? {
        4 => octets.array::<4>().map(IpAddr::from),
        6 => octets.array::<16>().map(IpAddr::from),
        _ => None,
    }
}

fn port(octets: &mut Octets<'_>) -> Option<Port> {
    Port::new(octets.array().map(u16::from_le_bytes)?)
}

fn short(octets: &mut Octets<'_>) -> Option<u16> {
    octets.varint()?.try_into().ok()
}

fn ttl(millis: u64) -> LeaseTtl {
    if millis == 0 { LeaseTtl::Permanent } else { LeaseTtl::For(Span::from_millis(millis)) }
}

fn ports(octets: &mut Octets<'_>) -> Option<std::collections::BTreeMap<PortName, Port>> {
    let count = octets.varint()?;
    (0..count).map(|_| Some((PortName::parse(octets.str()?).ok()?, port(octets)?))).collect()
}

fn word(octets: &mut Octets<'_>) -> Option<SmolStr> {
    octets.str().map(SmolStr::new)
}

fn tags(octets: &mut Octets<'_>) -> Option<Vec<Tag>> {
    let count = octets.varint()?;
    (0..count).map(|_| Tag::parse(octets.str()?).ok()).collect()
}

fn metadata(octets: &mut Octets<'_>) -> Option<Metadata> {
    Metadata::from_json(&serde_json::from_slice(octets.text()?).ok()?).ok()
}

fn span(octets: &mut Octets<'_>) -> Option<Span> {
    octets.varint().map(Span::from_millis)
}
