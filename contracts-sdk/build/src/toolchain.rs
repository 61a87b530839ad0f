//! Which cargo can build for the target: the usual one, or Debian's, with the library built from source.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{BuildError, TARGET};

/// Debian's toolchain, which comes with the standard library's source.
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld";

/// Cargo, with whatever can build for the target.
pub(crate) fn cargo() -> Result<Command, BuildError> {
    if sysroot()?.join("lib/rustlib").join(TARGET).exists() {
        return Ok(Command::new("cargo"));
    }
    let is_debian = [DEBIAN_CARGO, DEBIAN_RUSTC, DEBIAN_LINKER].iter().all(|tool| Path::new(tool).exists());
    if is_debian { Ok(debian_cargo()) } else { Err(BuildError::NoTarget) }
}

/// Debian's cargo; the flag for building the library is unstable, so the compiler has to be told to take it.
fn debian_cargo() -> Command {
    let mut path = OsString::from("/usr/bin:");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new(DEBIAN_CARGO);
    command.arg("-Zbuild-std=core,alloc").env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC).env("PATH", path);
    // It has no linker of its own for the target.
    command.env("CARGO_TARGET_WASM32V1_NONE_LINKER", DEBIAN_LINKER);
    command
}

fn sysroot() -> Result<PathBuf, BuildError> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output();
    let output = output.map_err(|source| BuildError::NoRust { program: "rustc", source })?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
