//! The two messages of `grpc.health.v1.Health/Check`, in the wire format of Protocol Buffers and the frame of gRPC.
//!
//! ```text
//!   message HealthCheckRequest  { string service = 1; }
//!   message HealthCheckResponse { enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
//!                                 ServingStatus status = 1; }
//!   frame: 1 octet compressed or not, 4 octets length, message
//! ```

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Octets of an answer with its frame. A right one has 7; members that later versions may add fit in.
pub const MOST: usize = 1024;

/// What a target says about a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServingStatus {
    Unknown,
    Serving,
    NotServing,
    ServiceUnknown,
}

impl ServingStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Serving => "SERVING",
            Self::NotServing => "NOT_SERVING",
            Self::ServiceUnknown => "SERVICE_UNKNOWN",
        }
    }
}

/// Octets before a message.
const FRAME: usize = 5;
/// Field 1 with a length, as strings have.
const SERVICE: u8 = 1 << 3 | 2;
/// Field 1 as a number.
const STATUS: u64 = 1 << 3;

/// The request about `service`, in its frame. A field with its default value is not written.
pub fn request(service: &str) -> Bytes {
    let mut message = BytesMut::with_capacity(service.len() + 3);
    if !service.is_empty() {
        message.put_u8(SERVICE);
        put_number(&mut message, service.len() as u64);
        message.put_slice(service.as_bytes());
    }
    let mut framed = BytesMut::with_capacity(FRAME + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(&message);
    framed.freeze()
}

/// The status in an answer; `None` when it is not one whole message that says one of the four. Other fields are passed
/// over.
pub fn answer(framed: &[u8]) -> Option<ServingStatus> {
    let (frame, mut message) = framed.split_at_checked(FRAME)?;
    if frame[0] != 0 || (&frame[1..]).get_u32() as usize != message.len() {
        return None;
    }
    // A status that is not written is 0.
    let mut status = 0;
    while !message.is_empty() {
        let tag = number(&mut message)?;
        match tag & 7 {
            0 if tag == STATUS => status = number(&mut message)?,
            0 => drop(number(&mut message)?),
            1 => skip(&mut message, 8)?,
            2 => {
                let length = number(&mut message)?;
                skip(&mut message, length)?;
            }
            5 => skip(&mut message, 4)?,
            _ => return None,
        }
    }
    [ServingStatus::Unknown, ServingStatus::Serving, ServingStatus::NotServing, ServingStatus::ServiceUnknown]
        .get(usize::try_from(status).ok()?)
        .copied()
}

/// Seven bits an octet, the lowest first, the highest bit set on all but the last.
fn put_number(message: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        message.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    message.put_u8(number as u8);
}

fn number(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&octet, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(octet & 0x7f) << shift;
        if octet < 0x80 {
            return Some(number);
        }
    }
    None
}

fn skip(message: &mut &[u8], octets: u64) -> Option<()> {
    *message = message.get(usize::try_from(octets).ok()?..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_framed() {
        for (service, octets) in [("", &b"\0\0\0\0\0"[..]), ("a.B", b"\0\0\0\0\x05\x0a\x03a.B")] {
            assert_eq!(request(service), octets);
        }
        let long = request(&"x".repeat(255));
        assert_eq!((&long[..8], long.len()), (&b"\0\0\0\x01\x02\x0a\xff\x01"[..], 5 + 3 + 255));
    }

    #[test]
    fn answers_are_read() {
        for (octets, status) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], Some(ServingStatus::Serving)),
            (b"\0\0\0\0\x02\x08\x02", Some(ServingStatus::NotServing)),
            (b"\0\0\0\0\x02\x08\x03", Some(ServingStatus::ServiceUnknown)),
            (b"\0\0\0\0\0", Some(ServingStatus::Unknown)),
            (b"\0\0\0\0\x04\x08\x02\x08\x01", Some(ServingStatus::Serving)),
            (b"\0\0\0\0\x07\x12\x01x\x08\x01\x18\x05", Some(ServingStatus::Serving)),
            (b"\0\0\0\0\x09\x1d\0\0\0\0\x08\x01\x18\x05", Some(ServingStatus::Serving)),
            (b"\0\0\0\0\x02\x08\x04", None),
            (b"\x01\0\0\0\x02\x08\x01", None),
            (b"\0\0\0\0\x03\x08\x01", None),
            (b"\0\0\0\0\x01\x08\x01", None),
            (b"\0\0\0\0\x01\x08", None),
            (b"\0\0\0\0\x02\x0a\x05", None),
            (b"\0\0\0\0\x02\x0b\x05", None),
            (b"\0\0\0\0\x0b\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
            (b"\0\0\0\0\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", None),
            (b"", None),
        ] {
            assert_eq!(answer(octets), status, "{octets:?}");
        }
    }
}
