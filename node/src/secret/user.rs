//! A user's key, and the public line that its owner hands to the operator.

use std::fmt;
use std::str::FromStr;

use crux_crdt::Principal;
use ed25519_dalek::{SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::line::Format;
use super::{SecretError, random};
use crate::error::Error;

const FORMAT: Format = Format { prefix: "crux-user", version: 1 };

/// The public line. Its prefix differs from that of the key, so that neither passes for the other.
const PUBLIC: Format = Format { prefix: "crux-user-key", version: 1 };

/// A user's Ed25519 key pair. It lies on the user's machine; the operator grants something to its public half.
pub struct UserKey(SigningKey);

impl UserKey {
    /// A new key.
    ///
    /// # Errors
    /// [`crate::Kind::Io`] when the system has no random source.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(SigningKey::from_bytes(&*random()?)))
    }

    /// The public half.
    pub fn public(&self) -> UserPublic {
        UserPublic(Principal(self.0.verifying_key().to_bytes()))
    }

    /// The pair, to sign with.
    pub fn signing_key(&self) -> &SigningKey {
        &self.0
    }

    /// The line that holds it. The caller writes it where only its owner reads.
    pub fn expose(&self) -> Zeroizing<String> {
        FORMAT.encode(self.0.as_bytes())
    }
}

impl FromStr for UserKey {
    type Err = SecretError;

    fn from_str(line: &str) -> Result<Self, SecretError> {
        let content = FORMAT.decode(line)?;
        let seed = content.as_slice().try_into().map_err(|_| SecretError::Content)?;
        Ok(Self(SigningKey::from_bytes(seed)))
    }
}

/// Shows the public half only.
impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserKey").field(&self.public().0).finish()
    }
}

/// The public half of a user's key. It prints as a line with a checksum, so that no slip grants something to a key
/// that nobody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserPublic(pub Principal);

impl fmt::Display for UserPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&PUBLIC.encode(self.0.as_bytes()))
    }
}

impl FromStr for UserPublic {
    type Err = SecretError;

    /// Refuses what is not the public half of any key: no signature under it would hold.
    fn from_str(line: &str) -> Result<Self, SecretError> {
        let content = PUBLIC.decode(line)?;
        let bytes: [u8; 32] = content.as_slice().try_into().map_err(|_| SecretError::Content)?;
        match VerifyingKey::from_bytes(&bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(Principal(bytes))),
            _ => Err(SecretError::Content),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{OperatorKey, SecretString};
    use super::*;

    fn key(seed: u8) -> UserKey {
        UserKey(SigningKey::from_bytes(&[seed; 32]))
    }

    #[test]
    fn round_trip() {
        let key = UserKey::generate().unwrap();
        let read: UserKey = key.expose().parse().unwrap();
        assert_eq!(read.public(), key.public());
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
    }

    #[test]
    fn the_lines_stay_as_they_are() {
        insta::assert_snapshot!(key(1).expose().as_str(), @"crux-user1-aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeauarvqfuia-end");
        insta::assert_snapshot!(key(1).public().to_string(), @"crux-user-key1-rkeohxlubhyzl7ks3mwtzos5olfgocn7dwkbeg7toseadnapn5omt6p7dgnq-end");
    }

    #[test]
    fn no_line_passes_for_one_of_another_kind() {
        let user = key(1);
        let secret = SecretString::generate("dev".parse().unwrap(), None).unwrap().expose();
        let operator = OperatorKey::generate().unwrap().expose();
        for line in [secret.as_str(), &operator, &user.public().to_string()] {
            let err = line.parse::<UserKey>().map(drop);
            assert_eq!(err, Err(SecretError::Prefix { expected: "crux-user" }), "{line}");
        }
        for line in [secret.as_str(), &operator, &user.expose()] {
            let err = line.parse::<UserPublic>().map(drop);
            assert_eq!(err, Err(SecretError::Prefix { expected: "crux-user-key" }), "{line}");
        }
        assert!(user.expose().parse::<OperatorKey>().is_err());
        assert!(user.expose().parse::<SecretString>().is_err());
    }

    #[test]
    fn what_is_no_key_is_refused_as_a_public_one() {
        let off_curve = (0..=u8::MAX).map(|byte| [byte; 32]);
        let off_curve = off_curve.filter(|key| VerifyingKey::from_bytes(key).is_err());
        let weak: [u8; 32] = std::array::from_fn(|i| u8::from(i == 0));
        let mut refused = 0;
        for bytes in off_curve.chain([weak]) {
            let line = PUBLIC.encode(&bytes);
            assert_eq!(line.parse::<UserPublic>(), Err(SecretError::Content), "{bytes:?}");
            refused += 1;
        }
        assert!(refused > 10, "{refused}");
        for length in [0, 31, 33] {
            let line = PUBLIC.encode(&vec![7; length]);
            assert_eq!(line.parse::<UserPublic>(), Err(SecretError::Content), "{length}");
            let line = FORMAT.encode(&vec![7; length]);
            assert_eq!(line.parse::<UserKey>().map(drop), Err(SecretError::Content), "{length}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        insta::assert_snapshot!(format!("{:?}", key(1)), @"UserKey(Principal(8a88e3dd))");
    }

    proptest! {
        #[test]
        fn fuzz_user_lines(seed: [u8; 32], at: prop::sample::Index, with in "[a-z2-7 -]", cut: prop::sample::Index) {
            let key = UserKey(SigningKey::from_bytes(&seed));
            for line in [key.expose().to_string(), key.public().to_string()] {
                let at = at.index(line.len());
                let mut typed = line.clone();
                typed.replace_range(at..=at, &with);
                // White space around a line is no slip.
                if typed.trim() != line {
                    prop_assert!(typed.parse::<UserKey>().is_err(), "{}", typed);
                    prop_assert!(typed.parse::<UserPublic>().is_err(), "{}", typed);
                }
                let cut = &line[..cut.index(line.len())];
                prop_assert!(cut.parse::<UserKey>().is_err() && cut.parse::<UserPublic>().is_err());
            }
        }

        #[test]
        fn fuzz_any_user_lines(line: String, content in proptest::collection::vec(any::<u8>(), 0..80)) {
            for prefix in ["", "crux-user1-", "crux-user-key1-"] {
                let line = format!("{prefix}{line}-end");
                prop_assert!(line.parse::<UserKey>().is_err());
                prop_assert!(line.parse::<UserPublic>().is_err());
            }
            // A right checksum around anything.
            let read = PUBLIC.encode(&content).parse::<UserPublic>();
            prop_assert!(read.is_err() || content.len() == 32);
        }
    }
}
