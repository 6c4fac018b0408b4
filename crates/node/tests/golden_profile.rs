//! The bytes of `profile.json` are pinned: whoever changes them raises its format, and says how old ones are read.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

use std::fs;

use meshwork::{Membership, Profile};
use meshwork_base::SpaceId;
use meshwork_identity::{NodeKey, SpaceSecret};

#[test]
fn golden_profiles() {
    let membership = Membership { space: SpaceId([2; 16]), secret: SpaceSecret::from_bytes([3; 32]) };
    let table = [
        (Some(membership), include_str!("golden/profile.json")),
        (None, include_str!("golden/profile_alone.json")),
    ];
    for (membership, golden) in table {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("profile.json");
        let profile = Profile { key: NodeKey::from_bytes(&[1; 32]), membership };
        profile.write(directory.path()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), golden);
        fs::write(&path, golden).unwrap();
        let read = Profile::read(directory.path()).unwrap();
        assert_eq!(read.key.to_bytes(), [1; 32]);
        assert_eq!(read.membership, profile.membership);
    }
}
