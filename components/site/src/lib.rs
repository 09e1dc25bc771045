//! The public site: certifications, establishments, the search and comparisons as pages that are whole without scripts.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, pages::site::respond).await
}
