//! Generated clients.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, Visibility};

use crate::signature::{Kind, Method};

/// The client's type for a contract or interface of this name.
pub(crate) fn ident(name: &Ident) -> Ident {
    format_ident!("{name}Client")
}

/// The client struct with one function per call and view.
pub(crate) fn expand(visibility: &Visibility, name: &Ident, methods: &[Method]) -> TokenStream {
    let client = ident(name);
    let functions = methods.iter().filter(|method| matches!(method.kind, Kind::Call | Kind::View)).map(function);
    let docs = format!("Typed calls of `{name}`; where they go is the transport's matter.");
    quote! {
        #[doc = #docs]
        #[derive(Clone, Debug)]
        #visibility struct #client<T = ::hanse_sdk::client::Remote> {
            transport: T,
        }

        impl #client {
            /// Calls the contract at this address, from inside another contract.
            #[allow(dead_code)]
            pub fn at(address: ::hanse_sdk::abi::Address) -> Self {
                Self { transport: ::hanse_sdk::client::Remote::at(address) }
            }
        }

        impl<T: ::hanse_sdk::client::Transport> #client<T> {
            /// Calls by way of this transport.
            #[allow(dead_code)]
            pub fn over(transport: T) -> Self {
                Self { transport }
            }

            #(#functions)*
        }

        impl<T: ::hanse_sdk::client::CalledBy> #client<T> {
            /// The same client, for calls by this caller.
            #[allow(dead_code)]
            pub fn by(&self, caller: ::hanse_sdk::abi::Address) -> Self {
                Self { transport: self.transport.called_by(caller) }
            }
        }

        impl<T> ::core::ops::Deref for #client<T> {
            type Target = T;

            fn deref(&self) -> &T {
                &self.transport
            }
        }
    }
}

fn function(method: &Method) -> TokenStream {
    let Method { ident, args: _, returns, error, docs, .. } = method;
    let name = crate::abi::name(ident);
    let (idents, types) = (method.arg_idents(), method.arg_types());
    let arguments = arguments(method);
    let docs = if docs.is_empty() { format!("Calls `{name}`.") } else { docs.clone() };
    let error_type = error.as_ref().map_or_else(|| quote!(::hanse_sdk::error::Never), |error| quote!(#error));
    let (result, send) = if method.kind == Kind::View && error.is_none() {
        (quote!(T::View<#returns>), quote!(view::<#returns>))
    } else {
        (quote!(T::Call<#returns, #error_type>), quote!(call::<#returns, #error_type>))
    };
    quote! {
        #[doc = #docs]
        #[allow(dead_code)]
        pub fn #ident(&self, #(#idents: #types),*) -> #result {
            #arguments
            self.transport.#send(#name, args)
        }
    }
}

/// Statements that leave the encoded arguments in `args`.
fn arguments(method: &Method) -> TokenStream {
    let idents = method.arg_idents();
    quote! {
        #[allow(unused_mut)]
        let mut writer = ::hanse_sdk::client::ArgumentsWriter::new();
        #(writer.push(&#idents);)*
        let args = writer.finish();
    }
}

/// Functions that make a `Deployment` of a contract: by its `#[init]` method, or `deploy` where there is none; and by
/// its `#[migrate]` method.
pub(crate) fn deployments(name: &Ident, methods: &[Method]) -> TokenStream {
    let client = ident(name);
    let has_init = methods.iter().any(|method| method.kind == Kind::Init);
    let first_calls = methods.iter().filter(|method| matches!(method.kind, Kind::Init | Kind::Migrate));
    let functions = first_calls.map(|method| {
        let ident = &method.ident;
        let text = crate::abi::name(ident);
        let (idents, types) = (method.arg_idents(), method.arg_types());
        let arguments = arguments(method);
        quote! {
            /// Deploys or upgrades the contract by this method.
            #[allow(dead_code)]
            pub fn #ident(#(#idents: #types),*) -> ::hanse_sdk::client::Deployment<#name> {
                #arguments
                ::hanse_sdk::client::Deployment::new(::core::option::Option::Some(#text), args)
            }
        }
    });
    let plain = (!has_init).then(|| {
        quote! {
            /// Deploys the contract, which needs nothing to be set up.
            #[allow(dead_code)]
            pub fn deploy() -> ::hanse_sdk::client::Deployment<#name> {
                ::hanse_sdk::client::Deployment::new(::core::option::Option::None, ::core::default::Default::default())
            }
        }
    });
    quote! {
        impl #client<()> {
            #(#functions)*
            #plain
        }
    }
}
