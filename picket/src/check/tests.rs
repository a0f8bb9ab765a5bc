use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crux_crdt::name::ServiceName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

use super::*;

/// Long enough for a busy machine.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

fn name(name: &str) -> ServiceName {
    name.parse().unwrap()
}

/// No commands.
#[derive(Debug)]
struct Nothing;

impl Runner for Nothing {
    fn run<'a>(
        &'a self,
        _: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<Ran, NotRun>> + Send + 'a>> {
        Box::pin(async { Err(NotRun::of_command("no such program")) })
    }
}

async fn run(target: Target, timeout: Duration) -> Outcome {
    Checks::default().run(&name("web"), &target, timeout, &Nothing).await
}

/// A server that reads a request and answers with these bytes, once and then, after a pause, for ever.
async fn serve(first: &'static [u8], then: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let n = stream.read(&mut request).await.unwrap_or(0);
                assert!(
                    request[..n].is_empty()
                        || request.starts_with(b"GET /healthz?x=1 HTTP/1.1\r\n")
                );
                stream.write_all(first).await.ok();
                while !then.is_empty() && stream.write_all(then).await.is_ok() {}
            });
        }
    });
    at
}

async fn http(first: &'static [u8], then: &'static [u8], timeout: Duration) -> Outcome {
    let at = serve(first, then).await;
    run(Target::Http { at, path: "/healthz?x=1".to_owned() }, timeout).await
}

