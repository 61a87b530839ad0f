//! `hanse tx trace`: what happened inside a transaction, as an indented tree.

use hanse_client::methods::{TraceTx, TxParams};
use hanse_client::views::{CallView, DidView, EntryView, KeyView, StepView, TraceView};
use hanse_types::Hash;

use super::Common;
use super::chain::event_text;
use super::exit::Failure;
use super::output::{fields, grouped};
use super::session::Session;

/// Longest text of a value or of arguments that people are shown; programs get all.
const SHOWN_CHARACTERS: usize = 100;
/// Entries of a scan that people are shown.
const SHOWN_ENTRIES: usize = 5;

/// `hanse tx trace`.
pub(crate) async fn run(id: Hash, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    let trace = session.client.call::<TraceTx>(TxParams { tx_id: id }).await?;
    session.output.result(&trace, text)?;
    if trace.reproduced {
        return Ok(());
    }
    let fields = trace.differences.join(", ");
    Err(Failure::error(format!("run again, the transaction gave something else than its receipt says: {fields}"))
        .hint("this is a fault of the node: keep its ledger and report it"))
}

fn text(trace: &TraceView) -> String {
    let outcome = &trace.outcome;
    let mut lines = vec![("status", outcome.status.name().to_owned())];
    if let Some(failure) = &outcome.failure {
        lines.push(("reason", failure.text.clone()));
    }
    if let Some(call) = trace.failed_call.and_then(|place| trace.calls.get(place)) {
        lines.push(("failed in", call_name(call)));
    }
    let reproduced = if trace.reproduced { "as its receipt says" } else { "not what its receipt says" };
    lines.push(("gas", format!("{}, {reproduced}", grouped(outcome.gas_used.0))));
    lines.push(("block", format!("{}, place {}", trace.height, trace.index)));
    let tree: String = trace.steps.iter().map(|step| line(trace, step)).collect();
    let left_off = match trace.left_off {
        0 => String::new(),
        count => format!("and {} more, which the node did not keep\n", grouped(count)),
    };
    format!("{}\n{tree}{left_off}", fields(lines))
}

/// A step with as much space before it as calls are around it.
fn line(trace: &TraceView, step: &StepView) -> String {
    let mut depth = 0;
    let mut around = step.call;
    while let Some(call) = around {
        depth += 1;
        around = trace.calls.get(call).and_then(|call| call.parent);
    }
    let words = match &step.did {
        DidView::Call { began } => trace.calls.get(*began).map_or_else(String::new, call_text),
        DidView::Read { key, value, decoded } => {
            let value = value.as_ref().map(|value| shown(decoded.as_ref().map(ToString::to_string), value));
            format!("read {} = {}", place(key), value.unwrap_or_else(|| "nothing".into()))
        }
        DidView::Write { key, value: None, .. } => format!("remove {}", place(key)),
        DidView::Write { key, value: Some(value), decoded } => {
            format!("write {} = {}", place(key), shown(decoded.as_ref().map(ToString::to_string), value))
        }
        DidView::Add { key, amount, outcome } if outcome == "done" => format!("add {amount} to {}", place(key)),
        DidView::Add { key, amount, outcome } => format!("add {amount} to {}: {outcome}", place(key)),
        DidView::Scan { start, reverse, entries, .. } => scan_text(start, *reverse, entries),
        DidView::Event { event } => format!("event {}", short(event_text(event))),
    };
    format!("{:width$}{words}\n", "", width = 2 * depth)
}

fn call_text(call: &CallView) -> String {
    let arguments = shown(call.arguments.as_ref().map(ToString::to_string), &call.args);
    let entry = if call.entry == "call" { String::new() } else { format!("{} ", call.entry) };
    let end = match (&call.failure, &call.result) {
        (Some(failure), _) => format!("failed: {}", failure.text),
        (None, Some(result)) if !result.is_null() => format!("-> {}", short(result.to_string())),
        (None, _) => "done".to_owned(),
    };
    format!("{entry}{} {arguments}  [{} gas]  {end}", call_name(call), grouped(call.gas_used.0))
}

fn call_name(call: &CallView) -> String {
    let contract = call.name.clone().unwrap_or_else(|| call.contract.to_string());
    format!("{contract}.{}", call.method)
}

fn scan_text(start: &KeyView, reverse: bool, entries: &[EntryView]) -> String {
    let backwards = if reverse { " backwards" } else { "" };
    let first: Vec<String> = entries.iter().take(SHOWN_ENTRIES).map(|entry| place(&entry.key)).collect();
    let more = if entries.len() > SHOWN_ENTRIES { ", …" } else { "" };
    let found = if entries.is_empty() { String::new() } else { format!(": {}{more}", first.join(", ")) };
    format!("scan from {}{backwards}, {} found{found}", place(start), entries.len())
}

/// A key by its field, as far as that is known.
fn place(key: &KeyView) -> String {
    key.field.clone().unwrap_or_else(|| format!("{} of {}", key.key, key.contract))
}

/// What was decoded, or else the bytes.
fn shown(decoded: Option<String>, bytes: &hanse_client::Bytes) -> String {
    short(decoded.unwrap_or_else(|| bytes.to_string()))
}

fn short(text: String) -> String {
    if text.chars().count() <= SHOWN_CHARACTERS {
        return text;
    }
    text.chars().take(SHOWN_CHARACTERS - 1).chain(['…']).collect()
}
