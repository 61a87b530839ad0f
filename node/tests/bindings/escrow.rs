//! Client of the contract `escrow`, made by `hanse contract bindings`: make it anew instead of changing it.
//!
//! Needs the crates `borsh`, `hanse-client` and `hanse-types`.
#![allow(dead_code, unused_imports, unused_mut, clippy::all, missing_docs, unreachable_pub)]

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::Address;

/// A deal that is not done yet.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Deal {
    /// Who gets the tokens if the buyer is content.
    pub seller: Address,
    /// The token's contract.
    pub token: Address,
    /// How much of it.
    pub amount: u128,
    /// From when on the buyer may call the deal off, in milliseconds since 1970.
    pub until_ms: u64,
}

/// A deal is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedEvent {
    pub buyer: Address,
    pub paid_to: Address,
    pub number: u64,
}

impl ClosedEvent {
    /// The event, if it is of this name and has these fields.
    pub fn of(event: &hanse_client::views::EventView) -> Option<ClosedEvent> {
        let (mut topics, mut data) = (event.topics.iter(), event.data.0.as_slice());
        if event.name != "Closed" {
            return None;
        }
        let event = ClosedEvent {
            buyer: borsh::from_slice(&topics.next()?.0).ok()?,
            paid_to: borsh::from_slice(&topics.next()?.0).ok()?,
            number: BorshDeserialize::deserialize(&mut data).ok()?,
        };
        (topics.next().is_none() && data.is_empty()).then_some(event)
    }
}

/// A deal was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedEvent {
    pub buyer: Address,
    pub seller: Address,
    pub number: u64,
    pub amount: u128,
}

impl OpenedEvent {
    /// The event, if it is of this name and has these fields.
    pub fn of(event: &hanse_client::views::EventView) -> Option<OpenedEvent> {
        let (mut topics, mut data) = (event.topics.iter(), event.data.0.as_slice());
        if event.name != "Opened" {
            return None;
        }
        let event = OpenedEvent {
            buyer: borsh::from_slice(&topics.next()?.0).ok()?,
            seller: borsh::from_slice(&topics.next()?.0).ok()?,
            number: BorshDeserialize::deserialize(&mut data).ok()?,
            amount: BorshDeserialize::deserialize(&mut data).ok()?,
        };
        (topics.next().is_none() && data.is_empty()).then_some(event)
    }
}

/// What the contract refuses with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractError {
    /// The number is in use.
    Exists {
        /// The number.
        number: u64,
    },
    /// There is no such open deal.
    Unknown {
        /// The number.
        number: u64,
    },
    /// Too early.
    TooEarly {
        /// In milliseconds since 1970.
        until_ms: u64,
    },
    /// Only the seller may do this.
    NotSeller,
    /// The token did not do as it was told.
    Token {
        /// The call's status.
        status: u8,
        /// The token's error, 0 for none.
        code: u32,
    },
}

impl ContractError {
    /// The contract's own error, if that is how a call ended.
    pub fn of(outcome: &hanse_client::views::OutcomeView) -> Option<ContractError> {
        let mut bytes = outcome.output.0.as_slice();
        let error = match outcome.failure.as_ref()?.error_code? {
            1 => ContractError::Exists {
                number: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            2 => ContractError::Unknown {
                number: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            3 => ContractError::TooEarly {
                until_ms: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            4 => ContractError::NotSeller,
            5 => ContractError::Token {
                status: BorshDeserialize::deserialize(&mut bytes).ok()?,
                code: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            _ => return None,
        };
        bytes.is_empty().then_some(error)
    }
}

/// Open deals.
#[derive(Clone, Debug)]
pub struct EscrowClient {
    client: hanse_client::Client,
    contract: hanse_client::Contract,
}

impl EscrowClient {
    /// The name that it was made for.
    pub const CONTRACT: &'static str = "escrow";

    /// The contract at an address or under a name.
    pub fn at(client: hanse_client::Client, contract: hanse_client::Contract) -> EscrowClient {
        EscrowClient { client, contract }
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

    /// Takes the buyer's tokens, which it must have approved, into escrow.
    pub async fn open(&self, account: &hanse_client::Account, number: u64, deal: Deal) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("open", (number, deal,))).await
    }

    /// The call of `open`, to be given a gas limit or a lifetime before it is signed.
    pub fn open_call(&self, number: u64, deal: Deal) -> hanse_client::Call {
        self.call("open", (number, deal,))
    }

    /// The buyer is content: the seller gets the tokens.
    pub async fn release(&self, account: &hanse_client::Account, number: u64) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("release", (number,))).await
    }

    /// The call of `release`, to be given a gas limit or a lifetime before it is signed.
    pub fn release_call(&self, number: u64) -> hanse_client::Call {
        self.call("release", (number,))
    }

    /// The seller gives the tokens back.
    pub async fn refund(&self, account: &hanse_client::Account, buyer: Address, number: u64) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("refund", (buyer, number,))).await
    }

    /// The call of `refund`, to be given a gas limit or a lifetime before it is signed.
    pub fn refund_call(&self, buyer: Address, number: u64) -> hanse_client::Call {
        self.call("refund", (buyer, number,))
    }

    /// The buyer calls the deal off after its time.
    pub async fn cancel(&self, account: &hanse_client::Account, number: u64) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("cancel", (number,))).await
    }

    /// The call of `cancel`, to be given a gas limit or a lifetime before it is signed.
    pub fn cancel_call(&self, number: u64) -> hanse_client::Call {
        self.call("cancel", (number,))
    }

    /// An open deal.
    pub async fn deal(&self, buyer: Address, number: u64) -> Result<Option<Deal>, hanse_client::ClientError> {
        self.query("deal", (buyer, number,)).await
    }
}
