//! `#[methods]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Attribute, ImplItem, ImplItemFn, ItemImpl, Type, Visibility};

use crate::signature::{Kind, Method};
use crate::{abi, client, hints, json};

pub(crate) fn expand(attribute: TokenStream, mut item: ItemImpl) -> crate::Expansion {
    crate::no_arguments(&attribute, "methods")?;
    let name = contract_name(&item)?;
    let mut methods = Vec::new();
    for part in &mut item.items {
        let ImplItem::Fn(function) = part else { continue };
        methods.extend(take_method(function)?);
    }
    let described = describe(&item, &methods);
    refuse_second(&methods, Kind::Init)?;
    refuse_second(&methods, Kind::Migrate)?;
    let section = abi::section(&name, "methods", &json::array(&described));
    let entries = entries(&name, &methods);
    let requirements = methods.iter().map(Method::requirements);
    let client = client::expand(&Visibility::Public(syn::token::Pub::default()), &name, &methods);
    let deployments = client::deployments(&name, &methods);
    Ok(quote! {
        #item

        #entries
        #client
        #deployments
        const _: () = { #(#requirements)* };
        #section
    })
}

/// The functions of the contract, helpers included.
pub(crate) fn functions(item: &ItemImpl) -> hints::Functions<'_> {
    let functions = item.items.iter().filter_map(|part| match part {
        ImplItem::Fn(function) => Some((function.sig.ident.to_string(), function)),
        _ => None,
    });
    functions.collect()
}

/// The methods in the ABI.
fn describe(item: &ItemImpl, methods: &[Method]) -> Vec<String> {
    let functions = functions(item);
    let described = methods.iter().map(|method| {
        let body = functions.get(&method.ident.to_string()).map(|function| &function.block);
        method.json(&body.map_or_else(Vec::new, |body| hints::of(method, body, &functions)))
    });
    described.collect()
}

fn contract_name(item: &ItemImpl) -> syn::Result<syn::Ident> {
    if let Some((_, path, _)) = &item.trait_ {
        let message = "#[methods] goes on the contract's own impl, not on that of a trait";
        return Err(syn::Error::new_spanned(path, message));
    }
    let Type::Path(path) = &*item.self_ty else {
        return Err(syn::Error::new_spanned(&item.self_ty, "#[methods] goes on the impl of a #[contract] struct"));
    };
    match path.path.get_ident() {
        Some(ident) => Ok(ident.clone()),
        None => Err(syn::Error::new_spanned(path, "write the contract's plain name here")),
    }
}

/// The method that this function is, or none if it is a helper. Takes its markers away.
fn take_method(function: &mut ImplItemFn) -> syn::Result<Option<Method>> {
    let marker = take_kind(&mut function.attrs)?;
    if !matches!(function.vis, Visibility::Public(_)) {
        return match marker {
            Some(_) => Err(syn::Error::new_spanned(&function.sig.ident, "this method must be `pub`")),
            None => Ok(None),
        };
    }
    Method::parse(&function.sig, abi::docs(&function.attrs), marker).map(Some)
}

fn take_kind(attributes: &mut Vec<Attribute>) -> syn::Result<Option<Kind>> {
    if abi::take_marker(attributes, "init")? {
        return Ok(Some(Kind::Init));
    }
    Ok(abi::take_marker(attributes, "migrate")?.then_some(Kind::Migrate))
}

fn refuse_second(methods: &[Method], kind: Kind) -> syn::Result<()> {
    match methods.iter().filter(|method| method.kind == kind).nth(1) {
        Some(second) => Err(syn::Error::new_spanned(&second.ident, "a contract has at most one such method")),
        None => Ok(()),
    }
}

/// One entry function per method; exported on WebAssembly, found by name elsewhere.
fn entries(name: &syn::Ident, methods: &[Method]) -> TokenStream {
    let functions = methods.iter().map(|method| entry(name, method));
    let arms = methods.iter().map(|method| {
        let (text, entry, kind) = (abi::name(&method.ident), entry_ident(method), method.kind.path());
        quote!(#text => ::hanse_sdk::entry::Entry { kind: #kind, run: #entry })
    });
    let client = client::ident(name);
    quote! {
        const _: () = {
            #(#functions)*

            impl ::hanse_sdk::entry::Entries for #name {
                type Client<T: ::hanse_sdk::client::Transport> = #client<T>;

                fn entry(method: &str) -> ::core::option::Option<::hanse_sdk::entry::Entry> {
                    let entry = match method {
                        #(#arms,)*
                        _ => return ::core::option::Option::None,
                    };
                    ::core::option::Option::Some(entry)
                }

                fn client<T: ::hanse_sdk::client::Transport>(transport: T) -> #client<T> {
                    #client::over(transport)
                }
            }
        };
    }
}

fn entry_ident(method: &Method) -> syn::Ident {
    format_ident!("entry_{}", abi::name(&method.ident))
}

fn entry(name: &syn::Ident, method: &Method) -> TokenStream {
    let (ident, entry) = (&method.ident, entry_ident(method));
    let export = format!("hanse.{}", abi::name(ident));
    let (idents, types) = (method.arg_idents(), method.arg_types());
    let given = method.arg_idents();
    let ctx = method.ctx.as_ref().map(|_| quote!(&::hanse_sdk::context::Ctx::current(),));
    let finish = match method.error {
        Some(_) => quote!(::hanse_sdk::entry::finish_result(result)),
        None => quote!(::hanse_sdk::entry::finish(&result)),
    };
    let contract = if method.kind == Kind::View { quote!(contract) } else { quote!(mut contract) };
    let borrow = if method.kind == Kind::View { quote!(&contract) } else { quote!(&mut contract) };
    let read = (!method.args.is_empty()).then(|| quote!(#(let #idents: #types = arguments.take();)*));
    let mutable = (!method.args.is_empty()).then(|| quote!(mut).into_token_stream());
    quote! {
        fn #entry() {
            let #mutable arguments = ::hanse_sdk::entry::Arguments::read();
            #read
            arguments.end();
            let #contract = <#name as ::hanse_sdk::entry::Contract>::open();
            #[allow(clippy::let_unit_value)]
            let result = #name::#ident(#borrow, #ctx #(#given),*);
            #finish
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[unsafe(export_name = #export)]
            extern "C" fn export() {
                #entry()
            }
        };
    }
}
