//! The key that signs: a development account by its name, or an encrypted file.
//!
//! Development accounts ([`dev`]) have keys that everyone knows; they are offered for chains that call themselves
//! [`dev::CHAIN_ID`] only. Files ([`mod@file`]) are PKCS#8 in PEM, encrypted, readable by their owner alone, with the
//! public key beside them so that an address is shown without a password.

pub(crate) mod dev;
pub(crate) mod file;
