//! A store that cannot be used is refused with a reason, and left as it is.
#![cfg(feature = "native")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{fs, io, path::Path};

use common::Disk;
use meshwork_base::{Row, Seed, Table};
use meshwork_storage::{Config, FORMAT_VERSION, RedbStore, Stats, StorageError, Store};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle as _};

fn refusal(folder: &Path) -> StorageError {
    let error = RedbStore::open(folder).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&folder.join("meshwork.redb").display().to_string()), "{text}");
    error
}

#[test]
fn rows_are_kept_by_table_in_key_order_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made/on/the/way");
    let mut store = RedbStore::open(&folder).unwrap();
    assert_eq!((store.load().unwrap(), store.durable()), (vec![], true));
    let rows = [
        Row::put(Table::Proofs, "p", "1"),
        Row::put(Table::Blocks, "b", "22"),
        Row::put(Table::Blocks, "a", "old"),
        Row::put(Table::Blocks, "a", ""),
        Row::put(Table::Meta, "m", "5"),
        Row::delete(Table::Meta, "m"),
        Row::delete(Table::Meta, "never there"),
    ];
    store.commit(&rows).unwrap();
    let kept = [rows[3].clone(), rows[1].clone(), rows[0].clone()];
    assert_eq!(store.load().unwrap(), kept);
    drop(store);
    let store = RedbStore::open(&folder).unwrap();
    assert_eq!(store.load().unwrap(), kept);
    let bytes = fs::metadata(folder.join("meshwork.redb")).unwrap().len();
    assert_eq!(store.stats(), Stats { rows: 3, bytes });
}

/// The tables and the bytes in them, read by nothing of ours; whoever changes them raises `FORMAT_VERSION`.
#[test]
fn golden_tables() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = RedbStore::open(folder.path()).unwrap();
    let rows = [
        Row::put(Table::Blocks, [1, 0xff].to_vec(), "block"),
        Row::put(Table::Meta, "mark", vec![1]),
        Row::put(Table::Proofs, vec![2; 24], ""),
    ];
    store.commit(&rows).unwrap();
    drop(store);
    let database = Database::open(folder.path().join("meshwork.redb")).unwrap();
    let transaction = database.begin_read().unwrap();
    let mut names: Vec<_> = transaction.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    names.sort();
    let mut found = String::new();
    for name in names {
        if name == "meshwork format" {
            let table = transaction.open_table(TableDefinition::<&str, u32>::new(&name)).unwrap();
            for row in table.iter().unwrap() {
                let (key, value) = row.unwrap();
                found += &format!("{name}: {} = {}\n", key.value(), value.value());
            }
            continue;
        }
        if name == "meshwork identity" {
            let table = transaction.open_table(TableDefinition::<&str, &[u8]>::new(&name)).unwrap();
            for row in table.iter().unwrap() {
                let (key, value) = row.unwrap();
                found += &format!("{name}: {} = {} random bytes\n", key.value(), value.value().len());
            }
            continue;
        }
        let table = transaction.open_table(TableDefinition::<&[u8], &[u8]>::new(&name)).unwrap();
        for row in table.iter().unwrap() {
            let (key, value) = row.unwrap();
            found += &format!(
                "{name}: {} = {}\n",
                base16ct::lower::encode_string(key.value()),
                base16ct::lower::encode_string(value.value())
            );
        }
    }
    assert_eq!(found, include_str!("golden/store.txt"));
}

#[test]
fn a_store_is_open_once_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(folder.path()).unwrap();
    assert!(matches!(refusal(folder.path()), StorageError::InUse { .. }));
    drop(store);
    RedbStore::open(folder.path()).unwrap();
}

#[test]
fn other_files_are_refused_and_left_as_they_are() {
    let mut random = Seed::from_number(1).random();
    let noise: Vec<u8> = (0..40_000).map(|_| random.number() as u8).collect();
    let mut almost_empty = vec![0; 20_000];
    almost_empty[19_999] = 1;
    for bytes in [noise, b"short".to_vec(), vec![b'r'; 4096], almost_empty] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("meshwork.redb");
        fs::write(&file, &bytes).unwrap();
        assert!(matches!(refusal(folder.path()), StorageError::Foreign { .. }));
        assert_eq!(fs::read(&file).unwrap(), bytes);
    }
}

