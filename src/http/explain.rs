//! `GET /v1/explain`: how DNS answers a question, and why each instance is in the answer or is not.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::params::Params;
use super::problem::Problem;
use super::{Api, Peer, listing, render, stamped};
use crate::answer::Remark;
use crate::answer::explain::{Cause, Explained, Explanation, Message, Part, Terms, ZoneKind};
use crate::model::{Invalid, Reason};
use crate::wire::{Name, RecordType, RrSet};
use crate::zone::{self, presentation};

/// Explains the answer to one question of class IN, to the client that asks here unless another one is given.
pub async fn explain(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    mut params: Params,
) -> Result<Response, Problem> {
    let name = params.one("name", |text| Name::parse(text).map_err(|_| Reason::DomainName))?;
    let rtype = params.one("type", |text| zone::record_type(text).ok_or(Reason::RecordType))?;
    let client = params.one("client", |text| text.parse().map_err(|_| Reason::IpAddress))?;
    params.finish()?;
    let name = name.ok_or_else(|| Invalid::at("name", Reason::Missing))?;
    let (rtype, client) = (rtype.unwrap_or(RecordType::A), client.unwrap_or(peer.0.ip()).to_canonical());
    let (answers, now) = (Arc::clone(&api.answers), api.engine.clock().now());
    // A service may have very many instances.
    let look = move || {
        let explained = answers.explain(&name, rtype, client, now, rand::random());
        (head(&name, rtype, client, &explained), explained)
    };
    let (head, explained) = tokio::task::spawn_blocking(look)
        .await
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the question could not be explained"))?;
    let revision = explained.revision;
    let parts = explained.explanation.map(|explanation| explanation.parts).unwrap_or_default();
    Ok(stamped(listing::reply(head, "instances", parts.into_iter().map(move |part| entry(&part, rtype))), revision))
}

/// Everything but the instances.
fn head(name: &Name, rtype: RecordType, client: IpAddr, explained: &Explained) -> Map<String, Value> {
    let why = match &explained.explanation {
        Ok(explanation) => explanation.subject.to_string(),
        Err(reason) => (*reason).to_owned(),
    };
    let mut head = Map::new();
    let mut set = |member: &str, value: Value| drop(head.insert(member.to_owned(), value));
    set("name", name.to_string().into());
    set("type", zone::mnemonic(rtype).into());
    set("client", client.to_string().into());
    set("revision", explained.revision.0.into());
    set("rcode", explained.rcode.into());
    set("why", why.into());
    set("notes", notes(explained).into());
    let [records, authority, additional] = match &explained.explanation {
        Ok(explanation) => {
            set("zone", explanation.zone.as_ref().map_or(Value::Null, |(kind, apex)| of_zone(*kind, apex)));
            if let Some(owner) = &explanation.resolved.stand_in {
                set("stand_in", owner.to_string().into());
            }
            if let Some(terms) = &explanation.service {
                set("service", of_service(terms));
            }
            explanation.resolved.outcome.sections().map(lines)
        }
        Err(_) => Default::default(),
    };
    set("records", records.into());
    set("authority", authority.into());
    set("additional", additional.into());
    let [udp, edns, tcp] = [&explained.udp, &explained.edns, &explained.tcp].map(of_message);
    set("messages", json!({"udp": udp, "edns": edns, "tcp": tcp}));
    head
}

/// What people should know beside what the other members say.
fn notes(explained: &Explained) -> Vec<String> {
    let remark = explained.explanation.as_ref().ok().and_then(|explanation| explanation.resolved.remark);
    let mut notes: Vec<String> = remark.map(|remark| remark_text(remark).to_owned()).into_iter().collect();
    notes.extend(explained.explanation.as_ref().ok().and_then(stand_in_text));
    for (message, over) in [(&explained.udp, "UDP without EDNS"), (&explained.edns, "UDP with EDNS")] {
        let (kept, all) = (message.answers, explained.tcp.answers);
        if message.truncated {
            notes.push(format!(
                "over {over} {kept} of {all} records fit into {} octets, and TC tells the client to ask over TCP; which \
                 ones these are depends on its address",
                message.limit
            ));
        } else if message.additional < explained.tcp.additional {
            notes.push(format!("over {over} not all of the additional records fit into {} octets", message.limit));
        }
    }
    notes
}

