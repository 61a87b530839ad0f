//! A client in Rust, on top of the crate `hanse-client`. Values cross as Borsh, by types of the same names as in the contract.

use hanse_abi::document::{Abi, ErrorSchema, EventSchema, Field, Method, TypeSchema, types::Type};

use super::{callable, comment, names, parsed};

/// Words that a name must be written apart from.
const KEYWORDS: [&str; 38] = [
    "as", "async", "await", "box", "break", "const", "continue", "dyn", "else", "enum", "extern", "false", "fn", "for",
    "gen", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "static",
    "struct", "trait", "true", "try", "type", "unsafe", "use", "where", "while", "yield",
];
/// Words that can't be written so, and names that every client has.
const TAKEN: [&str; 7] = ["self", "Self", "super", "crate", "at", "call", "query"];
/// Arguments beside a method's own.
const OWN_ARGUMENTS: [&str; 2] = ["account", "self"];

pub(super) fn generate(contract: &str, abi: &Abi) -> String {
    let client = names::client(contract, abi);
    let head = format!(
        "//! Client of the contract `{contract}`, made by `hanse contract bindings`: make it anew instead of changing it.\n\
         //!\n//! Needs the crates `borsh`, `hanse-client` and `hanse-types`.\n\
         #![allow(dead_code, unused_imports, unused_mut, clippy::all, missing_docs, unreachable_pub)]\n\n\
         use borsh::{{BorshDeserialize, BorshSerialize}};\n\
         use hanse_types::Address;\n\n"
    );
    let types: String = abi.types.iter().map(data).collect();
    let events: String = abi.events.iter().map(event).collect();
    head + &types + &events + &errors(&abi.errors) + &client_struct(&client, contract, abi)
}

const DERIVES: &str = "#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]\n";

fn data(schema: &TypeSchema) -> String {
    let docs = comment("", "///", &schema.docs);
    let name = &schema.name;
    let Some(variants) = &schema.variants else {
        let fields = fields("    pub ", schema.fields.as_deref().unwrap_or_default());
        return format!("{docs}{DERIVES}pub struct {name} {{\n{fields}}}\n\n");
    };
    let variants = variants.iter().map(|variant| {
        let docs = comment("    ", "///", &variant.docs);
        match variant.fields.is_empty() {
            true => format!("{docs}    {},\n", variant.name),
            false => format!("{docs}    {} {{\n{}    }},\n", variant.name, fields("        ", &variant.fields)),
        }
    });
    format!("{docs}{DERIVES}pub enum {name} {{\n{}}}\n\n", variants.collect::<String>())
}

fn fields(before: &str, fields: &[Field]) -> String {
    let indent = &before[..before.len() - before.trim_start().len()];
    let line = |field: &Field| {
        format!(
            "{}{before}{}: {},\n",
            comment(indent, "///", &field.docs),
            word(&field.name),
            rust_type(&parsed(&field.ty))
        )
    };
    fields.iter().map(line).collect()
}

/// An event with the function that reads it.
fn event(event: &EventSchema) -> String {
    let docs = comment("", "///", &event.docs);
    let name = format!("{}Event", event.name);
    let lines = event.fields.iter().map(|field| {
        let docs = comment("    ", "///", &field.docs);
        format!("{docs}    pub {}: {},\n", word(&field.name), rust_type(&parsed(&field.ty)))
    });
    let reads = event.fields.iter().map(|field| match field.topic {
        true => format!("            {}: borsh::from_slice(&topics.next()?.0).ok()?,\n", word(&field.name)),
        false => format!("            {}: BorshDeserialize::deserialize(&mut data).ok()?,\n", word(&field.name)),
    });
    format!(
        "{docs}#[derive(Clone, Debug, PartialEq, Eq)]\npub struct {name} {{\n{}}}\n\n\
         impl {name} {{\n    /// The event, if it is of this name and has these fields.\n    \
         pub fn of(event: &hanse_client::views::EventView) -> Option<{name}> {{\n        \
         let (mut topics, mut data) = (event.topics.iter(), event.data.0.as_slice());\n        \
         if event.name != {:?} {{\n            return None;\n        }}\n        \
         let event = {name} {{\n{}        }};\n        \
         (topics.next().is_none() && data.is_empty()).then_some(event)\n    }}\n}}\n\n",
        lines.collect::<String>(),
        event.name,
        reads.collect::<String>(),
    )
}

