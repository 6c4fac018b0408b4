//! The append-only store by itself, and when it fails.
#![allow(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use common::{SPACE, stores::*};
use meshwork_base::{DocumentId, Hash, SpaceId};
use meshwork_identity::{Ed25519, Signer};
use meshwork_op_log::{AppendOnlyStore, BlockError, Entry, MemoryStore, SyncError};
use proptest::prelude::*;

#[test]
fn an_entry_is_kept_once() {
    let entries = entries(2);
    let mut store = filled(&entries);
    assert_eq!(store.append(entries[0].clone()), Ok(false));
    assert_eq!((store.len(), store.is_empty()), (2, false));
    assert_eq!(store.all_hashes(), Ok(hashes(&entries)));
}

#[test]
fn a_forged_entry_is_refused_and_takes_nobodys_place() {
    let entry = entries(1).remove(0);
    let mut forged = entry.bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = Entry::read(SPACE, forged.into()).unwrap();
    assert_eq!(forged.operations(), entry.operations());
    let mut store = store();
    assert_eq!(store.append(forged), Err(BlockError::Signature(key(1).node())));
    assert!(store.is_empty());
    assert_eq!(store.append(entry), Ok(true));
}

#[test]
fn an_entry_of_another_space_is_refused() {
    let elsewhere = SpaceId([6; 16]);
    let bytes = entries(1)[0].bytes().clone();
    assert_eq!(Entry::read(elsewhere, bytes.clone()), Err(BlockError::Space { found: SPACE }));
    let mut store = MemoryStore::new(elsewhere, Arc::new(Ed25519));
    let entry = Entry::read(SPACE, bytes).unwrap();
    assert_eq!(store.append(entry), Err(BlockError::Space { found: SPACE }));
}

#[test]
fn entries_come_in_the_order_asked_for_without_the_unknown_ones() {
    let entries = entries(3);
    let store = filled(&entries);
    let unknown = Hash::of(b"unknown");
    let asked = [entries[2].hash(), unknown, entries[0].hash()];
    assert_eq!(store.get(&asked), Ok(vec![entries[2].clone(), entries[0].clone()]));
    assert_eq!(store.get(&[unknown]), Ok(vec![]));
    assert_eq!(store.get(&[]), Ok(vec![]));
}

#[test]
fn what_is_new_is_what_the_other_does_not_name() {
    let entries = entries(4);
    let all = hashes(&entries);
    let store = filled(&entries);
    assert_eq!(store.find_new(&[]), Ok(all.clone()));
    assert_eq!(store.find_new(&[all[2], Hash::of(b"theirs alone"), all[0]]), Ok(vec![all[1], all[3]]));
    assert_eq!(store.find_new(&all), Ok(vec![]));
}

#[test]
fn each_document_has_its_hashes() {
    let mut writer = writer(1);
    let entries: Vec<Entry> = ["a", "b", "a", "a", "b"].map(|name| write(&mut writer, name)).into();
    let store = filled(&entries);
    let all = hashes(&entries);
    assert_eq!(store.all_hashes_of(&document("a")), Ok(vec![all[0], all[2], all[3]]));
    assert_eq!(store.all_hashes_of(&document("b")), Ok(vec![all[1], all[4]]));
    assert_eq!(store.all_hashes_of(&document("c")), Ok(vec![]));
}

/// A store that counts what it is asked for, and fails where it is told to.
struct Troubled {
    store: MemoryStore,
    appends_left: Cell<usize>,
    gets_left: Cell<usize>,
    asked: RefCell<Vec<usize>>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the disk is gone")]
struct Gone;

impl Troubled {
    fn new(entries: &[Entry], appends: usize, gets: usize) -> Self {
        let (appends_left, gets_left) = (Cell::new(appends), Cell::new(gets));
        Self { store: filled(entries), appends_left, gets_left, asked: RefCell::default() }
    }

    fn use_up(left: &Cell<usize>) -> Result<(), Gone> {
        left.set(left.get().checked_sub(1).ok_or(Gone)?);
        Ok(())
    }
}

impl AppendOnlyStore for Troubled {
    type Error = Gone;

    fn append(&mut self, entry: Entry) -> Result<bool, Gone> {
        Self::use_up(&self.appends_left)?;
        self.store.append(entry).map_err(|_| Gone)
    }

