//! What a method looks like: parsed once, for exports, clients and the ABI.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{FnArg, Ident, Pat, PathArguments, Receiver, ReturnType, Signature, Type};

use crate::json::Object;
use crate::{abi, types};

/// When a method may be called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Init,
    Call,
    View,
    Migrate,
}

impl Kind {
    /// The kind as the SDK's entry table has it.
    pub(crate) fn path(self) -> TokenStream {
        match self {
            Kind::Init => quote!(::hanse_sdk::entry::Kind::Init),
            Kind::Call => quote!(::hanse_sdk::entry::Kind::Call),
            Kind::View => quote!(::hanse_sdk::entry::Kind::View),
            Kind::Migrate => quote!(::hanse_sdk::entry::Kind::Migrate),
        }
    }

    /// The kind as the ABI has it, where the usual one is left away.
    fn name(self) -> &'static str {
        match self {
            Kind::Init => "init",
            Kind::Call => "",
            Kind::View => "view",
            Kind::Migrate => "migrate",
        }
    }
}

pub(crate) struct Argument {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
}

/// A method, taken apart.
pub(crate) struct Method {
    pub(crate) ident: Ident,
    pub(crate) kind: Kind,
    /// The context's name, if the method takes it.
    pub(crate) ctx: Option<Ident>,
    pub(crate) args: Vec<Argument>,
    /// What it returns, or what the `Ok` of its result holds; `()` for nothing.
    pub(crate) returns: Type,
    /// The error type of its result.
    pub(crate) error: Option<Type>,
    pub(crate) docs: String,
}

impl Method {
    pub(crate) fn parse(signature: &Signature, docs: String, marker: Option<Kind>) -> syn::Result<Method> {
        refuse_unusual(signature)?;
        let receiver = receiver(signature)?;
        let kind = kind(receiver, marker)?;
        let mut ctx = None;
        let mut args = Vec::new();
        for (at, input) in signature.inputs.iter().skip(1).enumerate() {
            let (ident, ty) = named(input)?;
            if !is_ctx(ty) {
                types::check(ty)?;
                args.push(Argument { ident, ty: ty.clone() });
                continue;
            }
            if at > 0 {
                return Err(syn::Error::new_spanned(input, "the context comes first: (&self, ctx: &Ctx, …)"));
            }
            ctx = Some(ident);
        }
        let (returns, error) = returned(&signature.output)?;
        Ok(Method { ident: signature.ident.clone(), kind, ctx, args, returns, error, docs })
    }

    /// The method in the ABI.
    pub(crate) fn json(&self, hints: &[String]) -> String {
        let args: Vec<String> = self.args.iter().map(argument_json).collect();
        let returns = types::text(&self.returns);
        let error = self.error.as_ref().map(types::text).unwrap_or_default();
        Object::new()
            .text("name", &abi::name(&self.ident))
            .text_if_any("kind", self.kind.name())
            .list_if_any("args", &args)
            .text_if_any("returns", if returns == "()" { "" } else { &returns })
            .text_if_any("error", &error)
            .text_if_any("docs", &self.docs)
            .list_if_any("hints", hints)
            .end()
    }

    /// The argument names.
    pub(crate) fn arg_idents(&self) -> impl Iterator<Item = &Ident> {
        self.args.iter().map(|arg| &arg.ident)
    }

    /// The argument types.
    pub(crate) fn arg_types(&self) -> impl Iterator<Item = &Type> {
        self.args.iter().map(|arg| &arg.ty)
    }

    /// Asserts, at each type's place, that the ABI can describe it.
    pub(crate) fn requirements(&self) -> TokenStream {
        let types = self.arg_types().chain(std::iter::once(&self.returns));
        quote!(#(::hanse_sdk::data::require::<#types>();)*)
    }
}

fn argument_json(arg: &Argument) -> String {
    abi::named(&abi::name(&arg.ident), &arg.ty, "")
}

fn refuse_unusual(signature: &Signature) -> syn::Result<()> {
    let name = signature.ident.to_string();
    if ["at", "over", "by"].contains(&name.as_str()) {
        let message = format!("`{name}` is a function of every generated client: give the method another name");
        return Err(syn::Error::new_spanned(&signature.ident, message));
    }
    if let Some(token) = &signature.asyncness {
        return Err(syn::Error::new_spanned(token, "a method can't be async: calls of other contracts return at once"));
    }
    if let Some(token) = &signature.unsafety {
        return Err(syn::Error::new_spanned(token, "a method can't be unsafe: anybody may call it"));
    }
    if !signature.generics.params.is_empty() {
        let message =
            "a method can't be generic: its arguments come from outside, as bytes of types that the ABI names";
        return Err(syn::Error::new_spanned(&signature.generics, message));
    }
    Ok(())
}

fn receiver(signature: &Signature) -> syn::Result<&Receiver> {
    let usage = "a public function of #[methods] is a method: give it `&mut self`, or `&self` if it changes nothing; \
                 leave `pub` away for a helper";
    match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) if receiver.reference.is_some() => Ok(receiver),
        Some(other) => Err(syn::Error::new_spanned(other, usage)),
        None => Err(syn::Error::new_spanned(&signature.ident, usage)),
    }
}

fn kind(receiver: &Receiver, marker: Option<Kind>) -> syn::Result<Kind> {
    let mutable = receiver.mutability.is_some();
    match marker {
        Some(_) if !mutable => Err(syn::Error::new_spanned(receiver, "this method sets up state: write `&mut self`")),
        Some(kind) => Ok(kind),
        None if mutable => Ok(Kind::Call),
        None => Ok(Kind::View),
    }
}

fn named(input: &FnArg) -> syn::Result<(Ident, &Type)> {
    let FnArg::Typed(typed) = input else { return Err(syn::Error::new_spanned(input, "only one self")) };
    let Pat::Ident(pattern) = &*typed.pat else {
        return Err(syn::Error::new_spanned(&typed.pat, "an argument needs a name: the ABI shows it"));
    };
    Ok((pattern.ident.clone(), &typed.ty))
}

/// Whether the type is `&Ctx`.
fn is_ctx(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Ctx")
}

/// What is returned, and the error type if it is a `Result`.
fn returned(output: &ReturnType) -> syn::Result<(Type, Option<Type>)> {
    let ReturnType::Type(_, ty) = output else { return Ok((syn::parse_quote!(()), None)) };
    let Type::Path(path) = &**ty else {
        types::check(ty)?;
        return Ok(((**ty).clone(), None));
    };
    let Some(last) = path.path.segments.last().filter(|last| last.ident == "Result") else {
        types::check(ty)?;
        return Ok(((**ty).clone(), None));
    };
    match types::arguments(last)[..] {
        [value, error] => {
            types::check(value)?;
            Ok((value.clone(), Some(error.clone())))
        }
        _ => {
            let place: &dyn quote::ToTokens = match &last.arguments {
                PathArguments::None => &last.ident,
                arguments => arguments,
            };
            Err(syn::Error::new_spanned(place, "write both types of the result: Result<u128, Error>"))
        }
    }
}
