use core::fmt;
use core::time::Duration;

use super::ParseError;
use super::span::Span;
use super::words::Words;

/// How packets fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// The least delay one way.
    pub delay_min: Duration,
    /// The greatest.
    pub delay_max: Duration,
    /// How many packets in a thousand are lost, and sent again by the transport.
    pub loss: u32,
    /// How many gossip messages in a thousand are lost for good, per hop.
    pub gossip_loss: u32,
    /// How many gossip messages in a thousand arrive twice.
    pub gossip_twice: u32,
    /// How many gossip messages in a thousand arrive late, after others that were sent after them.
    pub gossip_late: u32,
}

/// How a path is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Packets vanish. Connections stay and go on when the path heals.
    Silent,
    /// Connections break and dials are refused.
    Refused,
}

impl Weather {
    /// A good network: nothing is lost.
    pub const fn calm() -> Self {
        let (delay_min, delay_max) = (Duration::from_micros(200), Duration::from_millis(5));
        Self { delay_min, delay_max, loss: 0, gossip_loss: 0, gossip_twice: 0, gossip_late: 0 }
    }

    /// Slow, lossy, and forgetful.
    pub const fn rough() -> Self {
        let (delay_min, delay_max) = (Duration::from_millis(1), Duration::from_millis(60));
        let (loss, gossip_loss, gossip_twice, gossip_late) = (20, 150, 30, 100);
        Self { delay_min, delay_max, loss, gossip_loss, gossip_twice, gossip_late }
    }

    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, ParseError> {
        const EXPECTED: &str = "`calm`, `rough`, or `delay MIN..MAX` and losses per thousand";
        match words.next(EXPECTED)? {
            "calm" => return Ok(Self::calm()),
            "rough" => return Ok(Self::rough()),
            "delay" => {}
            other => return Err(ParseError::new(EXPECTED, format!("`{other}`"))),
        }
        let text = words.next("a range of times")?;
        let wrong = || ParseError::new("a range of times like `10ms..50ms`", format!("`{text}`"));
        let (min, max) = text.split_once("..").ok_or_else(wrong)?;
        let (Ok(Span(delay_min)), Ok(Span(delay_max))) = (min.parse(), max.parse()) else {
            return Err(wrong());
        };
        if delay_min > delay_max {
            return Err(wrong());
        }
        let mut rate = |word: &str| {
            if !words.take(word) {
                return Ok(0);
            }
            let rate = words.value::<u32>("a number of a thousand")?;
            let wrong = || ParseError::new("at most 500 of a thousand", format!("`{rate}`"));
            if rate <= 500 { Ok(rate) } else { Err(wrong()) }
        };
        let (loss, gossip_loss) = (rate("loss")?, rate("gossip-loss")?);
        let (gossip_twice, gossip_late) = (rate("gossip-twice")?, rate("gossip-late")?);
        Ok(Self { delay_min, delay_max, loss, gossip_loss, gossip_twice, gossip_late })
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            it if it == Self::calm() => return f.write_str("calm"),
            it if it == Self::rough() => return f.write_str("rough"),
            _ => write!(f, "delay {}..{}", Span(self.delay_min), Span(self.delay_max))?,
        }
        let rates = [
            ("loss", self.loss),
            ("gossip-loss", self.gossip_loss),
            ("gossip-twice", self.gossip_twice),
            ("gossip-late", self.gossip_late),
        ];
        for (word, rate) in rates.iter().filter(|(_, rate)| *rate > 0) {
            write!(f, " {word} {rate}")?;
        }
        Ok(())
    }
}

impl Cut {
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, ParseError> {
        match words.next("`silent` or `refused`")? {
            "silent" => Ok(Self::Silent),
            "refused" => Ok(Self::Refused),
            other => Err(ParseError::new("`silent` or `refused`", format!("`{other}`"))),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "silent",
            Self::Refused => "refused",
        })
    }
}
