//! Bodies, in and out.

use api::{Corps, Flux, Reponse};
use bytes::{Buf, Bytes};
use futures_util::future::poll_fn;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use store::StoreError;

/// The body of an answer, for the SDK.
pub enum CorpsHttp {
    /// Known as a whole: it leaves in one piece.
    Octets(Option<Bytes>),
    /// Sent piece by piece; a fault of the store breaks it off.
    Flux(Flux),
}

impl Body for CorpsHttp {
    type Data = Bytes;
    type Error = StoreError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StoreError>>> {
        match self.get_mut() {
            Self::Octets(octets) => Poll::Ready(octets.take().map(|o| Ok(Frame::data(o)))),
            Self::Flux(flux) => {
                flux.as_mut().poll_next(cx).map(|m| m.map(|m| m.map(|octets| Frame::data(octets.into()))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Octets(octets) => SizeHint::with_exact(octets.as_ref().map_or(0, |o| o.len() as u64)),
            Self::Flux(_) => SizeHint::default(),
        }
    }
}

/// Turns an answer into the SDK's.
pub(crate) fn repondre(reponse: Reponse) -> Response<CorpsHttp> {
    let corps = match reponse.corps {
        Corps::Octets(octets) => CorpsHttp::Octets((!octets.is_empty()).then(|| octets.into())),
        Corps::Flux(flux) => CorpsHttp::Flux(flux),
    };
    let mut sortie = Response::new(corps);
    *sortie.status_mut() = StatusCode::from_u16(reponse.statut).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (nom, valeur) in reponse.entetes {
        if let Ok(valeur) = HeaderValue::from_str(&valeur) {
            sortie.headers_mut().append(HeaderName::from_static(nom), valeur);
        }
    }
    sortie
}

/// Reads a body up to `max` bytes; what lies beyond is left.
pub(crate) async fn lire(corps: impl Body<Data: Buf>, max: usize) -> Vec<u8> {
    let mut corps = pin!(corps);
    let mut lu = Vec::new();
    while lu.len() < max {
        match poll_fn(|cx| corps.as_mut().poll_frame(cx)).await {
            Some(Ok(morceau)) => {
                if let Ok(mut octets) = morceau.into_data() {
                    let reste = octets.remaining().min(max - lu.len());
                    lu.extend_from_slice(&octets.copy_to_bytes(reste));
                }
            }
            // A body that breaks off is judged by its digest or its form.
            Some(Err(_)) | None => break,
        }
    }
    lu
}
