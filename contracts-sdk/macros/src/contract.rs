//! `#[contract]`.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Field, Fields, Ident, ItemStruct, Lit, Meta, Type};

use crate::json::Object;
use crate::{abi, json};

const STORAGE_TYPES: &str = "Item<T> for one value, Map<K, V> for a value per key, OrderedMap<K, V> for what is \
                             scanned in order, Set<K>, Counter<u64> for a number that many callers add to, Table<Row>";

pub(crate) fn expand(attribute: TokenStream, mut item: ItemStruct) -> crate::Expansion {
    crate::no_arguments(&attribute, "contract")?;
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&item.generics, "a contract has no generic parameters"));
    }
    let fields = open_fields(&mut item)?;
    let name = &item.ident;
    let name_text = abi::name(name);
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let storage: Vec<String> = fields.iter().map(|field| field.json.clone()).collect();
    let json = Object::new()
        .text("name", &name_text)
        .text("version", &version)
        .text_if_any("docs", &abi::docs(&item.attrs))
        .raw("storage", &json::array(&storage))
        .end();
    let section = abi::section(name, "contract", &json);
    let opened = fields.iter().map(|field| {
        let (ident, ty, prefix) = (&field.ident, &field.ty, &field.prefix);
        quote!(#ident: <#ty as ::hanse_sdk::storage::Storage>::at(#prefix))
    });
    Ok(quote! {
        #item

        impl ::hanse_sdk::entry::Contract for #name {
            const NAME: &'static str = #name_text;
            const CRATE: &'static str = ::core::env!("CARGO_CRATE_NAME");

            fn open() -> Self {
                Self { #(#opened),* }
            }
        }

        #section
    })
}

struct OpenField {
    ident: Ident,
    ty: Type,
    prefix: Literal,
    json: String,
}

fn open_fields(item: &mut ItemStruct) -> syn::Result<Vec<OpenField>> {
    let span = item.ident.span();
    match &mut item.fields {
        Fields::Named(named) => named.named.iter_mut().map(open_field).collect(),
        Fields::Unit => Err(syn::Error::new(span, "write the contract as a struct with braces: pub struct Name {}")),
        Fields::Unnamed(fields) => Err(syn::Error::new(
            fields.span(),
            "storage fields need names: a field's place in storage follows from its name",
        )),
    }
}

fn open_field(field: &mut Field) -> syn::Result<OpenField> {
    let Some(ident) = field.ident.clone() else {
        return Err(syn::Error::new_spanned(field, "storage fields need names"));
    };
    refuse_plain_values(&field.ty)?;
    let name = take_key(&mut field.attrs)?.unwrap_or_else(|| abi::name(&ident));
    let mut prefix = name.clone().into_bytes();
    prefix.push(0);
    let json = abi::named(&name, &field.ty, &abi::docs(&field.attrs));
    Ok(OpenField { ident, ty: field.ty.clone(), prefix: Literal::byte_string(&prefix), json })
}

/// Says about the commonest mistakes what to write instead; the trait `Storage` catches the others.
fn refuse_plain_values(ty: &Type) -> syn::Result<()> {
    let Type::Path(path) = ty else {
        return Err(syn::Error::new_spanned(ty, format!("a contract's fields are storage types: {STORAGE_TYPES}")));
    };
    let Some(last) = path.path.segments.last() else { return Ok(()) };
    let instead = match last.ident.to_string().as_str() {
        "Vec" | "VecDeque" => "a Vec would be loaded and stored as a whole on every call; use OrderedMap<u64, T>",
        "HashMap" => "a HashMap would be loaded and stored as a whole on every call; use Map<K, V>",
        "BTreeMap" => "a BTreeMap would be loaded and stored as a whole on every call; use OrderedMap<K, V>",
        "HashSet" | "BTreeSet" => "a set would be loaded and stored as a whole on every call; use Set<K>",
        "u8" | "u16" | "u32" | "u64" | "u128" => {
            "use Item<T> for a number that is set, Counter<T> for one that is added to"
        }
        "bool" | "String" | "Option" | "Address" => "use Item<T>",
        _ => return Ok(()),
    };
    let message = format!("a contract's fields are storage types: {instead}. All of them: {STORAGE_TYPES}");
    Err(syn::Error::new_spanned(ty, message))
}

/// Takes `#[key = "old"]` away.
fn take_key(attributes: &mut Vec<Attribute>) -> syn::Result<Option<String>> {
    let Some(at) = attributes.iter().position(|attribute| attribute.path().is_ident("key")) else { return Ok(None) };
    let attribute = attributes.remove(at);
    let usage = || syn::Error::new_spanned(&attribute, "write the field's former name: #[key = \"old_name\"]");
    let Meta::NameValue(pair) = &attribute.meta else { return Err(usage()) };
    let Expr::Lit(literal) = &pair.value else { return Err(usage()) };
    let Lit::Str(text) = &literal.lit else { return Err(usage()) };
    let text = text.value();
    if text.is_empty() || text.contains('\0') {
        return Err(usage());
    }
    Ok(Some(text))
}
