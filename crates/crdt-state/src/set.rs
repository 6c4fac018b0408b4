//! An add-wins set: an element is in as long as one of the operations that added it was not observed by a removal.

use std::collections::BTreeMap;

use crate::{
    Value,
    observed::{Names, Observed},
    stamp::{Stamp, Stamps},
};

/// The elements, each with the adds that hold it in.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Set(BTreeMap<Value, Stamps>);

impl Set {
    pub(crate) const EMPTY: Self = Self(BTreeMap::new());

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn latest(&self) -> Option<Stamp> {
        self.0.values().filter_map(Stamps::latest).max()
    }

    pub(crate) fn elements(&self) -> impl ExactSizeIterator<Item = (&Value, &Stamps)> {
        self.0.iter()
    }

    pub(crate) fn stamps(&self, element: &Value) -> Option<&Stamps> {
        self.0.get(element)
    }

    pub(crate) fn add(&mut self, element: Value, stamp: Stamp) {
        self.0.entry(element).or_default().insert(stamp);
    }

    /// Removes one add of an element.
    pub(crate) fn remove_add(&mut self, element: &Value, stamp: Stamp) {
        if let Some(stamps) = self.0.get_mut(element) {
            stamps.remove_one(stamp);
            if stamps.is_empty() {
                self.0.remove(element);
            }
        }
    }

    /// Removes the named adds of one element. Returns how many were looked at.
    pub(crate) fn remove_element(&mut self, element: &Value, named: &[&Observed], names: &Names) -> usize {
        let Some(stamps) = self.0.get_mut(element) else { return 0 };
        let looked_at = stamps.remove(named, names);
        if stamps.is_empty() {
            self.0.remove(element);
        }
        looked_at
    }

    /// Removes the named adds of all elements. Returns how many were looked at.
    pub(crate) fn remove(&mut self, named: &[&Observed], names: &Names) -> usize {
        let mut looked_at = 0;
        self.0.retain(|_, stamps| {
            looked_at += stamps.remove(named, names);
            !stamps.is_empty()
        });
        looked_at
    }

    /// Puts the adds of one element as they were; none takes it out.
    pub(crate) fn restore(&mut self, element: Value, stamps: Option<Stamps>) {
        match stamps {
            Some(stamps) => self.0.insert(element, stamps),
            None => self.0.remove(&element),
        };
    }
}
