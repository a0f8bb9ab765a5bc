//! Texts that are read.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::service::{
    Fields, Image, Kind as Program, Machine, Probe, Register, Restart, UpdateBy,
};

use super::*;

/// Every key that this version has.
const WHOLE: &str = r#"
name = "web2"                 # a comment
rev = "v3"
kind = "plain"
image = { x86_64 = "0707070707070707070707070707070707070707070707070707070707070707", aarch64 = "bin/web" }
argv0 = "/usr/bin/web"
args = ["--listen", "${addr}:${port.http}"]
ports = { http = "auto", admin = "auto" }
register = [{ labels = { metrics = "9100" } }, { service = "x", rev = "v9", port = "admin" }]
check = [{ http = "/healthz", timeout = "1s" }, { tcp = "admin" }, { exec = ["curl", "${port.http}"] }]
horde = "shop"
count = 3
period = "2s"
restart = "on-failure"
update = "overlap"
start_period = "0s"
start_timeout = "1h"
drain = "250ms"
quit_timeout = "20s"
backoff_max = "1m"
retry_failed = "1d"
user = "www-data"
log_max = "1GiB"
nofile = 65_536

[env]
LOG = "info"

[limits]
memory = "512MiB"
pids = 64
cpu = 0.5
"#;

#[test]
fn every_key_is_read() {
    let it = read(WHOLE).unwrap();
    let blob = Place::Blob(BLOB.parse().unwrap());
    let places = [(Machine::X86_64, blob), (Machine::Aarch64, Place::Path("bin/web".into()))];
    assert_eq!(it.image, Source::PerMachine(BTreeMap::from(places)));
    assert_eq!((it.name.as_str(), it.rev.as_str(), it.horde.as_str()), ("web2", "v3", "shop"));
    assert_eq!((it.kind, it.argv0.as_deref()), (Program::Plain, Some("/usr/bin/web")));
    assert_eq!(it.args, ["--listen", "${addr}:${port.http}"]);
    assert_eq!(it.ports.first().unwrap().as_str(), "http");
    let Register::List(list) = &it.register else { panic!("a list") };
    assert_eq!(format!("{:?}", list[0]), {
        "RegisterAs { service: \"web2\", rev: \"v3\", port: \"http\", labels: {\"metrics\": \"9100\"} }"
    });
    assert_eq!((list[1].service.as_str(), list[1].port.as_str()), ("x", "admin"));
    let checks: Vec<_> =
        it.check.iter().map(|check| format!("{} {:?}", check.probe, check.timeout)).collect();
    assert_eq!(checks, ["http:/healthz:http 1s", "tcp:admin 5s", "exec:curl ${port.http} 5s"]);
    assert_eq!((it.count, it.restart, it.update), (3, Restart::OnFailure, Some(UpdateBy::Overlap)));
    let seconds =
        [it.period, it.start_period, it.start_timeout, it.drain].map(|it| it.as_secs_f64());
    assert_eq!(seconds, [2.0, 0.0, 3600.0, 0.25]);
    let seconds = [it.quit_timeout, it.backoff_max, it.retry_failed].map(|it| it.as_secs());
    assert_eq!(seconds, [20, 60, 86_400]);
    assert_eq!((it.user.as_deref(), it.log_max, it.nofile), (Some("www-data"), 1 << 30, 65_536));
    assert_eq!(it.env["LOG"], "info");
    let limits = it.limits.as_ref().unwrap();
    assert_eq!(
        (limits.memory, limits.pids, limits.cpu_milli),
        (Some(512 << 20), Some(64), Some(500))
    );
}

#[test]
fn a_name_and_an_image_suffice() {
    let image = Image::Blob(BLOB.parse().unwrap());
    assert_eq!(*config(&with("")), Fields::new("web".parse().unwrap(), image));
}

#[test]
fn json_says_the_same() {
    let text = format!(
        "\n {{\"image\": \"{BLOB}\", \"name\": \"w\\u0065b\", \"ports\": {{\"z\": \"auto\", \"a\": 80}},\n\
         \"limits\": {{\"cpu\": 2}}, \"log_max\": 1048576}}"
    );
    let toml = with("ports = { z = 'auto', a = 80 }\nlimits.cpu = 2\nlog_max = '1MiB'");
    assert_eq!(config(&text), config(&toml));
    assert_eq!(config(&text).ports.first().unwrap().as_str(), "z");
}

#[test]
fn ports_are_in_the_order_of_the_text() {
    let first = |keys: &str| config(&with(keys)).ports.first().unwrap().to_string();
    assert_eq!(first("[ports]\nz = 'auto'\na = 80"), "z");
    assert_eq!(first("ports.z = 'auto'\nports.a = 80"), "z");
    assert_eq!(first("ports = { z = 'auto', a = 80 }"), "z");
}

#[test]
fn an_image_is_a_blob_or_a_path() {
    let image =
        |image: &str| read(format!("name = 'web'\nimage = '{image}'")).unwrap().image.clone();
    assert_eq!(image(BLOB), Source::One(Place::Blob(BLOB.parse().unwrap())));
    for path in ["web", "./web", "/bin/web", "../../web", "abc123", &BLOB[1..].replace('7', "g")] {
        assert_eq!(image(path), Source::One(Place::Path(path.into())));
    }
}

#[test]
fn a_draft_becomes_a_config_with_its_blobs() {
    let image = Image::Blob(BLOB.parse().unwrap());
    let draft = read("name = 'web'\nimage = './web'").unwrap();
    let config = draft.clone().with_image(image.clone()).unwrap();
    assert_eq!((&config.image, &config.argv0), (&image, &None));
    let found = draft.found_at("/usr/bin/web").with_image(image.clone()).unwrap();
    assert_eq!(found.argv0.as_deref(), Some("/usr/bin/web"));
    let said = read("name = 'web'\nimage = './web'\nargv0 = 'me'").unwrap();
    assert_eq!(
        said.found_at("/usr/bin/web").with_image(image).unwrap().argv0.as_deref(),
        Some("me")
    );
}

#[test]
fn what_may_be_left_out_is_filled_in() {
    let it = config(&with(
        "ports = { b = 'auto', a = 'auto' }\ncheck = [{ grpc = '' }]\nregister = [{}]",
    ));
    assert_eq!(
        it.check[0].probe,
        Probe::Grpc { port: "b".parse().unwrap(), service: String::new() }
    );
    assert_eq!(it.check[0].timeout, Duration::from_secs(5));
    assert_eq!(it.register, Register::List(it.registered_as()));
    assert!(it.same_content(&config(&with(
        "ports = { b = 'auto', a = 'auto' }\ncheck = [{ grpc = '' }]"
    ))));
}

#[test]
fn a_key_has_a_place_in_either_form() {
    let toml = "# of the shop\nname = \"web\"\nimage = { x86_64 = \"./a\", aarch64 = \"./b\" }\n";
    let json = "{\"name\": \"web\",\n \"image\": {\"x86_64\": \"./a\", \"aarch64\": \"./b\"}}";
    for (text, key, expected) in [
        (toml, "name", (2, 1)),
        (toml, "image", (3, 1)),
        (toml, "image.aarch64", (3, 27)),
        (toml, "count", (1, 1)),
        (json, "name", (1, 2)),
        (json, "image.x86_64", (2, 12)),
        (json, "count", (1, 1)),
        ("{", "name", (1, 1)),
    ] {
        assert_eq!(place(text, key), expected, "{key} in {text}");
    }
}
