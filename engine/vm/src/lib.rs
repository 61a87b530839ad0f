//! Run one transaction: wasm or native, same host; holds the system contracts.
