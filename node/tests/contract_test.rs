//! `hanse contract test`: the shipped contracts do on the real machine what they do natively, and one that does not is
//! caught.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The contracts of this repository, by their names in their ABIs.
const CONTRACTS: [&str; 8] = ["Assets", "Ballot", "Counter", "Escrow", "Kv", "Pool", "SmallBank", "Token"];
/// How many transactions their tests run at least. Whoever takes tests away lowers it, and says why.
const LEAST_COMPARED: u64 = 665;
/// What the leaning contract's tests say, in order; a panic's place follows.
const DIFFERENCES: [&str; 7] = [
    "Leaning.kept: natively it becomes 0x0800000000000000, in WebAssembly it becomes 0x0400000000000000",
    "events: natively Leaning: Measured(; 0x0800000000000000), in WebAssembly Leaning: Measured(; 0x0400000000000000)",
    "fields of the error: natively 0x0800000000000000, in WebAssembly 0x0400000000000000",
    "only in WebAssembly it reads Leaning.looked_at",
    "result: natively 0x0800000000000000, in WebAssembly 0x0400000000000000",
    "status: natively success, in WebAssembly panicked (on the machine",
    "status: natively success, in WebAssembly reverted with code",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_shipped_contracts_do_the_same_on_the_machine() {
    let output = common::hanse(&repository().join("contracts"), &["--json", "--quiet", "contract", "test"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let tested: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names = |values: &[Value]| values.iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let mut contracts = names(tested["contracts"].as_array().unwrap());
    contracts.sort();
    assert_eq!(contracts, CONTRACTS);

    let calls = |prefix: &str| -> u64 {
        let methods = tested["gas"].as_object().unwrap().iter();
        let own = methods.filter(|(method, _)| method.starts_with(prefix));
        own.map(|(_, gas)| gas["calls"].as_u64().unwrap()).sum()
    };
    for contract in CONTRACTS {
        let compared = calls(&format!("{contract}."));
        println!("{contract:10} {compared:5} transactions compared");
        assert!(compared > 0, "{contract}: its tests ran nothing on the machine");
    }
    let compared = tested["compared"].as_u64().unwrap();
    println!("{compared} transactions compared");
    assert_eq!(calls(""), compared);
    assert!(compared >= LEAST_COMPARED, "only {compared} transactions were compared, not {LEAST_COMPARED}");
}

/// A workspace like that of the shipped contracts, so that what both need is compiled once, with one contract in it.
fn workspace(contract: &str, library: &str, tests: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shipped = repository().join("contracts");
    let mut manifest: toml::Table = fs::read_to_string(shipped.join("Cargo.toml")).unwrap().parse().unwrap();
    manifest["workspace"]["members"] = vec![contract].into();
    for (_, dependency) in manifest["workspace"]["dependencies"].as_table_mut().unwrap() {
        let path = shipped.join(dependency["path"].as_str().unwrap()).canonicalize().unwrap();
        dependency["path"] = path.to_str().unwrap().into();
    }
    fs::write(folder.path().join("Cargo.toml"), manifest.to_string()).unwrap();
    fs::copy(shipped.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();

    let one = folder.path().join(contract);
    fs::create_dir_all(one.join("src")).unwrap();
    fs::create_dir_all(one.join("tests")).unwrap();
    let manifest = fs::read_to_string(shipped.join("counter/Cargo.toml")).unwrap();
    fs::write(one.join("Cargo.toml"), manifest.replace("\"counter\"", &format!("{contract:?}"))).unwrap();
    fs::write(one.join("src/lib.rs"), library).unwrap();
    fs::write(one.join("tests/all.rs"), tests).unwrap();
    folder
}

/// The lines after each test's name that tell how the two differ.
fn differences(report: &str) -> Vec<&str> {
    let heads = ["only natively", "only in WebAssembly"];
    let told = |line: &&str| line.contains(": natively ") || heads.iter().any(|head| line.starts_with(head));
    report.lines().map(str::trim).filter(told).collect()
}

#[test]
fn a_change_of_what_a_method_costs_is_seen() {
    let counter = |name: &str| fs::read_to_string(repository().join("contracts/counter").join(name)).unwrap();
    let folder = workspace("counter", &counter("src/lib.rs"), &counter("tests/counter.rs"));
    let run = |option: &str| common::hanse(folder.path(), &["--json", "--quiet", "contract", "test", option]);
    let table = |option: &str| -> Value {
        let output = run(option);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["gas_table"].clone()
    };
    assert_eq!(table("--gas"), "no_table");
    assert_eq!(table("--update-gas"), "written");
    assert_eq!(table("--gas"), "same");

    let file = folder.path().join("gas.toml");
    let mut kept: toml::Table = fs::read_to_string(&file).unwrap().parse().unwrap();
    kept["methods"]["Counter.add"]["most"] = toml::Value::Integer(7);
    fs::write(&file, kept.to_string()).unwrap();
    let output = run("--gas");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let error: Value = serde_json::from_str(stderr(&output).lines().last().unwrap()).unwrap();
    let changed = error["error"]["detail"].as_array().unwrap();
    assert_eq!(changed.len(), 1, "{error}");
    assert_eq!((&changed[0]["method"], &changed[0]["before"]["most"]), (&"Counter.add".into(), &7.into()));
    assert!(error["error"]["hint"].as_str().unwrap().contains("--update-gas"), "{error}");
}

#[test]
fn a_contract_that_depends_on_its_target_is_caught() {
    let folder = workspace("leaning", include_str!("leaning/lib.rs"), include_str!("leaning/tests.rs"));
    let output = common::hanse(&folder.path().join("leaning"), &["--quiet", "contract", "test"]);
    let report = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report.contains("fail on the real machine"), "{report}");
    assert!(report.contains("1 passed; 7 failed"), "{report}");
    assert!(report.contains("Leaning.status by alice: native code and WebAssembly differ"), "{report}");
    let mut found = differences(&report);
    found.sort_unstable();
    assert_eq!(found.len(), DIFFERENCES.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(DIFFERENCES) {
        assert!(found.starts_with(expected), "{found} is not {expected}");
    }
    without_its_host(folder.path());
}

/// The same tests, started by hand with a host that is none.
fn without_its_host(folder: &Path) {
    let run = |host: &str| {
        let mut command = Command::new("cargo");
        command.args(["test", "--release", "--quiet", "--manifest-path"]).arg(folder.join("Cargo.toml"));
        command.args(["--", "agree"]).env("HANSE_TEST_HOST", host).env("CARGO_TARGET_DIR", common::build_folder());
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output)
    };
    let missing = run("/nowhere/hanse");
    assert!(missing.contains("HANSE_TEST_HOST names /nowhere/hanse, which can't be started"), "{missing}");
    assert!(missing.contains("run the tests by `hanse contract test`"), "{missing}");
    let bare = run(env!("CARGO_BIN_EXE_hanse"));
    assert!(bare.contains("which does not speak to tests"), "{bare}");
    assert!(bare.contains("HANSE_TEST_MODULES names no list of modules"), "{bare}");
}

#[test]
fn what_can_not_be_tested_is_refused_in_words() {
    let run = |folder: &Path| common::hanse(folder, &["--quiet", "contract", "test"]);
    let empty = tempfile::tempdir().unwrap();
    let output = run(empty.path());
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("no Cargo.toml"), "{}", stderr(&output));

    let broken = workspace("broken", "#![no_std]\npub fn broken() { nonsense() }\n", "");
    let output = run(broken.path());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot find function `nonsense`"), "{}", stderr(&output));
    assert!(stderr(&output).contains("do not compile"), "{}", stderr(&output));

    let silent = workspace("silent", include_str!("leaning/lib.rs"), "#[test]\nfn nothing() {}\n");
    let output = run(silent.path());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("no test called a contract"), "{}", stderr(&output));
}

#[test]
fn tests_run_again_when_a_source_changes() {
    let counter = |name: &str| fs::read_to_string(repository().join("contracts/counter").join(name)).unwrap();
    let (library, tests) = (counter("src/lib.rs"), counter("tests/counter.rs"));
    let folder = workspace("counter", &library, &tests);
    let mut command = Command::new(env!("CARGO_BIN_EXE_hanse"));
    command.current_dir(folder.path()).env("CARGO_TARGET_DIR", common::build_folder());
    command.args(["--json", "--quiet", "contract", "test", "--watch"]);
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut results = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut errors = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut compared = || {
        let line = results.next().expect("it goes on until it is told to end").unwrap();
        serde_json::from_str::<Value>(&line).unwrap()["compared"].as_u64().unwrap()
    };
    let first = compared();
    assert!(first > 0);
    let file = folder.path().join("counter/src/lib.rs");
    fs::write(&file, format!("{library}\nnonsense\n")).unwrap();
    let failed = errors.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("{\"error\""))).unwrap().unwrap();
    assert!(failed.contains("do not compile"), "{failed}");
    fs::write(&file, format!("{library}\n// changed\n")).unwrap();
    assert_eq!(compared(), first);
    process.kill().unwrap();
    process.wait().unwrap();
}
