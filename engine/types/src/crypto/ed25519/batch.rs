//! Many signatures by one equation.
//!
//! A signature (R, s) by the key A of the message M is good by ZIP-215 if `8·(s·B − R − k·A) = 0` with
//! `k = SHA-512(R ‖ A ‖ M)`, `s` canonical and R and A points of the curve in whatever encoding. A batch adds up these
//! equations, each times a coefficient `z` of 128 bits that nobody can know before the batch is fixed:
//! `8·(Σ zₖ·sₖ·B − Σ zₖ·Rₖ − Σ (Σ zₖ·kₖ)·A) = 0`, the inner sum over the signatures of one key (Bernstein, Duif, Lange,
//! Schwabe and Yang, "High-speed high-security signatures", section 5). It is one multiplication of many points by many
//! scalars, which costs the less a point the more there are.
//!
//! `ed25519-zebra` has such a verifier. This one is here because it remembers the points of keys that it has seen,
//! sets aside what can't be good before it spoils a batch, finds the bad ones of a batch without checking all singly,
//! and draws the coefficients from the batch itself, so that the answer depends on no source of randomness; each is
//! measured in `docs/benchmarks.md`. The tests hold it against the library's answers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{PoisonError, RwLock};

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use curve25519_dalek::{EdwardsPoint, Scalar};
use sha2::{Digest, Sha512};

use crate::crypto::Signature;

/// Signatures in one equation: more make one hardly cheaper, and keep a thread from other work.
const BATCH: usize = 1_024;
/// Signatures in one equation when a larger one did not hold.
const PART: usize = 64;

/// A signature to be checked.
#[derive(Clone, Copy, Debug)]
pub(in crate::crypto) struct Item<'a> {
    pub(in crate::crypto) key: &'a [u8; 32],
    pub(in crate::crypto) bytes: &'a [u8],
    pub(in crate::crypto) signature: &'a Signature,
}

impl Item<'_> {
    fn verify(&self) -> bool {
        super::verify(self.key, self.bytes, self.signature).is_ok()
    }
}

