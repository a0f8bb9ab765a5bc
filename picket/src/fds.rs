//! Messages with descriptors, over sequenced-packet sockets: one send is one receive.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};

/// The longest message, in bytes. The longest that is sent holds the text of a failure, cut to a
/// quarter of this; anything larger travels in a file of which the message has the descriptor.
pub const MESSAGE_MAX: usize = 16 << 10;
/// The most descriptors in one message: a keeper is handed three.
pub const DESCRIPTORS_MAX: usize = 4;

/// A message as it arrived.
#[derive(Debug, Default)]
pub struct Received {
    /// Its bytes. None at all: the other side is closed.
    pub bytes: Vec<u8>,
    /// Its descriptors, closed when this process executes another program.
    pub descriptors: Vec<OwnedFd>,
}

impl Received {
    /// Whether the other side is closed, and nothing more will arrive.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Two connected sockets.
///
/// # Errors
/// If the system has no more descriptors.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Sends one message without waiting for room.
///
/// # Errors
/// `InvalidInput` for an empty message, one above [`MESSAGE_MAX`] or with more than
/// [`DESCRIPTORS_MAX`]; `WouldBlock` if the other side leaves too much unread; `BrokenPipe` if it is
/// closed.
pub fn send(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let fits = !bytes.is_empty() && bytes.len() <= MESSAGE_MAX;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let pushed =
        descriptors.is_empty() || control.push(SendAncillaryMessage::ScmRights(descriptors));
    if !fits || !pushed {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags)?;
    Ok(())
}

/// Receives one message, or waits for it.
///
/// # Errors
/// `InvalidData` if it was longer than [`MESSAGE_MAX`]; `EMFILE` if its descriptors found no place.
pub fn receive(socket: impl AsFd) -> io::Result<Received> {
    receive_with(socket.as_fd(), RecvFlags::empty())
}

/// Receives one message if there is one.
///
/// # Errors
/// `InvalidData` if it was longer than [`MESSAGE_MAX`]; `EMFILE` if its descriptors found no place.
pub fn try_receive(socket: impl AsFd) -> io::Result<Option<Received>> {
    match receive_with(socket.as_fd(), RecvFlags::DONTWAIT) {
        Ok(received) => Ok(Some(received)),
        Err(err) if err.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(err) => Err(err),
    }
}

fn receive_with(socket: BorrowedFd<'_>, flags: RecvFlags) -> io::Result<Received> {
    let mut bytes = vec![0; MESSAGE_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let message = loop {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        match recvmsg(socket, &mut slices, &mut control, flags) {
            // The other side ended with something of ours unread. Bytes that it sent before are still there.
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNRESET) => {}
            other => break other?,
        }
    };
    let mut descriptors = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            descriptors.extend(rights);
        }
    }
    if message.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        // The kernel had no place for its descriptors, and says so by this alone.
        return Err(rustix::io::Errno::MFILE.into());
    }
    bytes.truncate(message.bytes);
    Ok(Received { bytes, descriptors })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_message_arrives_whole_with_its_descriptors() {
        let (a, b) = pair().expect("a pair");
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        assert!(try_receive(&b).expect("open").is_none());
        send(&a, b"one", &[writer.as_fd()]).expect("sent");
        send(&a, b"two", &[]).expect("sent");
        let one = receive(&b).expect("received");
        assert_eq!((&*one.bytes, one.descriptors.len()), (&b"one"[..], 1));
        rustix::io::write(&one.descriptors[0], b"through").expect("written");
        drop((one, writer));
        let mut text = String::new();
        std::fs::File::from(reader).read_to_string(&mut text).expect("read");
        assert_eq!(text, "through");
        assert_eq!(receive(&b).expect("received").bytes, b"two");
        drop(a);
        assert!(receive(&b).expect("received").is_end());
    }

    #[test]
    fn what_was_sent_before_an_end_arrives_although_something_was_left_unread() {
        let (a, b) = pair().expect("a pair");
        send(&a, b"kill", &[]).expect("sent");
        send(&b, b"exited", &[]).expect("sent");
        send(&b, b"gone", &[]).expect("sent");
        drop(b);
        let received = [(); 3].map(|()| receive(&a).expect("received").bytes);
        assert_eq!(received, [&b"exited"[..], b"gone", b""]);
    }

    #[test]
    fn a_message_that_is_too_long_is_refused() {
        let (a, b) = pair().expect("a pair");
        let refused = send(&a, &vec![1; MESSAGE_MAX + 1], &[]).expect_err("refused");
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(send(&a, b"", &[]).expect_err("refused").kind(), io::ErrorKind::InvalidInput);
        rustix::net::send(&a, &vec![1; MESSAGE_MAX + 1], SendFlags::empty()).expect("sent");
        assert_eq!(receive(&b).expect_err("cut").kind(), io::ErrorKind::InvalidData);
    }
}
