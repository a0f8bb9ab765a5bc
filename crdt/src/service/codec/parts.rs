//! The canonical bytes of what a config is made of.

use core::num::NonZeroU16;
use core::time::Duration;
use std::collections::BTreeMap;

use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::id::BlobId;
use crate::name::ServiceName;
use crate::record::{LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX, SERVICE_LABELS_MAX};
use crate::service::bounds::{EXEC_WORDS_MAX, PORTS_MAX, TEXT_BYTES_MAX};
use crate::service::{
    Check, Image, Limits, Machine, Moving, OnMinority, Port, PortName, Ports, Probe, RegisterAs,
    ReplaceAfter, Rollout, Step,
};

pub(super) fn encode_u16(value: u16, out: &mut Encoder) {
    out.fixed(&value.to_be_bytes());
}

pub(super) fn decode_u16(input: &mut Decoder<'_>, what: &'static str) -> Result<u16, DecodeError> {
    Ok(u16::from_be_bytes(input.array(what)?))
}

/// Whole milliseconds, as every duration of a config is. All bounds are below 2^32 of them.
pub(super) fn encode_millis(time: Duration, out: &mut Encoder) {
    out.u32(u32::try_from(time.as_millis()).unwrap_or(u32::MAX));
}

pub(super) fn decode_millis(input: &mut Decoder<'_>) -> Result<Duration, DecodeError> {
    Ok(Duration::from_millis(input.u32("duration")?.into()))
}

pub(super) fn decode_name(
    input: &mut Decoder<'_>,
    what: &'static str,
) -> Result<ServiceName, DecodeError> {
    input.parse(ServiceName::MAX, what)
}

/// A text of any characters.
pub(super) fn decode_text(input: &mut Decoder<'_>) -> Result<String, DecodeError> {
    Ok(input.str(TEXT_BYTES_MAX, "text of a service config")?.to_owned())
}

pub(super) fn encode_list<T>(list: &[T], out: &mut Encoder, encode: impl Fn(&T, &mut Encoder)) {
    out.count(list.len());
    list.iter().for_each(|item| encode(item, out));
}

