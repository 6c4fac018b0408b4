//! What is wrong with a setting.

use std::{fmt::Display, ops::RangeInclusive};

/// A setting out of its range. The message names the setting, the value and the range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting `{name}` is {value}, but takes {allowed}")]
pub struct ConfigError {
    /// The setting, as written in a configuration file.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What it takes.
    pub allowed: String,
}

impl ConfigError {
    /// Checks that `value` lies in `range`.
    pub fn check<T: PartialOrd + Display>(
        name: &str,
        value: T,
        range: RangeInclusive<T>,
    ) -> Result<(), Self> {
        if range.contains(&value) {
            return Ok(());
        }
        let allowed = format!("{} to {}", range.start(), range.end());
        Err(Self { name: name.into(), value: value.to_string(), allowed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_setting_value_and_range() {
        assert_eq!(ConfigError::check("links_max", 3, 1..=64), Ok(()));
        let error = ConfigError::check("links_max", 0, 1..=64).unwrap_err();
        assert_eq!(error.to_string(), "setting `links_max` is 0, but takes 1 to 64");
    }
}
