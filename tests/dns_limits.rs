//! Who is answered.

mod common;

use common::{Setup, population};

#[test]
fn only_those_allowed_are_answered() {
    let server = Setup::new().set("dns.allow", "127.0.1.0/24,::1/128").start();
    population::two(&server);
    let refused = "web.svc.local A";
    for transport in ["+notcp", "+tcp"] {
        let stranger = server.dig(&format!("{refused} -b 127.0.2.1 {transport}"));
        stranger.is_refused();
        assert!(stranger.raw.contains("EDE: 18 (Prohibited): (not answered from this address)"), "{stranger}");
        server.dig(&format!("{refused} -b 127.0.2.1 {transport} +noedns")).is_refused();
        server.dig(&format!("-c CH version.bind TXT -b 127.0.2.1 {transport}")).is_refused();
        server.dig(&format!("{refused} -b 127.0.1.9 {transport}")).answers("A", &["10.0.0.1", "10.0.0.2"]);
    }
}
