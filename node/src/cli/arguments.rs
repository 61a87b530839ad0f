//! A method's arguments on the command line: `--to bob --amount 5`, or `bob 5` in order.
//!
//! The contract's ABI says which there are and of which type. Texts become JSON by the type; the ABI document then
//! checks and encodes it, as it does for every other client.

use std::collections::BTreeMap;

use hanse_types::Address;
use serde_json::{Map, Value};

use super::exit::Failure;
use super::{COMMIT_TIMEOUTS, Common};

/// An argument of a method, as the ABI describes it.
pub(crate) struct Parameter<'a> {
    /// Its name; on the command line, `_` may be written as `-`.
    pub(crate) name: &'a str,
    /// Its type, in Rust's syntax.
    pub(crate) ty: &'a str,
}

/// Options of `hanse` itself that were written after the method's name.
pub(crate) type OwnOptions = BTreeMap<String, String>;

/// Turns words into the method's arguments by name. Options that are no arguments of the method but among `own` are
/// given back; `flags` are those of them that take no value.
pub(crate) fn parse(
    words: &[String],
    parameters: &[Parameter<'_>],
    own: &[&str],
    flags: &[&str],
    account: &dyn Fn(&str) -> Result<Address, Failure>,
) -> Result<(Value, OwnOptions), Failure> {
    let mut given: BTreeMap<usize, &str> = BTreeMap::new();
    let mut options = OwnOptions::new();
    let mut position = 0;
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let Some(name) = word.strip_prefix("--") else {
            place(&mut given, position, word, parameters)?;
            position += 1;
            continue;
        };
        let (name, inline) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
        let mut value = || inline.or_else(|| words.next()).ok_or_else(|| missing_value(name));
        match find(name, parameters) {
            Some(at) => place(&mut given, at, value()?, parameters)?,
            None if flags.contains(&name) => drop(options.insert(name.into(), String::new())),
            None if own.contains(&name) => drop(options.insert(name.into(), value()?.into())),
            None => return Err(unknown(name, parameters)),
        }
    }
    let mut object = Map::new();
    for (at, parameter) in parameters.iter().enumerate() {
        let text = given.get(&at).ok_or_else(|| missing(parameter, parameters))?;
        object.insert(parameter.name.into(), json(text, parameter, account)?);
    }
    Ok((Value::Object(object), options))
}

/// Takes out the options of `hanse` without which no node can be asked for the ABI: these can't be a method's. Gives
/// back the other words.
pub(crate) fn take_common(words: Vec<String>, common: &mut Common) -> Result<Vec<String>, Failure> {
    let mut rest = Vec::with_capacity(words.len());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (name, inline) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        let mut value = || inline.map(str::to_owned).or_else(|| words.next()).ok_or_else(|| missing_value(&name[2..]));
        match name {
            "--json" => common.json = true,
            "-q" | "--quiet" => common.quiet = true,
            "--rpc" => common.rpc = value()?,
            "--password-file" => common.password_file = Some(value()?.into()),
            "--commit-timeout" => common.commit_timeout = commit_timeout(&value()?)?,
            _ => rest.push(word),
        }
    }
    Ok(rest)
}

fn commit_timeout(text: &str) -> Result<u64, Failure> {
    let seconds = text.parse().ok().filter(|seconds| COMMIT_TIMEOUTS.contains(seconds));
    seconds.ok_or_else(|| {
        let (least, most) = (COMMIT_TIMEOUTS.start(), COMMIT_TIMEOUTS.end());
        Failure::usage(format!("--commit-timeout {text:?} is not a number of seconds from {least} to {most}"))
    })
}

fn find(name: &str, parameters: &[Parameter<'_>]) -> Option<usize> {
    let wanted = name.replace('-', "_");
    parameters.iter().position(|parameter| parameter.name == wanted)
}

fn place<'a>(
    given: &mut BTreeMap<usize, &'a str>,
    at: usize,
    value: &'a str,
    parameters: &[Parameter<'_>],
) -> Result<(), Failure> {
    if at >= parameters.len() {
        let message = format!("{value:?} is one argument too many; {}", takes(parameters));
        return Err(Failure::usage(message));
    }
    match given.insert(at, value) {
        None => Ok(()),
        Some(_) => Err(Failure::usage(format!("argument {:?} is given twice", parameters[at].name))),
    }
}

/// A text as the JSON that its type is written in.
pub(crate) fn json(
    text: &str,
    parameter: &Parameter<'_>,
    account: &dyn Fn(&str) -> Result<Address, Failure>,
) -> Result<Value, Failure> {
    match parameter.ty {
        "String" => Ok(Value::String(text.into())),
        "Address" => Ok(Value::String(account(text)?.to_string())),
        "bool" => text.parse().map(Value::Bool).map_err(|_| mismatch(text, parameter, "true or false")),
        ty if is_integer(ty) => integer(text, parameter),
        _ if text.starts_with("0x") => Ok(Value::String(text.into())),
        _ => serde_json::from_str(text).map_err(|_| mismatch(text, parameter, "JSON, or bytes as 0x…")),
    }
}

fn is_integer(ty: &str) -> bool {
    matches!(ty, "u8" | "u16" | "u32" | "u64" | "u128" | "i8" | "i16" | "i32" | "i64" | "i128")
}

/// As a decimal string: wide integers don't fit into JSON's numbers everywhere.
fn integer(text: &str, parameter: &Parameter<'_>) -> Result<Value, Failure> {
    let digits = text.replace('_', "");
    let unsigned = digits.strip_prefix('-').unwrap_or(&digits);
    match !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(Value::String(digits)),
        false => Err(mismatch(text, parameter, "a whole number, such as 1_000")),
    }
}

