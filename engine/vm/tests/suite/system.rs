//! The system contracts: who may do what, what is refused, what stays.

use hanse_types::crypto::CryptoSuite;
use hanse_types::genesis::ConsensusKind;
use hanse_types::{Address, ContractRef, Execution, Params, Role, Status, limits};
use hanse_vm::contract_address;
use hanse_vm::system::lifecycle::{Condition, Info, Record};
use hanse_vm::system::{account, admission, lifecycle, members, names, params};

use crate::world::{ADMIN, ALICE, BOB, WEALTH, World, encode, module, node_key, wasm};

fn refused(execution: Execution, status: Status, message: &str) {
    assert_eq!(execution.status, status, "{}", execution.message);
    assert!(execution.message.contains(message), "{}", execution.message);
}

fn done(execution: Execution) -> Vec<u8> {
    assert_eq!(execution.status, Status::Success, "{}", execution.message);
    execution.output
}

fn balance(world: &mut World, of: Address) -> u128 {
    borsh::from_slice(&done(world.system(BOB, account::ADDRESS, "balance_of", &of))).unwrap()
}

#[test]
fn money_moves_and_none_appears() {
    let mut world = World::new();
    let pay = |world: &mut World, from, to: Address, amount: u128| {
        world.system(from, account::ADDRESS, "transfer", &(to, amount))
    };
    let execution = pay(&mut world, ALICE, BOB, WEALTH);
    assert_eq!(execution.events.len(), 1);
    assert_eq!(execution.events[0].contract, account::ADDRESS);
    assert_eq!((balance(&mut world, ALICE), balance(&mut world, BOB)), (0, WEALTH));
    let execution = pay(&mut world, ALICE, BOB, 1);
    assert_eq!((execution.status, execution.error_code), (Status::Reverted, account::INSUFFICIENT_BALANCE));
    assert_eq!(execution.output, encode(&(0u128, 1u128)));
    assert_eq!(execution.failed_in, account::ADDRESS);
    done(pay(&mut world, BOB, BOB, WEALTH));
    assert_eq!(balance(&mut world, BOB), WEALTH, "a payment to oneself changes nothing");
    done(pay(&mut world, ALICE, ALICE, 0));
    refused(
        world.system(ALICE, account::ADDRESS, "issue", &(ALICE, 1u128)),
        Status::PermissionDenied,
        "no administrator",
    );
    let too_much = world.system(ADMIN, account::ADDRESS, "issue", &(ALICE, u128::MAX));
    refused(too_much, Status::OutOfBounds, "2^127");
    for _ in 0..2 {
        done(world.system(ADMIN, account::ADDRESS, "issue", &(ALICE, i128::MAX as u128 - 1_000)));
    }
    let beyond = world.system(ADMIN, account::ADDRESS, "issue", &(BOB, 2_000u128));
    refused(beyond, Status::OutOfBounds, "supply");
    let supply: u128 = borsh::from_slice(&done(world.system(BOB, account::ADDRESS, "supply", &()))).unwrap();
    assert_eq!(supply, balance(&mut world, ALICE) + balance(&mut world, BOB));
}

#[test]
fn payments_to_one_payee_do_not_read_the_payee() {
    let world = World::new();
    let args = encode(&(BOB, 1u128));
    let outcome = world.dry(&world.transaction(ALICE, account::ADDRESS, "transfer", args));
    let touches_payee = |key: &[u8]| key.ends_with(&BOB.0);
    assert!(!outcome.rw_set.reads.iter().any(|read| touches_payee(&read.key)));
    assert!(outcome.rw_set.adds.iter().any(|add| touches_payee(&add.key)));
}

#[test]
fn labels_are_given_once() {
    let mut world = World::new();
    done(world.system(BOB, account::ADDRESS, "create_account", &(BOB, "Bob")));
    let again = world.system(ALICE, account::ADDRESS, "create_account", &(BOB, "Bert"));
    assert_eq!((again.status, again.error_code), (Status::Reverted, account::ACCOUNT_EXISTS));
    assert_eq!(done(world.system(BOB, account::ADDRESS, "label_of", &BOB)), encode(&Some("Bob")));
    assert_eq!(done(world.system(BOB, account::ADDRESS, "label_of", &ALICE)), encode(&None::<String>));
    let long =
        world.system(BOB, account::ADDRESS, "create_account", &(ALICE, "x".repeat(limits::CONTRACT_VALUE_BYTES)));
    refused(long, Status::LimitExceeded, "a value");
}

