//! A socket that is read through one buffer for all sockets of a thread.
//!
//! Ten thousand quiet rooms would hold ten thousand buffers, and small ones cost a call of the system for each piece of
//! a message. Here everything that has come is read at once into the thread's buffer, and only what the reader has no
//! place for yet is kept with the socket. Not here: TLS, which keeps what it has decrypted itself.
//!
//! Invariant: bytes are given in the order in which they came, and nothing is held once it was given.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read at once: more than nearly any frame.
const AT_ONCE: usize = 16 << 10;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; AT_ONCE].into());
}

/// Such a socket.
pub struct Sipped<S> {
    socket: S,
    /// Read and not given yet.
    left: Bytes,
}

impl<S> Sipped<S> {
    /// Of which nothing was read, or nothing that matters.
    pub fn new(socket: S) -> Sipped<S> {
        Sipped { socket, left: Bytes::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Sipped<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Sipped { socket, left } = self.get_mut();
        if left.is_empty() {
            return BUFFER.with_borrow_mut(|buffer| {
                let mut read = ReadBuf::new(buffer);
                ready!(Pin::new(socket).poll_read(cx, &mut read))?;
                let (given, kept) = read.filled().split_at(read.filled().len().min(to.remaining()));
                to.put_slice(given);
                *left = Bytes::copy_from_slice(kept);
                Poll::Ready(Ok(()))
            });
        }
        to.put_slice(&left.split_to(left.len().min(to.remaining())));
        if left.is_empty() {
            // An empty rest still holds the whole.
            *left = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sipped<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().socket).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn every_byte_comes_once_and_in_order_whatever_is_asked_for() {
        let sent: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let (ours, mut theirs) = duplex(40_000);
        let (mut socket, mut came) = (Sipped::new(ours), Vec::new());
        let sending = async {
            theirs.write_all(&sent).await.expect("somebody reads");
            drop(theirs);
        };
        let reading = async {
            for at_once in [1, 300, 7, 20_000].into_iter().cycle() {
                let mut piece = vec![0; at_once];
                let length = socket.read(&mut piece).await.expect("it can be read");
                if length == 0 {
                    break;
                }
                came.extend_from_slice(&piece[..length]);
            }
        };
        tokio::join!(sending, reading);
        assert_eq!(came.len(), sent.len());
        assert!(came == sent);
    }

    #[tokio::test]
    async fn two_sockets_of_a_thread_are_not_mixed_up_and_hold_nothing_when_read() {
        let ((a, mut to_a), (b, mut to_b)) = (duplex(1000), duplex(1000));
        let (mut a, mut b) = (Sipped::new(a), Sipped::new(b));
        to_a.write_all(b"aaaa").await.expect("there is place");
        to_b.write_all(b"bbbb").await.expect("there is place");
        let mut two = [0; 2];
        for expected in [b"aa", b"aa"] {
            a.read_exact(&mut two).await.expect("two are there");
            assert_eq!(&two, expected);
            b.read_exact(&mut two).await.expect("two are there");
            assert_eq!(two, [b'b'; 2]);
        }
        assert!(a.left.is_empty() && b.left.is_empty());
    }
}
