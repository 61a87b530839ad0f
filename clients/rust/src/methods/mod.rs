//! The RPC methods: names, parameters, answers. Parameters are named; unknown ones are refused, as a typing error must
//! not be taken for a default.
//!
//! A method is a type that implements [`Method`]. Each namespace has a file here with a table of its methods, beside their
//! parameters; what they answer is in [`crate::views`]. The tables together ([`all`]) are what a node serves, neither more
//! nor less. To add a method: a line in its namespace's table here, and a line in that of the server's handlers.
//!
//! Beside its own parameters, every method takes [`GROUP`].

mod block;
mod chain;
mod contract;
mod dag;
mod dev;
mod event;
mod group;
mod ledger;
mod name;
mod node;
mod pool;
mod state;
mod tx;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::codes::ErrorCode;

pub use block::*;
pub use chain::*;
pub use contract::*;
pub use dag::*;
pub use dev::*;
pub use event::*;
pub use group::*;
pub use ledger::*;
pub use name::*;
pub use node::*;
pub use pool::*;
pub use state::*;
pub use tx::*;

/// A parameter that every method takes: the group that is asked; the node's own if absent.
pub const GROUP: &str = "group";

/// Who may call a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Whoever reaches the node.
    Public,
    /// Its operators: it changes the node, though not the chain, so only the node's admin listener serves it.
    Admin,
}

/// An RPC method.
pub trait Method {
    /// Its name on the wire: namespace, `_`, verb or thing.
    const NAME: &'static str;
    /// What it does, in words.
    const ABOUT: &'static str;
    /// How it may fail, beside what is common to all methods ([`crate::codes::ANY`]).
    const ERRORS: &'static [&'static [ErrorCode]];
    /// Who may call it.
    const ACCESS: Access = Access::Public;
    /// Its named parameters.
    type Params: Serialize + DeserializeOwned + JsonSchema + Send + Sync;
    /// Its answer.
    type Answer: Serialize + DeserializeOwned + JsonSchema + Send;
}

/// A method without its types: for tables.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// See [`Method::NAME`].
    pub name: &'static str,
    /// See [`Method::ABOUT`].
    pub about: &'static str,
    /// See [`Method::ACCESS`].
    pub access: Access,
    errors: &'static [&'static [ErrorCode]],
    params: fn(&mut SchemaGenerator) -> Schema,
    answer: fn(&mut SchemaGenerator) -> Schema,
    check_params: fn(Value) -> Result<Value, serde_json::Error>,
    check_answer: fn(Value) -> Result<Value, serde_json::Error>,
}

impl Description {
    /// That of a method.
    pub const fn of<M: Method>() -> Description {
        Description {
            name: M::NAME,
            about: M::ABOUT,
            access: M::ACCESS,
            errors: M::ERRORS,
            params: |generator| generator.subschema_for::<M::Params>(),
            answer: |generator| generator.subschema_for::<M::Answer>(),
            check_params: again::<M::Params>,
            check_answer: again::<M::Answer>,
        }
    }

    /// The schema of its parameters, as this generator writes schemas.
    pub fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.params)(generator)
    }

    /// The schema of its answer.
    pub fn answer_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.answer)(generator)
    }

    /// Parameters, read by the method's type and written again.
    ///
    /// # Errors
    /// If they are not of that type.
    pub fn check_params(&self, params: Value) -> Result<Value, serde_json::Error> {
        (self.check_params)(params)
    }

    /// An answer, read by the method's type and written again.
    ///
    /// # Errors
    /// If it is not of that type.
    pub fn check_answer(&self, answer: Value) -> Result<Value, serde_json::Error> {
        (self.check_answer)(answer)
    }

    /// How it may fail, in the order of the codes: [`Method::ERRORS`], what is common to all, and the refusals of those who
    /// may not call it.
    pub fn errors(&self) -> Vec<ErrorCode> {
        let rights = match self.access {
            Access::Public => [].as_slice(),
            Access::Admin => crate::codes::RIGHTS,
        };
        let mut errors: Vec<ErrorCode> =
            self.errors.iter().chain([&crate::codes::ANY, &rights]).copied().flatten().copied().collect();
        errors.sort_by_key(|error| error.code);
        errors.dedup();
        errors
    }
}

fn again<T: Serialize + DeserializeOwned>(value: Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(serde_json::from_value::<T>(value)?)
}

/// All methods, by namespace; [`Discover`] aside, which describes them.
pub fn all() -> impl Iterator<Item = &'static Description> {
    [CHAIN, BLOCK, TX, STATE, CONTRACT, DAG, EVENT, NAME, POOL, LEDGER, NODE, GROUP_TABLE, DEV].into_iter().flatten()
}

/// The table of a namespace: for each method its words, its type, its name, parameters, answer, `only Admin` if it is none
/// for all, and how it may fail beside what is common to all.
macro_rules! methods {
    ($table:ident: $($(#[doc = $doc:literal])+ $method:ident = $name:literal, $params:ty => $answer:ty,
        $(only $access:ident,)? fails $errors:expr;)*) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug)]
            pub struct $method;

            impl $crate::methods::Method for $method {
                const NAME: &'static str = $name;
                const ABOUT: &'static str = concat!($($doc),+).trim_ascii_start();
                const ERRORS: &'static [&'static [$crate::codes::ErrorCode]] = &$errors;
                $(const ACCESS: $crate::methods::Access = $crate::methods::Access::$access;)?
                type Params = $params;
                type Answer = $answer;
            }
        )*

        /// The methods of this table.
        pub const $table: &[$crate::methods::Description] = &[$($crate::methods::Description::of::<$method>()),*];
    };
}

use methods;

methods! { RPC:
    /// This description of all methods, as OpenRPC.
    Discover = "rpc.discover", NoParams => Value, fails [];
}

/// No parameters.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_say_their_namespace() {
        let names: Vec<&str> = all().map(|method| method.name).collect();
        for (at, name) in names.iter().enumerate() {
            assert!(!names[at + 1..].contains(name), "{name} is there twice");
            let (namespace, verb) = name.split_once('_').unwrap_or_default();
            assert!(!namespace.is_empty() && !verb.is_empty(), "{name}");
        }
    }

    #[test]
    fn every_method_says_what_it_does() {
        for method in all() {
            let about = method.about;
            assert!(
                about.ends_with('.') && about.chars().next().is_some_and(char::is_uppercase),
                "{}: {about}",
                method.name
            );
        }
    }
}
