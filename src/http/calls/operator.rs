//! Calls that take instances out of DNS and put them back.

use serde_json::json;

use super::Call;
use crate::http::openapi::{Content, Operation, values};
use crate::http::operator;
use crate::model::limits;

const DRAIN: &str = "/v1/services/{service}/instances/{id}/drain";
const MAINTENANCE: &str = "/v1/services/{service}/instances/{id}/maintenance";
const RESUME: &str = "/v1/services/{service}/instances/{id}/resume";

pub fn calls() -> Vec<Call> {
    let ends = "Puts an instance back into DNS";
    vec![
        Call::put(
            DRAIN,
            operator::drain,
            about(
                "drain",
                "Takes an instance out of DNS",
                "It stays registered; the drain ends with the registration.",
            ),
        ),
        Call::delete(DRAIN, operator::end_drain, about("endDrain", ends, "Maintenance stays.")),
        Call::put(
            MAINTENANCE,
            operator::maintain,
            about("maintain", "Keeps a name out of DNS, whoever registers under it", "It outlives deregistration.")
                .may_take("MaintenanceRequest"),
        ),
        Call::delete(MAINTENANCE, operator::end_maintenance, about("endMaintenance", ends, "A drain stays.")),
        Call::put(RESUME, operator::resume, about("resume", ends, "Ends both a drain and maintenance.")),
    ]
}

fn about(id: &'static str, summary: &'static str, about: &'static str) -> Operation {
    let wait = json!({"anyOf": [{"enum": ["true", "false"]}, values::span(limits::WAIT, "A span.")]});
    Operation::new("operator", id, summary)
        .about(about)
        .of_instance()
        .query("wait", "Holds the reply until it is safe, at most so long (10m); `true` as long as it takes.", wait)
        .replies(200, "Done; `safe_at` says when no cache can hold the instance any more.", Content::Json("Safety"))
}
