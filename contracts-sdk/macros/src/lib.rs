//! The attributes of the contract SDK.
