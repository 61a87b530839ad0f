use hanse_sdk::prelude::*;

#[contract]
pub struct Shop {
    price: Item<u64>,
}

#[methods]
impl Shop {
    pub fn set_price(price: u64) -> u64 {
        price
    }
}

fn main() {}
