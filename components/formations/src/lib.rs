//! Statistics of establishments: `GET /api/inserjeunes/formations…`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, api::routes::formations).await
}
