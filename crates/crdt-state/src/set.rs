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

    /// Adds `element`, in the place of the adds that `observed` names.
    pub(crate) fn add(&mut self, element: Value, stamp: Stamp, observed: &Observed, names: &Names) {
        let stamps = self.0.entry(element).or_default();
        stamps.remove(observed, names);
        stamps.insert(stamp);
    }

    /// Removes the named adds of one element.
    pub(crate) fn remove_element(&mut self, element: &Value, observed: &Observed, names: &Names) {
        if let Some(stamps) = self.0.get_mut(element) {
            stamps.remove(observed, names);
            if stamps.is_empty() {
                self.0.remove(element);
            }
        }
    }

    /// Removes the named adds of all elements.
    pub(crate) fn remove(&mut self, observed: &Observed, names: &Names) {
        self.0.retain(|_, stamps| {
            stamps.remove(observed, names);
            !stamps.is_empty()
        });
    }

    /// Puts the adds of one element as they were; none takes it out.
    pub(crate) fn restore(&mut self, element: Value, stamps: Option<Stamps>) {
        match stamps {
            Some(stamps) => self.0.insert(element, stamps),
            None => self.0.remove(&element),
        };
    }
}
