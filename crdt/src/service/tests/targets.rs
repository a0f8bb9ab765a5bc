//! Configs as targets use them.

use proptest::prelude::*;

use super::*;

fn config(change: impl FnOnce(&mut Fields<Image>)) -> Config {
    let mut fields = fields();
    change(&mut fields);
    fields.try_into().unwrap()
}

#[test]
fn only_what_runs_makes_another_version() {
    type Set = fn(&mut Fields<Image>);
    let same: &[(&str, Set)] = &[
        ("count", |it| it.count = 3),
        ("priority", |it| it.priority = 1),
        ("rollout", |it| it.rollout.step = Step::Nodes(1)),
        ("move", |it| it.moving.replace_after = ReplaceAfter::Never),
        ("update", |it| it.update = Some(UpdateBy::Overlap)),
        ("register", |it| it.register = Register::List(vec![])),
    ];
    let spec = config(|_| ()).spec();
    for (key, set) in same {
        assert_eq!(config(set).spec(), spec, "{key}");
    }
    let others: &[(&str, Set)] = &[
        ("name", |it| it.name = "other".parse().unwrap()),
        ("rev", |it| it.rev = "v2".parse().unwrap()),
        ("horde", |it| it.horde = "x".parse().unwrap()),
        ("image", |it| it.image = Image::Blob(BlobId([8; 32]))),
        ("args", |it| it.args = vec!["x".into()]),
        ("period", |it| it.period *= 2),
        ("drain", |it| it.drain *= 2),
        ("restart", |it| it.restart = Restart::Never),
        ("update", |it| it.update = Some(UpdateBy::Replace)),
        ("limits", |it| it.limits = Some(Limits::default())),
    ];
    let mut seen = vec![spec];
    for (key, set) in others {
        let other = config(set).spec();
        assert!(!seen.contains(&other), "{key}");
        seen.push(other);
    }
    let tag = SpecTag::from(spec);
    assert_eq!(tag.0, spec.0[..8]);
    assert_eq!(tag.to_string(), spec.to_string()[..16]);
}

#[test]
fn a_node_runs_it_without_what_only_a_target_uses() {
    let web = config(|it| {
        (it.priority, it.rollout.step) = (5, Step::Nodes(1));
        it.moving.replace_after = ReplaceAfter::Never;
    });
    assert_eq!(web.for_targets().collect::<Vec<_>>(), ["priority", "rollout", "move"]);
    let here = web.on_node(3).unwrap();
    assert_eq!(here, config(|it| it.count = 3));
    assert_eq!(here.for_targets().next(), None);
    assert_eq!(here.spec(), web.spec());
    let wrong = |config: &Config, count| config.on_node(count).unwrap_err().to_string();
    assert_eq!(wrong(&web, 0), "`count`: it is 0; it must be from 1 to 64");
    assert_eq!(wrong(&web, 65), "`count`: it is 65; it must be from 1 to 64");
    let fixed = config(|it| it.ports = ports(&[("a", 80)]));
    assert_eq!((web.most_on_node(), fixed.most_on_node()), (64, 1));
    assert!(fixed.on_node(1).is_ok());
    assert!(wrong(&fixed, 2).starts_with("`ports.a`: 2 instances cannot share port 80"));
}

proptest! {
    #[test]
    fn what_a_node_runs_is_the_version_of_the_target(config in arbitrary::configs()) {
        let most = config.most_on_node();
        for count in [1, most] {
            let here = config.on_node(count).unwrap();
            prop_assert_eq!(here.spec(), config.spec());
            prop_assert_eq!(here.count, count);
            prop_assert_eq!(here.for_targets().next(), None);
        }
        prop_assert!(config.on_node(most + 1).is_err());
        // However it is written.
        let mut long = config.clone().into_fields();
        (long.update, long.register) =
            (Some(config.update_by()), Register::List(config.registered_as()));
        prop_assert_eq!(Config::try_from(long).unwrap().spec(), config.spec());
    }
}
