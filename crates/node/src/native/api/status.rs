//! `GET /api/status`, `POST /api/sync`.

use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, get, http::header, post, web};

use super::error::ApiError;
use crate::Node;

#[get("/api/status")]
pub(crate) async fn get(node: web::Data<Node>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(node.status().await?))
}

#[post("/api/sync")]
pub(crate) async fn sync(node: web::Data<Node>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    // There is nothing to say, but whoever says something has to say it as JSON, as everywhere.
    let headers = request.headers();
    let says_nothing = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
        && !headers.contains_key(header::TRANSFER_ENCODING)
        && !headers.contains_key(header::CONTENT_TYPE);
    if !says_nothing && !request.content_type().eq_ignore_ascii_case("application/json") {
        return Err(ApiError::NotJson);
    }
    node.sync()?;
    Ok(HttpResponse::Accepted().json(serde_json::json!({ "syncing": true })))
}
