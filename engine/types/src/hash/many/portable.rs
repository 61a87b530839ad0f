//! The step in plain loops over lanes, which the compiler turns into the widest instructions that the caller was
//! compiled for.

use super::{Block, LANES, ROUND, State, Words};

/// Compresses a block into the state of every lane.
#[inline(always)]
pub(super) fn step(state: &mut State, blocks: [&Block; LANES]) {
    let mut words = [[0; LANES]; 16];
    for (lane, block) in blocks.iter().enumerate() {
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
            word[lane] = u32::from_be_bytes(*bytes);
        }
    }
    compress(state, &mut words);
}

/// One compression in every lane.
#[inline(always)]
fn compress(state: &mut State, words: &mut [Words; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for round in 0..64 {
        if round >= 16 {
            schedule(words, round);
        }
        let word = &words[round % 16];
        let (mut new_a, mut new_e) = ([0; LANES], [0; LANES]);
        for lane in 0..LANES {
            let (x, y) = (a[lane], e[lane]);
            let sum1 = y.rotate_right(6) ^ y.rotate_right(11) ^ y.rotate_right(25);
            let choice = (y & f[lane]) ^ (!y & g[lane]);
            let first =
                h[lane].wrapping_add(sum1).wrapping_add(choice).wrapping_add(ROUND[round]).wrapping_add(word[lane]);
            let sum0 = x.rotate_right(2) ^ x.rotate_right(13) ^ x.rotate_right(22);
            let majority = (x & b[lane]) ^ (x & c[lane]) ^ (b[lane] & c[lane]);
            new_a[lane] = first.wrapping_add(sum0).wrapping_add(majority);
            new_e[lane] = d[lane].wrapping_add(first);
        }
        (h, g, f, e, d, c, b, a) = (g, f, e, new_e, c, b, a, new_a);
    }
    for (word, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        for lane in 0..LANES {
            word[lane] = word[lane].wrapping_add(new[lane]);
        }
    }
}

/// The next word of the message schedule, in the place of the one that is no longer needed.
#[inline(always)]
fn schedule(words: &mut [Words; 16], round: usize) {
    let (w15, w2, w7) = (words[(round + 1) % 16], words[(round + 14) % 16], words[(round + 9) % 16]);
    let word = &mut words[round % 16];
    for lane in 0..LANES {
        let sigma0 = w15[lane].rotate_right(7) ^ w15[lane].rotate_right(18) ^ (w15[lane] >> 3);
        let sigma1 = w2[lane].rotate_right(17) ^ w2[lane].rotate_right(19) ^ (w2[lane] >> 10);
        word[lane] = word[lane].wrapping_add(sigma0).wrapping_add(w7[lane]).wrapping_add(sigma1);
    }
}
