//! The values of options that pair a name with something: `name=port`, `key=value`, `key:=JSON`.

use serde_json::Value;

/// Why an option's value is no pair.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PairError {
    #[error("it should look like {0}")]
    Shape(&'static str),
    #[error("{0:?} is no port number")]
    Port(String),
    #[error("what follows := is not JSON: {0}")]
    Json(String),
}

/// Splits `KEY=VALUE` at the first `=`.
pub(super) fn text(argument: &str) -> Result<(String, String), PairError> {
    let (key, value) = split(argument, "KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads `NAME=PORT`. Which numbers are ports is the server's to say.
pub(super) fn port(argument: &str) -> Result<(String, u64), PairError> {
    let (name, port) = split(argument, "NAME=PORT, as metrics=9100")?;
    let port = port.parse().map_err(|_| PairError::Port(port.to_owned()))?;
    Ok((name.to_owned(), port))
}

/// Reads `KEY=TEXT`, or `KEY:=JSON` for a value that is no text.
pub(super) fn metadata(argument: &str) -> Result<(String, Value), PairError> {
    let (key, value) = split(argument, "KEY=TEXT or KEY:=JSON")?;
    match key.strip_suffix(':') {
        None => Ok((key.to_owned(), Value::from(value))),
        Some("") => Err(PairError::Shape("KEY=TEXT or KEY:=JSON")),
        Some(key) => {
            let value = serde_json::from_str(value).map_err(|error| PairError::Json(error.to_string()))?;
            Ok((key.to_owned(), value))
        }
    }
}

fn split<'a>(argument: &'a str, shape: &'static str) -> Result<(&'a str, &'a str), PairError> {
    argument.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or(PairError::Shape(shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metadata_is_text_unless_it_says_json() {
        for (argument, key, value) in [
            ("team=shop", "team", json!("shop")),
            ("max=1000", "max", json!("1000")),
            ("empty=", "empty", json!("")),
            ("query=a=b", "query", json!("a=b")),
            ("max:=1000", "max", json!(1000)),
            ("public:=true", "public", json!(true)),
            (r#"exchanges:=["a","b"]"#, "exchanges", json!(["a", "b"])),
        ] {
            assert_eq!(metadata(argument), Ok((key.to_owned(), value)), "{argument}");
        }
        for argument in ["team", "=shop", ":=1", "team:=shop", "team:="] {
            assert!(metadata(argument).is_err(), "{argument}");
        }
    }

    #[test]
    fn ports_and_texts() {
        assert_eq!(port("metrics=9100"), Ok(("metrics".into(), 9100)));
        assert_eq!(port("metrics=x"), Err(PairError::Port("x".into())));
        assert!(port("9100").is_err() && port("=9100").is_err() && port("metrics=").is_err());
        assert_eq!(text("team=a:=b"), Ok(("team".into(), "a:=b".into())));
        assert_eq!(text("team"), Err(PairError::Shape("KEY=VALUE")));
    }
}
