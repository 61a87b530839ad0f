//! What a genesis and its parameters must keep, so that a chain that starts can also go on.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{ConsensusKind, Genesis, Params};
use crate::crypto::PublicKey;
use crate::encoding::Canonical;
use crate::limits;
use crate::names::{NameError, NameKind};
use crate::validator_set::{ValidatorSet, ValidatorSetError};
use hanse_abi::Address;

/// Why parameters are of no use.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParamsError {
    /// One is out of its range.
    #[error("the parameter {name} is {found}, it must lie from {least} to {most}")]
    OutOfRange {
        /// Which parameter.
        name: &'static str,
        /// Its value.
        found: u64,
        /// The least value.
        least: u64,
        /// The greatest value.
        most: u64,
    },
    /// This build does not know the gas schedule.
    #[error("the parameter gas_schedule is {found}, this build knows version {known} only; update the node")]
    GasSchedule {
        /// As stated.
        found: u32,
        /// What this build knows.
        known: u32,
    },
}

impl Params {
    /// Whether a chain can run with these parameters.
    ///
    /// # Errors
    /// If one is out of its range: beyond a format limit, or such that nothing could ever be included.
    pub fn check(&self) -> Result<(), ParamsError> {
        in_range("block_tx_count_max", self.block_tx_count_max.into(), 1, limits::BLOCK_TRANSACTIONS as u64)?;
        // Every transaction that is valid alone must fit into a block, or it would wait in the pool until it expires.
        let (least, most) = (limits::SIGNED_TRANSACTION_BYTES as u64, limits::BLOCK_BODY_BYTES as u64);
        in_range("block_bytes_max", self.block_bytes_max, least, most)?;
        in_range("block_interval_ms", self.block_interval_ms, 0, limits::BLOCK_INTERVAL_MS)?;
        in_range("tx_gas_max", self.tx_gas_max.0, 1, limits::TX_GAS)?;
        // A transaction must live for longer than it may wait for its block.
        let least = self.block_interval_ms + 1;
        in_range("tx_lifetime_ms_max", self.tx_lifetime_ms_max, least, limits::TX_LIFETIME_MS)?;
        in_range("ref_block_window", self.ref_block_window, 1, limits::REF_BLOCK_WINDOW)?;
        in_range("memory_pages_max", self.memory_pages_max.into(), 1, limits::MEMORY_PAGES.into())?;
        let known = hanse_abi::gas::SCHEDULE_VERSION;
        if self.gas_schedule != known {
            return Err(ParamsError::GasSchedule { found: self.gas_schedule, known });
        }
        Ok(())
    }
}

fn in_range(name: &'static str, found: u64, least: u64, most: u64) -> Result<(), ParamsError> {
    let inside = (least..=most).contains(&found);
    if inside { Ok(()) } else { Err(ParamsError::OutOfRange { name, found, least, most }) }
}

