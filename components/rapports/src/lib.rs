//! What an operator looks up of imports: `/internal/import/reports` and the like. It reads only.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, admin::lookups::look_up).await
}
