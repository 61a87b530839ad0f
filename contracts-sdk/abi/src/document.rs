//! The ABI document: what a contract offers, as JSON, for tools, explorers and clients.