#[test]
fn another_programs_redb_files_are_refused_and_left_as_they_are() {
    let others: [fn(&redb::WriteTransaction); 3] = [
        |transaction| {
            _ = transaction.open_table(TableDefinition::<u64, u64>::new("meshwork format")).unwrap()
        },
        |transaction| _ = transaction.open_table(TableDefinition::<&str, u32>::new("blocks")).unwrap(),
        |transaction| {
            let table = redb::MultimapTableDefinition::<&str, &str>::new("others");
            drop(transaction.open_multimap_table(table).unwrap());
        },
    ];
    for fill in others {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path().join("meshwork.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        fill(&transaction);
        transaction.commit().unwrap();
        drop(database);
        let bytes = fs::read(folder.path().join("meshwork.redb")).unwrap();
        assert!(matches!(refusal(folder.path()), StorageError::Foreign { .. }));
        assert!(fs::read(folder.path().join("meshwork.redb")).unwrap() == bytes);
    }
}

/// Whether it was closed well or not.
#[test]
fn another_version_is_refused_and_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    drop(RedbStore::open(folder.path()).unwrap());
    let file = folder.path().join("meshwork.redb");
    let database = Database::open(&file).unwrap();
    let transaction = database.begin_write().unwrap();
    let format = TableDefinition::<&str, u32>::new("meshwork format");
    transaction.open_table(format).unwrap().insert("version", FORMAT_VERSION + 1).unwrap();
    transaction.commit().unwrap();
    let unclosed = fs::read(&file).unwrap();
    drop(database);
    let closed = fs::read(&file).unwrap();
    assert_ne!(closed, unclosed);
    for bytes in [unclosed, closed] {
        fs::write(&file, &bytes).unwrap();
        let expected =
            StorageError::Version { path: file.clone(), found: FORMAT_VERSION + 1, known: FORMAT_VERSION };
        assert_eq!(refusal(folder.path()), expected);
        assert!(fs::read(&file).unwrap() == bytes, "a store that was refused has changed");
    }
}

#[test]
fn what_the_system_refuses_is_told_apart() {
    let disk = Disk::default();
    let refusal = |kind: io::ErrorKind| {
        disk.refuse(Some(kind));
        RedbStore::on(disk.clone(), &Config::default()).unwrap_err()
    };
    assert!(matches!(refusal(io::ErrorKind::PermissionDenied), StorageError::ReadOnly { .. }));
    assert!(matches!(refusal(io::ErrorKind::ReadOnlyFilesystem), StorageError::ReadOnly { .. }));
    assert!(matches!(refusal(io::ErrorKind::StorageFull), StorageError::Full { .. }));
    assert!(matches!(refusal(io::ErrorKind::Other), StorageError::Io { .. }));
    disk.refuse(None);
    disk.limit_blocks(Some(0));
    let full = RedbStore::on(disk.clone(), &Config::default()).unwrap_err();
    assert!(matches!(full, StorageError::Full { .. }), "{full}");
    disk.limit_blocks(None);
    RedbStore::on(disk, &Config::default()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    // The superuser may write anywhere.
    if fs::write(folder.path().join("probe"), "").is_err() {
        assert!(matches!(refusal(folder.path()), StorageError::ReadOnly { .. }));
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(refusal(file.path()), StorageError::Io { .. }));
}

/// Wherever the making of a store is cut short, the next opening makes it.
#[test]
fn a_store_cut_short_at_birth_is_born_again() {
    let mut cuts = 0;
    for operations in 0..30 {
        for seed in 0..20 {
            let disk = Disk::default();
            disk.cut_after(operations, seed);
            _ = RedbStore::on(disk.clone(), &Config::default());
            cuts += disk.cuts();
            disk.cut(seed);
            let store = RedbStore::on(disk, &Config::default()).unwrap();
            assert_eq!(store.load().unwrap(), []);
        }
    }
    assert!(cuts > 100, "only {cuts} cuts");
}

/// Damage gives an error or rows, and never takes the process down.
#[test]
fn damage_is_an_error_not_a_panic() {
    let disk = Disk::default();
    let mut store = RedbStore::on(disk.clone(), &Config::default()).unwrap();
    let rows: Vec<_> =
        (0u16..400).map(|n| Row::put(Table::Blocks, n.to_be_bytes().to_vec(), vec![7; 300])).collect();
    store.commit(&rows).unwrap();
    store.commit(&[Row::put(Table::Blocks, "large", vec![9; 70_000])]).unwrap();
    drop(store);
    let whole = disk.contents();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    let mut random = Seed::from_number(3).random();
    let mut refused = 0;
    for round in 0..300 {
        let mut bytes = whole.clone();
        match round % 3 {
            0 => (0..8).for_each(|_| bytes[random.below(used) as usize] ^= 1 << random.below(8)),
            1 => {
                let page = random.below(used / 4096) as usize * 4096;
                bytes[page..page + 4096].fill(random.number() as u8);
            }
            _ => bytes.truncate(random.below(whole.len() as u64) as usize),
        }
        let result =
            RedbStore::on(Disk::with_bytes(bytes), &Config::default()).and_then(|store| store.load());
        refused +=
            u32::from(matches!(result, Err(StorageError::Corrupt { .. } | StorageError::Foreign { .. })));
    }
    assert!(refused > 100, "only {refused} refused");
}