/// All errors as one enum, with the function that reads one.
fn errors(errors: &[ErrorSchema]) -> String {
    if errors.is_empty() {
        return String::new();
    }
    let variants = errors.iter().map(|error| {
        let docs = comment("    ", "///", if error.docs.is_empty() { &error.message } else { &error.docs });
        match error.fields.is_empty() {
            true => format!("{docs}    {},\n", error.name),
            false => format!("{docs}    {} {{\n{}    }},\n", error.name, fields("        ", &error.fields)),
        }
    });
    let arms = errors.iter().map(|error| {
        let reads = error.fields.iter().map(|field| {
            format!("                {}: BorshDeserialize::deserialize(&mut bytes).ok()?,\n", word(&field.name))
        });
        match error.fields.is_empty() {
            true => format!("            {} => ContractError::{},\n", error.code, error.name),
            false => format!(
                "            {} => ContractError::{} {{\n{}            }},\n",
                error.code,
                error.name,
                reads.collect::<String>()
            ),
        }
    });
    format!(
        "/// What the contract refuses with.\n#[derive(Clone, Debug, PartialEq, Eq)]\npub enum ContractError {{\n{}}}\n\n\
         impl ContractError {{\n    /// The contract's own error, if that is how a call ended.\n    \
         pub fn of(outcome: &hanse_client::views::OutcomeView) -> Option<ContractError> {{\n        \
         let mut bytes = outcome.output.0.as_slice();\n        \
         let error = match outcome.failure.as_ref()?.error_code? {{\n{}            _ => return None,\n        }};\n        \
         bytes.is_empty().then_some(error)\n    }}\n}}\n\n",
        variants.collect::<String>(),
        arms.collect::<String>(),
    )
}

fn client_struct(client: &str, contract: &str, abi: &Abi) -> String {
    let methods: String = callable(abi).map(|(method, view)| if view { query(method) } else { call(method) }).collect();
    let docs = comment("", "///", &abi.docs);
    format!(
        "{docs}#[derive(Clone, Debug)]\npub struct {client} {{\n    client: hanse_client::Client,\n    contract: hanse_client::Contract,\n}}\n\n\
         impl {client} {{\n    /// The name that it was made for.\n    pub const CONTRACT: &'static str = {contract:?};\n\n    \
         /// The contract at an address or under a name.\n    \
         pub fn at(client: hanse_client::Client, contract: hanse_client::Contract) -> {client} {{\n        {client} {{ client, contract }}\n    }}\n\n    \
         fn call<T: BorshSerialize>(&self, method: &str, args: T) -> hanse_client::Call {{\n        \
         hanse_client::Call::new(self.contract.clone(), method, borsh::to_vec(&args).unwrap_or_default())\n    }}\n\n    \
         async fn query<A: BorshSerialize, T: BorshDeserialize>(&self, method: &str, args: A) -> Result<T, hanse_client::ClientError> {{\n        \
         let args = hanse_client::Bytes(borsh::to_vec(&args).unwrap_or_default()).to_string().into();\n        \
         let contract = self.contract.clone();\n        \
         let params = hanse_client::methods::CallParams {{ contract, method: method.into(), args, caller: None, gas_limit: None }};\n        \
         let answer = self.client.call::<hanse_client::methods::QueryContract>(params).await?;\n        \
         borsh::from_slice(&answer.output.0).map_err(|error| {{\n            \
         let message = format!(\"{{method}} answers with another type: {{error}}\");\n            \
         hanse_client::RpcError::new(hanse_client::codes::BAD_ARGUMENT, message).into()\n        }})\n    }}\n{methods}}}\n"
    )
}

/// Arguments as they are declared, and as they are encoded: one after another, as a tuple is.
fn arguments(method: &Method) -> (String, String) {
    let argument = |field: &Field| names::apart(word(&field.name), &OWN_ARGUMENTS);
    let declared = method.args.iter().map(|field| format!(", {}: {}", argument(field), rust_type(&parsed(&field.ty))));
    // A tuple has at most so many parts in Borsh; nested ones are encoded the same.
    let names: Vec<String> = method.args.iter().map(argument).collect();
    let groups: Vec<String> = names.chunks(8).map(|names| format!("({},)", names.join(", "))).collect();
    let encoded = match groups.len() {
        0 => "()".to_owned(),
        1 => groups.concat(),
        _ => format!("({},)", groups.join(", ")),
    };
    (declared.collect(), encoded)
}

fn call(method: &Method) -> String {
    let docs = comment("    ", "///", &method.docs);
    let (declared, encoded) = arguments(method);
    let name = names::apart(word(&method.name), &TAKEN);
    let plain = name.trim_start_matches("r#");
    format!(
        "\n{docs}    pub async fn {name}(&self, account: &hanse_client::Account{declared}) -> Result<hanse_client::Outcome, hanse_client::ClientError> {{\n        \
         account.execute(self.call({:?}, {encoded})).await\n    }}\n\n    \
         /// The call of `{}`, to be given a gas limit or a lifetime before it is signed.\n    \
         pub fn {plain}_call(&self{declared}) -> hanse_client::Call {{\n        self.call({:?}, {encoded})\n    }}\n",
        method.name, method.name, method.name,
    )
}

fn query(method: &Method) -> String {
    let docs = comment("    ", "///", &method.docs);
    let (declared, encoded) = arguments(method);
    let name = names::apart(word(&method.name), &TAKEN);
    let returns = rust_type(&parsed(&method.returns));
    format!(
        "\n{docs}    pub async fn {name}(&self{declared}) -> Result<{returns}, hanse_client::ClientError> {{\n        \
         self.query({:?}, {encoded}).await\n    }}\n",
        method.name,
    )
}

/// A name as Rust lets one write it.
fn word(name: &str) -> String {
    if KEYWORDS.contains(&name) { format!("r#{name}") } else { name.to_owned() }
}

/// The grammar of the document is Rust's.
fn rust_type(ty: &Type) -> String {
    ty.to_string()
}