/// Keeps the byte that it was made with; `get` returns it, `migrate` adds one to it.
fn keeper(answer: u8) -> Vec<u8> {
    let abi =
        "{'methods':[{'name':'create','kind':'init'},{'name':'get','kind':'view'},{'name':'more','kind':'migrate'}]}";
    wasm(&module(&format!(
        r#"(data (i32.const 0) "k\{answer:02x}")
        (func (export "hanse.create") (drop (call $input (i32.const 8) (i32.const 8)))
            (call $set (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 1)))
        (func (export "hanse.get") (drop (call $get (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 8)))
            (i32.store8 (i32.const 9) (i32.load8_u (i32.const 1))) (call $output (i32.const 8) (i32.const 2)))
        (func (export "hanse.more") (drop (call $get (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 8)))
            (i32.store8 (i32.const 8) (i32.add (i32.const 1) (i32.load8_u (i32.const 8))))
            (call $set (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 1)))
        (@custom "hanse_abi" "{}")"#,
        abi.replace('\'', "\\22")
    )))
}

#[test]
fn a_contract_lives_through_all_conditions() {
    let mut world = World::new();
    let contract = contract_address(CryptoSuite::Standard, &ALICE, "keeper");
    assert_eq!(done(world.try_deploy("keeper", &keeper(1), &[40])), contract.0);
    assert_eq!(done(world.call(contract, "get", &[])), [40, 1]);
    for method in ["create", "more"] {
        refused(world.call(contract, method, &[]), Status::MethodNotFound, method);
    }
    let upgrade = |world: &mut World, by, code: Vec<u8>| {
        world.system(by, lifecycle::ADDRESS, "upgrade", &(contract, code, Vec::<u8>::new()))
    };
    refused(upgrade(&mut world, BOB, keeper(2)), Status::PermissionDenied, "belongs to");
    refused(upgrade(&mut world, ADMIN, keeper(2)), Status::PermissionDenied, "belongs to");
    assert_eq!(done(upgrade(&mut world, ALICE, keeper(2))), encode(&2u32));
    assert_eq!(done(world.call(contract, "get", &[])), [41, 2], "the state stays and `migrate` ran once");
    refused(upgrade(&mut world, ALICE, b"nonsense".to_vec()), Status::InvalidArguments, "the code is refused");

    let change = |world: &mut World, by, method: &str| world.system(by, lifecycle::ADDRESS, method, &contract);
    refused(change(&mut world, BOB, "freeze"), Status::PermissionDenied, "belongs to");
    refused(change(&mut world, ALICE, "unfreeze"), Status::InvalidOperation, "Active already");
    done(change(&mut world, ADMIN, "freeze"));
    refused(world.call(contract, "get", &[]), Status::Frozen, "is frozen");
    refused(change(&mut world, ALICE, "freeze"), Status::InvalidOperation, "Frozen already");
    refused(upgrade(&mut world, ALICE, keeper(3)), Status::Frozen, "is frozen");
    refused(change(&mut world, ALICE, "unfreeze"), Status::PermissionDenied, "an administrator froze");
    done(change(&mut world, ADMIN, "unfreeze"));
    assert_eq!(done(world.call(contract, "get", &[])), [41, 2], "a refused upgrade left nothing");

    done(world.system(ALICE, lifecycle::ADDRESS, "transfer_ownership", &(contract, BOB)));
    refused(upgrade(&mut world, ALICE, keeper(3)), Status::PermissionDenied, "belongs to");
    done(upgrade(&mut world, BOB, keeper(3)));
    let record: Option<Record> = borsh::from_slice(&done(change(&mut world, ALICE, "record"))).unwrap();
    assert_eq!(
        record,
        Some(Record {
            code: lifecycle::code_hash(CryptoSuite::Standard, &keeper(3)),
            version: 3,
            condition: Condition::Active
        })
    );
    let info: Option<Info> = borsh::from_slice(&done(change(&mut world, ALICE, "info"))).unwrap();
    let expected = Info {
        name: "keeper".into(),
        owner: BOB,
        deployed_at: 1_000,
        upgraded_at: 1_000,
        frozen_by_administrator: false,
    };
    assert_eq!(info, Some(expected));

    done(change(&mut world, BOB, "revoke"));
    refused(world.call(contract, "get", &[]), Status::Revoked, "is revoked");
    for method in ["freeze", "unfreeze", "revoke"] {
        refused(change(&mut world, BOB, method), Status::Revoked, "for good");
    }
    refused(upgrade(&mut world, BOB, keeper(4)), Status::Revoked, "is revoked");
}

