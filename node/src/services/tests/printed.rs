//! Printed configs, which read to the same.

use crux_crdt::service::{Config, Image, arbitrary};
use proptest::prelude::*;

use super::*;

/// Reads what was printed; the image is of blobs.
fn again(text: &str) -> Config {
    let draft = read(text).unwrap_or_else(|err| panic!("{err}\n{text}"));
    let blob = |place: &Place| match place {
        Place::Blob(blob) => *blob,
        Place::Path(path) => panic!("{}", path.display()),
    };
    let image = match &draft.image {
        Source::One(place) => Image::Blob(blob(place)),
        Source::PerMachine(places) => Image::PerMachine(
            places.iter().map(|(machine, place)| (*machine, blob(place))).collect(),
        ),
        Source::Command(command) => panic!("{command}"),
    };
    draft.with_image(image).unwrap()
}

#[test]
fn only_what_differs_from_the_defaults_is_printed() {
    assert_eq!(print(&config(&with(""))).unwrap(), format!("name = \"web\"\nimage = \"{BLOB}\"\n"));
    let text = format!(
        "name = \"web\"\n\
         rev = \"v3\"\n\
         image = \"{BLOB}\"\n\
         args = [\"--listen\", \"${{addr}}:${{port.http}}\"]\n\
         ports = {{ http = \"auto\", admin = 8080 }}\n\
         register = []\n\
         check = [{{ http = \"/healthz\", port = \"http\", timeout = \"5s\" }}]\n\
         env = {{ LOG = \"info\" }}\n\
         drain = \"0s\"\n\
         limits = {{ cpu = 0.5 }}\n\
         priority = -5\n\
         rollout = {{ deadline = \"5m\", step = 3 }}\n\
         move = {{ on_minority = \"hold\", replace_after = \"never\" }}\n"
    );
    assert_eq!(print(&config(&text)).unwrap(), text);
}

proptest! {
    #[test]
    fn what_is_printed_is_read_to_the_same(config in arbitrary::configs()) {
        let text = print(&config).unwrap();
        prop_assert_eq!(again(&text), config);
    }

    #[test]
    fn json_is_read_to_the_same(config in arbitrary::configs()) {
        let text = serde_json::to_string_pretty(&config).unwrap();
        prop_assert_eq!(again(&text), config);
    }
}

#[test]
fn every_key_has_its_place_in_print() {
    let config = config(&with(
        "argv0 = 'x'\nregister = []\nupdate = 'replace'\nuser = 'x'\nlimits = {}\npriority = 1\n\
             rollout.step = 1\nmove.replace_after = 'never'",
    ));
    let json = serde_json::to_value(&config).unwrap();
    let mut keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let mut known = super::super::print::KEYS.to_vec();
    keys.sort_unstable();
    known.sort_unstable();
    assert_eq!(keys, known);
}