    fn get(&self, hashes: &[Hash]) -> Result<Vec<Entry>, Gone> {
        Self::use_up(&self.gets_left)?;
        self.asked.borrow_mut().push(hashes.len());
        self.store.get(hashes).map_err(|_| Gone)
    }

    fn all_hashes(&self) -> Result<Vec<Hash>, Gone> {
        self.store.all_hashes().map_err(|_| Gone)
    }

    fn all_hashes_of(&self, document: &DocumentId) -> Result<Vec<Hash>, Gone> {
        self.store.all_hashes_of(document).map_err(|_| Gone)
    }
}

#[test]
fn many_entries_come_in_several_answers_and_in_order() {
    let entries = entries(600);
    let other = Troubled::new(&entries, 0, usize::MAX);
    let mut store = store();
    assert_eq!(store.pull_from(&other), Ok(600));
    assert_eq!(*other.asked.borrow(), [256, 256, 88]);
    assert_eq!(store.all_hashes(), Ok(hashes(&entries)));
}

#[test]
fn a_pull_that_fails_keeps_what_came_before_and_is_resumed() {
    let entries = entries(600);
    // The other one fails at its second answer.
    let other = Troubled::new(&entries, 0, 1);
    let mut here = store();
    assert_eq!(here.pull_from(&other), Err(SyncError::There(Gone)));
    assert_eq!(here.all_hashes(), Ok(hashes(&entries[..256])));
    other.gets_left.set(usize::MAX);
    other.asked.borrow_mut().clear();
    assert_eq!(here.pull_from(&other), Ok(344));
    assert_eq!(*other.asked.borrow(), [256, 88], "only what was missing");

    // This one fails after ten.
    let mut here = Troubled::new(&[], 10, 0);
    let other = filled(&entries);
    let error = here.pull_from(&other).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), &error),
        ("this store: the disk is gone", &SyncError::Here(Gone))
    );
    assert_eq!(here.all_hashes(), Ok(hashes(&entries[..10])));
    here.appends_left.set(usize::MAX);
    assert_eq!(here.pull_from(&other), Ok(590));
}

#[test]
fn a_push_names_the_store_that_failed_from_where_it_was_called() {
    let entries = entries(3);
    let mut there = Troubled::new(&[], 2, 0);
    let here = filled(&entries);
    let error = here.push_to(&mut there).unwrap_err();
    let text = "the other store: the disk is gone";
    assert_eq!((error.to_string().as_str(), &error), (text, &SyncError::There(Gone)));
    assert_eq!(there.all_hashes(), Ok(hashes(&entries[..2])));
    let here = Troubled::new(&entries, 0, 0);
    assert_eq!(here.push_to(&mut store()), Err(SyncError::Here(Gone)));
    there.appends_left.set(usize::MAX);
    here.gets_left.set(usize::MAX);
    assert_eq!(here.push_to(&mut there), Ok(1));
    assert_eq!(here.push_to(&mut there), Ok(0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn stores_that_have_met_hold_the_same(steps in prop::collection::vec((0usize..3, 0usize..3, 0u8..4), 0..80)) {
        let mut stores = [store(), store(), store()];
        let mut writers = [writer(1), writer(2), writer(3)];
        let mut written = Vec::new();
        for (one, other, what) in steps {
            if one == other || what == 0 {
                let entry = write(&mut writers[other], "d");
                written.push(entry.hash());
                prop_assert_eq!(stores[one].append(entry), Ok(true));
                continue;
            }
            let [a, b] = stores.get_disjoint_mut([one, other]).unwrap();
            let lacked = b.find_new(&a.all_hashes().unwrap()).unwrap().len();
            let moved = if what == 1 { b.push_to(a) } else { a.pull_from(b) };
            prop_assert_eq!(moved, Ok(lacked));
            prop_assert_eq!(b.find_new(&a.all_hashes().unwrap()), Ok(vec![]));
        }
        for (one, other) in [(0, 1), (1, 2), (2, 0), (0, 1)] {
            let [a, b] = stores.get_disjoint_mut([one, other]).unwrap();
            b.pull_from(a).unwrap();
        }
        written.sort_unstable();
        for store in &stores {
            let mut held = store.all_hashes().unwrap();
            held.sort_unstable();
            prop_assert_eq!(&held, &written);
        }
    }
}
