//! Which layer wins, and what is refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::error::Kind;
use crate::secret::SecretString;

/// The settings alone.
fn load(flags: Layer, env: &Env) -> Result<Config, Error> {
    super::load(flags, env).map(|(config, _)| config)
}

struct Fixture {
    dir: TempDir,
    line: String,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secret = SecretString::generate("dev".parse().unwrap(), None).unwrap();
        let line = secret.expose().to_string();
        crate::secret::write_new(&dir.path().join("secret"), &line).unwrap();
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
fn an_empty_data_directory_is_none() {
    let f = Fixture::new();
    let dir = f.path("d");
    let empty = Layer { data_dir: Some("".into()), ..f.flags() };
    let of_env = [("CRUX_DATA_DIR", dir.to_str().unwrap())];
    assert_eq!(load(empty.clone(), &Env::of(&of_env)).unwrap().data_dir, dir);
    let err = load(empty, &Env::of(&[("CRUX_DATA_DIR", "")])).unwrap_err();
    assert!(err.to_string().contains("no data directory is given"), "{err}");
    assert_eq!(Env::of(&[("CRUX_DATA_DIR", "")]).data_dir(), None);
}

#[test]
fn an_address_that_leads_nowhere_is_refused_with_a_hint() {
    let f = Fixture::new();
    for nowhere in ["0.0.0.0:1", "[::]:1", "[::ffff:0.0.0.0]:1"] {
        let flags = Layer { advertise: Some(vec![nowhere.to_owned()]), ..f.flags() };
        let err = load(flags, &Env::of(&[])).unwrap_err();
        assert!(err.hint().is_some_and(|hint| hint.contains("--listen")), "{nowhere} {err}");
    }
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
    assert_eq!(err, "unknown setting CRUX_LISTNE in the environment");
    let links = [("CRUX_SERVICE_HOST", "10.0.0.1"), ("CRUX_PORT_7117_TCP", "x")];
    assert!(load(f.flags(), &Env::of(&links)).is_ok());
}

#[test]
fn what_is_wrong_is_named_with_where_it_came_from() {
    let f = Fixture::new();
    let mut flags = f.flags();
    flags.listen = Some("localhost:1".to_owned());
    let err = load(flags, &Env::of(&[])).unwrap_err();
    assert_eq!(err.to_string(), "--listen: invalid address \"localhost:1\": expected IP:PORT");
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
    assert_eq!((quota("1"), quota("17"), quota("2KiB")), (1, 17, 2048));
    assert_eq!((quota("3MiB"), quota("1GiB"), quota("1TiB")), (3 << 20, 1 << 30, 1 << 40));
    for nothing in ["0", "0GiB"] {
        let err = load(f.flags(), &Env::of(&[("CRUX_BLOB_QUOTA", nothing)])).unwrap_err();
        assert_eq!(err.to_string(), "CRUX_BLOB_QUOTA: 0 bytes hold no blob");
        assert!(err.hint().is_some_and(|hint| hint.starts_with("Leave it out")));
    }
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
        f.refuses(&[("CRUX_BLOB_DIRS", "/a,b")])
            .starts_with("CRUX_BLOB_DIRS: b is not an absolute")
    );
    let many = vec!["/a"; 17].join(",");
    assert!(f.refuses(&[("CRUX_BLOB_DIRS", &many)]).contains("17 entries, at most 16"));
    let config = load(f.with_file("blob_dirs = ['/a']\npreload = '/b'\n"), &Env::of(&[])).unwrap();
    assert_eq!((config.blob_dirs.len(), config.preload), (1, Some(PathBuf::from("/b"))));
    let flags = Layer { blob_dirs: Some(vec!["a".into()]), ..f.flags() };
    let error = load(flags, &Env::of(&[])).unwrap_err().to_string();
    assert!(error.starts_with("--blob-dir: "), "{error}");
}

/// SIGHUP has the settings read. A secret that was in the environment is gone by then, and is not asked for.
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

