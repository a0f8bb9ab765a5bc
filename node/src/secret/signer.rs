//! Keys that sign documents.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use crux_crdt::Principal;
use crux_crdt::sign::Identity;
use ed25519_dalek::SigningKey;

use super::file::read_line;
use super::{OperatorKey, SecretError, UserKey};
use crate::error::{Error, Kind};
use crate::modes;

/// The keys that an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A user's, and also the operator's, which is a key like others.
    AnyKey,
    /// The operator's alone.
    OperatorKey,
}

/// A key of a person that signs documents: a user's, or the operator's. No node ever has it.
pub struct Signer {
    identity: Identity,
    /// Whether its line says that it is an operator's. Of which flock, only that flock knows.
    is_operator: bool,
}

impl Signer {
    /// Reads a key from a file, which only its owner may read.
    ///
    /// # Errors
    /// [`Kind::NotFound`], [`Kind::InvalidSecret`], [`Kind::PermissionDenied`] when others may read the file;
    /// otherwise what the system says. Each names the file, and none shows the key.
    pub fn read(path: &Path, takes: Takes) -> Result<Self, Error> {
        let doing = || format!("the key file {}", path.display());
        let file = File::open(path).map_err(|err| match err.kind() {
            io::ErrorKind::NotFound => {
                Error::new(Kind::NotFound, "there is no such file").augment(doing()).with_hint(
                    "`crux-node user keygen --out F` makes a user's key, `crux-node keygen` the operator's.",
                )
            }
            _ => Error::io(doing(), &err),
        })?;
        modes::refuse_readable(&file, path).map_err(|err| err.augment(doing()))?;
        Self::read_from(file, takes).map_err(|err| err.augment(doing()))
    }

    /// Reads the line of a key.
    ///
    /// # Errors
    /// [`Kind::InvalidSecret`]; otherwise what the system says. None shows the key.
    pub fn read_from(input: impl io::Read, takes: Takes) -> Result<Self, Error> {
        let line = read_line(input)?;
        Ok(Self::parse(&line, takes)?)
    }

    fn parse(line: &str, takes: Takes) -> Result<Self, SecretError> {
        let is_operator = line.trim_ascii_start().starts_with(OperatorKey::PREFIX);
        if is_operator || takes == Takes::OperatorKey {
            return line.parse().map(|key: OperatorKey| Self::of(key.signing_key(), true));
        }
        line.parse().map(|key: UserKey| Self::of(key.signing_key(), false))
    }

    fn of(key: &SigningKey, is_operator: bool) -> Self {
        Self { identity: Identity::from_seed(key.as_bytes()), is_operator }
    }

    /// The public half.
    pub const fn principal(&self) -> Principal {
        self.identity.principal()
    }

    /// The pair, to sign with.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether its line says that it is an operator's.
    pub const fn is_operator(&self) -> bool {
        self.is_operator
    }
}

/// Shows the public half only.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.principal()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::{SecretString, write_new};
    use super::*;

    #[test]
    fn a_key_is_read_as_what_its_line_says() {
        let user = UserKey::generate().unwrap();
        let operator = OperatorKey::generate().unwrap();
        let read = |line: &str, takes| Signer::read_from(line.as_bytes(), takes);
        let signer = read(&format!("{}\n", user.expose().as_str()), Takes::AnyKey).unwrap();
        assert_eq!((signer.principal(), signer.is_operator()), (user.public().0, false));
        for takes in [Takes::AnyKey, Takes::OperatorKey] {
            let signer = read(&format!(" {}", operator.expose().as_str()), takes).unwrap();
            assert_eq!(signer.principal(), Principal(operator.public()));
            assert!(signer.is_operator());
        }
        let err = read(&user.expose(), Takes::OperatorKey).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidSecret);
        assert!(err.to_string().contains("crux-operator"), "{err}");
        let secret = SecretString::generate("dev".parse().unwrap(), None).unwrap().expose();
        for bad in ["", &secret, &user.public().to_string(), &"x".repeat(5000)] {
            for takes in [Takes::AnyKey, Takes::OperatorKey] {
                let err = read(bad, takes).unwrap_err();
                assert_eq!(err.kind(), Kind::InvalidSecret, "{bad}");
            }
        }
    }

    #[test]
    fn errors_name_the_file_and_not_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alice.key");
        let err = Signer::read(&path, Takes::AnyKey).unwrap_err();
        assert_eq!(err.kind(), Kind::NotFound);
        let line = UserKey::generate().unwrap().expose();
        write_new(&path, &line[..40]).unwrap();
        let err = Signer::read(&path, Takes::AnyKey).unwrap_err();
        let shown = format!("{err} {err:?} {:?}", err.hint());
        assert!(shown.contains("alice.key") && shown.contains("truncated"), "{shown}");
        assert!(!shown.contains(&line[14..24]), "{shown}");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alice.key");
        write_new(&path, &UserKey::generate().unwrap().expose()).unwrap();
        for (mode, is_read) in
            [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o602, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match Signer::read(&path, Takes::AnyKey) {
                Ok(_) => assert!(is_read, "{mode:o}"),
                Err(err) => {
                    assert!(!is_read, "{mode:o}: {err}");
                    assert_eq!(err.kind(), Kind::PermissionDenied);
                    assert!(err.hint().is_some_and(|hint| hint.contains("chmod 600")), "{err}");
                }
            }
        }
    }
}
