//! Figures for people.

use comfy_table::{CellAlignment, Table, presets};

use crate::record::{HintState, Mode, Record};

/// A table of these columns and rows, numbers to the right.
pub fn table(columns: &[&str], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(columns);
    table.add_rows(rows);
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}

/// A row for every record.
pub fn table_of(records: &[Record]) -> Table {
    let columns = [
        "workload",
        "accounts",
        "skew",
        "block",
        "threads",
        "mode",
        "tx/s",
        "× loop",
        "× CPU",
        "runs/tx",
        "strays",
        "edges/tx",
        "DAG B/tx",
        "work/span",
        "DAG %",
    ];
    table(&columns, records.iter().map(row).collect())
}

fn row(record: &Record) -> Vec<String> {
    let shape = [
        record.workload.to_string(),
        record.accounts.to_string(),
        record.skew.to_string(),
        record.block.to_string(),
        record.threads.to_string(),
        mode_name(record).to_owned(),
        format!("{:.0}", record.tx_per_s),
    ];
    let figures = if record.mode == Mode::Serial {
        vec![String::new(); 8]
    } else {
        vec![
            format!("{:.2}", record.ratio_to_serial),
            format!("{:.2}", record.cpu_ratio_to_serial),
            format!("{:.2}", record.executions_per_tx),
            format!("{:.0}", record.strays),
            format!("{:.2}", record.edges_per_tx),
            format!("{:.2}", record.dag_bytes_per_tx),
            format!("{:.1}", record.work_over_span),
            format!("{:.1}", 100.0 * record.dag_build_share),
        ]
    };
    shape.into_iter().chain(figures).collect()
}

/// What a mode is called in tables and plots.
pub(super) fn mode_name(record: &Record) -> &'static str {
    match (record.mode, record.hints) {
        (Mode::Serial, _) => "plain loop",
        (Mode::Propose, Some(HintState::Warm)) => "propose, warm",
        (Mode::Propose, _) => "propose, cold",
        (Mode::Replay, _) => "replay",
    }
}
