//! Client of the contract `token`, made by `hanse contract bindings`: make it anew instead of changing it.
//!
//! Needs the crates `borsh`, `hanse-client` and `hanse-types`.
#![allow(dead_code, unused_imports, unused_mut, clippy::all, missing_docs, unreachable_pub)]

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::Address;

/// An owner set what a spender may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalEvent {
    pub owner: Address,
    pub spender: Address,
    pub amount: u128,
}

impl ApprovalEvent {
    /// The event, if it is of this name and has these fields.
    pub fn of(event: &hanse_client::views::EventView) -> Option<ApprovalEvent> {
        let (mut topics, mut data) = (event.topics.iter(), event.data.0.as_slice());
        if event.name != "Approval" {
            return None;
        }
        let event = ApprovalEvent {
            owner: borsh::from_slice(&topics.next()?.0).ok()?,
            spender: borsh::from_slice(&topics.next()?.0).ok()?,
            amount: BorshDeserialize::deserialize(&mut data).ok()?,
        };
        (topics.next().is_none() && data.is_empty()).then_some(event)
    }
}

/// Tokens changed hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferEvent {
    pub from: Address,
    pub to: Address,
    pub amount: u128,
}

impl TransferEvent {
    /// The event, if it is of this name and has these fields.
    pub fn of(event: &hanse_client::views::EventView) -> Option<TransferEvent> {
        let (mut topics, mut data) = (event.topics.iter(), event.data.0.as_slice());
        if event.name != "Transfer" {
            return None;
        }
        let event = TransferEvent {
            from: borsh::from_slice(&topics.next()?.0).ok()?,
            to: borsh::from_slice(&topics.next()?.0).ok()?,
            amount: BorshDeserialize::deserialize(&mut data).ok()?,
        };
        (topics.next().is_none() && data.is_empty()).then_some(event)
    }
}

/// What the contract refuses with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractError {
    /// The payer has not so much.
    TooLittle {
        /// The balance.
        have: u128,
        /// The amount that was to be paid.
        need: u128,
    },
    /// The owner has not allowed the spender so much.
    NotAllowed {
        /// What the owner allows.
        have: u128,
        /// The amount that was to be paid.
        need: u128,
    },
}

impl ContractError {
    /// The contract's own error, if that is how a call ended.
    pub fn of(outcome: &hanse_client::views::OutcomeView) -> Option<ContractError> {
        let mut bytes = outcome.output.0.as_slice();
        let error = match outcome.failure.as_ref()?.error_code? {
            1 => ContractError::TooLittle {
                have: BorshDeserialize::deserialize(&mut bytes).ok()?,
                need: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            2 => ContractError::NotAllowed {
                have: BorshDeserialize::deserialize(&mut bytes).ok()?,
                need: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            _ => return None,
        };
        bytes.is_empty().then_some(error)
    }
}

/// Balances, and who may spend how much of whose.
#[derive(Clone, Debug)]
pub struct TokenClient {
    client: hanse_client::Client,
    contract: hanse_client::Contract,
}

impl TokenClient {
    /// The name that it was made for.
    pub const CONTRACT: &'static str = "token";

    /// The contract at an address or under a name.
    pub fn at(client: hanse_client::Client, contract: hanse_client::Contract) -> TokenClient {
        TokenClient { client, contract }
    }

    fn call<T: BorshSerialize>(&self, method: &str, args: T) -> hanse_client::Call {
        hanse_client::Call::new(self.contract.clone(), method, borsh::to_vec(&args).unwrap_or_default())
    }

    async fn query<A: BorshSerialize, T: BorshDeserialize>(&self, method: &str, args: A) -> Result<T, hanse_client::ClientError> {
        let args = hanse_client::Bytes(borsh::to_vec(&args).unwrap_or_default()).to_string().into();
        let contract = self.contract.clone();
        let params = hanse_client::methods::CallParams { contract, method: method.into(), args, caller: None, gas_limit: None };
        let answer = self.client.call::<hanse_client::methods::QueryContract>(params).await?;
        borsh::from_slice(&answer.output.0).map_err(|error| {
            let message = format!("{method} answers with another type: {error}");
            hanse_client::RpcError::new(hanse_client::codes::BAD_ARGUMENT, message).into()
        })
    }

    /// Moves `amount` from the caller to `to`.
    pub async fn transfer(&self, account: &hanse_client::Account, to: Address, amount: u128) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("transfer", (to, amount,))).await
    }

    /// The call of `transfer`, to be given a gas limit or a lifetime before it is signed.
    pub fn transfer_call(&self, to: Address, amount: u128) -> hanse_client::Call {
        self.call("transfer", (to, amount,))
    }

    /// Lets `spender` take up to `amount` from the caller, instead of what it was allowed before.
    pub async fn approve(&self, account: &hanse_client::Account, spender: Address, amount: u128) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("approve", (spender, amount,))).await
    }

    /// The call of `approve`, to be given a gas limit or a lifetime before it is signed.
    pub fn approve_call(&self, spender: Address, amount: u128) -> hanse_client::Call {
        self.call("approve", (spender, amount,))
    }

    /// Moves `amount` from `from` to `to`, out of what `from` allowed the caller.
    pub async fn transfer_from(&self, account: &hanse_client::Account, from: Address, to: Address, amount: u128) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("transfer_from", (from, to, amount,))).await
    }

    /// The call of `transfer_from`, to be given a gas limit or a lifetime before it is signed.
    pub fn transfer_from_call(&self, from: Address, to: Address, amount: u128) -> hanse_client::Call {
        self.call("transfer_from", (from, to, amount,))
    }

    /// What an account has.
    pub async fn balance_of(&self, owner: Address) -> Result<u128, hanse_client::ClientError> {
        self.query("balance_of", (owner,)).await
    }

    /// How much `spender` may take from `owner`.
    pub async fn allowance(&self, owner: Address, spender: Address) -> Result<u128, hanse_client::ClientError> {
        self.query("allowance", (owner, spender,)).await
    }

    /// All tokens there are.
    pub async fn total_supply(&self) -> Result<u128, hanse_client::ClientError> {
        self.query("total_supply", ()).await
    }
}
