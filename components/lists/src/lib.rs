//! Every list under a path with an extension: `GET /api/inserjeunes/formations.csv`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, api::routes::lists).await
}
