//! `#[interface]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ItemTrait, TraitItem};

use crate::signature::Method;
use crate::{abi, client};

/// The trait itself is replaced by the client: nobody implements it.
pub(crate) fn expand(attribute: TokenStream, item: ItemTrait) -> crate::Expansion {
    crate::no_arguments(&attribute, "interface")?;
    let methods = item.items.iter().map(|part| match part {
        TraitItem::Fn(function) if function.default.is_none() => {
            Method::parse(&function.sig, abi::docs(&function.attrs), None)
        }
        other => Err(syn::Error::new_spanned(other, "an interface lists methods without bodies, and nothing else")),
    });
    let methods = methods.collect::<syn::Result<Vec<_>>>()?;
    let requirements = methods.iter().map(Method::requirements);
    let client = client::expand(&item.vis, &item.ident, &methods);
    Ok(quote! {
        #client
        const _: () = { #(#requirements)* };
    })
}
