//! `logs`

use std::time::Duration;

use crux_client::model::{LogLine, LogStream};
use crux_client::op::ReadLogs;
use crux_client::parse;
use crux_client::socket::Door;

use super::output::{block_on, to_json};
use super::{Ui, Wait, duration};
use crate::error::Error;
use crate::plain;

/// Show what a service wrote to its standard output and standard error
///
/// Each line has the time at which the node read it, the instance, `|` for standard output, `!` for standard error or
/// `#` for a remark of the node, and the text. With --json each line is one document: {"time": …, "instance": …,
/// "stream": "stdout"|"stderr"|"note", "text": …}.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the service
    name: String,
    /// Continue with what it writes, over restarts and updates, until stopped
    #[arg(short, long)]
    follow: bool,
    /// Only the last lines, so many
    #[arg(long, value_name = "N")]
    tail: Option<u32>,
    /// Only lines that are at most so old
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    since: Option<Duration>,
    /// Continue until the instance ends that runs now
    #[arg(long)]
    until_exit: bool,
    /// Only standard output
    #[arg(long, conflicts_with = "stderr")]
    stdout: bool,
    /// Only standard error
    #[arg(long)]
    stderr: bool,
    #[command(flatten)]
    wait: Wait,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let op = ReadLogs {
        service: parse::service_name("the service", &args.name)?,
        follow: args.follow || args.until_exit,
        tail: args.tail,
        since: args.since,
        until_exit: args.until_exit,
        stream: match (args.stdout, args.stderr) {
            (true, _) => Some(LogStream::Stdout),
            (_, true) => Some(LogStream::Stderr),
            _ => None,
        },
    };
    block_on(async {
        let client = ui.connect_at(Door::Picket, args.wait.timeout).await?;
        let mut logs = client.logs(&op).await?;
        while let Some(line) = logs.next().await? {
            match ui.json() {
                true => ui.print(&to_json(&line)?)?,
                false => ui.print(&text(&line))?,
            }
        }
        Ok(())
    })
}

fn text(line: &LogLine) -> String {
    let mark = match line.stream {
        LogStream::Stdout => '|',
        LogStream::Stderr => '!',
        LogStream::Note => '#',
    };
    format!("{} {} {mark} {}", line.at.with_millis(), line.instance, plain::line(&line.text))
}
