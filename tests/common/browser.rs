//! A real browser: headless Chromium, driven over WebDriver (W3C) by chromedriver.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::eventually;
use super::http::{Client, Request};
use super::process::{Process, tool};

/// What keeps a browser quiet, small and on this host, also as root.
const QUIET: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

/// One window. Dropping it ends the browser.
pub struct Browser {
    driver: Client,
    session: String,
    #[expect(dead_code, reason = "lives as long as the browser")]
    process: Process,
    #[expect(dead_code, reason = "lives as long as the browser")]
    profile: TempDir,
}

impl Browser {
    /// Opens a window of this size in CSS pixels.
    #[track_caller]
    pub fn open(width: u32, height: u32) -> Self {
        let chromium = tool("chromium", "chromium");
        let process = Process::start(Command::new(tool("chromedriver", "chromium-driver")).arg("--port=0"));
        let port = loop {
            let line = process.stdout_line().expect("chromedriver says its port");
            if let Some(rest) = line.strip_prefix("ChromeDriver was started successfully on port ") {
                break rest.trim_end_matches('.').parse::<u16>().expect("a port");
            }
        };
        let driver = Client::new(SocketAddr::from(([127, 0, 0, 1], port)));
        let profile = TempDir::new().expect("a temporary directory");
        let mut arguments: Vec<String> = QUIET.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        arguments.push(format!("--window-size={width},{height}"));
        // Headless windows have a least width; the emulated screen has none.
        let screen =
            json!({"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1, "touch": width < 500}});
        let options = json!({"binary": chromium, "args": arguments, "mobileEmulation": screen});
        let wanted =
            json!({"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let reply = driver.post("/session", json!({"capabilities": {"alwaysMatch": wanted}})).expect(200).json();
        let session = format!("/session/{}", reply["value"]["sessionId"].as_str().expect("an id"));
        Self { driver, session, process, profile }
    }

    #[track_caller]
    pub fn go(&self, url: &str) {
        self.post("url", json!({ "url": url }));
    }

    /// What a script returns.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({"script": script, "args": []}))
    }

    /// Presses keys, one after the other, wherever the focus is.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
            .collect();
        self.post("actions", json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]}));
    }

    /// The text of the page, as people see it.
    #[track_caller]
    pub fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page shows each of `parts`.
    #[track_caller]
    pub fn shows(&self, parts: &[&str]) {
        eventually(&format!("the page shows {parts:?}"), || {
            let text = self.text();
            if parts.iter().all(|part| text.contains(part)) { Ok(()) } else { Err(text) }
        });
    }

    /// What the page has complained of since the last time: refused scripts, exceptions, failed calls.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        let told = self.post("se/log", json!({"type": "browser"}));
        told.as_array().expect("entries").iter().map(|entry| entry["message"].to_string()).collect()
    }

    #[track_caller]
    fn post(&self, command: &str, body: Value) -> Value {
        self.driver.post(&format!("{}/{command}", self.session), body).expect(200).json()["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session; by itself it would leave it behind.
        if !std::thread::panicking() {
            self.driver.delete(&self.session);
        } else {
            let request = Request::new("DELETE", &self.session);
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.driver.send(request))).ok();
        }
    }
}
