use crux_crdt::canon::Encoder;
use crux_crdt::hash::sha3;
use crux_crdt::{Digest, Principal};

/// The transcript after the hello.
pub(super) fn of_hello(
    flock: &Digest,
    joiner: &Principal,
    sponsor: &Principal,
    hello: &[u8],
) -> Digest {
    let mut out = Encoder::default();
    out.digest(flock).principal(joiner).principal(sponsor).bytes(hello);
    sha3("crux/join/hello/2", &[&out.finish()])
}

/// The transcript after the challenge's nonce.
pub(super) fn of_challenge(hello: &Digest, nonce: &[u8; 32]) -> Digest {
    sha3("crux/join/challenge/2", &[&hello.0, nonce])
}

/// What the joiner signs when it is called back.
pub(super) fn of_callback(challenge: &Digest, nonce: &[u8; 32]) -> Vec<u8> {
    let mut out = Encoder::default();
    out.str("crux/join/callback/2").digest(challenge).fixed(nonce);
    out.finish()
}
