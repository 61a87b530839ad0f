//! The map and the code agree: what `docs/architecture.md` says of crates, levels and homes of heavy dependencies holds.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn manifest(folder: &str) -> toml::Table {
    fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap().parse().unwrap()
}

fn members() -> Vec<String> {
    let workspace: toml::Table = fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

fn name(manifest: &toml::Table) -> String {
    manifest["package"]["name"].as_str().unwrap().to_owned()
}

fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// Levels of crates in the architecture's table, with their folders.
fn levels() -> BTreeMap<String, (u32, String)> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let mut levels = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let Some(level) = cells.get(1).and_then(|cell| cell.parse().ok()) else { continue };
        let mut quoted = cells[2].split('`');
        let (name, folder) = (quoted.nth(1).unwrap(), quoted.nth(1).unwrap());
        levels.insert(name.to_owned(), (level, folder.to_owned()));
    }
    levels
}

#[test]
fn a_crate_uses_only_crates_of_a_lower_level() {
    let levels = levels();
    assert!(levels.len() >= 13, "the table of crates was not found");
    for (name_in_table, (level, folder)) in &levels {
        let manifest = manifest(folder);
        assert_eq!(&name(&manifest), name_in_table, "{folder}");
        for dependency in dependencies(&manifest).iter().filter(|other| other.starts_with("hanse-")) {
            let below = levels.get(dependency).unwrap_or_else(|| panic!("{dependency} has no level"));
            assert!(below.0 < *level, "{name_in_table} (level {level}) uses {dependency} (level {})", below.0);
        }
    }
}

#[test]
fn every_member_is_on_the_map() {
    let map = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for folder in members() {
        let name = name(&manifest(&folder));
        assert!(map.contains(&format!("`{name}`")), "docs/architecture.md does not speak of {name}");
    }
}

#[test]
fn heavy_dependencies_have_one_home() {
    let homes = [
        ("wasmtime", &["hanse-vm"][..]),
        ("rocksdb", &["hanse-ledger"]),
        ("tokio", &["hanse-group", "hanse-node", "hanse-client"]),
        ("axum", &["hanse-node"]),
        ("libp2p", &["hanse-node"]),
        ("reqwest", &["hanse-client"]),
    ];
    for folder in members() {
        let manifest = manifest(&folder);
        let (name, dependencies) = (name(&manifest), dependencies(&manifest));
        for (heavy, allowed) in homes {
            assert!(!dependencies.contains(heavy) || allowed.contains(&&name[..]), "{name} must not use {heavy}");
        }
    }
}

#[test]
fn pure_crates_read_no_clock_and_do_no_io() {
    let pure = ["types", "state", "txpool", "consensus", "scheduler", "replica"];
    let forbidden = ["std::fs", "std::net", "SystemTime", "Instant::now", "std::env", "getrandom", "thread::sleep"];
    let mut files = 0;
    for folder in pure {
        for path in sources(&root().join("engine").join(folder).join("src")) {
            let text = fs::read_to_string(&path).unwrap();
            files += 1;
            for word in forbidden {
                assert!(!text.contains(word), "{} uses {word}", path.display());
            }
        }
    }
    assert!(files > 30);
}

#[test]
fn every_module_has_a_front_page() {
    let mut files = 0;
    for folder in members() {
        for path in sources(&root().join(folder).join("src")) {
            let text = fs::read_to_string(&path).unwrap();
            let is_test = path.ends_with("tests.rs") || path.ends_with("tests/mod.rs");
            assert!(is_test || text.starts_with("//!"), "{} does not say what it is", path.display());
            files += 1;
        }
    }
    assert!(files > 100);
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
