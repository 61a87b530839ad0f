//! Recently used entries of the newest state, for readers of several heights.
//!
//! An entry says since which height it holds. A reader at an older height does not see it, and falls back to its
//! snapshot; a reader can bring in what it loaded only while its height is the newest, so nothing stale comes in. What a
//! block changed is brought in when it is durable.
//!
//! The memory is bounded: what was not used since it came up for removal the last time goes first.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foldhash::fast::RandomState;
use hanse_types::Height;
use parking_lot::RwLock;

/// Parts with a lock each. A power of two.
const SHARDS: usize = 64;

/// A bounded cache of the newest values.
pub(crate) struct Cache<K, V> {
    shards: Box<[RwLock<Shard<K, V>>]>,
    hasher: RandomState,
    shard_bytes: usize,
    tip: AtomicU64,
}

/// How often a cache was asked, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// Times that it had what was asked for.
    pub hits: u64,
    /// Times that it had not.
    pub misses: u64,
}

struct Shard<K, V> {
    entries: HashMap<K, Entry<V>, RandomState>,
    /// Every entry's key once, the next candidate for removal first.
    order: VecDeque<K>,
    bytes: usize,
    /// Beside the lock that whoever asks takes anyway, so that counting takes nothing from others.
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Entry<V> {
    value: V,
    since: Height,
    bytes: usize,
    used: AtomicBool,
}

impl<K: Clone + Eq + Hash, V: Clone> Cache<K, V> {
    /// A cache of at most so many bytes, for a chain with this newest block.
    pub(crate) fn new(bytes: usize, tip: Height) -> Cache<K, V> {
        let shards = std::iter::repeat_with(|| RwLock::new(Shard::new())).take(SHARDS).collect();
        Cache { shards, hasher: RandomState::default(), shard_bytes: bytes / SHARDS, tip: AtomicU64::new(tip.0) }
    }

    /// The value of a key as of a height, if it is known.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q, at: Height) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard(key).read();
        let Some(entry) = shard.entries.get(key).filter(|entry| entry.since <= at) else {
            shard.misses.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        shard.hits.fetch_add(1, Ordering::Relaxed);
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.value.clone())
    }

    /// Brings in what a reader at this height loaded.
    pub(crate) fn loaded(&self, key: K, value: V, bytes: usize, at: Height) {
        let mut shard = self.shard(&key).write();
        // `publish` moves the tip before it takes any lock: either it is seen here, or what is put in here is replaced.
        if self.tip.load(Ordering::SeqCst) == at.0 && !shard.entries.contains_key(&key) {
            shard.put(key, value, bytes, at, self.shard_bytes);
        }
    }

    /// Brings in what a block changed: keys with values and their size. The block is durable, and not yet visible.
    pub(crate) fn publish<Q: Hash + Eq + ?Sized>(
        &self,
        height: Height,
        changes: impl Iterator<Item = (impl Borrow<Q> + Into<K>, V, usize)>,
    ) where
        K: Borrow<Q>,
    {
        self.tip.store(height.0, Ordering::SeqCst);
        for (key, value, bytes) in changes {
            let mut shard = self.shard(key.borrow()).write();
            let shard = &mut *shard;
            match shard.entries.get_mut(key.borrow()) {
                Some(entry) => {
                    shard.bytes = shard.bytes - entry.bytes + bytes;
                    *entry = Entry { value, since: height, bytes, used: AtomicBool::new(true) };
                    shard.shrink(self.shard_bytes);
                }
                None => shard.put(key.into(), value, bytes, height, self.shard_bytes),
            }
        }
    }

    /// Bytes of all entries.
    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().bytes).sum()
    }

    /// How often it was asked.
    pub(crate) fn uses(&self) -> CacheUse {
        self.shards.iter().fold(CacheUse::default(), |sum, shard| {
            let shard = shard.read();
            let [hits, misses] = [&shard.hits, &shard.misses].map(|count| count.load(Ordering::Relaxed));
            CacheUse { hits: sum.hits + hits, misses: sum.misses + misses }
        })
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &RwLock<Shard<K, V>> {
        // The map inside uses the low bits.
        &self.shards[(self.hasher.hash_one(key) >> 48) as usize % SHARDS]
    }
}

impl<K: Clone + Eq + Hash, V> Shard<K, V> {
    fn new() -> Shard<K, V> {
        let (hits, misses) = (AtomicU64::new(0), AtomicU64::new(0));
        Shard { entries: HashMap::default(), order: VecDeque::new(), bytes: 0, hits, misses }
    }

    fn put(&mut self, key: K, value: V, bytes: usize, since: Height, limit: usize) {
        if bytes > limit / 4 {
            return;
        }
        self.order.push_back(key.clone());
        self.entries.insert(key, Entry { value, since, bytes, used: AtomicBool::new(false) });
        self.bytes += bytes;
        self.shrink(limit);
    }

    fn shrink(&mut self, limit: usize) {
        while self.bytes > limit {
            let Some(key) = self.order.pop_front() else { return };
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            if std::mem::take(entry.used.get_mut()) {
                self.order.push_back(key);
            } else {
                self.bytes -= entry.bytes;
                self.entries.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Small = Cache<Vec<u8>, Option<u32>>;

    fn publish(cache: &Small, height: u64, key: &[u8], value: u32) {
        cache.publish::<[u8]>(Height(height), [(key.to_vec(), Some(value), 8)].into_iter());
    }

    #[test]
    fn readers_see_only_what_held_at_their_height() {
        let cache = Small::new(1 << 20, Height(5));
        cache.loaded(b"a".to_vec(), Some(1), 8, Height(5));
        assert_eq!(cache.get(&b"a"[..], Height(5)), Some(Some(1)));
        assert_eq!(cache.get(&b"a"[..], Height(4)), None);
        publish(&cache, 6, b"a", 2);
        assert_eq!(cache.get(&b"a"[..], Height(5)), None);
        assert_eq!(cache.get(&b"a"[..], Height(6)), Some(Some(2)));
        assert_eq!(cache.uses(), CacheUse { hits: 2, misses: 2 });
        // A reader at an old height can't bring in what it loaded, and a newer value is not replaced.
        cache.loaded(b"b".to_vec(), Some(7), 8, Height(5));
        cache.loaded(b"a".to_vec(), Some(7), 8, Height(6));
        assert_eq!(cache.get(&b"b"[..], Height(6)), None);
        assert_eq!(cache.get(&b"a"[..], Height(6)), Some(Some(2)));
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let cache = Small::new(SHARDS * 80, Height(0));
        for n in 0..10_000u32 {
            cache.loaded(n.to_be_bytes().to_vec(), Some(n), 8, Height(0));
            cache.loaded(b"hot".to_vec(), Some(0), 8, Height(0));
            assert_eq!(cache.get(&b"hot"[..], Height(0)), Some(Some(0)));
        }
        assert!(cache.bytes() <= SHARDS * 80);
        assert!(cache.bytes() > SHARDS * 40);
    }
}
