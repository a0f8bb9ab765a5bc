use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

use super::{Permission, Prefix, Scope};

/// A shorthand for permissions. A grant has the permissions, not the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// `viewer`: reads.
    Viewer,
    /// `deployer:H`: reads, and writes the target and the secrets of a horde.
    Deployer(Scope),
    /// `admin`: all but grants and settings.
    Admin,
}

impl Role {
    /// The permissions that it is short for.
    pub fn permissions(&self) -> BTreeSet<Permission> {
        match self {
            Self::Viewer => [Permission::Read].into(),
            Self::Deployer(hordes) => {
                let deploys = Permission::Deploy(hordes.clone());
                [Permission::Read, deploys, Permission::Secrets(secrets_of(hordes))].into()
            }
            Self::Admin => [
                Permission::Read,
                Permission::Horde(Scope::Every),
                Permission::Hordes,
                Permission::Nodes,
                Permission::Deploy(Scope::Every),
                Permission::Secrets(secrets_of(&Scope::Every)),
                Permission::Rules,
                Permission::Publish,
                Permission::Exec,
                Permission::Work(Scope::Every),
            ]
            .into(),
        }
    }
}

/// The secrets of a horde are `secret/HORDE/…`.
fn secrets_of(hordes: &Scope) -> Prefix {
    match hordes {
        Scope::Every => Prefix::default(),
        Scope::Horde(horde) => Prefix::directory(horde),
    }
}

/// A string is not a role. Nothing was changed; the caller's input is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid role {0:?}: expected viewer, deployer:H or admin, with a horde or `*` for H")]
pub struct RoleError(String);

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        let wrong = || RoleError(text.chars().take(80).collect());
        match text.split_once(':') {
            None if text == "viewer" => Ok(Self::Viewer),
            None if text == "admin" => Ok(Self::Admin),
            Some(("deployer", of)) => of.parse().map(Self::Deployer).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Viewer => f.write_str("viewer"),
            Self::Deployer(hordes) => write!(f, "deployer:{hordes}"),
            Self::Admin => f.write_str("admin"),
        }
    }
}
