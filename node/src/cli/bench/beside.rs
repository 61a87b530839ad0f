//! What runs beside the load: questions of clients, and a look at the processes each second.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hanse_client::methods::{CallParams, QueryContract, SimulateTx};
use hanse_client::{Client, codes};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::super::exit::Failure;
use super::process::Process;

/// Questions are asked for so long, then not for so long: so one run shows what they cost the load.
pub(super) const QUESTION_SECONDS: u64 = 5;

/// Whether questions are asked in this second of the load.
pub(super) fn asks_in(second: u64) -> bool {
    (second / QUESTION_SECONDS) % 2 == 1
}

/// What came of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Answers {
    /// Clients that asked, each its next question when it had its answer.
    pub(super) clients: u32,
    /// Answers per second, while they asked.
    pub(super) answers_per_second: f64,
    /// Refusals because the node had too many questions.
    pub(super) refused: u64,
    /// Half of the answers took at most so long, in milliseconds,
    pub(super) p50: f64,
    /// and 99 %.
    pub(super) p99: f64,
}

/// Clients that ask, half of them for a view's answer, half for a simulation.
pub(super) struct Questions {
    clients: u32,
    started: Instant,
    answered: Mutex<Histogram<u64>>,
    refused: AtomicU64,
}

impl Questions {
    /// So many clients; the load's second 0 begins at `started`.
    pub(super) fn new(clients: u32, started: Instant) -> Result<Questions, Failure> {
        let answered = Histogram::new(3).map_err(|error| Failure::error(error.to_string()))?;
        Ok(Questions { clients, started, answered: Mutex::new(answered), refused: AtomicU64::new(0) })
    }

    /// Asks until a question fails; `make` gives each client its next one.
    pub(super) async fn ask(&self, client: &Client, make: impl Fn(usize) -> CallParams) -> Failure {
        if self.clients == 0 {
            return std::future::pending().await;
        }
        let each = (0..self.clients).map(|number| Box::pin(self.ask_as(client, number as usize, &make)));
        futures::future::select_all(each).await.0
    }

    async fn ask_as(&self, client: &Client, number: usize, make: &impl Fn(usize) -> CallParams) -> Failure {
        let mut at = number;
        loop {
            let second = self.started.elapsed().as_secs();
            if !asks_in(second) {
                let next = self.started + Duration::from_secs((second / QUESTION_SECONDS + 1) * QUESTION_SECONDS);
                tokio::time::sleep_until(next.into()).await;
                continue;
            }
            at += self.clients as usize;
            let asked = Instant::now();
            let answer = match number % 2 {
                0 => client.call::<QueryContract>(make(at)).await.map(drop),
                _ => client.call::<SimulateTx>(make(at)).await.map(drop),
            };
            match answer {
                Ok(()) => self.note(asked.elapsed()),
                Err(error) if error.is(codes::BUSY) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
                Err(error) => return error.into(),
            }
        }
    }

    fn note(&self, took: Duration) {
        if let Ok(mut answered) = self.answered.lock() {
            answered.saturating_record(took.as_micros() as u64);
        }
    }

    /// What came of them, after so many seconds of asking.
    pub(super) fn answers(&self, seconds: u64) -> Option<Answers> {
        let answered = self.answered.lock().ok().filter(|_| self.clients > 0)?;
        let milliseconds = |quantile| answered.value_at_quantile(quantile) as f64 / 1_000.0;
        Some(Answers {
            clients: self.clients,
            answers_per_second: answered.len() as f64 / seconds.max(1) as f64,
            refused: self.refused.load(Ordering::Relaxed),
            p50: milliseconds(0.5),
            p99: milliseconds(0.99),
        })
    }
}

/// The node at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Sample {
    /// Seconds since the start.
    pub(super) at: f64,
    /// Bytes of its memory.
    pub(super) memory: u64,
    /// Cores that it kept busy since the sample before.
    pub(super) busy_cores: f64,
}

/// Looks at a process each second, for ever.
pub(super) async fn watch(process: Option<&Process>, started: Instant, samples: &Mutex<Vec<Sample>>) -> Failure {
    let Some(process) = process else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut before: Option<(Instant, Duration)> = None;
    loop {
        ticks.tick().await;
        let (now, Some(memory), Some(cpu)) = (Instant::now(), process.memory(), process.cpu_time()) else {
            // It has ended; the load says so itself.
            return std::future::pending().await;
        };
        let busy = before.map(|(at, used)| cpu.saturating_sub(used).as_secs_f64() / (now - at).as_secs_f64());
        before = Some((now, cpu));
        let at = now.saturating_duration_since(started).as_secs_f64();
        if let Ok(mut samples) = samples.lock() {
            samples.push(Sample { at, memory, busy_cores: busy.unwrap_or_default() });
        }
    }
}
