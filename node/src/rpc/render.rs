//! Values of the chain as RPC shows them, with what the ABI explains beside the bytes.

use hanse_abi::document::StoredKey;
use hanse_abi::keys::split_key;
use hanse_client::codes::ErrorCode;
use hanse_client::views::{
    AccessView, AddView, CertifiedHeader, EntryView, EventView, FailureView, HeaderView, KeyView, OutcomeView,
    RangeView, ReadView, ReceiptView, TransactionView, WriteView,
};
use hanse_client::{Bytes, Contract, RpcError, codes};
use hanse_types::{
    Address, Canonical, Certificate, Execution, Header, Read, Receipt, ReceiptEvent, RwSet, SignedTransaction, Status,
    TxId, Version, Write,
};
use serde_json::{Value, json};

use super::abi::Abis;

/// A header.
pub(super) fn header(header: &Header) -> HeaderView {
    HeaderView {
        hash: header.hash(),
        height: header.height,
        parent: header.parent,
        timestamp: header.timestamp,
        tx_count: header.tx_count,
        gas_used: header.gas_used,
        proposer: header.proposer,
        tx_root: header.tx_root,
        receipt_root: header.receipt_root,
        rw_set_root: header.rw_set_root,
        dag_digest: header.dag_digest,
        state_root: header.state_root,
        encoded: Bytes(header.encode()),
    }
}

/// A header with its certificate.
pub(super) fn certified(header: &Header, certificate: &Certificate) -> CertifiedHeader {
    CertifiedHeader { header: Bytes(header.encode()), certificate: Bytes(certificate.encode()) }
}

/// A transaction.
pub(super) fn transaction(abis: &mut Abis<'_>, signed: &SignedTransaction, id: TxId) -> TransactionView {
    let transaction = &signed.transaction;
    let address = abis.address(&transaction.contract);
    let abi = address.and_then(|address| abis.of(&address));
    let arguments = abi.and_then(|abi| abi.decode_args(&transaction.method, &transaction.args).ok());
    TransactionView {
        tx_id: id.0,
        sender: transaction.sender,
        public_key: signed.public_key.to_string(),
        contract: Contract(transaction.contract.clone()),
        method: transaction.method.clone(),
        args: Bytes(transaction.args.clone()),
        arguments,
        nonce: transaction.nonce,
        gas_limit: transaction.gas_limit,
        timestamp: transaction.timestamp,
        expiration: transaction.expiration,
        ref_height: transaction.ref_height,
        business_id: Bytes(transaction.business_id.clone()),
    }
}

/// A receipt; the call that it is of is looked up, for the type of its result.
pub(super) fn receipt(abis: &mut Abis<'_>, receipt: &Receipt) -> ReceiptView {
    let call = abis.call_of(receipt);
    let (contract, method) = call.map_or((None, String::new()), |(contract, method)| (contract, method));
    let execution = Execution {
        status: receipt.status,
        gas_used: receipt.gas_used,
        output: receipt.output.clone(),
        error_code: receipt.error_code,
        message: receipt.message.clone(),
        failed_in: receipt.failed_in,
        events: receipt.events.clone(),
    };
    ReceiptView {
        tx_id: receipt.tx_id.0,
        height: receipt.height,
        index: receipt.index,
        outcome: self::execution(abis, &execution, contract, &method),
        rw_set: receipt.rw_set,
    }
}

/// What running a method of a contract gave.
pub(super) fn execution(
    abis: &mut Abis<'_>,
    execution: &Execution,
    contract: Option<Address>,
    method: &str,
) -> OutcomeView {
    let succeeded = execution.status.is_success();
    let abi = contract.filter(|_| succeeded).and_then(|contract| abis.of(&contract));
    let result = abi.and_then(|abi| abi.decode_output(method, &execution.output).ok());
    OutcomeView {
        status: execution.status,
        gas_used: execution.gas_used,
        output: Bytes(execution.output.clone()),
        result,
        failure: ErrorCode::of_status(execution.status).map(|kind| failure(abis, execution, kind)),
        events: execution.events.iter().map(|found| event(abis, found)).collect(),
    }
}

