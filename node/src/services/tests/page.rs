//! The page of the config says what the code does.

use std::collections::BTreeMap;

use super::*;

/// The rows of the first table: what is in the last cell of each key.
fn defaults(page: &str) -> BTreeMap<String, String> {
    let rows = page.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let cells = rows.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        (cells[0].trim_matches('`').to_owned(), cells[2].to_owned())
    });
    cells.collect()
}

#[test]
fn the_page_has_every_key_and_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/service-config.md");
    let rows = defaults(&std::fs::read_to_string(path).unwrap());
    let keys: Vec<&str> =
        super::super::print::KEYS.into_iter().filter(|key| !rows.contains_key(*key)).collect();
    assert_eq!(keys, [""; 0], "missing in {path}");
    let bare = serde_json::to_value(config(&with(""))).unwrap();
    for (key, value) in bare.as_object().unwrap() {
        if ["name", "image", "check"].contains(&key.as_str()) {
            continue;
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(rows[key], format!("`{text}`"), "{key}");
    }
    let example = std::fs::read_to_string(path).unwrap();
    let (_, example) = example.split_once("```toml\n").unwrap();
    read(example.split_once("```").unwrap().0).unwrap();
}
