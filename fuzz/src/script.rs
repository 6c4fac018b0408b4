//! Fuzz inputs that are sequences.

use meshwork_wire::{decode_prefix, encode};
use serde::{Serialize, de::DeserializeOwned};

/// Cuts one fuzz input into several: each piece is preceded by its length (two bytes, little-endian), and the
/// last takes what is left.
pub fn pieces(mut data: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        pieces.push(piece);
        data = rest;
    }
    pieces
}

/// The fuzz input that [`pieces`] cuts into these.
pub fn join<T: AsRef<[u8]>>(pieces: &[T]) -> Vec<u8> {
    let lengthed = |piece: &T| {
        let piece = piece.as_ref();
        let length = u16::try_from(piece.len()).unwrap_or(u16::MAX);
        [&length.to_le_bytes()[..], &piece[..usize::from(length)]].concat()
    };
    pieces.iter().flat_map(lengthed).collect()
}

/// One thing that happens to a machine: an enum whose fields are of type `u8`, so that any bytes are one.
pub trait Step: Serialize + DeserializeOwned {
    /// How many variants it has.
    const KINDS: u8;
}

/// What happens in a fuzz input: each piece is a step, and, in some, bytes as somebody sends them.
pub fn steps<T: Step>(data: &[u8]) -> impl Iterator<Item = (T, &[u8])> {
    /// As long as the longest step.
    const ZEROS: [u8; 16] = [0; 16];
    pieces(data).into_iter().filter_map(|piece| {
        let (kind, fields) = piece.split_first()?;
        let shown = &fields[..fields.len().min(ZEROS.len())];
        let padded = [&[kind % T::KINDS], shown, &ZEROS].concat();
        let (step, used) = decode_prefix::<T>(&padded).ok()?;
        Some((step, piece.get(used..).unwrap_or_default()))
    })
}

/// The fuzz input in which this happens.
pub fn script<T: Step>(steps: impl IntoIterator<Item = (T, Vec<u8>)>) -> Vec<u8> {
    let piece = |(step, bytes): (T, Vec<u8>)| [encode(&step).expect("a few bytes"), bytes].concat();
    join(&steps.into_iter().map(piece).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[test]
    fn pieces_are_what_was_joined() {
        let long = vec![7; 70_000];
        assert_eq!(pieces(&join(&[&b"a"[..], b"", b"bc"])), [&b"a"[..], b"", b"bc"]);
        assert_eq!(pieces(&join(&[&long]))[0].len(), 65_535);
        assert_eq!(pieces(&[9, 0, 1]), [[1]]);
    }

    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    enum Some {
        This,
        That { a: u8, b: u8 },
    }

    impl Step for Some {
        const KINDS: u8 = 2;
    }

    #[test]
    fn steps_are_what_was_scripted_and_any_bytes_are_steps() {
        let data = script([(Some::That { a: 7, b: 1 }, b"bytes".to_vec()), (Some::This, vec![])]);
        let read: Vec<_> = steps::<Some>(&data).collect();
        assert_eq!(read, [(Some::That { a: 7, b: 1 }, &b"bytes"[..]), (Some::This, &[])]);
        let read: Vec<_> = steps::<Some>(&[2, 0, 255, 250]).collect();
        assert_eq!(read, [(Some::That { a: 250, b: 0 }, &[][..])]);
    }
}
