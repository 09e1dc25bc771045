//! Statistics of mailles that a push declared: `GET /api/inserjeunes/mailles…`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, api::routes::mailles).await
}
