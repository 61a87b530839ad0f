//! The one table of error codes: server, client, command line and docs all read it.
//!
//! JSON-RPC's own five codes are negative. Codes of this application are positive and stable, and say by their
//! thousand how far a request came: 1xxx it asks for something that is not there or does not fit, 2xxx a transaction
//! was refused before it ran, 3xxx code ran and failed (3000 plus the receipt's status), 4xxx who asks may not, 5xxx the node can't
//! serve now.

use hanse_types::Status;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether asking again helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Not without changing the request.
    Never,
    /// The same request may succeed later.
    Later,
    /// A transaction that is made and signed anew may succeed.
    NewTransaction,
    /// First ask what became of the transaction.
    AskAgain,
}

/// One kind of error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorCode {
    /// The number in a JSON-RPC error.
    pub code: i32,
    /// The stable name.
    pub name: &'static str,
    /// Whether asking again helps.
    pub retry: Retry,
    /// What it says.
    pub meaning: &'static str,
    /// What to do.
    pub hint: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $code:literal, $name:literal, $retry:ident, $meaning:literal, $hint:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: ErrorCode = ErrorCode {
                code: $code, name: $name, retry: Retry::$retry, meaning: $meaning, hint: $hint,
            };
        )*

        /// Every code, in the order of the docs.
        pub const ALL: &[ErrorCode] = &[$($constant),*];
    };
}

