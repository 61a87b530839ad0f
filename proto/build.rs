//! Compiles the `.proto` files without a protobuf compiler on the machine.

use std::error::Error;

const FILES: [&str; 4] =
    ["hanse/v1/transaction.proto", "hanse/v1/receipt.proto", "hanse/v1/block.proto", "hanse/v1/genesis.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
