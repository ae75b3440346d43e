//! Query parameters, read one by one like the members of a body: none that nobody asked for goes unseen.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::model::{Invalid, Reason, Revision, json, limits};

/// The parameters of a request, in order.
#[derive(Debug)]
pub struct Params {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map(|Query(pairs)| Self { pairs, known: Vec::new() })
            .map_err(|error| {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the parameters do not read: {error}"))
            })
    }
}

/// The variable segments of a path.
#[derive(Debug)]
pub struct Segments<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(rejection) => Err(unreadable(&rejection)),
        }
    }
}

/// Why a path does not read: one of its names is no text.
fn unreadable(rejection: &PathRejection) -> Problem {
    if let PathRejection::FailedToDeserializePathParams(error) = rejection
        && let ErrorKind::InvalidUtf8InPathParam { key } = error.kind()
    {
        return Invalid::at(key, Reason::Label).into();
    }
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the path does not read: {rejection}"))
}

impl Params {
    /// All values of a parameter that may be repeated, each once.
    pub fn all(&mut self, name: &'static str) -> Result<Vec<String>, Invalid> {
        let values = self.take(name);
        bounded(name, values)
    }

    /// Whether a parameter was given that is not read yet.
    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, _)| key == name)
    }

    fn take(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let (taken, rest) = std::mem::take(&mut self.pairs).into_iter().partition(|(key, _)| key == name);
        self.pairs = rest;
        taken.into_iter().map(|(_, value): (String, String)| value).collect()
    }

    /// The value of a parameter that may be given once.
    pub fn one<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, Reason>,
    ) -> Result<Option<T>, Invalid> {
        let values = self.take(name);
        match values.as_slice() {
            [] => Ok(None),
            [value] => read(value).map(Some).map_err(|reason| Invalid::at(name, reason)),
            _ => Err(Invalid::at(name, Reason::Repeated)),
        }
    }

    /// All parameters whose names begin with `prefix`, without it.
    pub fn beginning_with(&mut self, prefix: &'static str) -> Result<Vec<(String, String)>, Invalid> {
        let begins = |(key, _): &(String, String)| key.len() > prefix.len() && key.starts_with(prefix);
        let (taken, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pairs).into_iter().partition(begins);
        self.pairs = rest;
        bounded(prefix, taken.into_iter().map(|(key, value)| (key[prefix.len()..].to_owned(), value)).collect())
    }

    /// Refuses parameters that were not read.
    pub fn finish(self) -> Result<(), Invalid> {
        match self.pairs.first() {
            None => Ok(()),
            Some((name, _)) => Err(Invalid::at(name, Reason::Unknown { nearest: json::nearest(name, &self.known) })),
        }
    }
}

fn bounded<T: Ord>(name: &str, mut values: Vec<T>) -> Result<Vec<T>, Invalid> {
    values.sort();
    values.dedup();
    match values.len() > limits::FILTERS {
        true => Err(Invalid::at(name, Reason::TooMany { max: limits::FILTERS })),
        false => Ok(values),
    }
}

/// A revision.
pub fn revision(text: &str) -> Result<Revision, Reason> {
    integer(text, 0..=u64::MAX).map(Revision)
}

/// `true` or `false`.
pub fn boolean(text: &str) -> Result<bool, Reason> {
    text.parse().map_err(|_| Reason::Choice { choices: &["true", "false"] })
}

/// A whole number within `range`.
pub fn integer(text: &str, range: std::ops::RangeInclusive<u64>) -> Result<u64, Reason> {
    let (min, max) = range.into_inner();
    text.parse().ok().filter(|number| (min..=max).contains(number)).ok_or(Reason::Range { min, max })
}
