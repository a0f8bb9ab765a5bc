use core::fmt::Write as _;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::BTreeMap;

use super::{Document, Documents, Key, KeyError, KeyKind, Shelf};
use crate::Principal;
use crate::name::ServiceName;
use crate::record::{LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX};
use crate::text::is_plain;
use crate::units::{UnitError, duration_text, parse_duration};

/// How long a member may be dead before it is forgotten. Below this, a node that restarts would lose its name; above,
/// nobody waits. Guesses.
const FORGET_AFTER: RangeInclusive<Duration> =
    Duration::from_secs(10)..=Duration::from_secs(365 * 24 * 3600);
/// How long the directives of a log may be, in bytes. Guess: a line for each module.
const LOG_BYTES_MAX: usize = 4096;
/// How many labels a node may be given, as in its configuration.
const LABELS_MAX: usize = 32;

/// A setting of the whole flock that this build knows: the content of a document `setting/…`, which is a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// `setting/forget_after`: how long a member is dead before it is forgotten. `24h`.
    ForgetAfter(Duration),
    /// `setting/log`: what nodes log. Directives as `--log` takes them; not all that is a text is one.
    Log(String),
    /// `setting/labels/PRINCIPAL`: labels of a node beside those that it gives itself. A line `key=value` for each.
    Labels(Principal, BTreeMap<String, String>),
}

impl Setting {
    /// The name of [`Setting::ForgetAfter`].
    pub const FORGET_AFTER: &str = "forget_after";
    /// The name of [`Setting::Log`].
    pub const LOG: &str = "log";
    /// How the names of [`Setting::Labels`] begin.
    pub const LABELS: &str = "labels";

    /// Reads the content of a document.
    ///
    /// # Errors
    /// [`SettingError`], of which [`SettingError::Unknown`] says that this build does not know the setting.
    pub fn read(key: &Key, content: &[u8]) -> Result<Self, SettingError> {
        let name = Some(key).filter(|key| key.kind() == KeyKind::SETTING).map(Key::name);
        let text = str::from_utf8(content).map_err(|_| SettingError::Text);
        match name.map(|name| name.split_once('/').unwrap_or((name, ""))) {
            Some((Self::FORGET_AFTER, "")) => Self::forget_after(text?),
            Some((Self::LOG, "")) => Self::log(text?),
            Some((Self::LABELS, node)) => {
                let node = node.parse().map_err(|_| SettingError::Node)?;
                Self::labels(node, text?.lines())
            }
            _ => Err(SettingError::Unknown),
        }
    }

    /// Reads a duration.
    ///
    /// # Errors
    /// [`SettingError::Duration`], [`SettingError::Range`].
    pub fn forget_after(text: &str) -> Result<Self, SettingError> {
        let time = parse_duration(text).map_err(SettingError::Duration)?;
        if FORGET_AFTER.contains(&time) {
            Ok(Self::ForgetAfter(time))
        } else {
            Err(SettingError::Range)
        }
    }

    /// Reads directives. Whether a log understands them, only the log knows.
    ///
    /// # Errors
    /// [`SettingError::Log`].
    pub fn log(text: &str) -> Result<Self, SettingError> {
        let fits = (1..=LOG_BYTES_MAX).contains(&text.len()) && text.chars().all(is_plain);
        if fits { Ok(Self::Log(text.to_owned())) } else { Err(SettingError::Log) }
    }

    /// Reads labels of a node, each as `key=value`, as its configuration has them.
    ///
    /// # Errors
    /// [`SettingError::Label`], [`SettingError::Labels`].
    pub fn labels<'a>(
        node: Principal,
        pairs: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, SettingError> {
        let mut labels = BTreeMap::new();
        for pair in pairs {
            let wrong =
                || SettingError::Label(pair.chars().filter(|c| is_plain(*c)).take(80).collect());
            let (key, value) = pair.split_once('=').ok_or_else(wrong)?;
            let is_key = key.len() <= LABEL_KEY_BYTES_MAX && key.parse::<ServiceName>().is_ok();
            let is_value = value.len() <= LABEL_VALUE_BYTES_MAX && value.chars().all(is_plain);
            if !is_key || !is_value || labels.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(wrong());
            }
            if labels.len() > LABELS_MAX {
                return Err(SettingError::Labels);
            }
        }
        Ok(Self::Labels(node, labels))
    }

    /// The key of its document.
    ///
    /// # Errors
    /// None of a setting; the type is that of [`Key::new`].
    pub fn key(&self) -> Result<Key, KeyError> {
        match self {
            Self::ForgetAfter(_) => Self::key_of(Self::FORGET_AFTER),
            Self::Log(_) => Self::key_of(Self::LOG),
            Self::Labels(node, _) => Self::key_of(&format!("{}/{node}", Self::LABELS)),
        }
    }

    /// The key of the setting with this name.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn key_of(name: &str) -> Result<Key, KeyError> {
        Key::new(&format!("{}/{name}", KeyKind::SETTING))
    }

    /// The content of its document. [`Setting::read`] reads it back.
    pub fn content(&self) -> String {
        match self {
            Self::ForgetAfter(time) => duration_text(*time),
            Self::Log(directives) => directives.clone(),
            Self::Labels(_, labels) => {
                labels.iter().fold(String::new(), |mut text, (key, value)| {
                    // Writing to a string does not fail.
                    _ = writeln!(text, "{key}={value}");
                    text
                })
            }
        }
    }
}

