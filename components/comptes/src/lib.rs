//! Accounts and keys of re-users, and the public sum of usage: `/internal/import/users…`, `/internal/import/usage`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve_writing(request, admin::import::BODY_MAX, async |runtime, api_request| {
        admin::ledger::keep(runtime, api_request).await
    })
    .await
}
