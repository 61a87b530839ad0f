//! A transaction in other bytes: what somebody may try who wants it executed once more.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use hanse_types::crypto::{PublicKey, Signature};
use hanse_types::{Canonical, ContractRef, SignedTransaction, Transaction};
use secp256k1::{Message, SecretKey, ecdsa};
use sha2::{Digest, Sha256};

const SIGNATURE_BYTES: usize = 64;

/// The order of ed25519's group, little-endian.
const ED25519_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
/// The order of secp256k1's group, big-endian.
const SECP256K1_ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

/// Other bytes for the same call: encodings that a lenient decoder takes, signatures that a lenient verifier takes, and
/// fields that were not signed so. `seed` chooses which bits are flipped.
pub fn other_bytes(signed: &SignedTransaction, seed: usize) -> Vec<Vec<u8>> {
    let bytes = signed.encode();
    let mut all = vec![[&bytes[..], &[0]].concat(), bytes.repeat(2), bytes[..bytes.len() - 1].to_vec()];
    all.push(with_byte(&bytes, key_start(signed), |tag| tag ^ 1));
    all.push(with_byte(&bytes, bytes.len() - 1, |last| last ^ 0x80));
    all.extend((0..4).map(|n| {
        let bit = (seed * 4 + n) * 37 % (bytes.len() * 8);
        with_byte(&bytes, bit / 8, |byte| byte ^ (1 << (bit % 8)))
    }));
    all.push(SignedTransaction { signature: other_s(signed), ..signed.clone() }.encode());
    all.extend(other_fields(signed).iter().map(Canonical::encode));
    assert!(all.iter().all(|other| *other != bytes));
    all
}

/// It says that it is for another group.
pub fn for_group(signed: &SignedTransaction, group: &str) -> SignedTransaction {
    changed(signed, |transaction| transaction.group_id = group.into())
}

/// Another good signature of the same transaction, which only the holder of its key can make.
pub fn signed_again(
    signed: &SignedTransaction,
    sign_bytes: &[u8],
    secret: [u8; 32],
    noise: [u8; 32],
) -> SignedTransaction {
    let message = Message::from_digest(Sha256::digest(sign_bytes).into());
    let secret = SecretKey::from_secret_bytes(secret).unwrap();
    let signature = ecdsa::sign_with_noncedata(message, &secret, &noise).serialize_compact();
    SignedTransaction { signature: Signature(signature), ..signed.clone() }
}

fn with_byte(bytes: &[u8], at: usize, change: impl FnOnce(u8) -> u8) -> Vec<u8> {
    let mut other = bytes.to_vec();
    other[at] = change(other[at]);
    other
}

/// Where the key begins, with the tag of its algorithm.
fn key_start(signed: &SignedTransaction) -> usize {
    signed.encoded_len() - SIGNATURE_BYTES - borsh::object_length(&signed.public_key).unwrap()
}

fn changed(signed: &SignedTransaction, change: impl FnOnce(&mut Transaction)) -> SignedTransaction {
    let mut other = signed.clone();
    change(&mut other.transaction);
    other
}

/// The same payment in a transaction that its signer did not make.
fn other_fields(signed: &SignedTransaction) -> [SignedTransaction; 4] {
    [
        changed(signed, |transaction| transaction.nonce ^= 1 << 63),
        changed(signed, |transaction| transaction.expiration = transaction.expiration.plus_ms(60_000)),
        changed(signed, |transaction| transaction.business_id = b"again".to_vec()),
        changed(signed, |transaction| {
            transaction.contract = ContractRef::Name { name: "account".into(), version: 0 };
        }),
    ]
}

/// The signature with the other `s` that fulfils the same equation: anybody can compute it.
fn other_s(signed: &SignedTransaction) -> Signature {
    let Signature(mut signature) = signed.signature;
    let s = &mut signature[32..];
    match signed.public_key {
        PublicKey::Ed25519(_) => {
            let order: [u8; 32] = const_hex::decode_to_array(ED25519_ORDER).unwrap();
            let mut carry = 0;
            for (digit, order) in s.iter_mut().zip(order) {
                carry += u16::from(*digit) + u16::from(order);
                *digit = (carry & 0xff) as u8;
                carry >>= 8;
            }
        }
        PublicKey::Secp256k1(_) => {
            let order: [u8; 32] = const_hex::decode_to_array(SECP256K1_ORDER).unwrap();
            let mut borrow = 0;
            for (digit, order) in s.iter_mut().zip(order).rev() {
                let difference = i16::from(order) - i16::from(*digit) - borrow;
                borrow = i16::from(difference < 0);
                *digit = difference.rem_euclid(256) as u8;
            }
        }
        PublicKey::Sm2(_) => panic!("there is no other one"),
    }
    Signature(signature)
}
