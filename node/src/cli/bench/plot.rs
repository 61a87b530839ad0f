//! The load over time, drawn: throughput, latency, the node's memory and cores.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::super::exit::Failure;
use super::report::Report;

const SIZE: (u32, u32) = (960, 960);

/// A line: its name and its points.
type Line = (&'static str, Vec<(f64, f64)>);

/// Draws a report into an SVG file.
pub(super) fn draw(report: &Report, file: &Path) -> Result<(), Failure> {
    let slots = || report.timeline.iter();
    let samples = || report.samples.iter();
    let of_slots = |value: fn(&super::recorder::Slot) -> f64| slots().map(|s| (s.at as f64, value(s))).collect();
    let mut panels: Vec<(&str, Vec<Line>)> = vec![
        ("transactions per second", vec![("committed", of_slots(|slot| slot.committed as f64))]),
        ("latency in ms", vec![("median", of_slots(|slot| slot.p50)), ("99 %", of_slots(|slot| slot.p99))]),
    ];
    if !report.samples.is_empty() {
        let memory = samples().map(|sample| (sample.at, (sample.memory >> 20) as f64)).collect();
        let cores = samples().map(|sample| (sample.at, sample.busy_cores)).collect();
        panels.push(("memory of the node in MiB", vec![("resident", memory)]));
        panels.push(("cores that the node keeps busy", vec![("cores", cores)]));
    }
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    let drawn = || -> Result<(), String> {
        area.fill(&WHITE).map_err(|error| error.to_string())?;
        for (part, (title, lines)) in area.split_evenly((panels.len(), 1)).iter().zip(&panels) {
            panel(part, title, lines)?;
        }
        area.present().map_err(|error| error.to_string())
    };
    drawn().map_err(|error| Failure::error(format!("{} could not be drawn: {error}", file.display())))
}

fn panel(area: &DrawingArea<SVGBackend<'_>, Shift>, title: &str, lines: &[Line]) -> Result<(), String> {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let right = points().map(|point| point.0).fold(1.0, f64::max);
    let top = points().map(|point| point.1).fold(1.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .caption(title, ("sans-serif", 15))
        .x_label_area_size(28)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..right, 0.0..top)
        .map_err(|error| error.to_string())?;
    let mesh = chart.configure_mesh().light_line_style(WHITE).x_desc("seconds").draw();
    mesh.map_err(|error| error.to_string())?;
    for (index, (name, points)) in lines.iter().enumerate() {
        let color = Palette99::pick(index).to_rgba();
        let series = LineSeries::new(points.iter().copied(), color.stroke_width(2));
        let legend = move |(x, y)| PathElement::new([(x, y), (x + 14, y)], color);
        chart.draw_series(series).map_err(|error| error.to_string())?.label(*name).legend(legend);
    }
    let labels = chart.configure_series_labels().background_style(WHITE.mix(0.8)).label_font(("sans-serif", 11)).draw();
    labels.map_err(|error| error.to_string())
}
