//! Questions about the server itself: TXT records of class CHAOS (RFC 4892).

use super::Settings;
use super::query::Question;
use crate::wire::{Rdata, RecordType, record};

/// The class.
pub const CLASS: u16 = 3;

/// What is told under a name; `None` where nothing is configured, or nothing ever is.
pub fn text(settings: &Settings, question: &Question<'_>) -> Option<Rdata> {
    let names: [(&[u8], &[u8]); 4] = [
        (b"\x07version\x04bind\x00", &settings.version),
        (b"\x07version\x06server\x00", &settings.version),
        (b"\x02id\x06server\x00", &settings.nsid),
        (b"\x08hostname\x04bind\x00", &settings.nsid),
    ];
    if question.qclass != CLASS || !matches!(question.qtype, RecordType::TXT | RecordType::ANY) {
        return None;
    }
    let (_, text) = names.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(question.qname.wire()))?;
    (!text.is_empty()).then(|| record::txt([text]))
}
