use hanse_sdk::prelude::*;

#[contract]
pub struct Shop {
    price: Item<u64>,
}

#[methods]
impl Shop {
    pub fn set_price(&self, price: u64) {
        self.price.set(price);
    }
}

fn main() {}
