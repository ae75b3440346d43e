//! `GET /`: the console, one page for people.
//!
//! The page is put together from the files beside this one and needs nothing else: no other file, no other host. What it
//! may do is said by its policy (Content Security Policy Level 3): run the script and use the style that carry the nonce
//! of this very reply, call this server, and nothing more. So text that a client registered can never become code,
//! whatever the page did with it.

use std::sync::LazyLock;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// Where the nonce goes.
const NONCE: &str = "{{nonce}}";

/// The page, in the pieces that the nonce comes between.
static PIECES: LazyLock<Vec<&'static str>> = LazyLock::new(|| PAGE.split(NONCE).collect());

const PAGE: &str = concat!(
    include_str!("head.html"),
    include_str!("style.css"),
    include_str!("body.html"),
    include_str!("dom.js"),
    include_str!("server.js"),
    include_str!("charts.js"),
    include_str!("overview.js"),
    include_str!("services.js"),
    include_str!("service.js"),
    include_str!("explain.js"),
    include_str!("main.js"),
    include_str!("foot.html"),
);

/// `GET /`
pub async fn console() -> Response {
    let nonce = format!("{:032x}", rand::random::<u128>());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    );
    let mut response = PIECES.join(nonce.as_str()).into_response();
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // Every reply has a nonce of its own.
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_small() {
        assert!(PAGE.len() < 150_000, "{}", PAGE.len());
        assert_eq!(PIECES.len(), 3, "one style and one script carry the nonce");
        assert!(PAGE.starts_with("<!doctype html>") && PAGE.trim_end().ends_with("</html>"));
        assert_eq!(PAGE.matches("<script").count(), 1);
    }

    /// What a client registered is hostile until shown otherwise: the script has no way to make markup of text.
    #[test]
    fn the_script_makes_no_markup_of_text() {
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "srcdoc",
            "DOMParser",
            "http://",
            "https://",
        ] {
            let found = PAGE.split("<script").nth(1).unwrap_or_default().replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(way), "{way}");
        }
    }
}
