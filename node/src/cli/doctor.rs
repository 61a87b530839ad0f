//! `hanse doctor`: what is wrong with this machine, a configuration or a node, in words, and what to do.
//!
//! It changes nothing but one small file that it writes to see how fast the disk is, and removes. A *fault* keeps
//! something from working; a *warning* may. What there is to look at decides what is looked at: without a configuration
//! there is none to check.

mod certificates;
mod disk;
mod machine;
mod node;
mod tools;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::exit::Failure;
use super::output::Output;
use super::{Common, DEFAULT_RPC};
use crate::config::{self, Loaded};

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The node to look at; without it, the one of --rpc, or else of the configuration, which may be absent
    url: Option<String>,
    /// The configuration to look at; hanse.toml of this folder if it is there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Fault,
}

/// Something that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    about: &'static str,
    state: State,
    /// What was seen.
    text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn ok(about: &'static str, text: impl Into<String>) -> Finding {
        Finding { about, state: State::Ok, text: text.into(), advice: None }
    }

    fn warning(about: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { about, state: State::Warning, text: text.into(), advice: Some(advice.into()) }
    }

    fn fault(about: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { about, state: State::Fault, text: text.into(), advice: Some(advice.into()) }
    }
}

#[derive(Serialize)]
struct Findings {
    /// Whether there is no fault.
    ok: bool,
    findings: Vec<Finding>,
}

/// `hanse doctor`. Fails if there is a fault.
pub(crate) async fn run(args: DoctorArgs, common: &Common, output: Output) -> Result<(), Failure> {
    let mut findings = Vec::new();
    tools::look(&mut findings);
    machine::look(&mut findings);
    let loaded = configuration(args.config, &mut findings);
    certificates::look(loaded.as_ref(), &mut findings);
    disk::look(loaded.as_ref(), &mut findings);
    machine::look_at_keys(&mut findings);
    let configured = loaded.as_ref().and_then(url_of).filter(|_| common.rpc == DEFAULT_RPC);
    let (url, is_asked) = match args.url {
        Some(url) => (url, true),
        None => (configured.unwrap_or_else(|| common.rpc.clone()), false),
    };
    node::look(&url, is_asked, loaded.as_ref(), &mut findings).await;

    let faults = findings.iter().filter(|finding| finding.state == State::Fault).count();
    output.result(&Findings { ok: faults == 0, findings }, text)?;
    match faults {
        0 => Ok(()),
        1 => Err(Failure::error("there is a fault")),
        many => Err(Failure::error(format!("there are {many} faults"))),
    }
}

/// Where the node of this configuration is reached from its own machine, if the configuration knows.
fn url_of(loaded: &Loaded) -> Option<String> {
    let mut address = loaded.config.rpc.listen;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    (address.port() != 0).then(|| format!("http://{address}"))
}

/// Checks the configuration, if there is one.
fn configuration(path: Option<PathBuf>, findings: &mut Vec<Finding>) -> Option<Loaded> {
    const ABOUT: &str = "configuration";
    let path = match path {
        Some(path) => path,
        None if PathBuf::from(config::FILE).exists() => config::FILE.into(),
        None => return None,
    };
    let loaded = match Loaded::read(&path, config::load::environment()) {
        Ok(loaded) => loaded,
        Err(error) => {
            findings.push(Finding::fault(ABOUT, error.to_string(), "mend the file; `hanse config check` looks again"));
            return None;
        }
    };
    let report = config::check::check(&loaded);
    for problem in &report.problems.0 {
        let text = format!("{}: {}", problem.origin, problem.text);
        findings.push(Finding::fault(ABOUT, text, "the node does not start like this"));
    }
    for note in &report.notes.0 {
        let text = format!("{}: {}", note.origin, note.text);
        findings.push(Finding::warning(ABOUT, text, "see whether that is what you mean"));
    }
    if report.problems.0.is_empty() {
        findings.push(Finding::ok(ABOUT, format!("{} can be started", path.display())));
    }
    machine::look_at_port(loaded.config.rpc.listen, findings);
    Some(loaded)
}

fn text(findings: &Findings) -> String {
    let mut text = String::new();
    for Finding { about, state, text: seen, advice } in &findings.findings {
        let state = match state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Fault => "FAULT",
        };
        // Several lines are one finding: those after the first stand below the words.
        text += &format!("{state:8} {about:14} {}\n", seen.replace('\n', &format!("\n{:24}", "")));
        if let Some(advice) = advice {
            text += &format!("{:24}→ {advice}\n", "");
        }
    }
    text
}
