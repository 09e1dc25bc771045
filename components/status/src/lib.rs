//! Version, health and what is published: `GET /api`, `/api/status`, `/etat`; and 404 in JSON for
//! every path that is no route.

use edge::{IntoResponse, Request, http_service};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edge::serve(request, pages::statut::repondre).await
}
