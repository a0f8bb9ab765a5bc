//! Principals as libp2p names them.
//!
//! The `PeerId` of an Ed25519 key is an identity multihash over a small protobuf that holds the
//! key itself, so the conversion needs no look-up in either direction. Any other kind of `PeerId`
//! is a stranger that Crux cannot name, and is refused.

use crux_crdt::Principal;
use libp2p::PeerId;
use libp2p::identity::Keypair;
use libp2p::multihash::Multihash;
use zeroize::Zeroizing;

/// Multihash code of "not hashed at all".
const IDENTITY_CODE: u64 = 0;

/// What precedes the 32 bytes of an Ed25519 key in a `PeerId`: protobuf field 1 (key type) = 1
/// (Ed25519), field 2 (data) of length 32.
const ED25519_PREFIX: [u8; 4] = [0x08, 0x01, 0x12, 0x20];

/// Returns the principal of a peer, or `None` if its key is not Ed25519.
pub(super) fn principal_of(peer: &PeerId) -> Option<Principal> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY_CODE {
        return None;
    }
    let key = hash.digest().strip_prefix(&ED25519_PREFIX)?;
    Some(Principal(key.try_into().ok()?))
}

/// Returns the peer of a principal. The key is not checked to be a point on the curve: nobody can
/// complete a handshake with one that is not.
pub(super) fn peer_of(principal: &Principal) -> PeerId {
    let mut inlined = [0; ED25519_PREFIX.len() + 32];
    inlined[..ED25519_PREFIX.len()].copy_from_slice(&ED25519_PREFIX);
    inlined[ED25519_PREFIX.len()..].copy_from_slice(principal.as_bytes());
    let hash = Multihash::wrap(IDENTITY_CODE, &inlined).expect("36 bytes fit into a multihash");
    PeerId::from_multihash(hash).expect("an identity multihash of 36 bytes is a peer id")
}

/// Returns the key pair of a seed. The copy that is made of the seed is wiped.
pub(super) fn keypair(seed: &Zeroizing<[u8; 32]>) -> Keypair {
    let mut copy = seed.clone();
    Keypair::ed25519_from_bytes(&mut *copy).expect("every 32 bytes are an Ed25519 seed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_round_trip() {
        let keys = keypair(&Zeroizing::new([7; 32]));
        let peer = keys.public().to_peer_id();
        let principal = principal_of(&peer).expect("an Ed25519 key");
        assert_eq!(peer_of(&principal), peer);
        let public = keys.public().try_into_ed25519().expect("Ed25519");
        assert_eq!(principal.as_bytes(), &public.to_bytes());
    }

    #[test]
    fn other_keys_have_no_principal() {
        let sha256 = Multihash::<64>::wrap(0x12, &[1; 32]).expect("fits");
        let hashed = PeerId::from_multihash(sha256).expect("a hashed key is a peer id");
        assert_eq!(principal_of(&hashed), None);
        let mut secp256k1 = vec![0x08, 0x02, 0x12, 0x21];
        secp256k1.extend([2; 33]);
        let hash = Multihash::<64>::wrap(0, &secp256k1).expect("fits");
        let inlined = PeerId::from_multihash(hash).expect("an inlined key is a peer id");
        assert_eq!(principal_of(&inlined), None);
    }
}
