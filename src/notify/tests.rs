//! Single attempts against real sockets, most of them behaving badly.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::model::Callback;

/// A failed test ends after this long instead of hanging.
const GUARD: Duration = Duration::from_secs(30);

/// Takes one request with a body of two octets, says `answer` again and again if `endless`, and gives the request.
async fn receiver(answer: &'static str, endless: bool) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        while endless && stream.write_all(answer.as_bytes()).await.is_ok() {}
        request
    };
    (address, tokio::spawn(serve))
}

async fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n{}") {
        text.push(stream.read_u8().await.unwrap().into());
    }
    text
}

/// How one attempt ends.
async fn post(callback: &str) -> Result<(), String> {
    let poster = Poster::new(Setting::new(vec!["127.0.0.1/32".parse().unwrap()]), &Roots::none());
    let callback = Callback::parse(callback).unwrap();
    let attempt = poster.post(&callback, bytes::Bytes::from_static(b"{}"));
    timeout(GUARD, attempt).await.expect("an attempt ends").map_err(|failure| failure.to_string())
}

#[tokio::test]
async fn a_post_says_what_it_is() {
    let (address, served) = receiver("HTTP/1.1 204 x\r\n\r\n", false).await;
    post(&format!("http://{address}?a=<b>")).await.unwrap();
    let request = served.await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with("post /?a=%3cb%3e http/1.1\r\n"), "{request}");
    for field in [&format!("host: {address}"), "content-type: application/json", "content-length: 2"] {
        assert!(request.contains(&format!("\r\n{field}\r\n")), "{field}: {request}");
    }
}

#[tokio::test]
async fn the_status_decides_and_nothing_else() {
    let body = "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n";
    for (answer, endless, expected) in [
        ("HTTP/1.1 200 x\r\ncontent-length: 2\r\n\r\nok", false, Ok(())),
        ("HTTP/1.1 202 x\r\ncontent-length: 9\r\n\r\nbreaks", false, Ok(())),
        (body, false, Ok(())),
        ("HTTP/1.1 200 x\r\n\r\n and so on and so on", true, Ok(())),
        ("HTTP/1.1 500 secret words\r\n\r\n", false, Err("500 Internal Server Error")),
        ("HTTP/1.1 410 x\r\n\r\n", false, Err("410 Gone")),
        ("HTTP/1.1 307 x\r\nlocation: http://127.0.0.1/\r\n\r\n", false, Err("307 Temporary Redirect")),
        ("HTTP/1.1 100 x\r\n\r\n", true, Err("the answer is too long")),
        ("SSH-2.0-x\r\n\r\n", false, Err("the answer is not HTTP/1")),
        ("", false, Err("connection closed without an answer")),
    ] {
        let (address, _served) = receiver(answer, endless).await;
        assert_eq!(post(&format!("http://{address}/")).await, expected.map_err(str::to_owned), "{answer:?}");
    }
}

#[tokio::test]
async fn some_addresses_are_never_connected_to() {
    for (callback, why) in [
        ("http://169.254.1.1/", "the address is link-local (see health.allow)"),
        ("http://127.0.0.2/", "the address is a loopback one (see health.allow)"),
        ("http://[::1]/", "the address is a loopback one (see health.allow)"),
        ("http://[::ffff:127.9.9.9]/", "the address is a loopback one (see health.allow)"),
        ("http://[fe80::1]/", "the address is link-local (see health.allow)"),
        ("https://169.254.169.254/latest", "the address is a cloud metadata service (see health.allow)"),
        ("http://[::ffff:169.254.169.254]/", "the address is a cloud metadata service (see health.allow)"),
        ("http://224.0.0.1/", "the address is multicast or broadcast"),
        ("http://0.0.0.0/", "the address is unspecified"),
    ] {
        assert_eq!(post(callback).await, Err(why.to_owned()), "{callback}");
    }
}

#[tokio::test]
async fn https_is_spoken_to_those_that_are_believed() {
    let (address, _served) = receiver("HTTP/1.1 200 x\r\n\r\n", false).await;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mute = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let first = stream.read_u8().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 x\r\n\r\n").await.unwrap();
        first
    });
    assert_eq!(post(&format!("https://{mute}/")).await, Err("the answer is not TLS".to_owned()));
    assert_eq!(served.await.unwrap(), 22, "a handshake (RFC 8446 §5.1) came first");
    post(&format!("http://localhost:{}/", address.port())).await.unwrap();
}
