//! The figures: what one core can do, beside an honest baseline.
fn main() {}