/// The values that the picket hands to a fulcrum give the same, whatever became of the files.
#[test]
fn what_was_read_once_need_not_be_read_again() {
    let f = Fixture::new();
    let env = Env::of(&[("CRUX_LABELS", "a=b")]);
    let flags = f.with_file("name = 'x'\nstop_timeout = '9s'\n");
    let (config, given) = super::load(flags.clone(), &env).unwrap();
    assert_eq!(config.stop_timeout, Duration::from_secs(9));
    let (again, text) = reread(&flags, &env, &config.keys).unwrap();
    assert_eq!((again.differences(&config), &text), (Vec::new(), &given.file));
    std::fs::write(f.path("crux.toml"), "nonsense").unwrap();
    assert!(reread(&flags, &env, &config.keys).is_err());
    std::fs::remove_file(f.path("crux.toml")).unwrap();
    std::fs::remove_file(f.path("secret")).unwrap();
    let later = load_given(flags, &env, given).unwrap();
    assert_eq!(later.differences(&config), [""; 0]);
    assert_eq!(later.keys.genesis, config.keys.genesis);
}

#[test]
fn the_time_to_stop_has_bounds() {
    let f = Fixture::new();
    let of = |vars: &[(&str, &str)]| load(f.flags(), &Env::of(vars)).unwrap().stop_timeout;
    assert_eq!(of(&[]), Duration::from_secs(8));
    assert_eq!(of(&[("CRUX_STOP_TIMEOUT", "1h")]), Duration::from_secs(3600));
    for wrong in ["0s", "999ms", "61m", "8", "soon"] {
        let said = f.refuses(&[("CRUX_STOP_TIMEOUT", wrong)]);
        assert!(said.starts_with("CRUX_STOP_TIMEOUT: "), "{said}");
    }
}

/// A value for the setting in each way to write it: flag, variable, file.
fn written(row: &Row, dir: &Path) -> (Vec<String>, String, String) {
    let secret = dir.join("secret").display().to_string();
    let value = match row.key {
        "config" => dir.join("crux.toml").display().to_string(),
        "secret_file" => secret,
        _ => match row.value {
            "F" | "D" => "/x".to_owned(),
            "IP:PORT" | "HOST:PORT" => "127.0.0.1:7".to_owned(),
            "K=V" => "k=v".to_owned(),
            "on|off" => "off".to_owned(),
            "SIZE" | "RATE" => "17MiB".to_owned(),
            "DURATION" => "9s".to_owned(),
            "DIRECTIVES" => "error".to_owned(),
            "FORMAT" => "json".to_owned(),
            "N" => "x".to_owned(),
            "" => String::new(),
            other => panic!("what is a value of {other}?"),
        },
    };
    let flag = [format!("--{}", row.flag)].into_iter();
    let flag = flag.chain((!value.is_empty()).then(|| value.clone())).collect();
    let toml = match (row.key, row.value) {
        (_, "K=V") => "{ k = 'v' }".to_owned(),
        (_, "on|off") => "false".to_owned(),
        (_, "") => "true".to_owned(),
        ("blob_dirs" | "join" | "advertise", _) => format!("['{value}']"),
        _ => format!("'{value}'"),
    };
    let variable = if value.is_empty() { "on".to_owned() } else { value };
    (flag, variable, toml)
}

/// The flags of a command line of `run`.
fn parsed(args: &[String]) -> Layer {
    use clap::{Args as _, FromArgMatches as _};
    let command = clap::Command::new("run").no_binary_name(true);
    let data_dir = clap::Arg::new("data_dir").long("data-dir");
    let command = command.arg(data_dir.value_parser(clap::value_parser!(PathBuf)));
    let matches = Layer::augment_args(command).try_get_matches_from(args).unwrap();
    Layer::from_arg_matches(&matches).unwrap()
}

