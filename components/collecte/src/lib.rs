//! The pull: asks the statistical services and hands the documents to the publication, under `/internal/import/pull`. The
//! only component that calls outside.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve_writing(request, admin::import::BODY_MAX, async |runtime, api_request| {
        admin::pull::pull(runtime, api_request).await
    })
    .await
}
