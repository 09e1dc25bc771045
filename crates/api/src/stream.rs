//! Streamed bodies: fused by their type, compressed where the client takes it.
//!
//! An instance answers many clients. A stream that traps when it is asked once more after its end would cut the answers
//! of all of them, in silence. So a body is a [`BodyStream`], and a `BodyStream` can be asked for ever.

use futures_util::Stream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use store::StoreError;

/// A piece of a body, or the fault that breaks it off.
pub type Piece = Result<Vec<u8>, StoreError>;

/// A streamed body. After its end, and after its first fault, it says that it has ended however often it is asked; the
/// stream inside is dropped by then, so nothing can ask it again.
pub struct BodyStream(Option<Pin<Box<dyn Stream<Item = Piece>>>>);

impl BodyStream {
    /// A body out of any stream.
    pub fn new(pieces: impl Stream<Item = Piece> + 'static) -> Self {
        Self(Some(Box::pin(pieces)))
    }

    /// The same body, compressed piece by piece.
    #[must_use]
    pub fn gzip(self) -> Self {
        Self::new(Compressed { pieces: self, encoder: Some(gzip::Gzip::default()) })
    }
}

impl Stream for BodyStream {
    type Item = Piece;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        let Some(pieces) = &mut self.0 else { return Poll::Ready(None) };
        let piece = ready!(pieces.as_mut().poll_next(cx));
        if !matches!(piece, Some(Ok(_))) {
            self.0 = None;
        }
        Poll::Ready(piece)
    }
}

/// Compresses a body: what a piece makes is sent with it. A body that breaks off has no end of gzip either.
struct Compressed {
    pieces: BodyStream,
    /// `None` once the end is written.
    encoder: Option<gzip::Gzip>,
}

impl Stream for Compressed {
    type Item = Piece;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        loop {
            let piece = ready!(Pin::new(&mut self.pieces).poll_next(cx));
            let Some(encoder) = &mut self.encoder else { return Poll::Ready(None) };
            match piece {
                Some(Ok(piece)) => {
                    encoder.write(&piece);
                    let made = encoder.take();
                    if !made.is_empty() {
                        return Poll::Ready(Some(Ok(made)));
                    }
                }
                Some(Err(fault)) => {
                    self.encoder = None;
                    return Poll::Ready(Some(Err(fault)));
                }
                None => {
                    return Poll::Ready(self.encoder.take().map(|encoder| Ok(encoder.finish())));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use futures_util::task::noop_waker;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::io::Read;

    /// What a stream does at one poll.
    #[derive(Clone, Debug)]
    enum Step {
        Wait,
        Piece(Vec<u8>),
        Fault,
    }

    /// Does these steps, ends, and panics when it is asked after that: what streams of the library do.
    struct Strict {
        steps: VecDeque<Step>,
        ended: bool,
    }

    impl Stream for Strict {
        type Item = Piece;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Piece>> {
            assert!(!self.ended, "asked again after the end");
            match self.steps.pop_front() {
                Some(Step::Wait) => Poll::Pending,
                Some(Step::Piece(piece)) => Poll::Ready(Some(Ok(piece))),
                Some(Step::Fault) => {
                    self.ended = true;
                    Poll::Ready(Some(Err(StoreError::Unavailable("asked for".to_owned()))))
                }
                None => {
                    self.ended = true;
                    Poll::Ready(None)
                }
            }
        }
    }

    /// Everything a body sends, whether it broke off, and that it stays ended.
    fn drain(mut body: BodyStream) -> (Vec<u8>, bool) {
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        let (mut sent, mut broken) = (Vec::new(), false);
        loop {
            match Pin::new(&mut body).poll_next(&mut cx) {
                Poll::Pending => {}
                Poll::Ready(Some(Ok(piece))) => sent.extend(piece),
                Poll::Ready(Some(Err(_))) => broken = true,
                Poll::Ready(None) => break,
            }
        }
        for _ in 0..5 {
            assert!(matches!(Pin::new(&mut body).poll_next(&mut cx), Poll::Ready(None)));
        }
        (sent, broken)
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let piece = proptest::collection::vec(any::<u8>(), 0..300).prop_map(Step::Piece);
        let step = prop_oneof![8 => piece, 2 => Just(Step::Wait), 1 => Just(Step::Fault)];
        proptest::collection::vec(step, 0..40)
    }

    proptest! {
        #[test]
        fn invariant_7_a_body_can_be_polled_after_its_end_and_tells_whether_it_is_whole(steps in steps()) {
            let stream = || BodyStream::new(Strict { steps: steps.clone().into(), ended: false });
            let whole = !steps.iter().any(|step| matches!(step, Step::Fault));
            let before_fault = steps.iter().take_while(|step| !matches!(step, Step::Fault));
            let expected: Vec<u8> =
                before_fault.flat_map(|step| if let Step::Piece(piece) = step { piece.clone() } else { vec![] }).collect();

            prop_assert_eq!(drain(stream()), (expected.clone(), !whole));

            let (compressed, broken) = drain(stream().gzip());
            prop_assert_eq!(broken, !whole);
            let mut read = Vec::new();
            let ended_well = GzDecoder::new(compressed.as_slice()).read_to_end(&mut read).is_ok();
            prop_assert_eq!(ended_well, whole, "a body that broke off has no well-formed end");
            if whole {
                prop_assert_eq!(read, expected);
            }
        }
    }
}
