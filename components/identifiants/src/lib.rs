//! Documents found by identifiers of other registers: `/api/inserjeunes/identifiants/…`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, api::identifiers::respond).await
}
