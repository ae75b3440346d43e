//! A registration by its members, for those who keep it in a form of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::particulars::Particulars;
use super::{Protocol, Registration};
use crate::model::{Address, CheckSpec, LeaseTtl, Metadata, Port, PortName, Priority, SelfReport, Span, Tag, Weight};

/// All members of a registration, each as it was once read.
#[derive(Debug)]
pub struct Parts {
    pub address: Address,
    pub port: Port,
    pub ports: BTreeMap<PortName, Port>,
    pub protocol: Protocol,
    pub scheme: SmolStr,
    pub version: Option<SmolStr>,
    pub weight: Weight,
    pub priority: Priority,
    pub tags: Vec<Tag>,
    pub metadata: Metadata,
    pub status: SelfReport,
    pub ttl: LeaseTtl,
    pub deregister_after: Option<Span>,
    pub slow_start: Option<Span>,
    pub checks: Vec<CheckSpec>,
    pub brings_checks: bool,
}

impl From<Parts> for Registration {
    fn from(parts: Parts) -> Self {
        let particulars = Particulars {
            ports: parts.ports.into_iter().collect(),
            scheme: parts.scheme,
            version: parts.version,
            tags: parts.tags.into(),
            deregister_after: parts.deregister_after,
            slow_start: parts.slow_start,
            checks: parts.checks.into(),
        };
        Self {
            address: parts.address,
            port: parts.port,
            protocol: parts.protocol,
            weight: parts.weight,
            priority: parts.priority,
            status: parts.status,
            brings_checks: parts.brings_checks,
            ttl: parts.ttl.into(),
            metadata: Some(parts.metadata).filter(|metadata| !metadata.is_empty()).map(Arc::new),
            particulars: particulars.if_any(),
        }
    }
}
