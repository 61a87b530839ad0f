//! `#[error]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Attribute, Fields, Ident, ItemEnum, LitInt, LitStr, Token, Type, Variant};

use crate::json::Object;
use crate::{abi, json, types};

/// Codes from here on are the host's.
const FIRST_RESERVED: u32 = u32::MAX - 255;

pub(crate) fn expand(attribute: TokenStream, mut item: ItemEnum) -> crate::Expansion {
    let first = first_code(attribute)?;
    if !item.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&item.generics, "errors can't be generic: the ABI needs concrete types"));
    }
    let mut variants = Vec::new();
    for (at, variant) in item.variants.iter_mut().enumerate() {
        variants.push(take_variant(variant, first + at as u32)?);
    }
    let name = &item.ident;
    let described: Vec<String> = variants.iter().map(ErrorVariant::json).collect();
    let described = Object::new().text("name", &abi::name(name)).raw("variants", &json::array(&described)).end();
    let section = abi::section(name, "errors", &described);
    let codes = variants.iter().map(ErrorVariant::code_arm);
    let writes = variants.iter().map(ErrorVariant::write_arm);
    let reads = variants.iter().map(ErrorVariant::read_arm);
    let types = variants.iter().flat_map(|variant| variant.fields.iter().map(|field| &field.ty));
    Ok(quote! {
        #[derive(Clone, Debug, PartialEq)]
        #item

        impl ::hanse_sdk::error::ContractError for #name {
            fn code(&self) -> u32 {
                match self { #(#codes,)* }
            }

            fn write_fields(&self, out: &mut ::hanse_sdk::data::Encoded) {
                match self { #(#writes,)* }
            }

            fn decode(code: u32, mut fields: &[u8]) -> ::core::option::Option<Self> {
                let fields = &mut fields;
                let error = match code {
                    #(#reads,)*
                    _ => return ::core::option::Option::None,
                };
                fields.is_empty().then_some(error)
            }
        }

        const _: () = { #(::hanse_sdk::data::require::<#types>();)* };
        #section
    })
}

/// `first = 100` in the attribute's parentheses, else 1.
fn first_code(attribute: TokenStream) -> syn::Result<u32> {
    if attribute.is_empty() {
        return Ok(1);
    }
    let parse = |input: syn::parse::ParseStream<'_>| {
        let name: Ident = input.parse()?;
        if name != "first" {
            return Err(syn::Error::new(name.span(), "write #[error(first = 100)] for codes from 100 on"));
        }
        input.parse::<Token![=]>()?;
        let number: LitInt = input.parse()?;
        let first: u32 = number.base10_parse()?;
        let in_range = (1..FIRST_RESERVED - u32::from(u16::MAX)).contains(&first);
        if in_range { Ok(first) } else { Err(syn::Error::new(number.span(), "codes are from 1 to 4 billion")) }
    };
    syn::parse::Parser::parse2(parse, attribute)
}

struct ErrorField {
    ident: Ident,
    ty: Type,
    json: String,
}

struct ErrorVariant {
    ident: Ident,
    code: u32,
    message: String,
    docs: String,
    fields: Vec<ErrorField>,
}

impl ErrorVariant {
    fn json(&self) -> String {
        let fields: Vec<String> = self.fields.iter().map(|field| field.json.clone()).collect();
        Object::new()
            .raw("code", &self.code.to_string())
            .text("name", &abi::name(&self.ident))
            .text("message", &self.message)
            .text_if_any("docs", &self.docs)
            .list_if_any("fields", &fields)
            .end()
    }

    fn code_arm(&self) -> TokenStream {
        let (ident, code) = (&self.ident, self.code);
        quote!(Self::#ident { .. } => #code)
    }

    fn write_arm(&self) -> TokenStream {
        let ident = &self.ident;
        let fields: Vec<&Ident> = self.fields.iter().map(|field| &field.ident).collect();
        quote!(Self::#ident { #(#fields),* } => { #(::hanse_sdk::data::Data::write(#fields, out);)* })
    }

    fn read_arm(&self) -> TokenStream {
        let (ident, code) = (&self.ident, self.code);
        let fields = self.fields.iter().map(|field| &field.ident);
        quote!(#code => Self::#ident { #(#fields: ::hanse_sdk::data::Data::read(fields)?),* })
    }
}

fn take_variant(variant: &mut Variant, code: u32) -> syn::Result<ErrorVariant> {
    if let Fields::Unnamed(fields) = &variant.fields {
        let message = "fields of an error need names, so that its text can show them: TooLittle { have: u128 }";
        return Err(syn::Error::new(fields.span(), message));
    }
    if let Some((_, value)) = &variant.discriminant {
        let message = "codes follow from the order of the variants; use #[error(first = …)] to move all of them";
        return Err(syn::Error::new_spanned(value, message));
    }
    let message = take_message(&mut variant.attrs, &variant.ident)?;
    let mut fields = Vec::new();
    for field in &variant.fields {
        types::check(&field.ty)?;
        let Some(ident) = field.ident.clone() else { continue };
        let json = abi::field(field, &ident);
        fields.push(ErrorField { ident, ty: field.ty.clone(), json });
    }
    check_placeholders(&message, &fields)?;
    let docs = abi::docs(&variant.attrs);
    Ok(ErrorVariant { ident: variant.ident.clone(), code, message: message.value(), docs, fields })
}

/// Takes `#[msg("…")]` away.
fn take_message(attributes: &mut Vec<Attribute>, variant: &Ident) -> syn::Result<LitStr> {
    let Some(at) = attributes.iter().position(|attribute| attribute.path().is_ident("msg")) else {
        let message = "say what went wrong: #[msg(\"balance {have} is less than {need}\")] above the variant";
        return Err(syn::Error::new(variant.span(), message));
    };
    attributes.remove(at).parse_args()
}

/// Each `{name}` in the text must be a field.
fn check_placeholders(message: &LitStr, fields: &[ErrorField]) -> syn::Result<()> {
    let text = message.value();
    let mut rest = text.as_str();
    while let Some((_, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            return Err(syn::Error::new(message.span(), "a `{` in the text has no `}`"));
        };
        if fields.iter().all(|field| abi::name(&field.ident) != name) {
            let known: Vec<String> = fields.iter().map(|field| abi::name(&field.ident)).collect();
            let text = format!("`{{{name}}}` is no field of this error; its fields: {}", known.join(", "));
            return Err(syn::Error::new(message.span(), text));
        }
        rest = tail;
    }
    Ok(())
}
