//! A registry of assets with the history of each, as supply chains keep it.
//!
//! Parallel: whatever concerns different assets. An asset's own steps follow one another, each adding a line to its
//! history; there is no counter or list that all assets share. Listing conflicts with registrations in its range.
#![no_std]

use hanse_sdk::prelude::*;

/// Longest identity and place, in bytes.
const TEXT_BYTES: usize = 128;

/// Where an asset is in its life.
#[data]
#[derive(Copy, Eq)]
pub enum State {
    /// Made and not under way.
    Registered,
    /// On its way.
    Shipped,
    /// Arrived.
    Received,
    /// Out of use, for good.
    Retired,
}

/// An asset as it is now.
#[data]
pub struct Asset {
    /// Its identity: a serial number, for instance.
    #[key]
    pub id: String,
    /// Who has it.
    pub owner: Address,
    /// Where it is in its life.
    pub state: State,
    /// Where it is.
    pub place: String,
    /// How many lines its history has.
    pub steps: u64,
}

/// A line of an asset's history.
#[data]
pub struct Step {
    /// Who did it.
    pub by: Address,
    /// In milliseconds since 1970.
    pub time_ms: u64,
    /// The owner afterwards.
    pub owner: Address,
    /// The state afterwards.
    pub state: State,
    /// The place afterwards.
    pub place: String,
}

/// Assets, and what happened to each.
#[contract]
pub struct Assets {
    assets: Table<Asset>,
    /// By asset and number of the step, from 0.
    history: OrderedMap<(String, u64), Step>,
}

/// Something happened to an asset.
#[event]
pub struct Changed {
    #[topic]
    id: String,
    #[topic]
    owner: Address,
    state: State,
    place: String,
}

/// Why the registry refuses.
#[error]
pub enum Error {
    /// There is one of this identity.
    #[msg("asset {id} is registered already")]
    Exists {
        /// The identity.
        id: String,
    },
    /// There is none of this identity.
    #[msg("there is no asset {id}")]
    Unknown {
        /// The identity.
        id: String,
    },
    /// Only the owner may do this.
    #[msg("asset {id} belongs to {owner}")]
    NotOwner {
        /// The identity.
        id: String,
        /// Who has it.
        owner: Address,
    },
    /// Nothing more can happen to it.
    #[msg("asset {id} is retired")]
    Retired {
        /// The identity.
        id: String,
    },
    /// A text is empty or too long.
    #[msg("texts have 1 to {most} bytes")]
    Text {
        /// The longest, in bytes.
        most: u32,
    },
}

#[methods]
impl Assets {
    /// Registers an asset; the caller is its owner.
    pub fn register(&mut self, ctx: &Ctx, id: String, place: String) -> Result<(), Error> {
        check_text(&id)?;
        check_text(&place)?;
        ensure!(!self.assets.contains(&id), Error::Exists { id });
        self.record(ctx, Asset { id, owner: ctx.caller(), state: State::Registered, place, steps: 0 });
        Ok(())
    }

    /// Sends an asset on its way to a new owner.
    pub fn ship(&mut self, ctx: &Ctx, id: String, to: Address) -> Result<(), Error> {
        let mut asset = self.owned(ctx, id)?;
        asset.owner = to;
        asset.state = State::Shipped;
        self.record(ctx, asset);
        Ok(())
    }

    /// Says that an asset arrived.
    pub fn receive(&mut self, ctx: &Ctx, id: String, place: String) -> Result<(), Error> {
        check_text(&place)?;
        let mut asset = self.owned(ctx, id)?;
        asset.state = State::Received;
        asset.place = place;
        self.record(ctx, asset);
        Ok(())
    }

    /// Takes an asset out of use, for good.
    pub fn retire(&mut self, ctx: &Ctx, id: String) -> Result<(), Error> {
        let mut asset = self.owned(ctx, id)?;
        asset.state = State::Retired;
        self.record(ctx, asset);
        Ok(())
    }

    /// An asset as it is now.
    pub fn find(&self, id: String) -> Option<Asset> {
        self.assets.find(id)
    }

    /// What happened to an asset, from a step on, at most `limit` lines.
    pub fn history(&self, id: String, from: u64, limit: u32) -> Vec<Step> {
        let lines = self.history.range((id.clone(), from)..=(id, u64::MAX), limit);
        lines.into_iter().map(|(_, step)| step).collect()
    }

    /// Assets in the order of their identities, from one on, at most `limit`.
    pub fn list(&self, from: String, limit: u32) -> Vec<Asset> {
        self.assets.range(from.., limit)
    }

    /// The asset, if it is the caller's and in use.
    fn owned(&self, ctx: &Ctx, id: String) -> Result<Asset, Error> {
        let Some(asset) = self.assets.find(&id) else { return Err(Error::Unknown { id }) };
        ensure!(asset.owner == ctx.caller(), Error::NotOwner { id, owner: asset.owner });
        ensure!(asset.state != State::Retired, Error::Retired { id });
        Ok(asset)
    }

    /// Writes the asset and a line of its history.
    fn record(&mut self, ctx: &Ctx, mut asset: Asset) {
        let step = Step {
            by: ctx.caller(),
            time_ms: ctx.time_ms(),
            owner: asset.owner,
            state: asset.state,
            place: asset.place.clone(),
        };
        self.history.set((asset.id.clone(), asset.steps), step);
        asset.steps += 1;
        self.assets.put(&asset);
        emit(Changed { id: asset.id, owner: asset.owner, state: asset.state, place: asset.place });
    }
}

fn check_text(text: &str) -> Result<(), Error> {
    ensure!((1..=TEXT_BYTES).contains(&text.len()), Error::Text { most: TEXT_BYTES as u32 });
    Ok(())
}
