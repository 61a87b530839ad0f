//! What happened inside a transaction: the group runs it again, here it is put into words.

use hanse_client::methods::TxParams;
use hanse_client::views::{CallView, DidView, StepView, TraceView};
use hanse_client::{Bytes, RpcError, codes};
use hanse_group::trace::{Did, Step, TracedCall};
use hanse_group::{TraceError, TxTrace};
use hanse_state::Added;
use hanse_types::{ContractRef, Execution, Status, TxId};
use hanse_vm::Entry;

use super::super::abi::Abis;
use super::super::{Node, errors, render};

/// [`hanse_client::methods::TraceTx`].
pub(super) async fn get(node: &Node, params: TxParams) -> Result<TraceView, RpcError> {
    let id = TxId(params.tx_id);
    // It reads the past, and it runs code.
    let _reads = node.server.deep_reads.try_acquire().map_err(|_| errors::busy())?;
    let _runs = node.server.queries.try_acquire().map_err(|_| errors::busy())?;
    let trace = node.group.trace(id).await.map_err(failed)?;
    let trace = trace.ok_or_else(|| errors::not_found(format!("transaction {id} in the chain")).tx(id.0))?;
    if !trace.differences.is_empty() {
        tracing::error!(transaction = %id, differences = ?trace.differences, "a transaction that was run again gave something else");
    }
    Ok(tokio::task::block_in_place(|| view(node, id, &trace)))
}

fn failed(error: TraceError) -> RpcError {
    let message = error.to_string();
    match error {
        TraceError::Ledger(error) => errors::ledger(error),
        TraceError::State(error) => errors::query(error.into()),
        TraceError::TooLong { .. } => RpcError::new(codes::TOO_FAR_BACK, message),
        TraceError::Stopped => RpcError::new(codes::GROUP_STOPPED, message),
    }
}

fn view(node: &Node, id: TxId, trace: &TxTrace) -> TraceView {
    let mut abis = Abis::new(node);
    let contract = trace.calls.first().map(|call| call.contract);
    TraceView {
        tx_id: id.0,
        height: trace.height,
        index: trace.index,
        outcome: render::execution(&mut abis, &trace.execution, contract, &trace.transaction.method),
        reproduced: trace.differences.is_empty(),
        differences: trace.differences.iter().map(|field| (*field).to_owned()).collect(),
        gas_outside: trace.gas_outside(),
        calls: trace.calls.iter().map(|found| call(node, &mut abis, found)).collect(),
        steps: trace.steps.iter().map(|found| step(&mut abis, found)).collect(),
        failed_call: trace.failed_call.filter(|_| !trace.execution.status.is_success()),
        left_off: trace.left_off,
    }
}

fn call(node: &Node, abis: &mut Abis<'_>, call: &TracedCall) -> CallView {
    let abi = abis.of(&call.contract);
    let info = node.group.contract_info(&ContractRef::Address(call.contract)).ok().flatten();
    let outcome = render::execution(abis, &execution(call), Some(call.contract), &call.method);
    CallView {
        parent: call.parent,
        contract: call.contract,
        name: info.map(|info| info.name),
        caller: call.caller,
        entry: match call.entry {
            Entry::Call => "call",
            Entry::Init => "init",
            Entry::Migrate => "migrate",
        }
        .into(),
        method: call.method.clone(),
        args: Bytes(call.input.clone()),
        arguments: abi.and_then(|abi| abi.decode_args(&call.method, &call.input).ok()),
        status: outcome.status,
        gas_used: outcome.gas_used,
        output: outcome.output,
        result: outcome.result,
        failure: outcome.failure,
    }
}

/// A call's end as that of a transaction.
fn execution(call: &TracedCall) -> Execution {
    let (status, output, error_code, message) = match &call.result {
        Ok(output) => (Status::Success, output.clone(), 0, String::new()),
        Err(failure) => (failure.status, failure.fields.clone(), failure.code, failure.message.clone()),
    };
    let TracedCall { gas_used, failed_in, .. } = *call;
    Execution { status, gas_used, output, error_code, message, failed_in, events: Vec::new() }
}

fn step(abis: &mut Abis<'_>, step: &Step) -> StepView {
    let did = match &step.did {
        Did::Called(began) => DidView::Call { began: *began },
        Did::Read { key, value } => {
            let decoded = value.as_ref().and_then(|value| render::stored(abis, key, value));
            let value = value.as_ref().map(|value| Bytes(value.to_vec()));
            DidView::Read { key: render::key(abis, key), value, decoded }
        }
        Did::Wrote { key, value } => {
            let decoded = value.as_ref().and_then(|value| render::stored(abis, key, value));
            let value = value.as_ref().map(|value| Bytes(value.to_vec()));
            DidView::Write { key: render::key(abis, key), value, decoded }
        }
        Did::Added { key, delta, outcome } => {
            let outcome = match outcome {
                Added::Done => "done",
                Added::OutOfBounds => "out_of_bounds",
                Added::NotANumber => "not_a_number",
            };
            DidView::Add { key: render::key(abis, key), amount: delta.amount, outcome: outcome.into() }
        }
        Did::Scanned { start, end, reverse, entries } => DidView::Scan {
            start: render::key(abis, start),
            end: Bytes(end.clone()),
            reverse: *reverse,
            entries: entries.iter().map(|(key, value)| render::entry(abis, key, value)).collect(),
        },
        Did::Emitted(event) => DidView::Event { event: render::event(abis, event) },
    };
    StepView { call: step.call, did }
}