fn mismatch(text: &str, parameter: &Parameter<'_>, expected: &str) -> Failure {
    let Parameter { name, ty } = parameter;
    Failure::usage(format!("argument {name:?} is of type {ty}, and {text:?} is not {expected}"))
}

fn missing_value(name: &str) -> Failure {
    Failure::usage(format!("--{name} needs a value"))
}

fn missing(parameter: &Parameter<'_>, parameters: &[Parameter<'_>]) -> Failure {
    Failure::usage(format!("argument {:?} is missing; {}", parameter.name, takes(parameters)))
}

fn unknown(name: &str, parameters: &[Parameter<'_>]) -> Failure {
    let nearest = parameters.iter().map(|parameter| parameter.name).min_by_key(|known| distance(name, known));
    let failure = Failure::usage(format!("the method has no argument {name:?}; {}", takes(parameters)));
    match nearest.filter(|known| distance(name, known) <= 2) {
        Some(known) => failure.hint(format!("did you mean --{known}?")),
        None => failure,
    }
}

/// What the method takes, in words.
pub(crate) fn takes(parameters: &[Parameter<'_>]) -> String {
    if parameters.is_empty() {
        return "the method takes no arguments".into();
    }
    let all: Vec<String> = parameters.iter().map(|p| format!("--{} <{}>", p.name, p.ty)).collect();
    format!("the method takes {}", all.join(" "))
}

/// The nearest of some names, if one is near.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known.min_by_key(|known| distance(name, known)).filter(|known| distance(name, known) <= 2)
}

/// How many letters one has to change, add or take away to make one name of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use serde_json::json;

    const TRANSFER: [Parameter<'static>; 2] =
        [Parameter { name: "to", ty: "Address" }, Parameter { name: "the_amount", ty: "u128" }];

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn run(line: &str) -> Result<(Value, OwnOptions), Failure> {
        let account = |name: &str| match name {
            "bob" => Ok(Address([7; 20])),
            _ => Err(Failure::usage(format!("nobody is {name}"))),
        };
        parse(&words(line), &TRANSFER, &["from", "gas"], &["json"], &account)
    }

    #[test]
    fn by_name_or_in_order_is_the_same() {
        let expected = json!({ "to": Address([7; 20]), "the_amount": "1000" });
        for line in ["--to bob --the-amount 1_000", "--the_amount=1000 --to bob", "bob 1000", "bob --the-amount 1000"] {
            assert_eq!(run(line).unwrap().0, expected, "{line}");
        }
    }

    #[test]
    fn own_options_are_taken_out() {
        let (_, options) = run("bob 5 --from carol --json").unwrap();
        assert_eq!(options.get("from").map(String::as_str), Some("carol"));
        assert!(options.contains_key("json"));
        let shadowed = [Parameter { name: "from", ty: "String" }];
        let (args, options) = parse(&words("--from x"), &shadowed, &["from"], &[], &|_| Ok(Address::ZERO)).unwrap();
        assert_eq!(args, json!({ "from": "x" }));
        assert!(options.is_empty());
    }

    #[test]
    fn mistakes_are_named() {
        for (line, words) in [
            ("bob", "\"the_amount\" is missing"),
            ("bob five", "\"five\" is not a whole number"),
            ("bob 5 6", "one argument too many"),
            ("bob 5 --to bob", "given twice"),
            ("mallory 5", "nobody is mallory"),
            ("bob --the_amount", "needs a value"),
            ("bob --amuont 5", "has no argument \"amuont\""),
        ] {
            let error = format!("{:?}", run(line).unwrap_err()).replace("\\\"", "\"");
            assert!(error.contains(words), "{line}: {error}");
        }
    }

    #[test]
    fn options_of_hanse_may_come_last() {
        let mut common = Common::at("http://127.0.0.1:1");
        let mut left = |line: &str| take_common(words(line), &mut common);
        assert_eq!(left("--the_amount 5 -q --json --commit-timeout 7").unwrap(), words("--the_amount 5"));
        for wrong in ["0", "86401", "soon"] {
            assert!(left(&format!("--commit-timeout={wrong}")).is_err(), "{wrong}");
        }
        assert!(common.quiet && common.json && common.commit_timeout() == Duration::from_secs(7));
    }

    #[test]
    fn near_names_are_found() {
        assert_eq!(nearest("tranfser", ["transfer", "mint"].into_iter()), Some("transfer"));
        assert_eq!(nearest("burn", ["transfer", "mint"].into_iter()), None);
    }
}
