//! Where values lie.

use crate::redis_store::RedisStore;
use crate::store::Store;

/// A file, or a server.
pub(crate) enum Backend {
    Sqlite(Store),
    Redis(RedisStore),
}
