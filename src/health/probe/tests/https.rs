//! `https` checks against OpenSSL, and against what only pretends to speak TLS.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::*;

/// The first octets of a ClientHello end with nothing in particular: such a target answers the first one.
const FIRST_OCTET: &[u8] = b"\x16";

fn openssl(directory: &Path, arguments: &str) {
    let done = Command::new("openssl").current_dir(directory).args(arguments.split(' ')).output();
    let done = done.expect("openssl is not installed: `apt-get install openssl`");
    assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A directory with an authority (`ca.pem`) and certificates that it has signed: `good` for a.example and 127.0.0.1, and
/// `old`, which has run out.
fn authority() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    std::fs::write(path.join("good.ext"), "subjectAltName=DNS:a.example,IP:127.0.0.1").unwrap();
    std::fs::write(path.join("old.ext"), "subjectAltName=DNS:a.example,IP:127.0.0.1").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(path, &format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=authority -days 30"));
    for (name, days) in [("good", "30"), ("old", "-1")] {
        openssl(path, &format!("req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        let signed = format!("-in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile {name}.ext");
        openssl(path, &format!("x509 -req {signed} -out {name}.pem -days {days}"));
    }
    directory
}

/// `openssl s_server`, which answers each request with 200; ends with the handle.
async fn serve(directory: &Path, certificate: &str, more: &str) -> (Child, u16) {
    let mut command = tokio::process::Command::new("openssl");
    command.current_dir(directory).args(["s_server", "-accept", "127.0.0.1:0", "-www"]);
    command.args(["-cert", &format!("{certificate}.pem"), "-key", &format!("{certificate}.key")]);
    command.args(more.split_whitespace()).kill_on_drop(true).stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // `ACCEPT 127.0.0.1:40123`
    let ready = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("openssl says where it listens");
            if let Some(port) = line.strip_prefix("ACCEPT").and_then(|address| address.rsplit(':').next()?.parse().ok())
            {
                return port;
            }
        }
    };
    let port = timeout(GUARD, ready).await.expect("openssl starts");
    // What it says further has to go somewhere.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, port)
}

fn https(port: u16, more: &Value) -> Value {
    let mut check = json!({"kind": "http", "scheme": "https", "path": "/"});
    check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"address": "127.0.0.1", "port": port, "checks": [check]})
}

async fn find_with(roots: &Roots, body: &Value) -> String {
    let registration = registration(body);
    let prober = Prober::new(Setting::default(), roots, 8);
    let finding = timeout(GUARD, prober.probe(&registration, &registration.checks()[0])).await.expect("a probe ends");
    finding.to_string()
}

#[tokio::test]
async fn certificates_decide_unless_told_otherwise() {
    let directory = authority();
    let roots = Roots::of_file(&directory.path().join("ca.pem")).unwrap();
    let unknown = "the certificate is from an unknown issuer (see health.ca_file)";
    let other = "the certificate is for another name";
    for (certificate, tls, roots, check, found) in [
        ("good", "-tls1_3", &roots, json!({}), "200 OK"),
        ("good", "-tls1_2", &roots, json!({"headers": {"host": "a.example:8443"}}), "200 OK"),
        ("good", "", &roots, json!({"headers": {"Host": "b.example"}}), other),
        ("good", "", &roots, json!({"verify": false, "headers": {"host": "b.example"}}), "200 OK"),
        ("good", "", &Roots::none(), json!({}), unknown),
        ("good", "-tls1_2", &Roots::none(), json!({"verify": false}), "200 OK"),
        ("old", "", &roots, json!({}), "the certificate has expired"),
        ("old", "-tls1_3", &roots, json!({"verify": false}), "200 OK"),
        ("good", "", &roots, json!({"expect": 404}), "200 OK"),
        ("good", "-Verify 1 -verify_return_error -tls1_2", &roots, json!({}), "the target refuses TLS (alert 40)"),
    ] {
        let (_server, port) = serve(directory.path(), certificate, tls).await;
        assert_eq!(find_with(roots, &https(port, &check)).await, found, "{certificate} {tls} {check}");
    }
}

#[tokio::test]
async fn what_is_not_tls_costs_its_timeout_at_most() {
    let short = json!({"timeout": "200ms"});
    for (target, check, found) in [
        (Target::Hangs, &short, "the TLS handshake did not end within 200ms"),
        (Target::Drips(b"", b"\x16\x03\x03\x40\x00"), &short, "the TLS handshake did not end within 200ms"),
        (Target::Closes, &json!({}), "connection reset"),
        (Target::ResetsAtOnce, &json!({}), "connection reset"),
        (Target::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), &json!({}), "the answer is not TLS"),
        (Target::Endless(b"", b"garbage"), &json!({}), "the answer is not TLS"),
        // Empty handshake records without end.
        (Target::Endless(b"", b"\x16\x03\x03\x00\x00"), &json!({}), "the answer is not TLS"),
        (Target::Says(b"\x15\x03\x03\x00\x02\x02\x28"), &json!({}), "the target refuses TLS (alert 40)"),
    ] {
        let port = listen_to(target, FIRST_OCTET).await;
        assert_eq!(find_with(&Roots::none(), &https(port, check)).await, found, "{target:?}");
    }
}

#[tokio::test]
async fn a_host_that_is_no_name_is_told() {
    let port = listen_to(Target::Hangs, FIRST_OCTET).await;
    let found = find_with(&Roots::none(), &https(port, &json!({"headers": {"host": "a b"}}))).await;
    assert_eq!(found, "the Host header of the check is no name that TLS could ask for");
}

#[test]
fn a_file_without_roots_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (text, says) in
        [("", "it holds no certificate"), (bad, "its certificate 1 is none"), (&bad[..40], "it is no PEM file")]
    {
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, text).unwrap();
        let error = Roots::of_file(&file).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
    let error = Roots::of_file(&directory.path().join("none.pem")).unwrap_err().to_string();
    assert!(error.starts_with("it cannot be read"), "{error}");
}
