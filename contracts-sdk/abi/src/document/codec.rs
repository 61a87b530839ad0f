//! Arguments, results, events and errors between JSON and Borsh.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;
use serde_json::{Map, Value};

use super::types::{Type, TypeError};
use super::{Abi, Field, Method};
use crate::Event;

/// Why a value could not be converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The contract has no such method.
    #[error("the contract has no method {name:?}; it has {known}")]
    NoMethod {
        /// The name.
        name: String,
        /// The methods it has.
        known: String,
    },
    /// The arguments do not fit the method.
    #[error("{what}; the method is {method}")]
    Arguments {
        /// What does not fit.
        what: String,
        /// The method's signature.
        method: String,
    },
    /// A value is not of its type.
    #[error("{place}: expected {expected}, found {found}")]
    Mismatch {
        /// Which value: an argument, and the way into it.
        place: String,
        /// The type, and how it is written.
        expected: String,
        /// What was there.
        found: String,
    },
    /// Bytes end too early, are left over, or stand for no value of their type.
    #[error("{place}: the bytes do not hold {expected}: {what}")]
    Bytes {
        /// Which value.
        place: String,
        /// The type.
        expected: String,
        /// What is wrong with them.
        what: String,
    },
    /// The document names a type that it does not describe.
    #[error("{place}: the ABI does not describe the type {name}")]
    UnknownType {
        /// Which value.
        place: String,
        /// The type.
        name: String,
    },
    /// The document holds a text that is no type.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// The document has no such event or error.
    #[error("the ABI does not describe {what}")]
    Unknown {
        /// The event's name or the error's code.
        what: String,
    },
    /// The value is nested deeper than any contract needs.
    #[error("{place}: values are nested too deep")]
    Depth {
        /// Which value.
        place: String,
    },
}

/// An error of a contract, with its text filled in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecodedError {
    /// Its code.
    pub code: u32,
    /// Its name.
    pub name: String,
    /// Its fields by name.
    pub fields: Value,
    /// Its text, with the fields' values.
    pub text: String,
}

impl Abi {
    /// Encodes a method's arguments: an object by name, an array in order, or `null` for none.
    ///
    /// # Errors
    /// If there is no such method, an argument is missing or too many, or is not of its type.
    pub fn encode_args(&self, method: &str, args: &Value) -> Result<Vec<u8>, ValueError> {
        let method = self.known_method(method)?;
        let values = arranged(method, args)?;
        let mut out = Vec::new();
        for (arg, value) in method.args.iter().zip(values) {
            self.encode(&arg.ty, value, &format!("argument {:?}", arg.name), &mut out)?;
        }
        Ok(out)
    }

    /// Decodes a method's arguments to an object.
    ///
    /// # Errors
    /// If there is no such method, or the bytes do not hold just its arguments.
    pub fn decode_args(&self, method: &str, bytes: &[u8]) -> Result<Value, ValueError> {
        self.decode_fields(&self.known_method(method)?.args, bytes)
    }

    /// Decodes what a method returned; `null` for nothing.
    ///
    /// # Errors
    /// If there is no such method, or the bytes do not hold just its result.
    pub fn decode_output(&self, method: &str, bytes: &[u8]) -> Result<Value, ValueError> {
        self.decode_value(&self.known_method(method)?.returns, bytes)
    }

    /// Decodes a value of a type that the document names.
    ///
    /// # Errors
    /// If the text is no type, or the bytes do not hold just a value of it.
    pub fn decode_value(&self, ty: &str, bytes: &[u8]) -> Result<Value, ValueError> {
        let mut rest = bytes;
        let value = self.decode(&Type::parse(ty)?, &mut rest, "the value", 0)?;
        nothing_left(rest, "the value", ty)?;
        Ok(value)
    }

