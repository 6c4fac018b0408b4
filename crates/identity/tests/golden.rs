//! What is derived from passwords, spaces and secrets is pinned: with another derivation, members of one space no longer
//! meet, and nobody is told why.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use meshwork_base::SpaceId;
use meshwork_identity::{Ed25519, NodeKey, Purpose, Signer, SpaceSecret, Verifier};

fn secret() -> SpaceSecret {
    SpaceSecret::from_bytes([9; 32])
}

fn assert_golden(found: &[u8], expected: &str) {
    assert_eq!(base16ct::lower::encode_string(found), expected.trim());
}

#[test]
fn golden_password() {
    let room = "A3B7K9".parse().unwrap();
    let secret = SpaceSecret::from_password("correct horse", &room).unwrap();
    assert_golden(&secret.to_bytes(), include_str!("golden/password_secret.hex"));
}

#[test]
fn golden_open_space() {
    assert_golden(&SpaceSecret::open(&SpaceId([7; 16])).to_bytes(), include_str!("golden/open_secret.hex"));
}

#[test]
fn golden_room_access() {
    assert_golden(&secret().room_access().0, include_str!("golden/room_access.hex"));
}

#[test]
fn golden_authentication() {
    assert_golden(&secret().authenticate(b"transcript"), include_str!("golden/authentication.hex"));
}

/// One line for each purpose.
#[test]
fn golden_signatures() {
    let key = NodeKey::from_bytes(&[1; 32]);
    let mut expected = include_str!("golden/signatures.hex").lines();
    assert_golden(&key.node().0, expected.next().unwrap());
    for purpose in [Purpose::Block, Purpose::Receipt, Purpose::Handshake, Purpose::HubChallenge] {
        let signature = key.sign(purpose, b"message");
        assert_golden(&signature.0, expected.next().unwrap());
        assert!(Ed25519.verify(&key.node(), purpose, b"message", &signature));
    }
    assert_eq!(expected.next(), None);
}
