//! The picket's answers, as messages and back.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_proto::v1;

use super::Message;
use super::field::{config_from_wire, config_to_wire, parse, present};
use crate::error::Error;
use crate::model::json::whole_millis;
use crate::model::{
    CheckState, Event, Inspected, Instance, InstanceExit, LogLine, Picket, PreviousImage, Settled,
    WallTime,
};

/// An empty text is none.
fn some(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn ports_to_wire(ports: &BTreeMap<String, u16>) -> HashMap<String, u32> {
    ports.iter().map(|(name, port)| (name.clone(), (*port).into())).collect()
}

fn ports_from_wire(wire: &HashMap<String, u32>) -> Result<BTreeMap<String, u16>, Error> {
    let port = |(name, port): (&String, &u32)| {
        Ok((name.clone(), present("ports", u16::try_from(*port).ok())?))
    };
    wire.iter().map(port).collect()
}

impl Message for Picket {
    type Wire = v1::GetPicketResponse;

    fn to_wire(&self) -> v1::GetPicketResponse {
        let Self { pid, fulcrum_pid, services, generation } = *self;
        v1::GetPicketResponse { pid, fulcrum_pid, services, generation }
    }

    fn from_wire(wire: &v1::GetPicketResponse) -> Result<Self, Error> {
        let v1::GetPicketResponse { pid, fulcrum_pid, services, generation } = *wire;
        Ok(Self { pid, fulcrum_pid, services, generation })
    }
}

impl Message for Settled {
    type Wire = v1::SettledResponse;

    fn to_wire(&self) -> v1::SettledResponse {
        v1::SettledResponse {
            service: self.service.to_string(),
            rev: self.rev.to_string(),
            instance: self.instance.clone(),
            state: self.state.to_string(),
            pid: self.pid,
            ports: ports_to_wire(&self.ports),
            change: self.change.to_string(),
            generation: self.generation,
            notes: self.notes.clone(),
        }
    }

    fn from_wire(wire: &v1::SettledResponse) -> Result<Self, Error> {
        Ok(Self {
            service: parse("service", &wire.service)?,
            rev: parse("rev", &wire.rev)?,
            instance: wire.instance.clone(),
            state: parse("state", &wire.state)?,
            pid: wire.pid,
            ports: ports_from_wire(&wire.ports)?,
            change: parse("change", &wire.change)?,
            generation: wire.generation,
            notes: wire.notes.clone(),
        })
    }
}

impl Message for Instance {
    type Wire = v1::Instance;

    fn to_wire(&self) -> v1::Instance {
        v1::Instance {
            service: self.service.to_string(),
            rev: self.rev.to_string(),
            ordinal: self.ordinal.into(),
            horde: self.horde.to_string(),
            instance: self.instance.clone().unwrap_or_default(),
            state: self.state.to_string(),
            status: self.status.to_string(),
            since_ms: whole_millis(self.since),
            pid: self.pid,
            restarts: self.restarts,
            image: self.image.as_ref().map(BlobId::to_string).unwrap_or_default(),
            sealed: self.sealed,
            ports: ports_to_wire(&self.ports),
            memory: self.memory,
            cpu_ms: self.cpu.map(whole_millis),
            reason: self.reason.clone().unwrap_or_default(),
        }
    }

    fn from_wire(wire: &v1::Instance) -> Result<Self, Error> {
        let image = some(&wire.image).map(|image| parse("image", &image));
        Ok(Self {
            service: parse("service", &wire.service)?,
            rev: parse("rev", &wire.rev)?,
            ordinal: present("ordinal", wire.ordinal.try_into().ok())?,
            horde: parse("horde", &wire.horde)?,
            instance: some(&wire.instance),
            state: parse("state", &wire.state)?,
            status: parse("status", &wire.status)?,
            since: Duration::from_millis(wire.since_ms),
            pid: wire.pid,
            restarts: wire.restarts,
            image: image.transpose()?,
            sealed: wire.sealed,
            ports: ports_from_wire(&wire.ports)?,
            memory: wire.memory,
            cpu: wire.cpu_ms.map(Duration::from_millis),
            reason: some(&wire.reason),
        })
    }
}

impl Message for CheckState {
    type Wire = v1::CheckState;

    fn to_wire(&self) -> v1::CheckState {
        v1::CheckState {
            instance: self.instance.clone(),
            check: self.check.clone(),
            passed: self.passed,
            failures: self.failures,
            ago_ms: self.ago.map(whole_millis),
            text: self.text.clone(),
        }
    }

    fn from_wire(wire: &v1::CheckState) -> Result<Self, Error> {
        Ok(Self {
            instance: wire.instance.clone(),
            check: wire.check.clone(),
            passed: wire.passed,
            failures: wire.failures,
            ago: wire.ago_ms.map(Duration::from_millis),
            text: wire.text.clone(),
        })
    }
}

impl Message for InstanceExit {
    type Wire = v1::InstanceExit;

    fn to_wire(&self) -> v1::InstanceExit {
        v1::InstanceExit {
            instance: self.instance.clone(),
            at_unix_ms: self.at.unix_ms,
            code: self.code,
            signal: self.signal,
            ran_ms: whole_millis(self.ran),
            reason: self.reason.clone(),
        }
    }

    fn from_wire(wire: &v1::InstanceExit) -> Result<Self, Error> {
        Ok(Self {
            instance: wire.instance.clone(),
            at: WallTime { unix_ms: wire.at_unix_ms },
            code: wire.code,
            signal: wire.signal,
            ran: Duration::from_millis(wire.ran_ms),
            reason: wire.reason.clone(),
        })
    }
}

impl Message for PreviousImage {
    type Wire = v1::PreviousImage;

    fn to_wire(&self) -> v1::PreviousImage {
        v1::PreviousImage { rev: self.rev.to_string(), image: self.image.to_string() }
    }

    fn from_wire(wire: &v1::PreviousImage) -> Result<Self, Error> {
        let (rev, image) = (parse("previous.rev", &wire.rev)?, parse("previous", &wire.image)?);
        Ok(Self { rev, image })
    }
}

impl Message for Inspected {
    type Wire = v1::InspectServiceResponse;

    fn to_wire(&self) -> v1::InspectServiceResponse {
        v1::InspectServiceResponse {
            config: config_to_wire(&self.config),
            generation: self.generation,
            wanted: self.wanted,
            instances: self.instances.iter().map(Message::to_wire).collect(),
            checks: self.checks.iter().map(Message::to_wire).collect(),
            exits: self.exits.iter().map(Message::to_wire).collect(),
            previous: self.previous.as_ref().map(Message::to_wire),
            isolation: self.isolation.clone().into_iter().collect(),
        }
    }

    fn from_wire(wire: &v1::InspectServiceResponse) -> Result<Self, Error> {
        fn all<T: Message>(wire: &[T::Wire]) -> Result<Vec<T>, Error> {
            wire.iter().map(T::from_wire).collect()
        }
        Ok(Self {
            config: config_from_wire(&wire.config)?,
            generation: wire.generation,
            wanted: wire.wanted,
            instances: all(&wire.instances)?,
            checks: all(&wire.checks)?,
            exits: all(&wire.exits)?,
            previous: wire.previous.as_ref().map(Message::from_wire).transpose()?,
            isolation: wire.isolation.clone().into_iter().collect(),
        })
    }
}

impl Message for LogLine {
    type Wire = v1::LogLine;

    fn to_wire(&self) -> v1::LogLine {
        v1::LogLine {
            at_unix_ms: self.at.unix_ms,
            instance: self.instance.clone(),
            stream: self.stream.to_string(),
            text: self.text.clone(),
        }
    }

    fn from_wire(wire: &v1::LogLine) -> Result<Self, Error> {
        Ok(Self {
            at: WallTime { unix_ms: wire.at_unix_ms },
            instance: wire.instance.clone(),
            stream: parse("stream", &wire.stream)?,
            text: wire.text.clone(),
        })
    }
}

impl Message for Event {
    type Wire = v1::Event;

    fn to_wire(&self) -> v1::Event {
        v1::Event {
            seq: self.seq,
            at_unix_ms: self.at.unix_ms,
            up_ms: whole_millis(self.up),
            boot: self.boot.clone(),
            kind: self.kind.clone(),
            node: self.node.to_string(),
            principal: self.principal.to_string(),
            detail: self.detail.clone().into_iter().collect(),
            text: self.text.clone(),
        }
    }

    fn from_wire(wire: &v1::Event) -> Result<Self, Error> {
        Ok(Self {
            seq: wire.seq,
            at: WallTime { unix_ms: wire.at_unix_ms },
            up: Duration::from_millis(wire.up_ms),
            boot: wire.boot.clone(),
            kind: wire.kind.clone(),
            node: parse("node", &wire.node)?,
            principal: parse("principal", &wire.principal)?,
            detail: wire.detail.clone().into_iter().collect(),
            text: wire.text.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;
    use crate::error::Kind;
    use crate::model::testing;

    fn round_trips<T: Message + PartialEq + Debug>(value: &T) {
        assert_eq!(T::from_wire(&value.to_wire()).as_ref(), Ok(value));
    }

    #[test]
    fn what_the_picket_writes_the_client_reads() {
        testing::instances().iter().for_each(round_trips);
        testing::settled().iter().for_each(round_trips);
        testing::inspected().iter().for_each(round_trips);
        testing::log_lines().iter().for_each(round_trips);
        round_trips(&testing::event());
        for fulcrum_pid in [None, Some(8)] {
            round_trips(&Picket { pid: 7, fulcrum_pid, services: 3, generation: 4 });
        }
    }

    #[test]
    fn a_port_that_is_too_great_is_named() {
        let mut wire = testing::instances()[0].to_wire();
        wire.ports.insert("http".to_owned(), 65_536);
        let err = Instance::from_wire(&wire).unwrap_err();
        assert_eq!(err.kind(), Kind::Internal);
        assert!(err.to_string().contains("ports"), "{err}");
    }
}
