//! One node's mind in one group: pool, consensus and sync as one state machine.