/// A row is all that a flag, a variable and a key of the file need, and all three say the same.
#[test]
fn every_setting_has_a_flag_a_variable_and_a_key() {
    let f = Fixture::new();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operate/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let none = load(f.flags(), &Env::of(&[])).unwrap();
    for row in ROWS {
        let (flag, variable, toml) = written(row, f.dir.path());
        std::fs::write(f.path("crux.toml"), "").unwrap();
        let flags = Layer { secret_file: Some(f.path("secret")), ..parsed(&flag) };
        let flags = Layer { data_dir: flags.data_dir.or(Some(f.path("d"))), ..flags };
        let by_flag = load(flags, &Env::of(&[])).unwrap();
        let bare = |keep: &str| {
            let flags = f.flags();
            let kept = |key: &str| key != keep;
            let secret_file = flags.secret_file.filter(|_| kept("secret_file"));
            Layer { secret_file, data_dir: flags.data_dir.filter(|_| kept("data_dir")), ..flags }
        };
        let name = row.variable();
        let vars = [(name.as_str(), variable.as_str())];
        let by_variable = load(bare(row.key), &Env::of(&vars)).unwrap();
        let differs = |other: &Config| by_flag.differences(other);
        assert_eq!(differs(&by_variable), [""; 0], "{}", row.key);
        if row.in_file {
            std::fs::write(f.path("crux.toml"), format!("{} = {toml}\n", row.key)).unwrap();
            let config = Some(f.path("crux.toml"));
            let by_file = load(Layer { config, ..bare(row.key) }, &Env::of(&[])).unwrap();
            let differ: Vec<_> =
                differs(&by_file).into_iter().filter(|key| *key != "config").collect();
            assert_eq!(differ, [""; 0], "{}", row.key);
        }
        let shows = none.differences(&by_flag).contains(&row.key) || none.log != by_flag.log;
        assert!(shows || row.key == "secret_file", "{} was not set", row.key);
        let printed = [format!("`--{}`", row.flag), format!("`{name}`")];
        let mut rows = page.lines().filter(|line| line.starts_with("| "));
        let line = rows.find(|line| printed.iter().all(|cell| line.contains(cell)));
        let line = line.unwrap_or_else(|| panic!("the page lacks {}", row.key));
        assert!(line.contains(row.default), "{line}: {}", row.default);
    }
}

/// How many product files name a setting. With another one it is the row, and its use.
#[test]
fn a_setting_is_named_in_two_files() {
    fn search(dir: &Path, word: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                search(&path, word, found);
            } else if path.extension().is_some_and(|end| end == "rs")
                && !path.ends_with("tests.rs")
                && std::fs::read_to_string(&path).unwrap().contains(word)
            {
                found.push(path);
            }
        }
    }
    for (key, used) in [
        ("blob_quota", "startup.rs"),
        ("blob_up_rate", "startup.rs"),
        ("blob_down_rate", "startup.rs"),
    ] {
        assert!(ROWS.iter().any(|row| row.key == key));
        let mut found = Vec::new();
        search(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), key, &mut found);
        found.sort();
        let ends = |path: &PathBuf| path.ends_with(used) || path.ends_with("config/settings.rs");
        assert!(found.len() == 2 && found.iter().all(ends), "{key}: {found:?}");
    }
}

#[test]
fn what_libraries_warn_of_in_every_start_is_not_logged_by_default() {
    use tracing::Level;
    use tracing_subscriber::layer::SubscriberExt as _;

    let filter = tracing_subscriber::EnvFilter::new(super::defaults::LOG);
    let log = tracing_subscriber::registry().with(filter);
    tracing::subscriber::with_default(log, || {
        assert!(!tracing::enabled!(target: "libp2p_gossipsub", Level::WARN));
        assert!(!tracing::enabled!(target: "yamux::connection", Level::WARN));
        assert!(tracing::enabled!(target: "yamux::connection", Level::ERROR));
        assert!(tracing::enabled!(target: "libp2p_swarm", Level::WARN));
        assert!(tracing::enabled!(target: "crux_node::notice", Level::INFO));
    });
}
