use core::fmt;
use std::sync::Arc;

use crux_crdt::act::{Act, After};
use crux_crdt::canon::{Canonical, DecodeError, Decoder, Encoder};
use crux_crdt::fact::FactError;
use crux_crdt::name::NodeName;
use crux_crdt::path::Endpoint;
use crux_crdt::sign::Signed;
use crux_crdt::{Digest, Principal};

use super::acts::{open_acts, seal_acts};
use super::chain::Chain;
use super::path::PATH_MAX;
use crate::context::Context;

const ADDRESSES_MAX: usize = 8;
const ENDPOINT_BYTES_MAX: usize = 260;
/// A wrapped epoch will be 88 bytes and a header.
const EPOCH_BYTES_MAX: usize = 1024;

/// What a joiner says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Makes the transcript unique.
    pub nonce: [u8; 32],
    /// The name it will claim.
    pub name: Option<NodeName>,
    /// Where it can be called back.
    pub addresses: Vec<Endpoint>,
    /// Its X25519 key, to which a secret would be sealed.
    pub agreement_key: [u8; 32],
    /// Its incarnation.
    pub incarnation: u64,
    /// Whether it knows no other member, so that its sponsor's flock is the one that is joined.
    pub alone: bool,
    /// The evicted principals that its join key excludes.
    pub after: After,
}

impl Canonical for Hello {
    fn encode(&self, out: &mut Encoder) {
        out.u8(2).fixed(&self.nonce).str(self.name.as_ref().map_or("", NodeName::as_str));
        out.count(self.addresses.len());
        self.addresses.iter().for_each(|address| _ = out.str(&address.to_string()));
        out.fixed(&self.agreement_key).u64(self.incarnation).u8(u8::from(self.alone));
        self.after.encode(out);
    }

    fn decode(input: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        input.version("hello version", 2)?;
        let nonce = input.array("nonce")?;
        let name = match input.str(NodeName::MAX, "node name")? {
            "" => None,
            text => Some(text.parse().map_err(|_| DecodeError::Invalid("node name"))?),
        };
        let count = input.count(ADDRESSES_MAX, "addresses")?;
        let addresses = (0..count)
            .map(|_| input.parse(ENDPOINT_BYTES_MAX, "address"))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            nonce,
            name,
            addresses,
            agreement_key: input.array("agreement key")?,
            incarnation: input.u64("incarnation")?,
            alone: input.bool("alone")?,
            after: After::decode(input)?,
        })
    }
}

/// What is asked over `/crux/join/2`.
#[derive(Debug, Clone)]
pub enum Request {
    /// Do you know me? Answered by [`Response::Standing`].
    Knock {
        /// Whether the asker knows the other one as a member.
        known: bool,
    },
    /// Let me join. Answered by [`Response::Challenge`].
    Hello(Hello),
    /// Factor one, with the hello and the nonce of its challenge once more: the sponsor kept neither.
    /// Answered by [`Response::Welcome`], after the callback.
    Proof {
        /// What was said in [`Request::Hello`].
        hello: Hello,
        /// The nonce of [`Response::Challenge`].
        nonce: [u8; 32],
        /// HMAC(K, "J" ‖ T).
        proof: [u8; 32],
    },
    /// Factor two, from sponsor to joiner. Answered by [`Response::CalledBack`].
    Callback {
        /// The transcript of the challenge.
        transcript: Digest,
        /// Fresh for this callback.
        nonce: [u8; 32],
    },
    /// The joiner's admission of the sponsor. Answered by [`Response::Done`].
    Admission(Arc<Signed<Act>>),
    /// A chain of admissions that makes the asker a member. Answered by [`Response::Done`].
    Present(Chain),
}

