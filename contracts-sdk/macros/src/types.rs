//! Types as the ABI writes them, and which ones it can't describe.

use quote::ToTokens;
use syn::{GenericArgument, PathArguments, Type};

/// The type's Rust syntax with spaces only after commas: `Map<Address, u128>`, `[u8; 32]`. Paths keep their last part.
pub(crate) fn text(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().map(segment).unwrap_or_default(),
        Type::Tuple(tuple) if tuple.elems.len() == 1 => format!("({},)", text(&tuple.elems[0])),
        Type::Tuple(tuple) => format!("({})", list(tuple.elems.iter().map(text))),
        Type::Array(array) => format!("[{}; {}]", text(&array.elem), array.len.to_token_stream()),
        Type::Paren(inner) => text(&inner.elem),
        Type::Group(inner) => text(&inner.elem),
        other => other.to_token_stream().to_string(),
    }
}

fn segment(segment: &syn::PathSegment) -> String {
    let parts = arguments(segment);
    let name = &segment.ident;
    if parts.is_empty() { name.to_string() } else { format!("{name}<{}>", list(parts.into_iter().map(text))) }
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// The types between a path segment's angle brackets.
pub(crate) fn arguments(segment: &syn::PathSegment) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Vec::new() };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

/// Refuses types that the ABI can't describe, as far as their syntax shows it.
pub(crate) fn check(ty: &Type) -> syn::Result<()> {
    let refuse = |message: &str| Err(syn::Error::new_spanned(ty, message));
    match ty {
        Type::Reference(_) => refuse("values are passed owned: write String for &str, Vec<T> for &[T], T for &T"),
        Type::Slice(_) => refuse("a slice has no size: write Vec<T>"),
        Type::ImplTrait(_) | Type::TraitObject(_) => refuse("the ABI needs a concrete type here"),
        Type::Tuple(tuple) => tuple.elems.iter().try_for_each(check),
        Type::Array(array) => check_array(array),
        Type::Path(path) => path.path.segments.last().map_or(Ok(()), |last| check_path(ty, last)),
        _ => Ok(()),
    }
}

fn check_array(array: &syn::TypeArray) -> syn::Result<()> {
    let is_literal = matches!(&array.len, syn::Expr::Lit(literal) if matches!(literal.lit, syn::Lit::Int(_)));
    if !is_literal {
        let message = "the ABI needs the array's length as a number, as in [u8; 32]";
        return Err(syn::Error::new_spanned(&array.len, message));
    }
    check(&array.elem)
}

fn check_path(ty: &Type, last: &syn::PathSegment) -> syn::Result<()> {
    let name = last.ident.to_string();
    let advice = match name.as_str() {
        "f32" | "f64" => {
            "floating-point numbers give different results on different machines: use integers, for \
                          money in the smallest unit"
        }
        "usize" | "isize" => "the size of usize differs between machines: use u32 or u64",
        "HashMap" | "HashSet" => {
            "a hash map has no order that all machines share: use Vec<(K, V)> here, or a storage \
                                  field of type Map<K, V>"
        }
        "str" => "a str has no size: write String",
        "Self" => "the ABI needs the type's name here",
        _ => return arguments(last).into_iter().try_for_each(check),
    };
    Err(syn::Error::new_spanned(ty, advice))
}
