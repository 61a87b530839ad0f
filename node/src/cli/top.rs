//! `hanse top`: how the chain is doing, on one screen, kept up to date.
//!
//! What is shown is put together first ([`Picture`]) and drawn then ([`draw`]); drawing looks at nothing else. With `--once`
//! the same screen is printed as text, or as JSON, and nothing is kept up to date.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::Args;
use hanse_client::Client;
use hanse_client::methods::{
    DagStats, DagStatsParams, GetDagStats, GetHotKeys, GetPool, HotKeys, HotKeysParams, NoParams,
};
use hanse_client::views::{BlockParallelism, ChainInfo, PoolView};
use ratatui::Frame;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::widgets::{Block, Cell, Paragraph, Row, Table};
use serde::Serialize;

use super::Common;
use super::exit::Failure;
use super::output::grouped;
use super::session::Session;

/// Blocks that are looked at.
const BLOCKS: u64 = 20;
/// Screen of `--once`.
const ONCE_SIZE: (u16, u16) = (100, 36);

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Print one screen and end
    #[arg(long)]
    once: bool,
    /// Milliseconds between two looks
    #[arg(long, default_value_t = 1_000, value_name = "MS", value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    interval: u64,
}

/// What is shown.
#[derive(Debug, Serialize)]
struct Picture {
    url: String,
    chain: ChainInfo,
    pool: PoolView,
    stats: DagStats,
    hot_keys: HotKeys,
    /// Transactions in a second, since the last look; none at the first.
    per_second: Option<f64>,
}

impl Picture {
    /// The newest block that was looked at.
    fn newest(&self) -> u64 {
        self.stats.blocks.last().map_or(0, |block| block.height.0)
    }
}

/// Transactions of the blocks after this height. Where there were more than are looked at, the older ones count as these.
fn committed(height: u64, blocks: &[BlockParallelism]) -> f64 {
    let new = blocks.iter().filter(|block| block.height.0 > height);
    let (known, transactions) = new.fold((0u64, 0u64), |(known, sum), block| (known + 1, sum + block.transactions));
    let passed = blocks.last().map_or(0, |block| block.height.0.saturating_sub(height));
    transactions as f64 / known.max(1) as f64 * passed as f64
}

/// `hanse top`.
pub(crate) async fn run(args: TopArgs, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    if args.once || session.output.json {
        let picture = look(&session.client, None).await?;
        return session.output.result(&picture, as_text);
    }
    if !std::io::stdout().is_terminal() {
        return Err(Failure::usage("there is no terminal to keep up to date").hint("--once prints one screen"));
    }
    let first = look(&session.client, None).await?;
    let mut terminal = ratatui::try_init().map_err(|error| Failure::error(format!("the terminal: {error}")))?;
    let ended = watch(&mut terminal, &session.client, first, Duration::from_millis(args.interval)).await;
    ratatui::restore();
    ended
}

/// Looks again and again, until somebody presses q.
async fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    client: &Client,
    mut picture: Picture,
    interval: Duration,
) -> Result<(), Failure> {
    let mut failed = None;
    let mut looked = Instant::now();
    loop {
        let drawn = terminal.draw(|frame| draw(frame, &picture, failed.as_deref()));
        drawn.map_err(|error| Failure::error(format!("the terminal: {error}")))?;
        let until = looked + interval;
        if tokio::task::block_in_place(|| is_over(until))? {
            return Ok(());
        }
        match look(client, Some((looked, &picture))).await {
            Ok(next) => (picture, failed) = (next, None),
            // A node that is restarted is waited for; what it said last stays on the screen.
            Err(failure) => failed = Some(failure.message().to_owned()),
        }
        looked = Instant::now();
    }
}

/// Waits for a key until a time; whether it was one that ends it all.
fn is_over(until: Instant) -> Result<bool, Failure> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || !event::poll(left)? {
            return Ok(false);
        }
        let Event::Key(key) = event::read()? else { return Ok(false) };
        let is_quit = matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
            || (key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL));
        if key.kind == KeyEventKind::Press && is_quit {
            return Ok(true);
        }
    }
}

/// Asks the node. `before` is when it was asked last, and what it said.
async fn look(client: &Client, before: Option<(Instant, &Picture)>) -> Result<Picture, Failure> {
    let chain = client.chain_info().await?;
    let pool = client.call::<GetPool>(NoParams {}).await?;
    let stats = client.call::<GetDagStats>(DagStatsParams { last: Some(BLOCKS) }).await?;
    let window = HotKeysParams { blocks: Some(BLOCKS), ..HotKeysParams::default() };
    // Where access sets were pruned there are none to be told; that is no reason to show nothing.
    let hot_keys = client.call::<GetHotKeys>(window).await.unwrap_or_else(|_| HotKeys {
        from_height: chain.height,
        to_height: chain.height,
        keys: Vec::new(),
    });
    let per_second = before.map(|(when, before)| {
        committed(before.newest(), &stats.blocks) / when.elapsed().as_secs_f64().max(f64::MIN_POSITIVE)
    });
    Ok(Picture { url: client.url().to_owned(), chain, pool, stats, hot_keys, per_second })
}

