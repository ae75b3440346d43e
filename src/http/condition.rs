//! What a request about an instance wants to hold, or else not to be carried out (RFC 9110 §13.1).
//!
//! No reply has an entity tag, so none that a request lists is that of an instance: what can be asked for is that there be
//! one, or none.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};

use super::Api;
use super::problem::Problem;
use crate::model::Key;
use crate::registry::Refusal;

/// What there should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Whatever there is.
    Any,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: *`
    Present,
    /// Entity tags, or both that there be an instance and that there be none.
    Never,
}

impl Condition {
    fn of(headers: &HeaderMap) -> Self {
        let is_any = |name: HeaderName| headers.get(name).map(|value| value == "*");
        match (is_any(header::IF_MATCH), is_any(header::IF_NONE_MATCH)) {
            (None, None | Some(false)) => Self::Any,
            (None, Some(true)) => Self::Absent,
            (Some(true), None | Some(false)) => Self::Present,
            (Some(_), _) => Self::Never,
        }
    }

    /// Refuses what changes an instance and does not want one to be there. Whether there is one counts first.
    pub fn allows_change(self, api: &Api, key: &Key) -> Result<(), Problem> {
        match self {
            Self::Any | Self::Present => Ok(()),
            Self::Absent | Self::Never if api.engine.index().instance(key).is_none() => {
                Err(Refusal::Unknown(key.clone()).into())
            }
            Self::Absent => Err(Refusal::Exists(key.clone()).into()),
            Self::Never => Err(unmatched()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Condition {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

/// What never holds.
pub fn unmatched() -> Problem {
    let detail = "nothing here has an entity tag that `If-Match` could name; `*` asks that there be an instance";
    Problem::new(StatusCode::PRECONDITION_FAILED, detail).of_kind("no-match")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn conditions_are_read() {
        let (tag, any) = (Some("\"a\""), Some("*"));
        for (matches, none_matches, condition) in [
            (None, None, Condition::Any),
            (None, tag, Condition::Any),
            (None, any, Condition::Absent),
            (any, None, Condition::Present),
            (any, tag, Condition::Present),
            (any, any, Condition::Never),
            (tag, None, Condition::Never),
            (tag, tag, Condition::Never),
            (tag, any, Condition::Never),
            (Some(""), None, Condition::Never),
        ] {
            let given = [(header::IF_MATCH, matches), (header::IF_NONE_MATCH, none_matches)];
            let given = given.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_static(value?))));
            assert_eq!(Condition::of(&given.collect()), condition, "{matches:?} {none_matches:?}");
        }
    }
}
