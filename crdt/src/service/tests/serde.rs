//! The serde form: what people write.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(json: &serde_json::Value) -> Result<Config, String> {
    serde_json::from_str(&json.to_string()).map_err(|err| err.to_string())
}

#[test]
fn a_config_is_written_as_people_write_it() {
    let mut fields = fields();
    fields.ports = ports(&[("http", 0), ("admin", 8081)]);
    fields.check =
        vec![Check::new(Probe::Http { path: "/".into(), port: "http".parse().unwrap() })];
    fields.limits =
        Some(Limits { cpu_milli: Some(500), memory: Some(1 << 29), ..Limits::default() });
    let config = Config::try_from(fields).unwrap();
    let expected = json!({
        "name": "web", "rev": "v1", "horde": "main", "kind": "plain", "image": "07".repeat(32),
        "args": [], "ports": {"http": "auto", "admin": 8081},
        "check": [{"http": "/", "port": "http", "timeout": "5s"}],
        "env": {}, "count": 1, "period": "10s", "restart": "always",
        "start_period": "30s", "start_timeout": "1m", "drain": "2s", "quit_timeout": "10s",
        "backoff_max": "30s", "retry_failed": "5m",
        "limits": {"memory": "512MiB", "cpu": 0.5}, "log_max": "40MiB", "nofile": 4096,
    });
    assert_eq!(serde_json::to_value(&config).unwrap(), expected);
}

#[test]
fn absent_keys_are_the_defaults() {
    let config = read(&json!({"name": "web", "image": "07".repeat(32)})).unwrap();
    assert_eq!(*config, fields());
}

#[test]
fn what_only_a_target_uses_is_written_where_it_is_not_the_default() {
    let mut fields = fields();
    (fields.priority, fields.rollout.step) = (-5, Step::Nodes(3));
    fields.moving.replace_after = ReplaceAfter::Never;
    let json = serde_json::to_value(Config::try_from(fields.clone()).unwrap()).unwrap();
    assert_eq!(json["priority"], json!(-5));
    assert_eq!(json["rollout"], json!({"step": 3, "deadline": "5m"}));
    assert_eq!(json["move"], json!({"replace_after": "never", "on_minority": "hold"}));
    let with = |key: &str, value: serde_json::Value| {
        let mut json = json!({"name": "web", "image": "07".repeat(32)});
        json[key] = value;
        read(&json).unwrap()
    };
    let percent = with("rollout", json!({"step": "7%"}));
    let rollout = Rollout { step: Step::Percent(7), ..Rollout::default() };
    assert_eq!(percent.rollout, rollout);
    let moving = with("move", json!({"on_minority": "replace", "replace_after": "1h"})).moving;
    let hour = ReplaceAfter::Time(core::time::Duration::from_secs(3600));
    assert_eq!(moving, Moving { replace_after: hour, on_minority: OnMinority::Replace });
    for (key, same) in [("priority", json!(0)), ("rollout", json!({})), ("move", json!({}))] {
        assert_eq!(*with(key, same), self::fields(), "{key}");
    }
}

/// A key that comes later is not one that a config has; and a word of its own says so only where serde knows none.
#[test]
fn keys_that_come_later_are_unknown() {
    for key in LATER_KEYS {
        let mut json = json!({"name": "web", "image": "07".repeat(32)});
        match key.split_once('.') {
            None => json[key] = json!(1),
            Some((table, key)) => json[table] = json!({key: 1}),
        }
        let err = read(&json).unwrap_err();
        assert!(err.contains("unknown field"), "{key}: {err}");
    }
}

#[test]
fn ports_keep_their_order() {
    let config: Config = serde_json::from_str(&format!(
        r#"{{"name": "web", "image": "{}", "ports": {{"z": "auto", "a": 80}}}}"#,
        "07".repeat(32)
    ))
    .unwrap();
    assert_eq!(config.ports.first().unwrap().as_str(), "z");
    let again = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
    assert_eq!(config, again);
}

