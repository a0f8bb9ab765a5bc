//! The operator's key.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use super::line::Format;
use super::{SecretError, random};
use crate::error::Error;

const FORMAT: Format = Format { prefix: OperatorKey::PREFIX, version: 1 };

/// The operator's Ed25519 key pair. It is kept offline: nodes know the public half, from the secret.
pub struct OperatorKey(SigningKey);

impl OperatorKey {
    /// How its line begins.
    pub(super) const PREFIX: &'static str = "crux-operator";

    /// A new key.
    ///
    /// # Errors
    /// [`crate::Kind::Io`] when the system has no random source.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(SigningKey::from_bytes(&*random()?)))
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
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

impl FromStr for OperatorKey {
    type Err = SecretError;

    fn from_str(line: &str) -> Result<Self, SecretError> {
        let content = FORMAT.decode(line)?;
        let seed = content.as_slice().try_into().map_err(|_| SecretError::Content)?;
        Ok(Self(SigningKey::from_bytes(seed)))
    }
}

/// Shows the public half only.
impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let public = crux_crdt::Principal(self.public());
        f.debug_tuple("OperatorKey").field(&public).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::SecretString;
    use super::*;

    #[test]
    fn round_trip() {
        let key = OperatorKey::generate().unwrap();
        let read: OperatorKey = key.expose().parse().unwrap();
        assert_eq!(read.public(), key.public());
    }

    #[test]
    fn is_no_secret_of_a_flock_nor_the_other_way_round() {
        let key = OperatorKey::generate().unwrap();
        let err = key.expose().parse::<SecretString>().map(drop);
        assert_eq!(err, Err(SecretError::Prefix { expected: "crux" }));
        let secret = SecretString::generate("dev".parse().unwrap(), None).unwrap();
        let err = secret.expose().parse::<OperatorKey>().map(drop);
        assert_eq!(err, Err(SecretError::Prefix { expected: "crux-operator" }));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key: OperatorKey = FORMAT.encode(&[1; 32]).parse().unwrap();
        insta::assert_snapshot!(format!("{key:?}"), @"OperatorKey(Principal(8a88e3dd))");
    }
}
