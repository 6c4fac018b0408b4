//! `/api/presence`.

use std::time::Duration;

use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{error::ApiError, events::show};
use crate::{Node, Present};

/// How long a value lives when nothing is said about it, in milliseconds.
const TTL_MS: u64 = 30_000;

/// What to change about what this node shows.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Change {
    Set {
        key: String,
        value: Value,
        #[serde(default = "ttl_ms")]
        ttl_ms: u64,
    },
    Clear {
        key: String,
    },
}

fn ttl_ms() -> u64 {
    TTL_MS
}

#[get("/api/presence")]
pub(crate) async fn get(node: web::Data<Node>) -> Result<HttpResponse, ApiError> {
    let members: Vec<Value> = node.presence().await?.iter().map(describe).collect();
    Ok(HttpResponse::Ok().json(json!({ "members": members })))
}

fn describe(present: &Present) -> Value {
    let mut member = show(&present.member);
    member["own"] = present.own.into();
    member["ephemeral"] = json!(present.ephemeral);
    member
}

#[post("/api/presence")]
pub(crate) async fn change(node: web::Data<Node>, body: web::Json<Value>) -> Result<HttpResponse, ApiError> {
    let change = Change::deserialize(&*body).map_err(|error| ApiError::BadJson(error.to_string()))?;
    let key = match change {
        Change::Set { key, value, ttl_ms } => {
            node.set_ephemeral(&key, &value, Duration::from_millis(ttl_ms)).await?;
            key
        }
        Change::Clear { key } => {
            node.clear_ephemeral(&key).await?;
            key
        }
    };
    Ok(HttpResponse::Ok().json(json!({ "key": key })))
}
