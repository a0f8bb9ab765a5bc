//! Arguments and environment of a program, both built and nothing inherited.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use crux_crdt::service::Places as Fills;
use crux_protocol::picket::{Record, Version};

use crate::launch::Spec;
use crate::link::Ready;
use crate::tree;
use crate::user::User;

/// Where programs are found unless the config says so.
pub(super) const PATH: &str = crux_crdt::service::default::PATH;

/// The node that a program runs on, as the program is told of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// The node's description of itself; none: there never was one, and programs are told nothing.
    pub(super) node: Option<&'a Ready>,
    /// The address to listen at.
    pub(super) addr: IpAddr,
    /// The instance's own directory, absolute.
    pub(super) dir: &'a Path,
}

/// Everything that an instance is given.
pub(super) fn spec(
    version: &Version,
    record: &Record,
    user: Option<User>,
    around: Around<'_>,
) -> Spec {
    let (config, dir) = (&version.config, around.dir.to_string_lossy());
    let addr = around.addr.to_string();
    let fills = Fills { ports: &record.ports, addr: &addr, dir: &dir };
    let argv0 = config.argv0.clone().unwrap_or_else(|| config.name.to_string());
    let argv = [argv0].into_iter().chain(filled(&config.args, record, around)).collect();
    let mut env = own(version, record, around);
    // It sets none of the node's: that is a rule of configs. It may have another PATH, and another home.
    env.extend(config.env.iter().map(|(name, value)| (name.clone(), fills.fill(value))));
    let env = env.into_iter().collect();
    Spec { argv, env, dir: around.dir.to_owned(), user, nofile: config.nofile }
}

/// Words of the config with their placeholders filled, as an instance has them.
pub(super) fn filled(words: &[String], record: &Record, around: Around<'_>) -> Vec<String> {
    let (dir, addr) = (around.dir.to_string_lossy(), around.addr.to_string());
    let fills = Fills { ports: &record.ports, addr: &addr, dir: &dir };
    words.iter().map(|word| fills.fill(word)).collect()
}

/// The variables that the node sets.
fn own(version: &Version, record: &Record, around: Around<'_>) -> BTreeMap<String, String> {
    let config = &version.config;
    let dir = around.dir.to_string_lossy().into_owned();
    let mut env = BTreeMap::from([
        ("PATH".to_owned(), PATH.to_owned()),
        // Many programs want one, and that of the node's user is not theirs.
        ("HOME".to_owned(), dir.clone()),
        ("CRUX_DIR".to_owned(), dir),
        ("CRUX_ADDR".to_owned(), around.addr.to_string()),
        ("CRUX_SERVICE".to_owned(), record.service.to_string()),
        ("CRUX_REV".to_owned(), record.rev.to_string()),
        ("CRUX_HORDE".to_owned(), config.horde.to_string()),
        (tree::INSTANCE.to_owned(), record.instance.to_string()),
        ("CRUX_PERIOD_MS".to_owned(), config.period.as_millis().to_string()),
    ]);
    if let Some(node) = around.node {
        env.insert("CRUX_NODE".to_owned(), node.node.to_string());
        env.insert("CRUX_FLOCK".to_owned(), node.flock.to_string());
    }
    for (name, port) in &record.ports {
        env.insert(name.variable(), port.to_string());
    }
    if let Some(port) = config.ports.first().and_then(|first| record.ports.get(first)) {
        env.insert("PORT".to_owned(), port.to_string());
    }
    env
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::testing::{config, record, version};
    use super::*;

    fn built(text: &str, node: Option<&Ready>) -> Spec {
        let version = version(config(text));
        let mut record = record(&version);
        record.ports = [("http", 27_200), ("admin", 9)]
            .map(|(name, port)| (name.parse().unwrap(), port))
            .into();
        let addr = IpAddr::V4(Ipv4Addr::LOCALHOST);
        spec(&version, &record, None, Around { node, addr, dir: Path::new("/d/web/1") })
    }

    #[test]
    fn arguments_have_their_placeholders_filled_and_the_name_first() {
        let spec = built(
            r#"{"name": "web", "image": "IMAGE", "ports": {"http": "auto", "admin": 9},
                "args": ["--at", "${addr}:${port.http}", "$${dir}"], "env": {"DATA": "${dir}/data"}}"#,
            None,
        );
        assert_eq!(spec.argv, ["web", "--at", "127.0.0.1:27200", "${dir}"]);
        let env: BTreeMap<_, _> = spec.env.into_iter().collect();
        let get = |name: &str| env.get(name).map(String::as_str);
        assert_eq!(get("PORT"), Some("27200"));
        assert_eq!((get("CRUX_PORT_HTTP"), get("CRUX_PORT_ADMIN")), (Some("27200"), Some("9")));
        assert_eq!(
            (get("DATA"), get("HOME"), get("CRUX_DIR")),
            (Some("/d/web/1/data"), Some("/d/web/1"), Some("/d/web/1"))
        );
        assert_eq!(
            (get("CRUX_SERVICE"), get("CRUX_REV"), get("CRUX_HORDE")),
            (Some("web"), Some("v1"), Some("main"))
        );
        assert_eq!(get("CRUX_PERIOD_MS"), Some("10000"));
        assert_eq!((get("CRUX_NODE"), get("CRUX_FLOCK")), (None, None));
    }

    #[test]
    fn nothing_of_the_nodes_environment_is_passed_on() {
        let spec = built(
            r#"{"name": "web", "image": "IMAGE", "argv0": "/bin/x", "env": {"PATH": "/opt"}}"#,
            None,
        );
        assert_eq!(spec.argv, ["/bin/x"]);
        let own: Vec<_> = spec.env.iter().map(|(name, _)| name).collect();
        assert!(
            own.iter()
                .all(|name| name.starts_with("CRUX_") || ["PATH", "HOME"].contains(&name.as_str()))
        );
        assert_eq!(spec.env.iter().find(|(name, _)| name == "PATH").unwrap().1, "/opt");
        assert!(!own.iter().any(|name| name.as_str() == "PORT"), "it has no port");
    }
}