/// An address where nothing listens.
async fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn by_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let outcome = run(Target::Tcp(listener.local_addr().unwrap()), LONG).await;
    assert_eq!((outcome.passed, &*outcome.text), (true, "connected"));
    let outcome = run(Target::Tcp(nowhere().await), LONG).await;
    assert!(
        !outcome.passed && outcome.text.starts_with("no connection: Connection refused"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn by_http() {
    let outcome = http(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", b"", LONG).await;
    assert_eq!((outcome.passed, &*outcome.text), (true, "HTTP 200"));
    let outcome = http(b"HTTP/1.1 302 Found\r\nlocation: /x\r\n\r\n", b"", LONG).await;
    assert_eq!((outcome.passed, &*outcome.text), (true, "HTTP 302"));
    let outcome = http(b"HTTP/1.0 503 No\r\n\r\n\n\x1b[2J database is down\nmore", b"", LONG).await;
    assert_eq!((outcome.passed, &*outcome.text), (false, "HTTP 503: \\u001b[2J database is down"));
    let outcome = http(b"SSH-2.0-OpenSSH\r\n", b"", LONG).await;
    assert!(!outcome.passed && outcome.text.starts_with("no HTTP answer: "), "{outcome:?}");
    let outcome = http(b"", b"", LONG).await;
    assert!(!outcome.passed && outcome.text.starts_with("no HTTP answer: "), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_without_end_is_read_a_little_of() {
    let outcome = http(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 65536], LONG).await;
    assert_eq!((outcome.passed, &*outcome.text), (true, "HTTP 200"));
    let outcome = http(b"HTTP/1.1 500 No\r\n\r\n", &[b'x'; 65536], LONG).await;
    assert!(!outcome.passed && outcome.text.len() == TEXT_BYTES_MAX, "{outcome:?}");
    let outcome = http(b"HTTP/1.1 200 OK\r\nx: ", &[b'x'; 65536], LONG).await;
    assert!(!outcome.passed && outcome.text.starts_with("no HTTP answer"), "{outcome:?}");
    let outcome = http(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", LONG).await;
    assert!(!outcome.passed && outcome.text.starts_with("no HTTP answer"), "{outcome:?}");
}

#[tokio::test]
async fn a_program_that_hangs_ends_the_check_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    for target in
        [Target::Http { at, path: "/".to_owned() }, Target::Grpc { at, service: String::new() }]
    {
        let outcome = run(target, SHORT).await;
        assert_eq!((outcome.passed, &*outcome.text), (false, "no answer within 300ms"));
        assert!(outcome.took >= SHORT && outcome.took < LONG, "{outcome:?}");
    }
    // A body that does not come is not an answer, either.
    let outcome = http(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", b"", SHORT).await;
    assert!(outcome.passed, "the connection was closed: {outcome:?}");
}

#[tokio::test]
async fn by_grpc() {
    let (reporter, service) = tonic_health::server::health_reporter();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let at = incoming.local_addr().unwrap();
    tokio::spawn(
        tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming),
    );
    reporter.set_service_status("api", tonic_health::ServingStatus::NotServing).await;
    let check = |service: &str| run(Target::Grpc { at, service: service.to_owned() }, LONG);
    let outcome = check("").await;
    assert_eq!((outcome.passed, &*outcome.text), (true, "SERVING"));
    let outcome = check("api").await;
    assert_eq!((outcome.passed, &*outcome.text), (false, "NOT_SERVING"));
    let outcome = check("other").await;
    assert_eq!((outcome.passed, &*outcome.text), (false, "gRPC NotFound: service not registered"));
    let at = nowhere().await;
    let outcome = run(Target::Grpc { at, service: String::new() }, LONG).await;
    assert!(
        !outcome.passed && outcome.text.starts_with("no connection: Connection refused"),
        "{outcome:?}"
    );
}

/// Runs nothing, and counts how many run at once.
#[derive(Debug, Default)]
struct Counting {
    now: AtomicUsize,
    most: AtomicUsize,
    done: AtomicUsize,
}

impl Runner for Counting {
    fn run<'a>(
        &'a self,
        command: &'a [String],
    ) -> Pin<Box<dyn Future<Output = Result<Ran, NotRun>> + Send + 'a>> {
        Box::pin(async move {
            let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(now, Ordering::Relaxed);
            let hangs = command[0] == "hang";
            tokio::time::sleep(if hangs { LONG } else { Duration::from_millis(5) }).await;
            self.now.fetch_sub(1, Ordering::Relaxed);
            self.done.fetch_add(1, Ordering::Relaxed);
            Ok(Ran { code: Some(0), signal: None, output: Vec::new() })
        })
    }
}

#[tokio::test(start_paused = true)]
async fn checks_are_bounded_and_a_service_that_hangs_does_not_stop_the_others() {
    let (checks, runner) = (Arc::new(Checks::default()), Arc::new(Counting::default()));
    let start = |service: String, command: &str| {
        let (checks, runner, command) = (checks.clone(), runner.clone(), vec![command.to_owned()]);
        tokio::spawn(async move {
            let target = Target::Exec(command);
            checks.run(&name(&service), &target, LONG * 2, &*runner).await
        })
    };
    let hanging: Vec<_> = (0..500).map(|_| start("bad".to_owned(), "hang")).collect();
    let others: Vec<_> = (0..500).map(|n| start(format!("web{}", n % 50), "true")).collect();
    for other in others {
        assert!(other.await.unwrap().passed);
    }
    assert_eq!(runner.done.load(Ordering::Relaxed), 500, "none of those that hang");
    assert_eq!(runner.most.load(Ordering::Relaxed), RUNNING_MAX);
    hanging.into_iter().for_each(|one| one.abort());
    tokio::task::yield_now().await;
    assert_eq!(
        checks.node.available_permits(),
        RUNNING_MAX,
        "what is dropped gives its place back"
    );
}

#[tokio::test]
async fn by_command() {
    #[derive(Debug)]
    struct One(Ran);
    impl Runner for One {
        fn run<'a>(
            &'a self,
            _: &'a [String],
        ) -> Pin<Box<dyn Future<Output = Result<Ran, NotRun>> + Send + 'a>> {
            Box::pin(async { Ok(self.0.clone()) })
        }
    }
    let run_one = async |code, signal, output: &[u8]| {
        let runner = One(Ran { code, signal, output: output.to_vec() });
        let target = Target::Exec(vec!["check".to_owned()]);
        let outcome = Checks::default().run(&name("web"), &target, LONG, &runner).await;
        (outcome.passed, outcome.text)
    };
    assert_eq!(run_one(Some(0), None, b"").await, (true, "exit code 0".to_owned()));
    let expected = (false, "exit code 3: disk is full".to_owned());
    assert_eq!(run_one(Some(3), None, b"looking\ndisk is full\n\n").await, expected);
    assert_eq!(run_one(None, Some(9), b"").await, (false, "ended by signal 9".to_owned()));
    let outcome = run(Target::Exec(vec!["check".to_owned()]), LONG).await;
    assert_eq!((outcome.passed, &*outcome.text), (false, "not run: no such program"));
}
