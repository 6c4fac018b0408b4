//! `/api/documents`.

use actix_web::{HttpResponse, get, post, web};
use meshwork_base::DocumentId;
use meshwork_crdt_state::Edit;
use serde::Deserialize;
use serde_json::json;

use super::error::ApiError;
use crate::{Node, NodeError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Where {
    /// Keys from the root downwards, between slashes (`~1` for a slash in a key, `~0` for `~`).
    #[serde(default)]
    path: String,
}

/// What to wait for before an edit is answered.
#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Wait {
    #[default]
    Visible,
    Stored,
    Confirmed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Until {
    #[serde(default)]
    wait: Wait,
}

#[get("/api/documents")]
pub(crate) async fn list(node: web::Data<Node>) -> Result<HttpResponse, ApiError> {
    let names =
        node.read(|documents| documents.documents().map(ToString::to_string).collect::<Vec<_>>()).await?;
    Ok(HttpResponse::Ok().json(json!({ "documents": names })))
}

#[get("/api/documents/{document}")]
pub(crate) async fn get(
    node: web::Data<Node>,
    name: web::Path<String>,
    query: web::Query<Where>,
) -> Result<HttpResponse, ApiError> {
    let document = DocumentId::new(&name).map_err(NodeError::from)?;
    let keys = crate::parse_path(&query.path);
    let found = node
        .read(move |documents| documents.document(&document).map(|document| document.to_json_at(&keys)))
        .await?;
    match found {
        None => Err(ApiError::NoSuchDocument(name.into_inner())),
        Some(None) => {
            Err(ApiError::NothingThere { document: name.into_inner(), path: query.into_inner().path })
        }
        Some(Some(value)) => Ok(HttpResponse::Ok().json(value)),
    }
}

#[post("/api/documents/{document}")]
pub(crate) async fn edit(
    node: web::Data<Node>,
    name: web::Path<String>,
    query: web::Query<Until>,
    body: web::Json<serde_json::Value>,
) -> Result<HttpResponse, ApiError> {
    let edits = match body.into_inner() {
        many @ serde_json::Value::Array(_) => serde_json::from_value(many),
        one => serde_json::from_value(one).map(|edit| vec![edit]),
    };
    let edits: Vec<Edit> = edits.map_err(|error| ApiError::BadJson(error.to_string()))?;
    let dot = node.edit(&name, edits).await?;
    match query.wait {
        Wait::Visible => {}
        Wait::Stored => node.stored(dot).await?,
        Wait::Confirmed => node.confirmed(dot).await?,
    }
    Ok(HttpResponse::Ok().json(json!({ "replica": dot.replica, "sequence": dot.sequence })))
}
