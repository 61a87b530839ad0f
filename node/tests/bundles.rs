//! Folders to hand out: what `hanse chain new` writes for many hosts can be run there, and in containers.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use common::{Node, hanse};
use serde_json::Value;

/// The program under test.
const HANSE: &str = env!("CARGO_BIN_EXE_hanse");

/// Runs a command that must succeed.
fn run(folder: &Path, args: &[&str]) -> Output {
    let output = hanse(folder, args);
    assert!(output.status.success(), "hanse {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn compose(folder: &Path) -> Value {
    serde_saphyr::from_str(&read(folder, "all/compose.yaml")).unwrap()
}

/// What a container of the compose file sets, without what names files of the container.
fn variables(service: &Value) -> Vec<(String, String)> {
    let all = service["environment"].as_object().unwrap().iter();
    all.filter(|(name, _)| !name.ends_with("FILE"))
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

/// Looks at a node's folder as its operator does before anything is started.
fn check(folder: &Path, node: &str, variables: &[(String, String)]) {
    let configuration = format!("all/{node}/hanse.toml");
    let mut command = Command::new(HANSE);
    command.current_dir(folder).envs(variables.iter().cloned()).args(["config", "check", "--config", &configuration]);
    let checked = command.output().unwrap();
    assert!(checked.status.success(), "{node}: {}", String::from_utf8_lossy(&checked.stderr));
}

/// The same by the doctor, who has something to say of this machine too, which is not what is looked at here.
fn examine(folder: &Path, node: &str) {
    let found = hanse(folder, &["--json", "doctor", "--config", &format!("all/{node}/hanse.toml")]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let about = |finding: &&Value| ["configuration", "certificates"].contains(&finding["about"].as_str().unwrap());
    let of_it = found["findings"].as_array().unwrap().iter().filter(about);
    let states: Vec<&str> = of_it.map(|finding| finding["state"].as_str().unwrap()).collect();
    assert!(states.contains(&"ok") && !states.contains(&"fault"), "{node}: {found}");
}

/// The unit as systemd reads it, with this test's program in the place of the installed one; where there is systemd.
fn verify_unit(folder: &Path, node: &str) {
    let text = read(folder, &format!("all/{node}/hanse.service"));
    assert!(text.contains("ProtectSystem=strict") && text.contains("NoNewPrivileges=yes"), "{text}");
    let text =
        text.replace("/usr/local/bin/hanse", HANSE).replace("User=hanse", "User=root").replace("Group=hanse", "");
    let copy = folder.join("hanse.service");
    std::fs::write(&copy, text).unwrap();
    match Command::new("systemd-analyze").arg("verify").arg(&copy).output() {
        Err(error) => println!("systemd-analyze: {error}; the unit is not verified here"),
        Ok(output) => {
            // Units of the machine itself are read too, and may be wrong.
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!said.lines().any(|line| line.contains("hanse.service")), "{said}");
        }
    }
}

#[test]
fn folders_for_any_number_of_hosts_can_be_handed_out() {
    for count in [1, 4, 7, 10, 13] {
        let folder = tempfile::tempdir().unwrap();
        let hosts: Vec<String> = (1..=count).map(|number| format!("node{number}.example:30300")).collect();
        run(
            folder.path(),
            &["chain", "new", "all", "--plain-keys", "--organisations", "2", "--hosts", &hosts.join(",")],
        );
        let compose = compose(folder.path());
        let services = compose["services"].as_object().unwrap();
        assert_eq!(services.len(), count);
        let mut ports = BTreeSet::new();
        for number in 1..=count {
            let node = format!("node-{number}");
            let file = |name: &str| folder.path().join("all").join(&node).join(name);
            assert_eq!(file("validator.pem").metadata().unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(
                read(folder.path(), &format!("all/{node}/genesis.json")),
                read(folder.path(), "all/genesis.json")
            );
            assert!(file("node.crt").exists() && file("authorities/org-1.crt").exists());
            let readme = read(folder.path(), &format!("all/{node}/README.md"));
            assert!(readme.contains(&format!("/dns/node{number}.example/tcp/30300")), "{readme}");
            assert!(!readme.contains("key-password"), "a key without a password needs none: {readme}");
            check(folder.path(), &node, &[]);
            let service = &services[&node];
            check(folder.path(), &node, &variables(service));
            let known = service["environment"]["HANSE_NETWORK__PEERS"].as_str().unwrap();
            assert_eq!(known.split(',').filter(|part| part.starts_with("/dns4/node-")).count(), count - 1, "{known}");
            assert!(!known.contains(&format!("/{node}/")), "it is told its own address: {known}");
            assert_eq!(service["volumes"][0], format!("./{node}:/node"));
            assert!(service["read_only"] == true && service["cap_drop"][0] == "ALL");
            assert!(ports.insert(service["ports"][0].as_str().unwrap().to_owned()), "{ports:?}");
        }
        if count == 4 {
            verify_unit(folder.path(), "node-3");
            examine(folder.path(), "node-4");
        }
    }
}

#[test]
fn where_keys_have_passwords_services_are_handed_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "a long password\n").unwrap();
    let password = ["--password-file", "password"];
    run(folder.path(), &[&["chain", "new", "all", "--hosts", "a.example,b.example"], &password[..]].concat());
    for node in ["node-1", "node-2"] {
        check(folder.path(), node, &[]);
        verify_unit(folder.path(), node);
        let unit = read(folder.path(), &format!("all/{node}/hanse.service"));
        assert!(unit.contains("LoadCredential=key-password:/etc/hanse/key-password"), "{unit}");
        assert!(read(folder.path(), &format!("all/{node}/README.md")).contains("/etc/hanse/key-password"));
    }
    let compose = compose(folder.path());
    assert_eq!(compose["secrets"]["key-password"]["file"], "./key-password");
    let service = &compose["services"]["node-1"];
    assert_eq!(service["environment"]["HANSE_NODE__KEY_PASSWORD_FILE"], "/run/secrets/key-password");
    assert_eq!(service["secrets"][0], "key-password");
}

#[test]
fn a_folder_that_was_handed_out_is_run_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &["chain", "new", "all", "--plain-keys", "--hosts", "a.example"]);
    let host = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-R").arg(folder.path().join("all/node-1")).arg(host.path()).status().unwrap();
    assert!(copied.success());
    drop(folder);
    // As the unit does: data and logs elsewhere than the folder.
    let place = |name: &str| host.path().join(name).display().to_string();
    let (data, log) = (place("data"), place("log"));
    let node = Node::serve_by(
        host.path(),
        "node-1/hanse.toml",
        &[("HANSE_RPC__LISTEN", "127.0.0.1:0"), ("HANSE_NODE__DATA", &data), ("HANSE_LOG__FOLDER", &log)],
    );
    assert!(node.run(&["status"]).is_object());
    node.stop();
    assert!(host.path().join("data").is_dir() && host.path().join("log").is_dir());
}
