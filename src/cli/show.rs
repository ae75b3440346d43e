//! The replies of the API as people read them: which facts are shown, under which words.
//!
//! Members that are absent, or of another type than expected, leave a gap and nothing else: a client may be older or
//! newer than its server. All text of a reply passes [`printable`] on its way to a terminal.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::ask::Page;
use super::table::{self, Fact};

/// The services of `GET /v1/services`.
pub(super) fn services(reply: &Value, page: Page) -> String {
    let rows: Vec<_> = items(reply, "services").iter().map(service_facts).collect();
    if rows.is_empty() {
        return "no services".to_owned();
    }
    table::rows(&rows, page.screen)
}

/// The instances of `GET /v1/services/{service}`.
pub(super) fn instances(reply: &Value, page: Page) -> String {
    let rows: Vec<_> = items(reply, "instances").iter().map(|instance| row_facts(instance, page.now)).collect();
    if rows.is_empty() {
        return "no instances".to_owned();
    }
    table::rows(&rows, page.screen)
}

/// The results of `POST /v1/services/{service}/instances/{id}/check`.
pub(super) fn results(reply: &Value, page: Page) -> String {
    let rows: Vec<_> = items(reply, "results").iter().map(result_facts).collect();
    if rows.is_empty() {
        return "no checks".to_owned();
    }
    table::rows(&rows, page.screen)
}

/// One instance, a line for each fact.
pub(super) fn instance(reply: &Value, page: Page) -> String {
    table::sheet(&sheet_facts(reply, page.now), page.screen)
}

/// The server of `GET /v1/status`, a line for each fact.
pub(super) fn status(reply: &Value, page: Page) -> String {
    let listeners = &reply["listeners"];
    let uptime = reply["uptime_s"].as_i64().map(|seconds| format!("{:#}", SignedDuration::from_secs(seconds)));
    let facts = [
        Fact::new("version", text(&reply["version"])),
        Fact::new("ready", text(&reply["ready"])),
        Fact::new("uptime", uptime.unwrap_or_default()),
        Fact::new("revision", text(&reply["revision"])),
        Fact::new("zone", text(&reply["zone"])),
        Fact::new("store", text(&reply["store"]["kind"])),
        Fact::new("dns", text(&listeners["dns"])),
        Fact::new("http", text(&listeners["http"])),
        Fact::new("services", text(&reply["services"])),
        Fact::new("healthy", share(&reply["instances"])),
        Fact::new("not healthy", other_counts(&reply["instances"])),
        Fact::new("watchers", text(&reply["watchers"])),
    ];
    table::sheet(&facts, page.screen)
}

/// A change of `GET /v1/watch` in one line: when, which instance, what, and how it is now.
pub(super) fn change(data: &Value) -> String {
    if data["id"].is_null() {
        return format!("all there is, as of revision {}:", text(&data["revision"]));
    }
    let instance = &data["instance"];
    let [before, now] = [&data["previous_status"], &instance["status"]].map(text);
    let status = match (before.as_str(), now.as_str()) {
        (before, now) if before.is_empty() || before == now => now.to_owned(),
        (before, "") => format!("was {before}"),
        (before, now) => format!("{before} -> {now}"),
    };
    let name = format!("{}/{}", text(&data["service"]), text(&data["id"]));
    let parts = [
        text(&data["at"]),
        name,
        text(&data["change"]),
        status,
        text(&instance["endpoint"]),
        text(&instance["reason"]),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

/// `text` with its control characters spelled out, so that nobody's tag moves the cursor.
pub(super) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
    }
    clean
}

pub(super) fn service_facts(service: &Value) -> Vec<Fact> {
    vec![
        Fact::new("service", text(&service["service"])),
        Fact::status("health", text(&service["health"])),
        Fact::new("healthy", share(&service["instances"])),
        Fact::new("not healthy", other_counts(&service["instances"])),
        Fact::new("tags", text(&service["tags"])),
    ]
}

pub(super) fn row_facts(instance: &Value, now: Timestamp) -> Vec<Fact> {
    vec![
        Fact::new("instance", text(&instance["id"])),
        Fact::status("status", text(&instance["status"])),
        Fact::new("address", addresses(instance)),
        Fact::new("port", text(&instance["port"])),
        Fact::new("ports", text(&instance["ports"])),
        Fact::new("weight", weight(instance)),
        Fact::common("priority", text(&instance["priority"]), "0"),
        Fact::new("version", text(&instance["version"])),
        Fact::new("tags", text(&instance["tags"])),
        Fact::new("expires", expiry(instance, now)),
        Fact::new("reason", text(&instance["reason"])),
    ]
}

fn sheet_facts(instance: &Value, now: Timestamp) -> Vec<Fact> {
    let name = [text(&instance["service"]), text(&instance["id"])];
    let mut facts = row_facts(instance, now);
    facts[0] = Fact::new("instance", name.join("/"));
    facts.push(Fact::new("message", text(&instance["message"])));
    facts.push(Fact::new("url", text(&instance["url"])));
    facts.push(Fact::new("ttl", text(&instance["ttl"])));
    facts.push(Fact::new("metadata", text(&instance["metadata"])));
    facts
}

