//! Parts of the ABI document.

use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};
use syn::{Attribute, Expr, Field, Ident, Lit, Meta, Type};

use crate::json::{self, Object};
use crate::types;

/// A static that puts a part of the ABI, a JSON object of one field, into the module's custom section.
///
/// The static is public, though nobody uses it, because only then does it reach the linker; `#[used]` would do that too,
/// but also leave a copy in the contract's memory.
pub(crate) fn section(owner: &Ident, kind: &str, json: &str) -> TokenStream {
    let part = Object::new().raw(kind, json).end();
    let ident = format_ident!("hanse_abi_{kind}_{owner}");
    let length = part.len();
    let bytes = Literal::byte_string(part.as_bytes());
    quote! {
        #[cfg(target_arch = "wasm32")]
        #[doc(hidden)]
        #[allow(non_upper_case_globals, missing_docs)]
        #[unsafe(link_section = "hanse_abi")]
        pub static #ident: [u8; #length] = *#bytes;
    }
}

/// The item's doc comment: lines joined, each without its leading space.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes.iter().filter_map(doc_line).collect();
    lines.join("\n").trim().to_owned()
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    if !pair.path.is_ident("doc") {
        return None;
    }
    let Expr::Lit(literal) = &pair.value else { return None };
    let Lit::Str(text) = &literal.lit else { return None };
    let text = text.value();
    Some(text.strip_prefix(' ').unwrap_or(&text).to_owned())
}

/// An identifier as the ABI writes it.
pub(crate) fn name(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map(str::to_owned).unwrap_or(text)
}

/// A named value in the short form of a module's section: `to: Address`, with its docs on the next lines.
pub(crate) fn named(name: &str, ty: &Type, docs: &str) -> String {
    let separator = if docs.is_empty() { "" } else { "\n" };
    json::string(&format!("{name}: {}{separator}{docs}", types::text(ty)))
}

/// A field with its type and docs, in the short form.
pub(crate) fn field(field: &Field, ident: &Ident) -> String {
    named(&name(ident), &field.ty, &docs(&field.attrs))
}

/// Takes the attribute with this name away; whether it was there.
pub(crate) fn take_marker(attributes: &mut Vec<Attribute>, name: &str) -> syn::Result<bool> {
    let Some(at) = attributes.iter().position(|attribute| attribute.path().is_ident(name)) else { return Ok(false) };
    attributes.remove(at).meta.require_path_only()?;
    Ok(true)
}
