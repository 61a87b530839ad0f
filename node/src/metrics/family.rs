//! What families of figures have in common: labels and buckets.

use prometheus_client::metrics::family::MetricConstructor;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Labels of a figure: names and values.
pub(super) type Labels<const N: usize> = [(&'static str, String); N];

/// The label of every figure of a chain.
pub(super) const GROUP: &str = "group";

/// Bounds of a histogram's buckets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Buckets {
    /// From 0.5 ms to 16 s, each twice the one before.
    Seconds,
    /// From 1 to 1024, each twice the one before.
    Ratio,
    /// From 1 µs to 131 ms, each twice the one before.
    Calls,
}

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        match self {
            Buckets::Seconds => Histogram::new(exponential_buckets(0.000_5, 2.0, 16)),
            Buckets::Ratio => Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            Buckets::Calls => Histogram::new(exponential_buckets(0.000_001, 2.0, 18)),
        }
    }
}