fn result_facts(result: &Value) -> Vec<Fact> {
    let found = match result["passing"].as_bool() {
        Some(true) => "passed",
        Some(false) => "failed",
        None => "",
    };
    let took = result["took_ms"].as_u64().map_or(String::new(), |ms| format!("{ms} ms"));
    vec![
        Fact::new("check", text(&result["kind"])),
        Fact::new("path", text(&result["path"])),
        Fact::new("service", text(&result["service"])),
        Fact::new("port", text(&result["port"])),
        Fact::status("result", found.to_owned()),
        Fact::new("took", took),
        Fact::new("detail", text(&result["detail"])),
        Fact::status("verdict", text(&result["verdict"])),
    ]
}

pub(super) fn items<'a>(reply: &'a Value, member: &str) -> &'a [Value] {
    reply[member].as_array().map_or(&[], Vec::as_slice)
}

/// A value in words: lists and objects by their items, nothing for null.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(members) => {
            let pairs = members.iter().map(|(name, value)| format!("{}={}", printable(name), text(value)));
            pairs.collect::<Vec<_>>().join("; ")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn addresses(instance: &Value) -> String {
    match &instance["addresses"] {
        Value::Null => text(&instance["address"]),
        several => text(several),
    }
}

/// The weight; with the effective one before it where a ramp or a load lowers it.
fn weight(instance: &Value) -> String {
    let [registered, effective] = ["weight", "effective_weight"].map(|member| &instance[member]);
    if effective.is_null() || effective.as_f64() == registered.as_f64() {
        return text(registered);
    }
    format!("{} of {}", text(effective), text(registered))
}

/// What is left of the lease, to the second.
fn expiry(instance: &Value, now: Timestamp) -> String {
    let Some(expires_at) = instance["expires_at"].as_str() else {
        return if instance["ttl"] == "none" { "never".to_owned() } else { String::new() };
    };
    match expires_at.parse::<Timestamp>() {
        Ok(at) => format!("{:#}", SignedDuration::from_secs(at.duration_since(now).as_secs())),
        Err(_) => printable(expires_at),
    }
}

/// How many of all instances are healthy: `2/3`.
pub(super) fn share(counts: &Value) -> String {
    match &counts["total"] {
        Value::Null => String::new(),
        total => format!("{}/{}", counts["healthy"].as_u64().unwrap_or_default(), text(total)),
    }
}

