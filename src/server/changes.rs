//! What a reload changed in the static zones, as the log tells it.

use super::zones::StaticZones;
use crate::zone::Zone;

/// The zones that are not as they were, each with its serials where it has any.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    /// Changed zones whose serial is no higher than it was (RFC 1982): their secondaries will not notice.
    pub unnoticed: Vec<String>,
}

impl Changes {
    /// What makes `new` of `old`.
    pub fn between(old: &StaticZones, new: &StaticZones) -> Self {
        let mut changes = Self::default();
        for zone in new.iter() {
            match old.find(zone.apex()) {
                None => changes.added.push(shown(zone)),
                Some(before) if is_same(before, zone) => {}
                Some(before) => changes.change(before, zone),
            }
        }
        let gone = old.iter().filter(|zone| new.find(zone.apex()).is_none());
        changes.removed.extend(gone.map(|zone| shown(zone)));
        changes
    }

    fn change(&mut self, before: &Zone, after: &Zone) {
        match (before.serial(), after.serial()) {
            (Some(old), Some(new)) if old != new => self.changed.push(format!("{} ({old} to {new})", after.apex())),
            _ => self.changed.push(shown(after)),
        }
        let is_higher = |old: u32, new: u32| new.wrapping_sub(old).cast_signed() > 0;
        if before.serial().zip(after.serial()).is_some_and(|(old, new)| !is_higher(old, new)) {
            self.unnoticed.push(after.apex().to_string());
        }
    }
}

/// Whether two zones of one name answer the same. The case of names does not count.
pub fn is_same(a: &Zone, b: &Zone) -> bool {
    a.rrsets().eq(b.rrsets())
}

fn shown(zone: &Zone) -> String {
    match zone.serial() {
        Some(serial) => format!("{} ({serial})", zone.apex()),
        None => zone.apex().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::zones;
    use super::*;
    use crate::wire::Name;

    fn served(files: &[(&str, u32, &str)]) -> StaticZones {
        let directory = tempfile::tempdir().unwrap();
        for (name, serial, records) in files {
            let text = format!("$TTL 60\n@ SOA ns hostmaster {serial} 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n{records}");
            std::fs::write(directory.path().join(format!("{name}.zone")), text).unwrap();
        }
        std::fs::write(directory.path().join("svc.local.zone"), "www 60 A 192.0.2.1\n").unwrap();
        zones::load(directory.path(), &Name::parse("svc.local").unwrap()).unwrap()
    }

    #[test]
    fn changes_are_told_with_their_serials() {
        let (a, b) = ("x A 192.0.2.1\n", "x A 192.0.2.2\n");
        let old = served(&[("same", 1, a), ("new", 1, a), ("late", 1, a), ("wrap", u32::MAX, a), ("gone", 4, a)]);
        let new = served(&[("same", 1, a), ("new", 2, b), ("late", 1, b), ("wrap", 0, a), ("extra", 9, a)]);
        let changes = Changes::between(&old, &new);
        assert_eq!(changes.added, ["extra. (9)"]);
        assert_eq!(changes.changed, ["late. (1)", "new. (1 to 2)", "wrap. (4294967295 to 0)"]);
        assert_eq!(changes.removed, ["gone. (4)"]);
        assert_eq!(changes.unnoticed, ["late."], "serials wrap around");
        assert_eq!(Changes::between(&old, &old), Changes::default());
    }
}
