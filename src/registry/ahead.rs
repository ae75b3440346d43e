//! Having what commands are about read from memory before they are carried out.
//!
//! Where there are many services, what belongs to one command is far apart in memory, and each piece is only found through
//! the one before: carrying it out waits for memory again and again. What belongs to several commands can be on its way at
//! the same time. So each step of the way is taken for all of them before the next one is.

use std::hint::black_box;
use std::sync::Arc;

use super::service::Service;
use super::{About, Command, Registry};
use crate::model::Key;

/// The most instances of a service that are looked at beside the one in question: most services have fewer.
const NEIGHBOURS: usize = 8;

impl Registry {
    /// Has what these commands look at read from memory. Nothing else comes of it.
    pub fn look_ahead<'a>(&self, commands: impl Iterator<Item = &'a Command>) {
        let found = |command: &'a Command| match command.about() {
            About::Instance(key) => Some((self.services.get(&key.service)?, key)),
            About::Service(_) | About::Subscription(_) | About::Server => None,
        };
        let services: Vec<(&Service, &Key)> = commands.filter_map(found).collect();
        // To find one among them by its id, and for the next view, which holds them all.
        for entry in services.iter().flat_map(|(service, _)| service.entries().iter().take(NEIGHBOURS)) {
            black_box((Arc::strong_count(&entry.instance), entry.instance.key.id.as_str().len()));
        }
        for entry in services.iter().filter_map(|(service, key)| service.entry(&key.id)) {
            entry.instance.registration.touch();
            black_box(Arc::strong_count(&entry.instance.pulse));
            self.deadlines.touch(entry.place);
        }
    }
}
