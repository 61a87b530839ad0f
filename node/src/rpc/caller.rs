//! Who asks: what they may, and whose places they take.

use hanse_client::methods::Access;
use hanse_client::{RpcError, codes};
use serde_json::{Map, Value, json};

use super::admin::Operator;
use super::listener::Peer;
use super::registry::Entry;
use super::{Server, http};

/// Parameters of an operator's request that its line in the log tells, at most so many bytes of them.
const TOLD_BYTES: usize = 200;

/// See the module.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    /// Whoever reaches the listener for all.
    Anyone(Peer),
    /// Whoever may use the admin listener.
    Operator(Operator),
}

impl Caller {
    /// Whether they may call the method.
    pub(super) fn check(&self, server: &Server, entry: &Entry) -> Result<(), RpcError> {
        match (self, entry.method.access) {
            (Caller::Operator(_), _) | (Caller::Anyone(_), Access::Public) => Ok(()),
            (Caller::Anyone(_), Access::Admin) => Err(refusal(server, entry.method.name)),
        }
    }

    /// Counts a request against what this client may ask for.
    pub(super) fn request(&self, server: &Server) -> Result<(), RpcError> {
        match self {
            Caller::Anyone(peer) => server.clients.request(*peer),
            Caller::Operator(_) => Ok(()),
        }
    }

    /// The same of transactions that are submitted.
    pub(super) fn transactions(&self, server: &Server, count: usize) -> Result<(), RpcError> {
        match self {
            Caller::Anyone(peer) => server.clients.transactions(*peer, count),
            Caller::Operator(_) => Ok(()),
        }
    }

    /// Tells the log what an operator asked for, and what came of it. There is nothing to tell of others, and of questions.
    pub(super) fn log(&self, entry: &Entry, params: &str, outcome: &Result<Value, RpcError>) {
        if let (Caller::Operator(operator), Access::Admin) = (self, entry.method.access) {
            let (method, by, code) = (entry.method.name, &*operator.0, http::code_of(outcome));
            tracing::info!(target: "hanse::brief", method, by, %params, code, "operator's request");
        }
    }

    /// What the log tells of a request's parameters: not the bytes of transactions, and not more than a line has room for.
    pub(super) fn told(&self, entry: &Entry, params: &Map<String, Value>) -> String {
        if !matches!((self, entry.method.access), (Caller::Operator(_), Access::Admin)) {
            return String::new();
        }
        let told = params.iter().filter(|(name, _)| *name != "transaction");
        let told: Map<String, Value> = told.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut told = Value::Object(told).to_string();
        told.truncate(told.floor_char_boundary(TOLD_BYTES));
        told
    }
}

fn refusal(server: &Server, method: &str) -> RpcError {
    match &server.admin {
        Some(admin) => {
            let text = format!("{method} is for the node's operators; they ask at {}", admin.address);
            RpcError::new(codes::NO_SUCH_RIGHT, text).detail(json!({ "admin": admin.address }))
        }
        None => {
            let text =
                format!("{method} is for the node's operators, and it takes no requests of theirs (admin.listen)");
            RpcError::new(codes::NO_SUCH_RIGHT, text)
        }
    }
}
