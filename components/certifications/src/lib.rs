//! National statistics: \`GET /api/inserjeunes/certifications…\`.

use edge::{IntoResponse, Request, http_service};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edge::serve(request, api::routes::certifications).await
}
