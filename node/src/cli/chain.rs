//! `hanse status`, `tx`, `block`, `event`: look at the chain.

use std::time::Duration;

use clap::Subcommand;
use hanse_client::ClientError;
use hanse_client::methods::{
    BlockAt, BlockParams, BlockPart, DagParams, EventCursor, EventParams, GetBlock, GetChainStatus, GetDag, GetPeers,
    GetReceipt, GetTx, NoParams, QueryEvents, ReceiptParams, TxParams,
};
use hanse_client::proof::check_receipt;
use hanse_client::views::{
    AgreementView, BlockView, ChainInfo, ChainStatus, EventView, EvidenceView, LieView, LocatedTransaction, NodePeers,
    PeerView, PoolView, ReceiptView, SnapshotFetchView, SyncView, VertexView,
};
use hanse_types::{Hash, Height, TxId};
use serde::Serialize;

use super::Common;
use super::exit::Failure;
use super::failed;
use super::offline;
use super::output::{Output, fields, grouped, table};
use super::parallel;
use super::proof::{self, Subject, Trust};
use super::session::Session;
use super::watch::{self, BlockWatchArgs, EventWatchArgs};
use super::{timeline, trace};

#[derive(Debug, Subcommand)]
pub(crate) enum TxCommand {
    /// Show a transaction with its receipt, and check the proof that it is in its block
    Show {
        /// The transaction's id
        id: Hash,
        /// How many seconds to wait for it to be committed
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        wait: u64,
    },
    /// Tell what became of a transaction: whether it waits, is committed, or was dropped, and why
    Status {
        /// The transaction's id
        id: Hash,
    },
    /// Run a transaction of the chain again and show its calls, and what they read, wrote and emitted
    Trace {
        /// The transaction's id
        id: Hash,
    },
    /// Look through the transactions that failed, and try them again
    #[command(subcommand)]
    Failed(failed::FailedCommand),
    /// Prove that a transaction, its receipt or its access set is in the chain
    Proof {
        /// The transaction's id
        id: Hash,
        /// What to prove
        #[arg(long, value_enum, default_value_t)]
        of: Subject,
        #[command(flatten)]
        trust: Trust,
    },
    /// Sign the transaction in a file of `hanse contract call --unsigned`; needs no node
    Sign {
        /// The file; - for standard input
        file: String,
    },
    /// Send the transaction in a file of `hanse tx sign`, and wait until it is in a block
    Send {
        /// The file; - for standard input
        file: String,
    },
    /// Show what the transaction in a file does; needs no node
    Decode {
        /// The file; - for standard input
        file: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// Show a block and its transactions
    Show {
        /// latest, a height, or the hash of its header
        #[arg(default_value = "latest")]
        at: BlockAt,
    },
    /// Show how parallel a block was, and why not more
    Dag {
        /// latest, a height, or the hash of its header
        #[arg(default_value = "latest")]
        at: BlockAt,
        /// How many transactions to list
        #[arg(long, default_value_t = 20, value_name = "COUNT")]
        vertices: usize,
    },
    /// Show which of the node's threads ran what, when, of a block that it made while that was recorded
    Timeline(timeline::TimelineArgs),
    /// Follow blocks as they are committed
    Watch(BlockWatchArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventCommand {
    /// List events in the chain's order
    List {
        /// Only of this contract
        #[arg(long)]
        contract: Option<String>,
        /// Only of this name
        #[arg(long)]
        name: Option<String>,
        /// First block
        #[arg(long, default_value_t = 0)]
        from_height: u64,
        /// Most events
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Follow events as they are committed
    Watch(EventWatchArgs),
}

/// `hanse status`.
pub(crate) async fn status(common: &Common) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Status {
        chain: ChainInfo,
        pool: PoolView,
        #[serde(skip_serializing_if = "Option::is_none")]
        agreement: Option<AgreementView>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sync: Option<SyncView>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        evidence: Vec<EvidenceView>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        peers: Vec<PeerView>,
    }
    let session = Session::open(common).await?;
    let ChainStatus { pool, agreement, sync, evidence, validators, .. } =
        session.client.call::<GetChainStatus>(NoParams {}).await?;
    let NodePeers { peers, .. } = session.client.call::<GetPeers>(NoParams {}).await?;
    session.output.result(&Status { chain: session.chain.clone(), pool, agreement, sync, evidence, peers }, |status| {
        let chain = &status.chain;
        let agreement = status.agreement.iter().map(|agreement| ("agreement", in_words(agreement, validators)));
        let sync = status.sync.iter().flat_map(|sync| catching_up(sync, chain.height));
        let evidence = status.evidence.iter().map(|evidence| ("evidence", against(evidence)));
        let peers = status.peers.iter().map(|peer| ("peer", where_it_is(peer)));
        let lines = [
            ("chain", format!("{} / {}", chain.chain_id, chain.group_id)),
            ("genesis", chain.genesis_hash.to_string()),
            ("height", grouped(chain.height.0)),
            ("block", chain.block_hash.to_string()),
            ("waiting", format!("{} transactions", grouped(status.pool.waiting as u64))),
            ("node", format!("{} at {}", chain.node_version, session.client.url())),
            ("state", chain.stopped.as_ref().map_or("running".into(), |reason| format!("stopped: {reason}"))),
        ];
        fields(lines.into_iter().chain(agreement).chain(sync).chain(peers).chain(evidence))
    })
}

fn in_words(agreement: &AgreementView, validators: u32) -> String {
    let AgreementView { height, round, step, leader, votes, peers } = agreement;
    let role = if *votes { "votes" } else { "does not vote" };
    let led = leader.as_ref().map(|leader| format!(" of {leader}")).unwrap_or_default();
    format!("height {}, round {round}, {step}{led}; one of {validators}, {role}, {peers} connected", grouped(height.0))
}

/// What there is to say of catching up: nothing where there is nothing to catch up with and nobody lied.
fn catching_up(sync: &SyncView, height: Height) -> Vec<(&'static str, String)> {
    let behind = sync.target.map_or(0, |target| target.0.saturating_sub(height.0));
    let SyncView { mode, ready, asked, .. } = sync;
    let progress = || {
        let behind = grouped(behind);
        ("sync", format!("{mode}: {behind} blocks behind, {ready} fetched and not written, {asked} requests under way"))
    };
    let snapshot = sync.snapshot.as_ref().and_then(beginning);
    let lie = |lie: &LieView| {
        let who = if lie.name.is_empty() { lie.key.as_deref().unwrap_or("a member") } else { &lie.name };
        ("lie", format!("{who} sent blocks that are not the chain's: {}", lie.reason))
    };
    let progress = sync.active.then(progress).into_iter();
    progress.chain(snapshot.map(|text| ("snapshot", text))).chain(sync.lies.iter().map(lie)).collect()
}

/// How far a node is that begins with a snapshot, until it has.
fn beginning(fetch: &SnapshotFetchView) -> Option<String> {
    let of = fetch.height.map(|height| format!(" of block {}", grouped(height.0))).unwrap_or_default();
    let SnapshotFetchView { kept, chunks, timeouts, .. } = fetch;
    match fetch.stage.as_str() {
        "asking" => Some("members are asked whether they have one".into()),
        "fetching" => Some(format!("{kept} of {chunks} chunks{of} are here, {timeouts} requests were not answered")),
        "importing" => Some(format!("all{of} is here, and a ledger is made of it")),
        "ready" => Some(format!("the ledger{of} is made, and the group is opened anew")),
        _ => None,
    }
}

fn where_it_is(peer: &PeerView) -> String {
    let name = if peer.name.is_empty() { &peer.id } else { &peer.name };
    let address = peer.address.iter().map(|address| format!(" at {address}"));
    let time = peer.round_trip_us.map(|us| format!(", {:.1} ms away", us as f64 / 1_000.0));
    let error = peer.error.iter().filter(|_| peer.connected_ms.is_none()).map(|error| format!(": {error}"));
    let rest: String = address.chain(time).chain(error).collect();
    format!("{name} {}{rest}", peer.state)
}

fn against(evidence: &EvidenceView) -> String {
    let EvidenceView { validator, name, height, round, step, .. } = evidence;
    format!("validator {validator} ({name}) contradicts itself at height {}, round {round}, {step}", grouped(height.0))
}

/// `hanse tx`.
pub(crate) async fn tx(command: TxCommand, common: &Common) -> Result<(), Failure> {
    let output = Output { json: common.json, quiet: common.quiet };
    match command {
        TxCommand::Show { id, wait } => show(id, wait, common).await,
        TxCommand::Proof { id, of, trust } => proof::transaction(&Session::open(common).await?, id, of, &trust).await,
        TxCommand::Status { id } => failed::status(&Session::open(common).await?, id).await,
        TxCommand::Trace { id } => trace::run(id, common).await,
        TxCommand::Failed(command) => failed::run(&Session::open(common).await?, command).await,
        TxCommand::Sign { file } => offline::sign(&file, common, output),
        TxCommand::Send { file } => offline::send(&file, common).await,
        TxCommand::Decode { file } => offline::decode(&file, output),
    }
}

/// `hanse tx show`.
async fn show(id: Hash, wait: u64, common: &Common) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown {
        #[serde(flatten)]
        located: LocatedTransaction,
        receipt: ReceiptView,
        /// Its place in the block's DAG.
        vertex: Option<VertexView>,
        /// Of the block whose header the proof leads to.
        block_hash: Hash,
    }
    let session = Session::open(common).await?;
    let timeout_ms = Duration::from_secs(wait).as_millis() as u64;
    let params = ReceiptParams { tx_id: id, proof: true, timeout_ms };
    let answer = session.client.call::<GetReceipt>(params).await?;
    let inclusion = answer.proof.ok_or_else(|| Failure::error("the node gave no proof for the receipt"))?;
    let header = Trust::default().header(&session.client, &inclusion.block).await?.header;
    check_receipt(&inclusion, &header, &TxId(id)).map_err(ClientError::Proof)?;
    let located = session.client.call::<GetTx>(TxParams { tx_id: id }).await?;
    let dag = DagParams { at: BlockAt::Height(answer.receipt.height), vertices: 0, tx_id: Some(id) };
    let vertex = session.client.call::<GetDag>(dag).await?.vertices.pop();
    let shown = Shown { located, receipt: answer.receipt, vertex, block_hash: header.hash() };
    session.output.result(&shown, |shown| {
        let transaction = &shown.located.transaction;
        let arguments = match &transaction.arguments {
            Some(arguments) => arguments.to_string(),
            None => transaction.args.to_string(),
        };
        let call = fields([
            ("call", format!("{}.{} {arguments}", transaction.contract, transaction.method)),
            ("sender", transaction.sender.to_string()),
        ]);
        let place = fields([("block hash", format!("{} (proven)", shown.block_hash))]);
        let blocker = shown.vertex.iter().filter_map(|vertex| vertex.blocked_by.as_ref());
        let waited = fields(blocker.map(|blocker| ("waited for", parallel::because(blocker))));
        call + &receipt_text(&shown.receipt) + &waited + &place
    })
}

/// Prints a receipt; a call that failed is a failure of the command too.
pub(crate) fn finish(receipt: &ReceiptView, output: Output) -> Result<(), Failure> {
    output.result(receipt, receipt_text)?;
    match &receipt.outcome.failure {
        None => Ok(()),
        Some(failure) => Err(Failure::of_call(failure)),
    }
}

/// A receipt for people.
pub(crate) fn receipt_text(receipt: &ReceiptView) -> String {
    let outcome = &receipt.outcome;
    let mut lines = vec![("status", outcome.status.name().to_owned())];
    if let Some(failure) = &outcome.failure {
        lines.push(("reason", failure.text.clone()));
    }
    if let Some(result) = outcome.result.as_ref().filter(|result| !result.is_null()) {
        lines.push(("result", result.to_string()));
    }
    lines.extend(outcome.events.iter().map(|event| ("event", event_text(event))));
    lines.push(("gas", grouped(outcome.gas_used.0)));
    lines.push(("transaction", receipt.tx_id.to_string()));
    lines.push(("block", format!("{}, place {}", receipt.height, receipt.index)));
    fields(lines)
}

/// An event for people.
pub(crate) fn event_text(event: &EventView) -> String {
    match &event.fields {
        Some(fields) => format!("{} {fields}", event.name),
        None => format!("{} {}", event.name, event.data),
    }
}

/// `hanse block`.
pub(crate) async fn block(command: BlockCommand, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    match command {
        BlockCommand::Show { at } => {
            let include = vec![BlockPart::Transactions, BlockPart::Receipts];
            let block = session.client.call::<GetBlock>(BlockParams { at, include, ..BlockParams::default() }).await?;
            session.output.result(&block, block_text)
        }
        BlockCommand::Dag { at, vertices } => {
            let dag = session.client.call::<GetDag>(DagParams { at, vertices, tx_id: None }).await?;
            session.output.result(&dag, parallel::dag_text)
        }
        BlockCommand::Timeline(args) => timeline::run(&session, args).await,
        BlockCommand::Watch(args) => watch::blocks(&session, args).await,
    }
}

fn block_text(block: &BlockView) -> String {
    let header = &block.header;
    let head = fields([
        ("height", grouped(header.height.0)),
        ("hash", header.hash.to_string()),
        ("parent", header.parent.to_string()),
        ("time", format!("{} ms since 1970", header.timestamp)),
        ("transactions", grouped(header.tx_count.into())),
        ("gas", grouped(header.gas_used.0)),
        ("state root", header.state_root.to_string()),
    ]);
    let transactions = block.transactions.iter().flatten();
    let receipts = block.receipts.iter().flatten();
    let rows = transactions.zip(receipts).map(|(transaction, receipt)| {
        [
            receipt.index.to_string(),
            transaction.tx_id.to_string(),
            format!("{}.{}", transaction.contract, transaction.method),
            receipt.outcome.status.name().to_owned(),
            grouped(receipt.outcome.gas_used.0),
        ]
    });
    format!("{head}\n{}", table(["place", "transaction", "call", "status", "gas"], rows))
}

/// `hanse event`.
pub(crate) async fn event(command: EventCommand, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    let (contract, name, from_height, limit) = match command {
        EventCommand::List { contract, name, from_height, limit } => (contract, name, from_height, limit),
        EventCommand::Watch(args) => return watch::events(&session, args).await,
    };
    let contract = contract.as_deref().map(Session::contract).transpose()?;
    let from = EventCursor { height: Height(from_height), ..EventCursor::default() };
    let params = EventParams { contract, name, topic: None, from, to_height: None, limit: Some(limit) };
    let events = session.client.call::<QueryEvents>(params).await?;
    session.output.result(&events, |events| {
        let rows = events.events.iter().map(|located| {
            let event = &located.event;
            [located.height.to_string(), located.index.to_string(), event.contract.to_string(), event_text(event)]
        });
        table(["block", "place", "contract", "event"], rows)
    })
}
