//! Who passes on what one node says to another that does not hear it.

/// Of all who could pass something on so many do, so that two that are slow or hostile change nothing.
pub const RELAYS: usize = 3;

/// A place among ids that two of them determine. Of the neighbours that both have, the [`RELAYS`] nearest to it pass on to
/// the one what the other says: everybody who knows these neighbours finds out alone whether it is among them.
///
/// Distances are those of Kademlia (Maymounkov and Mazières, 2002): the exclusive or of two ids, as a number.
///
/// ```
/// use meshwork_base::Place;
/// let place = Place::between(&[0b1100], &[0b1010]);
/// assert!(place.is_nearer(&[0b0111], &[0b1110]));
/// assert!(!place.is_nearer(&[0b0110], &[0b0110]));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Place<const BYTES: usize>([u8; BYTES]);

impl<const BYTES: usize> Place<BYTES> {
    /// The place that two ids determine, in either order.
    pub fn between(one: &[u8; BYTES], other: &[u8; BYTES]) -> Self {
        Self(xor(one, other))
    }

    /// Whether `id` is nearer to it than `than`.
    pub fn is_nearer(&self, id: &[u8; BYTES], than: &[u8; BYTES]) -> bool {
        xor(&self.0, id) < xor(&self.0, than)
    }
}

fn xor<const BYTES: usize>(one: &[u8; BYTES], other: &[u8; BYTES]) -> [u8; BYTES] {
    std::array::from_fn(|index| one[index] ^ other[index])
}
