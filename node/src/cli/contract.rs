//! `hanse contract`: from a new crate to a confirmed call.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use hanse_abi::Address;
use hanse_abi::document::{Abi, Method, MethodKind};
use hanse_client::methods::{
    CallParams, ContractList, ContractParams, GetContract, ListContracts, ListContractsParams, QueryContract,
    SimulateTx,
};
use hanse_client::views::{AccessView, ContractView, KeyView, QueryView, ReceiptView, SimulationView};
use hanse_client::{Bytes, Call, Client, ClientError, Contract};
use hanse_types::Gas;
use serde::Serialize;

use super::arguments::{self, OwnOptions, Parameter};
use super::chain::{finish, receipt_text};
use super::exit::{Exit, Failure};
use super::offline::TransactionFile;
use super::output::{Output, fields, grouped, table};
use super::session::Session;
use super::{Common, bindings, build, host, new, parallel, storage, test};

/// Number of the native contract that deploys and upgrades.
const LIFECYCLE: u16 = 2;
/// Options of `hanse` that may follow a method's name, unless the method has an argument of that name.
const OWN_OPTIONS: [&str; 3] = ["from", "gas", "lifetime"];
/// Those without a value.
const OWN_FLAGS: [&str; 3] = ["simulate", "unsigned", "help"];

