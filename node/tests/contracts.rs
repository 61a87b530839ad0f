//! The contracts of this repository, as `hanse contract` builds and tests them.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Each contract that is shipped, and how many bytes its module may have. Loading a contract and deploying it cost by the
/// byte; whoever makes one larger raises its number here, and says why.
const SIZES: [(&str, u64); 8] = [
    ("amm", 13_500),
    ("assets", 21_800),
    ("ballot", 11_700),
    ("counter", 1_800),
    ("escrow", 8_800),
    ("kv", 12_000),
    ("smallbank", 5_500),
    ("token", 7_700),
];

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts")
}

#[test]
fn the_table_names_every_contract() {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(contracts()).unwrap() {
        let entry = entry.unwrap();
        if entry.path().join("Cargo.toml").exists() {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found.sort();
    assert_eq!(found, SIZES.map(|(name, _)| name));
}

#[test]
fn contracts_are_small() {
    let sizes = SIZES.map(|(name, most)| {
        let output = common::hanse(&contracts().join(name), &["--json", "--quiet", "contract", "build"]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let built: Value = serde_json::from_slice(&output.stdout).unwrap();
        let bytes = built["bytes"].as_u64().unwrap();
        println!("{name:10} {bytes:6} of {most:6} bytes");
        (name, bytes, most)
    });
    let too_large: Vec<_> = sizes.iter().filter(|(_, bytes, most)| bytes > most).collect();
    assert!(too_large.is_empty(), "larger than the table allows: {too_large:?}");
}
