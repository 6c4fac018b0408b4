//! An operation's meta bytes: dependencies, document, time; encoded with `meshwork_wire`, read by hand.
//!
//! Reading by hand costs a third of the general decoder and lets operations of one block share their document's name.
//! A test holds the two against each other.

use meshwork_base::{DocumentId, Dot, HybridTime, ReplicaId};

use crate::NewOperation;

/// The most dependencies that one operation names.
pub const DEPENDENCIES_MAX: usize = 1024;
/// The longest meta bytes.
pub(crate) const META_BYTES_MAX: usize = 32 * 1024;

pub(crate) struct Meta {
    pub(crate) dependencies: Vec<Dot>,
    pub(crate) document: DocumentId,
    pub(crate) time: HybridTime,
}

/// Appends the meta bytes of `operation`.
pub(crate) fn encode(operation: &NewOperation, bytes: &mut Vec<u8>) -> Result<(), String> {
    meshwork_wire::encode_into(&(&operation.dependencies, &operation.document, operation.time), bytes)
        .map_err(|error| error.to_string())
}

/// Reads the meta bytes of an operation of `author`; `last` is the document of the operation before.
pub(crate) fn decode(bytes: &[u8], author: &ReplicaId, last: Option<&DocumentId>) -> Result<Meta, String> {
    let mut reader = Reader(bytes);
    let count = reader.varint()?;
    if count > DEPENDENCIES_MAX as u64 {
        return Err(format!("{count} dependencies are over the limit of {DEPENDENCIES_MAX}"));
    }
    let mut dependencies: Vec<Dot> = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let replica = ReplicaId(*reader.take(16)?.first_chunk().ok_or("it is cut short")?);
        dependencies.push(Dot::new(replica, reader.varint()?));
    }
    if !dependencies.is_sorted_by(|a, b| a.replica < b.replica) {
        return Err("its dependencies are not strictly ascending, one for a replica".into());
    }
    if dependencies.iter().any(|dot| dot.sequence == 0 || dot.replica == *author) {
        return Err("it depends on its own replica or on an operation zero".into());
    }
    let length = usize::try_from(reader.varint()?).map_err(|error| error.to_string())?;
    let name = reader.take(length)?;
    let document = match last {
        Some(last) if last.as_str().as_bytes() == name => last.clone(),
        _ => {
            let name = std::str::from_utf8(name).map_err(|error| error.to_string())?;
            DocumentId::new(name).map_err(|error| error.to_string())?
        }
    };
    let wall_ms = reader.varint()?;
    let counter = u32::try_from(reader.varint()?).map_err(|_| "its time's counter is too large")?;
    if !reader.0.is_empty() {
        return Err(format!("{} bytes follow its meta", reader.0.len()));
    }
    Ok(Meta { dependencies, document, time: HybridTime { wall_ms, counter } })
}

/// Reads `bincode`'s variable-length little-endian integers.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("it is cut short")?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, String> {
        let width = match self.take(1)?.first().copied().unwrap_or_default() {
            small @ 0..=250 => return Ok(small.into()),
            251 => 2,
            252 => 4,
            253 => 8,
            tag => return Err(format!("{tag} starts no number")),
        };
        let mut wide = [0; 8];
        for (to, from) in wide.iter_mut().zip(self.take(width)?) {
            *to = *from;
        }
        Ok(u64::from_le_bytes(wide))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_base::Bytes;
    use proptest::prelude::*;

    fn new_operation(mut dependencies: Vec<(u8, u64)>, wall_ms: u64, counter: u32) -> NewOperation {
        dependencies.sort_unstable();
        dependencies.dedup_by_key(|(replica, _)| *replica);
        NewOperation {
            dot: Dot::new(ReplicaId([255; 16]), 1),
            dependencies: dependencies
                .iter()
                .map(|(id, n)| Dot::new(ReplicaId([*id; 16]), (*n).max(1)))
                .collect(),
            document: DocumentId::new("users/é").unwrap(),
            time: HybridTime { wall_ms, counter },
            body: Bytes::new(),
        }
    }

    proptest! {
        #[test]
        fn the_reader_agrees_with_the_codec(
            dependencies in prop::collection::vec((0u8..250, any::<u64>()), 0..20), wall_ms: u64, counter: u32,
        ) {
            let operation = new_operation(dependencies, wall_ms, counter);
            let mut bytes = Vec::new();
            encode(&operation, &mut bytes).unwrap();
            let meta = decode(&bytes, &ReplicaId([255; 16]), None).unwrap();
            prop_assert_eq!(&meta.dependencies, &operation.dependencies);
            prop_assert_eq!((&meta.document, meta.time), (&operation.document, operation.time));
            let whole: (Vec<Dot>, DocumentId, HybridTime) = meshwork_wire::decode(&bytes).unwrap();
            prop_assert_eq!(whole, (meta.dependencies, meta.document, meta.time));
        }

        #[test]
        fn any_bytes_give_a_value_or_an_error(bytes: Vec<u8>) {
            let read = decode(&bytes, &ReplicaId([255; 16]), None);
            if read.is_ok() {
                prop_assert!(meshwork_wire::decode::<(Vec<Dot>, DocumentId, HybridTime)>(&bytes).is_ok());
            }
        }
    }

    #[test]
    fn bad_dependencies_are_refused() {
        let refuse = |dependencies: Vec<Dot>| {
            let operation = NewOperation { dependencies, ..new_operation(vec![], 0, 0) };
            let mut bytes = Vec::new();
            encode(&operation, &mut bytes).unwrap();
            decode(&bytes, &ReplicaId([9; 16]), None).is_err()
        };
        let dot = |id: u8, sequence| Dot::new(ReplicaId([id; 16]), sequence);
        assert!(!refuse(vec![dot(1, 1), dot(2, 1)]));
        for bad in [vec![dot(2, 1), dot(1, 1)], vec![dot(1, 1), dot(1, 2)], vec![dot(9, 1)], vec![dot(1, 0)]]
        {
            assert!(refuse(bad));
        }
        assert!(refuse(
            (0..=DEPENDENCIES_MAX as u128).map(|n| Dot::new(ReplicaId(n.to_be_bytes()), 1)).collect()
        ));
    }
}