/// Whoever froze a contract decides who may unfreeze it, and an owner can't freeze it first to keep an administrator out.
#[test]
fn an_owner_does_not_undo_what_an_administrator_froze() {
    let mut world = World::new();
    let contract = world.deploy("plain", &module("(func (export \"hanse.run\"))"));
    let change = |world: &mut World, by, method: &str| world.system(by, lifecycle::ADDRESS, method, &contract);
    let info = |world: &mut World| {
        let info: Option<Info> = borsh::from_slice(&done(change(world, BOB, "info"))).unwrap();
        info.unwrap().frozen_by_administrator
    };
    for by in [ALICE, ADMIN] {
        assert_eq!(change(&mut world, ALICE, "freeze").events[0].event.data, [0]);
        assert!(!info(&mut world));
        done(change(&mut world, by, "unfreeze"));
        done(world.call(contract, "run", &[]));
    }
    done(change(&mut world, ALICE, "freeze"));
    assert_eq!(change(&mut world, ADMIN, "freeze").events[0].event.data, [1]);
    assert!(info(&mut world));
    refused(change(&mut world, ADMIN, "freeze"), Status::InvalidOperation, "Frozen already");
    refused(change(&mut world, ALICE, "freeze"), Status::InvalidOperation, "Frozen already");
    refused(change(&mut world, ALICE, "unfreeze"), Status::PermissionDenied, "only an administrator");
    done(world.system(ALICE, lifecycle::ADDRESS, "transfer_ownership", &(contract, BOB)));
    refused(change(&mut world, BOB, "unfreeze"), Status::PermissionDenied, "only an administrator");
    refused(world.call(contract, "run", &[]), Status::Frozen, "is frozen");
    done(change(&mut world, ADMIN, "unfreeze"));
    assert!(!info(&mut world));
    done(world.call(contract, "run", &[]));
    done(change(&mut world, BOB, "freeze"));
    done(change(&mut world, BOB, "unfreeze"));
}

#[test]
fn what_can_not_be_deployed_leaves_nothing() {
    let mut world = World::new();
    let plain = wasm(&module("(func (export \"hanse.run\"))"));
    let before = world.view.len();
    refused(world.try_deploy("9 lives", &plain, &[]), Status::InvalidArguments, "a name is a letter");
    refused(world.try_deploy(&"n".repeat(65), &plain, &[]), Status::InvalidArguments, "a name is a letter");
    refused(world.try_deploy(&"n".repeat(1 << 20), &plain, &[]), Status::LimitExceeded, "a value");
    refused(world.try_deploy("account", &plain, &[]), Status::PermissionDenied, "belongs to");
    refused(world.try_deploy("plain", &plain, &[1]), Status::InvalidArguments, "no method that takes them");
    let failing = "{'methods':[{'name':'run','kind':'init'}]}".replace('\'', "\\22");
    let failing = format!("(func (export \"hanse.run\") unreachable) (@custom \"hanse_abi\" \"{failing}\")");
    let execution = world.try_deploy("failing", &wasm(&module(&failing)), &[]);
    assert_eq!(execution.failed_in, contract_address(CryptoSuite::Standard, &ALICE, "failing"));
    refused(execution, Status::Trapped, "unreachable");
    assert_eq!(world.view.len(), before);
    done(world.try_deploy("plain", &plain, &[]));
    refused(world.try_deploy("plain", &plain, &[]), Status::InvalidOperation, "upgrade it");
    refused(world.system(ALICE, lifecycle::ADDRESS, "freeze", &BOB), Status::ContractNotFound, "no contract");
}

