//! The body of a registration, from a file's members and the options that replace them.
//!
//! Service and id travel in the path and nowhere else, so that what was read of one instance can be registered as
//! another. Nothing is judged here but an option that contradicts itself.

use anyhow::bail;
use serde_json::{Map, Value};

use super::register::RegisterArgs;

/// The id, if there is one, and the body.
///
/// # Errors
///
/// A name of `--ports` or a key of `--meta` given twice; an id in the file that is no text.
pub(super) fn build(
    args: &RegisterArgs,
    file: Map<String, Value>,
) -> anyhow::Result<(Option<String>, Map<String, Value>)> {
    let mut body = file;
    body.remove("service");
    let id = match (&args.id, body.remove("id")) {
        (Some(id), _) => Some(id.clone()),
        (None, None) => None,
        (None, Some(Value::String(id))) if !id.is_empty() => Some(id),
        (None, Some(other)) => bail!("--file: id: must be a text, not {other}"),
    };
    args.members.set_in(&mut body)?;
    Ok((id, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::tests::parse_register;
    use serde_json::json;

    fn built(options: &[&str], file: Value) -> anyhow::Result<(Option<String>, Value)> {
        let Value::Object(file) = file else { panic!("{file} is no object") };
        build(&parse_register(options), file).map(|(id, body)| (id, Value::Object(body)))
    }

    #[test]
    fn every_option_has_its_member() {
        let options = "--id a --address 10.0.0.7 --port 8080 --ports http=8080 --ports metrics=9100 --protocol tcp \
            --scheme https --version 2.1.0 --weight 10 --priority 1 --tag v2 --tag canary --meta team=shop \
            --meta max:=1000 --ttl 30s --check tcp --check http:/health";
        let options: Vec<_> = options.split_whitespace().collect();
        let (id, body) = built(&options, json!({})).unwrap();
        assert_eq!(id.as_deref(), Some("a"));
        let whole = json!({
            "address": "10.0.0.7", "port": 8080, "ports": {"http": 8080, "metrics": 9100},
            "protocol": "tcp", "scheme": "https", "version": "2.1.0", "weight": 10, "priority": 1,
            "tags": ["v2", "canary"], "metadata": {"team": "shop", "max": 1000}, "ttl": "30s",
            "checks": [{"kind": "tcp"}, {"kind": "http", "path": "/health"}],
        });
        assert_eq!(body, whole);
    }

    #[test]
    fn options_that_are_absent_set_nothing() {
        assert_eq!(built(&[], json!({})).unwrap(), (None, json!({})));
    }

    #[test]
    fn options_replace_members_of_the_file() {
        for (options, file, id, body) in [
            (vec![], json!({"id": "f", "service": "x", "port": 1}), Some("f"), json!({"port": 1})),
            (vec!["--id", "a"], json!({"id": "f"}), Some("a"), json!({})),
            (vec!["--port", "2"], json!({"port": 1, "weight": 3}), None, json!({"port": 2, "weight": 3})),
            (vec!["--tag", "b"], json!({"tags": ["a"]}), None, json!({"tags": ["b"]})),
            (vec!["--meta", "b=2"], json!({"metadata": {"a": 1}}), None, json!({"metadata": {"b": "2"}})),
            (vec!["--address", "::1"], json!({"addresses": ["::2"]}), None, json!({"address": "::1"})),
            (
                vec!["--address", "::1", "--address", "127.0.0.1"],
                json!({"address": "auto"}),
                None,
                json!({"addresses": ["::1", "127.0.0.1"]}),
            ),
        ] {
            let got = built(&options, file).unwrap();
            assert_eq!(got, (id.map(str::to_owned), body), "{options:?}");
        }
    }

    #[test]
    fn contradictions_are_usage_errors() {
        for (options, file, message) in [
            (vec!["--meta", "a=1", "--meta", "a=2"], json!({}), "--meta: \"a\" is given twice"),
            (vec!["--ports", "a=1", "--ports", "a=1"], json!({}), "--ports: \"a\" is given twice"),
            (vec![], json!({"id": 7}), "--file: id: must be a text, not 7"),
            (vec![], json!({"id": ""}), "--file: id: must be a text, not \"\""),
        ] {
            assert_eq!(built(&options, file).unwrap_err().to_string(), message);
        }
    }
}
