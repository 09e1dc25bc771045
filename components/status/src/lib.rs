//! Version, health and what is published: `GET /api`, `/api/status`, `/etat`; and 404 in JSON for
//! every path that is no route.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, pages::status::respond).await
}
