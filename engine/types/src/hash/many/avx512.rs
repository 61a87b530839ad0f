//! The step in registers of 512 bits. The compiler does not find it by itself: what it makes of the plain loops takes
//! three times as long.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_ror_epi32, _mm512_set1_epi32, _mm512_set4_epi32,
    _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_storeu_si512, _mm512_ternarylogic_epi32,
    _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::{Block, LANES, ROUND, State};

/// Truth table of the exclusive or of three.
const XOR: i32 = 0x96;
/// Truth table of the function `Ch` of SHA-256: the first chooses between the others.
const CHOICE: i32 = 0xca;
/// Truth table of the function `Maj` of SHA-256.
const MAJORITY: i32 = 0xe8;

/// Compresses a block into the state of every lane.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) fn step(state: &mut State, blocks: [&Block; LANES]) {
    let mut words = words_of(blocks);
    // SAFETY: each word of the state is 64 bytes that may be read.
    let before = state.each_ref().map(|word| unsafe { _mm512_loadu_si512(word.as_ptr().cast()) });
    let mut now = before;
    for (chunk, constants) in ROUND.as_chunks::<16>().0.iter().enumerate() {
        if chunk > 0 {
            extend(&mut words);
        }
        for (word, constant) in words.iter().zip(constants) {
            now = round(now, _mm512_add_epi32(*word, _mm512_set1_epi32(constant.cast_signed())));
        }
    }
    for (word, (before, now)) in state.iter_mut().zip(before.into_iter().zip(now)) {
        // SAFETY: each word of the state is 64 bytes that may be written.
        unsafe { _mm512_storeu_si512(word.as_mut_ptr().cast(), _mm512_add_epi32(before, now)) };
    }
}

/// The words of a block of every lane: a transposed matrix.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn words_of(blocks: [&Block; LANES]) -> [__m512i; 16] {
    let big_endian = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    // SAFETY: a block is 64 bytes that may be read.
    let mut rows = blocks.map(|block| unsafe { _mm512_loadu_si512(block.as_ptr().cast()) });
    for row in &mut rows {
        *row = _mm512_shuffle_epi8(*row, big_endian);
    }
    // Within each quarter of the registers, four lanes at a time. Then quarter q of row 4g + k holds word 4q + k of the
    // lanes from 4g.
    for [a, b, c, d] in rows.as_chunks_mut::<4>().0 {
        let (low_ab, high_ab) = (_mm512_unpacklo_epi32(*a, *b), _mm512_unpackhi_epi32(*a, *b));
        let (low_cd, high_cd) = (_mm512_unpacklo_epi32(*c, *d), _mm512_unpackhi_epi32(*c, *d));
        *a = _mm512_unpacklo_epi64(low_ab, low_cd);
        *b = _mm512_unpackhi_epi64(low_ab, low_cd);
        *c = _mm512_unpacklo_epi64(high_ab, high_cd);
        *d = _mm512_unpackhi_epi64(high_ab, high_cd);
    }
    // Then the quarters themselves.
    let mut words = rows;
    for k in 0..4 {
        let [a, b, c, d] = [rows[k], rows[4 + k], rows[8 + k], rows[12 + k]];
        let (even_ab, odd_ab) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b));
        let (even_cd, odd_cd) = (_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d));
        words[k] = _mm512_shuffle_i32x4::<0x88>(even_ab, even_cd);
        words[4 + k] = _mm512_shuffle_i32x4::<0x88>(odd_ab, odd_cd);
        words[8 + k] = _mm512_shuffle_i32x4::<0xdd>(even_ab, even_cd);
        words[12 + k] = _mm512_shuffle_i32x4::<0xdd>(odd_ab, odd_cd);
    }
    words
}

/// The next sixteen words of the message schedule.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn extend(words: &mut [__m512i; 16]) {
    for at in 0..16 {
        let (w15, w2) = (words[(at + 1) % 16], words[(at + 14) % 16]);
        let sigma0 = _mm512_ternarylogic_epi32::<XOR>(
            _mm512_ror_epi32::<7>(w15),
            _mm512_ror_epi32::<18>(w15),
            _mm512_srli_epi32::<3>(w15),
        );
        let sigma1 = _mm512_ternarylogic_epi32::<XOR>(
            _mm512_ror_epi32::<17>(w2),
            _mm512_ror_epi32::<19>(w2),
            _mm512_srli_epi32::<10>(w2),
        );
        let sum = _mm512_add_epi32(words[at], words[(at + 9) % 16]);
        words[at] = _mm512_add_epi32(_mm512_add_epi32(sum, sigma0), sigma1);
    }
}

/// One round; the word has the round's constant in it.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn round([a, b, c, d, e, f, g, h]: [__m512i; 8], word: __m512i) -> [__m512i; 8] {
    let sum1 = _mm512_ternarylogic_epi32::<XOR>(
        _mm512_ror_epi32::<6>(e),
        _mm512_ror_epi32::<11>(e),
        _mm512_ror_epi32::<25>(e),
    );
    let choice = _mm512_ternarylogic_epi32::<CHOICE>(e, f, g);
    let first = _mm512_add_epi32(_mm512_add_epi32(_mm512_add_epi32(h, word), choice), sum1);
    let sum0 = _mm512_ternarylogic_epi32::<XOR>(
        _mm512_ror_epi32::<2>(a),
        _mm512_ror_epi32::<13>(a),
        _mm512_ror_epi32::<22>(a),
    );
    let majority = _mm512_ternarylogic_epi32::<MAJORITY>(a, b, c);
    let new_a = _mm512_add_epi32(_mm512_add_epi32(sum0, majority), first);
    [new_a, a, b, c, _mm512_add_epi32(d, first), e, f, g]
}
