//! The picket's loop with shell scripts in place of the fulcrum.
//!
//! One test: a picket reaps every child of its process, and so would reap those of another test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crux_client::Kind;
use crux_crdt::Principal;
use crux_picket::fulcrum::Start;
use crux_picket::link::{FromFulcrum, Ready, VERSION};
use crux_picket::{Config, Ended, run};
use serde_json::Value;
use tokio::sync::mpsc;

/// How long a case may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A script that is the fulcrum. `say NAME` sends a message; `$N` counts the starts.
#[derive(Clone)]
struct Script {
    text: String,
    home: PathBuf,
    /// The questions for the settings, by `is_first`.
    asked: Rc<RefCell<Vec<bool>>>,
}

impl Start for Script {
    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        // Standard input is the link, and a socket goes both ways.
        let tools = "say() { eval \"printf '%b%s' \\\"\\$$1_HEAD\\\" \\\"\\$$1_BODY\\\"\" >&0; }\n\
                     N=$(($(cat \"$HOME/n\" 2>/dev/null || echo 0) + 1)); echo $N > \"$HOME/n\"\n";
        command.args(["-c", &format!("{tools}{}", self.text)]).env("HOME", &self.home);
        for (name, message) in [
            ("READY", ready()),
            ("HELLO", hello(VERSION)),
            ("NEWER", hello(VERSION + 1)),
            ("REFUSED", ends_with(Kind::Refused)),
            ("FULL", ends_with(Kind::DiskFull)),
        ] {
            let body = serde_json::to_string(&message).unwrap();
            let head = u32::try_from(body.len()).unwrap().to_be_bytes();
            let head: String = head.iter().map(|byte| format!("\\0{byte:03o}")).collect();
            command.env(format!("{name}_HEAD"), head).env(format!("{name}_BODY"), body);
        }
        command
    }

    fn settings(&self, is_first: bool) -> Value {
        self.asked.borrow_mut().push(is_first);
        Value::Null
    }
}

fn hello(version: u32) -> FromFulcrum {
    FromFulcrum::Hello { version, pid: 1 }
}

fn ends_with(kind: Kind) -> FromFulcrum {
    FromFulcrum::Ends { failure: (&crux_client::Error::new(kind, "so it is")).into() }
}

fn ready() -> FromFulcrum {
    FromFulcrum::Ready(Ready {
        principal: Principal([1; 32]),
        node: "n1".parse().unwrap(),
        flock: "dev".parse().unwrap(),
        addresses: Vec::new(),
    })
}

/// How `run` ends with a script, how often that was started, and with which settings.
async fn ends(text: &str, stop_after: Option<Duration>) -> (Ended, Vec<bool>) {
    let home = tempfile::tempdir().unwrap();
    let asked = Rc::<RefCell<Vec<bool>>>::default();
    let start =
        Script { text: text.to_owned(), home: home.path().to_owned(), asked: asked.clone() };
    let config = Config {
        start,
        data_dir: home.path().to_owned(),
        stop_timeout: Duration::from_millis(300),
    };
    let stop = async {
        match stop_after {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    let (_tell, reload) = mpsc::channel(1);
    let ended = tokio::time::timeout(LIMIT, run(config, stop, reload)).await;
    let ended = ended.unwrap_or_else(|_| panic!("it does not end: {text}"));
    (ended, asked.take())
}

#[tokio::test]
async fn the_end_of_a_fulcrum_means_what_the_table_says() {
    // One that was never ready ends `run`, with its own code.
    for code in [0, 1, 2, 3, 5, 101] {
        assert_eq!(ends(&format!("exit {code}"), None).await, (Ok(code), vec![true]));
    }
    let (ended, starts) = ends("kill -9 $$", None).await;
    assert!(ended.unwrap_err().to_string().contains("signal 9 before it served"));
    assert_eq!(starts.len(), 1);

    // One that was ready is started again, until an end is final; at once, then after 100 and 200 ms.
    for end in ["exit 0", "say REFUSED; exit 5"] {
        let begun = Instant::now();
        let text = format!(
            "[ $N = 1 ] && {{ say HELLO; say READY; exit 1; }}; [ $N = 2 ] && exit 7\n\
                            [ $N = 3 ] && kill -9 $$; {end}"
        );
        let code = end.bytes().last().unwrap() - b'0';
        assert_eq!(ends(&text, None).await, (Ok(code), vec![true, false, false, false]));
        assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    }
    // A full disk, a taken port, settings that became wrong: people who mend that have nothing to restart.
    let text = "[ $N = 1 ] && { say READY; exit 1; }; [ $N = 2 ] && { say FULL; exit 5; }\n\
                [ $N = 3 ] && exit 2; [ $N = 4 ] && exit 5; exit 0";
    assert_eq!(ends(text, None).await.1.len(), 5);

    // One that cannot be talked to is killed.
    for text in ["say NEWER; exec sleep 60", "printf 'nonsense' >&0; exec sleep 60"] {
        let begun = Instant::now();
        let (ended, _) = ends(text, None).await;
        assert!(ended.unwrap_err().to_string().contains("signal 9"), "{text}");
        assert!(begun.elapsed() < LIMIT / 2);
    }
    // One that closes the link may take its time to end.
    let text = "exec 0<&-; sleep 0.2; exit 4";
    assert_eq!(ends(text, None).await.0, Ok(4));

    // Told to stop: its own code, or a kill when the time is up. `dd` takes the hello and more is the order.
    let stops = "say READY; exec 3<&0; dd bs=1 count=1 skip=HELLO <&3 >/dev/null 2>&1; exit 0";
    let hello = serde_json::json!({"Hello": {"version": VERSION, "picket": std::process::id(), "settings": null}});
    let stops = stops.replace("HELLO", &(4 + hello.to_string().len()).to_string());
    let soon = Some(Duration::from_millis(200));
    assert_eq!(ends(&stops, soon).await, (Ok(0), vec![true]));
    let (ended, starts) = ends("say READY; exec sleep 60", soon).await;
    assert_eq!(ended.unwrap_err().kind(), Kind::TimedOut);
    assert_eq!(starts.len(), 1, "it is not started again");
    // While there is none, nothing has to stop.
    let text = "[ $N -lt 9 ] && say READY; exit 1";
    assert_eq!(ends(text, Some(Duration::from_millis(700))).await.0, Ok(0));
}
