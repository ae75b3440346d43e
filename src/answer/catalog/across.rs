//! Aliases that lead from one zone of this server into another.
//!
//! At an alias the look-up begins anew with the zone that is nearest to its target (RFC 1034 §4.3.2, from step 3 back to
//! step 1). Who asks this server without a resolver in between, as the stubs of most systems can, gets no address
//! otherwise. Where no zone here has the target, the answer ends with the alias.

use super::super::authoritative::{MAX_ALIASES, alias_end};
use super::super::live::Live;
use super::super::order::Draw;
use super::super::outcome::{Outcome, Resolved};
use super::Catalog;
use crate::wire::{RecordType, RrSet};

impl Catalog {
    /// Goes on where an answer ends with an alias, in whichever zone that leads to, and stops where it comes around.
    pub(super) fn follow(&self, registry: &dyn Live, from: Resolved, qtype: RecordType, draw: &Draw) -> Resolved {
        let mut resolved = from;
        if matches!(qtype, RecordType::CNAME | RecordType::ANY) {
            return resolved;
        }
        loop {
            let Outcome::Answer { answer: chain, .. } = &resolved.outcome else { return resolved };
            let Some(target) = alias_end(chain).filter(|_| chain.len() < MAX_ALIASES) else { return resolved };
            let next = self.resolve_in_zone(registry, &target, qtype, draw);
            let is_known = !matches!(next.outcome, Outcome::Refused | Outcome::ServFail);
            if !is_known || comes_around(chain, &next.outcome) {
                return resolved;
            }
            let Resolved { outcome, stand_in, remark, .. } = next;
            let outcome = outcome.behind(chain.clone());
            resolved = Resolved { outcome, stand_in: resolved.stand_in.or(stand_in), remark, ..resolved };
        }
    }
}

/// Whether an outcome has an alias in its answer that is in the chain already.
fn comes_around(chain: &[RrSet], outcome: &Outcome) -> bool {
    let [answer, ..] = outcome.sections();
    answer.iter().any(|new| chain.iter().any(|old| old.rtype == new.rtype && old.owner == new.owner))
}
