//! A node's local API, as far as the run needs it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::ledger::{Dot, Wait};

/// Every node listens here, on its own host's loopback.
pub(crate) const ADDRESS: &str = "127.0.0.1:7071";
const DOCUMENT: &str = "app";
/// A node that is stopped, stalled or cut off answers late or never.
const PATIENCE: Duration = Duration::from_secs(10);
/// A document of many entries takes a while.
const DOCUMENT_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Status {
    pub(crate) vector_clock: BTreeMap<String, u64>,
    pub(crate) hubs: BTreeMap<String, bool>,
    pub(crate) connected_peers: Vec<Value>,
    pub(crate) operation_log_size: u64,
    pub(crate) pending_operations: u64,
    pub(crate) confirmed_operations: u64,
    pub(crate) storage_stalled: Option<String>,
}

/// A client; to be used in the node's namespace.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
}

impl Api {
    pub(crate) fn new() -> Result<Self> {
        // A proxy of the environment lies outside of the namespace.
        Ok(Self { client: Client::builder().no_proxy().build()? })
    }

    pub(crate) async fn status(&self) -> Result<Status> {
        let response = self.client.get(url("status")).timeout(PATIENCE).send().await?;
        Ok(response.error_for_status()?.json().await?)
    }

    pub(crate) async fn document(&self) -> Result<Value> {
        let path = url(&format!("documents/{DOCUMENT}"));
        let response = self.client.get(path).timeout(DOCUMENT_PATIENCE).send().await?;
        Ok(response.error_for_status()?.json().await?)
    }

    /// The operation, or the node's refusal; an error when there is no answer in time, or the node is ending.
    pub(crate) async fn edit(&self, edits: &Value, wait: Wait) -> Result<Result<Dot, String>> {
        let path = url(&format!("documents/{DOCUMENT}?wait={}", wait.name()));
        let response = self.client.post(path).json(edits).timeout(PATIENCE).send().await?;
        let status = response.status();
        let body = response.text().await?;
        // A process that stood still longer than a request may take to come in has read none of it: that is no answer.
        if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT {
            return Ok(Err(format!("{status}: {body}")));
        }
        if !status.is_success() {
            bail!("{status}: {body}");
        }
        serde_json::from_str(&body).map(Ok).with_context(|| format!("not an operation: {body}"))
    }

    pub(crate) async fn events(&self) -> Result<Events> {
        let response = self.client.get(url("events")).send().await?.error_for_status()?;
        Ok(Events { response, buffer: Vec::new() })
    }
}

fn url(path: &str) -> String {
    format!("http://{ADDRESS}/api/{path}")
}

/// A node's events, until it ends.
pub(crate) struct Events {
    response: Response,
    buffer: Vec<u8>,
}

impl Events {
    /// The next event's name and data; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<(String, Value)>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return parse(&String::from_utf8_lossy(&event)).map(Some);
            }
            match self.response.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

fn parse(event: &str) -> Result<(String, Value)> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    let (Some(name), Some(data)) = (field("event: "), field("data: ")) else {
        bail!("not an event: {event}")
    };
    Ok((name.to_owned(), serde_json::from_str(data).with_context(|| format!("not JSON: {data}"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_a_name_and_data() {
        let (name, data) = parse("event: confirmed\ndata: {\"up_to\":3}\n\n").unwrap();
        assert_eq!((name.as_str(), data["up_to"].as_u64()), ("confirmed", Some(3)));
        assert!(parse("retry: 3\n\n").is_err());
        assert!(parse("event: a\ndata: {\n\n").is_err());
    }
}
