//! What the fuzz targets share.

/// Cuts one fuzz input into several: each piece is preceded by its length (two bytes, little-endian), and the last takes
/// what is left.
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

#[test]
fn pieces_are_what_was_joined() {
    let long = vec![7; 70_000];
    assert_eq!(pieces(&join(&[&b"a"[..], b"", b"bc"])), [&b"a"[..], b"", b"bc"]);
    assert_eq!(pieces(&join(&[&long]))[0].len(), 65_535);
    assert_eq!(pieces(&[9, 0, 1]), [[1]]);
}
