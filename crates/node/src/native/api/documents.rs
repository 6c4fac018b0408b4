//! `/api/documents`.

use actix_web::{HttpResponse, get, post, web};
use meshwork_base::DocumentId;
use meshwork_crdt_state::Edit;
use serde::Deserialize;
use serde_json::json;

use super::error::ApiError;
use crate::{Node, NodeError};

/// Characters of an edit that an error shows.
const SHOWN_MAX: usize = 200;

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
        serde_json::Value::Array(edits) => edits,
        one => vec![one],
    };
    let edits: Vec<Edit> = edits.iter().map(parse).collect::<Result<_, _>>()?;
    let dot = node.edit(&name, edits).await?;
    match query.wait {
        Wait::Visible => {}
        Wait::Stored => node.stored(dot).await?,
        Wait::Confirmed => node.confirmed(dot).await?,
    }
    Ok(HttpResponse::Ok().json(json!({ "replica": dot.replica, "sequence": dot.sequence })))
}

fn parse(json: &serde_json::Value) -> Result<Edit, ApiError> {
    let shown = || json.to_string().chars().take(SHOWN_MAX).collect::<String>();
    Edit::deserialize(json).map_err(|error| ApiError::BadJson(format!("`{}`: {error}", shown())))
}
