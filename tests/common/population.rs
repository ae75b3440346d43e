//! Registrations that several tests start from.

use serde_json::json;

use super::Server;

/// Two healthy instances of `web` on different ports, both dual stack.
pub fn two(server: &Server) {
    server.register("web", "a", json!({ "addresses": ["10.0.0.1", "2001:db8::1"], "port": 8081 }));
    server.register("web", "b", json!({ "addresses": ["10.0.0.2", "2001:db8::2"], "port": 8082, "weight": 7 }));
}

/// `count` instances of `web` named `i-00`, `i-01` and so on, each with an IPv4 address of its own.
pub fn many(server: &Server, count: usize) {
    for index in 0..count {
        server.register("web", &format!("i-{index:02}"), json!({ "address": format!("10.1.0.{index}"), "port": 8080 }));
    }
}
