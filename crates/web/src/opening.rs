//! A node before it is one: its log is opened in slices, and between them it is the page's turn.

use wasm_bindgen::prelude::*;

use crate::{browser, join::Newcomer, options::Options, rows::StoredRows};

/// What [`WebNode`](crate::WebNode) is made of once its log is open.
#[wasm_bindgen]
pub struct NodeOpening {
    pub(crate) options: Options,
    pub(crate) newcomer: Newcomer,
}

#[wasm_bindgen]
impl NodeOpening {
    /// `profile` and `rows` are what the store holds, if there is one.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &str, profile: Option<String>, rows: Option<StoredRows>) -> Result<Self, JsValue> {
        std::panic::set_hook(Box::new(|panic| browser::console_error(&panic.to_string())));
        let options = Options::parse(options)?;
        let rows = rows.map(StoredRows::into_rows).unwrap_or_default();
        let newcomer = Newcomer::new(&options, profile.as_deref(), rows)?;
        Ok(Self { options, newcomer })
    }

    /// Goes on for a slice. True once there is nothing left to do; after an error, there is no more to be had.
    pub fn advance(&mut self) -> Result<bool, JsValue> {
        Ok(self.newcomer.advance()?)
    }

    /// How many operations there are, as far as was looked.
    pub fn operations(&self) -> f64 {
        self.newcomer.operations() as f64
    }
}
