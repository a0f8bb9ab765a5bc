use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::user::User;

/// The surroundings of a program. Nothing else reaches it: no variable, descriptor or right of the node's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Its arguments, the first of which is its name.
    pub argv: Vec<String>,
    /// Its environment, all of it.
    pub env: Vec<(String, String)>,
    /// Its working directory, an absolute path to a directory that is there.
    pub dir: PathBuf,
    /// Its user; none: the node's own. [`crate::user::resolve`] says which it may be.
    pub user: Option<User>,
    /// How many descriptors it may have open.
    pub nofile: u64,
}

/// Why a program cannot have this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A program's first argument is its name.
    #[error("a program without a name was to be started: an error in this node")]
    NoName,
    /// The system's strings end with it.
    #[error("an argument or a variable has a zero byte in it; the system cannot pass that on")]
    ZeroByte,
    /// A variable's name ends at the first one.
    #[error("the variable {0:?} has an empty name, or one with \"=\" in it")]
    Variable(String),
    /// Relative to what?
    #[error("the working directory {0} is not an absolute path: an error in this node")]
    Directory(PathBuf),
}

impl Spec {
    /// Checks what the system would refuse or misread.
    ///
    /// # Errors
    /// [`SpecError`].
    pub fn check(&self) -> Result<(), SpecError> {
        if self.argv.is_empty() {
            return Err(SpecError::NoName);
        }
        let variables = self.env.iter().flat_map(|(name, value)| [name, value]);
        if self.argv.iter().chain(variables).any(|text| text.contains('\0')) {
            return Err(SpecError::ZeroByte);
        }
        let bad = self.env.iter().find(|(name, _)| name.is_empty() || name.contains('='));
        if let Some((name, _)) = bad {
            return Err(SpecError::Variable(name.clone()));
        }
        if !self.dir.is_absolute() {
            return Err(SpecError::Directory(self.dir.clone()));
        }
        Ok(())
    }
}
