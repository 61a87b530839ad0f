//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Server;
use crate::metrics::CONTENT_TYPE;

/// All figures, as text; 404 where the configuration switched them off.
pub(super) async fn metrics(State(server): State<Arc<Server>>) -> Response {
    if !server.serve_metrics {
        return (StatusCode::NOT_FOUND, "metrics.enabled is false in the node's configuration\n").into_response();
    }
    // The ledger is asked for its size, which reads the disk.
    match tokio::task::block_in_place(|| server.metrics.text()) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "figures do not encode");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
