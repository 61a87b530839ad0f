//! The description of the RPC for other languages' tools: an [OpenRPC](https://spec.open-rpc.org) document, made of the
//! tables of [`methods`], the schemas of their types, the table of [`codes`], and examples.
//!
//! A node answers it to `rpc.discover` and at [`PATH`]; it is committed as `docs/openrpc.json`, and tests hold it there to
//! the code, and the examples to a real node.
//!
//! Examples are in `openrpc/examples.json`: by method, a list of `name`, `params`, `result`, recorded from a real node.

use std::sync::LazyLock;

use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::codes::{self, ErrorCode};
use crate::methods::{self, Description, GROUP};

/// Where a node serves it.
pub const PATH: &str = "/openrpc.json";

const EXAMPLES: &str = include_str!("openrpc/examples.json");

/// The document.
pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| document_with(&examples()));
    &DOCUMENT
}

/// The examples that it holds, by method.
pub fn examples() -> Value {
    // They are part of this crate, and a test reads them.
    serde_json::from_str(EXAMPLES).unwrap_or_default()
}

/// The document with other examples.
pub fn document_with(examples: &Value) -> Value {
    let draft = SchemaSettings::draft07;
    let mut params = draft().with(|settings| settings.inline_subschemas = true).into_generator();
    let components = |settings: &mut SchemaSettings| settings.definitions_path = "/components/schemas".into();
    let mut answers = draft().for_serialize().with(components).into_generator();
    let methods: Vec<Value> =
        methods::all().map(|method| describe(method, &mut params, &mut answers, &examples[method.name])).collect();
    let errors: Map<String, Value> = codes::ALL.iter().map(|code| (code.name.into(), error(*code))).collect();
    let mut document = json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Hanse node",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "JSON-RPC 2.0 with named parameters, by POST to the root. Unknown parameters are refused; \
                unknown fields of answers are to be ignored. Heights, gas and milliseconds are numbers below 2⁵³, wider \
                integers decimal strings, bytes 0x and hexadecimal digits. Methods whose x-access is admin are served by the \
                node's admin listener only.",
            "license": { "name": "Apache-2.0" },
        },
        "servers": [{ "name": "development", "url": "http://127.0.0.1:7420" }],
        "methods": methods,
        "components": {
            "contentDescriptors": { GROUP: {
                "name": GROUP,
                "description": "The group that is asked; the node's own if absent.",
                "required": false,
                "schema": { "type": "string" },
            } },
            "errors": errors,
            "schemas": answers.take_definitions(true),
        },
    });
    plain_descriptions(&mut document);
    document
}

fn describe(
    method: &Description,
    params: &mut SchemaGenerator,
    answers: &mut SchemaGenerator,
    examples: &Value,
) -> Value {
    let namespace = method.name.split('_').next().unwrap_or_default();
    let summary = method.about.split_inclusive(". ").next().unwrap_or_default().trim_end();
    let reference = |code: &ErrorCode| json!({ "$ref": format!("#/components/errors/{}", code.name) });
    let examples: Vec<Value> = examples.as_array().into_iter().flatten().map(example).collect();
    json!({
        "name": method.name,
        "tags": [{ "name": namespace }],
        "x-access": method.access,
        "summary": summary,
        "description": method.about,
        "paramStructure": "by-name",
        "params": descriptors(method.params_schema(params), params),
        "result": { "name": "result", "schema": method.answer_schema(answers) },
        "errors": method.errors().iter().map(reference).collect::<Vec<Value>>(),
        "examples": examples,
    })
}

