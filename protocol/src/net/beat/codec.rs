//! A beat on the wire: 16 bytes.

/// One beat of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) incarnation: u64,
    pub(crate) counter: u64,
}

impl Frame {
    /// How long every frame is.
    pub(super) const LENGTH: usize = 16;

    pub(super) fn encode(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (incarnation, counter) = bytes.split_at_mut(8);
        incarnation.copy_from_slice(&self.incarnation.to_be_bytes());
        counter.copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    /// Every 16 bytes are a frame.
    pub(super) fn decode(bytes: [u8; Self::LENGTH]) -> Self {
        let [a, b, c, d, e, f, g, h, counter @ ..] = bytes;
        let incarnation = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Self { incarnation, counter: u64::from_be_bytes(counter) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_round_trip() {
        let frame = Frame { incarnation: 0x0102_0304_0506_0708, counter: u64::MAX - 1 };
        let bytes = frame.encode();
        assert_eq!(bytes[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(bytes[15], 0xfe);
        assert_eq!(Frame::decode(bytes), frame);
    }
}
