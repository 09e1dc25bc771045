//! The import: fills the store and switches generations, under `/internal/import/`. The only
//! component that writes documents.

use edge::{IntoResponse, Request, http_service};

#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    edge::serve_ecriture(request, api::import::CORPS_MAX, async |monde, requete| {
        api::import::import(monde, requete).await
    })
    .await
}