/// The instances that are not healthy, by status: `1 draining, 2 lapsed`.
pub(super) fn other_counts(counts: &Value) -> String {
    let Some(counts) = counts.as_object() else { return String::new() };
    let others = counts
        .iter()
        .filter(|(status, count)| !["total", "healthy"].contains(&status.as_str()) && count.as_u64() != Some(0));
    others.map(|(status, count)| format!("{} {}", text(count), printable(status))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::Screen;
    use serde_json::json;

    fn page() -> Page {
        Page { screen: Screen::PLAIN, now: "2026-07-01T10:00:00Z".parse().unwrap() }
    }

    #[test]
    fn a_listing_of_services() {
        let reply = json!({"revision": 9, "services": [
            {"service": "db", "health": "down", "instances": {"total": 1, "healthy": 0, "lapsed": 1}, "tags": [], "revision": 3},
            {"service": "web", "health": "degraded", "tags": ["canary", "v2"], "revision": 9,
             "instances": {"total": 4, "healthy": 2, "draining": 1, "unhealthy": 1, "starting": 0}},
        ]});
        let lines = [
            "SERVICE  HEALTH    HEALTHY  NOT HEALTHY              TAGS",
            "db       down      0/1      1 lapsed",
            "web      degraded  2/4      1 draining, 1 unhealthy  canary, v2",
        ];
        assert_eq!(services(&reply, page()), lines.join("\n"));
    }

    #[test]
    fn a_listing_of_instances() {
        let reply = json!({"service": "web", "revision": 9, "instances": [
            {"id": "a", "status": "healthy", "address": "10.0.0.7", "port": 8080, "weight": 10, "effective_weight": 10.0,
             "priority": 0, "tags": ["v2"], "expires_at": "2026-07-01T10:01:05.5Z"},
            {"id": "b", "status": "lapsed", "addresses": ["10.0.0.8", "::1"], "port": 8080, "weight": 10,
             "effective_weight": 4, "priority": 5, "expires_at": "2026-07-01T09:59:50Z", "reason": "lease ran out"},
            {"id": "c", "status": "healthy", "ports": {"http": 80}, "ttl": "none"},
        ]});
        let lines = [
            "INSTANCE  STATUS   ADDRESS        PORT  PORTS    WEIGHT   PRIORITY  TAGS  EXPIRES  REASON",
            "a         healthy  10.0.0.7       8080           10       0         v2    1m 5s",
            "b         lapsed   10.0.0.8, ::1  8080           4 of 10  5               10s ago  lease ran out",
            "c         healthy                       http=80                           never",
        ];
        assert_eq!(instances(&reply, page()), lines.join("\n"));
    }

    #[test]
    fn results_of_checks() {
        let reply = json!({"results": [
            {"kind": "http", "path": "/health", "passing": false, "took_ms": 12, "detail": "503 Service Unavailable",
             "verdict": "passing"},
            {"kind": "tcp", "port": 9000, "passing": true, "took_ms": 0, "detail": "connected", "verdict": "passing"},
        ]});
        let lines = [
            "CHECK  PATH     PORT  RESULT  TOOK   DETAIL                   VERDICT",
            "http   /health        failed  12 ms  503 Service Unavailable  passing",
            "tcp             9000  passed  0 ms   connected                passing",
        ];
        assert_eq!(results(&reply, page()), lines.join("\n"));
        assert_eq!(results(&json!({"results": []}), page()), "no checks");
    }

    #[test]
    fn an_instance() {
        let reply = json!({"service": "web", "id": "a", "status": "starting", "address": "10.0.0.7", "port": 8080,
            "weight": 1, "tags": [], "metadata": {"team": "shop", "max": 1000, "list": ["a", true]}, "ttl": "30s",
            "expires_at": "2026-07-01T10:00:30Z", "reason": null, "url": "http://10.0.0.7:8080"});
        let lines = [
            "instance  web/a",
            "status    starting",
            "address   10.0.0.7",
            "port      8080",
            "weight    1",
            "expires   30s",
            "url       http://10.0.0.7:8080",
            "ttl       30s",
            "metadata  team=shop; max=1000; list=a, true",
        ];
        assert_eq!(instance(&reply, page()), lines.join("\n"));
    }

    #[test]
    fn the_server() {
        let reply = json!({"version": "1.0.0", "ready": true, "uptime_s": 3700, "revision": 9, "zone": "svc.local.",
            "store": {"kind": "memory"}, "listeners": {"dns": ["127.0.0.1:5300"], "http": ["127.0.0.1:8053", "[::1]:8053"]},
            "services": 2, "instances": {"total": 3, "healthy": 2, "lapsed": 1}, "watchers": 4});
        let lines = [
            "version      1.0.0",
            "ready        true",
            "uptime       1h 1m 40s",
            "revision     9",
            "zone         svc.local.",
            "store        memory",
            "dns          127.0.0.1:5300",
            "http         127.0.0.1:8053, [::1]:8053",
            "services     2",
            "healthy      2/3",
            "not healthy  1 lapsed",
            "watchers     4",
        ];
        assert_eq!(status(&reply, page()), lines.join("\n"));
    }

    #[test]
    fn changes() {
        let at = "2026-07-01T10:00:00.000Z";
        let data = |change: &str, before: Value, instance: Value| {
            json!({"revision": 9, "service": "web", "id": "a", "change": change, "previous_status": before, "at": at,
                "instance": instance})
        };
        let healthy = json!({"status": "healthy", "endpoint": "10.0.0.7:80"});
        let lapsed = json!({"status": "lapsed", "endpoint": "10.0.0.7:80", "reason": "no\nheartbeat"});
        for (data, line) in [
            (json!({"revision": 42}), "all there is, as of revision 42:".to_owned()),
            (
                data("registered", json!(null), healthy.clone()),
                format!("{at}  web/a  registered  healthy  10.0.0.7:80"),
            ),
            (data("updated", json!("healthy"), healthy), format!("{at}  web/a  updated  healthy  10.0.0.7:80")),
            (
                data("status", json!("healthy"), lapsed),
                format!(r"{at}  web/a  status  healthy -> lapsed  10.0.0.7:80  no\nheartbeat"),
            ),
            (data("reaped", json!("lapsed"), json!(null)), format!("{at}  web/a  reaped  was lapsed")),
            (json!([]), "all there is, as of revision :".to_owned()),
        ] {
            assert_eq!(change(&data), line);
        }
    }

    #[test]
    fn replies_with_gaps_and_surprises() {
        for reply in [json!(null), json!({}), json!([]), json!({"services": 7}), json!({"services": []})] {
            assert_eq!(services(&reply, page()), "no services", "{reply}");
            assert_eq!(instances(&reply, page()), "no instances", "{reply}");
        }
        let odd = json!({"instances": [{"id": 7, "expires_at": "soon", "weight": "x", "tags": {"a": null}}, null]});
        assert_eq!(instances(&odd, page()), "INSTANCE  WEIGHT  TAGS  EXPIRES\n7         x       a=    soon");
    }

    #[test]
    fn control_characters_are_spelled_out() {
        assert_eq!(printable("a\x1b[2Jb\tc\u{9b}ü"), r"a\u{1b}[2Jb\tc\u{9b}ü");
        let reply = json!({"services": [{"service": "a\nb", "tags": ["\x07"]}]});
        assert_eq!(services(&reply, page()), "SERVICE  TAGS\na\\nb     \\u{7}");
    }
}
