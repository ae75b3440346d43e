//! A domain name in uncompressed wire form.
//!
//! A [`Name`] is always absolute and always valid: labels of 1 to 63 octets, 255 octets in all with the root label
//! (RFC 1035 §2.3.4). It keeps the case it was given and compares without it (RFC 4343), label by label and never as
//! text, so `hackerexample.com` is not below `example.com`.

mod text;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

/// The longest name in octets, root label included (RFC 1035 §2.3.4).
pub const MAX_NAME: usize = 255;
/// The longest label in octets (RFC 1035 §2.3.4).
pub const MAX_LABEL: usize = 63;

/// An absolute domain name, in wire form without compression.
#[derive(Clone)]
pub struct Name(Box<[u8]>);

/// Why octets or text are not a domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("the name is empty")]
    Empty,
    #[error("a label is empty")]
    EmptyLabel,
    #[error("a label has more than 63 octets")]
    LabelTooLong,
    #[error("the name has more than 255 octets")]
    TooLong,
    #[error("an escape is not \\DDD with DDD up to 255, or \\ and one character")]
    BadEscape,
    #[error("the name ends before its last label does")]
    Cut,
    #[error("the name is relative and there is no origin to complete it")]
    Relative,
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self(Box::new([0]))
    }

    /// Takes labels, most specific first, as an absolute name.
    pub fn from_labels<'a>(labels: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, NameError> {
        let mut wire = Vec::with_capacity(64);
        for label in labels {
            push_label(&mut wire, label)?;
        }
        wire.push(0);
        Self::from_vec(wire)
    }

    /// Reads an uncompressed name from the start of `octets`.
    pub fn from_wire(octets: &[u8]) -> Result<Self, NameError> {
        let mut at = 0;
        loop {
            match octets.get(at).map(|length| usize::from(*length)) {
                None => return Err(NameError::Cut),
                Some(0) => break,
                Some(length) if length > MAX_LABEL => return Err(NameError::LabelTooLong),
                Some(length) => at += length + 1,
            }
        }
        Self::from_vec(octets[..=at].to_vec())
    }

    /// This name with one more label in front.
    pub fn prepend(&self, label: &[u8]) -> Result<Self, NameError> {
        let mut wire = Vec::with_capacity(self.0.len() + label.len() + 1);
        push_label(&mut wire, label)?;
        wire.extend_from_slice(&self.0);
        Self::from_vec(wire)
    }

    fn from_vec(wire: Vec<u8>) -> Result<Self, NameError> {
        if wire.len() > MAX_NAME { Err(NameError::TooLong) } else { Ok(Self(wire.into_boxed_slice())) }
    }

    /// The octets, root label included.
    pub fn wire(&self) -> &[u8] {
        &self.0
    }

    /// The name as a reference to its octets.
    pub fn borrowed(&self) -> NameRef<'_> {
        NameRef(&self.0)
    }

    /// The labels, most specific first, without the root.
    pub fn labels(&self) -> Labels<'_> {
        Labels(&self.0)
    }

    /// How many labels there are, the root not counted.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// The name without its first label; the root has none.
    pub fn parent(&self) -> Option<Self> {
        let first = usize::from(self.0[0]);
        (first != 0).then(|| Self(self.0[first + 1..].into()))
    }

    /// Whether this name is `ancestor` or below it.
    pub fn is_at_or_below(&self, ancestor: &Name) -> bool {
        self.strip(ancestor).is_some()
    }

    /// The labels in front of `ancestor`, most specific first; `None` when this name is not at or below it.
    pub fn strip(&self, ancestor: &Name) -> Option<Vec<&[u8]>> {
        let extra = self.label_count().checked_sub(ancestor.label_count())?;
        let mut labels = self.labels();
        let front = labels.by_ref().take(extra).collect();
        labels.0.eq_ignore_ascii_case(&ancestor.0).then_some(front)
    }

    /// The same name in lower case.
    pub fn to_lowercase(&self) -> Self {
        Self(self.0.to_ascii_lowercase().into_boxed_slice())
    }
}

fn push_label(wire: &mut Vec<u8>, label: &[u8]) -> Result<(), NameError> {
    match label.len() {
        0 => Err(NameError::EmptyLabel),
        length if length > MAX_LABEL => Err(NameError::LabelTooLong),
        length => {
            wire.push(length as u8);
            wire.extend_from_slice(label);
            Ok(())
        }
    }
}

/// The labels of a [`Name`], most specific first.
#[derive(Clone)]
pub struct Labels<'a>(&'a [u8]);

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (&length, rest) = self.0.split_first()?;
        if length == 0 {
            return None;
        }
        let (label, rest) = rest.split_at(usize::from(length));
        self.0 = rest;
        Some(label)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}

/// A [`Name`] in the octets of somebody else.
#[derive(Debug, Clone, Copy)]
pub struct NameRef<'a>(&'a [u8]);

impl<'a> NameRef<'a> {
    /// Takes octets that are known to be a name in wire form.
    pub fn new(wire: &'a [u8]) -> Self {
        Self(wire)
    }
}

impl PartialEq for NameRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for NameRef<'_> {}

impl Hash for NameRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.0 {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl Ord for Name {
    /// Canonical order (RFC 4034 §6.1): by labels from the root, each compared in lower case.
    fn cmp(&self, other: &Self) -> Ordering {
        let lowered = |name: &Name| -> Vec<Vec<u8>> { name.labels().map(<[u8]>::to_ascii_lowercase).collect() };
        lowered(self).iter().rev().cmp(lowered(other).iter().rev())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn relation_is_by_labels() {
        let apex = name("example.com");
        for (text, below) in [
            ("example.com", true),
            ("www.EXAMPLE.com", true),
            ("a.b.example.com", true),
            ("hackerexample.com", false),
            ("com", false),
            ("example.org", false),
            (r"\007example.com", false),
        ] {
            assert_eq!(name(text).is_at_or_below(&apex), below, "{text}");
        }
        assert_eq!(name("a.B.example.com").strip(&apex).unwrap(), [b"a".as_slice(), b"B"]);
    }

    #[test]
    fn canonical_order_is_that_of_rfc_4034() {
        let ordered = [
            "example",
            "a.example",
            "yljkjljk.a.example",
            "Z.a.example",
            "zABC.a.EXAMPLE",
            "z.example",
            r"\001.z.example",
            "*.z.example",
            r"\200.z.example",
        ];
        let mut shuffled: Vec<Name> = ordered.iter().rev().map(|text| name(text)).collect();
        shuffled.sort();
        assert_eq!(shuffled, ordered.map(name));
    }

    #[test]
    fn wire_form_is_checked() {
        assert_eq!(Name::from_wire(b"\x03web\x00rest").unwrap(), name("web"));
        assert_eq!(Name::from_wire(b"\x03we").unwrap_err(), NameError::Cut);
        assert_eq!(Name::from_wire(b"\xc0\x0c").unwrap_err(), NameError::LabelTooLong);
    }

    proptest! {
        #[test]
        fn text_and_wire_agree(labels in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..20), 0..8)) {
            let first = Name::from_labels(labels.iter().map(Vec::as_slice)).unwrap();
            let again = Name::parse(&first.to_string()).unwrap();
            prop_assert_eq!(first.wire(), again.wire());
            let read = Name::from_wire(first.wire()).unwrap();
            prop_assert_eq!(read.wire(), first.wire());
        }
    }
}
