//! Statistics of mailles that a push declared: `GET /api/inserjeunes/mailles…`.

use edge::{Request, Response};

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve(request, api::routes::mailles).await
}
