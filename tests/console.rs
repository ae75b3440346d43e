//! The console at `/`, in a real browser.

mod common;

use common::browser::Browser;
use common::{Server, Setup, eventually};
use serde_json::{Value, json};

/// The key that opens what has the focus.
const ENTER: &str = "\u{e007}";

fn instance() -> Value {
    json!({ "address": "10.0.0.7", "port": 8080, "ttl": "none" })
}

fn page(server: &Server, place: &str) -> String {
    format!("http://{}/#/{place}", server.http[0])
}

#[test]
fn the_page_is_one_file_that_may_do_nothing_else() {
    let server = Server::start();
    let (first, second) = (server.api.get("/").expect(200), server.api.get("/").expect(200));
    assert_eq!(first.header("Content-Type"), Some("text/html; charset=utf-8"));
    assert!(first.body.len() < 150_000, "{}", first.body.len());
    let policy = first.header("Content-Security-Policy").expect("a policy");
    for part in ["default-src 'none'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{part} in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_ne!(Some(policy), second.header("Content-Security-Policy"), "each reply has a nonce of its own");
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce");
    assert_eq!(first.text().matches(&format!("nonce=\"{nonce}\"")).count(), 2);
}

#[test]
fn what_is_registered_shows_and_can_be_drained() {
    let server = Server::start();
    let browser = Browser::open(1280, 900);
    browser.go(&page(&server, "services"));
    browser.shows(&["No services yet", "live"]);
    browser.run("window.same = true");
    server.register("web", "a", instance());
    server.register("web", "b", instance());
    browser.shows(&["web", "2 of 2"]);
    assert_eq!(browser.run("return window.same"), true, "it was not loaded again");
    // By keyboard alone: to the service, to its first instance, and out with it.
    browser.press("j");
    browser.press(ENTER);
    browser.shows(&["2 instances healthy", "10.0.0.7:8080"]);
    browser.press("j");
    browser.press(ENTER);
    browser.shows(&["Registration", "Drain", "None: it lives by its heartbeats alone."]);
    browser.press("d");
    browser.shows(&["Drain web/a?"]);
    assert_eq!(server.instance("web", "a")["status"], "healthy", "nothing is done before it was asked");
    browser.press(ENTER);
    eventually("it is drained", || match server.instance("web", "a")["status"].as_str() {
        Some("draining") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    browser.shows(&["draining", "taken out by an operator", "Resume", "It is safe to stop"]);
    browser.press("m");
    browser.shows(&["Put web/a into maintenance?"]);
    browser.press("new disk");
    browser.press(ENTER);
    browser.shows(&["in maintenance: new disk"]);
    browser.press("1");
    browser.shows(&["What is held or out", "in maintenance: new disk", "Latest changes"]);
    browser.run("location.hash = '#/services/web/a'");
    browser.shows(&["Resume"]);
    browser.press("r");
    browser.shows(&["Resume web/a?"]);
    browser.press(ENTER);
    eventually("it is back", || match server.instance("web", "a")["status"].as_str() {
        Some("healthy") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    browser.shows(&["web/a is resumed", "healthy again, after maintenance"]);
    assert_eq!(browser.complaints(), [""; 0]);
    server.api.delete("/v1/services/web/instances/a").expect(204);
    browser.shows(&["web/a is not registered (any more)", "deregistered"]);
}

#[test]
fn hostile_text_stays_text() {
    let server = Server::start();
    let bad = "<img src=x onerror=\"window.owned=1\"><script>window.owned=1</script>";
    let registration = json!({
        "address": "10.0.0.7", "port": 8080, "ttl": "none", "version": bad.get(..60), "tags": [bad, "javascript:owned=1"],
        "metadata": {"<b>key</b>": bad, "list": [bad.get(..50)]},
    });
    server.register("web", "a", registration);
    server.api.put("/v1/services/web", json!({ "description": bad })).expect(200);
    let heartbeat = json!({ "status": "unhealthy", "message": bad });
    server.api.put("/v1/services/web/instances/a/heartbeat", heartbeat).expect(204);
    let browser = Browser::open(1280, 900);
    for place in ["services/web/a", "services/web", "services", "", "explain?name=%3Cb%3Ex&type=A", "services/%3Cb%3E"]
    {
        browser.go(&page(&server, place));
        browser.shows(&["live"]);
        if place.starts_with("services/web") {
            browser.shows(&[bad]);
        }
        assert_eq!(
            browser.run("return window.owned === undefined && !document.querySelector('main img, main script')"),
            true,
            "{place}"
        );
    }
}

#[test]
fn many_services_come_in_pages_and_are_searched() {
    let server = Server::start();
    let one = |number: usize| json!({"register": {"service": format!("s{number:03}"), "id": "a", "address": "10.0.0.7", "port": 80, "ttl": "none"}});
    let operations: Vec<Value> = (0..120).map(one).collect();
    server.api.post("/v1/batch", json!({ "operations": operations })).expect(200);
    // The size of a phone: nothing is wider than it.
    let browser = Browser::open(390, 844);
    browser.go(&page(&server, "services"));
    browser.shows(&["s000", "s049", "50 services of 120 in all"]);
    assert!(!browser.text().contains("s050"));
    browser.run("document.querySelector('[data-key=next]').click()");
    browser.shows(&["s050", "s099", "page 2"]);
    browser.press("/");
    browser.press("s11");
    browser.shows(&["s110", "s119", "10 services"]);
    for place in ["services", "services/s001", "services/s001/a", "explain?name=s001.svc.local&type=A", ""] {
        browser.go(&page(&server, place));
        browser.shows(&["live"]);
        let (wide, screen) =
            (browser.run("return document.documentElement.scrollWidth"), browser.run("return innerWidth"));
        assert!(wide.as_u64() <= screen.as_u64(), "{place}: {wide} of {screen}");
    }
    browser.go(&page(&server, "explain?name=s001.svc.local&type=A"));
    browser.shows(&["NOERROR", "10.0.0.7", "s001/a"]);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn it_says_when_the_server_is_gone_and_comes_back() {
    let first = Setup::new().start();
    first.register("web", "a", instance());
    let (setup, address) = (first.setup(), first.http[0].to_string());
    let browser = Browser::open(1280, 900);
    browser.go(&page(&first, "services"));
    browser.shows(&["web", "1 of 1", "live"]);
    let mut first = first;
    assert!(first.sigterm().success());
    browser.shows(&["The server does not answer. What is shown is what was known at", "lost", "web"]);
    let second = setup.http(&address).start();
    second.register("web", "b", instance());
    browser.shows(&["2 of 2", "live"]);
    assert!(!browser.text().contains("does not answer"));
    // Live again, not only asked once.
    second.register("db", "a", instance());
    browser.shows(&["db"]);
}
