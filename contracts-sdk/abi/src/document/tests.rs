//! Values go to Borsh and back, and what is wrong is said.
#![allow(clippy::unwrap_used)]

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::{Abi, Field, HintedAccess, TemplatePart};
use crate::{Address, Event};

fn abi() -> Abi {
    serde_json::from_value(json!({
        "name": "Shop",
        "methods": [
            { "name": "pay", "args": [{ "name": "to", "type": "Address" }, { "name": "amount", "type": "u128" }],
              "returns": "(u64, Option<String>)",
              "hints": [
                { "field": "balances", "key": [{ "ctx": "caller" }], "access": "read" },
                { "field": "allowances", "key": [{ "arg": "to" }, { "ctx": "caller" }], "access": "write" },
                { "field": "fees", "key": [{ "const": "7" }], "access": "add" },
                { "field": "total", "key": [], "access": "add" },
                { "field": "orders", "key": [{ "arg": "amount" }], "access": "write" },
                { "field": "balances", "key": null, "access": "write" }
              ] },
            { "name": "order", "args": [{ "name": "order", "type": "Order" }], "returns": "Vec<Order>" },
            { "name": "total", "kind": "view", "args": [] }
        ],
        "types": [
            { "name": "Order", "fields": [
                { "name": "id", "type": "[u8; 2]" }, { "name": "notes", "type": "Vec<u8>" },
                { "name": "state", "type": "State" }, { "name": "count", "type": "i16" }] },
            { "name": "State", "variants": [
                { "name": "Open" }, { "name": "Sent", "fields": [{ "name": "at", "type": "u32" }] }] },
            { "name": "Tree", "fields": [{ "name": "children", "type": "Vec<Tree>" }] }
        ],
        "events": [{ "name": "Paid", "fields": [
            { "name": "amount", "type": "u128" }, { "name": "to", "type": "Address", "topic": true }] }],
        "errors": [{ "code": 3, "name": "TooLittle", "message": "{have} of {need} coins",
            "fields": [{ "name": "have", "type": "u128" }, { "name": "need", "type": "u8" }] }],
        "storage": [
            { "name": "balances", "type": "Map<Address, u128>" },
            { "name": "allowances", "type": "Map<(Address, Address), u128>" },
            { "name": "fees", "type": "Map<u16, u128>" },
            { "name": "total", "type": "Counter<u64>" },
            { "name": "orders", "type": "OrderedMap<u128, Order>" }
        ]
    }))
    .unwrap()
}

