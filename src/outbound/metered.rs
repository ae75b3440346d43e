//! A stream that knows how far a conversation got, and that ends one in which the target says too much.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::limit::Phase;
use super::{Failure, Fault};

/// The target sent more than any answer needs.
#[derive(Debug, thiserror::Error)]
#[error("the target sends too much")]
pub struct TooMuch;

/// A stream of which no more than a number of octets is read, give or take one buffer of the reader.
#[derive(Debug)]
pub struct Metered<S> {
    stream: S,
    limit: u64,
    received: u64,
    /// The last write found no room.
    full: bool,
}

impl<S> Metered<S> {
    /// At most about `limit` octets of `stream`; a further read fails.
    pub fn new(stream: S, limit: u64) -> Self {
        Self { stream, limit, received: 0, full: false }
    }

    /// A failure of a conversation on this stream, as what it came of: which part ran out of time, or that the other
    /// side says too much, which libraries tell of in their own words.
    pub fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Failed(Fault::TimedOut { within, .. }) => Fault::TimedOut { phase: self.phase(), within }.into(),
            Failure::Failed(_) if self.is_exhausted() => Fault::TooMuch.into(),
            failure => failure,
        }
    }

    /// Whether the target has sent as much as is read.
    fn is_exhausted(&self) -> bool {
        self.received >= self.limit
    }

    /// Which part of an exchange of request and answer this has got to.
    pub fn phase(&self) -> Phase {
        match self.received {
            0 if self.full => Phase::Request,
            0 => Phase::Answer,
            _ => Phase::Rest,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_exhausted() {
            return Poll::Ready(Err(io::Error::other(TooMuch)));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.received += (buf.filled().len() - before) as u64;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, octets);
        self.full = written.is_pending();
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Does nothing: a check closes by dropping its connection, and half of an orderly end would keep the connection in
    /// TIME-WAIT after all.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn reading_ends_at_the_limit() {
        let (near, mut far) = duplex(64);
        far.write_all(&[7; 40]).await.unwrap();
        let mut metered = Metered::new(near, 20);
        let mut buffer = [0; 10];
        for _ in 0..2 {
            metered.read_exact(&mut buffer).await.unwrap();
        }
        let error = metered.read_u8().await.unwrap_err();
        assert!(error.get_ref().is_some_and(|inner| inner.is::<TooMuch>()), "{error:?}");
    }

    #[tokio::test]
    async fn the_phase_follows_the_octets() {
        let (near, mut far) = duplex(8);
        let mut metered = Metered::new(near, 100);
        assert_eq!(metered.phase(), Phase::Answer);
        let stuck = tokio::time::timeout(std::time::Duration::from_millis(1), metered.write_all(&[0; 9]));
        stuck.await.unwrap_err();
        assert_eq!(metered.phase(), Phase::Request);
        far.read_exact(&mut [0; 8]).await.unwrap();
        metered.write_all(&[0; 8]).await.unwrap();
        assert_eq!(metered.phase(), Phase::Answer);
        far.write_u8(1).await.unwrap();
        metered.read_u8().await.unwrap();
        assert_eq!(metered.phase(), Phase::Rest);
    }
}
