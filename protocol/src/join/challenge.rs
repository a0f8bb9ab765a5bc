//! Challenges that take no memory.
//!
//! **Invariant**: a nonce is recognized only by the state that made it, for the hello, the joiner and
//! the sponsor that it was made for, and for two windows at most. Nothing is kept until its proof
//! comes, so strangers can have any number of challenges and take nobody's place.
//!
//! The nonce is a MAC, under a key that never leaves this state, of the window and of the transcript
//! of the hello, in which are the flock, both principals and all that the joiner said. To anybody else
//! it is 32 random bytes. One hello gets one nonce in one window; the joiner's own nonce makes two
//! hellos differ.

use core::time::Duration;

use crux_crdt::Digest;
use hmac::{KeyInit, Mac, SimpleHmac};
use rand::rngs::StdRng;
use sha3::Sha3_256;
use zeroize::Zeroizing;

use super::state::fresh_nonce;
use crate::time::Instant;

/// Makes the nonces of challenges, and recognizes them.
pub(super) struct Challenges {
    key: Zeroizing<[u8; 32]>,
    window: Duration,
}

impl Challenges {
    /// A challenge is recognized for that long at least, and for twice as long at most.
    pub(super) fn new(window: Duration, rng: &mut StdRng) -> Self {
        Self { key: Zeroizing::new(fresh_nonce(rng)), window }
    }

    /// The nonce of the challenge to a hello.
    pub(super) fn nonce(&self, said: &Digest, now: Instant) -> [u8; 32] {
        self.mac(said, self.window_of(now)).finalize().into_bytes().into()
    }

    /// Whether this is the nonce of a challenge to that hello, and not too old.
    pub(super) fn knows(&self, said: &Digest, nonce: &[u8; 32], now: Instant) -> bool {
        let window = self.window_of(now);
        let made_in = |window| self.mac(said, window).verify_slice(nonce).is_ok();
        made_in(window) || window.checked_sub(1).is_some_and(made_in)
    }

    fn window_of(&self, now: Instant) -> u128 {
        now.since_origin().as_nanos() / self.window.as_nanos().max(1)
    }

    fn mac(&self, said: &Digest, window: u128) -> SimpleHmac<Sha3_256> {
        let mut mac =
            SimpleHmac::<Sha3_256>::new_from_slice(&*self.key).expect("HMAC takes any key");
        mac.update(&window.to_be_bytes());
        mac.update(&said.0);
        mac
    }
}

impl core::fmt::Debug for Challenges {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Challenges").field("window", &self.window).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_nonce_is_known_where_and_while_it_was_made_and_nowhere_else() {
        let window = Duration::from_secs(10);
        let mut rng = StdRng::seed_from_u64(1);
        let [here, elsewhere] = [0, 0].map(|_| Challenges::new(window, &mut rng));
        let at = |seconds| Instant::after_origin(Duration::from_secs(seconds));
        let (said, other) = (Digest([1; 32]), Digest([2; 32]));
        let nonce = here.nonce(&said, at(109));
        for seconds in [109, 110, 119] {
            assert!(here.knows(&said, &nonce, at(seconds)), "{seconds}");
        }
        for seconds in [0, 99, 120, 1000] {
            assert!(!here.knows(&said, &nonce, at(seconds)), "{seconds}");
        }
        assert!(!here.knows(&other, &nonce, at(109)));
        assert!(!elsewhere.knows(&said, &nonce, at(109)), "another boot, or another sponsor");
        assert!(!here.knows(&said, &[0; 32], at(109)));
        assert_ne!(here.nonce(&said, at(109)), here.nonce(&other, at(109)));
        assert!(here.knows(&said, &here.nonce(&said, at(0)), at(0)));
    }
}
