//! Pictures of documents in any width, as SVG and PNG, `GET /api/images/…`.

#![cfg(target_family = "wasm")]

use api::picture::Painter;
use edge::{Request, Response};

edge::service!(handle);

const PAINTER: Painter = Painter { paint: raster::png, empty: raster::empty, pixels_max: raster::PIXELS_MAX };

async fn handle(request: Request) -> Response {
    edge::serve(request, async |runtime, request| api::picture::respond(runtime, request, PAINTER).await).await
}
