//! How long a client may keep a connection waiting.
//!
//! Three waits have an end: for the head of a request, for the next piece of its body, and for the client to take more of
//! an answer. They are generous, because a client on a bad line is no attack; without them a connection that sends nothing
//! and takes nothing holds its file descriptor, and an instance, for ever.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::Error;

/// The usual patience.
pub(crate) const USUAL: Duration = Duration::from_secs(60);

/// A wait that began when something was first found not ready, and begins anew once it was.
struct Alarm {
    patience: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    fn new(patience: Duration) -> Self {
        Self { patience, running: None }
    }

    /// Passes on what is ready. `None`: it has not been for too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, polled: Poll<T>) -> Option<Poll<T>> {
        if polled.is_ready() {
            self.running = None;
            return Some(polled);
        }
        let running = self.running.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        running.as_mut().poll(context).is_pending().then_some(polled)
    }
}

/// A connection whose client has to take what it is sent.
pub(crate) struct Patient<S> {
    stream: S,
    writing: Alarm,
}

impl<S> Patient<S> {
    pub(crate) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, writing: Alarm::new(patience) }
    }
}

fn too_late<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // A connection without a request waits too: the head of the next one has its own patience.
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.writing.watch(context, polled).unwrap_or_else(too_late)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.writing.watch(context, polled).unwrap_or_else(too_late)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// The body of a request whose client has to send it.
pub(crate) struct PatientBody<B> {
    body: B,
    reading: Alarm,
}

impl<B> PatientBody<B> {
    pub(crate) fn new(body: B, patience: Duration) -> Self {
        Self { body, reading: Alarm::new(patience) }
    }
}

impl<B: Body<Data = Bytes, Error: Into<Error>> + Unpin> Body for PatientBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(context);
        let watched = this.reading.watch(context, polled);
        let late = || Poll::Ready(Some(Err(Error::ConnectionReadTimeout)));
        watched.map_or_else(late, |polled| polled.map(|frame| frame.map(|frame| frame.map_err(Into::into))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
