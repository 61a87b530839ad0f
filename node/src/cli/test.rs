//! `hanse contract test`: a contract's tests, natively and then with the real machine beside each of their worlds.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use hanse_abi::document::Abi;
use hanse_sdk_build::{Build, metadata};
use hanse_sdk_mirror::{HOST_VARIABLE, MODULES_VARIABLE, NOTES_VARIABLE};
use serde::Serialize;

use super::build;
use super::changes::Sources;
use super::exit::Failure;
use super::gas_table::{self, Compared, MethodGas, Methods};
use super::host::Module;
use super::output::{Output, fields, grouped, table};

/// What was tested.
#[derive(Debug, Serialize)]
pub(crate) struct Tested {
    contracts: Vec<String>,
    /// Transactions that were run by both and did the same.
    compared: u64,
    /// By method.
    gas: Methods,
    /// How that stands to the table in the folder; none if it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    gas_table: Option<Compared>,
}

/// What to do about gas.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct GasArgs {
    /// Show the gas of each method's calls, instructions included, and compare it with gas.toml where there is one
    #[arg(long)]
    gas: bool,
    /// Write the gas of each method's calls to gas.toml
    #[arg(long)]
    update_gas: bool,
}

impl Tested {
    pub(crate) fn text(&self) -> String {
        let head = fields([("contracts", self.contracts.join(", ")), ("compared", grouped(self.compared))]);
        let Some(compared) = self.gas_table else { return head };
        let row = |(method, gas): (&String, &MethodGas)| {
            [method.clone(), grouped(gas.calls), grouped(gas.least), grouped(gas.most)]
        };
        let listed = table(["method", "calls", "least gas", "most gas"], self.gas.iter().map(row));
        let end = match compared {
            Compared::NoTable => "gas.toml is not there; --update-gas writes it",
            Compared::Written => "written to gas.toml",
            Compared::Same => "as in gas.toml",
        };
        format!("{head}\n{listed}\n{end}\n")
    }
}

/// Runs the tests of the crate or workspace in `folder`; `arguments` are for `cargo test`.
pub(crate) fn test(folder: &Path, arguments: &[String], gas: GasArgs, quiet: bool) -> Result<Tested, Failure> {
    let crates = metadata::read(folder).map_err(build::failure)?.contracts();
    if crates.is_empty() {
        return Err(Failure::usage(format!("there is no contract in {}", folder.display()))
            .hint("a contract's crate uses hanse-sdk, and has crate-type = [\"cdylib\", \"rlib\"] under [lib]"));
    }
    compile(folder, arguments, quiet)?;
    cargo_test(folder, arguments, quiet, &[])?;
    let mut modules = Vec::new();
    for found in crates {
        let wasm = hanse_sdk_build::build(Build { folder: &found.folder, quiet }).map_err(build::failure)?;
        let abi = Abi::from_wasm(&fs::read(&wasm)?).map_err(|error| Failure::error(error.to_string()))?;
        let contract = abi.map(|abi| abi.name).unwrap_or_default();
        modules.push(Module { crate_name: found.crate_name, contract, wasm });
    }
    let work = tempfile::tempdir()?;
    let (list, notes) = (work.path().join("modules.json"), work.path().join("notes"));
    fs::create_dir(&notes)?;
    fs::write(&list, serde_json::to_vec(&modules).map_err(|error| Failure::error(error.to_string()))?)?;
    let host = std::env::current_exe()?;
    let variables = [(HOST_VARIABLE, &*host), (MODULES_VARIABLE, &*list), (NOTES_VARIABLE, &*notes)];
    cargo_test(folder, arguments, quiet, &variables)?;
    let mut tested = tested(modules, &notes)?;
    tested.gas_table = match gas {
        GasArgs { update_gas: true, .. } => Some(gas_table::write(folder, &tested.gas)?),
        GasArgs { gas: true, .. } => Some(gas_table::compare(folder, &tested.gas)?),
        GasArgs { .. } => None,
    };
    Ok(tested)
}

/// Runs the tests, and again whenever a source changes; tells of each time how it ended. Ends when nobody reads that, or when
/// the process is told to.
pub(crate) async fn watch(folder: &Path, arguments: &[String], gas: GasArgs, output: Output) -> Result<(), Failure> {
    loop {
        // Taken before the tests run: what changes meanwhile is tested too.
        let sources = Sources::of(folder).map_err(|error| Failure::usage(format!("{}: {error}", folder.display())))?;
        match tokio::task::block_in_place(|| test(folder, arguments, gas, output.quiet)) {
            Ok(tested) => {
                if !output.line(&tested, Tested::text)? {
                    return Ok(());
                }
            }
            Err(failure) => drop(failure.report(output.json)),
        }
        output.note("waiting for changes; Ctrl-C ends");
        sources.changed(folder).await?;
    }
}

/// Compiles the tests, so that what comes later is known to be a test that fails.
fn compile(folder: &Path, arguments: &[String], quiet: bool) -> Result<(), Failure> {
    let mut command = cargo(folder, quiet);
    let status = command.arg("--no-run").args(arguments).status().map_err(no_cargo)?;
    let failure = || Failure::error(format!("the tests in {} do not compile; see above", folder.display()));
    if status.success() { Ok(()) } else { Err(failure()) }
}

/// Runs the tests with these variables in their environment.
fn cargo_test(folder: &Path, arguments: &[String], quiet: bool, variables: &[(&str, &Path)]) -> Result<(), Failure> {
    let mut command = cargo(folder, quiet);
    let status = command.args(arguments).envs(variables.iter().copied()).status().map_err(no_cargo)?;
    let machine = if variables.is_empty() { "natively" } else { "on the real machine" };
    let failure = || Failure::error(format!("tests in {} fail {machine}; see above", folder.display()));
    if status.success() { Ok(()) } else { Err(failure()) }
}

/// `cargo test`; what it says goes to the standard error output, so that the result stands alone.
fn cargo(folder: &Path, quiet: bool) -> Command {
    let mut command = Command::new("cargo");
    command.args(["test", "--release", "--manifest-path"]).arg(folder.join("Cargo.toml"));
    if quiet {
        command.arg("--quiet");
    }
    command.stdout(Stdio::from(std::io::stderr()));
    for variable in [HOST_VARIABLE, MODULES_VARIABLE, NOTES_VARIABLE] {
        command.env_remove(variable);
    }
    command
}

fn no_cargo(error: std::io::Error) -> Failure {
    Failure::error(format!("cargo can't be started: {error}"))
}

/// Puts together what the hosts noted.
fn tested(modules: Vec<Module>, notes: &Path) -> Result<Tested, Failure> {
    let mut methods = Methods::new();
    let mut compared = 0;
    for file in fs::read_dir(notes)? {
        for line in fs::read_to_string(file?.path())?.lines() {
            let Some((method, gas)) = line.rsplit_once(' ') else { continue };
            let gas: u64 = gas.parse().map_err(|_| Failure::error(format!("the host noted {line:?}")))?;
            compared += 1;
            let entry = methods.entry(method.to_owned());
            entry.and_modify(|known| known.add(gas)).or_insert_with(|| MethodGas::once(gas));
        }
    }
    if compared == 0 {
        return Err(Failure::error("no test called a contract, so nothing was compared")
            .hint("tests call contracts by a World of hanse-sdk-testing, in the crate's folder tests"));
    }
    let contracts = modules.into_iter().map(|module| module.contract).collect();
    Ok(Tested { contracts, compared, gas: methods, gas_table: None })
}
