use hanse_sdk::prelude::*;

pub struct Cache;

#[contract]
pub struct Shop {
    cache: Cache,
}

fn main() {}
