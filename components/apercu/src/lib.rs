//! A generation before it is in force, for whoever is to sign it: `/internal/apercu/…`. It reads only.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, preview::respond).await
}
