//! Metadata straight from JSON text, without a tree in between: what [`Metadata::from_json`] reads from it, or an error
//! that says nothing. Keys that are given twice or written with escapes are left to that one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use smol_str::SmolStr;

use super::{Item, Metadata, Scalar, check_key, check_length};
use crate::model::{Reason, limits};

/// What stands in for an error whose words nobody sees.
fn refused<E: Error>(_: Reason) -> E {
    E::custom("refused")
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut pairs: Vec<(SmolStr, Item)> = Vec::new();
                while let Some(key) = map.next_key::<&str>()? {
                    check_key(key).map_err(refused)?;
                    let item = map.next_value()?;
                    check_length(key, &item).map_err(refused)?;
                    if pairs.len() == limits::METADATA_PAIRS {
                        return Err(refused(Reason::TooMany { max: limits::METADATA_PAIRS }));
                    }
                    pairs.push((SmolStr::new(key), item));
                }
                pairs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                if pairs.windows(2).any(|two| two[0].0 == two[1].0) {
                    return Err(refused(Reason::Repeated));
                }
                Ok(Metadata(pairs.into()))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMore)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(OneOrMore)? {
            Item::One(scalar) => Ok(scalar),
            Item::List(_) => Err(refused(Reason::MetadataValue)),
        }
    }
}

/// Reads a scalar, or a list of them.
struct OneOrMore;

impl<'de> Visitor<'de> for OneOrMore {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, number, boolean, or a list of these")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Item, E> {
        Ok(Item::One(Scalar::Text(text.into())))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Item, E> {
        Ok(Item::One(Scalar::Truth(truth)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Item, E> {
        Ok(Item::One(Scalar::Number(number.into())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Item, E> {
        Ok(Item::One(Scalar::Number(number.into())))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Item, E> {
        Number::from_f64(number).map(|number| Item::One(Scalar::Number(number))).ok_or(refused(Reason::MetadataValue))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Item, A::Error> {
        let mut scalars = Vec::new();
        while let Some(scalar) = list.next_element()? {
            scalars.push(scalar);
        }
        Ok(Item::List(scalars.into()))
    }
}
