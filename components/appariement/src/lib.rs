//! Matching a catalogue: `/api/appariement/…`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve_streaming(request, api::matcher::respond).await
}
