//! Which instances of a service a client asks for.

use crate::model::{Instance, Status};

/// What an instance must be and have. All of it must hold; nothing given lets every instance through.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Selector {
    pub status: Option<Status>,
    /// Tags that it carries, all of them.
    pub tags: Vec<String>,
    pub version: Option<String>,
    /// Keys of its metadata with their values as text (as in TXT records).
    pub metadata: Vec<(String, String)>,
}

impl Selector {
    pub fn admits(&self, instance: &Instance) -> bool {
        let registration = &instance.registration;
        let carries = |tag: &String| registration.tags().iter().any(|own| own.as_str() == tag);
        let says = |(key, value): &(String, String)| registration.metadata().text(key).as_ref() == Some(value);
        self.status.is_none_or(|status| instance.status() == status)
            && self.tags.iter().all(carries)
            && self.version.as_ref().is_none_or(|version| registration.version() == Some(version))
            && self.metadata.iter().all(says)
    }
}
