//! RPC methods and JSON types (the server's too), typed client, proof checks.
