//! The HTTP contract
