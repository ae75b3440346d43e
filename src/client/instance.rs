//! An instance as a client knows it, and the instances of a service.
//!
//! What a server replies is read leniently: members that this version does not know are passed over, so that a newer
//! server is no reason to fail.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::ring::Ring;
use crate::model::{Address, InstanceId, Load, ServiceName, Status};

/// One instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    pub service: ServiceName,
    pub id: InstanceId,
    pub address: Address,
    /// The main port.
    pub port: u16,
    /// Named ports.
    pub ports: BTreeMap<String, u16>,
    pub scheme: String,
    pub version: Option<String>,
    /// A status that this version does not know counts as [`Status::Unhealthy`].
    pub status: Status,
    /// The share of the traffic, with slow start and load taken into account; 0 is last resort.
    pub weight: u16,
    /// Lower is used first.
    pub priority: u16,
    pub tags: Vec<String>,
    pub metadata: Map<String, Value>,
    /// What it last reported.
    pub load: Option<Load>,
    /// That of its last change; 0 where it came from DNS.
    pub revision: u64,
}

impl Instance {
    /// Reads an instance out of a reply; `None` when it is none.
    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value[name].as_str();
        let number = |name: &str| value[name].as_u64().and_then(|number| u16::try_from(number).ok());
        let ports = value["ports"].as_object().into_iter().flatten();
        let named = ports.filter_map(|(name, port)| Some((name.clone(), u16::try_from(port.as_u64()?).ok()?)));
        Some(Self {
            service: ServiceName::parse(text("service")?).ok()?,
            id: InstanceId::parse(text("id")?).ok()?,
            address: address(value)?,
            port: number("port")?,
            ports: named.collect(),
            scheme: text("scheme").unwrap_or("http").to_owned(),
            version: text("version").map(str::to_owned),
            status: Status::parse(text("status")?).unwrap_or(Status::Unhealthy),
            weight: number("effective_weight").or_else(|| number("weight")).unwrap_or(1),
            priority: number("priority").unwrap_or(0),
            tags: value["tags"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|tag| Some(tag.as_str()?.to_owned()))
                .collect(),
            metadata: value["metadata"].as_object().cloned().unwrap_or_default(),
            load: Load::from_json(&value["load"]).ok(),
            revision: value["revision"].as_u64().unwrap_or(0),
        })
    }

    /// `HOST:PORT` of the main port, at its first address.
    pub fn endpoint(&self) -> String {
        self.endpoint_at(self.port)
    }

    /// `HOST:PORT` of a port by its name; `None` when it has no such port.
    pub fn endpoint_of(&self, name: &str) -> Option<String> {
        self.ports.get(name).map(|port| self.endpoint_at(*port))
    }

    fn endpoint_at(&self, port: u16) -> String {
        match &self.address {
            Address::Host(name) => format!("{}:{port}", name.as_str()),
            other => other.ips().first().map(|ip| std::net::SocketAddr::new(*ip, port).to_string()).unwrap_or_default(),
        }
    }

    /// Its URL, without a path.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.endpoint())
    }

    /// Whether it shall be called.
    pub fn is_served(&self) -> bool {
        self.status == Status::Healthy
    }
}

fn address(value: &Value) -> Option<Address> {
    match &value["addresses"] {
        Value::Null => {
            // `auto` stands in no reply, so nobody's own address is asked for.
            Address::from_json(&value["address"], std::net::Ipv4Addr::UNSPECIFIED.into()).ok()
        }
        several => Address::from_json_list(several).ok(),
    }
}

/// The instances of one service at one time, in the order of their ids.
#[derive(Debug)]
pub struct Instances {
    service: ServiceName,
    /// The service's own revision.
    pub(super) revision: u64,
    list: Vec<Arc<Instance>>,
    ring: OnceLock<Ring>,
}

impl Instances {
    pub(super) fn new(service: ServiceName, revision: u64, mut list: Vec<Arc<Instance>>) -> Self {
        list.sort_by(|a, b| a.id.cmp(&b.id));
        Self { service, revision, list, ring: OnceLock::new() }
    }

    pub fn service(&self) -> &ServiceName {
        &self.service
    }

    /// All of them, whatever their status.
    pub fn all(&self) -> &[Arc<Instance>] {
        &self.list
    }

    /// Those that shall be called: the healthy ones.
    pub fn served(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.list.iter().filter(|instance| instance.is_served())
    }

