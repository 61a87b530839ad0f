//! `hanse bench`: a load of transfers over real RPC to a running node, and what came of it.
//!
//! Everything is signed before the clock starts. The clock runs from the first submission until the last transaction is
//! seen in a block; a transaction's latency runs from the submission of its batch until then. On one machine, node and
//! load share the cores.

mod accounts;
mod follow;
mod load;
mod report;

use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use hanse_client::Contract;
use hanse_client::methods::{ContractParams, GetContract};
use hanse_types::SignedTransaction;

use super::Common;
use super::exit::{Exit, Failure};
use super::session::Session;
use follow::Follower;
use report::Report;

/// Number of the native contract that keeps balances of the chain's own asset.
const ACCOUNT_CONTRACT: u16 = 1;

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to transfer: the chain's own asset, or a token contract (see --contract)
    #[arg(long, value_enum, default_value_t)]
    workload: Workload,
    /// The token contract; --from must hold enough of it
    #[arg(long, default_value = "token")]
    contract: String,
    /// How many transfers
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    transactions: u32,
    /// How many accounts transfer to one another
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    accounts: u32,
    /// Transactions in one submission
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Submissions under way at the same time
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    connections: u32,
    /// Transfers offered per second; as fast as they are taken if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Seconds without a committed transaction after which it gives up
    #[arg(long, default_value_t = 30)]
    patience: u64,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Workload {
    /// Transfers of the chain's own asset, by a native contract
    #[default]
    Native,
    /// Transfers of a token, by a WebAssembly contract
    Token,
}

/// Runs it.
pub(crate) async fn run(args: BenchArgs, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    let funder = session.signer()?;
    let contract = match args.workload {
        Workload::Native => Contract::native(ACCOUNT_CONTRACT),
        Workload::Token => token_address(&session, &args.contract).await?,
    };
    let senders = accounts::make(args.accounts)?;
    let patience = Duration::from_secs(args.patience);

    session.output.note(format!("funding {} accounts", args.accounts));
    let funding = accounts::funding(&senders, &contract, &session.context(), &funder)?;
    let funded = drive(&session, &args, funding, patience, None).await?;
    if funded.failed > 0 {
        let from = &common.from;
        return Err(Failure::error(format!("{} of the funding transfers of {from} failed", funded.failed))
            .hint(format!("{from} needs at least {} of {contract}", accounts::needed(args.accounts))));
    }

    session.output.note(format!("signing {} transfers", args.transactions));
    let context = hanse_client::ChainContext::from(&session.client.chain_info().await?);
    let started = Instant::now();
    let transfers = accounts::transfers(&senders, &contract, &context, args.transactions)?;
    let signing = started.elapsed();

    session.output.note("sending");
    let run = drive(&session, &args, transfers, patience, args.rate).await?;
    let report = Report::new(&run, signing, format!("{:?}", args.workload).to_lowercase());
    session.output.result(&report, Report::text)?;
    match run.failed {
        0 => Ok(()),
        failed => Err(Failure::new(Exit::Failed, format!("{failed} transactions of the load's blocks failed"))),
    }
}

/// The token's address: a name would cost each transfer one read more.
async fn token_address(session: &Session, name: &str) -> Result<Contract, Failure> {
    let params = ContractParams { contract: Session::contract(name)? };
    match session.client.call::<GetContract>(params).await {
        Ok(contract) => Ok(contract.address.into()),
        Err(error) => Err(Failure::from(error).hint("deploy a token first; contracts/token has one")),
    }
}

/// Sends transactions and follows them until each is in a block.
async fn drive(
    session: &Session,
    args: &BenchArgs,
    transactions: Vec<SignedTransaction>,
    patience: Duration,
    rate: Option<u32>,
) -> Result<follow::Run, Failure> {
    let genesis = session.chain.genesis_hash;
    let height = session.client.chain_info().await?.height;
    let ids = transactions.iter().map(|signed| signed.transaction.id(&genesis).0).collect();
    let follower = Follower::new(ids);
    let plan = load::Plan { batch: args.batch as usize, connections: args.connections as usize, rate, patience };
    let sending = load::send(&session.client, transactions, &plan, &follower);
    let following = follower.follow(&session.client, height, patience);
    let ((), run) = tokio::try_join!(sending, following)?;
    Ok(run)
}
