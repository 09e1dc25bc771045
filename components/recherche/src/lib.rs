//! Search: `GET /api/recherche…`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, api::search::respond).await
}
