//! Several documents in one call, `POST /api/inserjeunes/lots`, and what is beside one, `GET /api/comparaison/…`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve_streaming(request, api::lots::respond).await
}
