//! Arbitrary configs, for the laws of whatever reads and writes them.

use core::num::NonZeroU16;
use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;

use super::{
    BACKOFF_MAX, CHECK_TIMEOUT, CPU_MILLI, Check, Config, DRAIN, Fields, Image, LOG_BYTES, Limits,
    MEMORY, Machine, Moving, NOFILE, OnMinority, PERIOD, PIDS, PRIORITY, Port, PortName, Ports,
    Probe, QUIT_TIMEOUT, REPLACE_AFTER, RETRY_FAILED, ROLLOUT_DEADLINE, Register, RegisterAs,
    ReplaceAfter, Restart, Rollout, START_PERIOD, START_TIMEOUT, STEP_NODES, STEP_PERCENT, Step,
    UpdateBy,
};
use crate::id::BlobId;
use crate::name::{Label, ServiceName};
use crate::text::is_plain;

/// Configs of every shape, each small: long texts and many entries say no more.
pub fn configs() -> impl Strategy<Value = Config> {
    ports().prop_flat_map(|ports| {
        let parts = (
            whole(ports.clone()),
            register(&ports),
            checks(&ports),
            env(&ports),
            times(),
            limits(),
            placement(),
        );
        parts.prop_map(|(mut fields, register, check, env, times, limits, placement)| {
            (fields.register, fields.check, fields.env, fields.limits) =
                (register, check, env, limits);
            [fields.period, fields.start_period, fields.start_timeout, fields.drain] = times.0;
            [fields.quit_timeout, fields.backoff_max, fields.retry_failed] = times.1;
            (fields.priority, fields.rollout, fields.moving) = placement;
            fields.try_into().expect("it keeps the rules")
        })
    })
}

fn ports() -> impl Strategy<Value = Ports> {
    let names = prop::collection::btree_map("[a-zA-Z][a-z0-9_]{0,8}", any::<Option<u16>>(), 0..5);
    let shuffled = names.prop_map(Vec::from_iter).prop_shuffle();
    shuffled.prop_map(|entries| {
        let (mut ports, mut numbers) = (Ports::default(), BTreeSet::new());
        for (name, number) in entries {
            let number = number.and_then(NonZeroU16::new).filter(|number| numbers.insert(*number));
            let name = name.parse().expect("a name");
            // A name that differs only in case is left out.
            ports.push(name, number.map_or(Port::Auto, Port::Number)).ok();
        }
        ports
    })
}

fn whole(ports: Ports) -> impl Strategy<Value = Fields<Image>> {
    let is_fixed = ports.iter().any(|(_, port)| port.number().is_some());
    let update = if is_fixed {
        prop_oneof![Just(None), Just(Some(UpdateBy::Replace))].boxed()
    } else {
        select(vec![None, Some(UpdateBy::Replace), Some(UpdateBy::Overlap)]).boxed()
    };
    let names = (service(), service(), label(), image());
    let program = (prop::option::of("[^\0]{1,9}"), prop::collection::vec(text(&ports), 0..4));
    let count = if is_fixed { 1..=1 } else { 1..=64u16 };
    let restart = select(vec![Restart::Always, Restart::OnFailure, Restart::Never]);
    let user = prop::option::of("[a-z_][a-zA-Z0-9_.-]{0,30}");
    let numbers = (count, restart, update, user, LOG_BYTES, NOFILE);
    (names, program, numbers).prop_map(move |(names, program, numbers)| {
        let mut fields = Fields::new(names.0, names.3);
        (fields.rev, fields.horde) = (names.1, names.2);
        (fields.argv0, fields.args, fields.ports) = (program.0, program.1, ports.clone());
        (fields.count, fields.restart, fields.update, fields.user) =
            (numbers.0, numbers.1, numbers.2, numbers.3);
        (fields.log_max, fields.nofile) = (numbers.4, numbers.5);
        fields
    })
}

fn service() -> impl Strategy<Value = ServiceName> {
    "[a-zA-Z][a-zA-Z0-9_.-]{0,10}".prop_map(|name| name.parse().expect("a name"))
}

fn label() -> impl Strategy<Value = Label> {
    "[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?".prop_map(|name| name.parse().expect("a label"))
}

fn image() -> impl Strategy<Value = Image> {
    let machines = prop::collection::btree_map(select(Machine::ALL.to_vec()), blob(), 1..=2);
    prop_oneof![blob().prop_map(Image::Blob), machines.prop_map(Image::PerMachine)]
}

fn blob() -> impl Strategy<Value = BlobId> {
    any::<[u8; 32]>().prop_map(BlobId)
}

/// The names of all ports.
fn names(ports: &Ports) -> Vec<PortName> {
    ports.iter().map(|(name, _)| name.clone()).collect()
}