/// One screen, as text.
fn as_text(picture: &Picture) -> String {
    // Drawing into memory does not fail.
    let Ok(mut terminal) = ratatui::Terminal::new(TestBackend::new(ONCE_SIZE.0, ONCE_SIZE.1));
    let Ok(_) = terminal.draw(|frame| draw(frame, picture, None));
    let buffer = terminal.backend().buffer();
    let line = |cells: &[ratatui::buffer::Cell]| {
        let text: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", text.trim_end())
    };
    buffer.content().chunks(usize::from(ONCE_SIZE.0)).map(line).collect()
}

/// Draws the screen; `failed` is why what is shown is not the newest.
fn draw(frame: &mut Frame<'_>, picture: &Picture, failed: Option<&str>) {
    let areas = Layout::vertical([Constraint::Length(6), Constraint::Min(8), Constraint::Length(9)]);
    let [head, blocks, keys] = areas.areas(frame.area());
    let title = match failed {
        None => format!(" {} / {} at {} ", picture.chain.chain_id, picture.chain.group_id, picture.url),
        Some(reason) => format!(" {reason} "),
    };
    frame.render_widget(Paragraph::new(summary(picture)).block(Block::bordered().title(title)), head);
    frame.render_widget(blocks_table(picture), blocks);
    frame.render_widget(keys_table(picture), keys);
}

fn summary(picture: &Picture) -> String {
    let totals = &picture.stats.totals;
    let per_second = picture.per_second.map_or("-".to_owned(), |rate| grouped(rate.round() as u64));
    let commits: Vec<u64> = picture.stats.blocks.iter().filter_map(|block| block.execution_us).collect();
    let latency = match commits.iter().max() {
        None => "-".to_owned(),
        Some(most) => format!("{} µs, at most {} µs", grouped(middle(&commits)), grouped(*most)),
    };
    let state = picture.chain.stopped.as_ref().map_or("running".to_owned(), |reason| format!("stopped: {reason}"));
    format!(
        "height {:<12} transactions/s {:<10} waiting {:<10} {state}\n\
         parallelism {:.1} cores could be busy, {} executions per transaction\n\
         execution of a block: {latency}\n\
         q ends",
        grouped(picture.chain.height.0),
        per_second,
        grouped(picture.pool.waiting as u64),
        totals.parallelism,
        totals.executions_per_transaction.map_or("-".to_owned(), |number| format!("{number:.2}")),
    )
}

fn middle(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn heading<const N: usize>(names: [&'static str; N]) -> Row<'static> {
    Row::new(names.map(Cell::from)).style(Style::new().add_modifier(Modifier::BOLD))
}

fn blocks_table(picture: &Picture) -> Table<'static> {
    let local = |number: Option<u64>| number.map_or("-".to_owned(), grouped);
    let row = |block: &BlockParallelism| {
        Row::new([
            grouped(block.height.0),
            grouped(block.transactions),
            grouped(block.work.0),
            format!("{:.1}", block.parallelism),
            local(block.executions),
            local(block.strays),
            local(block.execution_us),
        ])
    };
    let rows = picture.stats.blocks.iter().rev().map(row);
    Table::new(rows, [Constraint::Fill(1); 7])
        .header(heading(["block", "transactions", "gas", "parallelism", "executions", "strays", "µs"]))
        .block(Block::bordered().title(" the last blocks "))
}

fn keys_table(picture: &Picture) -> Table<'static> {
    let rows = picture.hot_keys.keys.iter().map(|hot| {
        let place = hot.key.field.clone().unwrap_or_else(|| hot.key.key.to_string());
        let advice = hot.advice.as_ref().map_or_else(String::new, |advice| advice.name.clone());
        let who = hot.methods.first().cloned().unwrap_or_default();
        Row::new([format!("{:.0} %", 100.0 * hot.span_share), place, who, advice])
    });
    let widths = [Constraint::Length(6), Constraint::Fill(3), Constraint::Fill(2), Constraint::Length(18)];
    Table::new(rows, widths)
        .header(heading(["span", "key", "method", "advice"]))
        .block(Block::bordered().title(" keys that transactions wait for "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanse_types::{Gas, Height};

    fn block(height: u64, transactions: u64) -> BlockParallelism {
        BlockParallelism {
            height: Height(height),
            transactions,
            edges: 0,
            work: Gas(0),
            span: Gas(0),
            parallelism: 1.0,
            executions: None,
            strays: None,
            execution_us: None,
        }
    }

    #[test]
    fn blocks_that_were_not_looked_at_count_as_those_that_were() {
        let blocks = [block(7, 10), block(8, 20), block(9, 30)];
        assert_eq!(committed(9, &blocks), 0.0);
        assert_eq!(committed(7, &blocks), 50.0);
        assert_eq!(committed(3, &blocks), 120.0);
        assert_eq!(committed(0, &[]), 0.0);
    }
}
