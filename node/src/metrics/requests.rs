//! What is asked of the node, and how long answers take.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::family::{Buckets, Labels};

/// Figures of all methods.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    requests: Family<Labels<2>, Counter>,
    duration: Family<Labels<1>, Histogram, Buckets>,
}

impl RequestMetrics {
    pub(super) fn register(registry: &mut Registry) -> RequestMetrics {
        let metrics =
            RequestMetrics { requests: Family::default(), duration: Family::new_with_constructor(Buckets::Seconds) };
        let help = "Requests that were answered, by method and error code; 0 is success";
        registry.register("hanse_rpc_requests", help, metrics.requests.clone());
        let help = "Time to answer a request, what it waited for included";
        registry.register_with_unit("hanse_rpc_duration", help, Unit::Seconds, metrics.duration.clone());
        metrics
    }

    /// A request was answered. `method` is one of a table, never a client's text: each makes a time series.
    pub(crate) fn answered(&self, method: &'static str, code: i32, took: Duration) {
        let of_method = [("method", method.to_owned())];
        self.duration.get_or_create(&of_method).observe(took.as_secs_f64());
        let [method] = of_method;
        self.requests.get_or_create(&[method, ("code", code.to_string())]).inc();
    }
}
