//! Events and commands in one short line each, for the history.

use crux_protocol::picket::{Command, Event, Request};

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
        other => format!("{other:?}"),
    }
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
            format!("Save {}: {}", desired.generation, of.join(", "))
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
        Command::Check { instance, check, .. } => format!("Check {instance} {check}"),
        other => format!("{other:?}"),
    }
}
