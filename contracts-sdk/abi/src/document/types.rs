//! The grammar of types in an ABI document.
//!
//! It is Rust's syntax, restricted: `u8` to `u128`, `i8` to `i128`, `bool`, `String`, `Address`, `()`, `(A, B)`, `[T; N]`,
//! `Vec<T>`, `Option<T>`, and names of the document's own structs and enums. Storage types are read by it too:
//! `Map<(Address, Address), u128>`.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// How deep types may be nested in one text.
const DEPTH: usize = 32;

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// An integer of so many bits.
    Integer {
        /// Whether it has a sign.
        signed: bool,
        /// 8, 16, 32, 64 or 128.
        bits: u32,
    },
    /// `true` or `false`.
    Bool,
    /// Text in UTF-8.
    String,
    /// The address of an account or a contract.
    Address,
    /// Several values; none of them is `()`.
    Tuple(Vec<Type>),
    /// So many values.
    Array(Box<Type>, usize),
    /// Any number of values.
    Vec(Box<Type>),
    /// A value or none.
    Option(Box<Type>),
    /// Another name, with its parameters: a struct, an enum, a storage type.
    Named(String, Vec<Type>),
}

/// Why a text is no type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a type: {expected} is missing at character {at}")]
pub struct TypeError {
    /// The text.
    pub text: String,
    /// What should have come.
    pub expected: &'static str,
    /// Where, in bytes from 0.
    pub at: usize,
}

impl Type {
    /// Reads a type. An empty text is `()`, as for a method that returns nothing.
    ///
    /// # Errors
    /// If the text is no type; the error says what is missing where.
    pub fn parse(text: &str) -> Result<Type, TypeError> {
        if text.trim().is_empty() {
            return Ok(Type::Tuple(Vec::new()));
        }
        let mut parser = Parser { text, at: 0 };
        let ty = parser.ty(0)?;
        if parser.at < text.len() {
            return Err(parser.missing("the end"));
        }
        Ok(ty)
    }

    /// Whether its values are byte strings, which JSON shows as `0x…`.
    pub(super) fn is_bytes(&self) -> bool {
        let byte = Type::Integer { signed: false, bits: 8 };
        match self {
            Type::Vec(element) | Type::Array(element, _) => **element == byte,
            _ => false,
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn missing(&self, expected: &'static str) -> TypeError {
        TypeError { text: self.text.to_owned(), expected, at: self.at }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, mark: char) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(mark);
        if found {
            self.at += mark.len_utf8();
            self.skip_spaces();
        }
        found
    }

    fn expect(&mut self, mark: char, expected: &'static str) -> Result<(), TypeError> {
        if self.take(mark) { Ok(()) } else { Err(self.missing(expected)) }
    }

    fn ty(&mut self, depth: usize) -> Result<Type, TypeError> {
        if depth > DEPTH {
            return Err(self.missing("a simpler type"));
        }
        if self.take('(') {
            return Ok(Type::Tuple(self.list(')', "a closing parenthesis", depth)?));
        }
        if self.take('[') {
            return self.array(depth);
        }
        let name = self.word();
        if name.is_empty() {
            return Err(self.missing("a type"));
        }
        let parameters = if self.take('<') { self.list('>', "a closing >", depth)? } else { Vec::new() };
        Ok(named(name, parameters))
    }

    fn array(&mut self, depth: usize) -> Result<Type, TypeError> {
        let element = self.ty(depth + 1)?;
        self.expect(';', "a semicolon")?;
        let digits = self.word();
        let Ok(length) = digits.replace('_', "").parse() else { return Err(self.missing("the array's length")) };
        self.expect(']', "a closing bracket")?;
        Ok(Type::Array(Box::new(element), length))
    }

    fn list(&mut self, close: char, expected: &'static str, depth: usize) -> Result<Vec<Type>, TypeError> {
        let mut types = Vec::new();
        while !self.take(close) {
            if !types.is_empty() {
                self.expect(',', expected)?;
                if self.take(close) {
                    break;
                }
            }
            types.push(self.ty(depth + 1)?);
        }
        Ok(types)
    }

    fn word(&mut self) -> String {
        self.skip_spaces();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word: String = self.rest().chars().take_while(|c| is_word(*c)).collect();
        self.at += word.len();
        self.skip_spaces();
        word
    }
}

fn named(name: String, mut parameters: Vec<Type>) -> Type {
    let integer = |signed, bits| Type::Integer { signed, bits };
    match (name.as_str(), parameters.len()) {
        ("u8", 0) => integer(false, 8),
        ("u16", 0) => integer(false, 16),
        ("u32", 0) => integer(false, 32),
        ("u64", 0) => integer(false, 64),
        ("u128", 0) => integer(false, 128),
        ("i8", 0) => integer(true, 8),
        ("i16", 0) => integer(true, 16),
        ("i32", 0) => integer(true, 32),
        ("i64", 0) => integer(true, 64),
        ("i128", 0) => integer(true, 128),
        ("bool", 0) => Type::Bool,
        ("String", 0) => Type::String,
        ("Address", 0) => Type::Address,
        ("Vec", 1) => Type::Vec(Box::new(parameters.remove(0))),
        ("Option", 1) => Type::Option(Box::new(parameters.remove(0))),
        _ => Type::Named(name, parameters),
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Integer { signed, bits } => write!(f, "{}{bits}", if *signed { 'i' } else { 'u' }),
            Type::Bool => f.write_str("bool"),
            Type::String => f.write_str("String"),
            Type::Address => f.write_str("Address"),
            Type::Tuple(types) if types.len() == 1 => write!(f, "({},)", types[0]),
            Type::Tuple(types) => write_list(f, "(", types, ")"),
            Type::Array(element, length) => write!(f, "[{element}; {length}]"),
            Type::Vec(element) => write!(f, "Vec<{element}>"),
            Type::Option(element) => write!(f, "Option<{element}>"),
            Type::Named(name, parameters) if parameters.is_empty() => f.write_str(name),
            Type::Named(name, parameters) => {
                f.write_str(name)?;
                write_list(f, "<", parameters, ">")
            }
        }
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, open: &str, types: &[Type], close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (at, ty) in types.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        write!(f, "{comma}{ty}")?;
    }
    f.write_str(close)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn types_read_and_write_alike() {
        let texts = [
            "u128",
            "i8",
            "bool",
            "String",
            "Address",
            "()",
            "(u8,)",
            "(u8, String)",
            "[u8; 32]",
            "Vec<Option<u64>>",
            "Order",
            "Map<(Address, Address), u128>",
            "[[u16; 2]; 3]",
        ];
        for text in texts {
            assert_eq!(Type::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Type::parse("").unwrap(), Type::Tuple(Vec::new()));
        assert_eq!(Type::parse("Vec < u8 >").unwrap().to_string(), "Vec<u8>");
    }

    #[test]
    fn what_is_no_type_is_refused_with_its_place() {
        let error = Type::parse("Vec<u8").unwrap_err();
        assert_eq!((error.at, error.expected), (6, "a closing >"));
        assert_eq!(Type::parse("[u8; x]").unwrap_err().expected, "the array's length");
        assert_eq!(Type::parse("u8 u8").unwrap_err().expected, "the end");
        assert_eq!(Type::parse("é<").unwrap_err().expected, "a type");
        let deep = "Vec<".repeat(100) + "u8" + &">".repeat(100);
        assert_eq!(Type::parse(&deep).unwrap_err().expected, "a simpler type");
    }
}
