//! Consequences of a config.

use std::collections::BTreeMap;

use super::*;

fn config(change: impl FnOnce(&mut Fields<Image>)) -> Config {
    let mut fields = fields();
    change(&mut fields);
    fields.try_into().unwrap()
}

/// Registrations as text: key, port, labels.
fn registrations(config: &Config, ordinal: u16, auto: &[(&str, u16)]) -> Vec<String> {
    let auto = auto.iter().map(|(name, number)| (name.parse().unwrap(), *number)).collect();
    let all = config.registrations(ordinal, &auto);
    all.iter().map(|(key, port, labels)| format!("{key} {port} {labels:?}")).collect()
}

#[test]
fn it_is_registered_by_its_name_with_its_first_port() {
    let web = config(|it| it.ports = ports(&[("web", 0), ("admin", 0)]));
    let auto = [("web", 27_200), ("admin", 27_201)];
    assert_eq!(registrations(&web, 0, &auto), ["main/web/v1 27200 {}"]);
    assert_eq!(registrations(&web, 2, &auto), ["main/web/v1#2 27200 {}"]);
    assert_eq!(registrations(&web, 0, &[]), [""; 0], "a port without a number");
    assert_eq!(registrations(&config(|_| ()), 0, &[]), [""; 0], "no port");
    let fixed = config(|it| it.ports = ports(&[("web", 80)]));
    assert_eq!(registrations(&fixed, 0, &[("web", 81)]), ["main/web/v1 80 {}"]);
}

#[test]
fn it_is_registered_as_it_says() {
    let list =
        |register| config(|it| (it.ports, it.register) = (ports(&[("a", 0), ("b", 9)]), register));
    assert_eq!(registrations(&list(Register::List(vec![])), 0, &[("a", 1)]), [""; 0]);
    let of = |service: &str, port: &str| RegisterAs {
        service: service.parse().unwrap(),
        rev: "v3".parse().unwrap(),
        port: port.parse().unwrap(),
        labels: [("metrics".to_owned(), "9100".to_owned())].into(),
    };
    let two = list(Register::List(vec![of("x", "b"), of("y", "a")]));
    assert_eq!(
        registrations(&two, 1, &[("a", 1)]),
        ["main/x/v3#1 9 {\"metrics\": \"9100\"}", "main/y/v3#1 1 {\"metrics\": \"9100\"}"]
    );
}

#[test]
fn an_update_overlaps_unless_a_port_has_a_number() {
    let by = |all: &[(&str, u16)], update| {
        config(|it| (it.ports, it.update) = (ports(all), update)).update_by()
    };
    assert_eq!(by(&[], None), UpdateBy::Overlap);
    assert_eq!(by(&[("a", 0)], None), UpdateBy::Overlap);
    assert_eq!(by(&[("a", 0), ("b", 80)], None), UpdateBy::Replace);
    assert_eq!(by(&[("a", 0)], Some(UpdateBy::Replace)), UpdateBy::Replace);
}

#[test]
fn the_same_content_is_the_same_however_it_is_written() {
    let short = config(|it| it.ports = ports(&[("a", 0)]));
    let long = config(|it| {
        (it.ports, it.update) = (ports(&[("a", 0)]), Some(UpdateBy::Overlap));
        it.register = Register::List(short.registered_as());
    });
    assert!(short.same_content(&long) && long.same_content(&short) && short != long);
    assert_eq!(short.change_to(&long), Ok(Change::Nothing));
    let turned = config(|it| it.ports = ports(&[("b", 0), ("a", 0)]));
    assert!(!turned.same_content(&config(|it| it.ports = ports(&[("a", 0), ("b", 0)]))));
}

#[test]
fn only_what_a_program_was_started_with_needs_new_instances() {
    type Set = fn(&mut Fields<Image>);
    let rows: &[(&str, Change, Set)] = &[
        ("rev", Change::Instances, |it| it.rev = "v2".parse().unwrap()),
        ("horde", Change::Instances, |it| it.horde = "x".parse().unwrap()),
        ("image", Change::Instances, |it| it.image = Image::Blob(BlobId([8; 32]))),
        ("argv0", Change::Instances, |it| it.argv0 = Some("x".into())),
        ("args", Change::Instances, |it| it.args = vec!["x".into()]),
        ("ports", Change::Instances, |it| it.ports = ports(&[("x", 0)])),
        ("env", Change::Instances, |it| it.env = [("X".into(), "".into())].into()),
        ("period", Change::Instances, |it| it.period *= 2),
        ("user", Change::Instances, |it| it.user = Some("x".into())),
        ("limits", Change::Instances, |it| it.limits = Some(Limits::default())),
        ("nofile", Change::Instances, |it| it.nofile += 1),
        ("register", Change::Nothing, |it| it.register = Register::List(vec![])),
        ("check", Change::Settings, |it| {
            it.check = vec![Check::new(Probe::Exec { command: vec!["x".into()] })];
        }),
        ("count", Change::Settings, |it| it.count = 2),
        ("restart", Change::Settings, |it| it.restart = Restart::Never),
        ("update", Change::Settings, |it| it.update = Some(UpdateBy::Replace)),
        ("start_period", Change::Settings, |it| it.start_period *= 2),
        ("start_timeout", Change::Settings, |it| it.start_timeout *= 2),
        ("drain", Change::Settings, |it| it.drain *= 2),
        ("quit_timeout", Change::Settings, |it| it.quit_timeout *= 2),
        ("backoff_max", Change::Settings, |it| it.backoff_max *= 2),
        ("retry_failed", Change::Settings, |it| it.retry_failed *= 2),
        ("log_max", Change::Settings, |it| it.log_max *= 2),
        ("priority", Change::Settings, |it| it.priority = 1),
        ("rollout", Change::Settings, |it| it.rollout.step = Step::Nodes(1)),
        ("move", Change::Settings, |it| it.moving.on_minority = OnMinority::Replace),
        ("nothing", Change::Nothing, |_| ()),
    ];
    for (key, change, set) in rows {
        assert_eq!(config(|_| ()).change_to(&config(set)), Ok(*change), "{key}");
    }
    let other = config(|it| it.name = "other".parse().unwrap());
    let err = config(|_| ()).change_to(&other).unwrap_err();
    assert_eq!(err.to_string(), "it is the config of other, and cannot replace that of web");
}

#[test]
fn an_image_has_a_blob_for_its_machines() {
    let (x86, arm) = (BlobId([1; 32]), BlobId([2; 32]));
    assert_eq!(Image::Blob(x86).of(Machine::Aarch64), Some(x86));
    let both = Image::PerMachine(BTreeMap::from([(Machine::X86_64, x86), (Machine::Aarch64, arm)]));
    assert_eq!((both.of(Machine::X86_64), both.of(Machine::Aarch64)), (Some(x86), Some(arm)));
    assert_eq!(both.blobs().collect::<Vec<_>>(), [x86, arm]);
    let one = Image::PerMachine(BTreeMap::from([(Machine::X86_64, x86)]));
    assert_eq!(one.of(Machine::Aarch64), None);
    for machine in Machine::ALL {
        assert_eq!(machine.to_string().parse(), Ok(machine));
    }
}
