//! Random edits that meet.

use meshwork::{Command, DocumentId, Edit, Random, Seed, Value};

/// The transaction of that number: a document out of two, and edits of a few shared places of it.
pub(crate) fn edit(seed: &Seed, number: u64) -> (DocumentId, Vec<Edit>) {
    let mut random = seed.fork(&format!("edit {number}")).random();
    let name = ["users", "chats"][random.below(2) as usize];
    // Both names are valid.
    let document = DocumentId::new(name).unwrap_or_else(|error| unreachable!("{error}"));
    let edits = (0..1 + random.below(3)).map(|_| one(&mut random)).collect();
    (document, edits)
}

/// The value that goes with the transaction of that number, if any: where the cursor is.
pub(crate) fn value(number: u64) -> Option<Command> {
    let value = number.to_le_bytes().to_vec().into();
    number.is_multiple_of(3).then(|| Command::SetEphemeral { key: "cursor".into(), value, ttl_ms: 600_000 })
}

fn one(random: &mut Random) -> Edit {
    let entry = format!("entry {}", random.below(4));
    let path = |key: &str| vec![entry.clone(), key.to_owned()];
    let number = Value::Int(random.below(10) as i64);
    match random.below(8) {
        0 | 1 => Edit::Set { path: path("register"), value: number },
        2 => Edit::Assign { path: path("last"), value: number },
        3 => Edit::Increment { path: path("counter"), by: random.below(5) as i64 - 2 },
        4 => Edit::Add { path: path("set"), value: number },
        5 => Edit::Remove { path: path("set"), value: number },
        6 => Edit::Delete { path: vec![entry] },
        _ => Edit::MakeMap { path: path("map") },
    }
}