/// Texts of any characters but NUL, some with placeholders.
fn text(ports: &Ports) -> BoxedStrategy<String> {
    let any = "[^\0$]{0,12}".boxed();
    let mut with: Vec<String> = vec!["${addr}".into(), "${dir}/x".into(), "$${dir} ${HOME}".into()];
    with.extend(names(ports).iter().map(|name| format!("--{name}=${{port.{name}}}")));
    prop_oneof![any, select(with)].boxed()
}

fn env(ports: &Ports) -> impl Strategy<Value = BTreeMap<String, String>> + use<> {
    let env = prop::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,8}", text(ports), 0..4);
    env.prop_map(|mut env| {
        env.retain(|name, _| name != "PORT" && !name.starts_with("CRUX_"));
        env
    })
}

fn register(ports: &Ports) -> BoxedStrategy<Register> {
    let names = names(ports);
    if names.is_empty() {
        return select(vec![Register::ByName, Register::List(Vec::new())]).boxed();
    }
    let value =
        "\\PC{0,9}".prop_map(|value: String| value.chars().filter(|c| is_plain(*c)).collect());
    let labels = prop::collection::btree_map("[a-z][a-z.]{0,5}", value, 0..3);
    let entry = (service(), service(), select(names), labels);
    let list = prop::collection::vec(entry, 0..3).prop_map(|list| {
        let mut seen = BTreeSet::new();
        let is_new = |entry: &RegisterAs| seen.insert((entry.service.clone(), entry.rev.clone()));
        let of = |(service, rev, port, labels)| RegisterAs { service, rev, port, labels };
        Register::List(list.into_iter().map(of).filter(is_new).collect())
    });
    prop_oneof![Just(Register::ByName), list].boxed()
}

fn checks(ports: &Ports) -> impl Strategy<Value = Vec<Check>> + use<> {
    let words = prop::collection::vec(text(ports), 0..3);
    let exec = ("(/[a-z]{1,5}|curl)", words).prop_map(|(program, mut command)| {
        command.insert(0, program);
        Probe::Exec { command }
    });
    let probe =
        if ports.is_empty() { exec.boxed() } else { prop_oneof![exec, dialled(ports)].boxed() };
    let check =
        (probe, millis(CHECK_TIMEOUT)).prop_map(|(probe, timeout)| Check { probe, timeout });
    prop::collection::vec(check, 0..4)
}

fn dialled(ports: &Ports) -> impl Strategy<Value = Probe> + use<> {
    let port = || select(names(ports));
    prop_oneof![
        port().prop_map(|port| Probe::Tcp { port }),
        ("/[!-~]{0,9}", port()).prop_map(|(path, port)| Probe::Http { path, port }),
        ("[a-zA-Z_.]{0,9}", port()).prop_map(|(service, port)| Probe::Grpc { port, service }),
    ]
}

/// Whole milliseconds of a range.
fn millis(range: RangeInclusive<Duration>) -> impl Strategy<Value = Duration> {
    let millis = |duration: &Duration| u64::try_from(duration.as_millis()).expect("not that long");
    (millis(range.start())..=millis(range.end())).prop_map(Duration::from_millis)
}

fn times() -> impl Strategy<Value = ([Duration; 4], [Duration; 3])> {
    let first = [PERIOD, START_PERIOD, START_TIMEOUT, DRAIN].map(millis);
    let second = [QUIT_TIMEOUT, BACKOFF_MAX, RETRY_FAILED].map(millis);
    (first, second)
}

/// The keys that only a target uses, often as they are where nothing is written.
fn placement() -> impl Strategy<Value = (i32, Rollout, Moving)> {
    let step = prop_oneof![STEP_NODES.prop_map(Step::Nodes), STEP_PERCENT.prop_map(Step::Percent)];
    let rollout = (step, millis(ROLLOUT_DEADLINE));
    let rollout = rollout.prop_map(|(step, deadline)| Rollout { step, deadline });
    let after =
        prop_oneof![Just(ReplaceAfter::Never), millis(REPLACE_AFTER).prop_map(ReplaceAfter::Time),];
    let moving = (after, select(vec![OnMinority::Hold, OnMinority::Replace]));
    let moving =
        moving.prop_map(|(replace_after, on_minority)| Moving { replace_after, on_minority });
    let rollout = prop_oneof![Just(Rollout::default()), rollout];
    let moving = prop_oneof![Just(Moving::default()), moving];
    (prop_oneof![Just(0), PRIORITY], rollout, moving)
}

fn limits() -> impl Strategy<Value = Option<Limits>> {
    let option = prop::option::of::<RangeInclusive<u32>>;
    let limits = (prop::option::of(MEMORY), option(PIDS), option(CPU_MILLI));
    // `required` is left out: readers of people's texts refuse it.
    let of = |(memory, pids, cpu_milli)| Limits { memory, pids, cpu_milli, required: false };
    prop::option::of(limits.prop_map(of))
}
