//! Output that nobody keeps, read all the same, so that no program waits for it.

use std::os::fd::OwnedFd;

use rustix::io::{Errno, read};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::work::Done;
use crate::handle::Output;

/// Reads both pipes to their end.
pub(super) async fn drop_all(output: Output) -> Done {
    tokio::join!(drop_one(output.stdout), drop_one(output.stderr));
    Done::Nothing
}

#[expect(
    deprecated,
    reason = "the descriptor is owned; the way that is not deprecated is unsafe code"
)]
async fn drop_one(fd: OwnedFd) {
    let Ok(fd) = AsyncFd::with_interest(fd, Interest::READABLE) else { return };
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(mut guard) = fd.readable().await else { return };
        match read(&fd, &mut buffer[..]) {
            Ok(0) => return,
            Ok(_) | Err(Errno::INTR) => tokio::task::yield_now().await,
            Err(Errno::AGAIN) => guard.clear_ready(),
            Err(_) => return,
        }
    }
}
