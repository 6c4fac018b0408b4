//! Room codes: how people find each other on a hub.

use std::{fmt, str::FromStr};

use meshwork_base::Random;
use serde::{Deserialize, Serialize};

/// How many characters a room code has.
pub const ROOM_CODE_LENGTH: usize = 6;
const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Six characters of A–Z and 0–9. It leads people to each other on one hub; it never identifies data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomCode([u8; ROOM_CODE_LENGTH]);

/// Text that is not a room code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a room code: it takes {ROOM_CODE_LENGTH} characters of A-Z and 0-9, such as `A3B7K9`")]
pub struct RoomCodeError(String);

impl RoomCode {
    /// A random code: one of 2.2 thousand million.
    pub fn generate(random: &mut Random) -> Self {
        Self(std::array::from_fn(|_| ALPHABET[random.below(ALPHABET.len() as u64) as usize]))
    }
}

impl FromStr for RoomCode {
    type Err = RoomCodeError;

    /// Lower-case letters are taken as their capitals.
    fn from_str(text: &str) -> Result<Self, RoomCodeError> {
        let refuse = || RoomCodeError(text.chars().take(80).collect());
        let code: [u8; ROOM_CODE_LENGTH] =
            text.to_ascii_uppercase().into_bytes().try_into().map_err(|_| refuse())?;
        if code.iter().all(|byte| ALPHABET.contains(byte)) { Ok(Self(code)) } else { Err(refuse()) }
    }
}

impl TryFrom<String> for RoomCode {
    type Error = RoomCodeError;

    fn try_from(text: String) -> Result<Self, RoomCodeError> {
        text.parse()
    }
}

impl From<RoomCode> for String {
    fn from(code: RoomCode) -> Self {
        code.to_string()
    }
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl fmt::Debug for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomCode({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_base::Seed;

    #[test]
    fn codes_are_checked() {
        for good in ["A3B7K9", "a3b7k9", "000000"] {
            assert_eq!(good.parse::<RoomCode>().unwrap().to_string(), good.to_uppercase());
        }
        for bad in ["", "A3B7K", "A3B7K99", "A3B-K9", "Ä3B7K"] {
            let error = bad.parse::<RoomCode>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{bad}` is not a room code")), "{error}");
        }
        let code = RoomCode::generate(&mut Seed::from_number(3).random());
        assert_eq!(code.to_string().parse(), Ok(code));
    }
}
