//! A contract with its ABI: calls, answers, events and proofs by name.

use std::sync::Arc;

use hanse_abi::document::Abi;
use hanse_types::{Address, Height};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;

use crate::account::Account;
use crate::call::Call;
use crate::client::{Client, ClientError};
use crate::methods::{CallParams, ContractParams, EventCursor, GetAbi, GetContract, QueryContract, SimulateTx};
use crate::proof::{Anchor, Proven};
use crate::stream::{self, EventFilter, EventStream};
use crate::submit::Outcome;
use crate::text::Bytes;
use crate::views::{FailureView, ReceiptView, SimulationView};

/// A contract at a node; cheap to clone. Arguments and results are JSON by the contract's ABI: an object by name, in which
/// integers wider than 32 bits are decimal strings. What does not fit the ABI is refused here, before anything is sent.
#[derive(Clone, Debug)]
pub struct ContractHandle {
    client: Client,
    address: Address,
    abi: Arc<Abi>,
}

/// A call ran and failed: it is in the chain, and changed nothing.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{}", .0.text)]
pub struct CallFailed(pub FailureView);

impl Client {
    /// The contract of this name or address, with its ABI as it is now.
    ///
    /// # Errors
    /// As [`Client::call`]; [`codes::NOT_FOUND`](crate::codes::NOT_FOUND) if there is none, and
    /// [`codes::NO_ABI`](crate::codes::NO_ABI) if it has no ABI: then use [`Account::execute`].
    pub async fn contract(&self, contract: &str) -> Result<ContractHandle, ClientError> {
        let contract: crate::text::Contract = contract.parse()?;
        let address = self.call::<GetContract>(ContractParams { contract }).await?.address;
        let document = self.call::<GetAbi>(ContractParams { contract: address.into() }).await?.abi;
        let abi = serde_json::from_value(document)
            .map_err(|error| self.protocol(format!("the ABI document of {address}: {error}")))?;
        Ok(ContractHandle { client: self.clone(), address, abi: Arc::new(abi) })
    }
}

impl ContractHandle {
    /// Where it is. A name that comes to mean another contract later does not change the handle.
    pub fn address(&self) -> Address {
        self.address
    }

    /// What it offers.
    pub fn abi(&self) -> &Abi {
        &self.abi
    }

    /// A call of a method, to be given a gas limit or a lifetime before [`Account::execute`].
    ///
    /// # Errors
    /// If there is no such method, or the arguments are not its.
    pub fn prepare(&self, method: &str, args: &Value) -> Result<Call, ClientError> {
        Ok(Call::new(self.address.into(), method, self.abi.encode_args(method, args)?))
    }

    /// Calls a method in the name of an account, and waits until the call is in a block.
    ///
    /// # Errors
    /// As [`ContractHandle::prepare`] and [`Account::execute`].
    pub async fn call(&self, account: &Account, method: &str, args: &Value) -> Result<Outcome, ClientError> {
        account.execute(self.prepare(method, args)?).await
    }

    /// What a view answers on the newest state, by the node's word.
    ///
    /// # Errors
    /// As [`ContractHandle::prepare`]; a view that fails is an error with its code.
    pub async fn query(&self, method: &str, args: &Value) -> Result<Value, ClientError> {
        let answer = self.client.call::<QueryContract>(self.params(method, args, None)?).await?;
        Ok(self.abi.decode_output(method, &answer.output.0)?)
    }

    /// As [`ContractHandle::query`], as a type of Rust.
    ///
    /// # Errors
    /// As [`ContractHandle::query`], and if the answer is of another type.
    pub async fn query_as<T: DeserializeOwned>(&self, method: &str, args: &Value) -> Result<T, ClientError> {
        let answer = self.query(method, args).await?;
        let other = |error| self.client.protocol(format!("{method} answers {answer}, which is another type: {error}"));
        serde_json::from_value(answer.clone()).map_err(other)
    }

    /// What a call would do if it ran now.
    ///
    /// # Errors
    /// As [`ContractHandle::prepare`].
    pub async fn simulate(&self, caller: Address, method: &str, args: &Value) -> Result<SimulationView, ClientError> {
        self.client.call::<SimulateTx>(self.params(method, args, Some(caller))?).await
    }

    fn params(&self, method: &str, args: &Value, caller: Option<Address>) -> Result<CallParams, ClientError> {
        let args = json!(Bytes(self.abi.encode_args(method, args)?));
        Ok(CallParams { contract: self.address.into(), method: method.into(), args, caller, gas_limit: None })
    }

    /// Follows its events of a name, of any if none is given, from a cursor on.
    pub fn events(&self, name: Option<&str>, from: Option<EventCursor>) -> EventStream {
        let contract = Some(self.address.into());
        self.client.events(EventFilter { contract, name: name.map(str::to_owned), topic: None }, from)
    }

    /// Follows its events of a name whose first topic has this value.
    ///
    /// # Errors
    /// If the ABI has no such event, or its topic is of another type.
    pub fn events_with(
        &self,
        name: &str,
        topic: &Value,
        from: Option<EventCursor>,
    ) -> Result<EventStream, ClientError> {
        let topic = Some(stream::topic(&self.abi, name, topic)?);
        let filter = EventFilter { contract: Some(self.address.into()), name: Some(name.into()), topic };
        Ok(self.client.events(filter, from))
    }

    /// What one of its keys holds after a block (the newest if none is named), or that it holds nothing: proven.
    ///
    /// # Errors
    /// As [`Client::proven_state`].
    pub async fn proven_state(
        &self,
        anchor: &Anchor,
        key: &[u8],
        height: Option<Height>,
    ) -> Result<Proven<Option<Vec<u8>>>, ClientError> {
        self.client.proven_state(anchor, self.address, key, height).await
    }
}

impl ReceiptView {
    /// The receipt of a call that succeeded.
    ///
    /// # Errors
    /// How it failed, with the contract's own error if that is what it was.
    pub fn succeeded(self) -> Result<ReceiptView, CallFailed> {
        match self.outcome.failure {
            Some(failure) => Err(CallFailed(failure)),
            None => Ok(self),
        }
    }

    /// Fields of the events of a name, as far as the ABI of who emitted them describes them.
    pub fn events<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        self.outcome.events.iter().filter(move |event| event.name == name).filter_map(|event| event.fields.as_ref())
    }
}
