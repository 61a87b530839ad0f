//! `#[event]`.

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Fields, Ident, ItemStruct, Type, Visibility};

use crate::{abi, json, types};

pub(crate) fn expand(attribute: TokenStream, mut item: ItemStruct) -> crate::Expansion {
    crate::no_arguments(&attribute, "event")?;
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&item.generics, "an event can't be generic: the ABI needs concrete types"));
    }
    let fields = take_fields(&mut item)?;
    let name = &item.ident;
    let name_text = abi::name(name);
    let described: Vec<String> = fields.iter().map(|field| field.json.clone()).collect();
    let json = json::Object::new()
        .text("name", &name_text)
        .text_if_any("docs", &abi::docs(&item.attrs))
        .raw("fields", &json::array(&described))
        .end();
    let section = abi::section(name, "event", &json);
    let coding = coding(name, &name_text, &fields);
    let types = fields.iter().map(|field| &field.ty);
    Ok(quote! {
        #[derive(Clone, Debug, PartialEq)]
        #item

        #coding
        const _: () = { #(::hanse_sdk::data::require::<#types>();)* };
        #section
    })
}

struct EventField {
    ident: Ident,
    ty: Type,
    topic: bool,
    json: String,
}

fn take_fields(item: &mut ItemStruct) -> syn::Result<Vec<EventField>> {
    if let Fields::Unnamed(fields) = &item.fields {
        return Err(syn::Error::new(fields.span(), "an event's fields need names: explorers show them by name"));
    }
    let mut fields = Vec::new();
    let visibility = item.vis.clone();
    for field in item.fields.iter_mut() {
        // Whoever sees the event sees what is in it.
        if matches!(field.vis, Visibility::Inherited) {
            field.vis = visibility.clone();
            field.attrs.push(syn::parse_quote!(#[allow(missing_docs)]));
        }
        types::check(&field.ty)?;
        let topic = abi::take_marker(&mut field.attrs, "topic")?;
        let Some(ident) = field.ident.clone() else { continue };
        let marked = if topic { format!("topic {}", abi::name(&ident)) } else { abi::name(&ident) };
        let json = abi::named(&marked, &field.ty, &abi::docs(&field.attrs));
        fields.push(EventField { ident, ty: field.ty.clone(), topic, json });
    }
    Ok(fields)
}

/// The bytes that every event of this type begins with: name and number of topics, in Borsh.
fn beginning(name: &str, topics: usize) -> Literal {
    let length = |length: usize| (length as u32).to_le_bytes();
    Literal::byte_string(&[&length(name.len())[..], name.as_bytes(), &length(topics)].concat())
}

fn coding(name: &Ident, name_text: &str, fields: &[EventField]) -> TokenStream {
    let idents = |topic: bool| fields.iter().filter(move |field| field.topic == topic).map(|field| &field.ident);
    let (topics, others, again) = (idents(true), idents(false), idents(false));
    let topic_count = idents(true).count();
    let beginning = beginning(name_text, topic_count);
    let all = fields.iter().map(|field| &field.ident);
    let read_topics =
        idents(true).enumerate().map(|(at, ident)| quote!(let #ident = ::hanse_sdk::event::read_topic(event, #at)?;));
    quote! {
        impl ::hanse_sdk::event::ContractEvent for #name {
            const NAME: &'static str = #name_text;

            fn encode(&self) -> ::hanse_sdk::data::Encoded {
                #[allow(unused_mut)]
                let mut writer = ::hanse_sdk::event::EventWriter::new(#beginning);
                #(writer.topic(&self.#topics);)*
                writer.finish(|_out| { #(::hanse_sdk::data::Data::write(&self.#others, _out);)* })
            }

            fn decode(event: &::hanse_sdk::abi::Event) -> ::core::option::Option<Self> {
                if event.name != #name_text || event.topics.len() != #topic_count {
                    return ::core::option::Option::None;
                }
                #(#read_topics)*
                let mut rest = &event.data[..];
                #(let #again = ::hanse_sdk::data::Data::read(&mut rest)?;)*
                rest.is_empty().then_some(Self { #(#all),* })
            }
        }
    }
}
