//! Which layer wins, and what is refused.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::error::Kind;
use crate::secret::SecretString;

struct Fixture {
    dir: TempDir,
    line: String,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secret = SecretString::generate("dev".parse().unwrap(), None).unwrap();
        let line = secret.expose().to_string();
        std::fs::write(dir.path().join("secret"), &line).unwrap();
        Self { dir, line }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Flags that suffice.
    fn flags(&self) -> Layer {
        let (secret_file, data_dir) = (Some(self.path("secret")), Some(self.path("d")));
        Layer { secret_file, data_dir, ..Layer::default() }
    }

    /// The flags, with a file of this text.
    fn with_file(&self, text: &str) -> Layer {
        let path = self.path("crux.toml");
        std::fs::write(&path, text).unwrap();
        Layer { config: Some(path), ..self.flags() }
    }

    /// The error for an environment, with flags that suffice.
    fn refuses(&self, vars: &[(&str, &str)]) -> String {
        let err = load(self.flags(), &Env::of(vars)).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidConfig);
        err.to_string()
    }

    /// The error for a file.
    fn refuses_file(&self, text: &str) -> String {
        let err = load(self.with_file(text), &Env::of(&[])).unwrap_err();
        assert_eq!(err.kind(), Kind::InvalidConfig);
        err.to_string().replace(&self.dir.path().display().to_string(), "DIR")
    }
}