/// Each property of the parameters by itself, those that must be given first, and the group.
fn descriptors(mut schema: Schema, generator: &mut SchemaGenerator) -> Vec<Value> {
    generator.transforms_mut().for_each(|transform| transform.transform(&mut schema));
    let schema = schema.to_value();
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut descriptors: Vec<Value> = properties
        .map(|(name, property)| {
            let mut property = property.clone();
            let description = property.as_object_mut().and_then(|property| property.remove("description"));
            let (required, description) = (required(name), description.unwrap_or_default());
            json!({ "name": name, "description": description, "required": required, "schema": property })
        })
        .collect();
    descriptors.sort_by_key(|descriptor| descriptor["required"] == false);
    descriptors.push(json!({ "$ref": format!("#/components/contentDescriptors/{GROUP}") }));
    descriptors
}

fn example(example: &Value) -> Value {
    let params = example["params"].as_object().into_iter().flatten();
    let params: Vec<Value> = params.map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({ "name": example["name"], "params": params, "result": { "name": "result", "value": example["result"] } })
}

fn error(code: ErrorCode) -> Value {
    let ErrorCode { code, name, retry, meaning, hint } = code;
    json!({ "code": code, "message": meaning, "data": { "name": name, "retry": retry, "hint": hint } })
}

/// Writes the descriptions, which come from Rust's documentation, as text: links become their names, lines flow.
fn plain_descriptions(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(plain_descriptions),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    // An example's value is data, whatever its fields are called.
                    _ if name == "value" => {}
                    Value::String(text) if name == "description" => *text = plain(text),
                    other => plain_descriptions(other),
                }
            }
        }
        _ => {}
    }
}

fn plain(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((path, after)) = link.split_once("`]") else { break };
        plain.push_str(before);
        plain.push_str(&format!("`{}`", path.rsplit("::").next().unwrap_or(path)));
        let target = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    (plain + rest).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_method_has_words_examples_and_errors() {
        let document = document();
        let described = document["methods"].as_array().unwrap();
        assert_eq!(described.len(), methods::all().count());
        for method in described {
            let name = &method["name"];
            for part in ["summary", "description"] {
                assert!(method[part].as_str().is_some_and(|text| text.ends_with('.')), "{name}: {part}");
            }
            for part in ["examples", "errors", "params"] {
                assert!(method[part].as_array().is_some_and(|list| !list.is_empty()), "{name}: {part}");
            }
            assert!(["public", "admin"].contains(&method["x-access"].as_str().unwrap()), "{name}");
            for param in method["params"].as_array().unwrap().iter().filter(|param| param.get("$ref").is_none()) {
                assert!(param["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}: {param}");
            }
        }
    }

    /// A field that holds nothing reads as one that is not there.
    fn without_nulls(value: Value) -> Value {
        match value {
            Value::Array(values) => values.into_iter().map(without_nulls).collect(),
            Value::Object(fields) => {
                let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
                kept.map(|(name, value)| (name, without_nulls(value))).collect()
            }
            other => other,
        }
    }

    #[test]
    fn examples_are_of_their_methods_types() {
        let all = examples();
        for method in methods::all() {
            for example in all[method.name].as_array().into_iter().flatten() {
                let params = example["params"].clone();
                let read = method.check_params(params.clone());
                assert!(read.is_ok(), "{}: {read:?}: {params}", method.name);
                let result = example["result"].clone();
                let read = method.check_answer(result.clone()).unwrap();
                assert_eq!(without_nulls(read), without_nulls(result), "{}", method.name);
            }
        }
        let known = |name: &String| methods::all().any(|method| method.name == name);
        assert_eq!(all.as_object().unwrap().keys().find(|name| !known(name)), None, "no such method");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(value: &Value, document: &Value) {
            match value {
                Value::Array(values) => values.iter().for_each(|value| check(value, document)),
                Value::Object(fields) => {
                    if let Some(Value::String(target)) = fields.get("$ref") {
                        assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
                    }
                    fields.values().for_each(|value| check(value, document));
                }
                _ => {}
            }
        }
        check(document(), document());
    }

    #[test]
    fn links_become_words() {
        assert_eq!(plain("See [`crate::a::B`](c),\nor [`D`]."), "See `B`, or `D`.");
        assert_eq!(plain("an [`open end"), "an [`open end");
    }
}
