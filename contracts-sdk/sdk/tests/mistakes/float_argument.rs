use hanse_sdk::prelude::*;

#[contract]
pub struct Shop {
    price: Item<u64>,
}

#[methods]
impl Shop {
    pub fn set_price(&mut self, price: f64) {
        self.price.set(price as u64);
    }
}

fn main() {}
