//! Events and commands in one short line each, for the history.

use crux_protocol::picket::{Command, Event, Goal, Order, Owned, OwnedRow, Request};

pub(super) fn of_event(event: &Event) -> String {
    match event {
        Event::Request(asked) => {
            let (id, wait, text) = (asked.id.0, asked.wait, of_request(&asked.request));
            format!("Request {id} {text}, wait for {wait:?}")
        }
        Event::Found { record, found } => format!("Found {} {found:?}", record.instance),
        other => format!("{other:?}"),
    }
}

fn of_request(request: &Request) -> String {
    match request {
        Request::Add { config, image } => format!("Add {} {}", config.name, image.path),
        Request::Update { config, image } => format!("Update {} {}", config.name, image.path),
        Request::Goals(goals) => {
            let of = goals.services().iter().map(|(name, goal)| match goal {
                Goal::Run(goal) => format!("{name} {} {}", goal.spec(), goal.image().path),
                Goal::Had { spec, .. } => format!("{name} had {spec}"),
                Goal::Keep => format!("{name} keep"),
            });
            let of: Vec<_> = of.collect();
            format!("Goals {}: {}", of_order(goals.order()), of.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn of_order(order: Order) -> String {
    let Order { target, pass } = order;
    format!("{}/{}.{}", target.generation, pass.term, pass.pass)
}

fn of_owned(owned: &Owned) -> String {
    let row = |row: &OwnedRow| {
        let OwnedRow { service, spec, stage, first, count } = row;
        format!("{count} {service} {spec} {stage:?} {}", first.pass)
    };
    let rows: Vec<_> = owned.rows.iter().map(row).collect();
    let order = owned.order.map(of_order).unwrap_or_default();
    format!("Owned {order}: {}", rows.join(", "))
}

pub(super) fn of_command(command: &Command) -> String {
    match command {
        Command::Save(desired) => {
            let of = desired.services.iter().map(|(name, wanted)| {
                let (current, trial) = (&wanted.current, wanted.on_trial);
                let (number, path) = (current.number, &current.image.path);
                format!("{name} {number} {path} run {} trial {trial}", wanted.run)
            });
            let of: Vec<_> = of.collect();
            let blocked: Vec<_> =
                desired.accepted.blocked.keys().map(ToString::to_string).collect();
            let order = desired.accepted.order.map(of_order).unwrap_or_default();
            let (generation, of, blocked) = (desired.generation, of.join(", "), blocked.join(" "));
            format!("Save {generation} {order}: {of}; blocked: {blocked}")
        }
        Command::Spawn { record, version } => {
            format!("Spawn {} of {} {}", record.instance, version.number, version.image.path)
        }
        Command::Seal(image) => format!("Seal {}", image.path),
        Command::Record(record) => format!("Record {} {:?}", record.instance, record.ports),
        Command::Publish { seq, registrations } => {
            let of: Vec<_> = registrations.values().map(|it| it.instance.as_str()).collect();
            format!("Publish {seq}: {}", of.join(" "))
        }
        Command::Owned(owned) => of_owned(owned),
        Command::Check { instance, check, .. } => format!("Check {instance} {check}"),
        other => format!("{other:?}"),
    }
}
