//! Conflict hints: which keys a method touches, as far as its text shows.
//!
//! Where a method calls a storage type's function on `self.field` with a key that is made of arguments, the caller and
//! constants, that is a hint: which key, and whether it is read, written or added to. A key of anything else is a hint
//! for the field without its key. Calls of other functions of the same `impl` are followed. Hints are a forecast for tools and for the
//! order in which transactions are tried; nothing relies on their being complete.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{Block, Expr, ExprMethodCall, FnArg, Ident, ImplItemFn, Lit, Local, Member, Pat};

use crate::abi;
use crate::json;
use crate::signature::Method;

/// The part of a key that is who calls. Parts that are arguments are their names, constants begin with `=`.
const CALLER: &str = "@caller";
/// Stands for a key that the text does not show.
const UNKNOWN: &str = "?";
/// How far calls of helpers are followed.
const DEPTH: usize = 8;

/// The functions of the contract's `impl`, by name.
pub(crate) type Functions<'a> = BTreeMap<String, &'a ImplItemFn>;

/// The hints of a method, in the order in which its text touches storage, each once.
pub(crate) fn of(method: &Method, body: &Block, functions: &Functions<'_>) -> Vec<String> {
    let names = method.arg_idents().map(|ident| (ident.to_string(), abi::name(ident)));
    let ctx = method.ctx.as_ref().map(Ident::to_string);
    let mut finder = Finder { names: names.collect(), ctx, hints: Vec::new(), functions, depth: 0 };
    finder.visit_block(body);
    finder.hints
}

/// What a storage function does with the key that is its first argument, or with the field as a whole.
struct Touch {
    keyed: bool,
    accesses: &'static [&'static str],
}

/// The storage function of this name with so many arguments.
fn touch(function: &str, arguments: usize) -> Option<Touch> {
    let (keyed, accesses): (bool, &'static [&'static str]) = match (function, arguments) {
        ("get" | "find" | "contains" | "exists", n) => (n == 1, &["read"]),
        ("set", n @ (1 | 2)) => (n == 2, &["write"]),
        ("remove", n @ (0 | 1)) => (n == 1, &["write"]),
        ("insert", 1) => (true, &["write"]),
        ("delete", 1) => (true, &["read", "write"]),
        ("update", n @ (1 | 2)) => (n == 2, &["read", "write"]),
        ("add" | "sub" | "try_add" | "try_sub", n @ (1 | 2)) => (n == 2, &["add"]),
        ("add_up_to" | "sub_down_to", 2) => (false, &["add"]),
        _ => return None,
    };
    Some(Touch { keyed, accesses })
}

struct Finder<'a> {
    /// Names in scope that stand for a part of a key. Shadowing by anything else removes them.
    names: BTreeMap<String, String>,
    /// The context's name.
    ctx: Option<String>,
    hints: Vec<String>,
    functions: &'a Functions<'a>,
    depth: usize,
}

