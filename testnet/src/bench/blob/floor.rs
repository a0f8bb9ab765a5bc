use std::fs::File;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crux_crdt::blob::BlobHasher;

use super::Moving;
use crate::Error;
use crate::bench::transfer::{Rounds, Transfer};

pub(super) const SHA3: &str = "SHA3-256 of the file alone, one core";
const COPY: &str = "copy over plain TCP, no hash, durable";

const BUFFER: usize = 1 << 20;

/// Measures what the machine itself takes.
pub(super) fn measure(moving: &Moving, file: &Path) -> Result<Vec<Transfer>, Error> {
    let (mut sha3, mut copies) = (Rounds::of_bytes(moving.bytes), Rounds::of_bytes(moving.bytes));
    for _ in 0..moving.rounds {
        sha3.took(hash(file)?);
        copies.took(copy(file)?);
    }
    Ok([sha3.figure("floor", SHA3), copies.figure("floor", COPY)].into_iter().flatten().collect())
}

fn hash(path: &Path) -> Result<Duration, Error> {
    let since = Instant::now();
    let mut hasher = BlobHasher::default();
    each(&mut open(path)?, |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    std::hint::black_box(hasher.finish());
    Ok(since.elapsed())
}

fn copy(path: &Path) -> Result<Duration, Error> {
    let failed = || Error::io("copy over TCP");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed())?;
    let addr = listener.local_addr().map_err(failed())?;
    let target = path.with_extension("copy");
    let since = Instant::now();
    let (sent, received) = thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let (mut stream, _) = listener.accept().map_err(failed())?;
            each(&mut open(path)?, |bytes| stream.write_all(bytes))
        });
        let received = TcpStream::connect(addr).map_err(failed()).and_then(|mut from| {
            let mut to = File::create(&target).map_err(failed())?;
            each(&mut from, |bytes| to.write_all(bytes))?;
            to.sync_data().map_err(failed())
        });
        (sending.join(), received)
    });
    let took = since.elapsed();
    std::fs::remove_file(&target).map_err(failed())?;
    received?;
    match sent {
        Ok(sent) => sent.map(|()| took),
        Err(_) => Err(Error::Broken("the sending side of the copy failed".to_owned())),
    }
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(Error::io(format!("read {}", path.display())))
}

/// Reads to the end.
fn each(
    from: &mut impl Read,
    mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<(), Error> {
    let failed = || Error::io("move bytes");
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer).map_err(failed())? {
            0 => return Ok(()),
            count => take(&buffer[..count]).map_err(failed())?,
        }
    }
}
