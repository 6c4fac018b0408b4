//! The body of an operation: what replicas tell each other about documents.
//!
//! ```text
//! body:      format u8 │ replicas │ mutation*
//! mutation:  kind u8, content │ keys kept of the previous path │ further keys
//! ```
//!
//! A body whose format or whose next kind of mutation is unknown comes from a newer version: it is kept and shown as
//! pending. Anything else that does not decode, or breaks a rule below, is nonsense.
//!
//! A mutation takes away only what its author declared to have seen; a name beyond that counts for nothing, since
//! replicas that do not hold it yet would otherwise end up different from those that do. (Not nonsense: an operation
//! that the log had to issue again under another replica may name what was cut off.) So what a body does depends on
//! itself and on declared dependencies alone, and all replicas agree.

use meshwork_base::{Bytes, ReplicaId};
use meshwork_wire::{WireError, decode_prefix, encode_into};
use serde::{Deserialize, Serialize};

use crate::{
    DEPTH_MAX, KEY_BYTES_MAX, Value,
    counter::Count,
    observed::{Names, Observed},
};

/// The format that this build writes.
pub(crate) const FORMAT: u8 = 1;

/// How many kinds of [`Mutation`] there are.
const KINDS: u8 = 8;

/// One mutation of the node at a path. A new kind goes to the end, and [`KINDS`] grows; so does a new kind of value,
/// which needs a new kind of mutation to carry it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) enum Mutation {
    /// Removes what is named at the path and below, and puts a value there.
    Set { value: Value, observed: Observed },
    /// The same, with a value that yields in silence.
    Assign { value: Value, observed: Observed },
    /// Removes what is named at the path itself, and marks it as a map.
    MakeMap { observed: Observed },
    /// Removes what is named at the path and below.
    Delete { observed: Observed },
    /// Takes away what was counted.
    Reset { counts: Vec<Count> },
    /// Counts.
    Increment { by: i64 },
    /// Adds an element in the place of its named adds.
    Add { element: Value, observed: Observed },
    /// Removes the named adds of an element.
    Remove { element: Value, observed: Observed },
}

/// Why a body is not applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// It comes from a newer version.
    Newer,
    /// It makes no sense, for the stated reason.
    Nonsense(String),
}

/// A mutation and its path, as the change from the previous path.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Step {
    pub(crate) kept: usize,
    pub(crate) keys: Vec<String>,
    pub(crate) mutation: Mutation,
}

/// A decoded body.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) names: Names,
    pub(crate) steps: Vec<Step>,
}

impl Body {
    /// Decodes and checks what `author` wrote as its operation `sequence`. `known` tells how far the author declared
    /// to have seen another replica.
    pub(crate) fn read(
        bytes: &[u8],
        author: ReplicaId,
        sequence: u64,
        known: impl Fn(&ReplicaId) -> u64,
    ) -> Result<Self, Refusal> {
        let nonsense = |reason: &str| Refusal::Nonsense(reason.into());
        let rest = match bytes.split_first() {
            Some((&FORMAT, rest)) => rest,
            // The log writes such operations, to carry dependencies.
            None => return Ok(Self { names: Names::default(), steps: Vec::new() }),
            Some((0, _)) => return Err(nonsense("the body has no format")),
            Some(_) => return Err(Refusal::Newer),
        };
        let (listed, mut rest) = prefix(rest)?;
        let names = Names::new(listed).ok_or_else(|| nonsense("a replica is listed twice"))?;
        let bound = |replica: &ReplicaId| if *replica == author { sequence } else { known(replica) };
        let bounds: Vec<u64> = names.listed().iter().map(bound).collect();
        let mut steps = Vec::new();
        let mut depth = 0;
        while let Some(kind) = rest.first() {
            if *kind >= KINDS {
                return Err(Refusal::Newer);
            }
            let (mutation, kept, keys): (Mutation, usize, Vec<String>);
            ((mutation, kept, keys), rest) = prefix(rest)?;
            if kept > depth {
                return Err(nonsense("a path continues what was not there"));
            }
            depth = kept.saturating_add(keys.len());
            mutation.check(depth).map_err(nonsense)?;
            let mutation = mutation.within(&bounds).ok_or_else(|| nonsense("a replica is not listed"))?;
            if keys.iter().any(|key| key.len() > KEY_BYTES_MAX) {
                return Err(nonsense("a key is too long"));
            }
            steps.push(Step { kept, keys, mutation });
        }
        Ok(Self { names, steps })
    }
}

