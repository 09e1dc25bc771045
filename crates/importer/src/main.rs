//! Sends documents to the import routes.

fn main() {}