codes! {
    PARSE_ERROR = -32700, "parse_error", Never,
        "The body is not JSON.", "Send one JSON-RPC 2.0 request object, or an array of them.";
    INVALID_REQUEST = -32600, "invalid_request", Never,
        "The JSON is not a JSON-RPC 2.0 request.",
        "A request has exactly jsonrpc (\"2.0\"), method, params (an object) and id.";
    UNKNOWN_METHOD = -32601, "unknown_method", Never,
        "There is no such RPC method.", "The node's README lists the methods.";
    INVALID_PARAMS = -32602, "invalid_params", Never,
        "A parameter is missing, unknown, or not of its type.", "Parameters are named; unknown ones are refused.";
    INTERNAL = -32603, "internal", Later,
        "The node failed to answer, by its own fault.", "Look into the node's log.";

    NOT_FOUND = 1001, "not_found", Never,
        "There is no such block, transaction or contract.", "Check the id, and that it is of this chain and group.";
    BAD_ARGUMENT = 1002, "bad_argument", Never,
        "An argument does not fit what the contract's method takes.",
        "`hanse contract abi NAME` shows methods and types.";
    NO_ABI = 1003, "no_abi", Never,
        "The contract has no ABI document, so arguments can't be given as JSON.",
        "Give the Borsh bytes of the arguments as 0x….";
    TOO_LARGE = 1004, "too_large", Never,
        "The request passes a limit on size or count.", "Split it; `chain_info` tells the limits.";
    PRUNED = 1005, "pruned", Never,
        "The history of that height was given up on this node, or the node began with a later snapshot and never had it.",
        "Ask for the oldest height that is left (in `detail.oldest_height`) or a later one, or ask another node.";
    NO_STATE_PROOFS = 1006, "no_state_proofs", Never,
        "The group's state commitment is flat: its headers bind the state as a whole and prove no single value.",
        "Prove a receipt or an access set instead; a group with the merkle commitment proves values too.";
    TOO_FAR_BACK = 1007, "too_far_back", Never,
        "More of the state changed since that block than the node undoes for one question.",
        "Ask about a later block.";
    EXISTS = 1008, "exists", Never,
        "There is something of that name already, and nothing is overwritten.", "Choose another name.";
    NOT_DEVELOPMENT = 1009, "not_development", Never,
        "Only a chain in development does this at its user's word.", "`hanse dev` starts such a chain.";
    GROUP_STATE = 1010, "group_state", Never,
        "What was asked does not fit what the group is on this node.", "`hanse group show NAME` says what it is.";
    BAD_FOUNDING = 1011, "bad_founding", Never,
        "No group can be founded by this, or not with this node.", "The message names what is wrong with the genesis.";
    STILL_VALID = 1020, "still_valid", Later,
        "The failed transaction may still get into a block, so nothing may replace it yet.",
        "Send the same transaction again, or wait until it has expired.";
    REPLACED = 1021, "replaced", AskAgain,
        "The failed transaction was replaced by another one already.",
        "Ask what became of that one (its id is in `detail.by`).";

    MALFORMED = 2001, "malformed_transaction", Never,
        "The transaction's bytes do not decode, or a field is out of its range.",
        "Build transactions with the client library.";
    BAD_SIGNATURE = 2002, "bad_signature", Never,
        "Key, sender and signature do not fit together.", "Sign for this chain id, group id and genesis hash.";
    WRONG_CHAIN = 2003, "wrong_chain", Never,
        "The transaction is for another chain or group.", "Ask `chain_info` for chain, group and genesis hash.";
    EXPIRED = 2004, "expired", NewTransaction,
        "The transaction's expiration has passed, or it passed while the transaction waited.",
        "Make and sign it anew; check this machine's clock.";
    EXPIRES_TOO_LATE = 2005, "expires_too_late", NewTransaction,
        "The transaction's expiration is too far ahead.", "Stay below the chain's longest lifetime.";
    REFERENCE_UNKNOWN = 2006, "reference_unknown", Later,
        "The node does not know the reference block yet.", "Send it again in a moment, or refer to an older block.";
    REFERENCE_TOO_OLD = 2007, "reference_too_old", NewTransaction,
        "The reference block lies too far back.", "Make and sign it anew with a recent block.";
    REFERENCE_MISMATCH = 2008, "reference_mismatch", Never,
        "The reference block is not of this chain.", "Check that the node is of the chain you mean.";
    GAS_LIMIT_TOO_HIGH = 2009, "gas_limit_too_high", Never,
        "The gas limit is above what the chain allows.", "`chain_info` tells the most gas.";
    ALREADY_IN_POOL = 2010, "already_in_pool", AskAgain,
        "The same transaction waits for its block already.", "Ask for its receipt; an equal call needs another nonce.";
    ALREADY_COMMITTED = 2011, "already_committed", AskAgain,
        "The same transaction is in a block already.", "Ask for its receipt; an equal call needs another nonce.";
    POOL_FULL = 2012, "pool_full", Later,
        "The node holds as many waiting transactions as it may, or so many that they wait for too long.",
        "Wait a moment, then send it again.";
    SENDER_LIMIT = 2013, "sender_limit", Later,
        "This sender has as many waiting transactions as one sender may.", "Wait for some to be committed.";
    NOT_PERMITTED = 2014, "not_permitted", Never,
        "The sender, or its kind of key, may not send transactions here.", "Ask the group's administrators.";
    UNSUPPORTED_VERSION = 2015, "unsupported_version", Never,
        "The transaction's format version is not known here.", "Use a client of the node's version.";
    TRANSACTION_TOO_LARGE = 2016, "transaction_too_large", Never,
        "The transaction would not fit into any block.", "Split the work.";
    INVALID_CODE = 2017, "invalid_code", Never,
        "The code to deploy is no contract that this chain allows.", "The message names the rule that it breaks.";
    ENGINE_FAILED = 2018, "engine_failed", Later,
        "The node failed when it ran the transaction, and again when it ran nothing but it, so it was dropped.",
        "Report it; send the same again to a node that has been mended (`hanse tx failed retry`).";
    REFUSED = 2099, "refused", NewTransaction,
        "The transaction was refused, or dropped before it ran, for the reason given.",
        "Read the reason; make and sign it anew.";

    REVERTED = 3001, "reverted", Never,
        "The contract refused with an error of its own.", "The error's name and fields say why.";
    PANICKED = 3002, "panicked", Never,
        "The contract panicked.", "Message, file and line are given; it is a fault of the contract.";
    TRAPPED = 3003, "trapped", Never,
        "The contract did what WebAssembly forbids.", "It is a fault of the contract.";
    OUT_OF_GAS = 3004, "out_of_gas", NewTransaction,
        "The gas limit was reached.", "Allow more gas (`--gas`), or do less in one call.";
    LIMIT_EXCEEDED = 3005, "limit_exceeded", Never,
        "A limit other than gas was passed: depth, memory, sizes, events.", "The message names the limit.";
    CONTRACT_NOT_FOUND = 3006, "contract_not_found", Never,
        "There is no contract at that address or under that name.", "Deploy it first, or check the name.";
    METHOD_NOT_FOUND = 3007, "method_not_found", Never,
        "The contract has no such method.", "`hanse contract abi NAME` shows the methods.";
    FROZEN = 3008, "frozen", Later,
        "The contract is frozen.", "Its owner can unfreeze it, unless an administrator froze it: then an administrator can.";
    REVOKED = 3009, "revoked", Never,
        "The contract was revoked for good.", "Deploy another.";
    PERMISSION_DENIED = 3010, "permission_denied", Never,
        "The caller may not do this.", "Use an account that may (`--from`).";
    INVALID_ARGUMENTS = 3011, "invalid_arguments", Never,
        "The arguments do not decode to what the method takes.", "`hanse contract abi NAME` shows the types.";
    OUT_OF_BOUNDS = 3012, "out_of_bounds", Never,
        "A commutative add would leave its bounds.", "The stored number is too small or too large for it.";
    REENTRANCY = 3013, "reentrancy", Never,
        "A contract was called again while it was running.", "Restructure the calls between the contracts.";
    INVALID_OPERATION = 3014, "invalid_operation", Never,
        "A view tried to change state, or stored bytes are not what the operation needs.",
        "Call it by a transaction, not by a query.";

    UNAUTHENTICATED = 4001, "unauthenticated", Never,
        "The admin listener answers those who send its token, and this was not it.",
        "Send `Authorization: Bearer TOKEN`; `admin.token_file` of the node's configuration names the file that has it.";
    NO_SUCH_RIGHT = 4002, "no_such_right", Never,
        "The method changes the node, and this listener serves none of those.",
        "Ask the node's admin listener, on its machine: `detail.admin` names it, and commands that need it take `--admin`.";

    GROUP_STOPPED = 5001, "group_stopped", Later,
        "The group is stopping, or has stopped after a fault.", "Look into the node's log; start it again.";
    BUSY = 5002, "busy", Later,
        "The node serves as many requests as it may.", "Wait a moment, then ask again.";
    OUTCOME_UNKNOWN = 5003, "outcome_unknown", AskAgain,
        "The transaction was accepted, and the wait for its block ended before it came.",
        "Ask for its receipt by its id; do not send it anew before it has expired.";
    NOT_READY = 5004, "not_ready", Later,
        "The node has not opened its chain yet.", "Wait until /ready answers 200.";
    CLIENT_LIMIT = 5005, "client_limit", Later,
        "This client sends more in a second than the node takes from one client.",
        "Wait as long as `detail.retry_after_ms` says; send many transactions in one request.";
    GROUP_NOT_OPENED = 5006, "group_not_opened", Never,
        "The group's files can't be opened on this node.", "The message says why; `hanse group start` tries again.";
    FORKED = 5007, "forked", Never,
        "The light node was shown two blocks that were both decided and of which at most one can be in the chain.",
        "Nothing of the chain can be trusted: show the evidence (`light_status`) to the other members.";
    UNVERIFIED = 5008, "unverified", Later,
        "None of the light node's nodes gave an answer that it could verify.",
        "`hanse light status` says what it thinks of each; name further nodes.";
}