#[test]
fn deployment_can_be_closed() {
    let mut world = World::with(|params| params.open_deployment = false);
    let plain = wasm(&module("(func (export \"hanse.run\"))"));
    refused(world.try_deploy("plain", &plain, &[]), Status::PermissionDenied, "no administrator");
    done(world.system(ADMIN, lifecycle::ADDRESS, "deploy", &("plain", &plain, Vec::<u8>::new())));
}

fn register(world: &mut World, by: Address, name: &str, version: u32, address: Address) -> Execution {
    world.system(by, names::ADDRESS, "register", &(name, version, address))
}

#[test]
fn names_belong_to_whoever_came_first() {
    let mut world = World::new();
    assert_eq!(done(register(&mut world, ALICE, "shop", 0, ALICE)), encode(&1u32));
    assert_eq!(done(register(&mut world, ALICE, "shop", 7, BOB)), encode(&7u32));
    refused(register(&mut world, ALICE, "shop", 7, ALICE), Status::InvalidArguments, "not above the newest");
    refused(register(&mut world, BOB, "shop", 0, BOB), Status::PermissionDenied, "belongs to");
    refused(register(&mut world, BOB, "lifecycle", 0, BOB), Status::PermissionDenied, "belongs to");
    let resolve =
        |world: &mut World, version: u32| done(world.system(BOB, names::ADDRESS, "resolve", &("shop", version)));
    assert_eq!(resolve(&mut world, 0), encode(&Some(BOB)));
    assert_eq!(resolve(&mut world, 1), encode(&Some(ALICE)));
    assert_eq!(resolve(&mut world, 2), encode(&None::<Address>));
    refused(
        world.system(BOB, names::ADDRESS, "transfer", &("shop", BOB)),
        Status::PermissionDenied,
        "not the caller's",
    );
    done(world.system(ALICE, names::ADDRESS, "transfer", &("shop", BOB)));
    assert_eq!(done(world.system(BOB, names::ADDRESS, "owner_of", &"shop")), encode(&Some(BOB)));
    done(register(&mut world, BOB, "shop", u32::MAX, BOB));
    refused(register(&mut world, BOB, "shop", 0, BOB), Status::InvalidArguments, "not above the newest");
}

#[test]
fn a_transaction_finds_a_contract_by_name_and_version() {
    let mut world = World::new();
    let contract =
        world.deploy("shop", &module("(func (export \"hanse.run\") (call $output (i32.const 0) (i32.const 3)))"));
    let by_name = |world: &World, name: &str, version| {
        let mut transaction = world.transaction(BOB, contract, "run", Vec::new());
        transaction.contract = ContractRef::Name { name: name.into(), version };
        world.dry(&transaction)
    };
    assert_eq!(by_name(&world, "shop", 0).execution.output, [0; 3]);
    assert_eq!(by_name(&world, "shop", 1).execution.output, [0; 3]);
    let missing = by_name(&world, "shop", 2);
    assert_eq!(missing.execution.status, Status::ContractNotFound);
    assert!(missing.rw_set.reads.iter().any(|read| !read.present), "that it is missing is an observation");
    assert_eq!(by_name(&world, &"\0".repeat(64), 0).execution.status, Status::ContractNotFound);
}

