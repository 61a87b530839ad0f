//! `hanse bench`: a load of signed transactions over real RPC to a running node, and what came of it.
//!
//! Everything is signed before it is sent. In a **closed loop** each connection sends its next batch when the one before is
//! committed; with `--rate`, each batch has its time, kept whether the node keeps up or not, and latency runs from that
//! time: a load that falls behind does not hide what its users would have waited. The clock runs from the first submission
//! until the last transaction is seen in a durable block.
//!
//! In the same run, before and after the load, the same cores verify signatures in batches and do nothing else: what that
//! reaches is the yardstick. A load beside another leaves it out, which would take the other's cores. On one machine node and
//! load share the cores; the CPU time of both is told apart.
//!
//! Start reading at [`run`]; [`workload`] says what is sent, [`send`] how, [`tracker`] what is measured.

mod beside;
mod plot;
mod process;
mod progress;
mod random;
mod recorder;
mod report;
mod rounds;
mod send;
mod signing;
mod tracker;
mod workload;
mod yardstick;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use hanse_client::ChainContext;
use hanse_client::methods::{GetChainStatus, NoParams, WaitMany};
use hanse_types::SignedTransaction;
use hanse_types::genesis::CryptoSuite;

use super::Common;
use super::exit::{Exit, Failure};
use super::session::Session;
use beside::Questions;
use process::Process;
use progress::Progress;
use recorder::Recorder;
use report::{Beside, Cpu, Report, Shape};
use rounds::{Amount, Round, Rounds};
use send::Plan;
use tracker::Tracker;
use workload::{Load, Workload};
use yardstick::{Verified, Yardstick};

/// Transactions of a load for which neither number nor time is given.
const TRANSACTIONS: u32 = 20_000;
/// Most transactions to warm up with, if not said.
const WARM_UP: u32 = 5_000;
/// What a node is expected to take per second before it has shown what it takes.
const EXPECTED: f64 = 20_000.0;

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// What to send
    #[arg(long, value_enum, default_value_t)]
    workload: Workload,
    /// The contract, if it is not deployed under its own name; of a token, --from must hold enough
    #[arg(long)]
    contract: Option<String>,
    /// How many transactions; 20000 if neither this nor --duration is given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    transactions: Option<u32>,
    /// How many seconds to send, instead of how many transactions
    #[arg(long, value_name = "SECONDS", conflicts_with = "transactions", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    duration: Option<u64>,
    /// How many accounts take part
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    accounts: u32,
    /// How much some accounts are preferred: 0 is not at all, 1 is the first twice as often as the second
    #[arg(long, default_value_t = 0.0, value_parser = skew)]
    skew: f64,
    /// Transactions in one submission
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Submissions under way at the same time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: u32,
    /// When the node answers a submission: once what it accepted is on its disk, or at once. What is measured is durable
    /// in a block either way
    #[arg(long, value_enum, default_value_t)]
    wait: Answer,
    /// Transactions offered per second, whether the node keeps up or not; a closed loop if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Most seconds that are sent before the next transactions are signed; a signature refers to a recent block, so a round
    /// that is too long is refused
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=240))]
    round: u64,
    /// Transactions to send before the clock starts; a tenth of the load, at most 5000, if not given
    #[arg(long, value_name = "TRANSACTIONS")]
    warm_up: Option<u32>,
    /// Clients that ask questions beside the load, five seconds of ten, to see what that costs it
    #[arg(long, default_value_t = 0, value_name = "CLIENTS", value_parser = clap::value_parser!(u32).range(0..=256))]
    queries: u32,
    /// Leave out the yardstick, the signatures that the cores verify before and after the load: for a load beside another,
    /// from which it would take the cores
    #[arg(long)]
    no_yardstick: bool,
    /// Seconds without a committed transaction after which it gives up
    #[arg(long, default_value_t = 30)]
    patience: u64,
    /// Draw throughput, latency and memory over time into this SVG file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// [`WaitMany`] on the command line.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Answer {
    /// Once what was accepted outlives a crash of the node
    #[default]
    Pool,
    /// At once: what is in no block yet when the node crashes is lost
    None,
}

impl From<Answer> for WaitMany {
    fn from(answer: Answer) -> WaitMany {
        match answer {
            Answer::Pool => WaitMany::Pool,
            Answer::None => WaitMany::None,
        }
    }
}

fn skew(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(skew) if (0.0..=10.0).contains(&skew) => Ok(skew),
        _ => Err("it is a number from 0 to 10".into()),
    }
}

