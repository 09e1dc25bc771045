//! Search: `GET /api/recherche…`.

use edge::{IntoResponse, Request, http_service};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edge::serve(request, pages::recherche::repondre).await
}
