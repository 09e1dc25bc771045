//! The import: fills the store and switches generations, under `/internal/import/`. The only component that publishes; it
//! calls nobody but the component `collecte`, which advances the pull.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve_writing(request, admin::import::BODY_MAX, async |runtime, api_request| {
        admin::import::import(runtime, api_request).await
    })
    .await
}