    /// Decodes an event to an object of its fields.
    ///
    /// # Errors
    /// If the document has no such event, or the bytes are not those of its fields.
    pub fn decode_event(&self, event: &Event) -> Result<Value, ValueError> {
        let schema = self.events.iter().find(|schema| schema.name == event.name);
        let schema = schema.ok_or_else(|| ValueError::Unknown { what: format!("the event {:?}", event.name) })?;
        let mut topics = event.topics.iter();
        let mut data = &event.data[..];
        let mut fields = Map::new();
        for field in &schema.fields {
            let (ty, place) = (Type::parse(&field.ty)?, format!("field {:?}", field.name));
            let value = if field.topic {
                let mut topic = topics.next().map(Vec::as_slice).unwrap_or_default();
                let value = self.decode(&ty, &mut topic, &place, 0)?;
                nothing_left(topic, &place, &field.ty)?;
                value
            } else {
                self.decode(&ty, &mut data, &place, 0)?
            };
            fields.insert(field.name.clone(), value);
        }
        nothing_left(data, "the event's data", &schema.name)?;
        Ok(Value::Object(fields))
    }

    /// Decodes an error and fills in its text.
    ///
    /// # Errors
    /// If the document has no such error, or the bytes do not hold just its fields.
    pub fn decode_error(&self, code: u32, fields: &[u8]) -> Result<DecodedError, ValueError> {
        let schema = self.errors.iter().find(|schema| schema.code == code);
        let schema = schema.ok_or_else(|| ValueError::Unknown { what: format!("an error of code {code}") })?;
        let fields = self.decode_fields(&schema.fields, fields)?;
        let text = fill_in(&schema.message, &fields);
        Ok(DecodedError { code, name: schema.name.clone(), fields, text })
    }

    fn known_method(&self, name: &str) -> Result<&Method, ValueError> {
        self.method(name).ok_or_else(|| {
            let known: Vec<&str> = self.methods.iter().map(|method| method.name.as_str()).collect();
            ValueError::NoMethod { name: name.to_owned(), known: known.join(", ") }
        })
    }

    fn decode_fields(&self, fields: &[Field], bytes: &[u8]) -> Result<Value, ValueError> {
        let mut rest = bytes;
        let mut object = Map::new();
        for field in fields {
            let value = self.decode(&Type::parse(&field.ty)?, &mut rest, &format!("field {:?}", field.name), 0)?;
            object.insert(field.name.clone(), value);
        }
        nothing_left(rest, "the fields", "nothing more")?;
        Ok(Value::Object(object))
    }
}

/// The arguments' values in the method's order.
fn arranged<'a>(method: &Method, args: &'a Value) -> Result<Vec<&'a Value>, ValueError> {
    let refuse = |what: String| ValueError::Arguments { what, method: method.to_string() };
    match args {
        Value::Null if method.args.is_empty() => Ok(Vec::new()),
        Value::Null => Err(refuse(format!("{} arguments are missing", method.args.len()))),
        Value::Array(values) if values.len() == method.args.len() => Ok(values.iter().collect()),
        Value::Array(values) => {
            Err(refuse(format!("{} arguments were given, {} are taken", values.len(), method.args.len())))
        }
        Value::Object(values) => {
            let unknown = values.keys().find(|name| method.args.iter().all(|arg| arg.name != **name));
            if let Some(name) = unknown {
                return Err(refuse(format!("there is no argument {name:?}")));
            }
            let by_name = method
                .args
                .iter()
                .map(|arg| values.get(&arg.name).ok_or_else(|| refuse(format!("argument {:?} is missing", arg.name))));
            by_name.collect()
        }
        _ => Err(refuse("arguments are an object by name, or an array in order".to_owned())),
    }
}

pub(super) fn nothing_left(rest: &[u8], place: &str, expected: &str) -> Result<(), ValueError> {
    if rest.is_empty() {
        return Ok(());
    }
    let what = format!("{} bytes are left over", rest.len());
    Err(ValueError::Bytes { place: place.to_owned(), expected: expected.to_owned(), what })
}

/// Puts the fields' values where the template names them; texts without quotes.
fn fill_in(template: &str, fields: &Value) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        text.push_str(before);
        match fields.get(name) {
            Some(Value::String(value)) => text.push_str(value),
            Some(value) => text.push_str(&value.to_string()),
            None => text.push_str(&format!("{{{name}}}")),
        }
        rest = tail;
    }
    text + rest
}
