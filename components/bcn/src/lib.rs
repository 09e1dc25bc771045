//! The nomenclature: `GET /api/inserjeunes/bcn`.

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, api::routes::bcn).await
}
