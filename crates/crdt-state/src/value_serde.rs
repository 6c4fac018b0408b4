//! How values are written: as a tagged enum in binary, as plain JSON where people read along.
//!
//! Decoding counts levels, because a hostile body of 1 MiB could otherwise nest half a million of them and exhaust
//! the stack.

use std::fmt;

use meshwork_base::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, EnumAccess, Error, SeqAccess, VariantAccess, Visitor},
};

use crate::{DEPTH_MAX, Value, json};

const NAME: &str = "Value";
const VARIANTS: &[&str] = &["Null", "Bool", "Int", "Float", "Text", "Bytes", "Number", "List", "Map"];

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return json::from_value(self).serialize(serializer);
        }
        let rank = self.rank();
        let name = VARIANTS.get(rank as usize).copied().unwrap_or_default();
        match self {
            Self::Null => serializer.serialize_unit_variant(NAME, rank, name),
            Self::Bool(truth) => serializer.serialize_newtype_variant(NAME, rank, name, truth),
            Self::Int(number) => serializer.serialize_newtype_variant(NAME, rank, name, number),
            Self::Float(number) => serializer.serialize_newtype_variant(NAME, rank, name, number),
            Self::Text(text) | Self::Number(text) => {
                serializer.serialize_newtype_variant(NAME, rank, name, text)
            }
            Self::Bytes(bytes) => serializer.serialize_newtype_variant(NAME, rank, name, bytes),
            Self::List(items) => serializer.serialize_newtype_variant(NAME, rank, name, items),
            Self::Map(entries) => serializer.serialize_newtype_variant(NAME, rank, name, entries),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return serde_json::Value::deserialize(deserializer)
                .map(|value| json::to_value_with_bytes(&value));
        }
        OneValue { levels: DEPTH_MAX }.deserialize(deserializer)
    }
}

#[derive(Deserialize)]
#[serde(variant_identifier)]
enum Tag {
    Null,
    Bool,
    Int,
    Float,
    Text,
    Bytes,
    Number,
    List,
    Map,
}

/// A value of at most `levels` levels.
#[derive(Clone, Copy)]
struct OneValue {
    levels: usize,
}

impl OneValue {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1);
        levels.map(|levels| Self { levels }).ok_or_else(|| E::custom("a value nests too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for OneValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_enum(NAME, VARIANTS, self)
    }
}

impl<'de> Visitor<'de> for OneValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (tag, content) = data.variant()?;
        Ok(match tag {
            Tag::Null => content.unit_variant().map(|()| Value::Null)?,
            Tag::Bool => Value::Bool(content.newtype_variant()?),
            Tag::Int => Value::Int(content.newtype_variant()?),
            Tag::Float => Value::Float(content.newtype_variant()?),
            Tag::Text => Value::Text(content.newtype_variant()?),
            Tag::Bytes => Value::Bytes(content.newtype_variant::<Bytes>()?),
            Tag::Number => Value::Number(content.newtype_variant()?),
            Tag::List => Value::List(content.newtype_variant_seed(Sequence(self.inside()?))?),
            Tag::Map => Value::Map(content.newtype_variant_seed(Sequence(Entry(self.inside()?)))?),
        })
    }
}

/// A sequence of what the inner seed reads.
struct Sequence<T>(T);

impl<'de, T: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for Sequence<T> {
    type Value = Vec<T::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: DeserializeSeed<'de> + Copy> Visitor<'de> for Sequence<T> {
    type Value = Vec<T::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        // Grown as elements arrive: the claimed length is a stranger's word.
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self.0)? {
            items.push(item);
        }
        Ok(items)
    }
}

/// A key and a value.
#[derive(Clone, Copy)]
struct Entry(OneValue);

impl<'de> DeserializeSeed<'de> for Entry {
    type Value = (String, Value);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_tuple(2, self)
    }
}

impl<'de> Visitor<'de> for Entry {
    type Value = (String, Value);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Self::Value, A::Error> {
        let missing = |count: usize| A::Error::invalid_length(count, &"a key and a value");
        let key = pair.next_element()?.ok_or_else(|| missing(0))?;
        let value = pair.next_element_seed(self.0)?.ok_or_else(|| missing(1))?;
        Ok((key, value))
    }
}