fn prefix<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), Refusal> {
    let (value, used) = decode_prefix(bytes).map_err(|error| Refusal::Nonsense(error.to_string()))?;
    Ok((value, bytes.get(used..).unwrap_or_default()))
}

impl Mutation {
    /// The rules of a mutation at a path of `depth` keys.
    fn check(&self, depth: usize) -> Result<(), &'static str> {
        let needs_key = !matches!(self, Self::MakeMap { .. } | Self::Delete { .. });
        if needs_key && depth == 0 {
            return Err("the root is not a map");
        }
        let (value, scalar) = match self {
            Self::Set { value, .. } | Self::Assign { value, .. } => (Some(value), false),
            Self::Add { element, .. } | Self::Remove { element, .. } => (Some(element), true),
            Self::MakeMap { .. } | Self::Delete { .. } | Self::Reset { .. } | Self::Increment { .. } => {
                (None, false)
            }
        };
        if depth.saturating_add(value.map_or(0, Value::depth)) > DEPTH_MAX {
            return Err("it nests too deep");
        }
        if value.is_some_and(|value| matches!(value, Value::Map(_)) || scalar && !value.is_scalar()) {
            return Err("a value has a kind that has no place there");
        }
        if value.is_some_and(|value| value.malformed_number().is_some()) {
            return Err("a number is not one");
        }
        Ok(())
    }

    /// The mutation without what lies beyond `bounds`; `None` when it speaks of a replica without one.
    fn within(self, bounds: &[u64]) -> Option<Self> {
        Some(match self {
            Self::Set { value, observed } => Self::Set { value, observed: observed.within(bounds)? },
            Self::Assign { value, observed } => Self::Assign { value, observed: observed.within(bounds)? },
            Self::MakeMap { observed } => Self::MakeMap { observed: observed.within(bounds)? },
            Self::Delete { observed } => Self::Delete { observed: observed.within(bounds)? },
            Self::Add { element, observed } => Self::Add { element, observed: observed.within(bounds)? },
            Self::Remove { element, observed } => {
                Self::Remove { element, observed: observed.within(bounds)? }
            }
            Self::Reset { mut counts } => {
                if counts.iter().any(|count| count.replica as usize >= bounds.len()) {
                    return None;
                }
                counts.retain(|count| {
                    bounds.get(count.replica as usize).is_some_and(|bound| count.last.0 <= *bound)
                });
                Self::Reset { counts }
            }
            Self::Increment { by } => Self::Increment { by },
        })
    }
}

/// The body of an operation that changes nothing.
pub(crate) fn empty_body() -> Bytes {
    Bytes::from_static(&[FORMAT, 0])
}

/// The format byte and the longest count of replicas.
const HEADER_BYTES_MAX: usize = 1 + 9;

/// Writes a body, one mutation after the other.
#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(128))
    }

    /// Appends `mutation` at `path`, where `previous` is the path of the mutation before. An error means that it is
    /// larger than any operation.
    pub(crate) fn write(
        &mut self,
        previous: &[String],
        path: &[String],
        mutation: &Mutation,
    ) -> Result<(), WireError> {
        let kept = previous.iter().zip(path).take_while(|(a, b)| a == b).count();
        encode_into(&(mutation, kept, path.get(kept..).unwrap_or_default()), &mut self.0)
    }

    /// How long the body is by now, at most.
    pub(crate) fn size(&self, names: &Names) -> usize {
        HEADER_BYTES_MAX + size_of_val(names.listed()) + self.0.len()
    }

    /// The body.
    pub(crate) fn finish(self, names: &Names) -> Result<Bytes, WireError> {
        let mut body = Vec::with_capacity(self.size(names));
        body.push(FORMAT);
        encode_into(names.listed(), &mut body)?;
        body.extend(self.0);
        Ok(body.into())
    }
}
