use hanse_sdk::prelude::*;

#[error]
pub enum Error {
    #[msg("balance {has} is less than {need}")]
    TooLittle { have: u128, need: u128 },
}

fn main() {}
