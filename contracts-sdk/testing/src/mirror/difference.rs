//! In what a native transaction and the machine's differ, in sentences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use hanse_abi::{Address, Event, Status};
use hanse_sdk_mirror::Report;

use crate::access::{AccessSet, hex};
use crate::ledger::Ledger;
use crate::record::{Ended, Record};

/// All differences, none if there are none.
pub(super) fn between(native: &Record, machine: &Report, ledger: &Ledger) -> Vec<String> {
    let ours = outcome(&native.ended);
    let theirs = machine_outcome(machine);
    let mut found = Vec::new();
    if ours.status != theirs.status {
        let (ours, theirs) = (describe(&ours, &native.ended.message), describe(&theirs, &machine.message));
        found.push(format!("status: natively {ours}, in WebAssembly {theirs}"));
        return found;
    }
    compare("result", &hex(ours.output), &hex(theirs.output), &mut found);
    compare("error code", &ours.code, &theirs.code, &mut found);
    compare("fields of the error", &hex(ours.fields), &hex(theirs.fields), &mut found);
    compare("events", &events(&native.events, ledger), &events(&machine.events, ledger), &mut found);
    compare_access(&native.access, machine, ledger, &mut found);
    compare_state(native, machine, ledger, &mut found);
    found
}

/// How a call ended, without texts.
struct Outcome<'a> {
    status: Option<Status>,
    output: &'a [u8],
    code: u32,
    fields: &'a [u8],
}

fn outcome(ended: &Ended) -> Outcome<'_> {
    Outcome { status: Some(ended.status), output: &ended.output, code: ended.code, fields: &ended.fields }
}

fn machine_outcome(report: &Report) -> Outcome<'_> {
    Outcome {
        status: Status::from_code(report.status),
        output: &report.output,
        code: report.error_code,
        fields: &report.error_fields,
    }
}

fn describe(outcome: &Outcome<'_>, message: &str) -> String {
    let status = outcome.status.map_or("a status of another version", |status| status.name());
    match (outcome.status, message) {
        (Some(Status::Reverted), _) => format!("{status} with code {}", outcome.code),
        (_, "") => status.to_owned(),
        (_, message) => format!("{status} ({message})"),
    }
}

fn compare<T: PartialEq + Display>(what: &str, native: &T, machine: &T, found: &mut Vec<String>) {
    if native != machine {
        found.push(format!("{what}: natively {native}, in WebAssembly {machine}"));
    }
}

fn events(events: &[(Address, Event)], ledger: &Ledger) -> String {
    if events.is_empty() {
        return "none".to_owned();
    }
    let show = |(contract, event): &(Address, Event)| {
        let topics: Vec<String> = event.topics.iter().map(|topic| hex(topic)).collect();
        format!("{}: {}({}; {})", ledger.name(contract), event.name, topics.join(", "), hex(&event.data))
    };
    events.iter().map(show).collect::<Vec<_>>().join(" ")
}

fn compare_access(native: &AccessSet, machine: &Report, ledger: &Ledger, found: &mut Vec<String>) {
    let kinds = [
        ("reads", &native.reads, &machine.reads),
        ("writes", &native.writes, &machine.writes),
        ("adds to", &native.adds, &machine.adds),
    ];
    for (what, ours, theirs) in kinds {
        let theirs: BTreeSet<Vec<u8>> = theirs.iter().cloned().collect();
        one_sided(what, ours, &theirs, |key| ledger.readable(key), found);
    }
    let theirs: AccessSet = AccessSet::with_scans(machine.scans.iter().cloned());
    let range = |(start, end): &(Vec<u8>, Vec<u8>)| format!("{} to {}", ledger.readable(start), ledger.readable(end));
    one_sided("scans", &native.scans, &theirs.scans, range, found);
}

fn one_sided<T: Ord>(
    what: &str,
    native: &BTreeSet<T>,
    machine: &BTreeSet<T>,
    show: impl Fn(&T) -> String,
    found: &mut Vec<String>,
) {
    let sides = [("natively", native, machine), ("in WebAssembly", machine, native)];
    for (side, here, there) in sides {
        found.extend(here.difference(there).map(|one| format!("only {side} it {what} {}", show(one))));
    }
}

fn compare_state(native: &Record, machine: &Report, ledger: &Ledger, found: &mut Vec<String>) {
    let ours: BTreeMap<&[u8], Option<&[u8]>> =
        native.changes.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
    let theirs: BTreeMap<&[u8], Option<&[u8]>> =
        machine.changes.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
    let keys: BTreeSet<&[u8]> = ours.keys().chain(theirs.keys()).copied().collect();
    let show = |value: Option<&Option<&[u8]>>| match value {
        None => "is as it was".to_owned(),
        Some(None) => "is removed".to_owned(),
        Some(Some(bytes)) => format!("becomes {}", hex(bytes)),
    };
    for key in keys.into_iter().filter(|key| ours.get(key) != theirs.get(key)) {
        let (ours, theirs) = (show(ours.get(key)), show(theirs.get(key)));
        found.push(format!("{}: natively it {ours}, in WebAssembly it {theirs}", ledger.readable(key)));
    }
}