#[test]
fn reading_keeps_the_rules_and_refuses_unknown_keys() {
    let with = |key: &str, value: serde_json::Value| {
        let mut json = json!({"name": "web", "image": "07".repeat(32)});
        json[key] = value;
        read(&json).unwrap_err()
    };
    for (key, value, why) in [
        ("prots", json!({}), "unknown field `prots`"),
        ("name", json!("9"), "must start with a letter"),
        ("count", json!(0), "`count`: it is 0"),
        ("count", json!(70_000), "invalid value"),
        ("ports", json!({"a": 0}), "invalid port 0"),
        ("ports", json!({"a": 65_536}), "invalid port 65536"),
        ("ports", json!({"a": -1}), "invalid port -1"),
        ("ports", json!({"a": "http"}), "or \"auto\""),
        ("ports", json!({"http": "auto", "HTTP": "auto"}), "not only in case"),
        ("ports", json!({"a-b": "auto"}), "a port's name is"),
        ("register", json!([{"service": "a", "rev": "v1", "port": "x"}]), "no port \"x\""),
        (
            "register",
            json!([{"service": "a", "rev": "v1", "port": "x", "y": 1}]),
            "unknown field `y`",
        ),
        ("check", json!([{}]), "exactly one of the keys"),
        ("check", json!([{"tcp": "a", "exec": ["b"]}]), "exactly one of the keys"),
        ("check", json!([{"http": "/"}]), "has a port"),
        ("check", json!([{"exec": ["a"], "port": "b"}]), "one by exec has none"),
        ("check", json!([{"tcp": "a", "port": "b"}]), "a check by tcp names its port"),
        ("check", json!([{"exec": ["true"], "timeout": "10"}]), "write a whole number and one of"),
        ("period", json!(10), "a duration as text"),
        ("limits", json!({"cpu": -0.5}), "out of range"),
        ("limits", json!({"cpu": -1}), "less than nothing"),
        ("limits", json!({"memory": -1}), "whole number of bytes"),
        ("limits", json!({"disk": 1}), "unknown field `disk`"),
        ("image", json!({}), "`image`: it is empty"),
        ("image", json!({"sparc": "07".repeat(32)}), "the id of a blob, or a table"),
        ("image", json!("07"), "the id of a blob, or a table"),
        ("restart", json!("sometimes"), "unknown variant `sometimes`"),
        ("kind", json!("svc1"), "unknown variant `svc1`"),
        ("register", json!(null), "invalid type: null"),
        ("priority", json!(1001), "`priority`: it is 1001; it must be from -1000 to 1000"),
        ("priority", json!("1"), "invalid type: string"),
        ("priority", json!(0.5), "invalid type: floating point"),
        ("rollout", json!({"step": 0}), "`rollout.step`: write a number of nodes"),
        ("rollout", json!({"step": -1}), "write a number of nodes from 1 to 65535"),
        ("rollout", json!({"step": 65_536}), "write a number of nodes from 1 to 65535"),
        ("rollout", json!({"step": "0%"}), "`rollout.step`: write a number of nodes"),
        ("rollout", json!({"step": "101%"}), "`rollout.step`: write a number of nodes"),
        ("rollout", json!({"step": "300%"}), "or a share of them from"),
        ("rollout", json!({"step": "12.5%"}), "or a share of them from"),
        ("rollout", json!({"step": "+5%"}), "or a share of them from"),
        ("rollout", json!({"step": "05%"}), "or a share of them from"),
        ("rollout", json!({"step": "5"}), "or a share of them from"),
        ("rollout", json!({"step": 0.25}), "a share of them as in"),
        ("rollout", json!({"deadline": "0s"}), "`rollout.deadline`: it is 0s"),
        ("rollout", json!({"canary": 1}), "unknown field `canary`"),
        ("move", json!({"replace_after": "31d"}), "`move.replace_after`: it is 31d"),
        ("move", json!({"replace_after": "always"}), "write a whole number and one of"),
        ("move", json!({"replace_after": 30}), "or \"never\""),
        ("move", json!({"on_minority": "wait"}), "unknown variant `wait`"),
        ("move", json!({"stop_when_cut_off": "never"}), "unknown field `stop_when_cut_off`"),
    ] {
        let err = with(key, value.clone());
        assert!(err.contains(why), "{key} = {value}: {err}");
    }
}

proptest! {
    #[test]
    fn json_round_trip(config in arbitrary::configs()) {
        let text = serde_json::to_string(&config).unwrap();
        let again: Config = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&again, &config);
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), text);
        prop_assert!(config.same_content(&again));
    }
}
