//! Login and the state of a key: `POST /api/inserjeunes/auth/login`, `GET /api/inserjeunes/auth/cle`. It writes accounts:
//! a password kept under the scheme of the former service is hashed again when its owner logs in.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

/// Largest body of a login, in bytes.
const BODY_MAX: usize = 100 * 1024;

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve_writing(request, BODY_MAX, async |runtime, api_request| {
        accounts::respond(runtime, api_request, edge::random()).await
    })
    .await
}