impl BenchArgs {
    fn amount(&self) -> Amount {
        match self.duration {
            Some(seconds) => Amount::Time(Duration::from_secs(seconds)),
            None => Amount::Transactions(self.transactions.unwrap_or(TRANSACTIONS) as usize),
        }
    }

    fn warm_up(&self) -> usize {
        let part = match self.amount() {
            Amount::Transactions(count) => count / 10,
            Amount::Time(_) => WARM_UP as usize,
        };
        self.warm_up.map_or(part.min(WARM_UP as usize), |count| count as usize)
    }

    fn shape(&self, validators: u32) -> Shape {
        Shape {
            workload: self.workload.name(),
            accounts: self.accounts,
            skew: self.skew,
            batch: self.batch,
            connections: self.connections,
            wait: self.wait.into(),
            rate: self.rate,
            validators,
        }
    }
}

/// Runs it.
pub(crate) async fn run(args: BenchArgs, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    let load = Load::new(&session, args.workload, args.contract.as_deref(), args.accounts, args.skew).await?;
    let load_average = process::load_average();
    let (progress, crypto) = (Progress::new(session.output), session.chain.crypto);
    let bench = Bench { node: Process::listening_at(session.client.url()), session, args, load, progress };

    let yardstick = bench.yardstick(crypto)?;
    let before = bench.verified(yardstick.as_ref())?;
    bench.set_up(common).await?;
    let per_second = bench.warm_up().await?;
    let (recorder, mut beside) = bench.measure(per_second).await?;
    let after = bench.verified(yardstick.as_ref())?;

    beside.verified_per_second = before.zip(after).map(|(before, after)| before.between(after));
    beside.load_average = load_average;
    let validators = bench.session.client.call::<GetChainStatus>(NoParams {}).await?.validators;
    bench.report(&recorder, beside, validators)
}

/// A load on its node.
struct Bench {
    session: Session,
    args: BenchArgs,
    load: Load,
    progress: Progress,
    /// The node's process, if it runs on this machine.
    node: Option<Process>,
}

impl Bench {
    /// What the machine does at most is found by this, unless it is to be left out.
    fn yardstick(&self, crypto: CryptoSuite) -> Result<Option<Yardstick>, Failure> {
        let new = || Yardstick::new(crypto, self.args.accounts);
        (!self.args.no_yardstick).then(|| tokio::task::block_in_place(new)).transpose()
    }

    fn verified(&self, yardstick: Option<&Yardstick>) -> Result<Option<Verified>, Failure> {
        let measure = |yardstick: &Yardstick| {
            self.progress.phase("yardstick", 0);
            tokio::task::block_in_place(|| yardstick.measure())
        };
        yardstick.map(measure).transpose()
    }

    /// Makes what the load needs: accounts with funds, customers, records.
    async fn set_up(&self, common: &Common) -> Result<(), Failure> {
        let funder = self.session.signer()?;
        let context = self.context().await?;
        let setup = tokio::task::block_in_place(|| self.load.setup(&context, &funder))?;
        self.progress.phase("setting up", setup.len());
        let plan = Plan { rate: None, ..self.plan() };
        let done = self.drive(setup, &plan, Recorder::new(Instant::now())).await?;
        match (done.failed, self.load.funds()) {
            (0, _) => Ok(()),
            (failed, None) => Err(Failure::error(format!("{failed} calls of the set-up failed"))),
            (failed, Some(funds)) => {
                let from = &common.from;
                Err(Failure::error(format!("{failed} of the funding transfers of {from} failed"))
                    .hint(format!("{from} needs at least {funds}")))
            }
        }
    }

    /// Sends what is not measured; what the node takes per second, as far as that shows it.
    async fn warm_up(&self) -> Result<f64, Failure> {
        let count = self.args.warm_up();
        if count == 0 {
            return Ok(EXPECTED);
        }
        let transactions = self.sign(count).await?;
        self.progress.phase("warming up", count);
        let plan = Plan { rate: None, ..self.plan() };
        let done = self.drive(transactions, &plan, Recorder::new(Instant::now())).await?;
        Ok(done.committed() as f64 / done.active().as_secs_f64().max(f64::MIN_POSITIVE))
    }

