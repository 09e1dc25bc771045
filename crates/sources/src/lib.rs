//! Clients of the statistical services, over a small Fetch trait
