//! Nothing is written to a file before it is known to be the right one.

use std::{
    fmt, io,
    ops::Bound,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use redb::{BackendError, StorageBackend};

/// A backend that keeps changes in memory until it is [opened](Self::open), and makes them then, in their order. redb
/// writes when it opens a file and again when it closes it; one that is refused in between stays as it was.
///
/// What is kept is what redb writes to make a file, or to repair one: its header and the map of free pages.
pub(crate) struct Gate<B>(Arc<Inner<B>>);

struct Inner<B> {
    backend: B,
    state: RwLock<State>,
}

enum State {
    /// What was asked for so far.
    Shut(Vec<Change>),
    Open,
    /// Not all that was kept could be written: redb knows another file than there is.
    Broken,
}

enum Change {
    Write { offset: u64, data: Vec<u8> },
    SetLen(u64),
    Sync,
}

impl<B> Clone for Gate<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> fmt::Debug for Gate<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl<B: StorageBackend> Gate<B> {
    pub(crate) fn new(backend: B) -> Self {
        Self(Arc::new(Inner { backend, state: RwLock::new(State::Shut(Vec::new())) }))
    }

    /// Makes all changes so far, and from now on each at once.
    pub(crate) fn open(&self) -> io::Result<()> {
        let mut state = self.write_state();
        let State::Shut(changes) = std::mem::replace(&mut *state, State::Broken) else { return Ok(()) };
        for change in changes {
            self.0.make(change)?;
        }
        *state = State::Open;
        Ok(())
    }

    /// No code panics while it holds the lock, so the state behind a poisoned one is sound.
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        self.0.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        if matches!(*self.state(), State::Open) {
            return self.0.make(change);
        }
        match &mut *self.write_state() {
            State::Shut(changes) => changes.push(change),
            State::Open => return self.0.make(change),
            State::Broken => return Err(broken()),
        }
        Ok(())
    }
}

impl<B: StorageBackend> Inner<B> {
    fn make(&self, change: Change) -> io::Result<()> {
        match change {
            Change::Write { offset, data } => self.backend.write(offset, &data),
            Change::SetLen(len) => self.backend.set_len(len),
            Change::Sync => self.backend.sync_data(),
        }
    }
}

fn broken() -> io::Error {
    io::Error::other("the store could not be opened")
}

impl<B: StorageBackend> StorageBackend for Gate<B> {
    fn len(&self) -> io::Result<u64> {
        match &*self.state() {
            State::Shut(changes) => length(changes).map_or_else(|| self.0.backend.len(), Ok),
            State::Open => self.0.backend.len(),
            State::Broken => Err(broken()),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &*self.state() {
            State::Shut(changes) => read_changed(&self.0.backend, changes, offset, out),
            State::Open => self.0.backend.read(offset, out),
            State::Broken => Err(broken()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(Change::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if matches!(*self.state(), State::Open) {
            return self.0.backend.write(offset, data);
        }
        self.change(Change::Write { offset, data: data.to_vec() })
    }

    fn close(&self) -> io::Result<()> {
        self.0.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.backend.query_lock_range(start, end)
    }
}

fn length(changes: &[Change]) -> Option<u64> {
    changes.iter().rev().find_map(|change| match change {
        Change::SetLen(len) => Some(*len),
        _ => None,
    })
}

/// Reads what would be there if `changes` had been made.
fn read_changed(
    backend: &impl StorageBackend,
    changes: &[Change],
    offset: u64,
    out: &mut [u8],
) -> io::Result<()> {
    let there = backend.len()?;
    let end = offset.saturating_add(out.len() as u64);
    if end > length(changes).unwrap_or(there) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    // Where in `out` a position of the file lies, or would lie.
    let place = |position: u64| position.clamp(offset, end).saturating_sub(offset) as usize;
    let (known, beyond) = out.split_at_mut(place(there));
    beyond.fill(0);
    if !known.is_empty() {
        backend.read(offset, known)?;
    }
    for change in changes {
        match change {
            Change::Write { offset: start, data } => {
                let skipped = usize::try_from(offset.saturating_sub(*start)).unwrap_or(usize::MAX);
                let target = out.get_mut(place(*start)..).unwrap_or_default();
                let source = data.get(skipped..).unwrap_or_default();
                target.iter_mut().zip(source).for_each(|(target, source)| *target = *source);
            }
            Change::SetLen(len) => out.get_mut(place(*len)..).unwrap_or_default().fill(0),
            Change::Sync => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshwork_base::Seed;
    use redb::backends::InMemoryBackend;

    fn contents(backend: &impl StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; backend.len().unwrap() as usize];
        backend.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_shut_gate_shows_what_it_holds_back_and_opens_to_the_same() {
        for seed in 0..200 {
            let mut random = Seed::from_number(seed).random();
            let [plain, behind] = [InMemoryBackend::new(), InMemoryBackend::new()];
            for backend in [&plain, &behind] {
                backend.set_len(50).unwrap();
                backend.write(3, &[7; 40]).unwrap();
            }
            let gate = Gate::new(behind);
            let before = contents(&gate);
            for _ in 0..random.below(12) {
                let len = plain.len().unwrap();
                if random.chance(0.3) || len == 0 {
                    let len = random.below(90);
                    plain.set_len(len).unwrap();
                    gate.set_len(len).unwrap();
                } else {
                    let start = random.below(len);
                    let data = vec![random.number() as u8; random.below(len - start + 1) as usize];
                    plain.write(start, &data).unwrap();
                    gate.write(start, &data).unwrap();
                }
                let start = random.below(plain.len().unwrap() + 1);
                let mut parts = [(); 2].map(|()| vec![1; (plain.len().unwrap() - start) as usize]);
                plain.read(start, &mut parts[0]).unwrap();
                gate.read(start, &mut parts[1]).unwrap();
                assert_eq!(parts[0], parts[1], "seed {seed}");
            }
            assert!(gate.read(gate.len().unwrap(), &mut [0]).is_err());
            assert_eq!(contents(&gate.0.backend), before, "it holds back");
            gate.open().unwrap();
            gate.set_len(100).unwrap();
            plain.set_len(100).unwrap();
            assert_eq!(contents(&gate.0.backend), contents(&plain), "seed {seed}");
        }
    }
}
