//! The kind of program that a file is, and the parts that the machine lacks to run it.
//!
//! The kernel answers "no such file" for a missing loader and "exec format error" for a program of
//! another machine. Here the causes are named before anything starts.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// How much of a file is read to tell what it is. ELF's table of segments lies at its beginning.
pub(super) const HEAD_MAX: usize = 64 << 10;
/// How long the first line of a script may be: more is cut by the kernel (`BINPRM_BUF_SIZE`).
const SCRIPT_LINE_MAX: usize = 255;

/// The kind of program that a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A program for a processor.
    Elf {
        /// Which processor.
        machine: Machine,
        /// The loader it names; none: it is static.
        loader: Option<PathBuf>,
    },
    /// A text whose first line names what runs it.
    Script {
        /// The program that runs it.
        interpreter: PathBuf,
    },
}

/// A kind of processor, as ELF has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// Intel and AMD, 64 bits.
    X86_64,
    /// ARM, 64 bits.
    Aarch64,
    /// Intel and AMD, 32 bits.
    X86,
    /// ARM, 32 bits.
    Arm,
    /// Any other, by its number in ELF.
    Other(u16),
}

impl Machine {
    const fn of(number: u16) -> Self {
        match number {
            62 => Self::X86_64,
            183 => Self::Aarch64,
            3 => Self::X86,
            40 => Self::Arm,
            other => Self::Other(other),
        }
    }

    /// Whether this machine can run its programs; a kernel may still be built without the 32 bits.
    const fn runs_here(self) -> bool {
        if cfg!(target_arch = "x86_64") {
            matches!(self, Self::X86_64 | Self::X86)
        } else if cfg!(target_arch = "aarch64") {
            matches!(self, Self::Aarch64 | Self::Arm)
        } else {
            true
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::X86_64 => f.write_str("x86_64"),
            Self::Aarch64 => f.write_str("aarch64"),
            Self::X86 => f.write_str("x86"),
            Self::Arm => f.write_str("arm"),
            Self::Other(number) => write!(f, "ELF machine {number}"),
        }
    }
}

/// Why a file cannot be run on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Neither kind of program.
    #[error(
        "the image is not a program: it begins neither as ELF nor with \"#!\"; \
         give a program, or a script whose first line names its interpreter"
    )]
    NotAProgram,
    /// The file ends within what says how it is run.
    #[error("the image is a damaged ELF file: {0}; build it again")]
    Damaged(&'static str),
    /// For another processor.
    #[error(
        "the image is a program for {0}, and this machine is {here}; build it for {here}, or give an \
         image per machine",
        here = std::env::consts::ARCH
    )]
    OtherMachine(Machine),
    /// Its loader is missing.
    #[error(
        "the image is linked dynamically, and its loader {0} is not on this machine; link it \
         statically, or install the loader's libraries"
    )]
    NoLoader(PathBuf),
    /// Its interpreter is missing.
    #[error(
        "the script's interpreter {0:?} is not on this machine; install it, or change the first line"
    )]
    NoInterpreter(PathBuf),
    /// Its first line ends as on another system.
    #[error(
        "the script's first line ends with a carriage return, so that no interpreter has its name; \
         save it with Unix line ends"
    )]
    CarriageReturn,
    /// Its first line names nothing, or nothing whole.
    #[error(
        "the script's first line names no interpreter by its full path within {max} bytes; begin \
         it with \"#!/\"",
        max = SCRIPT_LINE_MAX
    )]
    BadFirstLine,
}

impl Program {
    /// The kind by the first bytes of a file; `head` is the whole file if that is shorter than
    /// [`HEAD_MAX`].
    ///
    /// # Errors
    /// If it is not a program.
    pub(super) fn of(head: &[u8]) -> Result<Self, Unusable> {
        if head.starts_with(b"\x7fELF") {
            elf(head)
        } else if let Some(line) = head.strip_prefix(b"#!") {
            script(line)
        } else {
            Err(Unusable::NotAProgram)
        }
    }