fn said(error: impl ToString, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn arguments_by_name_or_order_make_the_same_bytes() {
    let to = Address::native(5);
    let by_name = abi().encode_args("pay", &json!({ "amount": "300", "to": to.to_string() })).unwrap();
    let in_order = abi().encode_args("pay", &json!([to.to_string(), 300])).unwrap();
    assert_eq!(by_name, borsh::to_vec(&(to, 300u128)).unwrap());
    assert_eq!(by_name, in_order);
    assert_eq!(abi().decode_args("pay", &by_name).unwrap(), json!({ "to": to, "amount": "300" }));
    assert_eq!(abi().encode_args("total", &Value::Null).unwrap(), Vec::<u8>::new());
}

#[test]
fn structs_and_enums_go_there_and_back() {
    let abi = abi();
    for state in [json!("Open"), json!({ "Sent": { "at": 9 } })] {
        let order = json!({ "id": "0x0102", "notes": "0x", "state": state, "count": -2 });
        let bytes = abi.encode_args("order", &json!({ "order": order })).unwrap();
        assert_eq!(abi.decode_args("order", &bytes).unwrap()["order"], order);
    }
    let sent = abi.encode_args(
        "order",
        &json!([{ "id": [1, 2], "notes": [3], "state": { "Sent": { "at": 9 } }, "count": "-2" }]),
    );
    assert_eq!(sent.unwrap(), [1, 2, 1, 0, 0, 0, 3, 1, 9, 0, 0, 0, 0xfe, 0xff]);
}

#[test]
fn results_are_shown_by_their_type() {
    let output = borsh::to_vec(&(7u64, Some("x"))).unwrap();
    assert_eq!(abi().decode_output("pay", &output).unwrap(), json!(["7", "x"]));
    assert_eq!(abi().decode_output("total", &[]).unwrap(), Value::Null);
    assert_eq!(abi().decode_value("i64", &(-5i64).to_le_bytes()).unwrap(), json!("-5"));
    assert_eq!(abi().decode_value("i8", &[0xff]).unwrap(), json!(-1));
    assert_eq!(abi().decode_value("Vec<u16>", &[1, 0, 0, 0, 2, 1]).unwrap(), json!([258]));
}

#[test]
fn wrong_arguments_are_named() {
    let abi = abi();
    let refused = |args: Value| abi.encode_args("pay", &args).unwrap_err();
    let to = Address::ZERO.to_string();
    said(refused(json!({ "to": to })), &["\"amount\" is missing", "pay(to: Address, amount: u128)"]);
    said(refused(json!({ "to": to, "amount": 1, "fee": 2 })), &["no argument \"fee\""]);
    said(refused(json!([to])), &["1 arguments were given, 2 are taken"]);
    said(refused(json!("x")), &["an object by name"]);
    said(refused(json!({ "to": "bob", "amount": 1 })), &["argument \"to\"", "Address", "0x", "\"bob\""]);
    for amount in [json!(-1), json!(1.5), json!("+1"), json!("1e3"), json!(true), json!("")] {
        said(refused(json!({ "to": to, "amount": amount })), &["argument \"amount\"", "u128"]);
    }
    said(abi.encode_args("nothing", &Value::Null).unwrap_err(), &["\"nothing\"", "pay, order, total"]);
    said(abi.encode_args("pay", &Value::Null).unwrap_err(), &["2 arguments are missing"]);
}

#[test]
fn wrong_values_inside_are_named_with_the_way_to_them() {
    let abi = abi();
    let order = |id: Value, state: Value, count: Value| {
        let order = json!({ "id": id, "notes": "0x", "state": state, "count": count });
        abi.encode_args("order", &json!({ "order": order })).unwrap_err()
    };
    said(order(json!("0x01"), json!("Open"), json!(0)), &["\"order\".id", "0x and 4 digits"]);
    said(order(json!("0x0102"), json!("Lost"), json!(0)), &["\"order\".state", "Open, Sent", "Lost"]);
    said(order(json!("0x0102"), json!({ "Sent": {} }), json!(0)), &["\"order\".state.Sent", "at"]);
    said(order(json!("0x0102"), json!("Open"), json!(40_000)), &["\"order\".count", "-32768 to 32767"]);
}

#[test]
fn bytes_that_are_no_value_are_refused() {
    let abi = abi();
    said(abi.decode_value("u64", &[1]).unwrap_err(), &["u64", "too early"]);
    said(abi.decode_value("u8", &[1, 2]).unwrap_err(), &["1 bytes are left over"]);
    said(abi.decode_value("bool", &[2]).unwrap_err(), &["neither 0 nor 1"]);
    said(abi.decode_value("State", &[7]).unwrap_err(), &["no variant 7"]);
    said(abi.decode_value("Vec<()>", &[255, 255, 255, 255]).unwrap_err(), &["no bytes"]);
    said(abi.decode_value("Ghost", &[]).unwrap_err(), &["does not describe the type Ghost"]);
    let deep = [1, 0, 0, 0].repeat(1_000);
    said(abi.decode_value("Tree", &deep).unwrap_err(), &["too deep"]);
}

#[test]
fn events_and_errors_are_shown_by_name() {
    let abi = abi();
    let to = Address::native(1);
    let event = Event { name: "Paid".into(), topics: vec![to.0.to_vec()], data: 5u128.to_le_bytes().to_vec() };
    assert_eq!(abi.decode_event(&event).unwrap(), json!({ "amount": "5", "to": to }));
    said(abi.decode_event(&Event::default()).unwrap_err(), &["does not describe the event"]);

    let fields = borsh::to_vec(&(2u128, 9u8)).unwrap();
    let error = abi.decode_error(3, &fields).unwrap();
    assert_eq!((error.name.as_str(), &error.fields), ("TooLittle", &json!({ "have": "2", "need": 9 })));
    assert_eq!(error.text, "2 of 9 coins");
    said(abi.decode_error(4, &[]).unwrap_err(), &["code 4"]);
}

#[test]
fn hints_become_templates_where_every_key_is_shown_whole() {
    let mut abi = abi();
    assert_eq!(abi.key_templates("pay"), None, "elements of an ordered field, and of one that is not shown");
    assert_eq!(abi.key_templates("total"), None, "no hints");
    abi.methods[0].hints.truncate(4);
    let templates = abi.key_templates("pay").unwrap();
    let bytes = |bytes: &[u8]| TemplatePart::Bytes(bytes.to_vec());
    assert_eq!(templates[0].parts, [bytes(b"balances\0"), TemplatePart::Caller]);
    assert_eq!(templates[1].parts, [bytes(b"allowances\0"), TemplatePart::Args(0..20), TemplatePart::Caller]);
    assert_eq!(templates[2].parts, [bytes(b"fees\0"), bytes(&[7, 0])]);
    assert_eq!((&templates[3].parts[..], templates[3].access), (&[bytes(b"total\0")][..], HintedAccess::Add));
    abi.methods[0].args.insert(0, Field { name: "memo".into(), ty: "String".into(), ..Field::default() });
    assert_eq!(abi.key_templates("pay"), None, "the payee lies behind a text");
}

#[test]
fn hints_become_keys() {
    let (caller, to) = (Address::native(1), Address::native(2));
    let args = borsh::to_vec(&(to, 300u128)).unwrap();
    let keys = abi().hinted_keys("pay", &caller, &args);
    let key = |field: &[u8], element: &[u8]| [field, &[0], element].concat();
    assert_eq!(keys[0].key, key(b"balances", &caller.0));
    assert_eq!(keys[0].access, HintedAccess::Read);
    assert_eq!(keys[1].key, key(b"allowances", &[to.0, caller.0].concat()));
    assert_eq!(keys[2].key, key(b"fees", &7u16.to_le_bytes()));
    assert_eq!(keys[3].key, key(b"total", b""));
    assert_eq!((keys[4].exact, &keys[4].key), (false, &key(b"orders", b"")));
    assert_eq!((keys[5].exact, &keys[5].key), (false, &key(b"balances", b"")));
    assert!(abi().hinted_keys("pay", &caller, &args[1..]).is_empty());
}
