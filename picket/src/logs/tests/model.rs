//! Any sequence of writing, flushing, rotating, filling the disk and reading, against a list of lines.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    /// So many lines of such a length.
    Write(u64, usize),
    Flush,
    Room(bool),
    Read(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1..400_u64, 0..600_usize).prop_map(|(lines, len)| Act::Write(lines, len)),
        4 => Just(Act::Flush),
        1 => any::<bool>().prop_map(Act::Room),
        3 => (0..3_usize).prop_map(Act::Read),
    ];
    proptest::collection::vec(act, 1..60)
}

/// A reader, the number of the next line that it may get, and how many it may miss.
struct Seen {
    reader: Reader,
    next: u64,
    may_miss: u64,
}

impl Seen {
    fn read(&mut self) {
        while let Step::Lines(batch) = self.reader.step().unwrap() {
            self.may_miss += batch.lost;
            for line in batch.lines() {
                let text = std::str::from_utf8(line.text).unwrap();
                let number = text.split(' ').next().unwrap().parse::<u64>().unwrap();
                if line.stream == Stream::Crux {
                    self.may_miss += number;
                    continue;
                }
                let missed = number.checked_sub(self.next).expect("no line twice, none too late");
                self.may_miss =
                    self.may_miss.checked_sub(missed).expect("what is missing was told");
                self.next = number + 1;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn each_line_is_read_once_or_told_to_be_missing(acts in acts()) {
        let dir = tempfile::tempdir().unwrap();
        let room = Arc::new(AtomicU64::new(u64::MAX));
        let disk = Full { dir: Dir::open(dir.path()).unwrap(), room: room.clone() };
        let log = ServiceLog::with_disk(dir.path(), Box::new(disk), 0, Budget::default(), Instant::ORIGIN);
        let log = Arc::new(log);
        let mut input = Input::new(log.clone(), "web");
        let query = Query { follow: true, ..Query::default() };
        let reader = |next| Seen { reader: Reader::open(log.clone(), query.clone()).unwrap(), next, may_miss: 0 };
        let mut readers = [reader(0), reader(0), reader(0)];
        let (mut next, mut now) = (0, 0);
        for act in acts {
            now += 1100;
            match act {
                Act::Write(lines, len) => {
                    for n in next..next + lines {
                        let line = format!("{n} {}\n", "x".repeat(len));
                        input.feed(Stream::Stdout, line.as_bytes(), ms(now));
                    }
                    next += lines;
                }
                Act::Flush => drop(log.flush(ms(now))),
                Act::Room(has) => room.store(if has { u64::MAX } else { 50_000 }, Ordering::Relaxed),
                Act::Read(which) => readers[which].read(),
            }
        }
        room.store(u64::MAX, Ordering::Relaxed);
        log.flush(ms(now + 2000));
        for seen in &mut readers {
            seen.read();
            prop_assert_eq!(seen.next, next, "the last line is never dropped");
        }
        // On disk: the end of it, in order.
        let text = on_disk(dir.path());
        let numbers: Vec<u64> = text
            .lines()
            .map(|line| Line::parse(line.as_bytes()).expect("a whole line"))
            .filter(|line| line.stream == Stream::Stdout)
            .map(|line| std::str::from_utf8(line.text).unwrap().split(' ').next().unwrap().parse().unwrap())
            .collect();
        prop_assert!(numbers.is_sorted_by(|a, b| a < b));
        prop_assert_eq!(numbers.last().copied(), next.checked_sub(1));
    }
}
