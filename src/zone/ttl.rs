//! TTLs as people write them: seconds, or numbers with units.
//!
//! The units are those of every master file in the wild (`1w2d3h4m5s`, any case, added up). The largest TTL is that of
//! RFC 2181 §8.

/// The largest TTL in seconds (RFC 2181 §8).
pub const MAX_TTL: u32 = i32::MAX as u32;

/// Why text is not a TTL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TtlError {
    #[error("it is neither seconds nor numbers with the units w, d, h, m and s")]
    Syntax,
    #[error("it is more than 2147483647 seconds")]
    TooLarge,
}

/// Reads a TTL in seconds.
pub(super) fn parse(text: &str) -> Result<u32, TtlError> {
    let (mut total, mut number) = (0_u64, None);
    for octet in text.bytes() {
        if octet.is_ascii_digit() {
            let grown = number.unwrap_or(0_u64) * 10 + u64::from(octet - b'0');
            number = Some(grown.min(u64::from(u32::MAX)));
            continue;
        }
        let unit = match octet.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return Err(TtlError::Syntax),
        };
        total += number.take().ok_or(TtlError::Syntax)? * unit;
        total = total.min(u64::from(u32::MAX));
    }
    if text.is_empty() || (number.is_some() && text.bytes().any(|octet| !octet.is_ascii_digit())) {
        return Err(TtlError::Syntax);
    }
    u32::try_from(total + number.unwrap_or(0)).ok().filter(|ttl| *ttl <= MAX_TTL).ok_or(TtlError::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_units() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("3600", Ok(3600)),
            ("1h30m", Ok(5400)),
            ("1W2d3H4m5S", Ok(788_645)),
            ("2147483647", Ok(MAX_TTL)),
            ("2147483648", Err(TtlError::TooLarge)),
            ("99999999999999999999999999", Err(TtlError::TooLarge)),
            ("99999w99999w99999w99999w", Err(TtlError::TooLarge)),
            ("", Err(TtlError::Syntax)),
            ("h", Err(TtlError::Syntax)),
            ("1h30", Err(TtlError::Syntax)),
            ("1hh", Err(TtlError::Syntax)),
            ("1y", Err(TtlError::Syntax)),
            ("-1", Err(TtlError::Syntax)),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
