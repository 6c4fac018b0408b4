//! Rows on their way to the store and back.

use meshwork::{Bytes, Row, Table};
use wasm_bindgen::prelude::*;

use crate::error::WebError;

/// By the numbers that `js/store.js` knows them by.
const TABLES: [Table; 3] = [Table::Blocks, Table::Meta, Table::Proofs];

/// What one write asks to be stored. It crosses when its turn has come: there may be very much of it.
#[wasm_bindgen]
pub struct RowsToStore(Vec<Row>);

#[wasm_bindgen]
impl RowsToStore {
    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// How many bytes they take.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|row| row.key.len() + row.value.as_ref().map_or(0, Bytes::len)).sum()
    }

    /// `[table, key, value or null]` each.
    pub fn list(&self) -> js_sys::Array {
        let bytes = |bytes: &[u8]| JsValue::from(js_sys::Uint8Array::from(bytes));
        let row = |row: &Row| {
            let table = TABLES.iter().position(|table| *table == row.table).unwrap_or_default() as u32;
            let value = row.value.as_ref().map_or(JsValue::NULL, |value| bytes(value));
            js_sys::Array::of3(&table.into(), &bytes(&row.key), &value)
        };
        self.0.iter().map(row).collect()
    }
}

impl From<Vec<Row>> for RowsToStore {
    fn from(rows: Vec<Row>) -> Self {
        Self(rows)
    }
}

/// What a store holds, as it is read: a batch at a time.
#[wasm_bindgen]
#[derive(Default)]
pub struct StoredRows(Vec<Row>);

#[wasm_bindgen]
impl StoredRows {
    /// None yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes rows of one table: their keys, as `ArrayBuffer`s, and their values.
    pub fn take(
        &mut self,
        table: usize,
        keys: &js_sys::Array,
        values: &js_sys::Array,
    ) -> Result<(), JsValue> {
        for (key, value) in keys.iter().zip(values.iter()) {
            let row = TABLES.get(table).and_then(|table| row_from_js(*table, key, value));
            self.0.push(row.ok_or_else(|| WebError::Storage("the store handed back what is no row".into()))?);
        }
        Ok(())
    }
}

impl StoredRows {
    pub(crate) fn into_rows(self) -> Vec<Row> {
        self.0
    }
}

fn row_from_js(table: Table, key: JsValue, value: JsValue) -> Option<Row> {
    let key: js_sys::ArrayBuffer = key.dyn_into().ok()?;
    let value: js_sys::Uint8Array = value.dyn_into().ok()?;
    Some(Row::put(table, js_sys::Uint8Array::new(&key).to_vec(), value.to_vec()))
}
