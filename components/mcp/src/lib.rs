//! The routes as tools of assistants: the Model Context Protocol, `POST /api/mcp`.

#![cfg(target_family = "wasm")]

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, api::mcp::respond).await
}
