//! A config whose image is perhaps not a blob yet.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

use crux_client::model::Prefix;
use crux_crdt::blob::BlobId;
use crux_crdt::service::{Config, ConfigErrors, Fields, Image, Machine};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// Where the program comes from, as a person says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The same on every machine.
    One(Place),
    /// One for each kind of machine; at least one.
    PerMachine(BTreeMap<Machine, Place>),
    /// A command that is found in PATH. No text says that; the words of a command line do.
    Command(String),
}

/// A program, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A blob.
    Blob(BlobId),
    /// A file, which has to be made a blob first. A relative path begins where the command runs.
    Path(PathBuf),
}

impl Place {
    /// The place that a word of a command line means: as in a config, but that first digits of a blob's id are
    /// accepted; they are a path here.
    ///
    /// # Errors
    /// Those of the text of a config.
    pub fn of_word(word: &str) -> Result<Self, &'static str> {
        if Prefix::parse(word).is_ok() && word.parse::<BlobId>().is_err() {
            return Ok(Self::Path(word.into()));
        }
        Self::of(word)
    }

    /// The place that a text means: 64 hexadecimal digits are a blob, anything else is a path.
    ///
    /// # Errors
    /// The text is empty, or has a NUL character, or nearly is the id of a blob: in words.
    pub(super) fn of(text: &str) -> Result<Self, &'static str> {
        let is_hex = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        match text.parse() {
            Ok(blob) => Ok(Self::Blob(blob)),
            Err(_) if text.is_empty() => Err("it is empty"),
            Err(_) if text.contains('\0') => Err("it has a NUL character, and no path has one"),
            Err(_) if is_hex && text.len() >= 32 => Err(
                "the id of a blob has 64 hexadecimal digits in lower case; write ./ before the name of a file",
            ),
            Err(_) => Ok(Self::Path(text.into())),
        }
    }
}

/// A config, checked but for the image. It reads as its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft(Fields<Source>);

impl Deref for Draft {
    type Target = Fields<Source>;

    fn deref(&self) -> &Fields<Source> {
        &self.0
    }
}

impl Draft {
    /// Of fields.
    ///
    /// # Errors
    /// The rules that they break.
    pub fn of(fields: Fields<Source>) -> Result<Self, ConfigErrors> {
        fields.check()?;
        Ok(Self(fields))
    }

    /// The program was found there: its `argv[0]` is that path, because an interpreter looks for its libraries
    /// beside it. An `argv0` that was written stays.
    #[must_use]
    pub fn found_at(mut self, path: &str) -> Self {
        self.0.argv0.get_or_insert_with(|| path.to_owned());
        self
    }

    /// The config, with the blobs that were made of its sources.
    ///
    /// # Errors
    /// The rules that it breaks: the path of [`found_at`](Self::found_at) is too long, the image names no blob.
    pub fn with_image(self, image: Image) -> Result<Config, ConfigErrors> {
        self.0.with_image(image).try_into()
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText;

        impl Visitor<'_> for OfText {
            type Value = Place;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of a blob, or a path")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Place, E> {
                Place::of(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(OfText)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfAny;

        impl<'de> Visitor<'de> for OfAny {
            type Value = Source;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of a blob, a path, or a table as in { x86_64 = \"…\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Source, E> {
                Place::of(text).map(Source::One).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Source, A::Error> {
                let mut places = BTreeMap::new();
                while let Some((machine, place)) = map.next_entry()? {
                    places.insert(machine, place);
                }
                if places.is_empty() {
                    Err(A::Error::custom("it is empty"))
                } else {
                    Ok(Source::PerMachine(places))
                }
            }
        }

        deserializer.deserialize_any(OfAny)
    }
}
