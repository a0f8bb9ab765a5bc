//! The flock's secret is not in the memory of a node that runs, whatever it came from.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use crux_node::secret::SecretString;
use rustix::process::{Pid, Signal, geteuid};

use super::node::Node;

/// How much of the memory is read at once.
const CHUNK: usize = 1 << 20;

/// How often each needle is in the memory of a process; none where it may not be read.
fn count(pid: Pid, needles: &[Vec<u8>]) -> Option<Vec<usize>> {
    let pid = pid.as_raw_nonzero();
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let longest = needles.iter().map(Vec::len).max().unwrap();
    let mut counts = vec![0; needles.len()];
    // Most places are none of a needle: looking at one byte first makes the search bearable.
    let firsts: BTreeSet<u8> = needles.iter().map(|needle| needle[0]).collect();
    let begins: Vec<bool> = (0..=u8::MAX).map(|byte| firsts.contains(&byte)).collect();
    for line in maps.lines() {
        let mut fields = line.split_whitespace();
        let (range, modes) = (fields.next().unwrap(), fields.next().unwrap());
        if !modes.starts_with('r') || line.ends_with("[vvar]") || line.ends_with("[vsyscall]") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let at = |text| u64::from_str_radix(text, 16).unwrap();
        let (mut start, end) = (at(start), at(end));
        let mut buf = vec![0; CHUNK + longest];
        while start < end {
            let len = usize::try_from(end - start).unwrap().min(buf.len());
            let Ok(read) = memory.read_at(&mut buf[..len], start) else { break };
            for (at, _) in
                buf[..read.min(CHUNK)].iter().enumerate().filter(|(_, b)| begins[usize::from(**b)])
            {
                for (needle, count) in needles.iter().zip(&mut counts) {
                    *count += usize::from(buf[at..read].starts_with(needle));
                }
            }
            start += CHUNK as u64;
        }
    }
    Some(counts)
}

/// Halves of the secret as bytes and as it may be written: a copy of which a part was overwritten by
/// chance counts, too.
fn needles(line: &str) -> Vec<Vec<u8>> {
    let secret: SecretString = line.parse().unwrap();
    let bytes = *secret.parts().secret;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = line.trim();
    // After the prefix and the first symbols, which also hold the flags, up to the name's.
    let text = &line[line.find('-').unwrap() + 3..][..48];
    let mut all: Vec<Vec<u8>> = bytes.chunks(16).map(<[u8]>::to_vec).collect();
    for text in [hex.as_str(), &hex.to_uppercase(), text, &text.to_uppercase()] {
        all.extend(text.as_bytes().chunks(text.len() / 2).map(<[u8]>::to_vec));
    }
    all
}

/// Looks at a node that runs. What it must keep, its own key, shows that the search finds things.
fn look(node: &Node, when: &str) {
    let line = std::fs::read_to_string(node.path("secret")).unwrap();
    let key = std::fs::read_to_string(node.path("d").join("principal.key")).unwrap();
    let key = key.trim();
    let text = &key[key.find('-').unwrap() + 1..];
    let text = &text[text.find('-').unwrap() + 1..];
    let seed =
        data_encoding::BASE32_NOPAD_NOCASE.decode(text.split_once("-end").unwrap().0.as_bytes());
    let mut all = needles(&line);
    let secrets = all.len();
    all.push(text.as_bytes()[..24].to_vec());
    all.push(seed.unwrap()[..32].to_vec());
    let Some(counts) = count(node.fulcrum(), &all) else {
        assert!(!geteuid().is_root(), "root reads all memory");
        // Past what the tests' output is kept in, so that it is seen.
        let why = "only root reads that of a private process";
        let said = format!("NOT LOOKED at a node's memory ({when}): {why}\n");
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return;
    };
    assert!(counts[secrets + 1] > 0, "the search finds what is there");
    assert_eq!(counts[..secrets], vec![0; secrets], "{when}: the secret is in memory");
    assert_eq!(counts[secrets], 0, "{when}: the text of the node's key is in memory");
    // The picket reads the secret, and never the node's key.
    let counts = count(node.pid(), &all).expect("root reads all memory");
    assert_eq!(counts, vec![0; all.len()], "{when}: a secret is in the picket's memory");
}

/// Another user's process, or one that is private, is read by root only.
fn is_private(node: &Node) {
    if !geteuid().is_root() {
        for pid in [node.pid(), node.fulcrum()] {
            let memory = File::open(format!("/proc/{}/mem", pid.as_raw_nonzero()));
            assert!(memory.is_err(), "a process of the same user can read the memory");
        }
    }
}

#[test]
fn a_secret_from_a_file_is_in_memory_no_longer() {
    let mut node = Node::new();
    let mut command = node.command();
    command.stderr(node.log_file());
    node.start(command);
    is_private(&node);
    look(&node, "at the start");
    node.signal(Signal::HUP);
    node.until("it read the secret again", |node| node.log().contains("read the settings again"));
    look(&node, "after SIGHUP");
}

#[test]
fn a_secret_from_the_environment_is_in_memory_no_longer() {
    let mut node = Node::new();
    let line = std::fs::read_to_string(node.path("secret")).unwrap();
    let mut command = node.bare_command();
    command.env("CRUX_SECRET", line.trim()).stderr(node.log_file());
    node.start(command);
    look(&node, "from the environment");
    node.signal(Signal::HUP);
    node.until("it goes on without it", |node| node.log().contains("read the settings again"));
}

#[test]
fn a_secret_that_the_settings_name_is_in_memory_no_longer() {
    let mut node = Node::new();
    let settings = node.path("crux.toml");
    let secret = node.path("secret");
    std::fs::write(&settings, format!("secret_file = '{}'\n", secret.display())).unwrap();
    let mut command = node.bare_command();
    command.arg("--config").arg(settings).stderr(node.log_file());
    node.start(command);
    look(&node, "from a file that the settings name");
}
