use hanse_sdk::prelude::*;

#[contract]
pub struct Shop {
    orders: Vec<u64>,
}

fn main() {}
