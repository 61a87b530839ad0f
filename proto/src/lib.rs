//! Wire messages and their exact conversion.
