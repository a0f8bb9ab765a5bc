//! Where peers are found that may be unpacked packages: nobody has to install a second supervisor to measure it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::find_program;

/// Where programs are in a package.
const BINARIES: [&str; 4] = ["usr/bin", "usr/sbin", "bin", "sbin"];
/// Where its modules for Python are.
const PYTHON: &str = "usr/lib/python3/dist-packages";

/// The search path, and before it perhaps a directory into which packages were unpacked (`dpkg -x FILE DIR`).
#[derive(Debug, Clone, Default)]
pub struct Packages {
    dir: Option<PathBuf>,
}

impl Packages {
    /// With that directory; none: the search path alone.
    #[must_use]
    pub fn below(dir: Option<&Path>) -> Self {
        // Peers run in directories of their own.
        Self { dir: dir.map(|dir| std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())) }
    }

    /// The program of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let unpacked =
            self.dir.iter().flat_map(|dir| BINARIES.map(|part| dir.join(part).join(name)));
        unpacked.into_iter().find(|file| file.is_file()).or_else(|| find_program(name))
    }

    /// The variables that unpacked programs need to find the files that came with them.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let Some(dir) = &self.dir else { return Vec::new() };
        let libraries: Vec<PathBuf> = std::fs::read_dir(dir.join("usr/lib"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.to_string_lossy().ends_with("-linux-gnu"))
            .collect();
        let libraries = std::env::join_paths(libraries).unwrap_or_default();
        vec![("LD_LIBRARY_PATH", libraries), ("PYTHONPATH", dir.join(PYTHON).into_os_string())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unpacked_comes_before_what_is_installed() {
        let dir = tempfile::tempdir().expect("a directory");
        let bin = dir.path().join("usr/bin");
        std::fs::create_dir_all(&bin).expect("made");
        std::fs::write(bin.join("sh"), "").expect("written");
        let packages = Packages::below(Some(dir.path()));
        assert_eq!(packages.find("sh"), Some(bin.join("sh")));
        assert_eq!(packages.find("env"), find_program("env"));
        assert_eq!(packages.find("no-such-program-anywhere"), None);
        assert!(Packages::default().environment().is_empty());
    }
}
