//! Calls that register instances and keep them alive.

use serde_json::json;

use super::Call;
use crate::http::openapi::{Content, Operation};
use crate::http::requests::{HEARTBEAT, INSTANCE};
use crate::http::{batch, check, heartbeats, instances};

const UNNAMED: &str = "/v1/services/{service}/instances";
const CHECK: &str = "/v1/services/{service}/instances/{id}/check";

pub fn calls() -> Vec<Call> {
    vec![
        Call::put(INSTANCE, instances::register, register()),
        Call::post(UNNAMED, instances::register_unnamed, register_unnamed()),
        Call::patch(INSTANCE, instances::patch, patch()),
        Call::delete(INSTANCE, instances::deregister, deregister()),
        Call::get(INSTANCE, instances::read, read()),
        Call::put(HEARTBEAT, instances::heartbeat, heartbeat()),
        Call::post(CHECK, check::check, run_checks()),
        Call::post("/v1/heartbeats", heartbeats::renew, heartbeat_many()),
        Call::post("/v1/batch", batch::batch, change_many()),
    ]
}

fn about(id: &'static str, summary: &'static str) -> Operation {
    Operation::new("instances", id, summary)
}

fn register() -> Operation {
    about("registerInstance", "Registers an instance, or replaces its whole registration")
        .about(
            "A registration that equals what is there only renews the lease: no event, no revision. One that differs keeps \
             the verdicts of the checks that stayed. Drain and maintenance outlive it.",
        )
        .of_instance()
        .header("If-None-Match", "`*`: only registers, and refuses to replace (412).", json!({"type": "string"}))
        .header("If-Match", "`*`: only replaces, and refuses to register (412).", json!({"type": "string"}))
        .takes("Registration")
        .replies(200, "It was there, and is as the body says now.", Content::Json("Instance"))
        .replies(201, "It is new.", Content::Json("Instance"))
        .with_header("Location")
        .refuses(&[409, 412])
}

fn register_unnamed() -> Operation {
    about("registerUnnamedInstance", "Registers an instance under an id that is made here")
        .of_service()
        .takes("Registration")
        .replies(201, "It is registered; `Location` has its path.", Content::Json("Instance"))
        .with_header("Location")
        .refuses(&[409, 412])
}

fn patch() -> Operation {
    about("patchInstance", "Changes members of a registration (JSON merge patch, RFC 7396)")
        .of_instance()
        .takes("RegistrationPatch")
        .replies(200, "It is as it was, with the changes.", Content::Json("Instance"))
        .refuses(&[409, 412])
}

fn deregister() -> Operation {
    about("deregisterInstance", "Deregisters an instance")
        .of_instance()
        .replies(204, "It is gone.", Content::None)
        .refuses(&[412])
}

fn read() -> Operation {
    about("readInstance", "One instance").of_instance().replies(200, "The instance.", Content::Json("Instance"))
}

fn heartbeat() -> Operation {
    about("heartbeat", "Renews the lease of an instance, which may say how it is")
        .about("404: it is not known here, and should register again.")
        .of_instance()
        .may_take("Heartbeat")
        .replies(204, "The lease has its full time again.", Content::None)
}

fn run_checks() -> Operation {
    about("runChecks", "Runs the checks of an instance now")
        .about("What they find counts like any other result, and is in DNS when the reply is sent.")
        .of_instance()
        .may_take("CheckRequest")
        .replies(200, "What each check found, in their order.", Content::Json("CheckResults"))
}

fn heartbeat_many() -> Operation {
    about("heartbeatMany", "Renews many leases in one call")
        .about("An entry that names nothing is refused, after all others were dealt with. The body may have 64 MiB.")
        .takes("HeartbeatsRequest")
        .replies(200, "How many were renewed, and which are not registered.", Content::Json("HeartbeatsReply"))
}

fn change_many() -> Operation {
    about("changeMany", "Registers and deregisters many instances in one call")
        .about("Each operation is done or refused by itself, in their order. The body may have 64 MiB.")
        .takes("BatchRequest")
        .replies(200, "One result for each operation, in their order.", Content::Json("BatchReply"))
}
