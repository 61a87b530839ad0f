//! A list to which many threads push, where an element never moves and is found by its index at once.
//!
//! Each thread fills a stretch of indices of its own, so that threads that push at the same time do not write to the same
//! cache lines. The price: which element gets which index is a matter of timing, and some indices are not given at all.

use crate::once::OnceSlice;

/// Elements that a thread takes at once.
const STRETCH: u32 = 64;

/// See the module.
pub(crate) struct Cells<T> {
    stretches: boxcar::Vec<OnceSlice<T>>,
}

/// The stretch that somebody is filling: each thread has its own.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    /// Where the next element goes; at the end of a stretch, a new one is needed.
    next: u32,
}

impl<T> Cells<T> {
    /// An empty list.
    pub(crate) fn new() -> Cells<T> {
        Cells { stretches: boxcar::Vec::new() }
    }

    /// More than every index so far, once those who push are done.
    pub(crate) fn bound(&self) -> usize {
        self.stretches.count() * STRETCH as usize
    }

    /// Adds an element; its index. `filling` is for this list alone.
    ///
    /// # Panics
    /// If indices no longer fit into 32 bits.
    pub(crate) fn push(&self, filling: &mut Filling, element: T) -> u32 {
        if filling.next.is_multiple_of(STRETCH) {
            let stretch = self.stretches.push(OnceSlice::new(STRETCH as usize));
            let first = u32::try_from(stretch).ok().and_then(|stretch| stretch.checked_mul(STRETCH));
            filling.next = first.expect("a block touches fewer keys");
        }
        let index = filling.next;
        let is_first = self.stretches[(index / STRETCH) as usize].set((index % STRETCH) as usize, element);
        assert!(is_first, "a stretch is filled by one thread, in one list");
        filling.next = index + 1;
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
        let cells = Cells::new();
        let fill = |thread: u32| {
            let mut filling = Filling::default();
            (0..250).map(|n| (cells.push(&mut filling, 250 * thread + n), 250 * thread + n)).collect::<Vec<_>>()
        };
        let indices: BTreeMap<u32, u32> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || fill(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(indices.len(), 1_000, "no index twice");
        assert!(indices.iter().all(|(index, n)| cells.get(*index) == n && (*index as usize) < cells.bound()));
        assert!(cells.iter().map(|(index, n)| (index, *n)).eq(indices));
    }
}
