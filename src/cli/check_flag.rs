//! The value of `--check`: a word for the common checks, a JSON object for all of them.

use serde_json::{Value, json};

/// Why a text describes no check.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CheckFlagError {
    #[error(
        "it should be tcp, http:/PATH, or a JSON object as {{\"kind\":\"http\",\"path\":\"/health\",\"interval\":\"2s\"}}"
    )]
    Shape,
    #[error("a check goes to the address of its instance; write http:/PATH without a host")]
    Host,
    #[error("not a JSON object: {0}")]
    Json(String),
}

/// Reads `tcp`, `grpc`, `http` (the default path), `http:/PATH`, or a JSON object, whose members are the server's to judge.
pub(super) fn check(argument: &str) -> Result<Value, CheckFlagError> {
    if argument.trim_start().starts_with('{') {
        return serde_json::from_str(argument).map_err(|error| CheckFlagError::Json(error.to_string()));
    }
    match argument.split_once(':') {
        None if ["tcp", "grpc", "http"].contains(&argument) => Ok(json!({ "kind": argument })),
        Some(("http" | "https", path)) if path.starts_with("//") => Err(CheckFlagError::Host),
        Some(("http", path)) if path.starts_with('/') => Ok(json!({ "kind": "http", "path": path })),
        _ => Err(CheckFlagError::Shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks() {
        for (argument, value) in [
            ("tcp", json!({"kind": "tcp"})),
            ("grpc", json!({"kind": "grpc"})),
            ("http", json!({"kind": "http"})),
            ("http:/health", json!({"kind": "http", "path": "/health"})),
            ("http:/health?full=1", json!({"kind": "http", "path": "/health?full=1"})),
            (r#" {"kind":"tcp","port":9000}"#, json!({"kind": "tcp", "port": 9000})),
        ] {
            assert_eq!(check(argument), Ok(value));
        }
    }

    #[test]
    fn texts_that_are_none() {
        for argument in ["", "http:", "http:health", "tcp:9000", "exec:/bin/true", "[]", "\"tcp\""] {
            assert_eq!(check(argument), Err(CheckFlagError::Shape), "{argument}");
        }
        assert_eq!(check("http://10.0.0.1/health"), Err(CheckFlagError::Host));
        assert_eq!(check("https://10.0.0.1/health"), Err(CheckFlagError::Host));
        assert!(matches!(check("{\"kind\":"), Err(CheckFlagError::Json(_))));
    }
}
