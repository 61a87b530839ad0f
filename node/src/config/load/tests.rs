#![allow(clippy::unwrap_used)]
use super::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hanse.toml");
    std::fs::write(&path, text).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let loaded = Loaded::read(&path, environment);
    loaded.map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

#[test]
fn the_environment_is_laid_over_the_file_and_the_file_over_defaults() {
    let text = "[rpc]\nlisten = \"127.0.0.1:1\"\n\n[execution]\nthreads = 3\n";
    let loaded = read(text, &[("HANSE_RPC__LISTEN", "127.0.0.1:2"), ("HANSE_LOG", "info"), ("OTHER__X", "1")]).unwrap();
    assert_eq!(loaded.config.rpc.listen.port(), 2);
    assert_eq!(loaded.config.execution.threads, 3);
    assert_eq!(loaded.config.execution.query_threads, 1);
    assert_eq!(loaded.origin("rpc", "listen").to_string(), "HANSE_RPC__LISTEN");
    assert!(loaded.origin("execution", "threads").to_string().ends_with("hanse.toml:5"));
    assert_eq!(loaded.origin("execution", "query_threads"), &Origin::Default);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_place() {
    let text =
        "threads = 2\n[rcp]\n[rpc]\nlitsen = \"x\"\nrequests = 0\ndeep_reads = \"many\"\n[execution]\nthreads = true\n";
    let environment = [
        ("HANSE_POOL__MIB", "lots"),
        ("HANSE_RPC__LISTN", "x"),
        ("HANSE_METRICS__ENABLED", "yes"),
        ("HANSE_A__B", ""),
        ("HANSE_POOL_WAIT_MS", "1"),
        ("HANSE_POOL", "no variable of the configuration"),
    ];
    let error = read(text, &environment).unwrap_err();
    assert_eq!(
        error.lines().collect::<Vec<_>>(),
        [
            "hanse.toml:1: threads stands in no section; did you mean execution.threads?",
            "hanse.toml:2: there is no section [rcp]; did you mean [rpc]?",
            "hanse.toml:4: there is no key rpc.litsen; did you mean rpc.listen?",
            "hanse.toml:5: rpc.requests is 0, and must be from 1 to 1000000",
            "hanse.toml:6: rpc.deep_reads: invalid type: string \"many\", expected usize",
            "hanse.toml:8: execution.threads: invalid type: boolean `true`, expected usize",
            "HANSE_A__B: overrides no key",
            "HANSE_METRICS__ENABLED: metrics.enabled: \"yes\" is not true or false",
            "HANSE_POOL_WAIT_MS: overrides no key; did you mean HANSE_POOL__WAIT_MS?",
            "HANSE_POOL__MIB: pool.mib: \"lots\" is not a number",
            "HANSE_RPC__LISTN: overrides no key; did you mean HANSE_RPC__LISTEN?",
        ]
    );
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_line_and_column() {
    let error = read("[rpc]\nlisten = = 1\n", &[]).unwrap_err();
    assert!(error.starts_with("hanse.toml:2:10: "), "{error}");
    let error = read("[rpc]\nrequests = 1\nrequests = 2\n", &[]).unwrap_err();
    assert!(error.starts_with("hanse.toml:3:1: "), "{error}");
}

#[test]
fn values_have_their_own_rules() {
    let error = read("[log]\nlevel = \"loud\"\nformat = \"xml\"\nsystem_period = \"weekly\"\n", &[]).unwrap_err();
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines[0].contains("log.level") && lines[0].contains("loud"), "{error}");
    assert!(lines[1].contains("log.format") && lines[1].contains("text"), "{error}");
    assert!(lines[2].contains("log.system_period") && lines[2].contains("hourly"), "{error}");
    let error = read("[rpc]\nlisten = \"localhost\"\n", &[]).unwrap_err();
    assert!(error.contains("rpc.listen"), "{error}");
}
