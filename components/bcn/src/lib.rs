//! The nomenclature: `GET /api/inserjeunes/bcn`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, api::routes::bcn).await
}
