//! `hanse event watch`, `hanse block watch`: follow the chain, through reconnects, each event or block once.
//!
//! Where it stopped is said at the end, so that the next run can go on there: in JSON as a last line `{"cursor": …}`.

use std::pin::pin;

use clap::Args;
use hanse_abi::document::Abi;
use hanse_client::methods::EventCursor;
use hanse_client::stream::{self, Cursor, EventFilter, Follow, Step, StreamedBlock};
use hanse_client::views::LocatedEvent;
use hanse_client::{Bytes, Contract};
use hanse_types::Height;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};

use super::arguments::{self, Parameter};
use super::chain::event_text;
use super::exit::Failure;
use super::output::{Output, complain, grouped};
use super::session::Session;

/// How far to follow.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Extent {
    /// End after so many
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    /// End once everything that there is was shown, instead of waiting for more
    #[arg(long)]
    no_follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EventWatchArgs {
    /// Only of this contract
    #[arg(long)]
    contract: Option<String>,
    /// Only of this name
    #[arg(long, visible_alias = "event")]
    name: Option<String>,
    /// Only with this value of the event's first topic, as the contract's ABI writes it, such as bob; needs --contract
    /// and --name
    #[arg(long, requires = "contract", requires = "name")]
    topic: Option<String>,
    /// Where to begin: HEIGHT, or the cursor at which another run ended; what comes from now on if not given
    #[arg(long, value_name = "CURSOR")]
    since: Option<EventCursor>,
    #[command(flatten)]
    extent: Extent,
}

#[derive(Debug, Args)]
pub(crate) struct BlockWatchArgs {
    /// The first height; what comes from now on if not given
    #[arg(long, value_name = "HEIGHT")]
    since: Option<u64>,
    #[command(flatten)]
    extent: Extent,
}

/// `hanse event watch`.
pub(crate) async fn events(session: &Session, args: EventWatchArgs) -> Result<(), Failure> {
    let contract = args.contract.as_deref().map(Session::contract).transpose()?;
    let topic = match (&args.topic, &contract, &args.name) {
        (Some(text), Some(contract), Some(name)) => Some(topic(session, contract, name, text).await?),
        _ => None,
    };
    let filter = EventFilter { contract, name: args.name, topic };
    let events = session.client.events(filter, args.since);
    watch(events, args.extent, session.output, |located: &LocatedEvent| {
        let (event, id) = (&located.event, &located.tx_id);
        format!(
            "{}.{}.{}  {}  {}  {id}",
            located.height,
            located.index,
            located.event_index,
            event.contract,
            event_text(event)
        )
    })
    .await
}

/// `hanse block watch`.
pub(crate) async fn blocks(session: &Session, args: BlockWatchArgs) -> Result<(), Failure> {
    let blocks = session.client.blocks(args.since.map(Height));
    watch(blocks, args.extent, session.output, |block: &StreamedBlock| {
        let header = &block.header;
        let (transactions, gas) = (grouped(header.tx_count.into()), grouped(header.gas_used.0));
        format!("{}  {}  {transactions} transactions, {} failed, {gas} gas", header.height, header.hash, block.failed)
    })
    .await
}

/// A topic's value as the event's ABI encodes it; bytes as they are where there is no ABI.
async fn topic(session: &Session, contract: &Contract, event: &str, text: &str) -> Result<Bytes, Failure> {
    let document = session.client.abi(&contract.to_string()).await;
    let abi: Abi = match document {
        Ok(document) => serde_json::from_value(document)
            .map_err(|error| Failure::error(format!("the contract's ABI document: {error}")))?,
        Err(_) if text.starts_with("0x") => {
            return text.parse().map_err(|error| Failure::usage(format!("--topic {text:?}: {error}")));
        }
        Err(error) => return Err(error.into()),
    };
    let (name, ty) = stream::topic_type(&abi, event).map_err(|error| Failure::usage(error.to_string()))?;
    let parameter = Parameter { name, ty };
    let (value, _) = arguments::parse(&[text.to_owned()], &[parameter], &[], &[], &|name| session.account(name))?;
    stream::topic(&abi, event, &value[name]).map_err(|error| Failure::usage(error.to_string()))
}

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a, V> {
    cursor: String,
    #[serde(flatten)]
    value: &'a V,
}

/// The last line of JSON.
#[derive(Serialize)]
struct End {
    cursor: String,
}

/// Prints what comes until it is enough, the reader has gone, or somebody interrupts.
async fn watch<C: Cursor, V: DeserializeOwned + Serialize>(
    mut stream: Follow<C, V>,
    extent: Extent,
    output: Output,
    text: impl Fn(&V) -> String,
) -> Result<(), Failure> {
    let mut stop = pin!(interrupted()?);
    let mut shown = 0;
    let outcome = loop {
        if extent.count.is_some_and(|count| shown >= count) || (extent.no_follow && stream.caught_up()) {
            break Ok(());
        }
        let step = tokio::select! {
            biased;
            () = &mut stop => break Ok(()),
            step = stream.step() => step,
        };
        match step {
            Ok(Step::Value(cursor, value)) => {
                let line = Line { cursor: cursor.to_string(), value: &value };
                if !output.line(&line, |line| text(line.value))? {
                    return Ok(());
                }
                shown += 1;
            }
            Ok(Step::Progress { .. }) => {}
            Ok(Step::Lost { reason }) => output.note(format!("{reason}; trying again")),
            Err(error) => break Err(error.into()),
        }
    };
    if let Some(cursor) = stream.cursor() {
        end(output, &cursor.to_string())?;
    }
    outcome
}

/// Says where to go on.
fn end(output: Output, cursor: &str) -> Result<(), Failure> {
    match (output.json, output.quiet) {
        (true, _) => output.line(&End { cursor: cursor.into() }, |_| String::new()).map(drop),
        (false, true) => Ok(()),
        (false, false) => {
            complain(&format!("go on with --since {cursor}"));
            Ok(())
        }
    }
}

/// Completes when the process is asked to end.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
