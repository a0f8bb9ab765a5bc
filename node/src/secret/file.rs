//! Files that hold secrets: made once, never overwritten, readable by their owner only.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::line::LINE_MAX;
use super::{SecretError, SecretString};
use crate::error::{Error, Kind};
use crate::modes;
use crate::outfile::{Content, Disk, OutFile, Real};

/// Reads the secret of a flock from a file.
///
/// # Errors
/// [`Kind::NotFound`] when there is no file, [`Kind::InvalidSecret`] when there is no secret in it,
/// [`Kind::PermissionDenied`] when everybody may write it; otherwise what the system says. Each names the file.
pub fn read_secret(path: &Path) -> Result<SecretString, Error> {
    let doing = || format!("the secret file {}", path.display());
    let file = File::open(path).map_err(|err| match err.kind() {
        io::ErrorKind::NotFound => Error::new(Kind::NotFound, "there is no such file")
            .augment(doing())
            .with_hint("Make one with `crux-node keygen --flock NAME --out F`."),
        _ => Error::io(doing(), &err),
    })?;
    modes::refuse_writable(&file, path).map_err(|err| err.augment(doing()))?;
    let line = read_line(file).map_err(|err| err.augment(doing()))?;
    line.parse().map_err(|err| Error::from(err).augment(doing()))
}

/// Reads at most one line's worth, whatever the file is.
pub(crate) fn read_line(mut file: impl io::Read) -> Result<Zeroizing<String>, Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(LINE_MAX + 1));
    let read = file.by_ref().take(LINE_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|err| Error::io("reading", &err))?;
    if bytes.len() > LINE_MAX {
        return Err(SecretError::TooLong { max: LINE_MAX }.into());
    }
    let line = std::str::from_utf8(&bytes);
    let line = line.map_err(|err| SecretError::Character { at: err.valid_up_to() })?;
    Ok(Zeroizing::new(line.to_owned()))
}

/// Writes a line into a new file of mode 0600, and returns when it is on the disk. An empty file counts as
/// none: it holds no secret, and is what a crash left.
///
/// # Errors
/// [`Kind::AlreadyExists`] when the file exists, which stays as it is; otherwise what the system
/// says.
pub fn write_new(path: &Path, line: &str) -> Result<(), Error> {
    write_new_on(path, line, &Real)
}

pub(crate) fn write_new_on(path: &Path, line: &str, disk: &dyn Disk) -> Result<(), Error> {
    begin(path, line)?.finish_on(disk)
}

/// A secret on its way to a new file, as [`write_new`]; it gets its name when it is finished.
pub(crate) fn begin(path: &Path, line: &str) -> Result<OutFile, Error> {
    let mut out = OutFile::create(path, Content::Secret)?;
    let written = out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n"));
    written.map_err(|err| Error::io(format!("writing {}", path.display()), &err))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn new_files_are_private_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write_new(&path, "one").unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let err = write_new(&path, "two").unwrap_err();
        assert_eq!(err.kind(), Kind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
    }

    #[test]
    fn errors_name_the_file_and_not_what_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert_eq!(read_secret(&path).unwrap_err().kind(), Kind::NotFound);
        let secret = SecretString::generate("dev".parse().unwrap(), None).unwrap().expose();
        for bad in [&secret[..40], &secret.replace("-end", "a-end"), &"x".repeat(5000)] {
            std::fs::write(&path, bad).unwrap();
            let err = read_secret(&path).unwrap_err();
            assert_eq!(err.kind(), Kind::InvalidSecret);
            let shown = format!("{err} {err:?}");
            assert!(shown.contains(&path.display().to_string()), "{shown}");
            assert!(!shown.contains(&secret[6..16]), "{shown}");
        }
        std::fs::write(&path, format!("{}\n", secret.as_str())).unwrap();
        assert_eq!(read_secret(&path).unwrap().expose(), secret);
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(read_secret(&path).unwrap_err().kind(), Kind::InvalidSecret);
    }

    #[test]
    fn a_secret_that_everybody_may_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let secret = SecretString::generate("dev".parse().unwrap(), None).unwrap().expose();
        write_new(&path, &secret).unwrap();
        for (mode, is_read) in
            [(0o600, true), (0o400, true), (0o644, true), (0o660, true), (0o602, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match read_secret(&path) {
                Ok(read) => assert!(is_read && read.expose() == secret, "{mode:o}"),
                Err(err) => {
                    assert!(!is_read, "{mode:o}: {err}");
                    assert_eq!(err.kind(), Kind::PermissionDenied);
                    assert!(err.hint().is_some_and(|hint| hint.contains("chmod 600")), "{err}");
                }
            }
        }
    }
}
