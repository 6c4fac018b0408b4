//! Errors, as the API's clients see them.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    error::{JsonPayloadError, QueryPayloadError},
    http::StatusCode,
};
use serde_json::json;

use super::REQUEST_BYTES_MAX;
use crate::NodeError;

/// What is wrong with a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("`{0}` is not a loopback host; this API serves the machine it runs on")]
    ForeignHost(String),
    #[error(
        "this request comes from a web page of another origin (`{0}`); only pages of this API may ask it"
    )]
    ForeignOrigin(String),
    #[error(
        "there is nothing at {0}; see GET /, /api/status, /api/documents, /api/presence, /api/events and POST /api/sync"
    )]
    NoSuchPath(String),
    #[error("there is no document `{0}`")]
    NoSuchDocument(String),
    #[error("document `{document}` has nothing at `{path}`")]
    NothingThere { document: String, path: String },
    #[error("the body is not the JSON that this request takes: {0}")]
    BadJson(String),
    #[error("the query is malformed: {0}")]
    BadQuery(String),
    #[error("the body is larger than {REQUEST_BYTES_MAX} bytes; send it in several transactions")]
    TooLarge,
    #[error("the body must be declared as `content-type: application/json`")]
    NotJson,
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl ApiError {
    fn code(&self) -> &'static str {
        match self {
            Self::ForeignHost(_) => "foreign-host",
            Self::ForeignOrigin(_) => "foreign-origin",
            Self::NoSuchPath(_) => "no-such-path",
            Self::NoSuchDocument(_) => "no-such-document",
            Self::NothingThere { .. } => "nothing-there",
            Self::BadJson(_) => "bad-json",
            Self::BadQuery(_) => "bad-query",
            Self::TooLarge => "too-large",
            Self::NotJson => "not-json",
            Self::Node(NodeError::Stopped) => "stopped",
            Self::Node(NodeError::Rebuilding) => "rebuilding",
            Self::Node(NodeError::Retired { .. }) => "retired",
            Self::Node(NodeError::Edit(_)) => "edit-refused",
            Self::Node(NodeError::Ephemeral(_)) => "value-refused",
            Self::Node(NodeError::Document(_)) => "bad-document-name",
            Self::Node(NodeError::Absent(_)) => "absent",
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::ForeignHost(_) | Self::ForeignOrigin(_) => StatusCode::FORBIDDEN,
            Self::NoSuchPath(_) | Self::NoSuchDocument(_) | Self::NothingThere { .. } => {
                StatusCode::NOT_FOUND
            }
            Self::BadJson(_) | Self::BadQuery(_) | Self::Node(NodeError::Document(_)) => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Node(NodeError::Stopped | NodeError::Rebuilding) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Node(NodeError::Retired { .. }) => StatusCode::CONFLICT,
            Self::Node(NodeError::Edit(_) | NodeError::Ephemeral(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Node(NodeError::Absent(_)) => StatusCode::NOT_IMPLEMENTED,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let error = json!({ "error": { "code": self.code(), "message": self.to_string() } });
        HttpResponse::build(self.status_code()).json(error)
    }
}

pub(crate) fn bad_json(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    match error {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
            ApiError::TooLarge
        }
        JsonPayloadError::ContentType => ApiError::NotJson,
        error => ApiError::BadJson(error.to_string()),
    }
    .into()
}

pub(crate) fn bad_query(error: QueryPayloadError, _: &HttpRequest) -> actix_web::Error {
    ApiError::BadQuery(error.to_string()).into()
}

pub(crate) async fn no_such_path(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(ApiError::NoSuchPath(format!("{} {}", request.method(), request.path())))
}
