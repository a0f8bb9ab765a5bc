//! Ports: their names, and how each gets its number.

use core::fmt;
use core::num::NonZeroU16;
use core::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::bounds::PORTS_MAX;

/// The name of a port: a letter, then letters, digits and `_`; ASCII; at most [`PortName::MAX`] bytes.
///
/// The program finds its number in the variable `CRUX_PORT_` with the name in upper case, so two names of
/// a service that differ only in case are refused.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortName(String);

/// Why a text is not the name of a port. The caller's input is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a port's name is a letter, then letters, digits and `_`; at most {} bytes", PortName::MAX)]
pub struct PortNameError;

impl PortName {
    /// The greatest length in bytes. A guess: the variable's name stays readable.
    pub const MAX: usize = 31;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The variable in which the program finds the number.
    pub fn variable(&self) -> String {
        format!("CRUX_PORT_{}", self.0.to_ascii_uppercase())
    }
}

impl FromStr for PortName {
    type Err = PortNameError;

    fn from_str(s: &str) -> Result<Self, PortNameError> {
        let begins = s.starts_with(|c: char| c.is_ascii_alphabetic());
        let rest = s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if begins && rest && s.len() <= Self::MAX {
            Ok(Self(s.to_owned()))
        } else {
            Err(PortNameError)
        }
    }
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// How a port gets its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// It is that one.
    Number(NonZeroU16),
    /// The picket chooses a free one for each instance. Written `auto`.
    Auto,
}

impl Port {
    /// The number, where it is fixed.
    pub const fn number(self) -> Option<u16> {
        match self {
            Self::Number(number) => Some(number.get()),
            Self::Auto => None,
        }
    }
}

impl Serialize for Port {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.number() {
            Some(number) => serializer.serialize_u16(number),
            None => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfAny;

        impl Visitor<'_> for OfAny {
            type Value = Port;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port from 1 to 65535, or \"auto\"")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Port, E> {
                let port = u16::try_from(number).ok().and_then(NonZeroU16::new);
                let wrong = || E::custom(format!("invalid port {number}: expected 1 to 65535"));
                port.map(Port::Number).ok_or_else(wrong)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Port, E> {
                let wrong = |_| E::custom(format!("invalid port {number}: expected 1 to 65535"));
                self.visit_u64(u64::try_from(number).map_err(wrong)?)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Port, E> {
                if text == "auto" { Ok(Port::Auto) } else { Err(E::custom(NotAPort)) }
            }
        }

        deserializer.deserialize_any(OfAny)
    }
}

/// Neither a number nor `auto`.
#[derive(Debug, thiserror::Error)]
#[error("write a number from 1 to 65535, or \"auto\"")]
struct NotAPort;

/// The ports of a service in the order in which they are written: the first is the one that `PORT` has and
/// that the service is registered with.
#[derive(Clone, PartialEq, Eq, Default, Hash)]
pub struct Ports(Vec<(PortName, Port)>);

/// A name is there twice, or differs from another only in case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ports {0} and {1} have the same variable: names of ports differ not only in case")]
pub struct SamePort(pub PortName, pub PortName);

impl Ports {
    /// Adds a port behind the others.
    ///
    /// # Errors
    /// [`SamePort`] when there is one of that name, in any case. Nothing changed.
    pub fn push(&mut self, name: PortName, port: Port) -> Result<(), SamePort> {
        let same = |(other, _): &&(PortName, Port)| other.0.eq_ignore_ascii_case(&name.0);
        if let Some((other, _)) = self.0.iter().find(same) {
            return Err(SamePort(other.clone(), name));
        }
        self.0.push((name, port));
        Ok(())
    }

    /// The first as written.
    pub fn first(&self) -> Option<&PortName> {
        self.0.first().map(|(name, _)| name)
    }

    /// The port of that name, in exactly that case.
    pub fn get(&self, name: &PortName) -> Option<Port> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, port)| *port)
    }

    /// All, in the order in which they are written.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&PortName, Port)> {
        self.0.iter().map(|(name, port)| (name, *port))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Ports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, port) in self.iter() {
            map.serialize_entry(name, &port)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfMap;

        impl<'de> Visitor<'de> for OfMap {
            type Value = Ports;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of ports, as in { http = \"auto\" }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ports, A::Error> {
                let mut ports = Ports::default();
                while let Some((name, port)) = map.next_entry()? {
                    if ports.len() == PORTS_MAX {
                        let why = format!("there are more than {PORTS_MAX} ports");
                        return Err(A::Error::custom(why));
                    }
                    ports.push(name, port).map_err(A::Error::custom)?;
                }
                Ok(ports)
            }
        }

        deserializer.deserialize_map(OfMap)
    }
}
