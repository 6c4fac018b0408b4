//! What a caller in JavaScript is told: `Error`s with a `code`.

use meshwork::{ConfigError, EditError, ProfileTextError};
use wasm_bindgen::JsValue;

/// A call that was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    /// An option or argument that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A setting is out of range.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The edit is refused; nothing changed.
    #[error("{0}")]
    Edit(#[from] EditError),
    /// The stored profile or log cannot be used.
    #[error("{0}")]
    Storage(String),
    /// The stored profile is of another version, or damaged.
    #[error(
        "the stored profile {0}: reload the page for a newer build, use another name for `storage`, or clear this \
         site's data to start anew"
    )]
    Profile(#[from] ProfileTextError),
    /// The stored profile is a member of another space, or has another secret.
    #[error("{0}")]
    Membership(String),
    /// Too many edits wait to be stored.
    #[error("{0} edits wait to be stored: wait for `edit.stored()`, then edit again")]
    Busy(u64),
    /// The node is not a member of any space yet.
    #[error("not in the mesh yet: wait for `Mesh.join` to finish")]
    NotJoined,
}

impl WebError {
    fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) | Self::Config(_) => "usage",
            Self::Edit(EditError::Closing) => "left",
            Self::Edit(_) => "edit-refused",
            Self::Storage(_) | Self::Profile(_) => "storage-unusable",
            Self::Membership(_) => "other-space",
            Self::Busy(_) => "busy",
            Self::NotJoined => "not-joined",
        }
    }
}

impl From<WebError> for JsValue {
    fn from(error: WebError) -> Self {
        let thrown = js_sys::Error::new(&error.to_string());
        // Setting a property of a fresh object does not fail.
        let _ = js_sys::Reflect::set(&thrown, &"code".into(), &error.code().into());
        thrown.into()
    }
}
