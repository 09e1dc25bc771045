//! Pages for people: the explorer at `/`, the documentation under `/api/doc`, what they load under
//! `/static/`.

use edge::{Request, Response};
use pages::Fichier;

// What scripts/assets fetched and compressed: Swagger UI. Without it, the documentation is a plain page.
include!(concat!(env!("OUT_DIR"), "/fichiers.rs"));

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, async |monde, requete| pages::documentation::repondre(monde, requete, FICHIERS).await).await
}
