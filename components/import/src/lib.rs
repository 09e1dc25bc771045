//! The import: fills the store and switches generations, under `/internal/import/`. The only
//! component that writes documents.

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve_ecriture(request, api::import::CORPS_MAX, async |monde, requete| {
        api::import::import(monde, requete).await
    })
    .await
}