    /// Checks that this machine has what the program needs: now, because it may be installed later.
    ///
    /// # Errors
    /// The part that is missing.
    pub fn check(&self) -> Result<(), Unusable> {
        match self {
            Self::Elf { machine, .. } if !machine.runs_here() => {
                Err(Unusable::OtherMachine(*machine))
            }
            Self::Elf { loader: Some(loader), .. } if !loader.exists() => {
                Err(Unusable::NoLoader(loader.clone()))
            }
            Self::Script { interpreter } if !interpreter.exists() => {
                Err(Unusable::NoInterpreter(interpreter.clone()))
            }
            Self::Elf { .. } | Self::Script { .. } => Ok(()),
        }
    }

    /// Whether it is run by an interpreter, which opens it again.
    #[must_use]
    pub const fn is_script(&self) -> bool {
        matches!(self, Self::Script { .. })
    }
}

fn script(line: &[u8]) -> Result<Program, Unusable> {
    let line = &line[..line.len().min(SCRIPT_LINE_MAX)];
    let end = line.iter().position(|&byte| byte == b'\n').unwrap_or(line.len());
    let line = &line[..end];
    if line.ends_with(b"\r") {
        return Err(Unusable::CarriageReturn);
    }
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| b" \t\0".contains(byte)).unwrap_or(line.len());
    let interpreter = Path::new(OsStr::from_bytes(&line[..end]));
    if !interpreter.is_absolute() {
        return Err(Unusable::BadFirstLine);
    }
    Ok(Program::Script { interpreter: interpreter.to_owned() })
}

/// Reads numbers of an ELF file in its own byte order.
struct Elf<'a> {
    head: &'a [u8],
    big_endian: bool,
    wide: bool,
}

