//! Messages on a stream of octets: each is led by its length in two octets (RFC 1035 §4.2.2).

/// Octets that are read at once, at least.
const READ: usize = 4096;
/// Octets that a buffer keeps for the next messages when it has become empty.
const KEPT: usize = 4 * READ;
/// Octets of answers that have not been taken in, above which no more queries are answered.
const FULL: usize = 16 * 1024;

/// What has come in and is no message yet.
#[derive(Debug, Default)]
pub struct Inbox {
    octets: Vec<u8>,
    /// Where the messages that were taken end.
    at: usize,
}

impl Inbox {
    /// Takes the next message, if all of it is there.
    pub fn next(&mut self) -> Option<&[u8]> {
        let rest = self.octets.get(self.at..)?;
        let (length, rest) = rest.split_first_chunk()?;
        let message = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
        self.at += length.len() + message.len();
        Some(message)
    }

    /// Whether the next message is there as a whole.
    pub fn has_next(&self) -> bool {
        let rest = &self.octets[self.at..];
        rest.split_first_chunk().is_some_and(|(length, rest)| rest.len() >= usize::from(u16::from_be_bytes(*length)))
    }

    /// Whether there is nothing of a further message.
    pub fn is_empty(&self) -> bool {
        self.at == self.octets.len()
    }

    /// Where what comes in is to be appended.
    pub fn room(&mut self) -> &mut Vec<u8> {
        self.octets.drain(..self.at);
        self.at = 0;
        if self.octets.is_empty() {
            self.octets.shrink_to(KEPT);
        }
        self.octets.reserve(READ);
        &mut self.octets
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.octets.clear();
        self.at = 0;
    }
}

/// Answers that have not been taken in, one behind the other.
///
/// They are taken in batches: whatever waits when the batch before is gone makes up the next. A batch has an end, so
/// there can be a time for it, however slowly or quickly others follow.
#[derive(Debug, Default)]
pub struct Outbox {
    octets: Vec<u8>,
    sent: usize,
    /// Where the present batch ends.
    batch: usize,
}

impl Outbox {
    /// Appends a message of at most 65,535 octets.
    pub fn push(&mut self, message: &[u8]) {
        if self.sent > 0 {
            self.octets.drain(..self.sent);
            self.batch -= self.sent;
            self.sent = 0;
        }
        self.octets.extend((message.len() as u16).to_be_bytes());
        self.octets.extend(message);
    }

    pub fn pending(&self) -> &[u8] {
        &self.octets[self.sent..]
    }

    pub fn is_empty(&self) -> bool {
        self.sent == self.octets.len()
    }

    pub fn is_full(&self) -> bool {
        self.octets.len() - self.sent >= FULL
    }

    /// Notes that the first `octets` of what was pending are gone; `true` when a batch has begun with the rest.
    pub fn advance(&mut self, octets: usize) -> bool {
        self.sent += octets;
        if self.is_empty() {
            self.octets.clear();
            self.octets.shrink_to(KEPT);
            (self.sent, self.batch) = (0, 0);
            return false;
        }
        let begins = self.sent >= self.batch;
        if begins {
            self.batch = self.octets.len();
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(messages: &[&[u8]]) -> Vec<u8> {
        messages.iter().flat_map(|message| [&(message.len() as u16).to_be_bytes()[..], message].concat()).collect()
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let long = vec![7; 65_535];
        let messages: [&[u8]; 4] = [b"one", b"", &long, b"two"];
        let stream = framed(&messages);
        for piece in [1, 2, 3, 1000, stream.len()] {
            let (mut inbox, mut found) = (Inbox::default(), Vec::new());
            for octets in stream.chunks(piece) {
                inbox.room().extend(octets);
                loop {
                    let has_next = inbox.has_next();
                    let Some(message) = inbox.next() else {
                        assert!(!has_next);
                        break;
                    };
                    assert!(has_next);
                    found.push(message.to_vec());
                }
            }
            assert_eq!(found, messages, "in pieces of {piece}");
            assert!(inbox.is_empty());
        }
    }

    #[test]
    fn long_messages_leave_no_long_buffers() {
        let mut inbox = Inbox::default();
        inbox.room().extend(framed(&[&[7; 65_535]]));
        assert!(inbox.next().is_some() && inbox.room().capacity() <= KEPT);
        let mut outbox = Outbox::default();
        outbox.push(&[7; 65_535]);
        assert!(outbox.is_full());
        outbox.advance(65_537);
        assert!(outbox.is_empty() && !outbox.is_full() && outbox.octets.capacity() <= KEPT);
    }

    #[test]
    fn a_batch_is_what_waits_when_the_last_one_is_gone() {
        let mut outbox = Outbox::default();
        outbox.push(b"12345678");
        assert!(outbox.advance(1), "the first batch begins");
        outbox.push(b"x");
        assert!(!outbox.advance(8));
        assert_eq!(outbox.pending(), b"8\x00\x01x");
        assert!(outbox.advance(1), "the second");
        outbox.push(b"y");
        assert!(!outbox.advance(2));
        assert_eq!(outbox.pending(), b"x\x00\x01y");
        assert!(!outbox.advance(4) && outbox.is_empty());
    }
}
