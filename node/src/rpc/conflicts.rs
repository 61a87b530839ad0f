//! Which waiting transactions a call would run before or after, not beside.
//!
//! What a waiting transaction will touch is known as far as its contract's ABI says: the same hints that the scheduler
//! starts from. A hint is a forecast; where there is none, nothing is claimed.

use std::collections::BTreeMap;

use hanse_abi::document::{HintedAccess, KeyTemplate, TemplatePart};
use hanse_abi::keys::contract_prefix;
use hanse_client::Contract;
use hanse_client::views::{ConflictView, PoolLook};
use hanse_group::Listed;
use hanse_types::{Address, RwSet, Transaction};

use super::abi::Abis;
use super::dag::{Touch, touches};
use super::{limits, render};

/// The first conflict with each of these waiting transactions, and how many of them could not be judged.
pub(super) fn find(abis: &mut Abis<'_>, waiting: &[Listed], set: &RwSet) -> (Vec<ConflictView>, PoolLook) {
    let ours = touches(set);
    let mut look = PoolLook { looked_at: waiting.len(), ..PoolLook::default() };
    let mut conflicts = Vec::new();
    for listed in waiting {
        let transaction = listed.transaction.transaction();
        let Some(theirs) = forecast(abis, transaction) else {
            look.unknown += 1;
            continue;
        };
        let found = theirs.iter().find_map(|(key, access)| Some((key, *access, clash(&ours, set, key, *access)?)));
        if let Some((key, theirs, ours)) = found.filter(|_| conflicts.len() < limits::CONFLICTS) {
            conflicts.push(ConflictView {
                tx_id: listed.transaction.id().0,
                contract: Contract(transaction.contract.clone()),
                method: transaction.method.clone(),
                key: render::key(abis, key),
                theirs: theirs.name().into(),
                ours: ours.into(),
            });
        }
    }
    (conflicts, look)
}

/// The full keys that a transaction will touch, as far as the ABI says; none if it does not.
fn forecast(abis: &mut Abis<'_>, transaction: &Transaction) -> Option<Vec<(Vec<u8>, Touch)>> {
    let contract = abis.address(&transaction.contract)?;
    let templates = abis.of(&contract)?.key_templates(&transaction.method)?;
    templates.iter().map(|template| Some((fill(&contract, template, transaction)?, touch(template.access)))).collect()
}

fn touch(access: HintedAccess) -> Touch {
    match access {
        HintedAccess::Read => Touch::Read,
        HintedAccess::Add => Touch::Add,
        HintedAccess::Write => Touch::Write,
    }
}

fn fill(contract: &Address, template: &KeyTemplate, transaction: &Transaction) -> Option<Vec<u8>> {
    let mut key = contract_prefix(contract).to_vec();
    for part in &template.parts {
        match part {
            TemplatePart::Bytes(bytes) => key.extend_from_slice(bytes),
            TemplatePart::Caller => key.extend_from_slice(transaction.sender.as_bytes()),
            TemplatePart::Args(range) => key.extend_from_slice(transaction.args.get(range.clone())?),
        }
    }
    Some(key)
}

/// What the simulated call does with the key, if that sets the two in order.
fn clash(ours: &BTreeMap<&[u8], Touch>, set: &RwSet, key: &[u8], theirs: Touch) -> Option<&'static str> {
    if let Some(touch) = ours.get(key).filter(|touch| touch.conflicts(theirs)) {
        return Some(touch.name());
    }
    let scanned = set.ranges.iter().any(|range| (&range.start[..]..&range.end[..]).contains(&key));
    (scanned && theirs != Touch::Read).then_some("scan")
}
