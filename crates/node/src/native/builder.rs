//! Composes a node from chosen parts.

use std::{path::PathBuf, sync::Arc};

use meshwork_consensus::Policy;
use meshwork_storage::{StorageError, Store};
use meshwork_transport::webrtc::WebRtc;
use tokio::sync::broadcast::Receiver;
use url::Url;

use super::{
    connector::{ConnectionEvents, Connector},
    life, membership,
    start_error::StartError,
    storage::OpenStore,
};
use crate::{Event, Node, NodeConfig};

/// Makes the connector, at every start of the actors, on their thread.
pub(crate) type MakeConnector =
    Arc<dyn Fn(ConnectionEvents) -> Result<Box<dyn Connector>, String> + Send + Sync>;

/// Composes a node: say what differs from the default, then [`start`](Self::start).
///
/// The default is a node with every part, in memory, that knows no hub.
#[derive(Clone)]
pub struct NodeBuilder {
    pub(crate) config: NodeConfig,
    pub(crate) presence: bool,
    pub(crate) consensus: bool,
    pub(crate) connector: Option<MakeConnector>,
    pub(crate) store: Option<OpenStore>,
    mistake: Option<String>,
}

impl Default for NodeBuilder {
    fn default() -> Self {
        Self {
            config: NodeConfig::default(),
            presence: true,
            consensus: true,
            connector: None,
            store: None,
            mistake: None,
        }
    }
}

impl NodeBuilder {
    /// Takes all settings from `config`.
    #[must_use]
    pub fn config(mut self, config: NodeConfig) -> Self {
        self.config = config;
        self
    }

    /// The name that others see.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// Keeps key and log in this directory.
    #[must_use]
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.config.data = Some(directory.into());
        self
    }

    /// Meets others in a room of this hub (`http://host:port`). Call it again for further hubs with the same room.
    #[must_use]
    pub fn hub(mut self, url: &str, room: &str) -> Self {
        match url.parse::<Url>() {
            Ok(url) => self.config.discovery.hubs.push(url),
            Err(error) => self.mistake = Some(format!("`{url}` is not the address of a hub: {error}")),
        }
        match room.parse() {
            Ok(room) => self.config.discovery.room = room,
            Err(error) => self.mistake = Some(format!("{error}")),
        }
        self
    }

    /// The room's password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.config.password = Some(password.into());
        self
    }

    /// Follows an invitation: hub, room, space and secret in one link.
    #[must_use]
    pub fn invitation(mut self, link: impl Into<String>) -> Self {
        self.config.invitation = Some(link.into());
        self
    }

    /// When an operation counts as confirmed.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.config.consensus.policy = policy;
        self
    }

    /// Leaves out receipts and confirmations.
    #[must_use]
    pub fn without_consensus(mut self) -> Self {
        self.consensus = false;
        self
    }

    /// Leaves out heartbeats and membership.
    #[must_use]
    pub fn without_presence(mut self) -> Self {
        self.presence = false;
        self
    }

    /// Makes connections in another way than WebRTC. `make` is called on the node's thread at every start.
    #[must_use]
    pub fn connector<C: Connector + 'static>(
        mut self,
        make: impl Fn(ConnectionEvents) -> Result<C, String> + Send + Sync + 'static,
    ) -> Self {
        self.connector = Some(Arc::new(move |events| Ok(Box::new(make(events)?))));
        self
    }

    /// Keeps the log in another store than the file in the data directory. `open` is called on the node's thread at
    /// every start of the actors, after the store before was dropped.
    #[must_use]
    pub fn store<S: Store + 'static>(
        mut self,
        open: impl Fn() -> Result<S, StorageError> + Send + Sync + 'static,
    ) -> Self {
        self.store = Some(Arc::new(move || Ok(Box::new(open()?))));
        self
    }

    /// Starts the node. A node that is not yet a member of any space waits here until a hub can be reached; one that
    /// is a member starts at once and works offline until then. Dropped while it waits, it leaves nothing running.
    pub async fn start(self) -> Result<Node, StartError> {
        Ok(self.start_listening().await?.0)
    }

    /// The same, with a listener that misses nothing: much may have happened when the node has started.
    pub async fn start_listening(mut self) -> Result<(Node, Receiver<Arc<Event>>), StartError> {
        if let Some(mistake) = self.mistake {
            return Err(StartError::Usage(mistake));
        }
        let invited = membership::invited(&mut self.config)?;
        self.config.validate()?;
        life::start(self, invited).await
    }

    pub(crate) fn make_connector(&self, events: ConnectionEvents) -> Result<Box<dyn Connector>, String> {
        match &self.connector {
            Some(make) => make(events),
            None => {
                let webrtc =
                    WebRtc::new(self.config.webrtc.clone(), events).map_err(|error| error.to_string())?;
                Ok(Box::new(webrtc))
            }
        }
    }
}
