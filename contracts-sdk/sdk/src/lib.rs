//! Write contracts for Hanse.
