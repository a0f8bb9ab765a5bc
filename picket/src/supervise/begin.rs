//! How a program of an instance is started: by a thread of the pool, which is given all that it needs.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Mutex;

use crux_protocol::picket::{Image, Record, Version};

use super::calls::enforceable;
use super::environ::{Around, spec};
use super::images::load;
use super::places::Places;
use super::work::Unstarted;
use crate::handle::{self, Keeper, Start};
use crate::image::{ImageError, Images};
use crate::link::Ready;
use crate::record::Record as Kept;
use crate::user;

/// All that a thread needs to start a program of an instance.
pub(super) struct Begin {
    pub(super) places: Places,
    pub(super) addr: IpAddr,
    pub(super) node: Option<Ready>,
}

/// The surroundings that a program is told of, with its directory.
pub(super) struct Surroundings<'a> {
    node: Option<&'a Ready>,
    addr: IpAddr,
    home: PathBuf,
}

impl Surroundings<'_> {
    pub(super) fn as_around(&self) -> Around<'_> {
        Around { node: self.node, addr: self.addr, dir: &self.home }
    }
}

impl Begin {
    /// Where a program of an instance runs, and as whom. Makes its directory.
    pub(super) fn around(
        &self,
        version: &Version,
        record: &Record,
    ) -> Result<(Surroundings<'_>, Option<user::User>), String> {
        let config = &version.config;
        let user = user::resolve(config.user.as_deref()).map_err(|err| err.to_string())?;
        let home = self.places.service(&config.name, record.ordinal);
        let made = super::home::make(self.places.data_dir(), &home, user.as_ref());
        made.map_err(|err| format!("making the service's directory {}: {err}", home.display()))?;
        Ok((Surroundings { node: self.node.as_ref(), addr: self.addr, home }, user))
    }

    pub(super) fn start(
        &self,
        record: &Record,
        version: &Version,
        kept: Kept,
        (image, images): (&Image, &Mutex<Images>),
    ) -> Result<Keeper, Unstarted> {
        // A person was refused before; a target may want of a node what it cannot do.
        enforceable(&version.config).map_err(str::to_owned)?;
        let (around, user) = self.around(version, record)?;
        let unready = |err: ImageError| Unstarted::Image(image.blob(), err.to_string());
        let image = load(images, image).map_err(unready)?;
        let start = Start {
            dir: self.places.instance(&record.instance),
            instance: record.instance.to_string(),
            detail: serde_json::Value::Null,
            image: &image,
            program: spec(version, record, user, around.as_around()),
            orphan_time: handle::ORPHAN_TIME,
            grace: handle::GRACE,
        };
        Keeper::start_recorded(start, kept).map_err(|err| err.to_string().into())
    }
}