#[test]
fn defaults_suffice() {
    let f = Fixture::new();
    let config = load(f.flags(), &Env::of(&[])).unwrap();
    assert_eq!(config.listen.to_string(), "0.0.0.0:7117");
    assert_eq!(config.keys.genesis.flock.as_str(), "dev");
    assert!(config.mdns && !config.stop_with_stdin);
    assert_eq!((config.name, config.join.len(), config.labels.len()), (None, 0, 0));
    assert!(!f.path("d").exists(), "loading changes nothing");
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let f = Fixture::new();
    let mut flags = f.with_file(
        "listen = '127.0.0.1:1'\nname = 'file'\nmdns = false\nadvertise = ['file:1']\n\
         [labels]\nsite = 'file'\n",
    );
    flags.listen = Some("127.0.0.1:3".to_owned());
    let vars = [
        ("CRUX_LISTEN", "127.0.0.1:2"),
        ("CRUX_NAME", "env"),
        ("CRUX_JOIN", "a:1, [::1]:2,"),
        ("CRUX_LABELS", "site=env,rack=7"),
    ];
    let config = load(flags, &Env::of(&vars)).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:3");
    assert_eq!(config.name.unwrap().as_str(), "env");
    assert_eq!(config.join.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:1", "[::1]:2"]);
    assert_eq!(config.advertise[0].to_string(), "file:1");
    assert_eq!((config.labels["site"].as_str(), config.labels.len()), ("env", 2));
    assert!(!config.mdns);
}

#[test]
fn the_environment_may_name_the_file() {
    let f = Fixture::new();
    let path = f.with_file("name = 'file'\n").config.unwrap();
    let vars = [("CRUX_CONFIG", path.to_str().unwrap())];
    assert_eq!(load(f.flags(), &Env::of(&vars)).unwrap().name.unwrap().as_str(), "file");
    let missing = [("CRUX_CONFIG", "/nowhere/crux.toml")];
    assert_eq!(load(f.flags(), &Env::of(&missing)).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn the_secret_comes_from_the_highest_layer_that_has_one() {
    let f = Fixture::new();
    let data_dir = Some(f.path("d"));
    let bare = Layer { data_dir, ..Layer::default() };
    let err = load(bare.clone(), &Env::of(&[])).unwrap_err();
    assert!(err.hint().unwrap().contains("keygen"));
    let in_env = [("CRUX_SECRET", f.line.as_str())];
    let config = load(bare.clone(), &Env::of(&in_env)).unwrap();
    let from_file = load(f.flags(), &Env::of(&[])).unwrap();
    assert_eq!((config.keys.genesis, config.secret_file), (from_file.keys.genesis, None));
    let wrong_in_env = [("CRUX_SECRET", "crux1-abc")];
    assert!(load(f.flags(), &Env::of(&wrong_in_env)).is_ok(), "the flag wins");
    let err = load(bare.clone(), &Env::of(&wrong_in_env)).unwrap_err();
    assert_eq!(err.kind(), Kind::InvalidSecret);
    assert!(err.to_string().starts_with("CRUX_SECRET: it is truncated"), "{err}");
    let both = [("CRUX_SECRET", f.line.as_str()), ("CRUX_SECRET_FILE", "f")];
    assert!(load(bare, &Env::of(&both)).unwrap_err().to_string().contains("both"));
}

#[test]
fn no_key_that_nobody_knows() {
    let f = Fixture::new();
    let err = f.refuses_file("listne = '127.0.0.1:1'\n");
    assert!(
        err.starts_with("the configuration file DIR/crux.toml: unknown field `listne`"),
        "{err}"
    );
    assert!(err.ends_with("(line 1)"), "{err}");
    let err = f.refuses_file("name = 'a'\nsecret = 'b'\n");
    assert!(err.contains("unknown field `secret`") && err.ends_with("(line 2)"), "{err}");
    let err = f.refuses(&[("CRUX_LISTNE", "x")]);
    assert_eq!(err, "CRUX_LISTNE in the environment is no setting");
    let links = [("CRUX_SERVICE_HOST", "10.0.0.1"), ("CRUX_PORT_7117_TCP", "x")];
    assert!(load(f.flags(), &Env::of(&links)).is_ok());
}

#[test]
fn what_is_wrong_is_named_with_where_it_came_from() {
    let f = Fixture::new();
    let mut flags = f.flags();
    flags.listen = Some("localhost:1".to_owned());
    let err = load(flags, &Env::of(&[])).unwrap_err();
    assert_eq!(err.to_string(), "--listen: \"localhost:1\" is no IP:PORT");
    let err = f.refuses(&[("CRUX_LISTEN", "127.0.0.1:65534")]);
    assert!(err.starts_with("CRUX_LISTEN: port 65534 leaves no room"), "{err}");
    let err = f.refuses_file("name = 'No'\n");
    assert!(err.starts_with("`name` in DIR/crux.toml: 'N' at byte 0"), "{err}");
    for (key, value) in [
        ("CRUX_JOIN", "a"),
        ("CRUX_ADVERTISE", "0.0.0.0:7117"),
        ("CRUX_LABELS", "site"),
        ("CRUX_LABELS", "1=x"),
        ("CRUX_MDNS", "maybe"),
        ("CRUX_BLOB_QUOTA", "1.5GiB"),
        ("CRUX_BLOB_QUOTA", "20 GB"),
        ("CRUX_BLOB_QUOTA", "99999999TiB"),
        ("CRUX_BLOB_UP_RATE", "0"),
        ("CRUX_BLOB_DOWN_RATE", "5MB"),
        ("CRUX_LOG", "crux_node=loud"),
        ("CRUX_LOG_FORMAT", "xml"),
        ("CRUX_NAME", "a.b"),
    ] {
        assert!(f.refuses(&[(key, value)]).starts_with(key), "{key}");
    }
    assert!(f.refuses_file("name = \n").contains("(line 1)"));
    let err = f.refuses_file(
        "name = 'a'
join = 'a:1'
",
    );
    assert!(err.contains("`join`: invalid type") && err.ends_with("(line 2)"), "{err}");
}

#[test]
fn sizes_have_units() {
    let f = Fixture::new();
    let quota = |text: &str| {
        load(f.flags(), &Env::of(&[("CRUX_BLOB_QUOTA", text)])).unwrap().blob_quota.unwrap()
    };
    assert_eq!((quota("0"), quota("17"), quota("2KiB")), (0, 17, 2048));
    assert_eq!((quota("3MiB"), quota("1GiB"), quota("1TiB")), (3 << 20, 1 << 30, 1 << 40));
    let none = load(f.flags(), &Env::of(&[])).unwrap();
    assert_eq!((none.blob_quota, none.blob_up_rate, none.blob_down_rate), (None, None, None));
    let rates = [("CRUX_BLOB_UP_RATE", "5000000"), ("CRUX_BLOB_DOWN_RATE", "2MiB")];
    let limited = load(f.flags(), &Env::of(&rates)).unwrap();
    let rates = [limited.blob_up_rate, limited.blob_down_rate];
    assert_eq!(rates.map(|rate| rate.map_or(0, u64::from)), [5_000_000, 2 << 20]);
}

#[test]
fn nothing_shows_the_secret() {
    let f = Fixture::new();
    let env = Env::of(&[("CRUX_SECRET", &f.line), ("CRUX_DATA_DIR", "/d")]);
    let config = load(Layer::default(), &env).unwrap();
    assert_eq!(config.data_dir, Path::new("/d"));
    let shown = format!("{config:?} {env:?}");
    assert!(!shown.contains(&f.line[8..20]), "{shown}");
}

#[test]
fn directories_for_blobs_are_absolute_and_few() {
    let f = Fixture::new();
    let dirs =
        |text: &str| load(f.flags(), &Env::of(&[("CRUX_BLOB_DIRS", text)])).unwrap().blob_dirs;
    assert_eq!(dirs("/a, /b"), [Path::new("/a"), Path::new("/b")]);
    assert!(
        f.refuses(&[("CRUX_BLOB_DIRS", "/a,b")]).starts_with("CRUX_BLOB_DIRS: b is no absolute")
    );
    let many = vec!["/a"; 17].join(",");
    assert!(f.refuses(&[("CRUX_BLOB_DIRS", &many)]).contains("17 entries, at most 16"));
    let config = load(f.with_file("blob_dirs = ['/a']\npreload = '/b'\n"), &Env::of(&[])).unwrap();
    assert_eq!((config.blob_dirs.len(), config.preload), (1, Some(PathBuf::from("/b"))));
    let flags = Layer { blob_dirs: Some(vec!["a".into()]), ..f.flags() };
    let error = load(flags, &Env::of(&[])).unwrap_err().to_string();
    assert!(error.starts_with("--blob-dir: "), "{error}");
}

/// What SIGHUP reads. A secret that was in the environment is gone by then, and is not asked for.
#[test]
fn what_changed_meanwhile_is_named() {
    let f = Fixture::new();
    let flags = f.with_file("name = 'a'\nblob_quota = '1GiB'\n[labels]\nsite = 'x'\n");
    let running = load(flags.clone(), &Env::of(&[])).unwrap();
    let again = || reload(&flags, &Env::of(&[]), &running.keys);
    assert!(running.differences(&again().unwrap()).is_empty());
    f.with_file("log = 'debug'\nname = 'b'\nblob_quota = '1GiB'\njoin = ['a:1']\n");
    let new = again().unwrap();
    assert_eq!(running.differences(&new), ["name", "join", "labels"]);
    assert_eq!((new.log.as_str(), new.keys.genesis == running.keys.genesis), ("debug", true));
    f.with_file("names = 'b'\n");
    assert_eq!(again().unwrap_err().kind(), Kind::InvalidConfig);
    f.with_file("");
    let other = SecretString::generate("dev".parse().unwrap(), None).unwrap();
    std::fs::write(f.path("secret"), other.expose().as_str()).unwrap();
    assert_ne!(again().unwrap().keys.genesis, running.keys.genesis);
    let bare = Layer { data_dir: Some(f.path("d")), ..Layer::default() };
    let in_env = Env::of(&[("CRUX_SECRET_FD", "99")]);
    let kept = reload(&bare, &in_env, &running.keys).unwrap();
    assert_eq!(kept.keys.genesis, running.keys.genesis);
}

/// A pipe gives once what it gives, and has one wait after that.
#[test]
fn nothing_is_read_again_that_is_no_file() {
    let f = Fixture::new();
    let running = load(f.flags(), &Env::of(&[])).unwrap();
    let pipe = f.path("pipe");
    let (fifo, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600));
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, fifo, mode, 0).unwrap();
    let secret = Layer { secret_file: Some(pipe.clone()), ..f.flags() };
    let kept = reload(&secret, &Env::of(&[]), &running.keys).unwrap();
    assert_eq!(kept.keys.genesis, running.keys.genesis);
    let settings = Layer { config: Some(pipe), ..f.flags() };
    let err = reload(&settings, &Env::of(&[]), &running.keys).unwrap_err();
    assert_eq!(err.kind(), Kind::InvalidConfig);
    assert!(err.to_string().contains("read again"), "{err}");
}

#[test]
fn the_replica_has_a_limit_of_a_sane_size() {
    let f = Fixture::new();
    let of = |vars: &[(&str, &str)]| load(f.flags(), &Env::of(vars)).unwrap().replica_max;
    assert_eq!(of(&[]), 256 << 20);
    assert_eq!(of(&[("CRUX_REPLICA_MAX", "16MiB")]), 16 << 20);
    let flags =
        Layer { replica_max: Some("1GiB".to_owned()), ..f.with_file("replica_max = '2GiB'") };
    assert_eq!(load(flags, &Env::of(&[])).unwrap().replica_max, 1 << 30);
    let from_file = load(f.with_file("replica_max = '2GiB'"), &Env::of(&[])).unwrap();
    assert_eq!(from_file.replica_max, 2 << 30);
    let wrong = f.refuses(&[("CRUX_REPLICA_MAX", "16777215")]);
    assert_eq!(wrong, "CRUX_REPLICA_MAX: 16777215 bytes are too few: at least 16MiB");
    let wrong = f.refuses(&[("CRUX_REPLICA_MAX", "much")]);
    assert!(wrong.starts_with("CRUX_REPLICA_MAX: "), "{wrong}");
}