/// What is answered over `/crux/join/2`.
#[derive(Debug, Clone)]
pub enum Response {
    /// Whether the asker is known as a member.
    Standing {
        /// Yes or no.
        known: bool,
        /// On yes: the chain of admissions that leads from the asker to the responder.
        acts: Vec<Arc<Signed<Act>>>,
    },
    /// The sponsor's proof that it knows the key.
    Challenge {
        /// The sponsor's nonce.
        nonce: [u8; 32],
        /// HMAC(K, "S" ‖ T).
        proof: [u8; 32],
    },
    /// Admitted.
    Welcome {
        /// The sponsor's admission of the joiner.
        admission: Arc<Signed<Act>>,
        /// The current epoch, sealed to the joiner; empty as long as there are no epochs.
        epoch: Vec<u8>,
    },
    /// The joiner's signature over the callback.
    CalledBack([u8; 64]),
    /// Done as asked.
    Done,
    /// Refused, and nothing was changed.
    Refused(Refusal),
}

/// Why a join was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The proof does not fit: another join secret.
    Secret,
    /// A live member holds the name.
    NameTaken(Principal),
    /// None of the stated addresses has the IP that the joiner is seen from.
    Address,
    /// Nobody with the joiner's key answered at its stated address.
    Callback,
    /// Too many handshakes at once; try again later.
    Busy,
    /// The message does not fit the exchange.
    Unexpected,
    /// The presented chain does not make the asker a member here.
    Chain,
    /// The sponsor could not write its admission to disk.
    Disk,
    /// Both sides join through each other at once, and this handshake is the one that ends.
    Crossed,
    /// The replica of the node that refuses is full: it takes in no further member.
    Full,
    /// The key of the joiner, or of the sponsor, is that of the flock's operator.
    Operator,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret => f.write_str("the join secret is another one"),
            Self::NameTaken(holder) => {
                write!(f, "the name is held by a live member, {}", holder.short())
            }
            Self::Address => f.write_str(
                "no stated address has the IP this node is seen from; set --advertise to one that has",
            ),
            Self::Callback => f.write_str(
                "the sponsor could not connect back to the stated address; check --advertise and \
                 the firewall",
            ),
            Self::Busy => f.write_str("the sponsor is busy with other joins"),
            Self::Unexpected => f.write_str("the message does not fit the exchange"),
            Self::Chain => f.write_str("the presented admissions do not lead to this node"),
            Self::Disk => f.write_str("the sponsor could not write to its disk"),
            Self::Crossed => f.write_str("both sides join at once; the other handshake continues"),
            Self::Operator => f.write_str(
                "one of the two nodes has the operator's key as its own; that key is kept off all nodes",
            ),
            Self::Full => f.write_str(
                "the replica there is full (--replica-max) and takes in no further members; \
                 `crux-node doctor` there says who brought most",
            ),
        }
    }
}

const KNOCK: u8 = 1;
const HELLO: u8 = 2;
const PROOF: u8 = 3;
const CALLBACK: u8 = 4;
const ADMISSION: u8 = 5;
const PRESENT: u8 = 6;

impl Request {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Knock { known } => _ = out.u8(KNOCK).u8(u8::from(*known)),
            Self::Hello(hello) => hello.encode(out.u8(HELLO)),
            Self::Proof { hello, nonce, proof } => {
                hello.encode(out.u8(PROOF));
                out.fixed(nonce).fixed(proof);
            }
            Self::Callback { transcript, nonce } => {
                out.u8(CALLBACK).digest(transcript).fixed(nonce);
            }
            Self::Admission(act) => act.seal(out.u8(ADMISSION)),
            Self::Present(chain) => chain.encode(out.u8(PRESENT)),
        }
        out.finish()
    }

    /// Verifies what is signed in it, a chain that is presented aside, and decodes it.
    ///
    /// # Errors
    /// The bytes are malformed or over a bound, or a signature is wrong; the peer is at fault.
    pub fn decode(bytes: &[u8], context: &Context) -> Result<Self, FactError> {
        let mut input = Decoder::new(bytes);
        let (flock, verifier) = (&context.flock, &*context.verifier);
        let request = match input.u8("join request")? {
            KNOCK => Self::Knock { known: input.bool("known")? },
            HELLO => Self::Hello(Hello::decode(&mut input)?),
            PROOF => Self::Proof {
                hello: Hello::decode(&mut input)?,
                nonce: input.array("nonce")?,
                proof: input.array("proof")?,
            },
            CALLBACK => Self::Callback {
                transcript: input.digest("transcript")?,
                nonce: input.array("nonce")?,
            },
            ADMISSION => Self::Admission(Arc::new(Signed::open(&mut input, flock, verifier)?)),
            PRESENT => Self::Present(Chain::decode(&mut input)?),
            found => return Err(DecodeError::Unknown { what: "join request", found }.into()),
        };
        input.finish()?;
        Ok(request)
    }
}

