//! The secret string.

use std::fmt;
use std::str::FromStr;

use crux_crdt::name::Label;
use zeroize::Zeroizing;

use super::line::Format;
use super::{Parts, SecretError, random};
use crate::error::Error;

const FORMAT: Format = Format { prefix: "crux", version: 1 };

/// Set in the first byte when an operator's key follows. The other bits are 0.
const HAS_OPERATOR: u8 = 1;

/// The secret that makes nodes one flock, checked and taken apart.
///
/// Content of the line: a byte of flags, the 32 secret bytes, the operator's key if the flag says
/// so, and the flock's name up to the end.
#[derive(Clone)]
pub struct SecretString(Parts);

impl SecretString {
    /// A new secret for a flock.
    ///
    /// # Errors
    /// [`crate::Kind::Io`] when the system has no random source.
    pub fn generate(flock: Label, operator: Option<[u8; 32]>) -> Result<Self, Error> {
        Ok(Self(Parts { flock, operator, secret: random()? }))
    }

    /// What the genesis needs.
    pub fn parts(&self) -> &Parts {
        &self.0
    }

    /// The line that holds it. The caller writes it where only its owner reads.
    pub fn expose(&self) -> Zeroizing<String> {
        let Parts { flock, operator, secret } = &self.0;
        // One allocation of the final size: growing would leave copies behind.
        let mut content = Zeroizing::new(Vec::with_capacity(65 + flock.as_str().len()));
        content.push(if operator.is_some() { HAS_OPERATOR } else { 0 });
        content.extend_from_slice(secret.as_slice());
        content.extend_from_slice(operator.as_ref().map_or(&[][..], |key| key.as_slice()));
        content.extend_from_slice(flock.as_str().as_bytes());
        FORMAT.encode(&content)
    }
}

impl FromStr for SecretString {
    type Err = SecretError;

    fn from_str(line: &str) -> Result<Self, SecretError> {
        let content = FORMAT.decode(line)?;
        let (flags, rest) = content.split_first().ok_or(SecretError::Content)?;
        let (secret, rest) = rest.split_first_chunk().ok_or(SecretError::Content)?;
        let (operator, flock) = match *flags {
            0 => (None, rest),
            HAS_OPERATOR => {
                let (key, rest) = rest.split_first_chunk().ok_or(SecretError::Content)?;
                (Some(*key), rest)
            }
            _ => return Err(SecretError::Content),
        };
        let flock = std::str::from_utf8(flock).ok().and_then(|name| name.parse().ok());
        let flock = flock.ok_or(SecretError::Content)?;
        Ok(Self(Parts { flock, operator, secret: Zeroizing::new(*secret) }))
    }
}

/// Shows the flock's name only.
impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretString").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(operator: Option<[u8; 32]>) -> SecretString {
        let secret = Zeroizing::new([0xaa; 32]);
        SecretString(Parts { flock: "dev".parse().unwrap(), operator, secret })
    }

    #[test]
    fn holds_all_that_the_genesis_needs() {
        for operator in [None, Some([7; 32])] {
            let line = secret(operator).expose();
            let read: SecretString = line.parse().unwrap();
            assert_eq!(read.parts().flock.as_str(), "dev");
            assert_eq!(read.parts().operator, operator);
            assert_eq!(*read.parts().secret, [0xaa; 32]);
            assert_eq!(read.expose(), line);
        }
    }

    #[test]
    fn the_format_stands() {
        insta::assert_snapshot!(secret(Some([7; 32])).expose().as_str());
    }

    #[test]
    fn content_that_makes_no_sense_is_refused() {
        let err =
            |content: &[u8]| FORMAT.encode(content).parse::<SecretString>().map(drop).unwrap_err();
        assert_eq!(err(&[]), SecretError::Content);
        assert_eq!(err(&[0; 20]), SecretError::Content);
        assert_eq!(err(&[0; 33]), SecretError::Content, "no name");
        assert_eq!(err(&[[2].as_slice(), &[1; 32], b"dev"].concat()), SecretError::Content);
        assert_eq!(err(&[[0].as_slice(), &[1; 32], b"Dev"].concat()), SecretError::Content);
        assert_eq!(err(&[[1].as_slice(), &[1; 32], b"dev"].concat()), SecretError::Content);
    }

    #[test]
    fn two_are_never_equal() {
        let one = || SecretString::generate("dev".parse().unwrap(), None).unwrap();
        assert_ne!(one().expose(), one().expose());
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", secret(Some([0xbb; 32])));
        insta::assert_snapshot!(shown, @r#"SecretString(Parts { flock: "dev", operator: true, .. })"#);
    }
}
