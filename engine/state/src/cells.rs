//! A list to which many threads push, where an element never moves and is found by its index at once.
//!
//! Each thread has a shelf of its own, so that threads that push at the same time do not write to the same cache lines.
//! The price: which element gets which index is a matter of timing, and some indices are not given at all.

use crossbeam_utils::CachePadded;

/// See the module.
pub(crate) struct Cells<T> {
    shelves: Box<[CachePadded<boxcar::Vec<T>>]>,
    /// So many low bits of an index say which shelf; the others, which element of it.
    shelf_bits: u32,
}

impl<T> Cells<T> {
    /// An empty list with room for about so many elements, to be used in the present rayon pool.
    pub(crate) fn with_capacity(elements: usize) -> Cells<T> {
        let threads = rayon::current_num_threads().next_power_of_two();
        let shelf = || CachePadded::new(boxcar::Vec::with_capacity(elements / threads));
        let shelves = std::iter::repeat_with(shelf).take(threads).collect();
        Cells { shelves, shelf_bits: threads.trailing_zeros() }
    }

    /// More than every index so far, once those who push are done.
    pub(crate) fn bound(&self) -> usize {
        let longest = self.shelves.iter().map(|shelf| shelf.count()).max().unwrap_or(0);
        longest << self.shelf_bits
    }

    /// Adds an element; its index.
    ///
    /// # Panics
    /// If indices no longer fit into 32 bits.
    pub(crate) fn push(&self, element: T) -> u32 {
        // Threads of other pools, and those of none, share shelves with these: that costs time only.
        let shelf = rayon::current_thread_index().unwrap_or(0) % self.shelves.len();
        let place = self.shelves[shelf].push(element);
        u32::try_from(place << self.shelf_bits | shelf).expect("a block touches fewer keys")
    }

    /// The element with this index.
    ///
    /// # Panics
    /// If the index was not given by [`Cells::push`] of this list.
    pub(crate) fn get(&self, index: u32) -> &T {
        let shelf = index as usize & (self.shelves.len() - 1);
        &self.shelves[shelf][(index >> self.shelf_bits) as usize]
    }

    /// All elements with their indices, shelf by shelf.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let index = |place: usize, shelf: usize| (place << self.shelf_bits | shelf) as u32;
        let shelves = self.shelves.iter().enumerate();
        shelves.flat_map(move |(shelf, cells)| cells.iter().map(move |(place, cell)| (index(place, shelf), cell)))
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
                let cells = Cells::with_capacity(100);
                let indices: BTreeMap<u32, u32> = (0..1_000u32).into_par_iter().map(|n| (cells.push(n), n)).collect();
                (cells, indices)
            });
            assert_eq!(indices.len(), 1_000, "no index twice");
            assert!(indices.iter().all(|(index, n)| cells.get(*index) == n && (*index as usize) < cells.bound()));
            assert_eq!(cells.iter().map(|(index, n)| (index, *n)).collect::<BTreeMap<_, _>>(), indices);
        }
    }
}