/// Whether each of the signatures is good, as [`super::verify`] would say of it. Costs between a half and a third of
/// that.
pub(in crate::crypto) fn verify_each(items: &[Item<'_>], points: &Points) -> Vec<bool> {
    items.chunks(BATCH).flat_map(|batch| verify_batch(batch, points)).collect()
}

fn verify_batch(items: &[Item<'_>], points: &Points) -> Vec<bool> {
    let keys = points.of(items.iter().map(|item| item.key));
    // Nothing for what is not even well-formed, so that it spoils no equation.
    let terms: Vec<_> = items.iter().zip(keys).map(|(item, key)| Term::of(item, key?)).collect();
    if Equation::of(items, &terms).holds() {
        return terms.iter().map(Option::is_some).collect();
    }
    let parts = items.chunks(PART).zip(terms.chunks(PART));
    parts.flat_map(|(items, terms)| verify_part(items, terms)).collect()
}

/// Of a batch that did not hold: few bad signatures make few parts fail, and only those are checked one by one.
fn verify_part(items: &[Item<'_>], terms: &[Option<Term>]) -> Vec<bool> {
    let holds = Equation::of(items, terms).holds();
    let good = |(item, term): (&Item<'_>, &Option<Term>)| term.is_some() && (holds || item.verify());
    items.iter().zip(terms).map(good).collect()
}

/// What one signature brings into the equation.
struct Term {
    key: EdwardsPoint,
    r: EdwardsPoint,
    s: Scalar,
    k: Scalar,
}

impl Term {
    fn of(item: &Item<'_>, key: EdwardsPoint) -> Option<Term> {
        let (r, s) = item.signature.0.split_at(32);
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s.try_into().ok()?))?;
        let challenge = Sha512::new().chain_update(r).chain_update(item.key).chain_update(item.bytes).finalize();
        let k = Scalar::from_bytes_mod_order_wide(&challenge.into());
        let r = CompressedEdwardsY(r.try_into().ok()?).decompress()?;
        Some(Term { key, r, s, k })
    }
}

/// The sum of a batch: a coefficient for each point.
struct Equation {
    coefficients: Vec<Scalar>,
    points: Vec<EdwardsPoint>,
}

impl Equation {
    fn of(items: &[Item<'_>], terms: &[Option<Term>]) -> Equation {
        // Each signature's R and key, and the base point.
        let most = 2 * terms.len() + 1;
        let mut equation = Equation { coefficients: Vec::with_capacity(most), points: Vec::with_capacity(most) };
        let mut coefficients = Coefficients::of(items, terms);
        let mut base = Scalar::ZERO;
        let mut places: HashMap<&[u8; 32], usize> = HashMap::new();
        for (item, term) in items.iter().zip(terms) {
            let Some(term) = term else { continue };
            let z = coefficients.next();
            base -= z * term.s;
            equation.add(z, term.r);
            match places.entry(item.key) {
                Entry::Occupied(place) => equation.coefficients[*place.get()] += z * term.k,
                Entry::Vacant(place) => {
                    place.insert(equation.points.len());
                    equation.add(z * term.k, term.key);
                }
            }
        }
        equation.add(base, ED25519_BASEPOINT_POINT);
        equation
    }

    fn add(&mut self, coefficient: Scalar, point: EdwardsPoint) {
        self.coefficients.push(coefficient);
        self.points.push(point);
    }

    fn holds(&self) -> bool {
        EdwardsPoint::vartime_multiscalar_mul(&self.coefficients, &self.points).mul_by_cofactor().is_identity()
    }
}

/// The batch equation's coefficients, drawn from a hash over the whole batch.
///
/// They must not be known before the batch is fixed. Whoever changes a bit of it gets others, so an attacker could only
/// try batch after batch for coefficients under which bad signatures cancel out, about 2¹²⁸ times. The messages are in
/// it by their challenges `k`, which are hashes of them.
struct Coefficients {
    seed: [u8; 64],
    counter: u64,
    drawn: [u128; 4],
}

impl Coefficients {
    fn of(items: &[Item<'_>], terms: &[Option<Term>]) -> Coefficients {
        let mut transcript = Sha512::new();
        for (item, term) in items.iter().zip(terms) {
            let Some(term) = term else { continue };
            // One block of the hash: 32 + 64 + 32 bytes.
            transcript.update(item.key);
            transcript.update(item.signature.0);
            transcript.update(term.k.as_bytes());
        }
        Coefficients { seed: transcript.finalize().into(), counter: 0, drawn: [0; 4] }
    }

    fn next(&mut self) -> Scalar {
        let at = (self.counter % 4) as usize;
        if at == 0 {
            let block = Sha512::new().chain_update(self.seed).chain_update(self.counter.to_le_bytes()).finalize();
            for (number, bytes) in self.drawn.iter_mut().zip(block.as_chunks::<16>().0) {
                *number = u128::from_le_bytes(*bytes);
            }
        }
        self.counter += 1;
        Scalar::from(self.drawn[at])
    }
}

/// Keys whose points are remembered in one generation: about 200 bytes each.
const KEPT: usize = 16_384;

/// The points of keys seen lately. Finding one costs a square root, a tenth of a verification; the same accounts send
/// again and again. A key that is not asked for while [`KEPT`] others come is forgotten.
#[derive(Debug, Default)]
pub(in crate::crypto) struct Points(RwLock<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<[u8; 32], EdwardsPoint>,
    old: HashMap<[u8; 32], EdwardsPoint>,
}

impl Points {
    /// The point of each key, if it is one.
    fn of<'a>(&self, keys: impl Iterator<Item = &'a [u8; 32]> + Clone) -> Vec<Option<EdwardsPoint>> {
        // Nothing panics while it holds the lock, and a point is its key's whoever put it there.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut points: Vec<_> = keys.clone().map(|key| known.young.get(key).copied()).collect();
        let aged = |key: &[u8; 32]| known.old.get(key).copied();
        let missing = |(key, point): (&'a [u8; 32], &Option<EdwardsPoint>)| point.is_none().then(|| (*key, aged(key)));
        let missing: HashMap<_, _> = keys.clone().zip(&points).filter_map(missing).collect();
        drop(known);
        if missing.is_empty() {
            return points;
        }
        let find = |(key, point): ([u8; 32], Option<EdwardsPoint>)| {
            Some((key, point.or_else(|| CompressedEdwardsY(key).decompress())?))
        };
        let found: HashMap<_, _> = missing.into_iter().filter_map(find).collect();
        for (key, point) in keys.zip(&mut points) {
            *point = point.or_else(|| found.get(key).copied());
        }
        self.learn(found);
        points
    }

    fn learn(&self, found: HashMap<[u8; 32], EdwardsPoint>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.young.len() + found.len() > KEPT {
            known.old = std::mem::take(&mut known.young);
        }
        known.young.extend(found);
    }
}

#[cfg(test)]
mod tests;