fn remark_text(remark: Remark) -> &'static str {
    match remark {
        Remark::Panic => "so few instances of the service are healthy that unhealthy ones are served too",
        Remark::NoneServed => "there are instances, and none of them is served",
    }
}

fn stand_in_text(explanation: &Explanation) -> Option<String> {
    let owner = explanation.resolved.stand_in.as_ref()?;
    let is_wildcard = owner.labels().next().is_some_and(|label| label == b"*");
    let (kind, rfc) = if is_wildcard { ("the wildcard", "RFC 4592") } else { ("the DNAME of", "RFC 6672") };
    Some(format!("{kind} {owner} stands in for a name that is not there ({rfc})"))
}

fn of_zone(kind: ZoneKind, apex: &Name) -> Value {
    let mut zone = json!({"kind": kind.as_str(), "apex": apex.to_string()});
    if kind == ZoneKind::Static {
        zone["file"] = format!("{}.zone", apex.to_string().trim_end_matches('.')).into();
    }
    zone
}

fn of_service(terms: &Terms) -> Value {
    let Terms { view, record_ttl, srv_weight_scale } = terms;
    json!({
        "service": view.name().as_str(),
        "revision": view.revision().0,
        "panicking": view.is_panicking(),
        "record_ttl": record_ttl,
        "record_ttl_is_own": view.settings().record_ttl.is_some(),
        "srv_weight_scale": srv_weight_scale,
    })
}

fn of_message(message: &Message) -> Value {
    let Message { limit, octets, truncated, answers, additional } = message;
    json!({
        "limit": limit,
        "octets": octets,
        "truncated": truncated,
        "answers": answers,
        "additional": additional,
    })
}

/// Records as lines of a master file.
fn lines(sets: Vec<&RrSet>) -> Vec<String> {
    let line = |set: &RrSet, rdata| {
        let data = presentation::rdata(set.rtype, rdata);
        format!("{} {} IN {} {data}", set.owner, set.ttl, zone::mnemonic(set.rtype))
    };
    sets.into_iter().flat_map(|set| set.rdata.iter().map(move |rdata| line(set, rdata))).collect()
}

fn entry(part: &Part, rtype: RecordType) -> Value {
    let instance = &part.instance;
    let mut entry = json!({
        "service": instance.key.service.as_str(),
        "id": instance.key.id.as_str(),
        "status": instance.status().as_str(),
        "in": part.cause.is_in(),
        "why": why(part, rtype),
        "priority": instance.registration.priority.0,
        "effective_weight": instance.effective_weight().0,
    });
    if let Some(share) = part.share {
        // Millionths say enough.
        entry["share"] = ((share * 1e6).round() / 1e6).into();
    }
    entry
}

fn why(part: &Part, rtype: RecordType) -> String {
    let (instance, registration) = (&part.instance, &part.instance.registration);
    let status = || {
        let status = instance.status().as_str();
        render::reason_of(instance).map_or_else(|| status.to_owned(), |reason| format!("{status}: {reason}"))
    };
    match part.cause {
        Cause::Healthy => "healthy".to_owned(),
        Cause::Panic => format!("{}; served all the same, because so few of the service are healthy", status()),
        Cause::Status => status(),
        Cause::Tag => "it does not carry the tag that the name asks for".to_owned(),
        Cause::Protocol => format!("its protocol is {}, and the name asks for another", registration.protocol.as_str()),
        Cause::Port => "it has no port of the name that is asked for".to_owned(),
        Cause::Family if rtype == RecordType::AAAA => "it has no IPv6 address".to_owned(),
        Cause::Family => "it has no IPv4 address".to_owned(),
        Cause::HostName => {
            format!(
                "it is registered by its host name, {}, whose addresses others know; SRV leads there",
                registration.address
            )
        }
        Cause::Type => format!("instances have no {} record at this name", zone::mnemonic(rtype)),
        Cause::Priority(lowest) => {
            format!("its priority is {}, and there are addresses of priority {}", registration.priority.0, lowest.0)
        }
        Cause::Room => "there are more records than any message holds".to_owned(),
    }
}
