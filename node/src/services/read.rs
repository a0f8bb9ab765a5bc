//! Reads the text of a config.

use crux_crdt::service::{CONFIG_BYTES_MAX, Fields, LATER_KEYS};
use serde::Deserialize as _;

use super::de::Fault;
use super::draft::{Draft, Source};
use super::error::{ConfigError, Mistake};
use super::tree::{Key, Node, Value};
use super::{json_tree, toml_tree};

/// The owner of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// A person, who adds it to this node. Keys that only a target uses are refused: they would have no effect.
    Person,
    /// A target, which places it.
    Target,
}

/// Reads a config: TOML, or JSON where the text begins with `{`.
///
/// # Errors
/// Every mistake with its line, column and key; 16 at most.
pub fn read(text: impl AsRef<[u8]>, owner: Owner) -> Result<Draft, ConfigError> {
    let text = decode(text.as_ref())?;
    let mut wrong = Vec::new();
    let tree = if text.trim_start().starts_with('{') {
        json_tree::parse(text, &mut wrong)
    } else {
        Some(toml_tree::parse(text, &mut wrong))
    };
    // A text with a slip in its form reads as something else than its author meant.
    let Some(mut tree) = tree.filter(|_| wrong.is_empty()) else {
        return Err(ConfigError::of(text, wrong));
    };
    refuse_later(&mut tree, &mut wrong);
    fill_in(&mut tree);
    let fields = match Fields::deserialize(&tree) {
        Ok(fields) => fields,
        Err(fault) => {
            collect(&tree, fault, &mut wrong);
            return Err(ConfigError::of(text, wrong));
        }
    };
    refuse_required(&fields, &tree, &mut wrong);
    if owner == Owner::Person {
        refuse_for_targets(&fields, &tree, &mut wrong);
    }
    match Draft::of(fields) {
        Ok(draft) if wrong.is_empty() => Ok(draft),
        Ok(_) => Err(ConfigError::of(text, wrong)),
        Err(rules) => {
            let of = |error: &crux_crdt::service::ConfigError| {
                Mistake::new(tree.place(&error.key), &error.key, &error.why.to_string())
            };
            wrong.extend(rules.0.iter().map(of));
            Err(ConfigError::of(text, wrong))
        }
    }
}

/// The bytes as text, if they are a text and not too many.
fn decode(bytes: &[u8]) -> Result<&str, ConfigError> {
    let len = bytes.len();
    if len > CONFIG_BYTES_MAX {
        let message = format!("the config has {len} bytes, at most {CONFIG_BYTES_MAX} are allowed");
        return Err(ConfigError::of("", vec![Mistake::new(0, "", &message)]));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        ConfigError::of(valid, vec![Mistake::new(valid.len(), "", "invalid UTF-8")])
    })
}

/// Every mistake of a tree that does not fit: the first is known, and each other key is read alone.
fn collect(tree: &Node, first: Fault, wrong: &mut Vec<Mistake>) {
    wrong.push(first.into_mistake());
    for key in ["name", "image"] {
        if tree.get(key).is_none() {
            wrong.push(Mistake::new(tree.at, key, "it is missing"));
        }
    }
    for entry in tree.entries() {
        let alone = Node { at: tree.at, value: Value::Table(vec![entry.clone()]) };
        match Fields::<Source>::deserialize(&alone) {
            Err(fault) if !fault.is_missing => wrong.push(fault.into_mistake()),
            Err(_) | Ok(_) => {}
        }
    }
}

