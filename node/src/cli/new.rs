//! `hanse contract new`: a crate that compiles, with a test.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::exit::Failure;
use super::output::fields;

/// Paths in the crate, and what goes there.
const FILES: [(&str, &str); 3] = [
    ("Cargo.toml", include_str!("../../../contracts-sdk/template/Cargo.toml")),
    ("src/lib.rs", include_str!("../../../contracts-sdk/template/src/lib.rs")),
    ("tests/counter.rs", include_str!("../../../contracts-sdk/template/tests/counter.rs")),
];
/// The SDK beside which this binary was built; it is on no registry.
const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts-sdk");
/// Longest name of a contract, in bytes.
const NAME_BYTES: usize = 64;

/// A crate that was written.
#[derive(Debug, Serialize)]
pub(crate) struct Written {
    folder: PathBuf,
    files: Vec<&'static str>,
}

impl Written {
    pub(crate) fn text(&self) -> String {
        fields([("folder", self.folder.display().to_string()), ("files", self.files.join(", "))])
    }
}

/// Writes the crate into a new folder of its name.
pub(crate) fn new(name: &str, sdk: Option<&Path>) -> Result<Written, Failure> {
    check_name(name)?;
    let folder = PathBuf::from(name);
    if folder.exists() {
        return Err(Failure::usage(format!("{name} exists already; nothing was written")));
    }
    let sdk = sdk.unwrap_or(Path::new(SDK));
    let sdk = sdk.canonicalize().map_err(|error| {
        Failure::error(format!("the contract SDK is not at {}: {error}", sdk.display()))
            .hint("name the folder contracts-sdk of a checkout with --sdk")
    })?;
    for (path, text) in FILES {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        fs::write(&path, fill(text, name, &sdk))?;
    }
    Ok(Written { folder, files: FILES.map(|(path, _)| path).to_vec() })
}

fn fill(text: &str, name: &str, sdk: &Path) -> String {
    text.replace("{{name}}", name)
        .replace("{{crate}}", &name.replace('-', "_"))
        .replace("{{sdk}}", &sdk.display().to_string())
}

/// A name of a crate and of a contract.
fn check_name(name: &str) -> Result<(), Failure> {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_lowercase());
    if first
        && name.len() <= NAME_BYTES
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
    {
        return Ok(());
    }
    Err(Failure::usage(format!("{name:?} can't be a contract's name"))
        .hint("1 to 64 of a-z, 0-9, - and _, beginning with a letter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_crate_names() {
        assert!(["counter", "my-token", "a1_b"].iter().all(|name| check_name(name).is_ok()));
        assert!(["", "1a", "../x", "Counter", "a b", "ä"].iter().all(|name| check_name(name).is_err()));
    }

    #[test]
    fn nothing_of_the_template_stays_open() {
        for (path, text) in FILES {
            let filled = fill(text, "my-counter", Path::new("/sdk"));
            assert!(!filled.contains("{{"), "{path}");
        }
    }
}
