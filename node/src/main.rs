//! The process hanse: sockets, files, operators.
fn main() {}
