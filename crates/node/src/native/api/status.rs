//! `GET /api/status`, `POST /api/sync`.

use actix_web::{HttpResponse, get, post, web};

use super::error::ApiError;
use crate::Node;

#[get("/api/status")]
pub(crate) async fn get(node: web::Data<Node>) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(node.status().await?))
}

#[post("/api/sync")]
pub(crate) async fn sync(node: web::Data<Node>) -> Result<HttpResponse, ApiError> {
    node.sync()?;
    Ok(HttpResponse::Accepted().json(serde_json::json!({ "syncing": true })))
}
