//! The server's table of methods: what [`hanse_client::methods`] describes, each with its handler.
//!
//! A namespace's handlers and their lines of the table are in one file of [`handlers`]. A handler gets parameters that
//! decoded, and gives an answer that encodes: neither knows JSON.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use futures::future::BoxFuture;
use hanse_client::codes;
use hanse_client::jsonrpc::RpcError;
use hanse_client::methods::{Description, Method};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Node, Server, handlers};

/// A handler at work.
pub(super) type Running<'a> = BoxFuture<'a, Result<Value, RpcError>>;

/// A method that is served.
pub(super) struct Entry {
    /// What clients know of it.
    pub(super) method: Description,
    /// Runs it with these parameters.
    pub(super) run: Run,
}

/// What a method is about.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// A group.
    Group(for<'a> fn(&'a Node, Map<String, Value>) -> Running<'a>),
    /// The node as a whole, also while no group runs.
    Server(for<'a> fn(&'a Server, Map<String, Value>) -> Running<'a>),
}

/// An [`Entry`] of a handler that only reads, a plain function. It blocks on the disk, so other tasks of its thread are
/// moved away first. What is about the node and not about a group is a `Server` one.
macro_rules! reads {
    ($method:ident, $handler:path) => {
        $crate::rpc::registry::reads!(Group $method, $handler)
    };
    ($about:ident $method:ident, $handler:path) => {
        $crate::rpc::registry::Entry {
            method: hanse_client::methods::Description::of::<hanse_client::methods::$method>(),
            run: $crate::rpc::registry::Run::$about(|node, params| {
                Box::pin(async move {
                    let params = $crate::rpc::registry::decode::<hanse_client::methods::$method>(params)?;
                    tokio::task::block_in_place(|| $crate::rpc::registry::encode($handler(node, &params)))
                })
            }),
        }
    };
}

/// An [`Entry`] of a handler that waits for others, an async function.
macro_rules! waits {
    ($method:ident, $handler:path) => {
        $crate::rpc::registry::waits!(Group $method, $handler)
    };
    ($about:ident $method:ident, $handler:path) => {
        $crate::rpc::registry::Entry {
            method: hanse_client::methods::Description::of::<hanse_client::methods::$method>(),
            run: $crate::rpc::registry::Run::$about(|node, params| {
                Box::pin(async move {
                    let params = $crate::rpc::registry::decode::<hanse_client::methods::$method>(params)?;
                    $crate::rpc::registry::encode($handler(node, params).await)
                })
            }),
        }
    };
}

pub(super) use {reads, waits};

/// All methods that are served, but the one that describes them.
pub(super) fn all() -> impl Iterator<Item = &'static Entry> {
    handlers::METHODS.iter().copied().flatten()
}

/// The method of this name.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    static BY_NAME: LazyLock<BTreeMap<&str, &Entry>> =
        LazyLock::new(|| all().chain([handlers::DISCOVER]).map(|entry| (entry.method.name, entry)).collect());
    BY_NAME.get(name).copied()
}

/// A method's parameters.
pub(super) fn decode<M: Method>(params: Map<String, Value>) -> Result<M::Params, RpcError> {
    // The error begins with the parameter that it is about, unless it is about their being there.
    serde_path_to_error::deserialize(Value::Object(params))
        .map_err(|error| RpcError::new(codes::INVALID_PARAMS, format!("{}: {error}", M::NAME)))
}

/// An answer in JSON.
pub(super) fn encode<T: Serialize>(outcome: Result<T, RpcError>) -> Result<Value, RpcError> {
    serde_json::to_value(outcome?).map_err(|error| RpcError::new(codes::INTERNAL, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_described_is_served_and_nothing_else() {
        let served: Vec<&str> = all().map(|entry| entry.method.name).collect();
        let described: Vec<&str> = hanse_client::methods::all().map(|method| method.name).collect();
        assert_eq!(served, described);
    }
}