fn failure(abis: &mut Abis<'_>, execution: &Execution, kind: ErrorCode) -> FailureView {
    let reverted = execution.status == Status::Reverted;
    let abi = abis.of(&execution.failed_in).filter(|_| reverted);
    let error = abi.and_then(|abi| abi.decode_error(execution.error_code, &execution.output).ok());
    let text = match &error {
        Some(error) => error.text.clone(),
        None if reverted => format!("the contract refused with its error {}", execution.error_code),
        None if execution.message.is_empty() => kind.meaning.to_lowercase().trim_end_matches('.').to_owned(),
        None => execution.message.clone(),
    };
    FailureView {
        code: kind.code,
        text,
        failed_in: execution.failed_in,
        error_code: reverted.then_some(execution.error_code),
        error: error.as_ref().map(|error| error.name.clone()),
        fields: error.map(|error| error.fields),
    }
}

/// The error of a query whose code ran and failed.
pub(super) fn failed(failure: &FailureView) -> RpcError {
    let kind = ErrorCode::of(failure.code).unwrap_or(codes::INTERNAL);
    RpcError::new(kind, failure.text.clone()).detail(json!(failure))
}

/// An event.
pub(super) fn event(abis: &mut Abis<'_>, found: &ReceiptEvent) -> EventView {
    let event = &found.event;
    let abi = abis.of(&found.contract);
    EventView {
        contract: found.contract,
        name: event.name.clone(),
        topics: event.topics.iter().cloned().map(Bytes).collect(),
        data: Bytes(event.data.clone()),
        fields: abi.and_then(|abi| abi.decode_event(event).ok()),
    }
}

/// A state key.
pub(super) fn key(abis: &mut Abis<'_>, full: &[u8]) -> KeyView {
    let (contract, own) = split_key(full).unwrap_or((Address::ZERO, full));
    let decoded = abis.of(&contract).and_then(|abi| abi.decode_key(own));
    let field = decoded.map(|StoredKey { field, element }| match element {
        None => field,
        Some(element) => format!("{field}[{}]", words(&element)),
    });
    KeyView { contract, key: Bytes(own.to_vec()), field: field.or_else(|| self::field(own)) }
}

/// A value between brackets: texts without quotes, lists without brackets of their own.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(words).collect::<Vec<String>>().join(", "),
        other => other.to_string(),
    }
}

/// The value of a state key, decoded by the ABI of the contract that keeps it.
pub(super) fn stored(abis: &mut Abis<'_>, full: &[u8], value: &[u8]) -> Option<Value> {
    let (contract, own) = split_key(full)?;
    let abi = abis.of(&contract)?;
    let key = abi.decode_key(own)?;
    abi.decode_stored(&key.field, value).ok()
}

/// A key with its value.
pub(super) fn entry(abis: &mut Abis<'_>, full: &[u8], value: &[u8]) -> EntryView {
    EntryView { key: key(abis, full), value: Bytes(value.to_vec()), decoded: stored(abis, full, value) }
}

/// What a contract's own key shows: the field's name, which a zero byte ends, and the element in hexadecimal.
fn field(own: &[u8]) -> Option<String> {
    let end = own.iter().position(|byte| *byte == 0)?;
    let name = std::str::from_utf8(&own[..end]).ok().filter(|name| !name.is_empty())?;
    let element = &own[end + 1..];
    Some(if element.is_empty() { name.to_owned() } else { format!("{name}[0x{}]", const_hex::encode(element)) })
}

/// An access set.
pub(super) fn access(abis: &mut Abis<'_>, set: &RwSet) -> AccessView {
    AccessView {
        reads: set.reads.iter().map(|read| self::read(abis, read)).collect(),
        ranges: set
            .ranges
            .iter()
            .map(|range| RangeView { start: key(abis, &range.start), end: Bytes(range.end.clone()) })
            .collect(),
        writes: set.writes.iter().map(|write| self::write(abis, write)).collect(),
        adds: set.adds.iter().map(|add| AddView { key: key(abis, &add.key), amount: add.delta.amount }).collect(),
    }
}

fn read(abis: &mut Abis<'_>, read: &Read) -> ReadView {
    let written_by = match read.version {
        Version::Parent => None,
        Version::Tx(index) => Some(index),
    };
    ReadView { key: key(abis, &read.key), present: read.present, written_by }
}

fn write(abis: &mut Abis<'_>, write: &Write) -> WriteView {
    let decoded = write.value.as_ref().and_then(|value| stored(abis, &write.key, value));
    let value = write.value.as_ref().map(|value| Bytes(value.to_vec()));
    WriteView { key: key(abis, &write.key), value, decoded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_show_their_field() {
        assert_eq!(field(b"supply\0"), Some("supply".into()));
        assert_eq!(field(b"balances\0\x01\x02"), Some("balances[0x0102]".into()));
        assert_eq!(field(b"raw"), None);
        assert_eq!(field(b"\0x"), None);
    }
}