/// Says what comes with a later version, and puts what is there today in its place, so that the rest is read.
fn refuse_later(tree: &mut Node, wrong: &mut Vec<Mistake>) {
    let mut refuse = |at: usize, key: &str| {
        let later = Mistake::new(at, key, "not there yet");
        wrong.push(later.with_hint("This version of Crux cannot do that. Leave the key out."));
    };
    for path in LATER_KEYS {
        let (table, name) = path.split_once('.').map_or((None, *path), |(a, b)| (Some(a), b));
        let table = match table {
            None => Some(&mut *tree),
            Some(table) => tree.get_mut(table),
        };
        let Some(entries) = table.and_then(Node::entries_mut) else { continue };
        let later = |(key, _): &mut (Key, Node)| key.name == name;
        entries.extract_if(.., later).for_each(|(key, _)| refuse(key.at, path));
    }
    if let Some(ports) = tree.get_mut("ports").and_then(Node::entries_mut) {
        for (key, port) in ports.iter_mut().filter(|(_, port)| port.get("pass").is_some()) {
            refuse(port.at, &format!("ports.{}.pass", key.name));
            *port = Node::text(port.at, "auto");
        }
    }
    if let Some(kind) =
        tree.get_mut("kind").filter(|kind| matches!(kind.as_text(), Some("svc1" | "svc2")))
    {
        refuse(kind.at, "kind");
        *kind = Node::text(kind.at, "plain");
    }
    let checks = tree.get_mut("check").map_or(&mut [][..], Node::items_mut);
    for (index, check) in checks.iter_mut().enumerate() {
        let Some(entries) = check.entries_mut() else { continue };
        for (key, value) in entries.iter_mut().filter(|(key, _)| key.name == "heartbeat") {
            refuse(key.at, &format!("check[{index}].heartbeat"));
            let command = vec![Node::text(value.at, "true")];
            (key.name, value.value) = ("exec".to_owned(), Value::List(command));
        }
    }
}

/// Fills in what may be left out within tables: the first port, and the service's own name and revision.
fn fill_in(tree: &mut Node) {
    let port = tree.get("ports").and_then(|ports| ports.entries().first());
    let port = port.map(|(key, _)| key.name.clone());
    let own = |key: &str| tree.get(key).and_then(Node::as_text).map(str::to_owned);
    let (service, rev) = (own("name"), own("rev").or_else(|| Some(default_rev())));
    for entry in tree.get_mut("register").map_or(&mut [][..], Node::items_mut) {
        add(entry, "service", service.as_deref());
        add(entry, "rev", rev.as_deref());
        add(entry, "port", port.as_deref());
    }
    for check in tree.get_mut("check").map_or(&mut [][..], Node::items_mut) {
        if check.get("http").is_some() || check.get("grpc").is_some() {
            add(check, "port", port.as_deref());
        }
    }
}

fn default_rev() -> String {
    crux_crdt::service::default::REV.to_owned()
}

/// Adds a text to a table that has none of that name.
fn add(table: &mut Node, name: &str, text: Option<&str>) {
    let Some(text) = text.filter(|_| table.get(name).is_none()) else { return };
    let at = table.at;
    if let Some(entries) = table.entries_mut() {
        entries.push((Key { at, name: name.to_owned() }, Node::text(at, text)));
    }
}

/// A node places nothing, so a person who adds a service would wait in vain for what these keys say.
fn refuse_for_targets(fields: &Fields<Source>, tree: &Node, wrong: &mut Vec<Mistake>) {
    for key in fields.for_targets() {
        let mistake = Mistake::new(tree.place(key), key, "only a target uses it");
        let hint =
            "Leave the key out to run the service on this node; a target places it on several.";
        wrong.push(mistake.with_hint(hint));
    }
}

/// Limits are kept and not enforced yet, so none can be required.
fn refuse_required(fields: &Fields<Source>, tree: &Node, wrong: &mut Vec<Mistake>) {
    if fields.limits.as_ref().is_some_and(|limits| limits.required) {
        let key = "limits.required";
        let why = "this node does not enforce limits yet, and the config requires them";
        let hint = "Leave out `required`: the limits are kept, and shown as not_enforced.";
        let mistake = Mistake::new(tree.place(key), key, why).with_hint(hint);
        wrong.push(Mistake { not_enforced: true, ..mistake });
    }
}
