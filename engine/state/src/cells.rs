//! A list to which many threads push, where an element never moves and is found by its index at once.
//!
//! Each thread fills a stretch of indices of its own, so that threads that push at the same time do not write to the same
//! cache lines. The price: which element gets which index is a matter of timing, and some indices are not given at all.

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use crate::once::OnceSlice;

/// Elements that a thread takes at once.
const STRETCH: u32 = 64;

/// See the module.
pub(crate) struct Cells<T> {
    stretches: boxcar::Vec<OnceSlice<T>>,
    /// For each thread of the pool, its next index; at the end of a stretch it needs a new one.
    next: Box<[CachePadded<Mutex<u32>>]>,
}

impl<T> Cells<T> {
    /// An empty list, to be used in the present rayon pool.
    pub(crate) fn new() -> Cells<T> {
        let next = std::iter::repeat_with(CachePadded::default).take(rayon::current_num_threads()).collect();
        Cells { stretches: boxcar::Vec::new(), next }
    }

    /// More than every index so far, once those who push are done.
    pub(crate) fn bound(&self) -> usize {
        self.stretches.count() * STRETCH as usize
    }

    /// Adds an element; its index.
    ///
    /// # Panics
    /// If indices no longer fit into 32 bits.
    pub(crate) fn push(&self, element: T) -> u32 {
        // Threads of other pools, and those of none, share places with these: that costs time only.
        let place = rayon::current_thread_index().unwrap_or(0) % self.next.len();
        let mut next = self.next[place].lock();
        if next.is_multiple_of(STRETCH) {
            let stretch = self.stretches.push(OnceSlice::new(STRETCH as usize));
            let first = u32::try_from(stretch).ok().and_then(|stretch| stretch.checked_mul(STRETCH));
            *next = first.expect("a block touches fewer keys");
        }
        let index = *next;
        let is_first = self.stretches[(index / STRETCH) as usize].set((index % STRETCH) as usize, element);
        debug_assert!(is_first, "no index is given twice");
        *next = index + 1;
        index
    }

    /// The element with this index.
    ///
    /// # Panics
    /// If the index was not given by [`Cells::push`] of this list.
    pub(crate) fn get(&self, index: u32) -> &T {
        let element = self.stretches[(index / STRETCH) as usize].get((index % STRETCH) as usize);
        element.expect("an index is given when its element is there")
    }

    /// All elements with their indices, in the order of these.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let stretches = self.stretches.iter();
        stretches.flat_map(|(stretch, elements)| {
            let first = stretch as u32 * STRETCH;
            (0..STRETCH).filter_map(move |place| Some((first + place, elements.get(place as usize)?)))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_element_stays_where_it_was_put() {
        for threads in [1, 3, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (cells, indices) = pool.install(|| {
                use rayon::prelude::*;
                let cells = Cells::new();
                let indices: BTreeMap<u32, u32> = (0..1_000u32).into_par_iter().map(|n| (cells.push(n), n)).collect();
                (cells, indices)
            });
            assert_eq!(indices.len(), 1_000, "no index twice");
            assert!(indices.iter().all(|(index, n)| cells.get(*index) == n && (*index as usize) < cells.bound()));
            assert!(cells.iter().map(|(index, n)| (index, *n)).eq(indices));
        }
    }
}
