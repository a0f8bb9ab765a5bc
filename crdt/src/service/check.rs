//! Checks: how the picket finds out whether a program answers.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::default;
use super::port::PortName;
use super::written;

/// One check of an instance. It runs in every period of the config, one run at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Check {
    /// The probe itself.
    pub probe: Probe,
    /// How long it may take, within [`CHECK_TIMEOUT`](super::CHECK_TIMEOUT); 5 s. Longer counts as failed.
    pub timeout: Duration,
}

/// The attempt that a check makes. The address is the one at which the service listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Probe {
    /// The port accepts a connection.
    Tcp {
        /// One of the service's.
        port: PortName,
    },
    /// `GET` of a path answers with a status from 200 to 399.
    Http {
        /// Begins with `/`; visible ASCII.
        path: String,
        /// One of the service's.
        port: PortName,
    },
    /// `grpc.health.v1` answers SERVING.
    Grpc {
        /// One of the service's.
        port: PortName,
        /// The service that is asked for; empty: the whole server.
        service: String,
    },
    /// A command ends with 0.
    Exec {
        /// An absolute path, or a name that is found in the service's PATH, and its arguments.
        command: Vec<String>,
    },
}

impl Check {
    /// A check with the default time-out.
    pub const fn new(probe: Probe) -> Self {
        Self { probe, timeout: default::CHECK_TIMEOUT }
    }
}

impl Probe {
    /// The port that it tries; none: it is a command.
    pub const fn port(&self) -> Option<&PortName> {
        match self {
            Self::Tcp { port } | Self::Http { port, .. } | Self::Grpc { port, .. } => Some(port),
            Self::Exec { .. } => None,
        }
    }
}

/// As in the command line: `tcp:http`, `http:/healthz:http`, `grpc:api`, `exec:…`. For people.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { port } => write!(f, "tcp:{port}"),
            Self::Http { path, port } => write!(f, "http:{path}:{port}"),
            Self::Grpc { port, .. } => write!(f, "grpc:{port}"),
            Self::Exec { command } => write!(f, "exec:{}", command.join(" ")),
        }
    }
}

/// A check as it is written: one of four keys says which it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tcp: Option<PortName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grpc: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exec: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<PortName>,
    #[serde(default = "timeout", with = "written::duration")]
    timeout: Duration,
}

const fn timeout() -> Duration {
    default::CHECK_TIMEOUT
}

/// Why a table is not a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum NotACheck {
    #[error("a check has exactly one of the keys tcp, http, grpc and exec")]
    Kind,
    #[error("a check by http or grpc has a port")]
    NoPort,
    #[error("a check by tcp names its port as in {{ tcp = \"http\" }}, and one by exec has none")]
    Port,
}

impl TryFrom<Written> for Check {
    type Error = NotACheck;

    fn try_from(written: Written) -> Result<Self, NotACheck> {
        let Written { tcp, http, grpc, exec, port, timeout } = written;
        let needs = |port: Option<PortName>| port.ok_or(NotACheck::NoPort);
        let probe = match (tcp, http, grpc, exec) {
            (Some(_), None, None, None) | (None, None, None, Some(_)) if port.is_some() => {
                return Err(NotACheck::Port);
            }
            (Some(port), None, None, None) => Probe::Tcp { port },
            (None, Some(path), None, None) => Probe::Http { path, port: needs(port)? },
            (None, None, Some(service), None) => Probe::Grpc { port: needs(port)?, service },
            (None, None, None, Some(command)) => Probe::Exec { command },
            _ => return Err(NotACheck::Kind),
        };
        Ok(Self { probe, timeout })
    }
}

impl From<Check> for Written {
    fn from(check: Check) -> Self {
        let none = Self {
            tcp: None,
            http: None,
            grpc: None,
            exec: None,
            port: None,
            timeout: check.timeout,
        };
        match check.probe {
            Probe::Tcp { port } => Self { tcp: Some(port), ..none },
            Probe::Http { path, port } => Self { http: Some(path), port: Some(port), ..none },
            Probe::Grpc { port, service } => Self { grpc: Some(service), port: Some(port), ..none },
            Probe::Exec { command } => Self { exec: Some(command), ..none },
        }
    }
}
