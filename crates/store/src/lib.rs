//! How documents lie in a key-value store
