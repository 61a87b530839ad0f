//! Client of the contract `assets`, made by `hanse contract bindings`: make it anew instead of changing it.
//!
//! Needs the crates `borsh`, `hanse-client` and `hanse-types`.
#![allow(dead_code, unused_imports, unused_mut, clippy::all, missing_docs, unreachable_pub)]

use borsh::{BorshDeserialize, BorshSerialize};
use hanse_types::Address;

/// An asset as it is now.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Asset {
    /// Its identity: a serial number, for instance.
    pub id: String,
    /// Who has it.
    pub owner: Address,
    /// Where it is in its life.
    pub state: State,
    /// Where it is.
    pub place: String,
    /// How many lines its history has.
    pub steps: u64,
}

/// Where an asset is in its life.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum State {
    /// Made and not under way.
    Registered,
    /// On its way.
    Shipped,
    /// Arrived.
    Received,
    /// Out of use, for good.
    Retired,
}

/// A line of an asset's history.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Step {
    /// Who did it.
    pub by: Address,
    /// In milliseconds since 1970.
    pub time_ms: u64,
    /// The owner afterwards.
    pub owner: Address,
    /// The state afterwards.
    pub state: State,
    /// The place afterwards.
    pub place: String,
}

/// Something happened to an asset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedEvent {
    pub id: String,
    pub owner: Address,
    pub state: State,
    pub place: String,
}

impl ChangedEvent {
    /// The event, if it is of this name and has these fields.
    pub fn of(event: &hanse_client::views::EventView) -> Option<ChangedEvent> {
        let (mut topics, mut data) = (event.topics.iter(), event.data.0.as_slice());
        if event.name != "Changed" {
            return None;
        }
        let event = ChangedEvent {
            id: borsh::from_slice(&topics.next()?.0).ok()?,
            owner: borsh::from_slice(&topics.next()?.0).ok()?,
            state: BorshDeserialize::deserialize(&mut data).ok()?,
            place: BorshDeserialize::deserialize(&mut data).ok()?,
        };
        (topics.next().is_none() && data.is_empty()).then_some(event)
    }
}

/// What the contract refuses with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContractError {
    /// There is one of this identity.
    Exists {
        /// The identity.
        id: String,
    },
    /// There is none of this identity.
    Unknown {
        /// The identity.
        id: String,
    },
    /// Only the owner may do this.
    NotOwner {
        /// The identity.
        id: String,
        /// Who has it.
        owner: Address,
    },
    /// Nothing more can happen to it.
    Retired {
        /// The identity.
        id: String,
    },
    /// A text is empty or too long.
    Text {
        /// The longest, in bytes.
        most: u32,
    },
}

impl ContractError {
    /// The contract's own error, if that is how a call ended.
    pub fn of(outcome: &hanse_client::views::OutcomeView) -> Option<ContractError> {
        let mut bytes = outcome.output.0.as_slice();
        let error = match outcome.failure.as_ref()?.error_code? {
            1 => ContractError::Exists {
                id: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            2 => ContractError::Unknown {
                id: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            3 => ContractError::NotOwner {
                id: BorshDeserialize::deserialize(&mut bytes).ok()?,
                owner: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            4 => ContractError::Retired {
                id: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            5 => ContractError::Text {
                most: BorshDeserialize::deserialize(&mut bytes).ok()?,
            },
            _ => return None,
        };
        bytes.is_empty().then_some(error)
    }
}

/// Assets, and what happened to each.
#[derive(Clone, Debug)]
pub struct AssetsClient {
    client: hanse_client::Client,
    contract: hanse_client::Contract,
}

impl AssetsClient {
    /// The name that it was made for.
    pub const CONTRACT: &'static str = "assets";

    /// The contract at an address or under a name.
    pub fn at(client: hanse_client::Client, contract: hanse_client::Contract) -> AssetsClient {
        AssetsClient { client, contract }
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

    /// Registers an asset; the caller is its owner.
    pub async fn register(&self, account: &hanse_client::Account, id: String, place: String) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("register", (id, place,))).await
    }

    /// The call of `register`, to be given a gas limit or a lifetime before it is signed.
    pub fn register_call(&self, id: String, place: String) -> hanse_client::Call {
        self.call("register", (id, place,))
    }

    /// Sends an asset on its way to a new owner.
    pub async fn ship(&self, account: &hanse_client::Account, id: String, to: Address) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("ship", (id, to,))).await
    }

    /// The call of `ship`, to be given a gas limit or a lifetime before it is signed.
    pub fn ship_call(&self, id: String, to: Address) -> hanse_client::Call {
        self.call("ship", (id, to,))
    }

    /// Says that an asset arrived.
    pub async fn receive(&self, account: &hanse_client::Account, id: String, place: String) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("receive", (id, place,))).await
    }

    /// The call of `receive`, to be given a gas limit or a lifetime before it is signed.
    pub fn receive_call(&self, id: String, place: String) -> hanse_client::Call {
        self.call("receive", (id, place,))
    }

    /// Takes an asset out of use, for good.
    pub async fn retire(&self, account: &hanse_client::Account, id: String) -> Result<hanse_client::Outcome, hanse_client::ClientError> {
        account.execute(self.call("retire", (id,))).await
    }

    /// The call of `retire`, to be given a gas limit or a lifetime before it is signed.
    pub fn retire_call(&self, id: String) -> hanse_client::Call {
        self.call("retire", (id,))
    }

    /// An asset as it is now.
    pub async fn find(&self, id: String) -> Result<Option<Asset>, hanse_client::ClientError> {
        self.query("find", (id,)).await
    }

    /// What happened to an asset, from a step on, at most `limit` lines.
    pub async fn history(&self, id: String, from: u64, limit: u32) -> Result<Vec<Step>, hanse_client::ClientError> {
        self.query("history", (id, from, limit,)).await
    }

    /// Assets in the order of their identities, from one on, at most `limit`.
    pub async fn list(&self, from: String, limit: u32) -> Result<Vec<Asset>, hanse_client::ClientError> {
        self.query("list", (from, limit,)).await
    }
}
