//! The client of a node's local API: `meshwork status`, `peers`, `presence`, `get`, `set`, `watch`.

use std::{convert::Infallible, time::Duration};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use futures_util::StreamExt as _;
use meshwork::DocumentId;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{
    events::{EventReader, SentEvent},
    output::{say, warn},
    table::table,
};

/// How long a confirmation may take before a person is told what it waits for.
const WAIT_UNEXPLAINED: Duration = Duration::from_secs(3);

#[derive(Args)]
pub(crate) struct ApiArguments {
    /// The node's local API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7071")]
    api: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct GetArguments {
    #[command(flatten)]
    api: ApiArguments,
    /// The document
    document: String,
    /// Keys from the root downwards, between slashes
    #[arg(default_value = "")]
    path: String,
}

#[derive(Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    api: ApiArguments,
    /// The document
    document: String,
    /// Keys from the root downwards, between slashes
    path: String,
    /// The value, as JSON; what is not JSON is taken as text
    #[arg(allow_hyphen_values = true)]
    value: String,
    /// Return when it is `stored` here, or `confirmed` by others
    #[arg(long, value_parser = ["visible", "stored", "confirmed"], default_value = "stored")]
    wait: String,
}

#[derive(Args)]
pub(crate) struct PresenceArguments {
    #[command(flatten)]
    api: ApiArguments,
    /// The key of a value to show to the others, such as `cursor`
    #[arg(requires = "change")]
    key: Option<String>,
    /// The value, as JSON; what is not JSON is taken as text
    #[arg(group = "change", allow_hyphen_values = true)]
    value: Option<String>,
    /// How long it lives, in milliseconds
    #[arg(long, value_name = "MS", requires = "value")]
    ttl_ms: Option<u64>,
    /// Show the value no longer
    #[arg(long, group = "change", requires = "key")]
    clear: bool,
}

impl ApiArguments {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.api)
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let url = url::Url::parse_with_params(&self.url(path), query).context("the address of the API")?;
        answer(self.send(http()?.get(url)).await?).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let answered = request.send().await;
        answered.with_context(|| format!("no node answers at {}; start one with --api", self.api))
    }
}

/// The API is on this machine: proxies, which the environment may name, lie elsewhere.
fn http() -> Result<Client> {
    Client::builder().no_proxy().build().context("cannot make HTTP requests")
}

