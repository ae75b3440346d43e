//! Every call of the API: its method and path, who answers it, and what the description says of it.
//!
//! The router is built from this list and from nothing else, and so is `/openapi.json`. A call is added by adding it
//! here, with its description; there is no other way to a route.

mod changes;
mod instances;
mod operator;
mod server;
mod services;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::Api;
use super::openapi::Operation;

/// What calls are about.
pub const TAGS: [(&str, &str); 5] = [
    ("instances", "Registering instances and keeping them alive."),
    ("operator", "Taking instances out of DNS and putting them back."),
    ("services", "Finding instances, and the settings of services."),
    ("changes", "Being told of changes."),
    ("server", "The server itself."),
];

/// One call.
pub struct Call {
    pub method: Method,
    pub path: &'static str,
    pub operation: Operation,
    handler: MethodRouter<Api>,
    /// Whether it has to wait for the state: before that there is nothing to read, and nothing could be kept.
    needs_state: bool,
}

impl Call {
    fn new<T: 'static>(
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        handler: impl Handler<T, Api>,
        operation: Operation,
    ) -> Self {
        // Who changes something may come from a page of another origin.
        let operation = if method.is_safe() { operation } else { operation.refuses(&[403]) };
        let operation = operation.refuses(&[422, 503]);
        Self { method, path, operation, handler: on(filter, handler), needs_state: true }
    }

    pub fn get<T: 'static>(path: &'static str, handler: impl Handler<T, Api>, operation: Operation) -> Self {
        Self::new(Method::GET, MethodFilter::GET, path, handler, operation)
    }

    pub fn put<T: 'static>(path: &'static str, handler: impl Handler<T, Api>, operation: Operation) -> Self {
        Self::new(Method::PUT, MethodFilter::PUT, path, handler, operation)
    }

    pub fn post<T: 'static>(path: &'static str, handler: impl Handler<T, Api>, operation: Operation) -> Self {
        Self::new(Method::POST, MethodFilter::POST, path, handler, operation)
    }

    pub fn patch<T: 'static>(path: &'static str, handler: impl Handler<T, Api>, operation: Operation) -> Self {
        Self::new(Method::PATCH, MethodFilter::PATCH, path, handler, operation)
    }

    pub fn delete<T: 'static>(path: &'static str, handler: impl Handler<T, Api>, operation: Operation) -> Self {
        Self::new(Method::DELETE, MethodFilter::DELETE, path, handler, operation)
    }

    /// Answers before the state is loaded too. Such a call takes no parameters, unless its description says so.
    pub fn always<T: 'static>(path: &'static str, handler: impl Handler<T, Api>, operation: Operation) -> Self {
        let handler = on(MethodFilter::GET, handler);
        Self { method: Method::GET, path, operation, handler, needs_state: false }
    }
}

/// All calls.
pub fn all() -> Vec<Call> {
    let parts = [instances::calls(), operator::calls(), services::calls(), changes::calls(), server::calls()];
    parts.into_iter().flatten().collect()
}

/// The routes of all calls: those that need the state, and those that do not.
pub fn routes() -> (Router<Api>, Router<Api>) {
    all().into_iter().fold(Default::default(), |(registry, others), call| {
        if call.needs_state {
            (registry.route(call.path, call.handler), others)
        } else {
            (registry, others.route(call.path, call.handler))
        }
    })
}
