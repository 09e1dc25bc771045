//! National statistics: `GET /api/inserjeunes/certifications…`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, api::routes::certifications).await
}
