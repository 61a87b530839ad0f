//! Each answer is the library's answer for the one signature, whatever is in the batch beside it.
#![allow(clippy::unwrap_used)]

use curve25519_dalek::constants::EIGHT_TORSION;
use ed25519_zebra::SigningKey;
use proptest::prelude::*;

use super::*;

/// A message with a key and a signature, and perhaps something wrong with it.
#[derive(Clone, Debug)]
struct Signed {
    key: [u8; 32],
    bytes: Vec<u8>,
    signature: Signature,
}

fn sign(seed: u8, bytes: &[u8]) -> Signed {
    let key = SigningKey::from([seed; 32]);
    let signature = Signature(key.sign(bytes).into());
    Signed { key: super::super::public_key(&key), bytes: bytes.to_vec(), signature }
}

fn items(signed: &[Signed]) -> Vec<Item<'_>> {
    signed.iter().map(|one| Item { key: &one.key, bytes: &one.bytes, signature: &one.signature }).collect()
}

fn singly(signed: &[Signed]) -> Vec<bool> {
    signed.iter().map(|one| super::super::verify(&one.key, &one.bytes, &one.signature).is_ok()).collect()
}

/// What can be wrong with a signature, or only looks so.
fn spoil(signed: &mut Signed, way: u8, bit: u8) {
    let (byte, mask) = (usize::from(bit) / 8, 1 << (bit % 8));
    match way {
        0 => signed.signature.0[byte] ^= mask,
        1 => signed.signature.0[32 + byte] ^= mask,
        2 => signed.key[byte] ^= mask,
        3 => signed.bytes.push(bit),
        // Not canonical: s + ℓ has the same value.
        4 => {
            let mut carry = 0;
            let order = (Scalar::ZERO - Scalar::ONE).to_bytes();
            for (at, (digit, order)) in signed.signature.0[32..].iter_mut().zip(order).enumerate() {
                let sum = u16::from(*digit) + u16::from(order) + carry + u16::from(at == 0);
                (*digit, carry) = (sum as u8, sum >> 8);
            }
        }
        // Good by ZIP-215, refused by others: key and R of small order, s = 0.
        5 => {
            signed.key = EIGHT_TORSION[usize::from(bit) % 8].compress().0;
            signed.signature.0 = [0; 64];
            signed.signature.0[..32].copy_from_slice(&EIGHT_TORSION[usize::from(bit / 8) % 8].compress().0);
        }
        // The point (0, 1) in an encoding with y = p + 1, which is not canonical.
        _ => {
            signed.key = [0xff; 32];
            (signed.key[0], signed.key[31]) = (0xee, 0x7f);
            signed.signature.0 = [0; 64];
            signed.signature.0[..32].copy_from_slice(&signed.key.clone());
        }
    }
}

#[test]
fn what_looks_odd_is_good_and_what_is_not_canonical_is_bad() {
    let mut all: Vec<_> = (0..7).map(|way| (way, sign(way, b"message"))).collect();
    all.iter_mut().for_each(|(way, signed)| spoil(signed, *way, 9));
    let all: Vec<_> = all.into_iter().map(|(_, signed)| signed).collect();
    assert_eq!(singly(&all), [false, false, false, false, false, true, true]);
    assert_eq!(verify_each(&items(&all), &Points::default()), singly(&all));
}

#[test]
fn bad_ones_are_found_wherever_they_are() {
    let points = Points::default();
    let all: Vec<_> = (0..BATCH + PART + 3).map(|n| sign((n % 100) as u8, &n.to_le_bytes())).collect();
    assert!(verify_each(&items(&all), &points).into_iter().all(|good| good));
    for bad in [0, 1, PART - 1, PART, BATCH - 1, BATCH, all.len() - 1] {
        let mut all = all.clone();
        // Well-formed, so that only the equation tells.
        all[bad].bytes[0] ^= 1;
        let answers = verify_each(&items(&all), &points);
        assert!(answers.iter().enumerate().all(|(at, good)| *good == (at != bad)), "{bad}");
    }
    assert_eq!(verify_each(&[], &points), Vec::<bool>::new());
}

#[test]
fn errors_that_cancel_each_other_out_are_found() {
    // s of two signatures of one key, one too large and the other as much too small: the plain sum would hold.
    let mut all = vec![sign(1, b"one"), sign(1, b"two")];
    for (signed, change) in all.iter_mut().zip([Scalar::ONE, -Scalar::ONE]) {
        let s = Scalar::from_bytes_mod_order(signed.signature.0[32..].try_into().unwrap()) + change;
        signed.signature.0[32..].copy_from_slice(s.as_bytes());
    }
    assert_eq!(verify_each(&items(&all), &Points::default()), [false, false]);
}

#[test]
fn coefficients_change_with_every_part_of_the_batch() {
    let first = |all: &[Signed]| {
        let items = items(all);
        let keys = Points::default().of(items.iter().map(|item| item.key));
        let terms: Vec<_> = items.iter().zip(keys).map(|(item, key)| Term::of(item, key?)).collect();
        let mut coefficients = Coefficients::of(&items, &terms);
        [(); 9].map(|()| coefficients.next())
    };
    let all = vec![sign(1, b"one"), sign(2, b"two")];
    let drawn = first(&all);
    assert_eq!(drawn, first(&all));
    for (at, number) in drawn.iter().enumerate() {
        assert!(*number != Scalar::ZERO && !drawn[..at].contains(number));
    }
    let mut other = all.clone();
    other[1].bytes.push(0);
    assert_ne!(first(&other), drawn);
    let mut other = all.clone();
    other[1].signature.0[40] ^= 1;
    assert_ne!(first(&other), drawn);
    assert_ne!(first(&[all[1].clone(), all[0].clone()]), drawn);
}

#[test]
fn keys_are_forgotten_when_others_come() {
    let points = Points::default();
    let key = |n: u64| (Scalar::from(n + 1) * ED25519_BASEPOINT_POINT).compress().0;
    for start in (0..4 * KEPT as u64).step_by(4_096) {
        let keys: Vec<_> = (start..start + 4_096).map(key).chain([key(0)]).collect();
        let found = points.of(keys.iter());
        assert!(keys.iter().zip(found).all(|(key, point)| point.unwrap().compress().0 == *key));
    }
    let known = points.0.read().unwrap();
    assert!(known.young.len() <= KEPT && known.old.len() <= KEPT);
    assert!(known.young.contains_key(&key(0)), "asked for all the time, and forgotten");
    assert!(!known.young.contains_key(&key(1)) && !known.old.contains_key(&key(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn answers_are_those_of_the_library(
        count in 1usize..200,
        senders in 1u8..40,
        wrong in prop::collection::vec((any::<prop::sample::Index>(), 0u8..7, any::<u8>()), 0..12),
    ) {
        let mut all: Vec<_> = (0..count).map(|n| sign(n as u8 % senders, &n.to_le_bytes())).collect();
        for (at, way, bit) in wrong {
            spoil(at.get_mut(&mut all[..]), way, bit);
        }
        let points = Points::default();
        // The second time every key is known.
        for _ in 0..2 {
            prop_assert_eq!(verify_each(&items(&all), &points), singly(&all));
        }
    }
}
