//! `GET /`: the page with which a browser becomes a member of this node's space.

use actix_web::{HttpRequest, HttpResponse, get, http::header::ContentType, web};
use meshwork_hub::{BUILD_PAGE, Page};
use serde_json::json;

use super::error::ApiError;
use crate::Node;

#[get("/")]
pub(crate) async fn index(request: HttpRequest, page: web::Data<Page>) -> HttpResponse {
    let without = || {
        let text = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
             <title>meshwork node</title><h1>meshwork node</h1>{BUILD_PAGE}\
             <p>How this node is doing: <a href=api/status><code>/api/status</code></a>.</p></html>"
        );
        HttpResponse::Ok().content_type(ContentType::html()).body(text)
    };
    page.index(&request).unwrap_or_else(without)
}

/// What the page suggests to whoever joins: the hub and the room where this node is. (A room's password is not told.)
#[get("/page/place.json")]
pub(crate) async fn place(node: web::Data<Node>) -> HttpResponse {
    let place = node.place();
    HttpResponse::Ok().json(match &place {
        Some((hub, room)) => json!({ "hub": hub.as_str(), "room": room }),
        None => json!({}),
    })
}

#[get("/page/{file}")]
pub(crate) async fn file(
    request: HttpRequest,
    name: web::Path<String>,
    page: web::Data<Page>,
) -> Result<HttpResponse, ApiError> {
    let nothing = || ApiError::NoSuchPath(format!("{} {}", request.method(), request.path()));
    page.file(&name, &request).ok_or_else(nothing)
}
