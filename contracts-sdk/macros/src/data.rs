//! `#[data]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Field, Fields, Ident};

use crate::json::Object;
use crate::{abi, json, types};

pub(crate) fn expand(attribute: TokenStream, mut item: DeriveInput) -> crate::Expansion {
    crate::no_arguments(&attribute, "data")?;
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&item.generics, "#[data] can't be generic: the ABI needs concrete types"));
    }
    let row = take_primary_key(&mut item)?;
    let (shape, types) = describe(&item, row.as_ref().map(|(field, _)| field))?;
    let name = &item.ident;
    let json = Object::new()
        .text("name", &abi::name(name))
        .text_if_any("docs", &abi::docs(&item.attrs))
        .raw(shape.0, &json::array(&shape.1))
        .end();
    let section = abi::section(name, "type", &json);
    let coding = coding(&item);
    let row = row.map(|(field, ty)| {
        quote! {
            impl ::hanse_sdk::storage::Row for #name {
                type Key = #ty;

                fn key(&self) -> &#ty {
                    &self.#field
                }
            }
        }
    });
    Ok(quote! {
        #[derive(Clone, Debug, PartialEq)]
        #item

        #coding
        #row
        const _: () = { #(::hanse_sdk::data::require::<#types>();)* };
        #section
    })
}

/// Borsh: a struct's fields one after another; for an enum first the variant's number, one byte.
fn coding(item: &DeriveInput) -> TokenStream {
    let name = &item.ident;
    let (write, read) = match &item.data {
        Data::Enum(data) => {
            let arms = data.variants.iter().zip(0u8..).map(|(variant, tag)| {
                let (ident, fields) = (&variant.ident, idents(&variant.fields));
                quote!(Self::#ident { #(#fields),* } => { out.push(#tag); #(::hanse_sdk::data::Data::write(#fields, out);)* })
            });
            let reads = data.variants.iter().zip(0u8..).map(|(variant, tag)| {
                let (ident, fields) = (&variant.ident, idents(&variant.fields));
                quote!(#tag => Self::#ident { #(#fields: ::hanse_sdk::data::Data::read(bytes)?),* })
            });
            let read = quote!(match ::hanse_sdk::data::Data::read(bytes)? { #(#reads,)* _ => return ::core::option::Option::None });
            (quote!(match self { #(#arms)* }), read)
        }
        Data::Struct(data) => {
            let fields = idents(&data.fields);
            (
                quote!(#(::hanse_sdk::data::Data::write(&self.#fields, out);)*),
                quote!(Self { #(#fields: ::hanse_sdk::data::Data::read(bytes)?),* }),
            )
        }
        Data::Union(_) => return TokenStream::new(),
    };
    quote! {
        impl ::hanse_sdk::data::Data for #name {
            fn write(&self, out: &mut ::hanse_sdk::data::Encoded) {
                #write
            }

            fn read(bytes: &mut &[u8]) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(#read)
            }
        }
    }
}

fn idents(fields: &Fields) -> Vec<&Ident> {
    fields.iter().filter_map(|field| field.ident.as_ref()).collect()
}

type Described = ((&'static str, Vec<String>), Vec<syn::Type>);

fn describe(item: &DeriveInput, key: Option<&Ident>) -> syn::Result<Described> {
    let mut seen = Vec::new();
    let shape = match &item.data {
        Data::Struct(data) => ("fields", fields(&data.fields, key, &mut seen)?),
        Data::Enum(data) => {
            let variants = data.variants.iter().map(|variant| {
                let fields = fields(&variant.fields, None, &mut seen)?;
                let object = Object::new()
                    .text("name", &abi::name(&variant.ident))
                    .text_if_any("docs", &abi::docs(&variant.attrs))
                    .list_if_any("fields", &fields);
                Ok(object.end())
            });
            ("variants", variants.collect::<syn::Result<Vec<_>>>()?)
        }
        Data::Union(_) => return Err(syn::Error::new_spanned(item, "#[data] goes on a struct or an enum")),
    };
    Ok((shape, seen))
}

fn fields(fields: &Fields, key: Option<&Ident>, seen: &mut Vec<syn::Type>) -> syn::Result<Vec<String>> {
    let described = fields.iter().map(|field| {
        types::check(&field.ty)?;
        seen.push(field.ty.clone());
        match &field.ident {
            Some(ident) if Some(ident) == key => {
                let name = format!("key {}", abi::name(ident));
                Ok(abi::named(&name, &field.ty, &abi::docs(&field.attrs)))
            }
            Some(ident) => Ok(abi::field(field, ident)),
            None => Err(syn::Error::new_spanned(field, "fields need names: the ABI shows them by name")),
        }
    });
    described.collect()
}

/// The field that is marked `#[key]`, with its type.
fn take_primary_key(item: &mut DeriveInput) -> syn::Result<Option<(Ident, syn::Type)>> {
    let Data::Struct(data) = &mut item.data else { return Ok(None) };
    let mut found = None;
    for field in data.fields.iter_mut() {
        if !abi::take_marker(&mut field.attrs, "key")? {
            continue;
        }
        if found.is_some() {
            let message = "a row has one primary key; for one of several parts, make the field a tuple";
            return Err(syn::Error::new_spanned(field, message));
        }
        found = primary_key(field);
    }
    Ok(found)
}

fn primary_key(field: &Field) -> Option<(Ident, syn::Type)> {
    Some((field.ident.clone()?, field.ty.clone()))
}
