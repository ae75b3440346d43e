//! Calls that find instances, and those about the settings of a service.

use serde_json::{Value, json};

use super::Call;
use crate::http::openapi::{Content, Operation, reference, values};
use crate::http::{explain, pick, prometheus_targets, services, settings};
use crate::model::{Status, limits};

const SERVICE: &str = "/v1/services/{service}";

pub fn calls() -> Vec<Call> {
    vec![
        Call::get("/v1/services", services::list, list()),
        Call::get(SERVICE, services::read, read()),
        Call::put(SERVICE, settings::replace, set()),
        Call::delete("/v1/services/{service}/settings", settings::remove, unset()),
        Call::get("/v1/services/{service}/pick", pick::pick, pick_one()),
        Call::get("/v1/prometheus/targets", prometheus_targets::targets, targets()),
        Call::get("/v1/explain", explain::explain, explain_answer()),
    ]
}

fn about(id: &'static str, summary: &'static str) -> Operation {
    Operation::new("services", id, summary)
}

fn texts() -> Value {
    json!({"type": "array", "items": {"type": "string"}, "maxItems": limits::FILTERS})
}

/// The parameters that narrow the instances of a service down.
fn filtered(operation: Operation) -> Operation {
    let mut statuses = vec!["all"];
    statuses.extend(Status::ALL.map(Status::as_str));
    operation
        .about(
            "`meta.KEY=VALUE` among the parameters: only instances whose metadata says so, and may be given for several \
             keys. Lists are compared as they are in TXT, joined by commas.",
        )
        .query("status", "Only instances of this status; `all` unless given.", json!({"enum": statuses}))
        .query("tag", "Only instances that carry this tag; may be repeated, and then all must be carried.", texts())
        .query("version", "Only instances of this version.", json!({"type": "string"}))
}

fn list() -> Operation {
    about("listServices", "The services, by name")
        .query("tag", "Only services with an instance that carries this tag; may be repeated.", texts())
        .query("prefix", "Only services whose names begin so.", json!({"type": "string"}))
        .query("status", "Only services with an instance of this status.", reference("Status"))
        .query("limit", "Entries on a page; all unless given.", values::integer(limits::PAGE, "A number of entries."))
        .query(
            "after",
            "Only services whose names come after this one: `next` of the page before.",
            json!({"type": "string"}),
        )
        .query("instances", "Whether each service has its instances with it.", json!({"type": "boolean"}))
        .replies(200, "The services.", Content::Json("ServiceList"))
}

fn read() -> Operation {
    let operation = about("readService", "One service with its instances and settings").about(
        "With `since` and `wait` the reply is held until the service has changed past that revision, or the time is over.",
    );
    filtered(operation.of_service())
        .query("since", "A revision that was read before; given together with `wait`.", reference("Revision"))
        .query("wait", "The longest to wait for a change.", values::span(limits::WAIT, "A span."))
        .replies(200, "The service.", Content::Json("Service"))
}

fn set() -> Operation {
    about("setSettings", "Replaces the settings of a service")
        .about("They make no service: they may be there before its first instance and after its last.")
        .of_service()
        .takes("SettingsRequest")
        .replies(200, "The service with its new settings.", Content::Json("Service"))
}

fn unset() -> Operation {
    about("removeSettings", "Removes the settings of a service").of_service().replies(
        200,
        "The service without settings.",
        Content::Json("Service"),
    )
}

fn pick_one() -> Operation {
    let operation = about("pickInstance", "One instance that DNS would serve, of the lowest priority")
        .about("503: no instance that was asked for is served. `consistent_hash` needs `key`.");
    filtered(operation.of_service())
        .query(
            "strategy",
            "How to pick; what the service has set unless given, else `weighted`.",
            reference("Strategy"),
        )
        .query("key", "What `consistent_hash` goes by.", values::text(limits::PICK_KEY, "Any text."))
        .replies(200, "The instance.", Content::Json("Instance"))
}

fn targets() -> Operation {
    let operation = about("prometheusTargets", "What Prometheus is to scrape (its HTTP service discovery)")
        .about("Instances whose leases live, healthy or not, unless `status` is given.")
        .query("service", "Only instances of this service; may be repeated.", texts())
        .query("port", "A named port in place of the main one.", reference("PortName"));
    filtered(operation).replies(200, "Groups of one target each.", Content::Json("TargetGroups"))
}

fn explain_answer() -> Operation {
    let kind = json!({"type": "string", "default": "A", "examples": ["SRV", "TYPE65"]});
    about("explain", "How DNS answers a question, and why each instance is in the answer or is not")
        .required_query("name", "The name that is asked for.", json!({"type": "string", "examples": ["web.svc.local"]}))
        .query("type", "The record type.", kind)
        .query("client", "IP address of the client; that of who asks here unless given.", json!({"type": "string"}))
        .replies(200, "The answer and how it comes about.", Content::Json("Explanation"))
}
