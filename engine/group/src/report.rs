//! Tells the log of every committed transaction, event and failure, for those who want to read or count them.
//!
//! | target | level | one line for |
//! |---|---|---|
//! | `hanse::brief` | info | each block, and each transaction in it |
//! | `hanse::event` | info | each event of a contract |
//! | `hanse::exception` | warn | each transaction whose code failed, and each that was dropped |
//!
//! Of a block it tells when that is durable. A thread of its own does it, so that a slow log does not hold up the chain
//! until many blocks wait for it, and then it does: nothing is left out. What nobody listens to costs one look per block.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

use hanse_ledger::DroppedTransaction;
use hanse_types::{ContractRef, Receipt, ReceiptEvent, Verified};
use tracing::{Level, enabled, info, warn};

use crate::execution::ExecutedBlock;

/// Blocks that may wait to be told of.
const WAITING: usize = 16;

/// Where blocks are handed in that became durable.
pub(crate) struct Reports(SyncSender<Arc<ExecutedBlock>>);

impl Reports {
    /// Hands in a block, if anybody listens.
    pub(crate) fn committed(&self, block: &Arc<ExecutedBlock>) {
        if Wanted::now().any() {
            // Without the thread nobody is told, and the chain goes on.
            let _ = self.0.send(block.clone());
        }
    }
}

/// Starts the thread of a group; it ends when nobody can hand in blocks.
pub(crate) fn spawn(group: String) -> std::io::Result<(Reports, JoinHandle<()>)> {
    let (sender, blocks): (_, Receiver<Arc<ExecutedBlock>>) = mpsc::sync_channel(WAITING);
    let run = move || blocks.into_iter().for_each(|block| report(&group, &block, Wanted::now()));
    let thread = std::thread::Builder::new().name("hanse-report".into()).spawn(run)?;
    Ok((Reports(sender), thread))
}

/// Who listens.
#[derive(Clone, Copy)]
struct Wanted {
    brief: bool,
    events: bool,
    exceptions: bool,
}

impl Wanted {
    fn now() -> Wanted {
        Wanted {
            brief: enabled!(target: "hanse::brief", Level::INFO),
            events: enabled!(target: "hanse::event", Level::INFO),
            exceptions: enabled!(target: "hanse::exception", Level::WARN),
        }
    }

    fn any(self) -> bool {
        self.brief || self.events || self.exceptions
    }
}

fn report(group: &str, block: &ExecutedBlock, wanted: Wanted) {
    let receipts = block.content.receipts();
    for (transaction, receipt) in block.content.transactions().iter().zip(receipts) {
        if wanted.brief {
            brief(group, transaction, receipt);
        }
        if wanted.events {
            receipt.events.iter().enumerate().for_each(|(number, emitted)| event(group, receipt, number, emitted));
        }
        if wanted.exceptions && !receipt.status.is_success() {
            failed(group, receipt);
        }
    }
    if wanted.brief {
        let failed = receipts.iter().filter(|receipt| !receipt.status.is_success()).count();
        let header = &block.header;
        info!(
            target: "hanse::brief",
            height = header.height.0,
            hash = %block.hash,
            timestamp = header.timestamp.0,
            transactions = header.tx_count,
            failed,
            gas = header.gas_used.0,
            group,
            "block"
        );
    }
}

fn brief(group: &str, transaction: &Verified, receipt: &Receipt) {
    let called = transaction.transaction();
    info!(
        target: "hanse::brief",
        height = receipt.height.0,
        index = receipt.index.0,
        tx = %receipt.tx_id,
        sender = %called.sender,
        contract = %ContractName(&called.contract),
        method = called.method,
        status = receipt.status.name(),
        gas = receipt.gas_used.0,
        group,
        "transaction"
    );
}

fn event(group: &str, receipt: &Receipt, number: usize, emitted: &ReceiptEvent) {
    info!(
        target: "hanse::event",
        height = receipt.height.0,
        index = receipt.index.0,
        event = number,
        tx = %receipt.tx_id,
        contract = %emitted.contract,
        name = emitted.event.name,
        topics = ?emitted.event.topics.iter().map(|topic| Hex(topic)).collect::<Vec<_>>(),
        data = %Hex(&emitted.event.data),
        group,
        "event"
    );
}

fn failed(group: &str, receipt: &Receipt) {
    warn!(
        target: "hanse::exception",
        tx = %receipt.tx_id,
        reason = receipt.status.name(),
        height = receipt.height.0,
        index = receipt.index.0,
        error_code = receipt.error_code,
        detail = receipt.message,
        group,
        "transaction failed"
    );
}

/// Tells of a transaction that a group dropped.
pub(crate) fn dropped(group: &str, dropped: &DroppedTransaction) {
    warn!(
        target: "hanse::exception",
        tx = %dropped.id,
        reason = dropped.reason,
        height = dropped.height.0,
        detail = dropped.message,
        group,
        "transaction dropped"
    );
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&const_hex::encode_prefixed(self.0))
    }
}

impl std::fmt::Debug for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

struct ContractName<'a>(&'a ContractRef);

impl std::fmt::Display for ContractName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            ContractRef::Address(address) => address.fmt(f),
            ContractRef::Name { name, version: 0 } => f.write_str(name),
            ContractRef::Name { name, version } => write!(f, "{name}@{version}"),
        }
    }
}