pub(super) fn decode_list<T>(
    input: &mut Decoder<'_>,
    most: usize,
    what: &'static str,
    decode: impl Fn(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = input.count(most, what)?;
    (0..count).map(|_| decode(input)).collect()
}

/// A map of texts: its bounds, and its name in errors.
pub(super) struct Map {
    pub(super) most: usize,
    pub(super) name: usize,
    pub(super) value: usize,
    pub(super) what: &'static str,
}

impl Map {
    pub(super) fn encode(&self, map: &BTreeMap<String, String>, out: &mut Encoder) {
        out.count(map.len());
        map.iter().for_each(|(name, value)| _ = out.str(name).str(value));
    }

    pub(super) fn decode(
        &self,
        input: &mut Decoder<'_>,
    ) -> Result<BTreeMap<String, String>, DecodeError> {
        let count = input.count(self.most, self.what)?;
        let mut map: BTreeMap<String, String> = BTreeMap::new();
        for _ in 0..count {
            let (name, value) =
                (input.str(self.name, self.what)?, input.str(self.value, self.what)?);
            if map.last_key_value().is_some_and(|(last, _)| last.as_str() >= name) {
                return Err(DecodeError::Invalid(self.what));
            }
            map.insert(name.to_owned(), value.to_owned());
        }
        Ok(map)
    }
}

impl Canonical for Image {
    fn encode(&self, out: &mut Encoder) {
        match self {
            Self::Blob(blob) => _ = out.u8(0).fixed(&blob.0),
            Self::PerMachine(blobs) => {
                out.u8(1).count(blobs.len());
                blobs
                    .iter()
                    .for_each(|(machine, blob)| _ = out.u8(number(*machine)).fixed(&blob.0));
            }
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        if !input.bool("image")? {
            return Ok(Self::Blob(BlobId(input.array("image")?)));
        }
        let mut blobs = BTreeMap::new();
        for _ in 0..input.count(Machine::ALL.len(), "images")? {
            let found = input.u8("machine")?;
            let machine = Machine::ALL.into_iter().find(|machine| number(*machine) == found);
            let machine = machine.ok_or(DecodeError::Unknown { what: "machine", found })?;
            if blobs.last_key_value().is_some_and(|(last, _)| *last >= machine) {
                return Err(DecodeError::Invalid("order of machines"));
            }
            blobs.insert(machine, BlobId(input.array("image")?));
        }
        Ok(Self::PerMachine(blobs))
    }
}

/// The number of a kind of machine. They ascend as the kinds do.
const fn number(machine: Machine) -> u8 {
    match machine {
        Machine::X86_64 => 1,
        Machine::Aarch64 => 2,
    }
}

impl Canonical for Ports {
    fn encode(&self, out: &mut Encoder) {
        out.count(self.len());
        for (name, port) in self.iter() {
            encode_u16(port.number().unwrap_or(0), out.str(name.as_str()));
        }
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let mut ports = Self::default();
        for _ in 0..input.count(PORTS_MAX, "ports")? {
            let name = input.parse(PortName::MAX, "name of a port")?;
            let number = NonZeroU16::new(decode_u16(input, "port")?);
            let added = ports.push(name, number.map_or(Port::Auto, Port::Number));
            added.map_err(|_| DecodeError::Invalid("names of ports"))?;
        }
        Ok(ports)
    }
}

impl Canonical for RegisterAs {
    fn encode(&self, out: &mut Encoder) {
        out.str(self.service.as_str()).str(self.rev.as_str()).str(self.port.as_str());
        LABELS.encode(&self.labels, out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            service: decode_name(input, "registered name")?,
            rev: decode_name(input, "registered revision")?,
            port: decode_port(input)?,
            labels: LABELS.decode(input)?,
        })
    }
}

const LABELS: Map = Map {
    most: SERVICE_LABELS_MAX,
    name: LABEL_KEY_BYTES_MAX,
    value: LABEL_VALUE_BYTES_MAX,
    what: "labels",
};

fn decode_port(input: &mut Decoder<'_>) -> Result<PortName, DecodeError> {
    input.parse(PortName::MAX, "name of a port")
}

impl Canonical for Check {
    fn encode(&self, out: &mut Encoder) {
        match &self.probe {
            Probe::Tcp { port } => _ = out.u8(1).str(port.as_str()),
            Probe::Http { path, port } => _ = out.u8(2).str(path).str(port.as_str()),
            Probe::Grpc { port, service } => _ = out.u8(3).str(service).str(port.as_str()),
            Probe::Exec { command } => {
                encode_list(command, out.u8(4), |word, out| _ = out.str(word));
            }
        }
        encode_millis(self.timeout, out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let probe = match input.u8("check")? {
            1 => Probe::Tcp { port: decode_port(input)? },
            2 => Probe::Http { path: decode_text(input)?, port: decode_port(input)? },
            3 => {
                let service = decode_text(input)?;
                Probe::Grpc { port: decode_port(input)?, service }
            }
            4 => Probe::Exec {
                command: decode_list(input, EXEC_WORDS_MAX, "words of a check", decode_text)?,
            },
            found => return Err(DecodeError::Unknown { what: "check", found }),
        };
        Ok(Self { probe, timeout: decode_millis(input)? })
    }
}

impl Canonical for Limits {
    fn encode(&self, out: &mut Encoder) {
        // None is 0, which no limit can be.
        out.u64(self.memory.unwrap_or(0)).u32(self.pids.unwrap_or(0));
        out.u32(self.cpu_milli.unwrap_or(0)).u8(self.required.into());
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let memory = Some(input.u64("memory")?).filter(|memory| *memory > 0);
        let pids = Some(input.u32("pids")?).filter(|pids| *pids > 0);
        let cpu_milli = Some(input.u32("cpu")?).filter(|milli| *milli > 0);
        Ok(Self { memory, pids, cpu_milli, required: input.bool("required limits")? })
    }
}

impl Canonical for Rollout {
    fn encode(&self, out: &mut Encoder) {
        match self.step {
            Step::Nodes(nodes) => encode_u16(nodes, out.u8(1)),
            Step::Percent(percent) => _ = out.u8(2).u8(percent),
        }
        encode_millis(self.deadline, out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let step = match input.u8("step of a roll-out")? {
            1 => Step::Nodes(decode_u16(input, "step of a roll-out")?),
            2 => Step::Percent(input.u8("step of a roll-out")?),
            _ => return Err(DecodeError::Invalid("step of a roll-out")),
        };
        Ok(Self { step, deadline: decode_millis(input)? })
    }
}

impl Canonical for Moving {
    fn encode(&self, out: &mut Encoder) {
        match self.replace_after {
            ReplaceAfter::Never => _ = out.u8(0),
            ReplaceAfter::Time(time) => encode_millis(time, out.u8(1)),
        }
        out.u8(match self.on_minority {
            OnMinority::Hold => 0,
            OnMinority::Replace => 1,
        });
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let replace_after = if input.bool("replace_after")? {
            ReplaceAfter::Time(decode_millis(input)?)
        } else {
            ReplaceAfter::Never
        };
        let replaces = input.bool("on_minority")?;
        let on_minority = if replaces { OnMinority::Replace } else { OnMinority::Hold };
        Ok(Self { replace_after, on_minority })
    }
}
