//! A refusal in words: the RFC 9457 problem document of a reply, as one line for people.

use hyper::StatusCode;
use serde_json::Value;

use super::show::printable;
use crate::client;

/// What a reply other than a success says about itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The path of the member or parameter that is wrong.
    field: Option<String>,
    detail: String,
    /// All of it, if it is one.
    pub(super) document: Option<Box<Value>>,
}

impl Problem {
    /// Reads the body of a reply. One that is no problem document, as a proxy's, leaves what its status says.
    pub(super) fn read(status: StatusCode, body: &[u8]) -> Self {
        let problem = client::Problem::read(status, body);
        let words = problem.detail.or(problem.title);
        let detail = words.unwrap_or_else(|| format!("the server answered {status} without saying why"));
        let field = problem.field.as_deref().map(printable);
        let document = serde_json::from_slice(body).ok().filter(Value::is_object).map(Box::new);
        Self { field, detail: printable(&detail), document }
    }

    /// The problem as `SUBJECT: FIELD: DETAIL`, without the parts that are unknown or that the detail names itself.
    pub(super) fn about(&self, subject: &str) -> String {
        let field = self.field.as_deref().filter(|field| !self.detail.contains(&format!("`{field}`")));
        let subject = if self.detail.contains(subject) { "" } else { subject };
        let parts = [subject, field.unwrap_or_default(), &self.detail];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_in_words() {
        for (subject, body, words) in [
            (
                "web/a",
                r#"{"title":"t","detail":"must be 0 to 65535","field":"weight"}"#,
                "web/a: weight: must be 0 to 65535",
            ),
            ("web/a", r#"{"detail":"`weight` is wrong","field":"weight"}"#, "web/a: `weight` is wrong"),
            ("web/a", r#"{"detail":"no such instance"}"#, "web/a: no such instance"),
            ("web/a", r#"{"detail":"there is no instance web/a"}"#, "there is no instance web/a"),
            ("", r#"{"detail":"unknown parameter","field":"tga"}"#, "tga: unknown parameter"),
            ("web", r#"{"title":"Conflict","field":null}"#, "web: Conflict"),
            ("web", r#"{"detail":"a\u001b[31mb"}"#, r"web: a\u{1b}[31mb"),
            ("web", r#"{"detail":7}"#, "web: the server answered 409 Conflict without saying why"),
            ("web", "[]", "web: the server answered 409 Conflict without saying why"),
            ("web", "<html>", "web: the server answered 409 Conflict without saying why"),
            ("web", "", "web: the server answered 409 Conflict without saying why"),
        ] {
            assert_eq!(Problem::read(StatusCode::CONFLICT, body.as_bytes()).about(subject), words, "{body}");
        }
    }
}
