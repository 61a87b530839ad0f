//! Where figures go: a table, lines of JSON, a plot.

mod plot;
mod sink;
mod table;

pub use plot::plot;
pub use sink::Sink;
pub use table::{table, table_of};
