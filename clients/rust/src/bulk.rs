//! The bulk path: many signed transactions in one HTTP body, without JSON.
//!
//! The body is the Borsh list of [`SignedTransaction`]s: their number in four bytes, little-endian, then each in its
//! canonical bytes. `?wait=none` after the path does without the disk, see [`WaitMany`], and `group=NAME` names a group. The answer is a [`ManySubmitted`](crate::methods::ManySubmitted) in JSON.

use borsh::BorshDeserialize;
use hanse_types::{Canonical, SignedTransaction};
use thiserror::Error;

use crate::methods::WaitMany;

/// Where to post it.
pub const PATH: &str = "/v1/submit";
/// The content type.
pub const CONTENT_TYPE: &str = "application/vnd.hanse.transactions";

/// Why a body is no list of transactions.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BulkError {
    /// More transactions than one submission may hold.
    #[error("the submission announces {found} transactions, the limit is {limit}: split it")]
    TooMany {
        /// How many were announced.
        found: usize,
        /// How many may be.
        limit: usize,
    },
    /// The bytes end early, or hold something else.
    #[error("transaction {index} of the submission does not decode: {reason}")]
    Malformed {
        /// Place of the transaction.
        index: usize,
        /// What is wrong.
        reason: String,
    },
    /// Bytes are left over.
    #[error("{count} bytes follow the last transaction of the submission")]
    Trailing {
        /// How many.
        count: usize,
    },
}

/// What the path's query asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BulkQuery {
    /// What is waited for.
    pub wait: WaitMany,
    /// The group; the node's own if absent.
    pub group: Option<String>,
}

/// The query asks for something unknown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{query:?} is no query of {PATH}; it takes wait=pool (as without it) or wait=none, and group=NAME")]
pub struct QueryError {
    /// What was asked.
    pub query: String,
}

/// Where to post what asks so.
pub fn path(query: &BulkQuery) -> String {
    let wait = query.wait.name();
    match &query.group {
        Some(group) => format!("{PATH}?wait={wait}&group={group}"),
        None => format!("{PATH}?wait={wait}"),
    }
}

/// What the query of a URL asks for, which may be empty.
///
/// # Errors
/// If the query says anything else.
pub fn read_query(query: &str) -> Result<BulkQuery, QueryError> {
    let unknown = || QueryError { query: query.to_owned() };
    let mut asked = BulkQuery::default();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=').ok_or_else(unknown)? {
            ("wait", "pool") => asked.wait = WaitMany::Pool,
            ("wait", "none") => asked.wait = WaitMany::None,
            ("group", name) => asked.group = Some(name.to_owned()),
            _ => return Err(unknown()),
        }
    }
    Ok(asked)
}

/// The body for these transactions.
pub fn encode(transactions: &[SignedTransaction]) -> Vec<u8> {
    let mut body = Vec::with_capacity(4 + 400 * transactions.len());
    body.extend_from_slice(&(transactions.len() as u32).to_le_bytes());
    for transaction in transactions {
        transaction.encode_into(&mut body);
    }
    body
}

/// How many transactions a body says that it holds.
pub fn announced(body: &[u8]) -> usize {
    body.first_chunk().map_or(0, |count| u32::from_le_bytes(*count) as usize)
}

/// The transactions of a body.
///
/// # Errors
/// If it announces more than `limit`, or is not exactly a list of transactions.
pub fn decode(body: &[u8], limit: usize) -> Result<Vec<SignedTransaction>, BulkError> {
    let mut rest = body;
    let malformed = |index, error: borsh::io::Error| BulkError::Malformed { index, reason: error.to_string() };
    let found = u32::deserialize(&mut rest).map_err(|error| malformed(0, error))? as usize;
    if found > limit {
        return Err(BulkError::TooMany { found, limit });
    }
    let mut transactions = Vec::with_capacity(found);
    for index in 0..found {
        transactions.push(SignedTransaction::deserialize(&mut rest).map_err(|error| malformed(index, error))?);
    }
    if !rest.is_empty() {
        return Err(BulkError::Trailing { count: rest.len() });
    }
    Ok(transactions)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::call::test_values::signed;

    #[test]
    fn the_query_says_what_is_waited_for_and_in_which_group() {
        for wait in [WaitMany::None, WaitMany::Pool] {
            for group in [None, Some("trade".to_owned())] {
                let query = BulkQuery { wait, group };
                assert_eq!(read_query(path(&query).split_once('?').unwrap().1), Ok(query));
            }
        }
        assert_eq!(read_query(""), Ok(BulkQuery::default()));
        assert!(
            read_query("wait=committed").is_err() && read_query("x").is_err() && read_query("wait=pool&y=1").is_err()
        );
    }

    #[test]
    fn a_list_and_back() {
        let transactions = vec![signed(1), signed(2)];
        assert_eq!(decode(&encode(&transactions), 2), Ok(transactions));
        assert_eq!(decode(&encode(&[]), 2), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_list_is_refused_with_the_place() {
        let body = encode(&[signed(1), signed(2)]);
        assert_eq!(decode(&body, 1), Err(BulkError::TooMany { found: 2, limit: 1 }));
        assert!(matches!(decode(&body[..body.len() - 1], 9), Err(BulkError::Malformed { index: 1, .. })));
        assert_eq!(decode(&[&body[..], &[0]].concat(), 9), Err(BulkError::Trailing { count: 1 }));
        assert!(matches!(decode(&[1], 9), Err(BulkError::Malformed { index: 0, .. })));
    }
}