impl Elf<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Result<[u8; N], Unusable> {
        let bytes = self.head.get(at..).and_then(|rest| rest.first_chunk::<N>());
        bytes.copied().ok_or(Unusable::Damaged("it ends within its header"))
    }

    fn u16(&self, at: usize) -> Result<u16, Unusable> {
        let bytes = self.bytes(at)?;
        Ok(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Result<u32, Unusable> {
        let bytes = self.bytes(at)?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// A position or a size: 8 bytes in a 64-bit file, else 4.
    fn word(&self, at: usize) -> Result<usize, Unusable> {
        let word = if self.wide {
            let bytes = self.bytes(at)?;
            if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
        } else {
            u64::from(self.u32(at)?)
        };
        usize::try_from(word).map_err(|_| Unusable::Damaged("a position in it is too large"))
    }

    /// The loader that a segment of kind `PT_INTERP` names.
    fn loader(&self) -> Result<Option<PathBuf>, Unusable> {
        let (table, size_at) = if self.wide { (self.word(32)?, 54) } else { (self.word(28)?, 42) };
        let (size, count) = (self.u16(size_at)?, self.u16(size_at + 2)?);
        for number in 0..usize::from(count) {
            let at = table.saturating_add(number * usize::from(size));
            if self.u32(at)? != PT_INTERP {
                continue;
            }
            let (place, length) = if self.wide { (8, 32) } else { (4, 16) };
            let start = self.word(at.saturating_add(place))?;
            let end = start.saturating_add(self.word(at.saturating_add(length))?);
            let path = self.head.get(start..end);
            let path = path.ok_or(Unusable::Damaged("its loader's name is outside of its head"))?;
            let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
            return Ok(Some(Path::new(OsStr::from_bytes(path)).to_owned()));
        }
        Ok(None)
    }
}

/// The segment that names the loader.
const PT_INTERP: u32 = 3;
/// The types of ELF files that are executed: at fixed addresses, and at any.
const EXECUTABLE: [u16; 2] = [2, 3];

fn elf(head: &[u8]) -> Result<Program, Unusable> {
    let class = *head.get(4).ok_or(Unusable::Damaged("it ends within its header"))?;
    let order = *head.get(5).ok_or(Unusable::Damaged("it ends within its header"))?;
    if !matches!((class, order), (1 | 2, 1 | 2)) {
        return Err(Unusable::Damaged("its class or byte order is unknown"));
    }
    let elf = Elf { head, big_endian: order == 2, wide: class == 2 };
    if !EXECUTABLE.contains(&elf.u16(16)?) {
        return Err(Unusable::Damaged(
            "it is an object file or a core dump, which nothing executes",
        ));
    }
    let machine = Machine::of(elf.u16(18)?);
    Ok(Program::Elf { machine, loader: elf.loader()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest 64-bit header with one segment, which names a loader.
    fn file(machine: u16, loader: &str) -> Vec<u8> {
        let mut file = vec![0; 120];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[16..18].copy_from_slice(&3u16.to_le_bytes());
        file[18..20].copy_from_slice(&machine.to_le_bytes());
        file[32..40].copy_from_slice(&64u64.to_le_bytes());
        file[54..56].copy_from_slice(&56u16.to_le_bytes());
        file[56..58].copy_from_slice(&1u16.to_le_bytes());
        let kind = if loader.is_empty() { 1u32 } else { PT_INTERP };
        file[64..68].copy_from_slice(&kind.to_le_bytes());
        file[72..80].copy_from_slice(&120u64.to_le_bytes());
        file[96..104].copy_from_slice(&(loader.len() as u64 + 1).to_le_bytes());
        file.extend(loader.as_bytes());
        file.push(0);
        file
    }

    const HERE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    const THERE: u16 = if cfg!(target_arch = "aarch64") { 62 } else { 183 };

    #[test]
    fn elf_files_tell_machine_and_loader() {
        let program = Program::of(&file(HERE, "/no/such/ld.so")).expect("a program");
        assert_eq!(program.check(), Err(Unusable::NoLoader("/no/such/ld.so".into())));
        assert_eq!(Program::of(&file(HERE, "")).expect("a program").check(), Ok(()));
        let other = Program::of(&file(THERE, "")).expect("a program").check();
        assert_eq!(other, Err(Unusable::OtherMachine(Machine::of(THERE))));
        let text = other.expect_err("another machine").to_string();
        assert!(text.contains("aarch64") && text.contains("x86_64"), "{text}");
    }

    #[test]
    fn no_prefix_of_a_program_and_no_noise_panics() {
        let whole = file(HERE, "/lib/ld.so");
        for length in 0..whole.len() {
            let cut = Program::of(&whole[..length]);
            assert!(cut.is_err() || length >= 131, "{length}: {cut:?}");
        }
        for at in 4..whole.len() {
            for byte in [0, 1, 2, 0x7f, 0xff] {
                let mut noise = whole.clone();
                noise[at] = byte;
                let _ = Program::of(&noise);
            }
        }
    }

    #[test]
    fn scripts_tell_their_interpreter() {
        let of = |text: &str| Program::of(text.as_bytes());
        let script = |path: &str| Ok(Program::Script { interpreter: path.into() });
        assert_eq!(of("#!/bin/sh\necho"), script("/bin/sh"));
        assert_eq!(of("#! \t/usr/bin/env python3"), script("/usr/bin/env"));
        assert_eq!(of("#!/bin/sh\r\necho"), Err(Unusable::CarriageReturn));
        assert_eq!(of("#!sh\n"), Err(Unusable::BadFirstLine));
        assert_eq!(of("#!"), Err(Unusable::BadFirstLine));
        assert_eq!(of("echo hello\n"), Err(Unusable::NotAProgram));
        assert_eq!(of(""), Err(Unusable::NotAProgram));
        let missing = of("#!/no/such\n").expect("a script").check();
        assert_eq!(missing, Err(Unusable::NoInterpreter("/no/such".into())));
    }
}
