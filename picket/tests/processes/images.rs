//! Only sealed bytes run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crux_picket::handle::{Ended, Keeper, StartError};
use crux_picket::image::{Image, ImageError, Images, source_of};

use crate::Test;
use crate::picket::{Picket, is_another, is_up, process, until};
use crate::world::World;

pub(crate) const TESTS: &[Test] = &[
    ("fifty_starts_run_no_byte_that_was_not_sealed", fifty_starts),
    ("a_static_program_runs", a_static_program_runs),
    ("an_unsealed_image_runs_too", an_unsealed_image_runs_too),
    ("what_cannot_run_is_refused_before", what_cannot_run_is_refused_before),
    ("an_image_that_was_moved_is_found", an_image_that_was_moved_is_found),
];

pub(crate) const NIGHTLY: &[Test] = &[
    ("a_thousand_starts_run_no_byte_that_was_not_sealed", a_thousand_starts),
    ("an_image_that_is_too_large_and_was_moved", an_image_that_is_too_large_and_was_moved),
];

/// Larger than what is read at a time, so that a copy may be torn.
const PADDING: usize = 300 << 10;

fn fifty_starts() {
    starts(50);
}

fn a_thousand_starts() {
    starts(1000);
}

/// So many starts, while somebody rewrites and renames the store's file.
fn starts(count: u32) {
    let world = World::new();
    let store = world.path("store");
    // The kernel reads a script from its descriptor; its first and its last line are far apart.
    let script = |code: u32, mark: &str| {
        format!("#!/bin/sh\n{mark}\n#{}\n{mark}\nexit {code}\n", "x".repeat(PADDING))
    };
    let (good, bad) = (script(42, ":      "), script(66, ">$D/BAD"));
    assert_eq!(good.len(), bad.len());
    fs::write(&store, &good).unwrap();
    let source = source_of(&store).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let rewrites = Arc::new(AtomicU32::new(0));
    let writer = std::thread::spawn({
        let (stop, rewrites) = (Arc::clone(&stop), Arc::clone(&rewrites));
        move || {
            while !stop.load(Ordering::Relaxed) {
                // In place, and by another file under its name.
                fs::write(&store, &bad).unwrap();
                std::thread::yield_now();
                let aside = store.with_extension("new");
                fs::write(&aside, &good).unwrap();
                fs::rename(&aside, &store).unwrap();
                rewrites.fetch_add(1, Ordering::Relaxed);
                // Some copies have to succeed.
                std::thread::sleep(std::time::Duration::from_micros(300));
            }
        }
    });
    let (mut started, mut refused) = (0, 0);
    while started < count {
        match Images::default().load(&source) {
            Ok(image) => {
                let mut running = world.start("one", &image, world.spec(&[]));
                assert_eq!(running.exited().ended, Ended::Code(42));
                running.kill();
                started += 1;
            }
            Err(ImageError::Differs(_)) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    let rewrites = rewrites.load(Ordering::Relaxed);
    println!("{started} starts, {refused} copies refused, {rewrites} rewrites");
    assert!(!world.path("BAD").exists());
    assert!(refused > 0 && rewrites > count / 10, "the writer did not get in between");
}

/// A whole program of this machine: it returns 42.
pub(crate) fn tiny() -> Vec<u8> {
    program(if cfg!(target_arch = "aarch64") {
        // mov x0, 42; mov x8, 93; svc 0
        &[0x40, 0x05, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 0x01, 0, 0, 0xd4]
    } else {
        // mov edi, 42; mov eax, 60; syscall
        &[0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]
    })
}

/// The same that waits for a signal.
pub(crate) fn waiting() -> Vec<u8> {
    program(if cfg!(target_arch = "aarch64") {
        // mov x0, 0; mov x1, 0; mov x2, 0; mov x3, 0; mov x8, 73 (ppoll); svc 0; b to the first
        &[
            0, 0, 0x80, 0xd2, 1, 0, 0x80, 0xd2, 2, 0, 0x80, 0xd2, 3, 0, 0x80, 0xd2, 0x28, 0x09,
            0x80, 0xd2, 1, 0, 0, 0xd4, 0xfa, 0xff, 0xff, 0x17,
        ]
    } else {
        // mov eax, 34 (pause); syscall; jmp to the first
        &[0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7]
    })
}

fn program(code: &[u8]) -> Vec<u8> {
    let machine: u8 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([2, 0, machine, 0, 1, 0, 0, 0]);
    let base = 0x40_0000_u64;
    // Entry, table of segments, none of sections, no flags; sizes.
    file.extend((base + 120).to_le_bytes());
    file.extend(64_u64.to_le_bytes());
    file.extend([0; 12]);
    file.extend([64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    // One segment: loaded, readable and executable, all of the file.
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    let size = 120 + code.len() as u64;
    for word in [0, base, base, size, size, 0x1_0000] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    file
}

fn a_static_program_runs() {
    let world = World::new();
    let path = world.path("tiny");
    fs::write(&path, tiny()).unwrap();
    let image = Image::seal(&source_of(&path).unwrap()).unwrap();
    let mut running = world.start("one", &image, world.spec(&[]));
    assert_eq!(running.exited().ended, Ended::Code(42));
    running.kill();
}

fn an_unsealed_image_runs_too() {
    let world = World::new();
    for content in [tiny(), b"#!/bin/sh\nexit 42\n".to_vec()] {
        let path = world.path("large");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        // No room for any copy.
        let image = Images::new(0).load(&source_of(&path).unwrap()).unwrap();
        assert!(!image.is_sealed());
        let mut running = world.start("one", &image, world.spec(&[]));
        assert_eq!(running.exited().ended, Ended::Code(42));
        running.kill();
        fs::remove_file(&path).unwrap();
    }
}

fn what_cannot_run_is_refused_before() {
    let world = World::new();
    let image = |content: &[u8]| {
        let path = world.path("it");
        fs::write(&path, content).unwrap();
        Image::seal(&source_of(&path).unwrap())
    };
    let mut other = tiny();
    other[18] = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    for content in [&*other, b"#!/no/such/interpreter\n"] {
        let image = image(content).unwrap();
        let refused = Keeper::start(world.order("one", &image, world.spec(&[])));
        assert!(matches!(refused, Err(StartError::Unusable(_))), "{refused:?}");
    }
    for content in [&b"\x89PNG"[..], b"", b"echo\n"] {
        assert!(matches!(image(content), Err(ImageError::Unusable(_))));
    }
    // Its header is right, and nothing else: the kernel's word.
    let mut cut = tiny();
    cut[64] = 9;
    let mut running = world.start("one", &image(&cut).unwrap(), world.spec(&[]));
    running.until("an end", |this| !this.seen.is_empty());
    running.kill();
    assert!(!world.path("i").join("one").exists());
}

fn an_image_that_was_moved_is_found() {
    moved(0, true);
}

/// It is executed where the store has it, each time.
fn an_image_that_is_too_large_and_was_moved() {
    moved(600 << 20, false);
}

/// A script with so many bytes behind it, which the store moves while the picket is away.
fn moved(padding: u64, is_sealed: bool) {
    let mut picket = Picket::not_started();
    let image = "fe".repeat(32);
    let file = fs::File::create(picket.path("blobs").join(&image)).unwrap();
    std::io::Write::write_all(&mut &file, b"#!/bin/sh\nexec sleep 1000\n").unwrap();
    file.set_len(file.metadata().unwrap().len() + padding).unwrap();
    drop(file);
    picket.start();
    let config = format!(r#"{{"name": "web", "image": "{image}", "drain": "0ms"}}"#);
    let config = serde_json::from_str(&config).unwrap();
    let add = crux_client::op::AddService { config, until: until(crux_client::op::Goal::Up) };
    picket.ask(&add).unwrap();
    assert_eq!(picket.row().sealed, is_sealed);
    picket.stop();
    // The desired config has the old path; the node knows the new one.
    let desired = picket.path("picket/desired.json");
    let text = fs::read_to_string(&desired).unwrap();
    assert!(text.contains("/blobs/"), "{text}");
    fs::write(&desired, text.replace("/blobs/", "/was-here/")).unwrap();
    picket.start();
    picket.until("it is up", |picket| is_up(picket) && picket.pid_of_one().is_some());
    assert_eq!(picket.row().sealed, is_sealed);
    let first = process(&picket.row());
    first.signal(rustix::process::Signal::KILL);
    picket.until("it is up again", |picket| is_another(picket, first));
    picket.stop();
}