/// Why a genesis founds no chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// An id is none.
    #[error("the genesis' {field} {reason}")]
    Id {
        /// `chain_id` or `group_id`.
        field: &'static str,
        /// What is wrong with it.
        reason: NameError,
    },
    /// The validators are no set.
    #[error("the genesis' validators: {0}")]
    Validators(#[from] ValidatorSetError),
    /// A validator's name is none.
    #[error("the name of validator {index} in the genesis {reason}")]
    ValidatorName {
        /// The validator's index.
        index: usize,
        /// What is wrong with it.
        reason: NameError,
    },
    /// A validator's key is of no use, or of an algorithm that the chain does not use for validators.
    #[error(
        "the key {key} of validator {index} in the genesis is no valid key of an algorithm that validators may use"
    )]
    ValidatorKey {
        /// The validator's index.
        index: usize,
        /// Its key.
        key: PublicKey,
    },
    /// The kind of consensus has one validator.
    #[error("the genesis has {found} validators, but with solo consensus there is exactly one")]
    SoloValidators {
        /// How many there are.
        found: usize,
    },
    /// There are too many administrators.
    #[error("the genesis has {found} administrators, the limit is {limit}")]
    Administrators {
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// An address is in a list twice.
    #[error("the genesis has the address {address} twice among its {list}")]
    DuplicateAddress {
        /// `administrators` or `accounts`.
        list: &'static str,
        /// The address.
        address: Address,
    },
    /// The balances can't be added up.
    #[error("the balances of the genesis' accounts add up to more than {}", u128::MAX)]
    TotalBalance,
    /// A parameter is of no use.
    #[error("the genesis: {0}")]
    Params(#[from] ParamsError),
    /// It is too large to be passed on.
    #[error("the genesis has {found} canonical bytes, the limit is {limit}; found the chain with fewer accounts")]
    TooLarge {
        /// Its canonical bytes.
        found: usize,
        /// Most bytes allowed.
        limit: usize,
    },
}

impl Genesis {
    /// Whether it founds a chain that can run. Called once, when a group is created; everything else may rely on it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), GenesisError> {
        check_id("chain_id", &self.chain_id)?;
        check_id("group_id", &self.group_id)?;
        self.check_validators()?;
        if self.administrators.len() > limits::ADMINISTRATORS {
            let (found, limit) = (self.administrators.len(), limits::ADMINISTRATORS);
            return Err(GenesisError::Administrators { found, limit });
        }
        check_unique("administrators", self.administrators.iter())?;
        check_unique("accounts", self.accounts.iter().map(|account| &account.address))?;
        let total = self.accounts.iter().try_fold(0u128, |sum, account| sum.checked_add(account.balance));
        total.ok_or(GenesisError::TotalBalance)?;
        self.params.check()?;
        let bytes = self.encoded_len();
        if bytes > limits::GENESIS_BYTES {
            return Err(GenesisError::TooLarge { found: bytes, limit: limits::GENESIS_BYTES });
        }
        Ok(())
    }

    fn check_validators(&self) -> Result<(), GenesisError> {
        let set = ValidatorSet::from_genesis(self)?;
        match self.consensus {
            ConsensusKind::Solo if set.len() != 1 => return Err(GenesisError::SoloValidators { found: set.len() }),
            ConsensusKind::Solo | ConsensusKind::Bft | ConsensusKind::Raft => {}
        }
        for (index, validator) in set.as_slice().iter().enumerate() {
            let named = NameKind::Name.check(&validator.name);
            named.map_err(|reason| GenesisError::ValidatorName { index, reason })?;
            if !self.crypto.allows_validator(&validator.key) || validator.key.check().is_err() {
                return Err(GenesisError::ValidatorKey { index, key: validator.key });
            }
        }
        Ok(())
    }
}

fn check_id(field: &'static str, id: &str) -> Result<(), GenesisError> {
    NameKind::Id.check(id).map_err(|reason| GenesisError::Id { field, reason })
}

