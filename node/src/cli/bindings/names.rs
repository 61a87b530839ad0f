//! Identifiers: which texts may be one, and how they are written where a language has another custom or a word of its own.

use std::collections::BTreeSet;

use hanse_abi::document::{Abi, Field, types::Type};

/// Whether a text editor, a compiler or a browser may take the character for the end of a line.
pub(super) fn is_line_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Checks that everything in a document that will be code may be.
pub(super) fn check(contract: &str, abi: &Abi) -> Result<(), String> {
    let is_contract = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if contract.is_empty() || !contract.chars().all(is_contract) {
        return Err(format!("{contract:?} is not what a contract may be called"));
    }
    unique("method", abi.methods.iter().map(|method| method.name.as_str()))?;
    unique("type", abi.types.iter().map(|ty| ty.name.as_str()))?;
    unique("event", abi.events.iter().map(|event| event.name.as_str()))?;
    unique("error", abi.errors.iter().map(|error| error.name.as_str()))?;
    if !abi.name.is_empty() {
        identifier("contract", &abi.name)?;
    }
    for method in &abi.methods {
        check_fields(abi, &method.args)?;
        check_type(abi, &method.returns)?;
    }
    for ty in &abi.types {
        check_fields(abi, ty.fields.as_deref().unwrap_or_default())?;
        let variants = ty.variants.as_deref().unwrap_or_default();
        unique("variant", variants.iter().map(|variant| variant.name.as_str()))?;
        variants.iter().try_for_each(|variant| check_fields(abi, &variant.fields))?;
    }
    for event in &abi.events {
        unique("field", event.fields.iter().map(|field| field.name.as_str()))?;
        event.fields.iter().try_for_each(|field| check_type(abi, &field.ty))?;
    }
    abi.errors.iter().try_for_each(|error| check_fields(abi, &error.fields))
}

fn check_fields(abi: &Abi, fields: &[Field]) -> Result<(), String> {
    unique("field", fields.iter().map(|field| field.name.as_str()))?;
    fields.iter().try_for_each(|field| check_type(abi, &field.ty))
}

fn check_type(abi: &Abi, ty: &str) -> Result<(), String> {
    check_parsed(abi, &Type::parse(ty).map_err(|error| error.to_string())?)
}

fn check_parsed(abi: &Abi, ty: &Type) -> Result<(), String> {
    match ty {
        Type::Tuple(types) => types.iter().try_for_each(|ty| check_parsed(abi, ty)),
        Type::Array(inner, _) | Type::Vec(inner) | Type::Option(inner) => check_parsed(abi, inner),
        Type::Named(name, parameters) if !parameters.is_empty() || abi.named_type(name).is_none() => {
            Err(format!("the type {ty} is not described"))
        }
        _ => Ok(()),
    }
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        identifier(what, name)?;
        if !seen.insert(name) {
            return Err(format!("the {what} {name} is there twice"));
        }
    }
    Ok(())
}

fn identifier(what: &str, name: &str) -> Result<(), String> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    match starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && name != "_" {
        true => Ok(()),
        false => Err(format!("the {what} {name:?} has no name that can be written in code")),
    }
}

/// `my_token` and `my-token` as `MyToken`.
pub(super) fn pascal(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined: String = words
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_ascii_uppercase() + rest
        })
        .collect();
    if joined.starts_with(|c: char| c.is_ascii_digit()) { format!("C{joined}") } else { joined }
}

/// `balance_of` as `balanceOf`.
pub(super) fn camel(name: &str) -> String {
    let pascal = pascal(name);
    match pascal.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_lowercase() + rest,
        None => "_".to_owned(),
    }
}

/// What the client's class or struct is called.
pub(super) fn client(contract: &str, abi: &Abi) -> String {
    let name = if abi.name.is_empty() { contract } else { &abi.name };
    format!("{}Client", pascal(name))
}

/// The name with an underscore behind it where it is among these.
pub(super) fn apart(name: String, taken: &[&str]) -> String {
    if taken.contains(&name.as_str()) { name + "_" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_customs() {
        assert_eq!(["my_token", "my-token", "Token", "2nd"].map(pascal), ["MyToken", "MyToken", "Token", "C2nd"]);
        assert_eq!(["balance_of", "x", "A"].map(camel), ["balanceOf", "x", "a"]);
        assert_eq!(apart("type".into(), &["type"]), "type_");
    }
}
