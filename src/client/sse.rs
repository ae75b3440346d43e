//! Server-sent events taken out of octets as they come (WHATWG HTML, section 9.2.6).

use std::time::Duration;

/// Octets that an event may have: far more than an instance can.
const LONGEST: usize = 8 << 20;

/// What was read of a stream, and what outlives it.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    /// The last line ended in a carriage return, so that a line feed still belongs to it.
    returned: bool,
    data: String,
    id: Option<String>,
    /// The id of the last whole event.
    pub(crate) last_id: Option<String>,
    /// What the server asks for between two connections.
    pub(crate) retry: Option<Duration>,
}

/// An event that is too long to be one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Parser {
    /// Takes in octets; the data of each event that they end is given to `each`.
    pub(crate) fn push<E: From<TooLong>>(
        &mut self,
        octets: &[u8],
        mut each: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        for &octet in octets {
            let follows = std::mem::replace(&mut self.returned, octet == b'\r');
            match octet {
                b'\n' if follows => {}
                b'\n' | b'\r' => self.end_line(&mut each)?,
                _ => self.line.push(octet),
            }
            if self.line.len() + self.data.len() > LONGEST {
                return Err(TooLong.into());
            }
        }
        Ok(())
    }

    /// Forgets an event that was begun: the connection is another.
    pub(crate) fn start_over(&mut self) {
        *self = Self { last_id: self.last_id.take(), retry: self.retry, ..Self::default() };
    }

    fn end_line<E>(&mut self, each: &mut impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        let octets = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&octets);
        if line.is_empty() {
            self.last_id = self.id.clone().or(self.last_id.take());
            let data = std::mem::take(&mut self.data);
            return if data.is_empty() { Ok(()) } else { each(data.strip_suffix('\n').unwrap_or(&data)) };
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.data.extend([value, "\n"]),
            "id" => self.id = Some(value.to_owned()),
            "retry" => self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry),
            // Comments, the name of the event, and what is yet to be invented.
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parser: &mut Parser, octets: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        let pushed: Result<(), TooLong> = parser.push(octets, |data| {
            events.push(data.to_owned());
            Ok(())
        });
        pushed.unwrap();
        events
    }

    #[test]
    fn events_end_with_an_empty_line() {
        for (stream, events, last_id) in [
            ("event: put\nid: 7\ndata: {}\n\n", &["{}"][..], Some("7")),
            ("data:{}\r\nid:7\r\n\r\ndata: b\r\n\r\n", &["{}", "b"], Some("7")),
            ("data: a\rdata: b\r\r", &["a\nb"], None),
            (": comment\n\n:\n\nretry: 7\n\nid: 3\n\n", &[], Some("3")),
            ("data: whole\nid: 1\n\ndata: cut\nid: 2\n", &["whole"], Some("1")),
            ("data\n\nnonsense\n\n", &[""], None),
        ] {
            let mut parser = Parser::default();
            assert_eq!(read(&mut parser, stream.as_bytes()), events, "{stream:?}");
            assert_eq!(parser.last_id.as_deref(), last_id, "{stream:?}");
            let mut octet_by_octet = Parser::default();
            let parts = stream.as_bytes().chunks(1).flat_map(|octet| read(&mut octet_by_octet, octet));
            assert_eq!(parts.collect::<Vec<_>>(), events, "{stream:?}");
        }
    }

    #[test]
    fn another_connection_goes_on_after_the_last_whole_event() {
        let mut parser = Parser::default();
        read(&mut parser, b"retry: 5\nid: 1\ndata: a\n\nid: 2\ndata: cut");
        parser.start_over();
        assert_eq!((parser.last_id.as_deref(), parser.retry), (Some("1"), Some(Duration::from_millis(5))));
        assert_eq!(read(&mut parser, b"data: c\nid: 3\n\n"), ["c"]);
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let mut parser = Parser::default();
        let endless = vec![b'x'; LONGEST + 1];
        assert_eq!(parser.push(&endless, |_| Ok(())), Err(TooLong));
    }
}
