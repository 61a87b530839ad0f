//! Modules that mean harm: those that must not be deployed, and those that may be, and then end in a known way.

mod host;
mod refused;
mod running;

use crate::world::wasm;

/// A hostile module.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) code: Vec<u8>,
    /// How it ends.
    pub(crate) expected: String,
}

fn case(name: &'static str, code: Vec<u8>, expected: &str) -> Case {
    Case { name, code, expected: expected.to_owned() }
}

/// A case in text form.
fn text(name: &'static str, text: &str, expected: &str) -> Case {
    case(name, wasm(text), expected)
}

#[test]
fn there_are_enough_of_them() {
    let (refused, running) = (refused::cases().len(), running::cases().len());
    println!("{refused} modules are refused, {running} run");
    assert!(refused >= 40 && running >= 40, "{refused} refused, {running} running");
}

#[test]
fn no_two_cases_have_one_name() {
    let cases = refused::cases().into_iter().chain(running::cases());
    let mut names: Vec<_> = cases.map(|case| case.name).collect();
    names.sort_unstable();
    let before = names.len();
    names.dedup();
    assert_eq!(names.len(), before);
}
