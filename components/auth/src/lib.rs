//! Login: `POST /api/inserjeunes/auth/login`. It writes accounts: a password kept under the scheme
//! of the former service is hashed again when its owner logs in.

use edge::{Request, Response};

/// Largest body of a login, in bytes.
const CORPS_MAX: usize = 100 * 1024;

edge::service!(handle);

async fn handle(request: Request) -> Response {
    edge::serve_ecriture(request, CORPS_MAX, async |monde, requete| {
        api::routes::auth(monde, requete, edge::alea()).await
    })
    .await
}
