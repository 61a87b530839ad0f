//! The ABI documents of the system contracts say what is true: methods, views, arguments, results, events, errors.

use std::collections::BTreeSet;

use hanse_abi::document::{Abi, MethodKind};
use hanse_state::StateView;
use hanse_types::crypto::CryptoSuite;
use hanse_types::{Address, Execution, Status};
use hanse_vm::contract_address;
use hanse_vm::native::NativeContract;
use hanse_vm::system::{CONTRACTS, account, admission, lifecycle, members, names, params};
use serde_json::{Value, json};

use crate::world::{ADMIN, ALICE, BOB, World, module, node_key, wasm};

fn document(contract: &dyn NativeContract) -> Abi {
    Abi::parse(contract.abi().as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", contract.name()))
}

#[test]
fn each_names_the_methods_that_there_are_and_says_which_are_views() {
    for contract in CONTRACTS {
        let abi = document(contract);
        assert_eq!(abi.name, contract.name());
        assert!(!abi.methods.is_empty() && !abi.docs.is_empty());
        let unique: BTreeSet<_> = abi.methods.iter().map(|method| &method.name).collect();
        assert_eq!(unique.len(), abi.methods.len(), "{}", abi.name);
        let mut world = World::new();
        for method in &abi.methods {
            assert!(!method.docs.is_empty(), "{}.{}", abi.name, method.name);
            assert_eq!(contract.is_view(&method.name), method.kind == MethodKind::View, "{}.{}", abi.name, method.name);
            // No method takes 41 bytes of ones.
            let execution = world.call(Address::native(contract.number()), &method.name, &[255; 41]);
            assert_eq!(execution.status, Status::InvalidArguments, "{}.{}", abi.name, method.name);
        }
        assert_eq!(world.call(Address::native(contract.number()), "other", &[]).status, Status::MethodNotFound);
    }
}

/// Every method that the source dispatches is described: the dispatch is a table of literals.
#[test]
fn no_method_is_left_out() {
    let sources = [
        include_str!("../../src/system/account.rs"),
        include_str!("../../src/system/lifecycle.rs"),
        include_str!("../../src/system/names.rs"),
        include_str!("../../src/system/params.rs"),
        include_str!("../../src/system/members.rs"),
        include_str!("../../src/system/admission.rs"),
    ];
    for (contract, source) in CONTRACTS.iter().zip(sources) {
        let abi = document(*contract);
        let dispatch = source.split("fn call(").nth(1).unwrap().split("no_such_method").next().unwrap();
        let dispatched: BTreeSet<_> = dispatch
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => ").map(|(name, _)| name.to_owned()))
            .collect();
        let described: BTreeSet<_> = abi.methods.iter().map(|method| method.name.clone()).collect();
        assert_eq!(dispatched, described, "{}", abi.name);
    }
}

/// Whatever a genesis can say of consensus, what is kept of it reads.
#[test]
fn every_kind_of_consensus_is_described() {
    use hanse_types::genesis::ConsensusKind::{Bft, Raft, Solo};
    let abi = document(&members::MembersContract);
    let read = |kind| abi.decode_stored("consensus", &borsh::to_vec(&kind).unwrap()).unwrap();
    assert_eq!([Solo, Bft, Raft].map(read), [json!("Solo"), json!("Bft"), json!("Raft")]);
}

/// A system contract, called by its document alone.
struct Caller {
    world: World,
    seen: BTreeSet<String>,
}

impl Caller {
    fn try_call(&mut self, sender: Address, contract: &dyn NativeContract, method: &str, args: &Value) -> Execution {
        let abi = document(contract);
        let args = abi.encode_args(method, args).unwrap_or_else(|error| panic!("{method}: {error}"));
        self.world.call_as(sender, Address::native(contract.number()), method, &args)
    }

    /// Calls, and reads the result and all events of this contract.
    fn call(&mut self, sender: Address, contract: &dyn NativeContract, method: &str, args: Value) -> Value {
        let abi = document(contract);
        let execution = self.try_call(sender, contract, method, &args);
        assert_eq!(execution.status, Status::Success, "{method}: {}", execution.message);
        for event in &execution.events {
            let emitter = hanse_vm::system::contract(&event.contract).unwrap();
            let described = document(emitter);
            described.decode_event(&event.event).unwrap_or_else(|error| panic!("{}: {error}", event.event.name));
            self.seen.insert(format!("{}.{}", described.name, event.event.name));
        }
        abi.decode_output(method, &execution.output).unwrap_or_else(|error| panic!("{method}: {error}"))
    }
}

fn text(address: Address) -> String {
    address.to_string()
}

#[test]
fn arguments_results_events_and_errors_are_as_described() {
    let mut caller = Caller { world: World::new(), seen: BTreeSet::new() };
    let (alice, bob) = (text(ALICE), text(BOB));
    let (asset, life, naming, governance) =
        (&account::Account, &lifecycle::Lifecycle, &names::Names, &params::ParamsContract);

    caller.call(ALICE, asset, "transfer", json!({"to": bob, "amount": "400"}));
    assert_eq!(caller.call(ALICE, asset, "balance_of", json!({"owner": bob})), json!("400"));
    caller.call(ALICE, asset, "create_account", json!({"account": bob, "label": "Bob"}));
    assert_eq!(caller.call(ALICE, asset, "label_of", json!({"account": bob})), json!("Bob"));
    caller.call(ADMIN, asset, "issue", json!({"to": alice, "amount": "5"}));
    assert_eq!(caller.call(ALICE, asset, "supply", json!({})), json!("1005"));
    let refused = caller.try_call(BOB, asset, "transfer", &json!({"to": alice, "amount": "401"}));
    let error = document(asset).decode_error(refused.error_code, &refused.output).unwrap();
    assert_eq!(
        (&error.name[..], &error.text[..]),
        ("InsufficientBalance", "the balance is 400, less than the amount of 401")
    );
    let refused = caller.try_call(BOB, asset, "create_account", &json!({"account": bob, "label": "B"}));
    assert_eq!(document(asset).decode_error(refused.error_code, &refused.output).unwrap().name, "AccountExists");

    let code = format!("0x{}", const_hex::encode(wasm(&module("(func (export \"hanse.run\"))"))));
    let other = format!("0x{}", const_hex::encode(wasm(&module("(func (export \"hanse.walk\"))"))));
    let contract = text(contract_address(CryptoSuite::Standard, &ALICE, "c"));
    let deployed = caller.call(ALICE, life, "deploy", json!({"name": "c", "code": code, "args": "0x"}));
    assert_eq!(deployed, json!(contract));
    assert_eq!(
        caller.call(ALICE, life, "upgrade", json!({"contract": contract, "code": other, "args": "0x"})),
        json!(2)
    );
    for method in ["freeze", "unfreeze"] {
        caller.call(ALICE, life, method, json!({"contract": contract}));
    }
    caller.call(ALICE, life, "transfer_ownership", json!({"contract": contract, "to": bob}));
    caller.call(BOB, life, "revoke", json!({"contract": contract}));
    let record = caller.call(ALICE, life, "record", json!({"contract": contract}));
    assert_eq!((&record["version"], &record["condition"]), (&json!(2), &json!("Revoked")));
    let info = caller.call(ALICE, life, "info", json!({"contract": contract}));
    assert_eq!((&info["name"], &info["owner"], &info["deployed_at"]), (&json!("c"), &json!(bob), &json!("1000")));

    assert_eq!(caller.call(BOB, naming, "register", json!({"name": "b", "version": 0, "address": alice})), json!(1));
    assert_eq!(caller.call(BOB, naming, "resolve", json!({"name": "b", "version": 1})), json!(alice));
    caller.call(BOB, naming, "transfer", json!({"name": "b", "to": alice}));
    assert_eq!(caller.call(BOB, naming, "owner_of", json!({"name": "b"})), json!(alice));

    caller.call(ADMIN, governance, "set", json!({"name": "tx_gas_max", "value": "5"}));
    assert_eq!(caller.call(ALICE, governance, "get", json!({}))["tx_gas_max"], json!("5"));
    caller.call(ADMIN, governance, "add_administrator", json!({"who": bob}));
    caller.call(ADMIN, governance, "remove_administrator", json!({"who": bob}));
    assert_eq!(caller.call(ALICE, governance, "administrators", json!({})), json!([text(ADMIN)]));

    let (taking_part, key) = (&members::MembersContract, |n| node_key(n).to_string());
    caller.call(ADMIN, taking_part, "add", json!({"name": "regulator", "key": key(2), "role": "Observer"}));
    caller.call(ADMIN, taking_part, "replace_key", json!({"name": "regulator", "key": key(3)}));
    caller.call(ADMIN, taking_part, "set_role", json!({"name": "regulator", "role": "Light"}));
    let regulator = caller.call(ALICE, taking_part, "get", json!({"name": "regulator"}));
    assert_eq!((&regulator["name"], &regulator["role"]), (&json!("regulator"), &json!("Light")));
    assert_eq!(caller.call(ALICE, taking_part, "list", json!({}))[1], regulator);
    caller.call(ADMIN, taking_part, "remove", json!({"name": "regulator"}));
    assert_eq!(caller.call(ALICE, taking_part, "get", json!({"name": "regulator"})), json!(null));

    let letting_in = &admission::Admission;
    caller.call(ADMIN, letting_in, "trust", json!({"key": key(2), "certificate": "0x3000"}));
    caller.call(ADMIN, letting_in, "trust", json!({"key": key(3), "certificate": "0x3001"}));
    caller.call(ADMIN, letting_in, "distrust", json!({"key": key(2)}));
    caller.call(ADMIN, letting_in, "deny", json!({"key": key(4)}));
    caller.call(ADMIN, letting_in, "deny", json!({"key": key(5)}));
    caller.call(ADMIN, letting_in, "pardon", json!({"key": key(5)}));
    let rules = caller.call(ALICE, letting_in, "rules", json!({}));
    assert_eq!(
        (&rules["authorities"][0]["certificate"], rules["denied"].as_array().unwrap().len()),
        (&json!("0x3001"), 1)
    );

    let described: BTreeSet<_> = CONTRACTS
        .iter()
        .map(|contract| document(*contract))
        .flat_map(|abi| abi.events.iter().map(|event| format!("{}.{}", abi.name, event.name)).collect::<Vec<_>>())
        .collect();
    assert_eq!(caller.seen, described, "every event that is described was seen, and no other");
    check_what_is_kept(&caller.world);
}

/// Every key of a system contract is of a field that its document describes, with its element and its value.
fn check_what_is_kept(world: &World) {
    let mut seen = BTreeSet::new();
    for (key, value) in world.view.range(&[], &[u8::MAX; 64], 10_000, false).unwrap() {
        let (address, own) = hanse_abi::keys::split_key(&key).unwrap();
        let Some(contract) = hanse_vm::system::contract(&address) else { continue };
        let abi = document(contract);
        let stored = abi.decode_key(own).unwrap_or_else(|| panic!("{}: {own:?}", abi.name));
        assert_eq!(abi.encode_key(&stored.field, stored.element.as_ref()).unwrap(), own, "{stored:?}");
        let decoded = abi.decode_stored(&stored.field, &value);
        // A module is shown as the bytes that it is.
        assert_eq!(decoded.is_ok(), stored.field != "code", "{stored:?}: {decoded:?}");
        seen.insert(format!("{}.{}", abi.name, stored.field));
    }
    let described: BTreeSet<_> = CONTRACTS
        .iter()
        .map(|contract| document(*contract))
        .flat_map(|abi| abi.storage.iter().map(|field| format!("{}.{}", abi.name, field.name)).collect::<Vec<_>>())
        .collect();
    assert_eq!(seen, described, "every field that is described is kept, and no other");
}
