//! The canonical bytes.

use proptest::prelude::*;

use super::*;
use crate::canon::{Canonical as _, DecodeError};
use crate::laws::check_canonical;

fn config() -> Config {
    fields().try_into().unwrap()
}

#[test]
fn another_version_is_refused_by_name() {
    let mut bytes = config().to_canonical();
    bytes[0] = 2;
    let err = Config::from_canonical(&bytes).unwrap_err();
    assert_eq!(err, DecodeError::Unknown { what: "version of a service config", found: 2 });
}

/// A build without a rule, or an attacker, can encode a config that breaks it. Nobody reads that.
#[test]
fn what_breaks_a_rule_does_not_decode() {
    type Break = fn(&mut Fields<Image>);
    let rows: &[(&str, Break)] = &[
        ("count", |it| it.count = 0),
        ("nofile", |it| it.nofile = 1),
        ("period", |it| it.period = Default::default()),
        ("user", |it| it.user = Some("a b".into())),
        ("args", |it| it.args = vec!["a\0".into()]),
        ("placeholder", |it| it.args = vec!["${port.x}".into()]),
        ("argv0", |it| it.argv0 = Some(String::new())),
        ("env", |it| it.env = [("PORT".into(), String::new())].into()),
        ("image", |it| it.image = Image::PerMachine([].into())),
        ("overlap", |it| (it.ports, it.update) = (ports(&[("a", 80)]), Some(UpdateBy::Overlap))),
        ("memory", |it| it.limits = Some(Limits { memory: Some(1), ..Limits::default() })),
        ("priority", |it| it.priority = 1001),
        ("nodes", |it| it.rollout.step = Step::Nodes(0)),
        ("percent", |it| it.rollout.step = Step::Percent(101)),
        ("deadline", |it| it.rollout.deadline = Default::default()),
        ("replace_after", |it| {
            it.moving.replace_after = ReplaceAfter::Time(REPLACE_AFTER.end().saturating_mul(2));
        }),
    ];
    for (name, set) in rows {
        let mut fields = fields();
        set(&mut fields);
        let mut out = crate::canon::Encoder::default();
        fields.encode(&mut out);
        let err = Config::from_canonical(&out.finish());
        assert_eq!(err, Err(DecodeError::Invalid("service config")), "{name}");
    }
}

/// How many ordinary services fit a target, roughly: the design says 150.
#[test]
fn an_ordinary_service_is_short() {
    let mut fields = fields();
    fields.args = vec!["--listen".into(), "${addr}:${port.http}".into()];
    fields.ports = ports(&[("http", 0)]);
    let port = "http".parse().unwrap();
    fields.check = vec![Check::new(Probe::Grpc { port, service: String::new() })];
    fields.limits =
        Some(Limits { cpu_milli: Some(500), memory: Some(1 << 28), ..Limits::default() });
    let bytes = Config::try_from(fields).unwrap().to_canonical().len();
    assert!(bytes <= 64 * 1024 / 200, "{bytes}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn canonical_laws(config in arbitrary::configs()) {
        check_canonical(&config);
    }
}

proptest! {
    #[test]
    fn fuzz_damaged_configs(
        config in arbitrary::configs(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = config.to_canonical();
        edits.iter().for_each(|(at, value)| *at.get_mut(&mut bytes) = *value);
        if let Ok(read) = Config::from_canonical(&bytes) {
            prop_assert_eq!(read.to_canonical(), bytes);
            prop_assert_eq!(read.check(), Ok(()));
        }
    }

    #[test]
    fn fuzz_counts_of_configs(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let counts = [&[1, 0, 0, 0, 1, b'a', 0xff, 0xff, 0xff, 0xff][..], &bytes].concat();
        assert!(Config::from_canonical(&counts).is_err());
    }
}
