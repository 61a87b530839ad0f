//! The envelope: JSON-RPC 2.0 with named parameters, read strictly.

use hanse_types::Hash;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codes::{ErrorCode, Retry};

/// The only version.
pub const VERSION: &str = "2.0";

/// A request as it arrives: unknown fields are refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Must be [`VERSION`].
    pub jsonrpc: String,
    /// The method's name.
    pub method: String,
    /// Named parameters; none is the same as an empty object.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub params: Value,
    /// Number or text that the answer repeats. A request without one would get no answer; all methods here give one,
    /// so it is required.
    pub id: Value,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Response {
    /// [`VERSION`].
    pub jsonrpc: String,
    /// What the request gave, null if that could not be read.
    pub id: Value,
    /// The answer, if it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// The error, if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RpcError>,
}

impl Response {
    /// The answer to the request with this id.
    pub fn new(id: Value, outcome: Result<Value, RpcError>) -> Response {
        let (result, error) = match outcome {
            Ok(result) => (Some(result), None),
            Err(error) => (None, Some(error)),
        };
        Response { jsonrpc: VERSION.into(), id, result, error }
    }
}

/// An error as it crosses the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// One of [`crate::codes::ALL`].
    pub code: i32,
    /// What was wrong and where, in one sentence.
    pub message: String,
    /// More for programs and people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<ErrorData>>,
}

/// What a program needs to act on an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    /// The code's stable name.
    pub name: String,
    /// Whether asking again helps.
    pub retry: Retry,
    /// What to do.
    pub hint: String,
    /// The particulars in JSON, such as a contract's own error; its shape depends on the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
    /// The transaction's id, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tx: Option<Hash>,
}

impl RpcError {
    /// An error of this kind with these words.
    pub fn new(kind: ErrorCode, message: impl Into<String>) -> RpcError {
        let data =
            ErrorData { name: kind.name.into(), retry: kind.retry, hint: kind.hint.into(), detail: None, tx: None };
        RpcError { code: kind.code, message: message.into(), data: Some(Box::new(data)) }
    }

    /// With particulars.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> RpcError {
        if let Some(data) = &mut self.data {
            data.detail = Some(detail);
        }
        self
    }

    /// With better advice than its kind has.
    #[must_use]
    pub fn advice(mut self, hint: impl Into<String>) -> RpcError {
        if let Some(data) = &mut self.data {
            data.hint = hint.into();
        }
        self
    }

    /// With the transaction's id.
    #[must_use]
    pub fn tx(mut self, tx: Hash) -> RpcError {
        if let Some(data) = &mut self.data {
            data.tx = Some(tx);
        }
        self
    }

    /// What to do about it, if the node said so.
    pub fn hint(&self) -> Option<&str> {
        self.data.as_ref().map(|data| data.hint.as_str())
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: ErrorCode) -> bool {
        self.code == kind.code
    }
}
