//! Sets of goals: one generation, in their order, beside what people want.

mod people;
mod report;
mod sets;
mod versions;

use std::num::NonZeroU16;

use crux_crdt::document::Marker;
use crux_crdt::record::{First, Pass, Stage};
use crux_crdt::service::{Config, Fields, Image, Port};
use crux_crdt::{Digest, Principal};
use crux_protocol::picket::{
    Assigned, Batch, Batches, Command, Event, Goal, Goals, InstanceId, Order, Outcome, Owned,
    Refusal, Request, Wait,
};

use super::rig::{Rig, image};

const fn pass(pass: u64) -> Pass {
    Pass { term: 3, leader: Principal([9; 32]), pass }
}

const fn order(generation: u64, of: u64) -> Order {
    let target = Marker { grants_version: 1, generation, id: Digest([7; 32]) };
    Order { target, pass: pass(of) }
}

/// The same in short.
fn first(of: u64) -> First {
    pass(of).into()
}

fn batches(all: &[(u64, u16)]) -> Batches {
    let all = all.iter().map(|(first, count)| Batch { first: self::first(*first), count: *count });
    Batches::new(all.collect()).unwrap()
}

/// One instance, assigned in the first pass.
fn one() -> Batches {
    batches(&[(1, 1)])
}

fn assigned(config: &Config, number: u8, batches: Batches) -> Assigned {
    Assigned::new(config, image(number), batches).unwrap()
}

fn run(config: &Config, number: u8) -> (String, Goal) {
    many(config, number, one())
}

fn many(config: &Config, number: u8, batches: Batches) -> (String, Goal) {
    let goal = Goal::Run(Box::new(assigned(config, number, batches)));
    (config.name.to_string(), goal)
}

fn set(order: Order, all: Vec<(String, Goal)>) -> Request {
    let all = all.into_iter().map(|(name, goal)| (name.parse().unwrap(), goal));
    Request::Goals(Box::new(Goals::new(order, all.collect()).unwrap()))
}

fn name(text: &str) -> crux_crdt::name::ServiceName {
    text.parse().unwrap()
}

fn attached() -> Rig {
    let mut rig = Rig::new();
    let told = rig.tell(Event::FulcrumAttached { restarted: false });
    assert_eq!(told.last(), Some(&Command::Owned(Owned::default())), "that there is none");
    rig
}

/// Hands in a set, which is accepted.
fn accept(rig: &mut Rig, request: Request) {
    let id = rig.ask(request, Wait::Nothing);
    assert_eq!(rig.answers[&id], Outcome::Done(Vec::new()));
}

fn refused(rig: &mut Rig, request: Request) -> Refusal {
    let before = rig.disk.clone();
    let id = rig.ask(request, Wait::Up);
    assert_eq!(rig.disk, before, "nothing is written");
    match rig.answers.remove(&id) {
        Some(Outcome::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// The rows of the last report, as (service, stage, pass, count).
fn rows(rig: &Rig) -> Vec<(String, Stage, u64, u16)> {
    let last = report(rig).unwrap_or_else(|| panic!("{:#?}", rig.log));
    last.rows
        .iter()
        .map(|row| (row.service.to_string(), row.stage, row.first.pass, row.count))
        .collect()
}

fn report(rig: &Rig) -> Option<Owned> {
    rig.reports.last().cloned()
}

fn row(text: &str, stage: Stage, count: u16) -> (String, Stage, u64, u16) {
    (text.to_owned(), stage, 1, count)
}

fn refuse(_: &InstanceId, _: usize) -> Result<(), String> {
    Err("refused".to_owned())
}

fn on_port(number: u16) -> impl FnOnce(&mut Fields<Image>) {
    move |fields| {
        let port = Port::Number(NonZeroU16::new(number).unwrap());
        fields.ports.push("http".parse().unwrap(), port).unwrap();
    }
}
