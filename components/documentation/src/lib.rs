//! Pages for people: the explorer at `/`, the documentation under `/api/doc`, what they load under
//! `/static/`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};
use pages::PackedFile;

// What scripts/assets fetched and compressed: Swagger UI. Without it, the documentation is a plain page.
include!(concat!(env!("OUT_DIR"), "/files.rs"));

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, async |runtime, api_request| pages::documentation::respond(runtime, api_request, FILES).await)
        .await
}
