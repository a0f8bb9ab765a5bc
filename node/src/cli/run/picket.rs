//! The process that starts the node, and starts it again.

use std::ffi::OsString;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use crux_picket::fulcrum::Start;
use serde_json::Value;
use tokio::sync::mpsc;

use super::{handed, node};
use crate::again::Program;
use crate::cli::Ui;
use crate::config::{self, Config, Env, Given, Layer};
use crate::error::{Error, Exit, Kind};
use crate::parts::{Part, Stop, Supervisor};
use crate::reload::Hangups;
use crate::secret::FlockKeys;
use crate::shutdown;
use crate::telemetry::{self, Log};

/// The text of the file of settings, as it was read last and was right.
type Text = Arc<Mutex<Option<String>>>;

/// Runs the picket until the node ends. An error that the fulcrum has printed is an exit code here.
pub(super) fn run(config: &Config, given: Given, flags: Layer, ui: &mut Ui) -> Result<Exit, Error> {
    let program = Program::of_process(ui.words()).ok_or_else(|| {
        Error::new(Kind::Unsupported, "this process cannot find out how it was called")
            .with_hint("Say --services off: then the node is one process.")
    })?;
    let parts = Supervisor::default();
    let log = telemetry::init(config, ui.colours_errors(), &parts)?;
    let outlet = log.outlet();
    ui.set_err(Box::new(outlet.clone()));
    let text: Text = Arc::new(Mutex::new(given.file));
    let child = Child {
        program,
        words: ui.words().to_vec(),
        text: text.clone(),
        keys: given.keys.clone(),
        rejoin: config.rejoin,
    };
    let settings = Settings { flags, env: ui.env().clone(), keys: given.keys, text, log };
    // One thread, which is the parent of all that a node runs.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|err| Error::io("starting the runtime", &err))?;
    let last_words = outlet.clone();
    let give_up = move || last_words.flush();
    let result = runtime.block_on(async {
        shutdown::outlive_others()?;
        let (tell, reload) = mpsc::channel(1);
        let hangups = Hangups::Signals(shutdown::hangups()?);
        parts.task(Part::Reload, Stop::Drop, settings.at_each(hangups, tell));
        let stop = shutdown::requested(&parts, config.stop_with_stdin, give_up)?;
        let stop = async {
            tokio::select! {
                () = stop => {}
                () = parts.failed() => {}
            }
        };
        let _dir = node::own(config)?;
        let config = crux_picket::Config {
            start: child,
            data_dir: config.data_dir.clone(),
            stop_timeout: config.stop_timeout,
        };
        watch(config, &parts, stop, reload).await
    });
    runtime.shutdown_timeout(node::GRACE);
    outlet.mend(&parts);
    outlet.flush();
    result
}

/// Runs the picket's loop as a part, so that a panic in it is an error with a name.
async fn watch(
    config: crux_picket::Config<Child>,
    parts: &Supervisor,
    stop: impl Future<Output = ()>,
    reload: mpsc::Receiver<()>,
) -> Result<Exit, Error> {
    let mut code = Exit::Failed.code();
    let work = async {
        code = crux_picket::run(config, stop, reload).await?;
        Ok::<(), Error>(())
    };
    let result = parts.here(Part::Loop, work).await;
    let stopped = parts.stop().await;
    parts.failure().map_or(result, Err).and(stopped)?;
    Ok(Exit::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::Failed))
}

/// The fulcrum, as it is started.
struct Child {
    program: Program,
    /// Those of `run`.
    words: Vec<OsString>,
    text: Text,
    keys: FlockKeys,
    rejoin: bool,
}

impl Start for Child {
    fn command(&self) -> Command {
        let mut command = self.program.command();
        command.args(["fulcrum", "--"]).args(&self.words);
        command
    }

    fn settings(&self, is_first: bool) -> Value {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Later it would undo a `leave` that was not answered yet.
        handed::write(text, &self.keys, self.rejoin && is_first)
    }
}

/// Settings that each SIGHUP reads again, for the fulcrums to come. The one that runs reads them for itself,
/// and says what is wrong.
struct Settings {
    flags: Layer,
    env: Env,
    keys: FlockKeys,
    text: Text,
    log: Log,
}

impl Settings {
    async fn at_each(self, mut hangups: Hangups, tell: mpsc::Sender<()>) {
        let source = Arc::new((self.flags, self.env, self.keys));
        while hangups.next().await.is_some() {
            let source = source.clone();
            let read = move || config::reread(&source.0, &source.1, &source.2);
            // A disk may be slow.
            if let Ok(Ok((new, text))) = tokio::task::spawn_blocking(read).await {
                *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
                self.log.set_filter(&new.log).ok();
            }
            // One that waits already reads what is there now.
            tell.try_send(()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretString;

    #[test]
    fn a_fulcrum_after_one_that_was_ready_does_not_rejoin() {
        let secret = SecretString::generate("dev".parse().unwrap(), None).unwrap().expose();
        let keys = FlockKeys::take(|| secret.parse().map_err(Error::from)).unwrap();
        let text = Some("name = 'x'".to_owned());
        let program = Program::of_process(&[]).unwrap();
        let of = |rejoin| Child {
            program: program.clone(),
            words: vec!["run".into()],
            text: Arc::new(Mutex::new(text.clone())),
            keys: keys.clone(),
            rejoin,
        };
        for (rejoin, is_first, expected) in
            [(true, true, true), (true, false, false), (false, true, false)]
        {
            let (given, rejoins) = handed::read(of(rejoin).settings(is_first)).unwrap();
            assert_eq!((rejoins, &given.file), (expected, &text), "{rejoin} {is_first}");
            assert_eq!(given.keys.genesis, keys.genesis);
        }
        let wrong = handed::read(serde_json::json!({ "keys": "precious" })).unwrap_err();
        assert!(!wrong.to_string().contains("precious"));
    }
}