/// What a contract deploys belongs to the contract, whoever called it.
#[test]
fn a_contract_can_not_take_its_callers_names() {
    let mut world = World::new();
    done(register(&mut world, ALICE, "shop", 0, ALICE));
    let inner = wasm("(module (memory (export \"memory\") 1) (func (export \"hanse.run\")))");
    let args = encode(&("shop", &inner, Vec::<u8>::new()));
    let data: String =
        [&lifecycle::ADDRESS.0[..], b"deploy", &args].concat().iter().map(|byte| format!("\\{byte:02x}")).collect();
    let thief = module(&format!(
        "(data (i32.const 0) \"{data}\") (func (export \"hanse.run\") (i64.store (i32.const 1024)
            (call $call (i32.const 0) (i32.const 20) (i32.const 6) (i32.const 26) (i32.const {}) (i64.const -1)))
            (call $output (i32.const 1028) (i32.const 1)))",
        args.len()
    ));
    let thief = world.deploy("thief", &thief);
    assert_eq!(done(world.call(thief, "run", &[])), [Status::PermissionDenied.code()]);
    assert_eq!(done(world.system(BOB, names::ADDRESS, "resolve", &("shop", 0u32))), encode(&Some(ALICE)));
}

#[test]
fn parameters_are_set_within_their_ranges_by_administrators() {
    let mut world = World::new();
    let set = |world: &mut World, by, name: &str, value: u64| world.system(by, params::ADDRESS, "set", &(name, value));
    refused(set(&mut world, ALICE, "tx_gas_max", 5), Status::PermissionDenied, "no administrator");
    for (name, value) in [
        ("block_tx_count_max", 5),
        ("block_bytes_max", 9 << 20),
        ("block_interval_ms", 50),
        ("tx_gas_max", 5),
        ("tx_lifetime_ms_max", 60_000),
        ("ref_block_window", 9),
        ("memory_pages_max", 9),
        ("floats_allowed", 1),
        ("open_deployment", 0),
    ] {
        done(set(&mut world, ADMIN, name, value));
    }
    for (name, value) in [
        ("block_tx_count_max", 0),
        ("block_tx_count_max", 1 << 32),
        ("block_bytes_max", 1),
        ("block_interval_ms", u64::MAX),
        ("tx_gas_max", 0),
        ("tx_gas_max", u64::MAX),
        ("tx_lifetime_ms_max", 0),
        ("ref_block_window", 0),
        // It was made shorter, and validators that were restarted since know no more.
        ("ref_block_window", 10),
        ("memory_pages_max", 0),
        ("memory_pages_max", 1 << 20),
        ("floats_allowed", 2),
        ("open_deployment", u64::MAX),
        ("gas_schedule", 2),
        ("", 0),
    ] {
        assert_eq!(set(&mut world, ADMIN, name, value).status, Status::InvalidArguments, "{name} = {value}");
    }
    let expected = Params {
        block_tx_count_max: 5,
        block_bytes_max: 9 << 20,
        block_interval_ms: 50,
        tx_gas_max: hanse_types::Gas(5),
        tx_lifetime_ms_max: 60_000,
        ref_block_window: 9,
        memory_pages_max: 9,
        floats_allowed: true,
        open_deployment: false,
        ..Params::default()
    };
    assert_eq!(done(world.system(BOB, params::ADDRESS, "get", &())), encode(&expected));
    assert_eq!(params::load(&*world.view).unwrap(), expected, "the next block is made by these");
}

#[test]
fn there_is_always_an_administrator() {
    let mut world = World::new();
    let change = |world: &mut World, by, method: &str, who: Address| world.system(by, params::ADDRESS, method, &who);
    refused(change(&mut world, BOB, "add_administrator", BOB), Status::PermissionDenied, "no administrator");
    refused(change(&mut world, ADMIN, "remove_administrator", ADMIN), Status::InvalidArguments, "the last");
    refused(change(&mut world, ADMIN, "remove_administrator", BOB), Status::InvalidArguments, "is no administrator");
    refused(change(&mut world, ADMIN, "add_administrator", ADMIN), Status::InvalidArguments, "already");
    done(change(&mut world, ADMIN, "add_administrator", BOB));
    done(change(&mut world, BOB, "remove_administrator", ADMIN));
    refused(change(&mut world, ADMIN, "add_administrator", ALICE), Status::PermissionDenied, "no administrator");
    for n in 0..63u8 {
        done(change(&mut world, BOB, "add_administrator", Address([n; 20])));
    }
    refused(change(&mut world, BOB, "add_administrator", ALICE), Status::InvalidArguments, "64 administrators already");
}

