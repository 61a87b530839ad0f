//! What contracts and the program itself are built with. Who only runs nodes needs none of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Finding;

pub(super) fn look(findings: &mut Vec<Finding>) {
    findings.push(contracts());
    if in_source_tree() {
        findings.push(libclang());
    }
}

fn contracts() -> Finding {
    const ABOUT: &str = "toolchain";
    match hanse_sdk_build::check_tools() {
        Ok(()) => {
            let version = Command::new("rustc").arg("--version").output().ok();
            let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
            let version = version.filter(|text| !text.is_empty()).unwrap_or_else(|| "a compiler".into());
            Finding::ok(ABOUT, format!("{version}, with the library for {}", hanse_sdk_build::TARGET))
        }
        Err(error) => {
            Finding::warning(ABOUT, error.to_string(), "contracts can't be built here; running nodes needs none of it")
        }
    }
}

/// Whether this is a folder of the program's source, or below it.
fn in_source_tree() -> bool {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().any(|folder| folder.join("engine/ledger/Cargo.toml").exists())
}

/// RocksDB's bindings are made by libclang when the program is built.
fn libclang() -> Finding {
    const ABOUT: &str = "libclang";
    let advice =
        "the program can't be built without it: apt-get install libclang-dev, or set LIBCLANG_PATH to its folder";
    match std::env::var_os("LIBCLANG_PATH").map(PathBuf::from) {
        Some(folder) if has_libclang(&folder) => {
            Finding::ok(ABOUT, format!("in {}, by LIBCLANG_PATH", folder.display()))
        }
        Some(folder) => {
            Finding::fault(ABOUT, format!("LIBCLANG_PATH is {}, where there is none", folder.display()), advice)
        }
        None => match usual_folders().into_iter().find(|folder| has_libclang(folder)) {
            Some(folder) => Finding::ok(ABOUT, format!("in {}", folder.display())),
            None => Finding::fault(ABOUT, "none is where libraries usually are", advice),
        },
    }
}

fn usual_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = [
        "/usr/lib64",
        "/usr/lib",
        "/usr/local/lib",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/opt/homebrew/opt/llvm/lib",
    ]
    .map(PathBuf::from)
    .into();
    let entries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let versions = entries.map(|entry| entry.path()).filter(|path| name_of(path).starts_with("llvm-"));
    folders.extend(versions.map(|version| version.join("lib")));
    folders
}

fn has_libclang(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        let name = name_of(&path);
        name.starts_with("libclang.") || name.starts_with("libclang-") && !name.starts_with("libclang-cpp")
    })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn libclang_is_known_by_its_file_and_not_taken_for_the_compiler_s() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("libclang-cpp.so.14"), "").unwrap();
        assert!(!has_libclang(folder.path()));
        std::fs::write(folder.path().join("libclang-14.so.1"), "").unwrap();
        assert!(has_libclang(folder.path()));
        assert!(!has_libclang(&folder.path().join("absent")));
    }
}
