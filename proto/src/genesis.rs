//! The genesis.

use hanse_types::genesis::{ConsensusKind, CryptoSuite, GenesisAccount, Validator};
use hanse_types::{Canonical, Gas, Genesis, Params, StateCommitment, Timestamp, limits};

use crate::WireError;
use crate::convert::{Convert, wire_limit, within_canonical_limit};
use crate::elements::List;
use crate::fields::{address, all, array, required};
use crate::generated as wire;
use crate::transaction::{key_from_message, key_to_message};

impl Convert for Genesis {
    type Message = wire::Genesis;
    const WHAT: &'static str = Genesis::NAME;
    const MAX_BYTES: usize = wire_limit(limits::GENESIS_BYTES);
    const LISTS: &'static [List] = &[
        List { number: 7, field: "Genesis.validators", least: 32 },
        List { number: 8, field: "Genesis.administrators", least: 20 },
        List { number: 9, field: "Genesis.accounts", least: 20 + 16 },
    ];

    fn to_message(&self) -> wire::Genesis {
        wire::Genesis {
            chain_id: self.chain_id.clone(),
            group_id: self.group_id.clone(),
            timestamp: self.timestamp.0,
            crypto: crypto_to_message(self.crypto).into(),
            consensus: consensus_to_message(self.consensus).into(),
            state_commitment: commitment_to_message(self.state_commitment).into(),
            validators: self.validators.iter().map(validator_to_message).collect(),
            administrators: self.administrators.iter().map(|address| address.0.to_vec()).collect(),
            accounts: self.accounts.iter().map(account_to_message).collect(),
            params: Some(params_to_message(&self.params)),
        }
    }

    fn from_message(message: wire::Genesis) -> Result<Genesis, WireError> {
        Ok(Genesis {
            chain_id: message.chain_id,
            group_id: message.group_id,
            timestamp: Timestamp(message.timestamp),
            crypto: crypto_from_message(message.crypto)?,
            consensus: consensus_from_message(message.consensus)?,
            state_commitment: commitment_from_message(message.state_commitment)?,
            validators: all(message.validators, validator_from_message)?,
            administrators: all(message.administrators, |bytes| address("Genesis.administrators", &bytes))?,
            accounts: all(message.accounts, account_from_message)?,
            params: params_from_message(&required("Genesis.params", message.params)?),
        })
    }

    fn check_size(&self) -> Result<(), WireError> {
        within_canonical_limit(self)
    }
}

fn crypto_to_message(suite: CryptoSuite) -> wire::CryptoSuite {
    match suite {
        CryptoSuite::Standard => wire::CryptoSuite::Standard,
        CryptoSuite::Guomi => wire::CryptoSuite::Guomi,
    }
}

fn crypto_from_message(code: i32) -> Result<CryptoSuite, WireError> {
    match wire::CryptoSuite::try_from(code) {
        Ok(wire::CryptoSuite::Standard) => Ok(CryptoSuite::Standard),
        Ok(wire::CryptoSuite::Guomi) => Ok(CryptoSuite::Guomi),
        Ok(wire::CryptoSuite::Unspecified) | Err(_) => Err(unknown("Genesis.crypto", code)),
    }
}

fn consensus_to_message(kind: ConsensusKind) -> wire::ConsensusKind {
    match kind {
        ConsensusKind::Solo => wire::ConsensusKind::Solo,
        ConsensusKind::Bft => wire::ConsensusKind::Bft,
        ConsensusKind::Raft => wire::ConsensusKind::Raft,
    }
}

fn consensus_from_message(code: i32) -> Result<ConsensusKind, WireError> {
    match wire::ConsensusKind::try_from(code) {
        Ok(wire::ConsensusKind::Solo) => Ok(ConsensusKind::Solo),
        Ok(wire::ConsensusKind::Bft) => Ok(ConsensusKind::Bft),
        Ok(wire::ConsensusKind::Raft) => Ok(ConsensusKind::Raft),
        Ok(wire::ConsensusKind::Unspecified) | Err(_) => Err(unknown("Genesis.consensus", code)),
    }
}

fn commitment_to_message(commitment: StateCommitment) -> wire::StateCommitment {
    match commitment {
        StateCommitment::Flat => wire::StateCommitment::Flat,
        StateCommitment::Merkle => wire::StateCommitment::Merkle,
    }
}

fn commitment_from_message(code: i32) -> Result<StateCommitment, WireError> {
    match wire::StateCommitment::try_from(code) {
        Ok(wire::StateCommitment::Flat) => Ok(StateCommitment::Flat),
        Ok(wire::StateCommitment::Merkle) => Ok(StateCommitment::Merkle),
        Ok(wire::StateCommitment::Unspecified) | Err(_) => Err(unknown("Genesis.state_commitment", code)),
    }
}

fn unknown(field: &'static str, code: i32) -> WireError {
    WireError::OutOfRange { field, found: code.into() }
}

fn validator_to_message(validator: &Validator) -> wire::Validator {
    wire::Validator { name: validator.name.clone(), key: Some(key_to_message(&validator.key)) }
}

fn validator_from_message(message: wire::Validator) -> Result<Validator, WireError> {
    Ok(Validator { name: message.name, key: key_from_message(required("Validator.key", message.key)?)? })
}

fn account_to_message(account: &GenesisAccount) -> wire::GenesisAccount {
    wire::GenesisAccount { address: account.address.0.to_vec(), balance: account.balance.to_le_bytes().to_vec() }
}

fn account_from_message(message: wire::GenesisAccount) -> Result<GenesisAccount, WireError> {
    Ok(GenesisAccount {
        address: address("GenesisAccount.address", &message.address)?,
        balance: u128::from_le_bytes(array("GenesisAccount.balance", &message.balance)?),
    })
}

fn params_to_message(params: &Params) -> wire::Params {
    wire::Params {
        block_tx_count_max: params.block_tx_count_max,
        block_bytes_max: params.block_bytes_max,
        block_interval_ms: params.block_interval_ms,
        tx_gas_max: params.tx_gas_max.0,
        tx_lifetime_ms_max: params.tx_lifetime_ms_max,
        ref_block_window: params.ref_block_window,
        memory_pages_max: params.memory_pages_max,
        floats_allowed: params.floats_allowed,
        gas_schedule: params.gas_schedule,
        open_deployment: params.open_deployment,
    }
}

fn params_from_message(message: &wire::Params) -> Params {
    Params {
        block_tx_count_max: message.block_tx_count_max,
        block_bytes_max: message.block_bytes_max,
        block_interval_ms: message.block_interval_ms,
        tx_gas_max: Gas(message.tx_gas_max),
        tx_lifetime_ms_max: message.tx_lifetime_ms_max,
        ref_block_window: message.ref_block_window,
        memory_pages_max: message.memory_pages_max,
        floats_allowed: message.floats_allowed,
        gas_schedule: message.gas_schedule,
        open_deployment: message.open_deployment,
    }
}