fn member(world: &mut World, by: Address, name: &str, key: &str, role: Role) -> Execution {
    world.system(by, members::ADDRESS, "add", &(name, key, role))
}

#[test]
fn members_are_changed_by_administrators_and_somebody_always_seals() {
    let mut world = World::new();
    let key = |n| node_key(n).to_string();
    refused(member(&mut world, ALICE, "two", &key(2), Role::Sealer), Status::PermissionDenied, "no administrator");
    done(member(&mut world, ADMIN, "two", &key(2), Role::Observer));
    refused(member(&mut world, ADMIN, "two", &key(3), Role::Sealer), Status::InvalidArguments, "a member two already");
    refused(member(&mut world, ADMIN, "three", &key(2), Role::Sealer), Status::InvalidArguments, "member two's");
    refused(member(&mut world, ADMIN, "three", "ed25519:12", Role::Sealer), Status::InvalidArguments, "is written as");
    let last = world.system(ADMIN, members::ADDRESS, "remove", &"founder");
    refused(last, Status::InvalidArguments, "founder is the only sealer");
    done(world.system(ADMIN, members::ADDRESS, "set_role", &("two", Role::Sealer)));
    done(world.system(ADMIN, members::ADDRESS, "remove", &"founder"));
    refused(world.system(ADMIN, members::ADDRESS, "remove", &"founder"), Status::InvalidArguments, "no member founder");
    done(world.system(ADMIN, members::ADDRESS, "replace_key", &("two", key(4))));
    let now = members::load(&*world.view).unwrap();
    assert_eq!(now.validators().unwrap().index_of(&node_key(4)), Some(0));
    assert_eq!(now.as_slice().len(), 1);
}

#[test]
fn who_decides_alone_is_not_replaced_and_may_be_watched() {
    let mut world = World::agreeing_by(ConsensusKind::Solo);
    done(member(&mut world, ADMIN, "two", &node_key(2).to_string(), Role::Observer));
    let second = world.system(ADMIN, members::ADDRESS, "set_role", &("two", Role::Sealer));
    refused(second, Status::InvalidOperation, "decides alone");
    let other = world.system(ADMIN, members::ADDRESS, "replace_key", &("founder", node_key(3).to_string()));
    refused(other, Status::InvalidOperation, "decides alone");
}

#[test]
fn who_is_let_in_is_said_by_administrators_and_kept_in_order() {
    let mut world = World::new();
    let key = |n| node_key(n).to_string();
    let mut call = |by, method: &str, args: &[u8]| world.call_as(by, admission::ADDRESS, method, args);
    let one = |key: String| encode(&key);
    refused(call(ALICE, "deny", &one(key(2))), Status::PermissionDenied, "no administrator");
    refused(call(ADMIN, "deny", &one("ed25519:12".into())), Status::InvalidArguments, "is written as");
    refused(call(ADMIN, "pardon", &one(key(2))), Status::InvalidArguments, "is not denied");
    refused(call(ADMIN, "distrust", &one(key(2))), Status::InvalidArguments, "no authority");
    refused(call(ADMIN, "trust", &encode(&(key(2), vec![0u8; 1_025]))), Status::InvalidArguments, "1 to 1024 bytes");
    for n in 2..10 {
        done(call(ADMIN, "deny", &one(key(n))));
    }
    refused(call(ADMIN, "deny", &one(key(2))), Status::InvalidArguments, "is denied already");
    done(call(ADMIN, "pardon", &one(key(3))));
    done(call(ADMIN, "trust", &encode(&(key(2), vec![1u8]))));
    done(call(ADMIN, "trust", &encode(&(key(2), vec![2u8]))));
    let rules = admission::load(&*world.view).unwrap();
    assert!(rules.denied.is_sorted() && rules.denied.len() == 7 && !rules.denied.contains(&node_key(3)));
    let authority = admission::TrustedAuthority { key: node_key(2), certificate: vec![2] };
    assert_eq!(rules.authorities, [authority]);
}
