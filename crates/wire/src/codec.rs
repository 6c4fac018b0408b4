//! Values to bytes and back: `bincode` 2 with variable-length integers, little-endian.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::{Serialize, de::DeserializeOwned};

use crate::{MESSAGE_BYTES_MAX, WireError};

/// The limit is checked against every claimed length before memory is taken for it.
const CONFIG: Configuration<LittleEndian, Varint, Limit<MESSAGE_BYTES_MAX>> =
    bincode::config::standard().with_limit::<MESSAGE_BYTES_MAX>();

/// The bytes of `value`; an error when they would be longer than [`MESSAGE_BYTES_MAX`].
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    encode_into(value, &mut bytes)?;
    Ok(bytes)
}

/// Appends the bytes of `value`; `bytes` is as before when an error is returned.
pub fn encode_into<T: Serialize + ?Sized>(value: &T, bytes: &mut Vec<u8>) -> Result<(), WireError> {
    let start = bytes.len();
    let encoded = bincode::serde::encode_into_writer(value, VecWriter(&mut *bytes), CONFIG);
    let size = bytes.len() - start;
    let checked = match encoded {
        Err(error) => Err(WireError::Malformed(error.to_string())),
        Ok(()) if size > MESSAGE_BYTES_MAX => {
            Err(WireError::TooLarge { what: "message", size, limit: MESSAGE_BYTES_MAX })
        }
        Ok(()) => Ok(()),
    };
    if checked.is_err() {
        bytes.truncate(start);
    }
    checked
}

/// The value that `bytes` encode; all of them must be used.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (value, used) = decode_prefix(bytes)?;
    if used != bytes.len() {
        return Err(WireError::Malformed(format!("{} bytes after the end", bytes.len() - used)));
    }
    Ok(value)
}

/// The value at the start of `bytes`, and how many bytes it took.
pub fn decode_prefix<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), WireError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(WireError::TooLarge { what: "message", size: bytes.len(), limit: MESSAGE_BYTES_MAX });
    }
    bincode::serde::decode_from_slice(bytes, CONFIG).map_err(|error| WireError::Malformed(error.to_string()))
}

struct VecWriter<'a>(&'a mut Vec<u8>);

impl bincode::enc::write::Writer for VecWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_claimed_length_takes_no_memory() {
        // A vector that claims 2^60 elements.
        let mut bomb = vec![253];
        bomb.extend((1u64 << 60).to_le_bytes());
        assert!(matches!(decode::<Vec<u64>>(&bomb), Err(WireError::Malformed(_))));
        assert!(matches!(decode::<String>(&bomb), Err(WireError::Malformed(_))));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        assert_eq!(decode::<u8>(&[1, 2]), Err(WireError::Malformed("1 bytes after the end".into())));
    }

    #[test]
    fn too_long_a_message_is_refused_and_leaves_the_buffer_alone() {
        let mut bytes = vec![1, 2, 3];
        let long = vec![0u8; MESSAGE_BYTES_MAX + 1];
        assert!(encode_into(&long, &mut bytes).is_err());
        assert_eq!(bytes, [1, 2, 3]);
    }

    proptest! {
        #[test]
        fn values_round_trip(value: (u64, String, Vec<(u8, Option<i64>)>)) {
            prop_assert_eq!(decode::<(u64, String, Vec<(u8, Option<i64>)>)>(&encode(&value).unwrap()), Ok(value));
        }

        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>) {
            let _ = decode::<(u64, String, Vec<(u8, Option<i64>)>)>(&bytes);
        }
    }
}
