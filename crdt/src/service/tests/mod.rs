//! The laws of configs: what they are written as, their bounds, what follows from them.

mod bounds;
mod canonical;
mod follows;
mod serde;
mod targets;

use core::num::NonZeroU16;

use super::*;
use crate::id::BlobId;

/// A config with the defaults.
fn fields() -> Fields<Image> {
    Fields::new("web".parse().unwrap(), Image::Blob(BlobId([7; 32])))
}

/// Ports as in a config: 0 is `auto`.
fn ports(all: &[(&str, u16)]) -> Ports {
    let mut ports = Ports::default();
    for (name, number) in all {
        let port = NonZeroU16::new(*number).map_or(Port::Auto, Port::Number);
        ports.push(name.parse().unwrap(), port).unwrap();
    }
    ports
}

/// The mistakes in the fields, one line each.
fn wrong(fields: Fields<Image>) -> Vec<String> {
    let errors = Config::try_from(fields).err();
    errors.map_or(Vec::new(), |errors| errors.0.iter().map(ToString::to_string).collect())
}