    /// The one with that id.
    pub fn instance(&self, id: &str) -> Option<&Arc<Instance>> {
        self.list.binary_search_by(|instance| instance.id.as_str().cmp(id)).ok().map(|at| &self.list[at])
    }

    /// Where the keys of consistent hashing lead; it is made when it is first asked for.
    pub(super) fn ring(&self) -> &Ring {
        let weighed = self.list.iter().map(|instance| (instance.id.as_str(), u64::from(instance.weight)));
        self.ring.get_or_init(|| Ring::new(weighed))
    }

    /// With `instance` in place of what had its id.
    pub(super) fn with(&self, instance: Arc<Instance>, revision: u64) -> Self {
        let others = self.list.iter().filter(|other| other.id != instance.id).cloned();
        Self::new(self.service.clone(), revision, others.chain([Arc::clone(&instance)]).collect())
    }

    /// Without the one of that id.
    pub(super) fn without(&self, id: &InstanceId, revision: u64) -> Self {
        let others = self.list.iter().filter(|other| other.id != *id).cloned();
        Self::new(self.service.clone(), revision, others.collect())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// An instance of `web` with id, priority and weight.
    pub(crate) fn instance(id: &str, priority: u16, weight: u16) -> Arc<Instance> {
        let value = json!({
            "service": "web", "id": id, "address": "10.0.0.7", "port": 80, "status": "healthy",
            "effective_weight": weight, "priority": priority,
        });
        Arc::new(Instance::from_json(&value).unwrap())
    }

    pub(crate) fn instances(list: &[(&str, u16, u16)]) -> Instances {
        let list = list.iter().map(|(id, priority, weight)| instance(id, *priority, *weight)).collect();
        Instances::new(ServiceName::parse("web").unwrap(), 1, list)
    }

    #[test]
    fn replies_are_read_whatever_else_is_in_them() {
        let whole = json!({
            "service": "web", "id": "a", "addresses": ["2001:db8::7", "10.0.0.7"], "port": 8080,
            "ports": {"metrics": 9100}, "scheme": "https", "version": "2", "status": "unhealthy", "weight": 10,
            "effective_weight": 4, "priority": 3, "tags": ["v2"], "metadata": {"team": "shop"},
            "load": {"cpu": 0.5}, "revision": 7, "of_a_newer_server": [1],
        });
        let instance = Instance::from_json(&whole).unwrap();
        assert_eq!(
            (instance.endpoint().as_str(), instance.url().as_str()),
            ("[2001:db8::7]:8080", "https://[2001:db8::7]:8080")
        );
        assert_eq!(instance.endpoint_of("metrics").as_deref(), Some("[2001:db8::7]:9100"));
        assert_eq!(instance.endpoint_of("http"), None);
        assert_eq!(
            (instance.weight, instance.priority, instance.revision, instance.status),
            (4, 3, 7, Status::Unhealthy)
        );
        assert!(instance.load.is_some() && !instance.is_served());
        let host = json!({"service": "web", "id": "a", "address": "db.example", "port": 1, "status": "resting"});
        let host = Instance::from_json(&host).unwrap();
        assert_eq!((host.endpoint().as_str(), host.status, host.weight), ("db.example:1", Status::Unhealthy, 1));
    }

    #[test]
    fn what_is_no_instance() {
        for value in [
            json!({}),
            json!([]),
            json!({"service": "web", "id": "a", "address": "auto", "port": 1, "status": "healthy"}),
            json!({"service": "web", "id": "a", "address": "10.0.0.7", "port": 65536, "status": "healthy"}),
            json!({"service": "web", "id": "a", "address": "10.0.0.7", "port": 1}),
        ] {
            assert_eq!(Instance::from_json(&value), None, "{value}");
        }
    }

    #[test]
    fn one_replaces_another_of_its_id() {
        let two = instances(&[("b", 0, 1), ("a", 0, 1)]);
        let ids = |instances: &Instances| instances.all().iter().map(|one| one.id.to_string()).collect::<Vec<_>>();
        let changed = two.with(instance("b", 0, 9), 5);
        assert_eq!(
            (ids(&changed), changed.instance("b").unwrap().weight, changed.revision),
            (vec!["a".into(), "b".into()], 9, 5)
        );
        assert_eq!(ids(&changed.without(&InstanceId::parse("a").unwrap(), 6)), ["b"]);
        assert!(two.instance("c").is_none());
    }
}
