//! OpenTelemetry's own libraries, and how much they may hold on to.

use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanLimits};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

use super::post::Poster;
use super::{TARGET, TracesError};
use crate::{config, model};

/// Spans that wait to be sent; further ones are dropped.
const QUEUE: usize = 8192;
/// Spans sent at once.
const BATCH: usize = 512;
/// From a span's end to its sending, at most.
const DELAY: Duration = Duration::from_secs(2);
/// The longest that a batch may take.
const PATIENCE: model::Span = model::Span::from_secs(5);
/// Causes that a span tells of.
const LINKS: u32 = 32;
/// The path of traces below a collector's address (OTLP specification, OTLP/HTTP request).
const PATH: &str = "/v1/traces";

/// Where spans go.
#[derive(Debug)]
pub struct Provider(SdkTracerProvider);

impl Provider {
    pub fn new(endpoint: &str, traces: &config::Traces) -> Result<Self, TracesError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Poster::new(traces.ca_file.as_deref(), PATIENCE)?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(with_path(endpoint))
            .with_timeout(PATIENCE.as_duration())
            .build()?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        // What the environment says of the resource, by OpenTelemetry's own variables, is told too.
        let resource = Resource::builder()
            .with_service_name(traces.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            // Whoever calls has decided for its own trace.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(traces.sample_ratio))))
            .with_span_limits(SpanLimits { max_links_per_span: LINKS, ..SpanLimits::default() })
            .with_resource(resource)
            .build();
        Ok(Self(provider))
    }

    /// What takes the spans of the server.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("srvd"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
    }

    /// Sends what is left, and nothing more. Blocks.
    pub fn finish(self) {
        // What could not be sent by then is lost, as it is whenever the collector is away.
        self.0.shutdown_with_timeout(PATIENCE.as_duration()).ok();
    }
}

pub fn caused<'a>(span: &Span, causes: impl Iterator<Item = &'a Span>) {
    let mut causes = causes.take(LINKS as usize);
    match (causes.next(), causes.next()) {
        (None, _) => {}
        (Some(only), None) => drop(span.set_parent(only.context())),
        (Some(first), Some(second)) => [first, second].into_iter().chain(causes).for_each(|cause| {
            span.follows_from(cause);
        }),
    }
}

pub fn asked_by(span: &Span, headers: &hyper::HeaderMap) {
    if headers.contains_key("traceparent") {
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        // It fails where the span has begun already, which is not so here.
        span.set_parent(context).ok();
    }
}

/// The address of a collector with the path of traces, unless another is written.
fn with_path(endpoint: &str) -> String {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("http", endpoint));
    match rest.split_once('/') {
        Some((_, path)) if !path.is_empty() => endpoint.to_owned(),
        Some((authority, _)) => format!("{scheme}://{authority}{PATH}"),
        None => format!("{scheme}://{rest}{PATH}"),
    }
}