fn check_unique<'a>(list: &'static str, mut addresses: impl Iterator<Item = &'a Address>) -> Result<(), GenesisError> {
    let mut seen = BTreeSet::new();
    match addresses.find(|address| !seen.insert(**address)) {
        None => Ok(()),
        Some(address) => Err(GenesisError::DuplicateAddress { list, address: *address }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::crypto::{SecretKey, Signer};
    use crate::genesis::{GenesisAccount, Validator};
    use crate::test_values::genesis;
    use crate::units::Gas;

    fn refused(change: impl FnOnce(&mut Genesis)) -> GenesisError {
        let mut genesis = genesis();
        change(&mut genesis);
        genesis.check().unwrap_err()
    }

    #[test]
    fn defaults_are_good() {
        assert_eq!(Params::default().check(), Ok(()));
        assert_eq!(genesis().check(), Ok(()));
    }

    #[test]
    fn each_parameter_has_its_range() {
        let name = |change: fn(&mut Params)| {
            let mut params = Params::default();
            change(&mut params);
            match params.check() {
                Err(ParamsError::OutOfRange { name, .. }) => name,
                other => panic!("{params:?}: {other:?}"),
            }
        };
        assert_eq!(name(|params| params.block_tx_count_max = 0), "block_tx_count_max");
        assert_eq!(name(|params| params.block_tx_count_max = u32::MAX), "block_tx_count_max");
        assert_eq!(name(|params| params.block_bytes_max = 1 << 20), "block_bytes_max");
        assert_eq!(name(|params| params.block_bytes_max = 1 << 40), "block_bytes_max");
        assert_eq!(name(|params| params.block_interval_ms = u64::MAX), "block_interval_ms");
        assert_eq!(name(|params| params.tx_gas_max = Gas(0)), "tx_gas_max");
        assert_eq!(name(|params| params.tx_gas_max = Gas(u64::MAX)), "tx_gas_max");
        assert_eq!(name(|params| params.tx_lifetime_ms_max = params.block_interval_ms), "tx_lifetime_ms_max");
        assert_eq!(name(|params| params.tx_lifetime_ms_max = u64::MAX), "tx_lifetime_ms_max");
        assert_eq!(name(|params| params.ref_block_window = 0), "ref_block_window");
        assert_eq!(name(|params| params.memory_pages_max = 0), "memory_pages_max");
        assert_eq!(name(|params| params.memory_pages_max = 65_536), "memory_pages_max");
        let unknown = Params { gas_schedule: 99, ..Params::default() };
        assert!(matches!(unknown.check(), Err(ParamsError::GasSchedule { found: 99, .. })));
    }

    #[test]
    fn ids_and_parameters_are_checked() {
        let id = |error, expected| assert!(matches!(error, GenesisError::Id { field, .. } if field == expected));
        id(refused(|genesis| genesis.chain_id = "../up".into()), "chain_id");
        id(refused(|genesis| genesis.group_id.clear()), "group_id");
        assert!(matches!(refused(|genesis| genesis.params.ref_block_window = 0), GenesisError::Params(_)));
    }

    #[test]
    fn validators_are_checked() {
        assert_eq!(refused(|genesis| genesis.validators.clear()), ValidatorSetError::Empty.into());
        let second = Validator { name: "two".into(), key: SecretKey::ed25519([4; 32]).public_key() };
        let error = refused(|genesis| genesis.validators.push(second));
        assert_eq!(error, GenesisError::SoloValidators { found: 2 });
        let error = refused(|genesis| genesis.validators[0].name = "one\n".into());
        assert!(matches!(error, GenesisError::ValidatorName { index: 0, .. }));
        let client_only = SecretKey::secp256k1([4; 32]).unwrap().public_key();
        let error = refused(|genesis| genesis.validators[0].key = client_only);
        assert!(matches!(error, GenesisError::ValidatorKey { index: 0, .. }));
        // 2 is no y coordinate of a point of the curve.
        let mut y = [0; 32];
        y[0] = 2;
        let error = refused(|genesis| genesis.validators[0].key = PublicKey::Ed25519(y));
        assert!(matches!(error, GenesisError::ValidatorKey { index: 0, .. }));
    }

    #[test]
    fn accounts_are_checked() {
        let account = |n, balance| GenesisAccount { address: Address([n; 20]), balance };
        let twice = refused(|genesis| genesis.accounts = vec![account(1, 5), account(2, 5), account(1, 6)]);
        assert_eq!(twice, GenesisError::DuplicateAddress { list: "accounts", address: Address([1; 20]) });
        let rich = refused(|genesis| genesis.accounts = vec![account(1, u128::MAX), account(2, 1)]);
        assert_eq!(rich, GenesisError::TotalBalance);
        let twice = refused(|genesis| genesis.administrators = vec![Address([3; 20]); 2]);
        assert_eq!(twice, GenesisError::DuplicateAddress { list: "administrators", address: Address([3; 20]) });
        let crowd = refused(|genesis| genesis.administrators = vec![Address([3; 20]); limits::ADMINISTRATORS + 1]);
        assert!(matches!(crowd, GenesisError::Administrators { .. }));
        let numbered = |n: u32| {
            let mut address = Address::ZERO;
            address.0[..4].copy_from_slice(&n.to_le_bytes());
            GenesisAccount { address, balance: 1 }
        };
        let large = refused(|genesis| genesis.accounts = (0..120_000).map(numbered).collect());
        assert!(matches!(large, GenesisError::TooLarge { .. }));
    }
}
