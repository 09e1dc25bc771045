//! Every list under a path with an extension: \`GET /api/inserjeunes/formations.csv\`.

use edge::{IntoResponse, Request, http_service};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edge::serve(request, api::routes::listes).await
}
