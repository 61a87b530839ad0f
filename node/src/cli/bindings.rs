//! `hanse contract bindings`: a typed client of a contract, made of its ABI, in Rust, TypeScript or Python.
//!
//! What is made depends on the ABI document alone. A document is written by whoever deployed the contract, so nothing of it
//! gets into the code but checked identifiers, types that the grammar knows, and text in comments without control
//! characters: what a document holds can't become code.

mod names;
mod python;
mod rust;
mod typescript;

use std::path::Path;

use clap::{Args, ValueEnum};
use hanse_abi::document::{Abi, MethodKind, types::Type};
use serde::Serialize;

use super::Common;
use super::contract::fetch_abi;
use super::exit::{Exit, Failure};
use super::output::Output;
use super::session::Session;

#[derive(Debug, Args)]
pub(crate) struct BindingsArgs {
    /// A contract of the node, by name or address; or a file: a module, or an ABI document in JSON
    contract: String,
    /// Which language
    #[arg(long, value_enum)]
    lang: Language,
}

/// A language in which clients are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Language {
    /// On top of the crate hanse-client; uses borsh and hanse-types too
    Rust,
    /// One file without dependencies, for browsers and servers with `fetch`
    Ts,
    /// One file without dependencies, for Python 3.9 and later
    Python,
}

/// What was made.
#[derive(Serialize)]
struct Bindings {
    contract: String,
    lang: Language,
    source: String,
}

/// `hanse contract bindings`.
pub(crate) async fn run(args: BindingsArgs, common: &Common) -> Result<(), Failure> {
    let output = Output { json: common.json, quiet: common.quiet };
    let path = Path::new(&args.contract);
    let (contract, abi) = match path.is_file() {
        true => from_file(path)?,
        false => (args.contract.clone(), fetch_abi(&Session::open(common).await?.client, &args.contract).await?),
    };
    let source = generate(args.lang, &contract, &abi)?;
    output.result(&Bindings { contract, lang: args.lang, source }, |bindings| bindings.source.clone())
}

/// A document, and what its contract is called if it is not said otherwise: as the file.
fn from_file(path: &Path) -> Result<(String, Abi), Failure> {
    let bytes = std::fs::read(path)?;
    let unreadable = |error: String| Failure::usage(format!("{}: {error}", path.display()));
    let abi = match bytes.starts_with(b"\0asm") {
        true => Abi::from_wasm(&bytes).map_err(|error| unreadable(error.to_string()))?,
        false => Some(serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?),
    };
    let abi = abi.ok_or_else(|| unreadable("the module has no ABI document".into()))?;
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((name, abi))
}

fn generate(lang: Language, contract: &str, abi: &Abi) -> Result<String, Failure> {
    names::check(contract, abi)
        .map_err(|reason| Failure::new(Exit::Error, format!("the ABI of {contract}: {reason}")))?;
    Ok(match lang {
        Language::Rust => rust::generate(contract, abi),
        Language::Ts => typescript::generate(contract, abi),
        Language::Python => python::generate(contract, abi),
    })
}

/// Methods that clients call: not those that run once, when a contract is deployed or upgraded.
fn callable(abi: &Abi) -> impl Iterator<Item = (&hanse_abi::document::Method, bool)> {
    let kinds = |kind| matches!(kind, MethodKind::Call | MethodKind::View);
    abi.methods.iter().filter(move |method| kinds(method.kind)).map(|method| (method, method.kind == MethodKind::View))
}

/// A type that was checked before.
fn parsed(ty: &str) -> Type {
    Type::parse(ty).unwrap_or_else(|_| Type::Tuple(Vec::new()))
}

/// Lines of documentation, each behind a comment's mark.
fn comment(indent: &str, mark: &str, docs: &str) -> String {
    let line = |line: &str| {
        let text: String = line.chars().map(|c| if names::is_line_break(c) { ' ' } else { c }).collect();
        format!("{}\n", format!("{indent}{mark} {text}").trim_end())
    };
    docs.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn abi(method: serde_json::Value) -> Abi {
        serde_json::from_value(json!({ "name": "Token", "methods": [method] })).unwrap()
    }

    #[test]
    fn nothing_of_a_document_becomes_code() {
        for method in [
            json!({ "name": "a() {} fn b" }),
            json!({ "name": "a", "args": [{ "name": "x: u8) { evil() }", "type": "u8" }] }),
            json!({ "name": "a", "args": [{ "name": "x", "type": "Evil" }] }),
            json!({ "name": "a", "returns": "u8 + 1" }),
            json!({ "name": "" }),
            json!({ "name": "é" }),
        ] {
            assert!(generate(Language::Rust, "token", &abi(method.clone())).is_err(), "{method}");
        }
        assert!(generate(Language::Python, "to\"ken", &abi(json!({ "name": "a" }))).is_err());
        let docs = "one\rimport os\u{2028}alert(1)\n*/ evil() /*\n\"\"\"";
        for lang in [Language::Rust, Language::Ts, Language::Python] {
            let source = generate(lang, "token", &abi(json!({ "name": "a", "docs": docs }))).unwrap();
            for line in
                source.split(names::is_line_break).filter(|line| line.contains("evil") || line.contains("import os"))
            {
                let line = line.trim_start();
                assert!(["//", "#"].iter().any(|mark| line.starts_with(mark)), "{line}");
            }
        }
    }
}
