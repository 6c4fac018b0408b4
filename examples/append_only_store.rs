//! Signed operations without any machine: stores that bring each other up to date.
//!
//! `cargo run -p meshwork-examples --example append_only_store`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, sync::Arc};

use meshwork_base::{DocumentId, HybridTime, Seed, SpaceId};
use meshwork_identity::{Ed25519, NodeKey};
use meshwork_op_log::{AppendOnlyStore, EntryWriter, MemoryStore};

fn main() -> Result<(), Box<dyn Error>> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy)?;
    let seed = Seed::new(entropy);
    let space = SpaceId(seed.fork("space").random().bytes());
    let diary = DocumentId::new("diary")?;

    // Two devices write while they are apart. An entry is signed, and names the one before it by its hash.
    let mut stores = Vec::new();
    for device in ["phone", "laptop"] {
        let key = Arc::new(NodeKey::from_seed(&seed.fork(device)));
        let mut writer = EntryWriter::new(space, key, &seed.fork("writer").fork(device));
        let mut store = MemoryStore::new(space, Arc::new(Ed25519));
        for day in ["monday", "tuesday"] {
            let text = format!("{day}, on the {device}");
            store.append(writer.write(vec![], &diary, HybridTime::default(), text.as_bytes())?)?;
        }
        stores.push(store);
    }
    let [phone, laptop] = &mut stores[..] else { return Err("two devices".into()) };

    println!("the laptop lacked {} entries", laptop.pull_from(phone)?);
    println!("the phone lacked {} entries", laptop.push_to(phone)?);
    assert_eq!(laptop.pull_from(phone)?, 0, "nothing is left to bring");

    for entry in phone.get(&phone.all_hashes_of(&diary)?)? {
        for operation in entry.operations() {
            println!("{} {:?} {}", entry.hash(), operation.dot, String::from_utf8_lossy(&operation.body));
        }
    }
    assert_eq!((phone.len(), laptop.len()), (4, 4));

    // A store takes nothing that its author did not sign: here in the name of another space.
    let mut elsewhere = MemoryStore::new(SpaceId([0; 16]), Arc::new(Ed25519));
    let refused = elsewhere.pull_from(phone);
    assert!(refused.is_err() && elsewhere.is_empty());
    println!("another space refuses: {}", refused.err().map(|error| error.to_string()).unwrap_or_default());
    Ok(())
}
