//! The words of a command line.

use super::*;

fn words(text: &str) -> Words {
    let mut words = Words { name: "web".to_owned(), ..Words::default() };
    let mut all = text.split(' ').filter(|word| !word.is_empty());
    while let Some(word) = all.next() {
        let mut value = || all.next().unwrap().replace('~', " ");
        match word {
            "--rev" => words.rev = Some(value()),
            "--image" => words.image = Some(value()),
            "--port" => words.ports.push(value()),
            "--env" => words.env.push(value()),
            "--check" => words.checks.push(value()),
            "--" => words.command = all.by_ref().map(str::to_owned).collect(),
            other => panic!("{other}"),
        }
    }
    words
}

fn refused(text: &str) -> String {
    words(text).draft().unwrap_err().to_string()
}

#[test]
fn a_command_is_found_in_path_or_is_a_path() {
    let draft = words("--port http=auto -- python3 -m http.server ${port.http}").draft().unwrap();
    assert_eq!(draft.image, Source::Command("python3".to_owned()));
    assert_eq!(draft.args, ["-m", "http.server", "${port.http}"]);
    assert_eq!((draft.rev.as_str(), draft.ports.first().unwrap().as_str()), ("v1", "http"));
    let source = |text: &str| words(text).draft().unwrap().image.clone();
    assert_eq!(source("-- ./web"), Source::One(Place::Path("./web".into())));
    assert_eq!(source(&format!("-- {BLOB}")), Source::One(Place::Blob(BLOB.parse().unwrap())));
}

#[test]
fn with_an_image_all_words_are_arguments() {
    let draft = words("--rev v2 --image web -- serve --fast").draft().unwrap();
    assert_eq!(draft.image, Source::One(Place::Path("web".into())));
    assert_eq!(
        (draft.args.as_slice(), draft.rev.as_str()),
        (&["serve".into(), "--fast".into()][..], "v2")
    );
}

#[test]
fn they_say_what_a_file_says() {
    let draft = words(&format!(
        "--image {BLOB} --port z=auto --port a=8080 --env A=b=c --env B= --check tcp:8080 --check tcp:z \
         --check http:/x --check http:/y:a --check grpc --check grpc:a --check exec:curl~-f~x"
    ));
    let file = with(
        "ports = { z = 'auto', a = 8080 }\nenv = { A = 'b=c', B = '' }\n\
         check = [{ tcp = 'a' }, { tcp = 'z' }, { http = '/x' }, { http = '/y', port = 'a' }, { grpc = '' },\n\
         { grpc = '', port = 'a' }, { exec = ['curl', '-f', 'x'] }]",
    );
    assert_eq!(draft.draft().unwrap(), read(file).unwrap());
}

#[test]
fn wrong_words_are_named() {
    for (text, expected) in [
        ("", "there is nothing to run"),
        ("--rev 9 -- a", "--rev \"9\": it starts with '9'; it must start with a letter"),
        (
            "--image /x --port http",
            "--port \"http\": write NAME=NUMBER, or NAME=auto as in http=auto",
        ),
        ("--port a=99999 -- a", "--port \"a=99999\": invalid port 99999: expected 1 to 65535"),
        ("--port a=+1 -- a", "--port \"a=+1\": write a number from 1 to 65535, or \"auto\""),
        ("--port a= -- a", "--port \"a=\": write a number from 1 to 65535, or \"auto\""),
        ("--port a=1 --port a=2 -- a", "--port \"a=2\": the ports a and a have the same variable"),
        ("--port a=1 --port b=1 -- a", "`ports.b`: the ports a and b have the same number"),
        ("--env A -- a", "--env \"A\": write NAME=VALUE"),
        ("--env =A -- a", "--env \"=A\": write NAME=VALUE"),
        ("--env A=1 --env A=2 -- a", "--env \"A=2\": the variable is there twice"),
        ("--env PORT=1 -- a", "`env.PORT`: the node sets CRUX_* and PORT itself"),
        ("--check tcp -- a", "--check \"tcp\": there is no port; add one, as in --port http=auto"),
        ("--port a=1 --check tcp:b -- a", "--check \"tcp:b\": there is no such port"),
        ("--port a=1 --check http -- a", "--check \"http\": write http:/PATH or http:/PATH:PORT"),
        (
            "--port a=1 --check http:x -- a",
            "--check \"http:x\": write http:/PATH or http:/PATH:PORT",
        ),
        ("--check heartbeat:1s -- a", "--check \"heartbeat:1s\": not there yet"),
        (
            "--check smtp:1 -- a",
            "--check \"smtp:1\": write tcp:PORT, http:/PATH[:PORT], grpc[:PORT] or exec:COMMAND",
        ),
        ("--check exec: -- a", "`check[0].exec`: it is empty"),
        ("-- a ${port.x}", "`args[0]`: there is no port \"x\""),
    ] {
        let err = refused(text);
        assert!(err.starts_with(expected), "{text}: {err}");
    }
    let err = words("-- a").draft().map(|_| ()).and_then(|()| Words::default().draft().map(|_| ()));
    assert_eq!(err.unwrap_err().kind(), Kind::InvalidArgument);
    let unnamed = Words { command: vec!["a".to_owned()], ..Words::default() };
    assert_eq!(unnamed.draft().unwrap_err().kind(), Kind::InvalidName);
}