impl Documents {
    /// The setting with this name that has effect: its document counts, is not deleted, and can be read.
    pub fn setting(&self, name: &str) -> Option<Setting> {
        let winner = self.get(&Setting::key_of(name).ok()?)?.winner();
        self.effect_of(winner)
    }

    /// The labels that each node is given, by its principal.
    pub fn labels(&self) -> BTreeMap<Principal, BTreeMap<String, String>> {
        let settings = self.shelves().map(Shelf::winner);
        let settings = settings.filter(|it| it.key().kind() == KeyKind::SETTING);
        let labels = settings.filter_map(|winner| match self.effect_of(winner)? {
            Setting::Labels(node, labels) => Some((node, labels)),
            _ => None,
        });
        labels.collect()
    }

    fn effect_of(&self, winner: &Document) -> Option<Setting> {
        let content = winner.content().filter(|_| self.counts(winner))?;
        Setting::read(winner.key(), content).ok()
    }
}

/// Why a content is not that of a setting. Nothing was changed; the signer is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// This build does not know the setting.
    #[error("unknown setting: expected forget_after, log or labels/NODE")]
    Unknown,
    /// The content is not UTF-8.
    #[error("the content is not a text")]
    Text,
    /// The name of labels is not that of a node.
    #[error("labels are those of a node, by its public key: expected 64 lower-case hex digits")]
    Node,
    /// Not a duration.
    #[error("invalid duration: {0}")]
    Duration(UnitError),
    /// Too short or too long.
    #[error("the duration is not from {} to {}", duration_text(*FORGET_AFTER.start()), duration_text(*FORGET_AFTER.end()))]
    Range,
    /// Not directives of a log.
    #[error("expected directives as in `info,crux=debug`, at most {LOG_BYTES_MAX} bytes")]
    Log,
    /// Not a label, or one whose key was there.
    #[error("invalid label {0:?}: expected key=value, and each key once")]
    Label(String),
    /// More labels than a node may have.
    #[error("more than {LABELS_MAX} labels")]
    Labels,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NODE: Principal = Principal([0xab; 32]);

    fn read(name: &str, content: &[u8]) -> Result<Setting, SettingError> {
        Setting::read(&Setting::key_of(name).unwrap(), content)
    }

    fn labels(pairs: &[&str]) -> Result<Setting, SettingError> {
        Setting::labels(NODE, pairs.iter().copied())
    }

    #[test]
    fn what_is_written_is_read_back() {
        for setting in [
            Setting::forget_after("24h").unwrap(),
            Setting::forget_after("90s").unwrap(),
            Setting::log("info,crux=debug").unwrap(),
            labels(&["zone=b", "rack=a = 7, left", "empty="]).unwrap(),
            labels(&[]).unwrap(),
        ] {
            let key = setting.key().unwrap();
            assert_eq!(Setting::read(&key, setting.content().as_bytes()), Ok(setting));
        }
        let (Setting::Labels(_, all), content) =
            (labels(&["b=2", "a=1"]).unwrap(), labels(&["b=2", "a=1"]).unwrap().content())
        else {
            panic!("other setting")
        };
        assert_eq!((all["a"].as_str(), content.as_str()), ("1", "a=1\nb=2\n"));
    }

    #[test]
    fn what_breaks_a_bound_is_refused() {
        for bad in ["", "10", "0s", "9s", "366d", "-1h", "24 h", "24h\n"] {
            assert!(read("forget_after", bad.as_bytes()).is_err(), "{bad}");
        }
        for good in ["10s", "365d"] {
            assert!(read("forget_after", good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["", "info\nx", "a\u{1b}[2J", &"x".repeat(LOG_BYTES_MAX + 1)] {
            assert_eq!(read("log", bad.as_bytes()), Err(SettingError::Log), "{bad}");
        }
        assert_eq!(read("log", &[0xff]), Err(SettingError::Text));
        let long = format!("k={}", "v".repeat(LABEL_VALUE_BYTES_MAX + 1));
        for bad in ["zone", "=b", "3=b", "a b=c", "k=\u{200b}", "", &long] {
            assert!(matches!(labels(&[bad]), Err(SettingError::Label(_))), "{bad}");
        }
        assert!(matches!(labels(&["a=1", "a=1"]), Err(SettingError::Label(_))));
        let many: Vec<_> = (0..=LABELS_MAX).map(|n| format!("k{n}=v")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(labels(&many[1..]).is_ok());
        assert_eq!(labels(&many), Err(SettingError::Labels));
    }

    #[test]
    fn other_keys_are_unknown() {
        for name in ["forget", "forget_after/x", "log/x", "Log"] {
            assert_eq!(read(name, b"24h"), Err(SettingError::Unknown), "{name}");
        }
        for name in ["labels", "labels/n1", &format!("labels/{NODE}/x"), "labels/AB"] {
            assert_eq!(read(name, b"a=b"), Err(SettingError::Node), "{name}");
        }
        let other = Key::new("target/forget_after").unwrap();
        assert_eq!(Setting::read(&other, b"24h"), Err(SettingError::Unknown));
    }

    proptest! {
        #[test]
        fn fuzz_settings(name in "(forget_after|log|labels/(ab){32})", content: Vec<u8>) {
            let key = Setting::key_of(&name).unwrap();
            for content in [content.clone(), [b"a=".as_slice(), &content].concat()] {
                if let Ok(setting) = Setting::read(&key, &content) {
                    prop_assert_eq!(setting.key(), Ok(key.clone()));
                    prop_assert_eq!(Setting::read(&key, setting.content().as_bytes()), Ok(setting));
                }
            }
        }
    }
}
