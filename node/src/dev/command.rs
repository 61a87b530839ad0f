//! What `hanse dev` asks of a chain in development that runs already.

use std::time::Duration;

use clap::Subcommand;
use hanse_client::ClientError;
use hanse_client::methods::{AdvanceTime, AdvanceTimeParams, RevertChain, RevertParams};

use crate::cli::Common;
use crate::cli::exit::Failure;
use crate::cli::output::{fields, grouped};
use crate::cli::session::Session;

/// How long a node may take to start again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DevCommand {
    /// Move the running chain's clock ahead
    Advance {
        /// By how many seconds
        seconds: u64,
    },
    /// Take the running chain back to a snapshot; `hanse ledger snapshot NAME` makes one
    Revert {
        /// The snapshot's name
        snapshot: String,
    },
}

/// Runs it.
pub(crate) async fn run(command: DevCommand, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    match command {
        DevCommand::Advance { seconds } => {
            let by_ms = seconds.saturating_mul(1_000);
            let advanced = session.client.call::<AdvanceTime>(AdvanceTimeParams { by_ms }).await?;
            session.output.result(&advanced, |advanced| {
                fields([("clock", format!("{} ms ahead of the machine's", grouped(advanced.clock_ahead_ms)))])
            })
        }
        DevCommand::Revert { snapshot } => {
            let reverting = session.client.call::<RevertChain>(RevertParams { snapshot }).await?;
            wait(&session, reverting.height.0).await?;
            session.output.result(&reverting, |reverting| {
                fields([("height", grouped(reverting.height.0)), ("block", reverting.block_hash.to_string())])
            })
        }
    }
}

/// Waits until the node answers as a chain of this height.
async fn wait(session: &Session, height: u64) -> Result<(), Failure> {
    let looks = async {
        loop {
            match session.client.chain_info().await {
                Ok(info) if info.height.0 == height => return Ok(()),
                Ok(_) | Err(ClientError::Connect { .. } | ClientError::Broken { .. }) => {
                    tokio::time::sleep(INTERVAL).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let late = |_| Failure::error("the node has not started again in time; its log says more");
    tokio::time::timeout(PATIENCE, looks).await.map_err(late)?
}
