//! `events`

use std::time::Duration;

use crux_client::model::Event;
use crux_client::op::ReadEvents;
use crux_client::parse;
use crux_client::socket::Door;

use super::output::{block_on, to_json};
use super::paint::{Colour, paint};
use super::{Ui, Wait, duration};
use crate::error::Error;
use crate::plain;

/// Show what the node saw
///
/// The last 4,096 events are kept, over restarts of the node. Each has a number, which orders them: --after takes it,
/// so that a reader continues where it was; `gap` says that events between are lost. Kinds are
/// `plugin.` and one of added, started, up, degraded, exited, oom_killed, restarted, crash_loop, updated, rolled_back,
/// stopped, removed, adopted, blocked, fulcrum_restarted. With --json each line is one document: {"seq", "at", "up_ms", "boot",
/// "kind", "node", "principal", "detail", "text"}, where "detail" has "service", "instance", "reason" and others.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Continue with what happens, until stopped
    #[arg(short, long)]
    follow: bool,
    /// Only events after this one
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// Only events that are at most so old
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    since: Option<Duration>,
    /// Only these kinds, as in 'plugin.*'
    #[arg(long, value_name = "GLOB")]
    kind: Option<String>,
    /// Only events of this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let service = args.service.as_ref().map(|name| parse::service_name("the service", name));
    let op = ReadEvents {
        follow: args.follow,
        after: args.after,
        since: args.since,
        kind: args.kind.as_deref().map(parse::kind_glob).transpose()?,
        service: service.transpose()?,
    };
    block_on(async {
        let client = ui.connect_at(Door::Picket, args.wait.timeout).await?;
        let mut events = client.events(&op).await?;
        while let Some(event) = events.next().await? {
            match ui.json() {
                true => ui.print(&to_json(&event)?)?,
                false => ui.print_painted(&text(&event))?,
            }
        }
        Ok(())
    })
}

fn text(event: &Event) -> String {
    let kind = paint(colour(&event.kind), &event.kind);
    format!("{} {} {kind} {}", event.seq, event.at.with_millis(), plain::line(&event.text))
}

/// How bad it is.
fn colour(kind: &str) -> Colour {
    match kind.strip_prefix("plugin.").unwrap_or(kind) {
        "up" | "adopted" | "updated" => Colour::Good,
        "degraded" | "exited" | "restarted" | "blocked" | "fulcrum_restarted" => Colour::Doubtful,
        "oom_killed" | "crash_loop" | "rolled_back" | Event::GAP => Colour::Bad,
        _ => Colour::Faint,
    }
}
