//! Every bound on what a client may send, in one place.
//!
//! Spans are in milliseconds, sizes in octets. A comment says where a bound comes from when it is not a choice.

use std::ops::RangeInclusive;

/// Octets of a service name: its DNS-SD and SRV forms put an underscore in front (RFC 1035 §2.3.4, RFC 2782).
pub const SERVICE_NAME: RangeInclusive<usize> = 1..=62;
/// Octets of an instance id: one label.
pub const INSTANCE_ID: RangeInclusive<usize> = 1..=63;
/// Octets of a port name (RFC 6335 §5.1).
pub const PORT_NAME: RangeInclusive<usize> = 1..=15;
/// Octets of a host name in presentation format without the final dot (RFC 1035 §2.3.4).
pub const HOST_NAME: RangeInclusive<usize> = 1..=253;
/// Octets of a tag.
pub const TAG: RangeInclusive<usize> = 1..=255;
/// Octets of a tag that can be asked for in DNS: its subtype name puts an underscore in front (RFC 6763 §7.1).
pub const TAG_IN_DNS: usize = 62;
pub const ADDRESSES: RangeInclusive<usize> = 1..=8;
pub const NAMED_PORTS: usize = 16;
pub const TAGS: usize = 64;
pub const METADATA_PAIRS: usize = 64;
pub const METADATA_KEY: RangeInclusive<usize> = 1..=64;
/// Octets of `key=value` in one character-string (RFC 1035 §3.3.14).
pub const TXT_STRING: usize = 255;
pub const VERSION: RangeInclusive<usize> = 1..=64;
pub const SCHEME: RangeInclusive<usize> = 1..=32;
pub const MESSAGE: usize = 1024;
/// Octets of what an operator writes about a service.
pub const DESCRIPTION: usize = 1024;
/// Octets of a callback URL.
pub const CALLBACK: RangeInclusive<usize> = 1..=2048;
/// Subscriptions at one time: each has a task, and holds what its callback has not been told.
pub const SUBSCRIPTIONS: usize = 4096;
/// Seconds that resolvers may keep a record.
pub const RECORD_TTL: RangeInclusive<u64> = 0..=86_400;
pub const CHECKS: usize = 8;
pub const CHECK_PATH: RangeInclusive<usize> = 1..=2048;
pub const CHECK_HEADERS: usize = 32;
pub const CHECK_HEADER: usize = 4096;
/// Octets of the service that a `grpc` check asks about.
pub const GRPC_SERVICE: usize = 255;

pub const LEASE_TTL: RangeInclusive<u64> = 1_000..=86_400_000;
pub const DEREGISTER_AFTER: RangeInclusive<u64> = 60_000..=2_592_000_000;
pub const SLOW_START: RangeInclusive<u64> = 1_000..=86_400_000;
pub const CHECK_INTERVAL: RangeInclusive<u64> = 100..=86_400_000;
pub const CHECK_TIMEOUT: RangeInclusive<u64> = 10..=300_000;
/// Consecutive results that turn a verdict.
pub const STREAK: RangeInclusive<u64> = 1..=100;

/// How long a reply may be held, in milliseconds.
pub const WAIT: RangeInclusive<u64> = 0..=600_000;

/// Octets of an ordinary request body.
pub const BODY: usize = 1 << 20;
/// Octets of all request bodies that are held at one time.
pub const BODIES: usize = 64 << 20;
/// Octets of the body of a batch call.
pub const LARGE_BODY: usize = 64 << 20;
/// Octets of all batch calls that are held at one time, bodies or results, until the replies are taken in.
pub const LARGE_BODIES: usize = 256 << 20;
/// Octets that the result of one operation of a batch call takes until the reply is taken in.
pub const RESULT: usize = 256;
/// Operations in one batch call.
pub const OPERATIONS: usize = 1_000_000;
/// Different values of one filter in a request.
pub const FILTERS: usize = 64;
/// Entries on one page of a list.
pub const PAGE: RangeInclusive<u64> = 1..=100_000;
/// Past changes in one reply.
pub const EVENTS: RangeInclusive<u64> = 1..=1_000;
/// Octets of the key that an instance is picked by.
pub const PICK_KEY: RangeInclusive<usize> = 1..=1024;
