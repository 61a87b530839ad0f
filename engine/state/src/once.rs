//! A slice whose elements are written once each, by any thread, and read by all: what threads that run a block side by
//! side leave behind.
//!
//! It differs from a slice of [`std::sync::OnceLock`] in what it costs: nobody ever waits for a writer, and the elements
//! become a plain vector in the end without being moved.

use std::cell::UnsafeCell;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};

/// See the module.
pub struct OnceSlice<T> {
    cells: Box<[UnsafeCell<MaybeUninit<T>>]>,
    states: Box<[AtomicU8]>,
}

const EMPTY: u8 = 0;
const BEING_WRITTEN: u8 = 1;
const WRITTEN: u8 = 2;

// SAFETY: a cell is written only by the one thread that takes its state from `EMPTY` to `BEING_WRITTEN`, and read only by
// those that have seen it `WRITTEN`, after which nobody writes to it. So elements move between threads (`Send`) and are
// shared by them (`Sync`), and nothing else is.
unsafe impl<T: Send + Sync> Sync for OnceSlice<T> {}

impl<T> OnceSlice<T> {
    /// A slice of so many elements, none of which is written.
    pub fn new(length: usize) -> OnceSlice<T> {
        OnceSlice {
            cells: std::iter::repeat_with(|| UnsafeCell::new(MaybeUninit::uninit())).take(length).collect(),
            states: std::iter::repeat_with(|| AtomicU8::new(EMPTY)).take(length).collect(),
        }
    }

    /// Writes an element, unless it is written already. Whether this was the first.
    ///
    /// # Panics
    /// If there is no such element.
    pub fn set(&self, index: usize, element: T) -> bool {
        let state = &self.states[index];
        if state.compare_exchange(EMPTY, BEING_WRITTEN, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return false;
        }
        // SAFETY: only one thread ever gets here for this cell, and nobody reads it before it is `WRITTEN`.
        unsafe { (*self.cells[index].get()).write(element) };
        state.store(WRITTEN, Ordering::Release);
        true
    }

    /// An element, if there is one with this index and it is written.
    pub fn get(&self, index: usize) -> Option<&T> {
        if self.states.get(index)?.load(Ordering::Acquire) != WRITTEN {
            return None;
        }
        // SAFETY: it is written, which was made visible by the load, and is not written to again while `self` is shared.
        Some(unsafe { (*self.cells[index].get()).assume_init_ref() })
    }

    /// Some of the elements; none if one of them is not written.
    ///
    /// # Panics
    /// If the range is none of this slice.
    pub fn slice(&self, range: Range<usize>) -> Option<&[T]> {
        let are_written = self.states[range.clone()].iter().all(|state| state.load(Ordering::Acquire) == WRITTEN);
        let cells = &self.cells[range];
        // SAFETY: as in `get`, for each of them; `UnsafeCell<MaybeUninit<T>>` has the layout of `T`.
        are_written.then(|| unsafe { std::slice::from_raw_parts(cells.as_ptr().cast::<T>(), cells.len()) })
    }

    /// Takes an element out, if it is written; then it is not.
    pub fn take(&mut self, index: usize) -> Option<T> {
        let state = self.states.get_mut(index)?.get_mut();
        if *state != WRITTEN {
            return None;
        }
        *state = EMPTY;
        // SAFETY: it was written, nobody else has the slice, and from now on it counts as not written.
        Some(unsafe { self.cells[index].get_mut().assume_init_read() })
    }

    /// Writes an element, whether it was written or not.
    ///
    /// # Panics
    /// If there is no such element.
    pub fn replace(&mut self, index: usize, element: T) {
        drop(self.take(index));
        self.set(index, element);
    }

    /// The elements; none if one was not written.
    pub fn into_vec(mut self) -> Option<Vec<T>> {
        if self.states.iter_mut().any(|state| *state.get_mut() != WRITTEN) {
            return None;
        }
        // Nothing is left for `drop` to drop.
        self.states = Box::default();
        let cells = ManuallyDrop::new(std::mem::take(&mut self.cells).into_vec());
        let (start, length) = (cells.as_ptr().cast::<T>().cast_mut(), cells.len());
        // SAFETY: the allocation is the vector's, which is not dropped; `UnsafeCell<MaybeUninit<T>>` has the layout of `T`;
        // all elements are written; and a boxed slice's capacity is its length.
        Some(unsafe { Vec::from_raw_parts(start, length, length) })
    }
}

impl<T> Drop for OnceSlice<T> {
    fn drop(&mut self) {
        for (cell, state) in self.cells.iter_mut().zip(&mut self.states) {
            if *state.get_mut() == WRITTEN {
                // SAFETY: it is written, nobody else has it any more, and it is dropped once.
                unsafe { cell.get_mut().assume_init_drop() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;

    #[test]
    fn an_element_is_written_once_and_becomes_part_of_the_vector() {
        let slice = OnceSlice::new(2);
        assert!(slice.get(0).is_none() && slice.get(2).is_none());
        assert!(slice.set(0, "a".to_owned()));
        assert!(!slice.set(0, "b".to_owned()));
        assert_eq!(slice.get(0).map(String::as_str), Some("a"));
        assert!(slice.set(1, "c".to_owned()));
        assert_eq!(slice.into_vec().unwrap(), ["a", "c"]);
    }

    #[test]
    fn an_element_can_be_taken_out_and_written_anew() {
        let mut slice = OnceSlice::new(3);
        (0..2).for_each(|index| assert!(slice.set(index, vec![index])));
        assert_eq!(slice.slice(0..2), Some(&[vec![0], vec![1]][..]));
        assert_eq!(slice.slice(0..3), None);
        assert_eq!((slice.take(0), slice.take(0), slice.take(3)), (Some(vec![0]), None, None));
        assert!(slice.get(0).is_none());
        slice.replace(0, vec![8]);
        slice.replace(0, vec![9]);
        assert_eq!(slice.slice(0..2), Some(&[vec![9], vec![1]][..]));
    }

    #[test]
    fn what_is_written_is_dropped_once() {
        let counted = Arc::new(());
        let slice = OnceSlice::new(3);
        (0..2).for_each(|index| assert!(slice.set(index, counted.clone())));
        assert!(!slice.set(0, counted.clone()));
        assert_eq!(Arc::strong_count(&counted), 3);
        assert!(slice.into_vec().is_none(), "one is missing");
        assert_eq!(Arc::strong_count(&counted), 1);
        let slice = OnceSlice::new(2);
        (0..2).for_each(|index| assert!(slice.set(index, counted.clone())));
        let vector = slice.into_vec().unwrap();
        assert_eq!(Arc::strong_count(&counted), 3);
        drop(vector);
        assert_eq!(Arc::strong_count(&counted), 1);
    }

    #[test]
    fn threads_write_and_read_side_by_side() {
        let slice = OnceSlice::new(1_000);
        std::thread::scope(|scope| {
            for offset in 0..4usize {
                let slice = &slice;
                scope.spawn(move || {
                    for index in (0..1_000).filter(|index| index % 4 == offset) {
                        assert!(slice.set(index, vec![index; 3]));
                    }
                    let wrong = |index: &usize| slice.get(*index).is_some_and(|found| *found != vec![*index; 3]);
                    assert_eq!((0..1_000).find(wrong), None);
                });
            }
        });
        assert!(slice.into_vec().unwrap().iter().enumerate().all(|(index, found)| *found == vec![index; 3]));
    }
}
