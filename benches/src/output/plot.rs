//! Ratios to the plain loop as lines: a panel for each workload, block size and number of threads.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::table::mode_name;
use crate::record::{Mode, Record};

const PANEL: (u32, u32) = (460, 320);
const COLUMNS: usize = 3;

/// Draws records into an SVG file, over accounts if there are several numbers of them, over skews otherwise.
///
/// # Errors
/// If there is nothing to draw, or the file can't be written.
pub fn plot(records: &[Record], file: &Path) -> Result<()> {
    let by_accounts = records.iter().any(|record| record.accounts != records[0].accounts);
    let panels = panels(records, by_accounts);
    ensure!(!panels.is_empty(), "there is nothing to plot");
    let columns = panels.len().min(COLUMNS);
    let rows = panels.len().div_ceil(columns);
    let area = SVGBackend::new(file, (PANEL.0 * columns as u32, PANEL.1 * rows as u32)).into_drawing_area();
    let draw = || -> Result<(), String> {
        area.fill(&WHITE).map_err(|error| error.to_string())?;
        for (area, (title, panel)) in area.split_evenly((rows, columns)).iter().zip(&panels) {
            draw_panel(area, title, panel, by_accounts)?;
        }
        area.present().map_err(|error| error.to_string())
    };
    draw().map_err(|error| anyhow!(error)).with_context(|| format!("{} could not be drawn", file.display()))
}

/// Lines by name, each a list of points.
type Panel = BTreeMap<String, Vec<(f64, f64)>>;

fn panels(records: &[Record], by_accounts: bool) -> Vec<(String, Panel)> {
    let mut panels: Vec<(String, Panel)> = Vec::new();
    for record in records.iter().filter(|record| record.mode != Mode::Serial) {
        let title = format!("{}, block {}, {} threads", record.workload, record.block, record.threads);
        let (line, x) = if by_accounts {
            (format!("{}, skew {}", mode_name(record), record.skew), (record.accounts as f64).log10())
        } else {
            (mode_name(record).to_owned(), record.skew)
        };
        let at = panels.iter().position(|(other, _)| *other == title).unwrap_or_else(|| {
            panels.push((title, Panel::new()));
            panels.len() - 1
        });
        panels[at].1.entry(line).or_default().push((x, record.ratio_to_serial));
    }
    panels
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    panel: &Panel,
    by_accounts: bool,
) -> Result<(), String> {
    let points = || panel.values().flatten();
    let left = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let right = points().map(|point| point.0).fold(left + 0.1, f64::max);
    let top = points().map(|point| point.1).fold(1.1, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .caption(title, ("sans-serif", 15))
        .x_label_area_size(34)
        .y_label_area_size(42)
        .build_cartesian_2d(left..right, 0.0..top)
        .map_err(|error| error.to_string())?;
    let x_label = |x: &f64| if by_accounts { format!("{:.0}", 10f64.powf(*x)) } else { format!("{x:.1}") };
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_label_formatter(&x_label)
        .x_desc(if by_accounts { "accounts" } else { "skew" })
        .y_desc("× plain loop")
        .draw()
        .map_err(|error| error.to_string())?;
    let level = [(left, 1.0), (right, 1.0)];
    chart.draw_series(LineSeries::new(level, BLACK.mix(0.4))).map_err(|error| error.to_string())?;
    for (index, (name, points)) in panel.iter().enumerate() {
        let color = Palette99::pick(index).to_rgba();
        let series = LineSeries::new(points.iter().copied(), color.stroke_width(2)).point_size(3);
        let legend = move |(x, y)| PathElement::new([(x, y), (x + 14, y)], color);
        chart.draw_series(series).map_err(|error| error.to_string())?.label(name).legend(legend);
    }
    let labels = chart.configure_series_labels().background_style(WHITE.mix(0.8)).label_font(("sans-serif", 11)).draw();
    labels.map_err(|error| error.to_string())
}
