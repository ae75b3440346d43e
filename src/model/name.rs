//! Names that become labels in DNS: services, instances, ports and tags.

use std::fmt;
use std::ops::RangeInclusive;

use smol_str::{SmolStr, StrExt};

use super::{Reason, limits};

/// Checks letters, digits and inner hyphens, and gives the label in lower case (RFC 1123 §2.1).
fn label(text: &str, length: RangeInclusive<usize>) -> Result<SmolStr, Reason> {
    if !length.contains(&text.len()) {
        return Err(Reason::Length { min: *length.start(), max: *length.end() });
    }
    let inside = text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    if !inside || text.starts_with('-') || text.ends_with('-') {
        return Err(Reason::Label);
    }
    Ok(text.to_ascii_lowercase_smolstr())
}

macro_rules! label_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(SmolStr);

        impl $name {
            /// The label, in lower case.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

label_type! {
    /// The name of a service: one label of 1 to 62 octets, in lower case.
    ServiceName
}
label_type! {
    /// The id of an instance within its service: one label of 1 to 63 octets, in lower case.
    InstanceId
}
label_type! {
    /// The id of a subscription: one label of 1 to 63 octets, in lower case.
    SubscriptionId
}
label_type! {
    /// The name of a port (RFC 6335 §5.1): 1 to 15 octets, in lower case.
    PortName
}

impl ServiceName {
    pub fn parse(text: &str) -> Result<Self, Reason> {
        label(text, limits::SERVICE_NAME).map(Self)
    }
}

impl InstanceId {
    pub fn parse(text: &str) -> Result<Self, Reason> {
        label(text, limits::INSTANCE_ID).map(Self)
    }
}

impl SubscriptionId {
    pub fn parse(text: &str) -> Result<Self, Reason> {
        label(text, limits::INSTANCE_ID).map(Self)
    }
}

impl PortName {
    pub fn parse(text: &str) -> Result<Self, Reason> {
        let name = label(text, limits::PORT_NAME).map_err(|fault| match fault {
            Reason::Label => Reason::PortName,
            other => other,
        })?;
        let lettered = name.bytes().any(|octet| octet.is_ascii_alphabetic());
        if lettered && !name.contains("--") { Ok(Self(name)) } else { Err(Reason::PortName) }
    }
}

/// A tag: any text of 1 to 255 octets. Those that are a label can be asked for in DNS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(SmolStr);

impl Tag {
    pub fn parse(text: &str) -> Result<Self, Reason> {
        if limits::TAG.contains(&text.len()) {
            Ok(Self(SmolStr::new(text)))
        } else {
            Err(Reason::Length { min: *limits::TAG.start(), max: *limits::TAG.end() })
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag as the id of an instance that it could be taken for, if it could be one.
    pub fn as_id(&self) -> Option<SmolStr> {
        label(&self.0, limits::INSTANCE_ID).ok()
    }

    /// The tag as a DNS label in lower case, if it is one and short enough.
    pub fn label(&self) -> Option<SmolStr> {
        label(&self.0, 1..=limits::TAG_IN_DNS).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_letters_digits_and_inner_hyphens() {
        let long = "a".repeat(63);
        for (text, fault) in [
            ("web", None),
            ("Web-1", None),
            ("7", None),
            ("", Some(Reason::Length { min: 1, max: 62 })),
            (long.as_str(), Some(Reason::Length { min: 1, max: 62 })),
            ("-web", Some(Reason::Label)),
            ("web-", Some(Reason::Label)),
            ("we_b", Some(Reason::Label)),
            ("we.b", Some(Reason::Label)),
            ("wéb", Some(Reason::Label)),
        ] {
            assert_eq!(ServiceName::parse(text).err(), fault, "{text}");
        }
        assert_eq!(ServiceName::parse("Web").unwrap().as_str(), "web");
        assert!(InstanceId::parse(&long).is_ok());
    }

    #[test]
    fn port_names_follow_rfc_6335() {
        for (text, good) in
            [("http", true), ("h2", true), ("80", false), ("a--b", false), ("metrics-endpoint", false), ("x_y", false)]
        {
            assert_eq!(PortName::parse(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn only_some_tags_are_labels() {
        assert_eq!(Tag::parse("Canary").unwrap().label().as_deref(), Some("canary"));
        for text in ["a b", "v2.1", &"a".repeat(63)] {
            assert_eq!(Tag::parse(text).unwrap().label(), None, "{text}");
        }
    }
}
