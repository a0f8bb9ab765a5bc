//! The canonical bytes of a config, as a target signs them.
//!
//! Every value is written, defaults too: a build with other defaults reads the config that was signed. A value that
//! this version of the encoding cannot express needs a next version, which is then written only for configs that have
//! such a value. So a config keeps its bytes and its hash for as long as it says the same.
//!
//! **Invariant**: what decodes keeps every rule of [`Fields::check`], so it is a [`Config`], and it has no other
//! encoding.

mod parts;

use parts::{
    Map, decode_list, decode_millis, decode_text, decode_u16, encode_list, encode_millis,
    encode_u16,
};

use super::bounds::{
    ARGS_MAX, CHECKS_MAX, ENV_MAX, ENV_NAME_BYTES_MAX, PATH_BYTES_MAX, REGISTER_MAX,
    TEXT_BYTES_MAX, USER_BYTES_MAX,
};
use super::config::{Config, Fields};
use super::image::Image;
use super::policy::{Kind, Limits, Restart, UpdateBy};
use super::port::Ports;
use super::register::Register;
use crate::canon::{Canonical, DecodeError, Decoder, Encoder};
use crate::id::BlobId;
use crate::name::Label;

/// The version of the encoding.
const VERSION: u8 = 1;

impl Canonical for Config {
    fn encode(&self, out: &mut Encoder) {
        Fields::encode(self, out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("version of a service config", VERSION)?;
        let name = parts::decode_name(input, "name of a service")?;
        let mut fields = Fields::new(name, Image::Blob(BlobId::default()));
        fields.decode_program(input)?;
        fields.decode_policy(input)?;
        fields.decode_placement(input)?;
        fields.try_into().map_err(|_| DecodeError::Invalid("service config"))
    }
}

impl Fields<Image> {
    /// Appends the encoding. Of fields that break a rule nothing decodes.
    pub(super) fn encode(&self, out: &mut Encoder) {
        out.u8(VERSION).str(self.name.as_str());
        self.encode_program(out);
        self.encode_policy(out);
        self.encode_placement(out);
    }

    /// The program and its surroundings.
    fn encode_program(&self, out: &mut Encoder) {
        let Kind::Plain = self.kind;
        out.str(self.rev.as_str()).str(self.horde.as_str()).u8(PLAIN);
        self.image.encode(out);
        encode_optional(self.argv0.as_ref(), out, |argv0, out| _ = out.str(argv0));
        encode_list(&self.args, out, |arg, out| _ = out.str(arg));
        self.ports.encode(out);
        let register = match &self.register {
            Register::ByName => None,
            Register::List(list) => Some(list),
        };
        encode_optional(register, out, |list, out| encode_list(list, out, Canonical::encode));
        encode_list(&self.check, out, Canonical::encode);
        ENV.encode(&self.env, out);
    }

    fn decode_program(&mut self, input: &mut Decoder<'_>) -> Result<(), DecodeError> {
        self.rev = parts::decode_name(input, "revision of a service")?;
        self.horde = input.parse(Label::MAX, "horde of a service")?;
        input.version("kind of a service", PLAIN)?;
        self.image = Image::decode(input)?;
        self.argv0 = decode_optional(input, "argv0", |input| {
            Ok(input.str(PATH_BYTES_MAX, "argv0")?.to_owned())
        })?;
        self.args = decode_list(input, ARGS_MAX, "arguments", decode_text)?;
        self.ports = Ports::decode(input)?;
        let what = "registrations of a service";
        let list = decode_optional(input, what, |input| {
            decode_list(input, REGISTER_MAX, what, Canonical::decode)
        })?;
        self.register = list.map_or(Register::ByName, Register::List);
        self.check = decode_list(input, CHECKS_MAX, "checks", Canonical::decode)?;
        self.env = ENV.decode(input)?;
        Ok(())
    }

    /// How the node runs it.
    fn encode_policy(&self, out: &mut Encoder) {
        encode_u16(self.count, out);
        out.u8(match self.restart {
            Restart::Always => 1,
            Restart::OnFailure => 2,
            Restart::Never => 3,
        });
        out.u8(match self.update {
            None => 0,
            Some(UpdateBy::Overlap) => 1,
            Some(UpdateBy::Replace) => 2,
        });
        for time in [
            self.period,
            self.start_period,
            self.start_timeout,
            self.drain,
            self.quit_timeout,
            self.backoff_max,
            self.retry_failed,
        ] {
            encode_millis(time, out);
        }
        encode_optional(self.user.as_ref(), out, |user, out| _ = out.str(user));
        encode_optional(self.limits.as_ref(), out, Limits::encode);
        out.u64(self.log_max).u64(self.nofile);
    }

    fn decode_policy(&mut self, input: &mut Decoder<'_>) -> Result<(), DecodeError> {
        self.count = decode_u16(input, "number of instances")?;
        self.restart = match input.u8("restart")? {
            1 => Restart::Always,
            2 => Restart::OnFailure,
            3 => Restart::Never,
            _ => return Err(DecodeError::Invalid("restart")),
        };
        self.update = match input.u8("update")? {
            0 => None,
            1 => Some(UpdateBy::Overlap),
            2 => Some(UpdateBy::Replace),
            _ => return Err(DecodeError::Invalid("update")),
        };
        for time in [
            &mut self.period,
            &mut self.start_period,
            &mut self.start_timeout,
            &mut self.drain,
            &mut self.quit_timeout,
            &mut self.backoff_max,
            &mut self.retry_failed,
        ] {
            *time = decode_millis(input)?;
        }
        self.user = decode_optional(input, "user", |input| {
            Ok(input.str(USER_BYTES_MAX, "user")?.to_owned())
        })?;
        self.limits = decode_optional(input, "limits", Limits::decode)?;
        (self.log_max, self.nofile) = (input.u64("log_max")?, input.u64("nofile")?);
        Ok(())
    }

    /// The keys that only a target uses.
    fn encode_placement(&self, out: &mut Encoder) {
        out.fixed(&self.priority.to_be_bytes());
        self.rollout.encode(out);
        self.moving.encode(out);
    }

    fn decode_placement(&mut self, input: &mut Decoder<'_>) -> Result<(), DecodeError> {
        self.priority = i32::from_be_bytes(input.array("priority")?);
        self.rollout = Canonical::decode(input)?;
        self.moving = Canonical::decode(input)?;
        Ok(())
    }
}

/// The number of [`Kind::Plain`]. Another one is of a later build, as a version is.
const PLAIN: u8 = 1;

const ENV: Map =
    Map { most: ENV_MAX, name: ENV_NAME_BYTES_MAX, value: TEXT_BYTES_MAX, what: "variables" };

fn encode_optional<T>(value: Option<&T>, out: &mut Encoder, encode: impl FnOnce(&T, &mut Encoder)) {
    out.u8(value.is_some().into());
    if let Some(value) = value {
        encode(value, out);
    }
}

fn decode_optional<T>(
    input: &mut Decoder<'_>,
    what: &'static str,
    decode: impl FnOnce(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if input.bool(what)? { decode(input).map(Some) } else { Ok(None) }
}