const STANDING: u8 = 1;
const CHALLENGE: u8 = 2;
const WELCOME: u8 = 3;
const CALLED_BACK: u8 = 4;
const DONE: u8 = 5;
const REFUSED: u8 = 6;

impl Response {
    /// Encodes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Self::Standing { known, acts } => {
                seal_acts(out.u8(STANDING).u8(u8::from(*known)), acts.iter());
            }
            Self::Challenge { nonce, proof } => _ = out.u8(CHALLENGE).fixed(nonce).fixed(proof),
            Self::Welcome { admission, epoch } => {
                admission.seal(out.u8(WELCOME));
                out.bytes(epoch);
            }
            Self::CalledBack(signature) => _ = out.u8(CALLED_BACK).fixed(signature),
            Self::Done => _ = out.u8(DONE),
            Self::Refused(refusal) => encode_refusal(out.u8(REFUSED), refusal),
        }
        out.finish()
    }

    /// Verifies what is signed in it, and decodes it.
    ///
    /// # Errors
    /// The bytes are malformed or over a bound, or a signature is wrong; the peer is at fault.
    pub fn decode(bytes: &[u8], context: &Context) -> Result<Self, FactError> {
        let mut input = Decoder::new(bytes);
        let (flock, verifier) = (&context.flock, &*context.verifier);
        let response = match input.u8("join response")? {
            STANDING => Self::Standing {
                known: input.bool("known")?,
                acts: open_acts(&mut input, PATH_MAX, flock, verifier)?,
            },
            CHALLENGE => {
                Self::Challenge { nonce: input.array("nonce")?, proof: input.array("proof")? }
            }
            WELCOME => Self::Welcome {
                admission: Arc::new(Signed::open(&mut input, flock, verifier)?),
                epoch: input.bytes(EPOCH_BYTES_MAX, "epoch")?.to_vec(),
            },
            CALLED_BACK => Self::CalledBack(input.array("signature")?),
            DONE => Self::Done,
            REFUSED => Self::Refused(decode_refusal(&mut input)?),
            found => return Err(DecodeError::Unknown { what: "join response", found }.into()),
        };
        input.finish()?;
        Ok(response)
    }
}

fn encode_refusal(out: &mut Encoder, refusal: &Refusal) {
    match refusal {
        Refusal::Secret => out.u8(1),
        Refusal::NameTaken(holder) => out.u8(2).principal(holder),
        Refusal::Address => out.u8(3),
        Refusal::Callback => out.u8(4),
        Refusal::Busy => out.u8(5),
        Refusal::Unexpected => out.u8(6),
        Refusal::Chain => out.u8(7),
        Refusal::Disk => out.u8(8),
        Refusal::Crossed => out.u8(9),
        Refusal::Full => out.u8(12),
        Refusal::Operator => out.u8(13),
    };
}

fn decode_refusal(input: &mut Decoder<'_>) -> Result<Refusal, DecodeError> {
    Ok(match input.u8("refusal")? {
        1 => Refusal::Secret,
        2 => Refusal::NameTaken(input.principal("holder")?),
        3 => Refusal::Address,
        4 => Refusal::Callback,
        5 => Refusal::Busy,
        6 => Refusal::Unexpected,
        7 => Refusal::Chain,
        8 => Refusal::Disk,
        9 => Refusal::Crossed,
        12 => Refusal::Full,
        13 => Refusal::Operator,
        found => return Err(DecodeError::Unknown { what: "refusal", found }),
    })
}
