//! Version and health: `GET /api`; and 404 in JSON for every path that is no route.

use edge::{IntoResponse, Request, http_service};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edge::serve(request, api::routes::statut).await
}
