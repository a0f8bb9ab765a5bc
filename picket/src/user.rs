//! The user that a program runs as.
//!
//! Names are looked up in `/etc/passwd` and `/etc/group`, not through the system's library: a static
//! node has none, and its modules have no place in a process that must not fail. Users of a directory
//! service are given by number.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The user of programs for which none is written, where the node is root.
pub const NOBODY: &str = "nobody";
/// Its number on machines that do not list it, such as an empty container.
const NOBODY_ID: u32 = 65534;
/// How large a file of users is read. A guess, far above what machines have.
const FILE_MAX: u64 = 16 << 20;
/// The most groups of a user: the kernel's `NGROUPS_MAX`.
const GROUPS_MAX: usize = 65536;

/// A user with its groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its name, or the number that was given.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its own group.
    pub gid: u32,
    /// All its groups.
    pub groups: Vec<u32>,
}

/// Why there is no such user for a program.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Only root may start programs as another.
    #[error(
        "user = {0:?} needs a node that runs as root, and this one does not; remove the line, or start \
         the node as root"
    )]
    NotRoot(String),
    /// Not in the list.
    #[error("this machine has no user {0:?} in /etc/passwd; add it, or give the user's number")]
    Unknown(String),
    /// Root under another name.
    #[error("user {0:?} is root; write user = \"root\" if the program has to have all rights")]
    RootNotWritten(String),
    /// The list cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
}

/// The user of a program: `None` as the node itself.
///
/// A node that runs as root gives a program without a user to `nobody`, and to root only if exactly
/// `root` is written. A node that does not cannot give it to anybody.
///
/// # Errors
/// [`UserError`].
pub fn resolve(name: Option<&str>) -> Result<Option<User>, UserError> {
    resolve_in(Path::new("/etc"), rustix::process::geteuid().is_root(), name)
}

fn resolve_in(etc: &Path, root: bool, name: Option<&str>) -> Result<Option<User>, UserError> {
    match (root, name) {
        (false, None) => Ok(None),
        (false, Some(name)) => Err(UserError::NotRoot(name.to_owned())),
        (true, name) => {
            let wanted = name.unwrap_or(NOBODY);
            let user = look_up(etc, wanted)?;
            if user.uid == 0 && wanted != "root" {
                return Err(UserError::RootNotWritten(wanted.to_owned()));
            }
            Ok(Some(user))
        }
    }
}

fn look_up(etc: &Path, wanted: &str) -> Result<User, UserError> {
    let number: Option<u32> = wanted.parse().ok();
    let passwd = read(&etc.join("passwd"))?;
    let mut found = None;
    for line in passwd.lines() {
        let mut fields = line.split(':');
        let (Some(name), _, Some(uid), Some(gid)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let (Ok(uid), Ok(gid)) = (uid.parse::<u32>(), gid.parse::<u32>()) else { continue };
        if name == wanted || number == Some(uid) {
            found = Some((name.to_owned(), uid, gid));
            break;
        }
    }
    let (name, uid, gid) = match (found, number) {
        (Some(found), _) => found,
        // -1 means "as it is" to the kernel.
        (None, Some(number)) if number != u32::MAX => (wanted.to_owned(), number, number),
        (None, None) if wanted == NOBODY => (wanted.to_owned(), NOBODY_ID, NOBODY_ID),
        (None, _) => return Err(UserError::Unknown(wanted.to_owned())),
    };
    let mut groups = BTreeSet::from([gid]);
    groups.extend(groups_of(&read(&etc.join("group"))?, &name));
    let groups = groups.into_iter().take(GROUPS_MAX).collect();
    Ok(User { name, uid, gid, groups })
}

fn groups_of(list: &str, user: &str) -> Vec<u32> {
    let of = |line: &str| {
        let mut fields = line.split(':');
        let gid = fields.nth(2)?.parse().ok()?;
        fields.next()?.split(',').any(|member| member == user).then_some(gid)
    };
    list.lines().filter_map(of).collect()
}

/// A list that is not there is empty: containers have none.
fn read(path: &Path) -> Result<String, UserError> {
    use io::Read as _;

    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes));
    match read {
        Err(err) if err.kind() != io::ErrorKind::NotFound => {
            Err(UserError::Read { path: path.to_owned(), source: err })
        }
        // Comments may be in any encoding.
        _ => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etc() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        let users = "root:x:0:0::/:/bin/sh\n# a comment\ntoor:x:0:0::/:/bin/sh\nweb:x:1001:1002:Web:/:\nbad:x:y:z\n";
        fs::write(dir.path().join("passwd"), users).expect("written");
        let groups = "web:x:1002:\nlogs:x:50:other,web\nwebs:x:51:web2\nbad\n";
        fs::write(dir.path().join("group"), groups).expect("written");
        dir
    }

    #[test]
    fn names_and_numbers_are_found_with_their_groups() {
        let etc = etc();
        let web = User { name: "web".to_owned(), uid: 1001, gid: 1002, groups: vec![50, 1002] };
        for name in ["web", "1001"] {
            let found = resolve_in(etc.path(), true, Some(name)).expect("found");
            assert_eq!(found, Some(web.clone()), "{name}");
        }
        let number = resolve_in(etc.path(), true, Some("4242")).expect("a number").expect("a user");
        assert_eq!((number.uid, number.gid, number.groups), (4242, 4242, vec![4242]));
    }

    #[test]
    fn root_has_to_be_written() {
        let etc = etc();
        let root = resolve_in(etc.path(), true, Some("root")).expect("written").expect("a user");
        assert_eq!(root.uid, 0);
        for name in ["toor", "0"] {
            let refused = resolve_in(etc.path(), true, Some(name));
            assert!(matches!(refused, Err(UserError::RootNotWritten(_))), "{name}: {refused:?}");
        }
    }

    #[test]
    fn a_root_node_without_a_user_means_nobody() {
        let empty = tempfile::tempdir().expect("a directory");
        let nobody = resolve_in(empty.path(), true, None).expect("found").expect("a user");
        assert_eq!((nobody.uid, nobody.gid), (NOBODY_ID, NOBODY_ID));
        for name in ["ghost", "4294967295", "4294967296", "-1", ""] {
            let unknown = resolve_in(empty.path(), true, Some(name));
            assert!(matches!(unknown, Err(UserError::Unknown(_))), "{name}: {unknown:?}");
        }
    }

    #[test]
    fn a_node_that_is_not_root_gives_programs_to_nobody_else() {
        let etc = etc();
        assert_eq!(resolve_in(etc.path(), false, None).expect("itself"), None);
        let refused = resolve_in(etc.path(), false, Some("web"));
        assert!(matches!(refused, Err(UserError::NotRoot(_))), "{refused:?}");
    }
}
