//! What operators see of a node: its logs, its figures, what the shipped alerts and dashboards make of them, its doctor.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::consortium::Consortium;
use common::{Node, hanse};
use serde_json::Value;

const BOB: &str = "0x00000000000000000000000000000000000000b0";

/// A service whose only account is `user`.
fn service(folder: &Path, variables: &[(&str, &str)]) -> Node {
    let password = folder.join("password");
    std::fs::write(&password, "x").unwrap();
    let succeeds = |args: &[&str]| {
        let output = hanse(folder, args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    succeeds(&["key", "new", "user", "--password-file", password.to_str().unwrap()]);
    succeeds(&["init", "node", "--plain-key", "--listen", "127.0.0.1:0", "--account", "user=1000"]);
    Node::serve(folder, variables)
}

/// Sends some of the account's money; `None` where the call ran and failed.
fn pay(node: &Node, folder: &Path, amount: &str) -> Option<Value> {
    let password = folder.join("password");
    let call = ["contract", "call", "account", "transfer", BOB, amount, "--from", "user"];
    let output = node.hanse(&[&["--json"], &call[..], &["--password-file", password.to_str().unwrap()]].concat());
    match output.status.code() {
        Some(0) => Some(serde_json::from_slice(&output.stdout).unwrap()),
        Some(3) => None,
        other => panic!("{other:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

async fn metrics(node: &Node) -> String {
    let response = reqwest::get(format!("{}/metrics", node.url)).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.text().await.unwrap()
}

/// What a stock scraper makes of the text.
fn scraped(text: &str) -> prometheus_parse::Scrape {
    prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap()
}

/// The value of a figure whose labels include these.
fn figure(scrape: &prometheus_parse::Scrape, name: &str, labels: &[(&str, &str)]) -> f64 {
    let fits = |sample: &&prometheus_parse::Sample| {
        sample.metric == name && labels.iter().all(|(label, value)| sample.labels.get(label) == Some(value))
    };
    let sample = scrape.samples.iter().find(fits).unwrap_or_else(|| panic!("there is no {name} {labels:?}"));
    match &sample.value {
        prometheus_parse::Value::Counter(value)
        | prometheus_parse::Value::Gauge(value)
        | prometheus_parse::Value::Untyped(value) => *value,
        prometheus_parse::Value::Histogram(buckets) => buckets.iter().map(|bucket| bucket.count).fold(0.0, f64::max),
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn figures_say_what_happened() {
    let folder = tempfile::tempdir().unwrap();
    let node = service(folder.path(), &[]);
    assert!(pay(&node, folder.path(), "5").is_some());
    assert!(pay(&node, folder.path(), "7").is_some());
    assert!(pay(&node, folder.path(), "5000").is_none());
    assert_eq!(node.fail(&["tx", "show", &format!("0x{}", "0".repeat(64))]).0, 7);

    let text = metrics(&node).await;
    assert!(text.ends_with("# EOF\n"));
    let scrape = scraped(&text);
    let group = ("group", "main");
    let is = |name: &str, labels: &[(&str, &str)], value: f64| {
        assert_eq!(figure(&scrape, name, &[&[group], labels].concat()), value, "{name}");
    };
    is("hanse_block_height", &[], 3.0);
    is("hanse_block_transactions_total", &[("outcome", "success")], 2.0);
    is("hanse_block_transactions_total", &[("outcome", "failure")], 1.0);
    is("hanse_block_interval_seconds", &[], 3.0);
    is("hanse_commit_duration_seconds", &[], 3.0);
    is("hanse_storage_write_duration_seconds", &[], 3.0);
    is("hanse_scheduler_duration_seconds", &[("pass", "propose")], 3.0);
    is("hanse_scheduler_executions_total", &[("pass", "propose")], 3.0);
    is("hanse_scheduler_parallelism_ratio", &[], 3.0);
    is("hanse_pool_transactions", &[("state", "waiting")], 0.0);
    is("hanse_pool_capacity_transactions", &[], 200_000.0);
    is("hanse_group_running", &[], 1.0);
    is("hanse_pool_rejected_total", &[("reason", "pool_full")], 0.0);
    assert!(figure(&scrape, "hanse_vm_gas_total", &[group]) > 0.0);
    let calls = figure(&scrape, "hanse_vm_call_duration_seconds", &[group]);
    assert!((1.0..=3.0).contains(&calls), "the first call of each thread is measured: {calls}");
    let cache = |name: &str, cache: &str| figure(&scrape, name, &[group, ("cache", cache)]);
    assert!(cache("hanse_state_cache_hits_total", "values") > 0.0);
    assert!(cache("hanse_state_cache_misses_total", "values") > 0.0);
    assert_eq!(cache("hanse_state_cache_hits_total", "pages"), 0.0, "the state commitment is flat");
    assert!(figure(&scrape, "hanse_disk_free_bytes", &[]) < figure(&scrape, "hanse_disk_size_bytes", &[]));
    assert!(figure(&scrape, "hanse_rpc_requests_total", &[("code", "1001")]) >= 1.0);
    assert!(figure(&scrape, "hanse_rpc_requests_total", &[("method", "tx_submit"), ("code", "0")]) >= 2.0);
    assert_eq!(figure(&scrape, "hanse_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    assert!(figure(&scrape, "process_resident_memory_bytes", &[]) > 1e6);
    assert!(figure(&scrape, "process_open_fds", &[]) > 5.0);
    for log in ["system", "brief", "event", "exception"] {
        assert_eq!(figure(&scrape, "hanse_log_dropped_total", &[("log", log)]), 0.0);
    }

    // What a client calls a method makes no figure of its own: there would be no end of them.
    let client = reqwest::Client::new();
    let nonsense = r#"{"jsonrpc":"2.0","id":1,"method":"nonsense_method","params":{}}"#;
    client.post(&node.url).body(nonsense).send().await.unwrap();
    let text = metrics(&node).await;
    assert!(!text.contains("nonsense") && text.contains("method=\"unknown\",code=\"-32601\""), "{text}");
    node.stop();
}

#[tokio::test]
async fn figures_are_kept_to_itself_where_the_operator_wants_that() {
    let folder = tempfile::tempdir().unwrap();
    let node = service(folder.path(), &[("HANSE_METRICS__ENABLED", "false")]);
    let response = reqwest::get(format!("{}/metrics", node.url)).await.unwrap();
    assert_eq!(response.status(), reqwest::StatusCode::NOT_FOUND);
    node.stop();
}

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(file)
}

fn yaml(file: &str) -> Value {
    let text = std::fs::read_to_string(deploy(file)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Names of figures in an expression. What can be one and is none is a function, an aggregation or a label.
fn names(expression: &str) -> BTreeSet<String> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = expression.split(|letter| !is_letter(letter));
    let figures = words.filter(|word| word.starts_with("hanse_") || word.starts_with("process_") || *word == "up");
    figures.map(str::to_owned).collect()
}

/// All expressions of alerts and dashboard.
fn expressions() -> Vec<String> {
    let alerts = yaml("prometheus/alerts.yml");
    let rules = alerts["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let mut found: Vec<String> = rules.map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect();
    assert!(found.len() >= 8);
    let dashboard = std::fs::read_to_string(deploy("grafana/hanse.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array().into_iter().flatten();
        found.extend(targets.map(|target| target["expr"].as_str().unwrap().to_owned()));
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        found.extend(variable["query"]["query"].as_str().map(str::to_owned));
    }
    assert!(found.len() > 40, "the dashboard was not found");
    found
}

#[tokio::test]
async fn every_figure_that_alerts_and_dashboard_name_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let node = service(folder.path(), &[]);
    // A figure with a label of its own is there once it happened.
    assert!(pay(&node, folder.path(), "5").is_some());
    let again = node.run(&["tx", "show", pay(&node, folder.path(), "5").unwrap()["tx_id"].as_str().unwrap()]);
    assert!(again.is_object());
    // Those of the network are there where there is one.
    let consortium = Consortium::new(2);
    let member = consortium.start(1);
    let text = metrics(&node).await + &metrics(&member).await;
    let declared: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    // Suffixes of samples, by the format's rules.
    let is_there = |name: &str| {
        let family =
            ["_total", "_bucket", "_sum", "_count", "_info"].iter().find_map(|suffix| name.strip_suffix(suffix));
        name == "up" || declared.contains(name) || family.is_some_and(|family| declared.contains(family))
    };
    let mut seen = BTreeSet::new();
    for expression in expressions() {
        for name in names(&expression) {
            assert!(is_there(&name), "{name} is in {expression:?}, and not among what a node serves");
            seen.insert(name);
        }
    }
    assert!(seen.len() > 25, "{seen:?}");
    member.stop();
    node.stop();
}

#[test]
fn the_handbook_has_a_place_for_every_alert() {
    let handbook = std::fs::read_to_string(deploy("../docs/operating.md")).unwrap();
    let cases = std::fs::read_to_string(deploy("prometheus/alerts_test.yml")).unwrap();
    let alerts = yaml("prometheus/alerts.yml");
    for rule in alerts["groups"][0]["rules"].as_array().unwrap() {
        let alert = rule["alert"].as_str().unwrap();
        assert!(handbook.contains(&format!("\n### {alert}\n")), "docs/operating.md says nothing of {alert}");
        assert!(cases.contains(&format!("alertname=\"{alert}\"")), "alerts_test.yml never makes {alert} fire");
        let runbook = rule["annotations"]["runbook"].as_str().unwrap();
        assert_eq!(runbook, format!("docs/operating.md#{}", alert.to_lowercase()));
        assert!(rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string(), "{alert}");
    }
}

#[test]
fn what_is_shipped_fits_together() {
    for (file, target) in [("prometheus/prometheus.yml", "127.0.0.1:7420"), ("compose/prometheus.yml", "node:7420")] {
        let prometheus = yaml(file);
        assert_eq!(prometheus["scrape_configs"][0]["job_name"], "hanse", "alerts ask for this job");
        assert_eq!(prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0], target);
        assert_eq!(prometheus["rule_files"][0], "alerts.yml");
    }
    let compose = yaml("compose/compose.yml");
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.keys().map(String::as_str).collect::<BTreeSet<_>>(), ["grafana", "node", "prometheus"].into());
    for service in services.values() {
        for volume in service["volumes"].as_array().unwrap() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            let is_there = match source.starts_with('.') {
                true => deploy("compose").join(source).exists(),
                false => compose["volumes"].as_object().unwrap().contains_key(source),
            };
            assert!(is_there, "{source}");
        }
    }
    let dockerfile = compose["services"]["node"]["build"]["dockerfile"].as_str().unwrap();
    assert!(deploy("..").join(dockerfile).exists());
    for file in ["compose/grafana.yml", "compose/dashboards.yml"] {
        assert_eq!(yaml(file)["apiVersion"], 1, "{file}");
    }
    // Variables of the unit and of compose override keys that there are: a node would refuse them otherwise.
    let unit = std::fs::read_to_string(deploy("systemd/hanse.service")).unwrap();
    let mut variables: Vec<(String, String)> = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let of_compose = compose["services"]["node"]["environment"].as_object().unwrap();
    variables.extend(of_compose.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())));
    assert!(variables.len() >= 5);
    let folder = tempfile::tempdir().unwrap();
    assert!(hanse(folder.path(), &["init", "node", "--plain-key"]).status.success());
    let mut print = std::process::Command::new(env!("CARGO_BIN_EXE_hanse"));
    print.args(["config", "print", "--config", "node/hanse.toml"]).current_dir(folder.path()).envs(variables);
    let printed = print.output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
}

/// Lines of one of the node's logs.
fn log(folder: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("node/log").join(format!("{name}.log"))).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn each_log_has_what_it_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let node = service(folder.path(), &[]);
    let paid = pay(&node, folder.path(), "5").unwrap();
    let tx = paid["tx_id"].as_str().unwrap().to_owned();
    assert!(pay(&node, folder.path(), "5000").is_none());
    node.stop();

    let logs = ["system", "brief", "event", "exception"].map(|name| log(folder.path(), name));
    let [system, brief, event, exception] = &logs;
    assert!(system.iter().any(|line| line.contains("block committed height=1")), "{system:?}");
    let of_tx = |lines: &[String]| lines.iter().filter(|line| line.contains(&format!("tx={tx}"))).count();
    assert_eq!((of_tx(brief), of_tx(event), of_tx(exception), of_tx(system)), (1, 1, 0, 0), "{logs:?}");
    // A line for each of two transactions, and for each of their blocks.
    assert_eq!(brief.len(), 4, "{brief:?}");
    assert!(brief.iter().any(|line| line.contains(": block height=2")), "{brief:?}");
    assert_eq!(event.len(), 1, "{event:?}");
    assert!(event[0].contains("name=Transfer "), "{event:?}");
    assert_eq!(exception.len(), 1, "{exception:?}");
    assert!(exception[0].contains(" WARN hanse::exception: transaction failed tx="), "{exception:?}");
    assert!(exception[0].contains("height=2"), "{exception:?}");
    assert!(brief.iter().chain(event).chain(exception).all(|line| line.contains(" group=main")), "{logs:?}");
    for line in logs.iter().flatten().skip(1) {
        let has_id = ["tx=", "height=", "hash="].iter().any(|id| line.contains(id));
        assert!(has_id || line.contains("starting"), "{line}");
    }
}

#[test]
fn levels_change_while_the_node_runs() {
    let folder = tempfile::tempdir().unwrap();
    let node = service(folder.path(), &[("HANSE_LOG__LEVEL", "info,hanse_group=warn")]);
    let levels = node.run(&["log", "level"]);
    assert_eq!(levels["level"], "info");
    assert_eq!(levels["targets"], serde_json::json!({ "hanse_group": "warn" }));
    assert_eq!(levels["lost"], serde_json::json!({ "system": 0, "brief": 0, "event": 0, "exception": 0 }));
    pay(&node, folder.path(), "1").unwrap();
    assert_eq!(node.run(&["log", "level", "hanse_group", "debug"])["targets"]["hanse_group"], "debug");
    pay(&node, folder.path(), "1").unwrap();
    assert_eq!(node.run(&["log", "level", "off"])["level"], "off");
    assert_eq!(node.run(&["log", "level", "hanse_group", "off"])["targets"]["hanse_group"], "off");
    pay(&node, folder.path(), "1").unwrap();

    assert_eq!(node.fail(&["log", "level", "loud"]).0, 2);
    let (code, error) = node.fail(&["log", "level", "no target", "info"]);
    assert_eq!((code, &error["code"]), (1, &Value::from(-32602)));
    assert!(error["message"].as_str().unwrap().contains("no target"), "{error}");
    node.stop();

    let system = log(folder.path(), "system");
    let has = |words: &str, height: &str| system.iter().any(|line| line.contains(words) && line.contains(height));
    assert!(!has("block committed", "height=1 "), "{system:?}");
    assert!(has("block executed", "height=2 ") && has("block committed", "height=2 "), "{system:?}");
    assert!(!has("block executed", "height=3 ") && !has("block committed", "height=3 "), "{system:?}");
    assert!(
        has("what is logged was changed", "levels=\"info,hanse_group=debug\"")
            || has("what is logged was changed", "hanse_group=debug")
    );
    assert!(!has("stopped", ""), "nothing more was logged: {system:?}");
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let node = service(folder.path(), &[]);
    let config = ["--json", "doctor", "--config", "node/hanse.toml"];
    let examine = |args: &[&str]| {
        let output = hanse(folder.path(), args);
        let findings: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), findings)
    };
    let about = |findings: &Value, about: &str, state: &str| -> Vec<String> {
        let all = findings["findings"].as_array().unwrap().iter();
        let these = all.filter(|finding| finding["about"] == about && finding["state"] == state);
        these.map(|finding| format!("{} → {}", finding["text"], finding["advice"])).collect()
    };

    let (code, findings) = examine(&[&config[..], &[&node.url]].concat());
    assert_eq!((code, &findings["ok"]), (0, &Value::from(true)), "{findings}");
    assert!(about(&findings, "node", "ok")[0].contains("chain hanse, group main"), "{findings}");
    assert!(about(&findings, "configuration", "ok")[0].contains("can be started"), "{findings}");
    assert!(
        about(&findings, "disk", "fault").is_empty() && about(&findings, "clock", "fault").is_empty(),
        "{findings}"
    );
    // Without an URL, the configuration says where.
    let text = std::fs::read_to_string(folder.path().join("node/hanse.toml")).unwrap();
    let address = node.url.trim_start_matches("http://");
    std::fs::write(folder.path().join("node/known.toml"), text.replace("127.0.0.1:0", address)).unwrap();
    let (_, findings) = examine(&["--json", "doctor", "--config", "node/known.toml"]);
    assert!(about(&findings, "node", "ok")[0].contains(&node.url), "{findings}");
    node.stop();

    // The node is gone, a key is open to others, and the configuration has a typing error.
    let key = folder.path().join("keys/user.pem");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let path = folder.path().join("node/hanse.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[pool]", "[pool]\nmibs = 3")).unwrap();
    let (code, findings) = examine(&[&config[..], &["http://127.0.0.1:9"]].concat());
    assert_eq!((code, &findings["ok"]), (1, &Value::from(false)), "{findings}");
    assert!(about(&findings, "node", "fault")[0].contains("start it"), "{findings}");
    assert!(about(&findings, "keys", "fault")[0].contains("chmod 600"), "{findings}");
    assert!(about(&findings, "configuration", "fault")[0].contains("did you mean pool.mib?"), "{findings}");
}