/// The answer's JSON, or its error as ours.
async fn answer(response: Response) -> Result<Value> {
    let failed = !response.status().is_success();
    let text = response.text().await.context("the answer broke off")?;
    let value: Value = serde_json::from_str(&text).with_context(|| format!("not a node's answer: {text}"))?;
    if failed {
        bail!("{}", value["error"]["message"].as_str().unwrap_or(&text));
    }
    Ok(value)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

pub(crate) async fn status(arguments: ApiArguments) -> Result<()> {
    let status = arguments.get("/api/status", &[]).await?;
    if arguments.json {
        return say(format_args!("{status:#}"));
    }
    let mut rows = table(["node", &text(&status["name"])]);
    for (name, value) in status.as_object().into_iter().flatten() {
        let shown = match value {
            Value::Array(items) => items.len().to_string(),
            Value::Object(entries) => {
                let entries = entries.iter().map(|(key, value)| format!("{key}: {value}"));
                entries.collect::<Vec<_>>().join("\n")
            }
            value => text(value),
        };
        rows.add_row([name.as_str(), &shown]);
    }
    say(rows)
}

pub(crate) async fn peers(arguments: ApiArguments) -> Result<()> {
    let status = arguments.get("/api/status", &[]).await?;
    // The linked ones first.
    let peers =
        ["connected_peers", "discovered_peers"].into_iter().filter_map(|list| status[list].as_array());
    let peers: Vec<&Value> = peers.flatten().collect();
    if arguments.json {
        return say(format_args!("{:#}", json!(peers)));
    }
    let mut rows = table(["name", "node", "session", "stage", "round trip ms", "sent", "received"]);
    for peer in peers {
        let columns = ["name", "node_id", "session_id", "stage", "rtt_ms", "sent_bytes", "received_bytes"];
        rows.add_row(columns.map(|column| match &peer[column] {
            Value::Null => "-".into(),
            value => text(value).chars().take(16).collect::<String>(),
        }));
    }
    say(rows)
}

pub(crate) async fn presence(arguments: PresenceArguments) -> Result<()> {
    let PresenceArguments { api, key, value, ttl_ms, .. } = arguments;
    let Some(key) = key else { return show_presence(&api).await };
    let body = match value {
        None => json!({ "clear": { "key": key } }),
        Some(value) => {
            let mut set = json!({ "key": key, "value": json_or_text(value) });
            if let Some(ttl_ms) = ttl_ms {
                set["ttl_ms"] = ttl_ms.into();
            }
            json!({ "set": set })
        }
    };
    answer(api.send(http()?.post(api.url("/api/presence")).json(&body)).await?).await?;
    Ok(())
}

async fn show_presence(api: &ApiArguments) -> Result<()> {
    let presence = api.get("/api/presence", &[]).await?;
    let members = &presence["members"];
    if api.json {
        return say(format_args!("{members:#}"));
    }
    let mut rows = table(["name", "session", "status", "away", "linked", "shows"]);
    for member in members.as_array().into_iter().flatten() {
        let shows = member["ephemeral"].as_object().into_iter().flatten();
        let shows = shows.map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join("\n");
        let session = text(&member["session"]).chars().take(16).collect();
        let linked = if member["own"] == true { "this node".into() } else { text(&member["linked"]) };
        rows.add_row([
            text(&member["name"]),
            session,
            text(&member["status"]),
            text(&member["away"]),
            linked,
            shows,
        ]);
    }
    say(rows)
}

fn json_or_text(value: String) -> Value {
    serde_json::from_str(&value).unwrap_or(Value::String(value))
}

pub(crate) async fn get(arguments: GetArguments) -> Result<()> {
    let path = format!("/api/documents/{}", segment(&arguments.document)?);
    let value = arguments.api.get(&path, &[("path", &arguments.path)]).await?;
    say(format_args!("{value:#}"))
}

pub(crate) async fn set(arguments: SetArguments) -> Result<()> {
    let value = json_or_text(arguments.value);
    let keys = meshwork::parse_path(&arguments.path);
    let path = format!("/api/documents/{}?wait={}", segment(&arguments.document)?, arguments.wait);
    let body = json!({ "set": { "path": keys, "value": value } });
    let request = http()?.post(arguments.api.url(&path)).json(&body);
    let done = async { answer(arguments.api.send(request).await?).await };
    let dot = tokio::select! {
        dot = done => dot?,
        never = explain_wait(&arguments.api), if arguments.wait == "confirmed" => match never {},
    };
    if arguments.api.json {
        say(format_args!("{dot:#}"))
    } else {
        say(format_args!("{}: operation {} of {}", arguments.wait, dot["sequence"], text(&dot["replica"])))
    }
}

/// Says, after some time, who could still confirm.
async fn explain_wait(api: &ApiArguments) -> Infallible {
    tokio::time::sleep(WAIT_UNEXPLAINED).await;
    // One that does not answer will not answer the edit either, and that is what is told then.
    if let Ok(status) = api.get("/api/status", &[]).await {
        let linked = status["connected_peers"].as_array().map_or(0, Vec::len);
        warn(format_args!("visible, but not confirmed yet; nodes that are linked now: {linked}"));
    }
    std::future::pending().await
}

/// Prints events until the node ends.
pub(crate) async fn watch(arguments: ApiArguments) -> Result<()> {
    let response = arguments.send(http()?.get(arguments.url("/api/events"))).await?;
    if !response.status().is_success() {
        return answer(response).await.map(drop);
    }
    let mut chunks = response.bytes_stream();
    let mut reader = EventReader::default();
    while let Some(Ok(chunk)) = chunks.next().await {
        for SentEvent { name, data } in reader.read(&chunk) {
            if arguments.json {
                say(format_args!("{{\"event\":\"{name}\",\"data\":{data}}}"))?;
            } else {
                say(format_args!("{name:20} {data}"))?;
            }
        }
    }
    bail!("the node has ended")
}

/// A document's name as one segment of a URL's path.
fn segment(name: &str) -> Result<String> {
    let name = DocumentId::new(name)?;
    let name = name.as_str();
    // Clients resolve these before they ask, however they are encoded.
    if matches!(name, "." | "..") {
        bail!("a document named `{name}` cannot be reached over HTTP, where that means a folder");
    }
    let encoded = name.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    Ok(encoded.collect())
}