#[derive(Debug, Subcommand)]
pub(crate) enum ContractCommand {
    /// Write a crate that compiles, with a test
    New {
        /// Name of the contract, of its crate and its folder
        name: String,
        /// Folder contracts-sdk of a checkout, if not the one this program was built from
        #[arg(long, value_name = "FOLDER")]
        sdk: Option<PathBuf>,
    },
    /// Build the contract in this folder and check the module as a chain will
    Build {
        /// The contract's folder
        #[arg(long, default_value = ".", value_name = "FOLDER")]
        path: PathBuf,
    },
    /// Run the contract's tests natively, then again with the real machine beside them, and compare
    Test {
        /// The contract's folder, or that of a workspace of contracts
        #[arg(long, default_value = ".", value_name = "FOLDER")]
        path: PathBuf,
        #[command(flatten)]
        gas: test::GasArgs,
        /// Run again whenever a source in the folder changes, until Ctrl-C
        #[arg(long)]
        watch: bool,
        /// Arguments for `cargo test`
        #[arg(last = true, value_name = "ARGUMENTS")]
        arguments: Vec<String>,
    },
    /// The real machine, for the tests that `hanse contract test` runs
    #[command(hide = true)]
    Host,
    /// Build the contract in this folder and deploy it
    Deploy(DeployArgs),
    /// Replace a deployed contract's code; its state stays
    Upgrade(DeployArgs),
    /// Let nobody call a contract until it is unfrozen
    Freeze {
        /// Name or address
        contract: String,
    },
    /// Let a frozen contract be called again
    Unfreeze {
        /// Name or address
        contract: String,
    },
    /// Let nobody call a contract ever again
    Revoke {
        /// Name or address
        contract: String,
    },
    /// Call a method by a transaction and wait until it is in a block
    Call(CallArgs),
    /// Show what a call would do, cost and touch, and which waiting transactions it would conflict with
    Simulate(CallArgs),
    /// Ask a view for its answer
    Query(CallArgs),
    /// Show a contract's methods, events and errors
    Abi {
        /// Name or address
        contract: String,
    },
    /// Print a typed client of a contract, made of its ABI
    Bindings(bindings::BindingsArgs),
    /// Show who owns a contract, its version and code
    Info {
        /// Name or address
        contract: String,
    },
    /// List contracts in the order of their addresses, those of the chain itself first
    List {
        /// Only contracts after this address
        #[arg(long, value_name = "ADDRESS")]
        after: Option<Address>,
        /// Most contracts to list
        #[arg(long, default_value_t = 100, value_name = "COUNT")]
        limit: usize,
    },
    /// Show what a contract keeps: all of it, one field, or one element of a field
    Storage(storage::StorageArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// Name for the contract, or the name of the one to upgrade
    name: String,
    /// A module that was built before, instead of the contract in --path
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// The contract's folder
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    path: PathBuf,
    /// The most gas that it may use
    #[arg(long)]
    gas: Option<u64>,
    /// Arguments of the contract's init or migrate method: --name value, or values in order
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct CallArgs {
    /// The most gas that it may use
    #[arg(long)]
    gas: Option<u64>,
    /// Only show what it would do, what it would cost and what it would touch
    #[arg(long)]
    simulate: bool,
    /// Only print the transaction, for `hanse tx sign` on the machine that has the key
    #[arg(long, conflicts_with = "simulate")]
    unsigned: bool,
    /// Seconds until it expires; at most what the chain allows
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u64>,
    /// Name or address
    contract: String,
    /// The method
    method: String,
    /// Its arguments: --name value, or values in order. Options of hanse may follow, unless the method has an argument
    /// of that name
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// A deployed contract.
#[derive(Debug, Serialize)]
struct Deployed {
    #[serde(flatten)]
    contract: ContractView,
    receipt: ReceiptView,
}

/// Runs it.
pub(crate) async fn run(command: ContractCommand, common: Common) -> Result<(), Failure> {
    let output = Output { json: common.json, quiet: common.quiet };
    match command {
        ContractCommand::New { name, sdk } => {
            output.result(&new::new(&name, sdk.as_deref())?, new::Written::text)?;
            output.note(format!("next: cd {name} && hanse contract build"));
            Ok(())
        }
        ContractCommand::Build { path } => output.result(&build::build(&path, common.quiet)?, build::Built::text),
        ContractCommand::Test { path, gas, watch: true, arguments } => {
            test::watch(&path, &arguments, gas, output).await
        }
        ContractCommand::Test { path, gas, watch: false, arguments } => {
            output.result(&test::test(&path, &arguments, gas, common.quiet)?, test::Tested::text)
        }
        ContractCommand::Host => host::run(),
        ContractCommand::Deploy(args) => deploy(args, common, Occasion::Deploy).await,
        ContractCommand::Upgrade(args) => deploy(args, common, Occasion::Upgrade).await,
        ContractCommand::Freeze { contract } => govern(&contract, "freeze", &common).await,
        ContractCommand::Unfreeze { contract } => govern(&contract, "unfreeze", &common).await,
        ContractCommand::Revoke { contract } => govern(&contract, "revoke", &common).await,
        ContractCommand::Call(args) => call(args, common).await,
        ContractCommand::Simulate(args) => call(CallArgs { simulate: true, ..args }, common).await,
        ContractCommand::Query(args) => query(args, common).await,
        ContractCommand::Abi { contract } => show_abi(&contract, &common).await,
        ContractCommand::Bindings(args) => bindings::run(args, &common).await,
        ContractCommand::Info { contract } => info(&contract, &common).await,
        ContractCommand::List { after, limit } => list(after, limit, &common).await,
        ContractCommand::Storage(args) => storage::run(args, &common).await,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    Deploy,
    Upgrade,
}

async fn deploy(args: DeployArgs, mut common: Common, occasion: Occasion) -> Result<(), Failure> {
    let words = arguments::take_common(args.arguments, &mut common)?;
    let built = match args.wasm {
        Some(file) => build::check(file)?,
        None => build::build(&args.path, common.quiet)?,
    };
    let code = std::fs::read(&built.wasm)?;
    let mut session = Session::open(&common).await?;
    let abi = Abi::from_wasm(&code).map_err(|error| Failure::error(error.to_string()))?.unwrap_or_default();
    let kind = if occasion == Occasion::Deploy { MethodKind::Init } else { MethodKind::Migrate };
    let method = abi.methods.iter().find(|method| method.kind == kind);
    let mut prepared = prepare(&abi, method, &words, &mut session)?;
    prepared.gas = prepared.gas.or(args.gas);

    let (method, encoded) = match occasion {
        Occasion::Deploy => ("deploy", borsh::to_vec(&(&args.name, &code, &prepared.args))),
        Occasion::Upgrade => {
            let address = contract_address(&session.client, &args.name).await?;
            ("upgrade", borsh::to_vec(&(address, &code, &prepared.args)))
        }
    };
    let encoded = encoded.map_err(|error| Failure::error(error.to_string()))?;
    let receipt = execute(&session, Contract::native(LIFECYCLE), method, encoded, prepared.gas).await?;
    if let Some(failure) = &receipt.outcome.failure {
        return Err(Failure::of_call(failure));
    }
    let contract = match occasion {
        Occasion::Deploy => deployed_address(&receipt)?.into(),
        Occasion::Upgrade => Session::contract(&args.name)?,
    };
    let info = session.client.call::<GetContract>(ContractParams { contract }).await?;
    session.output.result(&Deployed { contract: info, receipt }, Deployed::text)?;
    session.output.note(format!("next: hanse contract abi {}", args.name));
    Ok(())
}

impl Deployed {
    fn text(&self) -> String {
        contract_text(&self.contract) + &receipt_text(&self.receipt)
    }
}

/// The address that `deploy` returned.
fn deployed_address(receipt: &ReceiptView) -> Result<Address, Failure> {
    borsh::from_slice(&receipt.outcome.output.0)
        .map_err(|error| Failure::error(format!("the node's answer to a deployment holds no address: {error}")))
}

/// The address of a contract, by name or address.
pub(super) async fn contract_address(client: &Client, name: &str) -> Result<Address, Failure> {
    let params = ContractParams { contract: Session::contract(name)? };
    Ok(client.call::<GetContract>(params).await?.address)
}

/// What became of the words after a method's name.
#[derive(Default)]
struct Prepared {
    args: Vec<u8>,
    gas: Option<u64>,
    lifetime: Option<u64>,
    simulate: bool,
    unsigned: bool,
    help: bool,
}

/// Reads and encodes a method's arguments; without a method there must be none.
fn prepare(abi: &Abi, method: Option<&Method>, words: &[String], session: &mut Session) -> Result<Prepared, Failure> {
    let parameters: Vec<Parameter<'_>> =
        method.iter().flat_map(|m| &m.args).map(|arg| Parameter { name: &arg.name, ty: &arg.ty }).collect();
    if words.iter().any(|word| word == "--help") && !parameters.iter().any(|parameter| parameter.name == "help") {
        return Ok(Prepared { help: true, ..Prepared::default() });
    }
    let (args, options) =
        arguments::parse(words, &parameters, &OWN_OPTIONS, &OWN_FLAGS, &|name| session.account(name))?;
    let mut prepared = Prepared::default();
    if let Some(method) = method {
        prepared.args = abi.encode_args(&method.name, &args).map_err(|error| Failure::usage(error.to_string()))?;
    }
    take_options(options, &mut prepared, session)?;
    Ok(prepared)
}

fn take_options(options: OwnOptions, prepared: &mut Prepared, session: &mut Session) -> Result<(), Failure> {
    for (name, value) in options {
        match name.as_str() {
            "from" => session.set_from(value),
            "gas" => prepared.gas = Some(number(&name, &value)?),
            "lifetime" => prepared.lifetime = Some(number(&name, &value)?),
            "simulate" => prepared.simulate = true,
            "unsigned" => prepared.unsigned = true,
            _ => {}
        }
    }
    Ok(())
}

fn number(option: &str, value: &str) -> Result<u64, Failure> {
    let number = value.replace('_', "").parse();
    number.map_err(|_| Failure::usage(format!("--{option} {value:?} is not a whole number")))
}

/// Makes a call in the name of the account that signs, and waits for its receipt.
pub(super) async fn execute(
    session: &Session,
    contract: Contract,
    method: &str,
    args: Vec<u8>,
    gas: Option<u64>,
) -> Result<ReceiptView, Failure> {
    let call = Call::new(contract, method, args);
    send(session, gas.map_or(call.clone(), |gas| call.gas_limit(Gas(gas)))).await
}

async fn send(session: &Session, call: Call) -> Result<ReceiptView, Failure> {
    let signed = call.sign(&session.context(), &session.signer()?).map_err(ClientError::Make)?;
    session.submit(&signed).await
}

async fn govern(contract: &str, method: &str, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    let address = contract_address(&session.client, contract).await?;
    let receipt = execute(&session, Contract::native(LIFECYCLE), method, address.0.to_vec(), None).await?;
    finish(&receipt, session.output)
}

/// The contract's ABI, a method of it, and the words after the method's name.
async fn ready(args: &mut CallArgs, mut common: Common) -> Result<(Session, Abi, usize, Vec<String>), Failure> {
    let words = arguments::take_common(std::mem::take(&mut args.arguments), &mut common)?;
    let session = Session::open(&common).await?;
    let abi = fetch_abi(&session.client, &args.contract).await?;
    let names = || abi.methods.iter().map(|method| method.name.as_str());
    let Some(at) = names().position(|name| name == args.method) else {
        let all: Vec<&str> = names().collect();
        let failure = Failure::new(Exit::NotFound, format!("{} has no method {:?}", args.contract, args.method));
        return Err(match arguments::nearest(&args.method, names()) {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint(format!("it has {}", all.join(", "))),
        });
    };
    Ok((session, abi, at, words))
}

/// What a contract offers.
pub(super) async fn fetch_abi(client: &Client, contract: &str) -> Result<Abi, Failure> {
    let value = client.abi(contract).await?;
    serde_json::from_value(value).map_err(|error| Failure::error(format!("the contract's ABI document: {error}")))
}

async fn call(mut args: CallArgs, common: Common) -> Result<(), Failure> {
    let (mut session, abi, at, words) = ready(&mut args, common).await?;
    let method = &abi.methods[at];
    let prepared = prepare(&abi, Some(method), &words, &mut session)?;
    let contract = Session::contract(&args.contract)?;
    let gas = prepared.gas.or(args.gas);
    if prepared.help {
        return session.output.result(method, method_text);
    }
    if prepared.simulate || args.simulate {
        let params = call_params(&session, contract, &args.method, prepared.args, gas)?;
        let simulation = session.client.call::<SimulateTx>(params).await?;
        session.output.result(&simulation, simulation_text)?;
        return simulation.outcome.failure.as_ref().map_or(Ok(()), |failure| Err(Failure::of_call(failure)));
    }
    let mut call = Call::new(contract, &args.method, prepared.args);
    if let Some(gas) = gas {
        call = call.gas_limit(Gas(gas));
    }
    if let Some(seconds) = prepared.lifetime.or(args.lifetime) {
        call = call.lifetime(Duration::from_secs(seconds));
    }
    if prepared.unsigned || args.unsigned {
        let context = session.context();
        let unsigned = call.unsigned(&context, session.caller()?).map_err(ClientError::Make)?;
        return session.output.result(&TransactionFile::unsigned(&unsigned, &context), TransactionFile::text);
    }
    finish(&send(&session, call).await?, session.output)
}

async fn query(mut args: CallArgs, common: Common) -> Result<(), Failure> {
    let (mut session, abi, at, words) = ready(&mut args, common).await?;
    let method = &abi.methods[at];
    let prepared = prepare(&abi, Some(method), &words, &mut session)?;
    if prepared.help {
        return session.output.result(method, method_text);
    }
    if method.kind != MethodKind::View {
        return Err(Failure::usage(format!("{} changes state, so it can't be queried", args.method))
            .hint(format!("hanse contract call {} {} …", args.contract, args.method)));
    }
    let contract = Session::contract(&args.contract)?;
    let params = call_params(&session, contract, &args.method, prepared.args, prepared.gas.or(args.gas))?;
    let answer = session.client.call::<QueryContract>(params).await?;
    session.output.result(&answer, query_text)
}

fn call_params(
    session: &Session,
    contract: Contract,
    method: &str,
    args: Vec<u8>,
    gas: Option<u64>,
) -> Result<CallParams, Failure> {
    let caller = Some(session.caller()?);
    let args = serde_json::json!(Bytes(args));
    Ok(CallParams { contract, method: method.into(), args, caller, gas_limit: gas.map(Gas) })
}

fn query_text(answer: &QueryView) -> String {
    match &answer.result {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(result) => result.to_string(),
        None => answer.output.to_string(),
    }
}

fn simulation_text(simulation: &SimulationView) -> String {
    let outcome = &simulation.outcome;
    let head = fields([
        ("status", outcome.status.name().to_owned()),
        ("result", outcome.result.as_ref().map_or(outcome.output.to_string(), ToString::to_string)),
        ("gas", grouped(outcome.gas_used.0)),
        ("on block", simulation.height.to_string()),
    ]);
    format!("{head}\n{}\n{}", access_text(&simulation.access), parallel::conflicts_text(simulation))
}

fn access_text(access: &AccessView) -> String {
    let row = |kind: &str, key: &KeyView| {
        let place = key.field.clone().unwrap_or_else(|| key.key.to_string());
        [kind.to_owned(), key.contract.to_string(), place]
    };
    let reads = access.reads.iter().map(|key| row("read", &key.key));
    let ranges = access.ranges.iter().map(|range| row("scan", &range.start));
    let writes = access.writes.iter().map(|key| row("write", &key.key));
    let adds = access.adds.iter().map(|key| row("add", &key.key));
    table(["access", "contract", "key"], reads.chain(ranges).chain(writes).chain(adds))
}

async fn show_abi(contract: &str, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    let abi = fetch_abi(&session.client, contract).await?;
    session.output.result(&abi, |abi| {
        let methods: String = abi.methods.iter().map(method_text).collect();
        let events: String = abi.events.iter().map(|event| format!("event {}\n", event.name)).collect();
        let errors = abi.errors.iter().map(|error| format!("error {} {}: {}\n", error.code, error.name, error.message));
        methods + &events + &errors.collect::<String>()
    })
}

fn method_text(method: &Method) -> String {
    let docs: String = method.docs.lines().map(|line| format!("    {line}\n")).collect();
    format!("{method}\n{docs}")
}

async fn info(contract: &str, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    let info = session.client.call::<GetContract>(ContractParams { contract: Session::contract(contract)? }).await?;
    session.output.result(&info, contract_text)
}

fn contract_text(contract: &ContractView) -> String {
    let mut lines = vec![("contract", contract.name.clone()), ("address", contract.address.to_string())];
    match &contract.deployed {
        None => lines.push(("kind", "native, part of the node".into())),
        Some(deployed) => lines.extend([
            ("owner", deployed.owner.to_string()),
            ("version", format!("{}, {}", deployed.version, deployed.status)),
            ("code", deployed.code_hash.to_string()),
        ]),
    }
    fields(lines)
}

async fn list(after: Option<Address>, limit: usize, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    let contracts = session.client.call::<ListContracts>(ListContractsParams { after, limit: Some(limit) }).await?;
    session.output.result(&contracts, list_text)?;
    if let Some(next) = &contracts.next {
        session.output.note(format!("there are more: --after {next}"));
    }
    Ok(())
}

fn list_text(list: &ContractList) -> String {
    let row = |contract: &ContractView| {
        let (version, status) = match &contract.deployed {
            None => ("-".to_owned(), "native".to_owned()),
            Some(deployed) => (deployed.version.to_string(), deployed.status.clone()),
        };
        [contract.name.clone(), version, status, contract.address.to_string()]
    };
    table(["contract", "version", "status", "address"], list.contracts.iter().map(row))
}