impl Finder<'_> {
    fn hint(&mut self, field: &str, key: Option<Vec<String>>, access: &str) {
        let mut parts = vec![format!("{access} {field}")];
        parts.extend(key.unwrap_or_else(|| vec![UNKNOWN.to_owned()]));
        let hint = json::array(&parts.iter().map(|part| json::string(part)).collect::<Vec<_>>());
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
    }

    /// The parts of a key, if all are known.
    fn parts(&self, key: &Expr) -> Option<Vec<String>> {
        match bare(key) {
            Expr::Tuple(tuple) => tuple.elems.iter().map(|part| self.part(part)).collect(),
            other => Some(vec![self.part(other)?]),
        }
    }

    fn part(&self, expr: &Expr) -> Option<String> {
        match bare(expr) {
            Expr::Path(path) => self.names.get(&path.path.get_ident()?.to_string()).cloned(),
            Expr::MethodCall(call) if self.is_caller(call) => Some(CALLER.to_owned()),
            Expr::Lit(literal) => constant(&literal.lit),
            _ => None,
        }
    }

    fn is_caller(&self, call: &ExprMethodCall) -> bool {
        let Expr::Path(path) = &*call.receiver else { return false };
        call.method == "caller" && path.path.get_ident().map(Ident::to_string) == self.ctx && self.ctx.is_some()
    }

    /// Looks into a function of the contract that is called, with what is known of its arguments.
    fn follow(&mut self, call: &ExprMethodCall) {
        let Some(function) = self.functions.get(&call.method.to_string()) else { return };
        if self.depth >= DEPTH {
            return;
        }
        let parameters = function.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(&*typed.pat),
            FnArg::Receiver(_) => None,
        });
        let (mut names, mut ctx) = (BTreeMap::new(), None);
        for (parameter, argument) in parameters.zip(&call.args) {
            let Pat::Ident(parameter) = parameter else { continue };
            let name = parameter.ident.to_string();
            if self.is_ctx(argument) {
                ctx = Some(name);
            } else if let Some(known) = self.part(argument) {
                names.insert(name, known);
            }
        }
        let hints = std::mem::take(&mut self.hints);
        let mut inner = Finder { names, ctx, hints, functions: self.functions, depth: self.depth + 1 };
        inner.visit_block(&function.block);
        self.hints = inner.hints;
    }

    fn is_ctx(&self, argument: &Expr) -> bool {
        let Expr::Path(path) = bare(argument) else { return false };
        self.ctx.is_some() && path.path.get_ident().map(Ident::to_string) == self.ctx
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        visit::visit_expr_method_call(self, call);
        if is_self(&call.receiver) {
            return self.follow(call);
        }
        let Some(field) = storage_field(&call.receiver) else { return };
        let Some(touch) = touch(&call.method.to_string(), call.args.len()) else { return };
        let key = match call.args.first() {
            Some(key) if touch.keyed => self.parts(key),
            _ => Some(Vec::new()),
        };
        for access in touch.accesses {
            self.hint(&field, key.clone(), access);
        }
    }

    /// `let from = ctx.caller();` makes `from` stand for the caller; any other `let` of a known name hides it.
    fn visit_local(&mut self, local: &'ast Local) {
        visit::visit_local(self, local);
        let Pat::Ident(pattern) = &local.pat else { return };
        let known = local.init.as_ref().and_then(|init| self.part(&init.expr));
        if let Some(known) = known {
            self.names.insert(pattern.ident.to_string(), known);
        }
    }

    fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
        self.names.remove(&pattern.ident.to_string());
    }
}

/// The expression without what does not change its value as a key.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Reference(inner) => bare(&inner.expr),
        Expr::Paren(inner) => bare(&inner.expr),
        Expr::Group(inner) => bare(&inner.expr),
        Expr::MethodCall(call) if call.method == "clone" && call.args.is_empty() => bare(&call.receiver),
        other => other,
    }
}

/// The field's name if the expression is `self.field`.
fn storage_field(expr: &Expr) -> Option<String> {
    let Expr::Field(field) = expr else { return None };
    let Member::Named(name) = &field.member else { return None };
    is_self(&field.base).then(|| abi::name(name))
}

fn is_self(expr: &Expr) -> bool {
    matches!(expr, Expr::Path(path) if path.path.is_ident("self"))
}

fn constant(literal: &Lit) -> Option<String> {
    match literal {
        Lit::Int(number) => Some(format!("={}", number.base10_digits())),
        Lit::Bool(value) => Some(format!("={}", value.value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn hints(item: &syn::ItemImpl) -> Vec<String> {
        let functions = crate::methods::functions(item);
        let method = functions.get("method").expect("the test's method");
        let parsed = Method::parse(&method.sig, String::new(), None).expect("the test's method is one");
        of(&parsed, &method.block, &functions)
    }

    #[test]
    fn keys_of_arguments_caller_and_constants_are_seen() {
        let found = hints(&parse_quote! {
            impl C {
                pub fn method(&mut self, ctx: &Ctx, to: Address, amount: u128) {
                    let from = ctx.caller();
                    let have = self.balances.get(&from);
                    self.allowances.set((from, to.clone()), have - amount);
                    self.fees.add(7, amount);
                    self.total.add(amount);
                }
            }
        });
        assert_eq!(
            found,
            [
                r#"["read balances","@caller"]"#,
                r#"["write allowances","@caller","to"]"#,
                r#"["add fees","=7"]"#,
                r#"["add total"]"#,
            ]
        );
    }

    #[test]
    fn helpers_are_followed_and_what_is_computed_is_unknown() {
        let found = hints(&parse_quote! {
            impl C {
                pub fn method(&mut self, ctx: &Ctx, to: Address) {
                    self.pay(ctx, to);
                    let to = other(to);
                    self.balances.remove(to);
                }

                fn pay(&mut self, context: &Ctx, whom: Address) {
                    self.balances.add(whom, 1);
                    self.seen.insert(context.caller());
                    self.pay(context, whom);
                }
            }
        });
        assert_eq!(found, [r#"["add balances","to"]"#, r#"["write seen","@caller"]"#, r#"["write balances","?"]"#,]);
    }
}
