//! The attributes of the contract SDK.
//!
//! | attribute | on | makes |
//! |---|---|---|
//! | [`macro@contract`] | a struct | each field's place in storage, and the storage part of the ABI |
//! | [`macro@methods`] | its `impl` | an export per public method, the generated client, the methods' part of the ABI |
//! | [`macro@event`] | a struct | the event's encoding and its part of the ABI |
//! | [`macro@error`] | an enum | codes, the fields' encoding, and the texts in the ABI |
//! | [`macro@data`] | a struct or enum | Borsh encoding and a description in the ABI |
//! | [`macro@interface`] | a trait | a client for a contract whose source is elsewhere |
//!
//! They rewrite as little as they can: the items stay what they look like, so that editors and rustdoc see plain Rust.
//! What is wrong is said where it stands, with what to write instead. Each item puts its part of the ABI document into
//! the custom section `hanse_abi`; the linker joins the parts, and `hanse_abi::document` reads them.
//!
//! Start reading at `methods.rs`.

mod abi;
mod client;
mod contract;
mod data;
mod error;
mod event;
mod hints;
mod interface;
mod json;
mod methods;
mod signature;
mod types;

use proc_macro::TokenStream;

/// Makes a struct of storage fields a contract.
///
/// Each field is a storage type: `Item`, `Map`, `OrderedMap`, `Set`, `Counter` or `Table`. A field's place in storage is
/// its name; `#[key = "old_name"]` keeps the place of a field that was renamed.
#[proc_macro_attribute]
pub fn contract(attribute: TokenStream, item: TokenStream) -> TokenStream {
    run(attribute, item, contract::expand)
}

/// Makes the public functions of a contract's `impl` its methods.
///
/// A method takes `&mut self`, or `&self` if it changes nothing (a view); then `ctx: &Ctx` if it wants the context; then
/// its arguments, owned. It returns nothing, a value, or a `Result` with an `#[error]` enum. `#[init]` marks the method
/// that runs at deployment, `#[migrate]` the one that runs once after an upgrade. Private functions stay helpers.
#[proc_macro_attribute]
pub fn methods(attribute: TokenStream, item: TokenStream) -> TokenStream {
    run(attribute, item, methods::expand)
}

/// Makes a struct an event. Fields marked `#[topic]` are indexed, so that events can be looked up by them.
#[proc_macro_attribute]
pub fn event(attribute: TokenStream, item: TokenStream) -> TokenStream {
    run(attribute, item, event::expand)
}

/// Makes an enum the errors of a contract.
///
/// Each variant has a text, `#[msg("balance {have} is less than {need}")]`, which goes into the ABI; the contract sends
/// only the variant's code and fields. Codes count from 1 in the order of the variants; `#[error(first = 100)]` lets them
/// count from 100, for a contract with more than one such enum.
#[proc_macro_attribute]
pub fn error(attribute: TokenStream, item: TokenStream) -> TokenStream {
    run(attribute, item, error::expand)
}

/// Lets a struct or an enum be stored, passed and returned. A field marked `#[key]` is the primary key in a `Table`.
#[proc_macro_attribute]
pub fn data(attribute: TokenStream, item: TokenStream) -> TokenStream {
    run(attribute, item, data::expand)
}

/// Generates a client from a trait that lists some methods of a contract: `Token` becomes `TokenClient`.
///
/// For calling a contract whose source is elsewhere. The functions look as in the contract, without `ctx`.
#[proc_macro_attribute]
pub fn interface(attribute: TokenStream, item: TokenStream) -> TokenStream {
    run(attribute, item, interface::expand)
}

type Expansion = syn::Result<proc_macro2::TokenStream>;

/// Parses the item and expands it; what is wrong becomes a compile error in its place.
fn run<T: syn::parse::Parse>(
    attribute: TokenStream,
    item: TokenStream,
    expand: fn(proc_macro2::TokenStream, T) -> Expansion,
) -> TokenStream {
    let expanded = syn::parse::<T>(item).and_then(|item| expand(attribute.into(), item));
    expanded.unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Refuses what stands in an attribute's parentheses where nothing is expected.
fn no_arguments(attribute: &proc_macro2::TokenStream, name: &str) -> syn::Result<()> {
    if attribute.is_empty() {
        return Ok(());
    }
    Err(syn::Error::new_spanned(attribute, format!("#[{name}] takes nothing in parentheses")))
}
