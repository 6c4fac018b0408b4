//! Values: what registers and sets hold.

use std::cmp::Ordering;

use meshwork_base::Bytes;

/// A value. It is replaced as a whole; what shall merge is a container of its own.
///
/// Floats compare by their bits (`total_cmp`), so every value equals itself and `-0.0` differs from `0.0`.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing, as a value.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A binary floating-point number.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Bytes),
    /// A decimal number that neither [`Int`](Self::Int) nor [`Float`](Self::Float) holds exactly, as JSON writes it.
    Number(String),
    /// Values in order.
    List(Vec<Value>),
    /// Named values inside a list. (Elsewhere a map is a container, see [`Edit::MakeMap`](crate::Edit::MakeMap).)
    Map(Vec<(String, Value)>),
}

impl Value {
    /// Whether it can be an element of a set: neither a list nor a map.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Map(_))
    }

    /// How many levels it nests: 0 for a scalar.
    pub fn depth(&self) -> usize {
        let deepest = match self {
            Self::List(items) => items.iter().map(Self::depth).max(),
            Self::Map(entries) => entries.iter().map(|(_, value)| value.depth()).max(),
            _ => return 0,
        };
        1 + deepest.unwrap_or(0)
    }

    /// The first decimal number in it that JSON would not take as one.
    pub(crate) fn malformed_number(&self) -> Option<&str> {
        match self {
            Self::Number(text) => (!is_json_number(text)).then_some(text),
            Self::List(items) => items.iter().find_map(Self::malformed_number),
            Self::Map(entries) => entries.iter().find_map(|(_, value)| value.malformed_number()),
            _ => None,
        }
    }

    /// Its place among the kinds of values, which is also its number on the wire.
    pub(crate) fn rank(&self) -> u32 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Int(_) => 2,
            Self::Float(_) => 3,
            Self::Text(_) => 4,
            Self::Bytes(_) => 5,
            Self::Number(_) => 6,
            Self::List(_) => 7,
            Self::Map(_) => 8,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) | (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (Self::Map(a), Self::Map(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

/// Whether `text` is a number in JSON's grammar. Our own check: what is valid must not change with a library.
fn is_json_number(text: &str) -> bool {
    fn digits(text: &str) -> Option<&str> {
        let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
        (rest.len() < text.len()).then_some(rest)
    }
    let whole = text.strip_prefix('-').unwrap_or(text);
    let after_whole = match whole.strip_prefix('0') {
        Some(rest) => Some(rest),
        None => digits(whole),
    };
    let after_fraction = after_whole.and_then(|rest| match rest.strip_prefix('.') {
        Some(fraction) => digits(fraction),
        None => Some(rest),
    });
    let rest = after_fraction.and_then(|rest| match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => Some(rest),
    });
    rest == Some("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_equal_by_bits_and_kinds_never_mix() {
        assert_eq!(Value::Float(f64::NAN), Value::Float(f64::NAN));
        assert_ne!(Value::Float(0.0), Value::Float(-0.0));
        assert_ne!(Value::Float(1.0), Value::Int(1));
        assert!(Value::Null < Value::Bool(false) && Value::Int(9) < Value::Float(0.0));
    }

    #[test]
    fn numbers_follow_the_grammar_of_json() {
        for good in ["0", "-0", "12", "1.50", "1e400", "-0.0E-7", "10e+2"] {
            assert!(is_json_number(good), "{good}");
        }
        for bad in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "1x", "NaN", "٣", "0x1", "1 "] {
            assert!(!is_json_number(bad), "{bad}");
        }
    }

    #[test]
    fn depth_counts_levels() {
        let table = [
            (Value::Int(1), 0),
            (Value::List(vec![]), 1),
            (Value::List(vec![Value::Null, Value::Map(vec![("a".into(), Value::List(vec![]))])]), 3),
        ];
        for (value, depth) in table {
            assert_eq!(value.depth(), depth, "{value:?}");
        }
    }
}
