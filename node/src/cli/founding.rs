//! What founders agree on, from the command line: the genesis but for its validators.

use clap::Args;
use hanse_client::call::now;
use hanse_types::genesis::{ConsensusKind, CryptoSuite, GenesisAccount, Validator};
use hanse_types::{Address, Genesis, Params};

use super::Common;
use super::exit::Failure;
use super::session::check_suite;
use crate::config;
use crate::dev::{Commitment, Consensus, Crypto};
use crate::keys::dev;
use crate::keys::file::KeyFolder;

/// The group that a new chain has first, if nothing else is said.
pub(super) const FIRST_GROUP: &str = "main";

#[derive(Debug, Args)]
pub(super) struct FoundingArgs {
    /// What the chain calls itself; part of every signature. Its first group is called by --group, or main
    #[arg(long, default_value = "hanse")]
    chain_id: String,
    #[command(flatten)]
    terms: TermsArgs,
}

/// What the members of one group agree on.
#[derive(Debug, Args)]
pub(super) struct TermsArgs {
    /// How its validators agree; solo where there is one, bft where there are several, if not given
    #[arg(long, value_enum)]
    consensus: Option<Consensus>,
    /// What it hashes by and its clients sign by
    #[arg(long, value_enum, default_value_t)]
    crypto: Crypto,
    /// How headers commit to the state
    #[arg(long, value_enum, default_value_t)]
    commitment: Commitment,
    /// Longest time that a transaction waits for its block to fill, in milliseconds
    #[arg(long, default_value_t = Params::default().block_interval_ms, value_name = "MS")]
    block_interval: u64,
    /// How many blocks back a transaction may refer: how long, in blocks, it can wait to be sent after it was signed. It can only
    /// be made fewer later
    #[arg(long, default_value_t = Params::default().ref_block_window, value_name = "BLOCKS")]
    reference_window: u64,
    /// Who may change parameters and freeze contracts: addresses, or keys of `hanse key list`; the validators if not given
    #[arg(long, value_name = "WHO")]
    administrator: Vec<String>,
    /// An account with a balance of the native asset, as WHO=AMOUNT
    #[arg(long, value_name = "WHO=AMOUNT")]
    account: Vec<String>,
}

/// What founders of a group agree on, read.
pub(super) struct Founding<'a> {
    chain_id: &'a str,
    group: &'a str,
    terms: &'a TermsArgs,
    administrators: Vec<Address>,
    accounts: Vec<GenesisAccount>,
}

impl FoundingArgs {
    /// Looks up whom it names.
    pub(super) fn read<'a>(&'a self, common: &'a Common) -> Result<Founding<'a>, Failure> {
        if self.chain_id == dev::CHAIN_ID {
            let text = format!("{:?} is the name of development chains; choose another --chain-id", dev::CHAIN_ID);
            return Err(Failure::usage(text));
        }
        self.terms.read(&self.chain_id, common.group.as_deref().unwrap_or(FIRST_GROUP))
    }
}

impl TermsArgs {
    /// Looks up whom it names, for a group of this chain.
    pub(super) fn read<'a>(&'a self, chain_id: &'a str, group: &'a str) -> Result<Founding<'a>, Failure> {
        let crypto = self.crypto.into();
        let (administrators, accounts) = (addresses(crypto, &self.administrator)?, balances(crypto, &self.account)?);
        Ok(Founding { chain_id, group, terms: self, administrators, accounts })
    }
}

impl Founding<'_> {
    /// The genesis of these validators, of this moment.
    pub(super) fn genesis(&self, validators: Vec<Validator>) -> Result<Genesis, Failure> {
        let Founding { chain_id, group, terms, administrators, accounts } = self;
        let crypto = CryptoSuite::from(terms.crypto);
        let usual = if validators.len() == 1 { ConsensusKind::Solo } else { ConsensusKind::Bft };
        let consensus = terms.consensus.map_or(usual, ConsensusKind::from);
        let administrators = match administrators.is_empty() {
            true if !validators.iter().all(|validator| crypto.allows_client(&validator.key)) => {
                let text =
                    format!("in a group with crypto {crypto} validators can't administer: their keys sign votes alone");
                return Err(Failure::usage(text).hint("name somebody with --administrator WHO"));
            }
            true => validators.iter().map(|validator| validator.key.address()).collect(),
            false => administrators.clone(),
        };
        let genesis = Genesis {
            chain_id: (*chain_id).to_owned(),
            group_id: (*group).to_owned(),
            timestamp: now(),
            crypto,
            consensus,
            state_commitment: terms.commitment.into(),
            validators,
            administrators,
            accounts: accounts.clone(),
            params: Params {
                block_interval_ms: terms.block_interval,
                ref_block_window: terms.reference_window,
                ..Params::default()
            },
        };
        check(&genesis)?;
        Ok(genesis)
    }
}

/// A key in the place of one that is not made yet.
pub(super) fn placeholder(index: usize) -> hanse_types::crypto::PublicKey {
    use hanse_types::crypto::{SecretKey, Signer};
    let mut seed = [1; 32];
    seed[..8].copy_from_slice(&(index as u64).to_be_bytes());
    SecretKey::ed25519(seed).public_key()
}

fn check(genesis: &Genesis) -> Result<(), Failure> {
    let has_public_keys = || config::check::development_key(genesis);
    if genesis.chain_id != dev::CHAIN_ID
        && let Some(name) = has_public_keys()
    {
        return Err(Failure::usage(format!("everyone has the development key {name}; name an account of yours")));
    }
    genesis.check().map_err(|error| Failure::usage(format!("no group can have this genesis: {error}")))
}

fn addresses(crypto: CryptoSuite, names: &[String]) -> Result<Vec<Address>, Failure> {
    names.iter().map(|name| address(crypto, name)).collect()
}

fn balances(crypto: CryptoSuite, texts: &[String]) -> Result<Vec<GenesisAccount>, Failure> {
    let balance = |text: &String| {
        let wrong = || Failure::usage(format!("--account {text}: write WHO=AMOUNT, such as treasury=1_000_000"));
        let (who, amount) = text.split_once('=').ok_or_else(wrong)?;
        let balance = amount.replace('_', "").parse().map_err(|_| wrong())?;
        Ok(GenesisAccount { address: address(crypto, who)?, balance })
    };
    texts.iter().map(balance).collect()
}

/// An address, or that of a key of this user, which has to be one that clients of the group can use.
fn address(crypto: CryptoSuite, name: &str) -> Result<Address, Failure> {
    match name.parse() {
        Ok(address) => Ok(address),
        Err(_) => match dev::address(crypto, name) {
            Some(address) => Ok(address),
            None => {
                let key = KeyFolder::of_user()?.public_key(name)?;
                check_suite(crypto, name, &key)?;
                Ok(key.address())
            }
        },
    }
}
