//! The nomenclature: \`GET /api/inserjeunes/bcn\`.

use edge::{IntoResponse, Request, http_service};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edge::serve(request, api::routes::bcn).await
}
