use hanse_sdk::prelude::*;

#[contract]
pub struct Shop {
    price: Item<u64>,
}

#[methods]
impl Shop {
    pub fn set_price(&mut self, price: u64) -> Result<(), String> {
        self.price.set(price);
        Ok(())
    }
}

fn main() {}