    /// The load, round by round, with what runs beside it.
    async fn measure(&self, per_second: f64) -> Result<(Recorder, Beside), Failure> {
        let rounds = Rounds::new(self.args.amount(), self.args.rate, Duration::from_secs(self.args.round));
        let round = rounds.next(per_second).ok_or_else(|| Failure::usage("there is nothing to send"))?;
        let transactions = self.sign(round.transactions).await?;

        let started = Instant::now();
        let (questions, samples) = (Questions::new(self.args.queries, started)?, Mutex::new(Vec::new()));
        let (recorder, cpu) = tokio::select! {
            done = self.send_rounds(started, rounds, round, transactions, per_second) => done?,
            failure = questions.ask(&self.session.client, |number| self.load.question(number)) => return Err(failure),
            failure = beside::watch(self.node.as_ref(), started, &samples) => return Err(failure),
        };
        let asked = (0..started.elapsed().as_secs()).filter(|second| beside::asks_in(*second)).count() as u64;
        let beside = Beside {
            verified_per_second: None,
            cpu,
            samples: samples.into_inner().unwrap_or_else(PoisonError::into_inner),
            questions: questions.answers(asked),
            load_average: None,
        };
        Ok((recorder, beside))
    }

    async fn send_rounds(
        &self,
        started: Instant,
        mut rounds: Rounds,
        mut round: Round,
        mut transactions: Vec<SignedTransaction>,
        mut per_second: f64,
    ) -> Result<(Recorder, Cpu), Failure> {
        let mut recorder = Recorder::new(started);
        let mut cpu = Cpu::default();
        loop {
            self.progress.phase("sending", round.transactions);
            let plan = Plan { time: round.time, ..self.plan() };
            let (began, before, seen) = (Instant::now(), self.cpu_times(), recorder.committed());
            recorder = self.drive(transactions, &plan, recorder).await?;
            let took = began.elapsed();
            cpu.add(before, self.cpu_times());
            per_second = per_second.max((recorder.committed() - seen) as f64 / took.as_secs_f64());
            rounds.done(round, took);
            round = match rounds.next(per_second) {
                Some(round) => round,
                None => return Ok((recorder, cpu)),
            };
            transactions = self.sign(round.transactions).await?;
        }
    }

    /// CPU time that node and load have used.
    fn cpu_times(&self) -> [Option<Duration>; 2] {
        [self.node.as_ref().and_then(Process::cpu_time), Process::own().cpu_time()]
    }

    fn plan(&self) -> Plan {
        let BenchArgs { batch, connections, wait, rate, .. } = self.args;
        Plan { batch: batch as usize, connections: connections as usize, wait: wait.into(), rate, time: None }
    }

    async fn context(&self) -> Result<ChainContext, Failure> {
        Ok(ChainContext::from(&self.session.client.chain_info().await?))
    }

    async fn sign(&self, count: usize) -> Result<Vec<SignedTransaction>, Failure> {
        let context = self.context().await?;
        self.progress.phase("signing", count);
        tokio::task::block_in_place(|| self.load.draw(&context, count))
    }

    /// Sends transactions and follows them until each is in a block.
    async fn drive(
        &self,
        transactions: Vec<SignedTransaction>,
        plan: &Plan,
        recorder: Recorder,
    ) -> Result<Recorder, Failure> {
        if transactions.is_empty() {
            return Ok(recorder);
        }
        let (client, genesis) = (&self.session.client, self.session.chain.genesis_hash);
        let height = client.chain_info().await?.height;
        let before = recorder.committed();
        let tracker = Tracker::new(height, Duration::from_secs(self.args.patience), recorder);
        let from = Instant::now();
        let work = async {
            let sending = send::send(client, transactions, &genesis, plan, &tracker);
            tokio::try_join!(sending, tracker.follow(client)).map(drop)
        };
        let moving = async {
            loop {
                tokio::time::sleep(progress::STEP).await;
                self.progress.at(tracker.committed() - before);
            }
        };
        tokio::select! {
            done = work => done?,
            () = moving => {}
        }
        let mut recorder = tracker.into_recorder();
        recorder.was_active(from);
        Ok(recorder)
    }

    fn report(self, recorder: &Recorder, beside: Beside, validators: u32) -> Result<(), Failure> {
        drop(self.progress);
        let report = Report::new(self.args.shape(validators), recorder, beside);
        self.session.output.result(&report, Report::text)?;
        if let Some(file) = &self.args.plot {
            plot::draw(&report, file)?;
        }
        match recorder.failed {
            failed if failed > 0 && !self.args.workload.may_fail() => {
                Err(Failure::new(Exit::Failed, format!("{failed} transactions of the load's blocks failed")))
            }
            _ => Ok(()),
        }
    }
}