/// How any method may fail.
pub const ANY: &[ErrorCode] = &[INTERNAL, INVALID_PARAMS, NOT_FOUND, GROUP_STOPPED, BUSY, CLIENT_LIMIT];

/// How those are refused who may not call a method.
pub const RIGHTS: &[ErrorCode] = &[UNAUTHENTICATED, NO_SUCH_RIGHT];

/// How a transaction may be refused before it runs.
pub const ADMISSION: &[ErrorCode] = &[
    MALFORMED,
    BAD_SIGNATURE,
    WRONG_CHAIN,
    EXPIRED,
    EXPIRES_TOO_LATE,
    REFERENCE_UNKNOWN,
    REFERENCE_TOO_OLD,
    REFERENCE_MISMATCH,
    GAS_LIMIT_TOO_HIGH,
    ALREADY_IN_POOL,
    ALREADY_COMMITTED,
    POOL_FULL,
    SENDER_LIMIT,
    NOT_PERMITTED,
    UNSUPPORTED_VERSION,
    TRANSACTION_TOO_LARGE,
    INVALID_CODE,
    ENGINE_FAILED,
    REFUSED,
    GROUP_STOPPED,
];

/// How code that runs may fail.
pub const EXECUTION: &[ErrorCode] = &[
    REVERTED,
    PANICKED,
    TRAPPED,
    OUT_OF_GAS,
    LIMIT_EXCEEDED,
    CONTRACT_NOT_FOUND,
    METHOD_NOT_FOUND,
    FROZEN,
    REVOKED,
    PERMISSION_DENIED,
    INVALID_ARGUMENTS,
    OUT_OF_BOUNDS,
    REENTRANCY,
    INVALID_OPERATION,
];

impl ErrorCode {
    /// The entry of this number.
    pub fn of(code: i32) -> Option<ErrorCode> {
        ALL.iter().find(|entry| entry.code == code).copied()
    }

    /// The entry of this name.
    pub fn named(name: &str) -> Option<ErrorCode> {
        ALL.iter().find(|entry| entry.name == name).copied()
    }

    /// The entry for code that ran and ended like this; none for success.
    pub fn of_status(status: Status) -> Option<ErrorCode> {
        ErrorCode::of(3000 + i32::from(status.code()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        for (at, entry) in ALL.iter().enumerate() {
            let clash = ALL[at + 1..].iter().any(|other| other.code == entry.code || other.name == entry.name);
            assert!(!clash, "{}", entry.name);
            assert!(entry.meaning.ends_with('.') && entry.hint.ends_with('.'), "{}", entry.name);
        }
    }

    #[test]
    fn the_sets_are_whole() {
        let of_thousand = |set: &[ErrorCode], thousand: i32| -> Vec<ErrorCode> {
            set.iter().filter(|entry| entry.code / 1000 == thousand).copied().collect()
        };
        assert_eq!(of_thousand(ADMISSION, 2), of_thousand(ALL, 2));
        assert_eq!(of_thousand(EXECUTION, 3), of_thousand(ALL, 3));
    }

    #[test]
    fn every_status_has_its_entry() {
        for status in Status::ALL {
            assert_eq!(ErrorCode::of_status(status).is_none(), status.is_success());
            if let Some(entry) = ErrorCode::of_status(status) {
                assert_eq!(entry.name, status.name());
            }
        }
    }
}
