//! The description of all methods.

use hanse_client::RpcError;
use hanse_client::methods::NoParams;
use hanse_client::openrpc;
use serde_json::Value;

use super::super::Server;
use super::super::registry::{Entry, reads};

/// The method that describes the others, and is not described itself.
pub(crate) const DISCOVER: &Entry = &reads!(Server Discover, discover);

/// [`hanse_client::methods::Discover`].
fn discover(_: &Server, NoParams {}: &NoParams) -> Result<Value, RpcError> {
    Ok(openrpc::document().clone())
}
