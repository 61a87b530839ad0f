//! Who may change a node: its operators, by its admin listener, and nobody by the listener for all.
#![allow(clippy::unwrap_used)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Node, hanse};
use hanse_client::codes;
use serde_json::{Value, json};

/// A service that answers nobody's money: what operators do needs none.
fn service(folder: &Path, variables: &[(&str, &str)]) -> Node {
    let output = hanse(folder, &["init", "node", "--plain-key", "--listen", "127.0.0.1:0"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Node::serve(folder, variables)
}

fn over(socket: &Path) -> reqwest::Client {
    reqwest::Client::builder().unix_socket(socket).build().unwrap()
}

async fn ask(http: &reqwest::Client, url: &str, method: &Value, token: Option<&str>) -> (u16, Value) {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": {} });
    let mut request = http.post(url).body(request.to_string());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

/// What a command that must fail without a node of the tests says, and its exit code.
fn refusal(folder: &Path, args: &[&str]) -> (i32, String) {
    let output = hanse(folder, args);
    assert!(!output.status.success(), "hanse {args:?} should fail");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn methods_for_operators_are_served_at_the_admin_listener_only() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let (public, operator) = (reqwest::Client::new(), over(&node.admin_socket()));
    let (_, described) = ask(&public, &node.url, &json!("rpc.discover"), None).await;
    let mut for_operators = Vec::new();
    for method in described["result"]["methods"].as_array().unwrap() {
        let (name, is_admin) = (&method["name"], method["x-access"] == "admin");
        let (_, answer) = ask(&public, &node.url, name, None).await;
        let is_refused = answer["error"]["code"] == codes::NO_SUCH_RIGHT.code;
        assert_eq!(is_refused, is_admin, "{name}: {answer}");
        if is_admin {
            assert_eq!(answer["error"]["data"]["detail"]["admin"], node.started["admin"]);
            for_operators.push(name.as_str().unwrap());
        }
        let (_, answer) = ask(&operator, "http://localhost", name, None).await;
        assert_ne!(answer["error"]["code"], codes::NO_SUCH_RIGHT.code, "{name}");
    }
    let expected = ["dag_recordTimelines", "pool_retry", "ledger_snapshot", "ledger_prune", "node_logLevel"];
    let of_nodes = ["allow", "deny", "forget"].map(|verb| format!("node_{verb}"));
    let of_groups = ["create", "export", "import", "accept", "start", "stop", "leave", "remove"];
    let of_groups = of_groups.map(|verb| format!("group_{verb}"));
    let expected: Vec<String> = expected.map(str::to_owned).into_iter().chain(of_nodes).chain(of_groups).collect();
    assert_eq!(for_operators, expected);

    // A batch is no way around.
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "node_logLevel", "params": { "level": "off" } });
    let answer = public.post(&node.url).body(json!([request]).to_string()).send().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(answer[0]["error"]["code"], codes::NO_SUCH_RIGHT.code);

    let socket = node.admin_socket();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(socket, folder.path().join("admin.sock"));
    node.stop();
    assert!(!socket.exists());
}

#[test]
fn commands_find_the_listener_and_say_what_is_wrong_where_they_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let node = service(folder.path(), &[]);
    let socket = node.admin_socket();
    assert_eq!(socket, folder.path().join("node/data/admin.sock"));
    assert_eq!(node.run(&["log", "level"])["level"], "info", "the node says where");
    let elsewhere = [("the socket", socket.clone()), ("configuration", folder.path().join("node/hanse.toml"))];
    let folders = [("data", folder.path().join("node/data")), ("folder", folder.path().join("node"))];
    for (what, place) in elsewhere.into_iter().chain(folders) {
        let place = place.to_str().unwrap();
        let output = hanse(folder.path(), &["--json", "log", "level", "hanse_group", "debug", "--admin", place]);
        assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let address = format!("unix:{}", socket.display());
    let output = hanse(folder.path(), &["--json", "ledger", "snapshot", "monday", "--admin", &address]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (code, error) = refusal(folder.path(), &["log", "level", "--admin", folder.path().to_str().unwrap()]);
    assert!(code == 6 && error.contains("neither a hanse.toml nor the socket"), "{error}");
    let told = || {
        let brief = std::fs::read_to_string(folder.path().join("node/log/brief.log")).unwrap();
        brief.lines().filter(|line| line.contains("operator's request")).map(str::to_owned).collect::<Vec<_>>()
    };
    // Lines are written behind what they tell, and a node that ends does not wait for a disk that stands still.
    let deadline = Instant::now() + Duration::from_secs(60);
    while told().len() < 6 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    node.stop();

    let (code, error) = refusal(folder.path(), &["log", "level", "--admin", "node"]);
    assert!(code == 6 && error.contains("admin.sock") && error.contains("is the node running?"), "{error}");
    let told = told();
    assert_eq!(told.len(), 6, "{told:?}");
    let is_whole = |line: &String| line.contains(" by=\"user ") && line.contains("code=0");
    assert!(told.iter().all(is_whole), "{told:?}");
    assert!(told[5].contains("method=ledger_snapshot") && told[5].contains("monday"), "{told:?}");
}

#[tokio::test]
async fn an_address_wants_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let node = service(folder.path(), &[("HANSE_ADMIN__LISTEN", "127.0.0.1:0")]);
    let url = node.started["admin"].as_str().unwrap().to_owned();
    let file = folder.path().join("node/data/admin.token");
    let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    let (http, method) = (reqwest::Client::new(), json!("node_logLevel"));
    for wrong in [None, Some(""), Some("x"), Some(&token[1..])] {
        let (status, answer) = ask(&http, &url, &method, wrong).await;
        assert_eq!((status, &answer["error"]["code"]), (401, &json!(codes::UNAUTHENTICATED.code)), "{answer}");
    }
    let (status, answer) = ask(&http, &url, &method, Some(&token)).await;
    assert_eq!((status, &answer["result"]["level"]), (200, &json!("info")), "{answer}");

    assert_eq!(node.run(&["log", "level"])["level"], "info", "the node says where, and where its token is");
    let given = ["log", "level", "--admin", &url];
    let (code, error) = refusal(folder.path(), &given);
    assert!(code == 2 && error.contains("--admin-token-file"), "{error}");
    let output = hanse(folder.path(), &[&given[..], &["--admin-token-file", file.to_str().unwrap()]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    node.stop();
}

#[test]
fn what_others_could_use_is_refused_and_nothing_can_be_had_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let node = service(folder.path(), &[("HANSE_ADMIN__LISTEN", "off")]);
    assert_eq!(node.started["admin"], Value::Null);
    let (code, error) = node.fail(&["log", "level"]);
    assert!(code == 1 && error["message"].as_str().unwrap().contains("admin.listen is off"), "{error}");
    node.stop();

    let config = folder.path().join("node/hanse.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    let start = ["start", "--config", "node/hanse.toml"];
    let with = |line: &str| {
        std::fs::write(&config, good.replace("[admin]", &format!("[admin]\n{line}"))).unwrap();
        let (code, error) = refusal(folder.path(), &start);
        assert!(code == 1 && error.contains("node/hanse.toml:"), "{error}");
        error
    };
    assert!(with("listen = \"0.0.0.0:7421\"").contains("0.0.0.0:7421 can be reached from other machines"));
    assert!(with("listen = \"yes\"").contains("neither socket nor off"));
    assert!(with(&format!("socket = \"/tmp/{}\"", "a".repeat(120))).contains("may have 107 bytes"));
    let token = folder.path().join("token");
    std::fs::write(&token, "0123456789abcdef\n").unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let line = format!("listen = \"127.0.0.1:0\"\ntoken_file = {:?}", token.display().to_string());
    assert!(with(&line).contains("chmod 600"));
}

#[test]
fn a_development_chain_in_a_deep_folder_has_one_too() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("a".repeat(120)));
    assert!(node.admin_socket().as_os_str().len() < 108);
    assert_eq!(node.run(&["log", "level"])["level"], "warn");
    node.stop();
}
