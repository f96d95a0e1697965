//! The two messages that are needed of the DNS (RFC 1035, 4): a question for the addresses of a
//! name, and the reply to it. What arrives is somebody else's: nothing in it is trusted, and a
//! reply is read once, forwards, without following a pointer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use domain::limits::{HOST_CHARS, HOST_LABEL_CHARS};

/// Which addresses are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// IPv4.
    A,
    /// IPv6.
    Aaaa,
}

impl Kind {
    fn code(self) -> u16 {
        match self {
            Kind::A => 1,
            Kind::Aaaa => 28,
        }
    }
}

/// What a resolver replied.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// All addresses of the kind; perhaps none.
    Addresses(Vec<IpAddr>),
    /// The name does not exist.
    NoSuchName,
    /// The resolver could not find out, or its reply cannot be read.
    Failed,
    /// The reply did not fit.
    Truncated,
}

/// A question.
pub(super) struct Query {
    bytes: Vec<u8>,
    kind: Kind,
}

const HEADER_BYTES: usize = 12;
const RECURSION_DESIRED: u16 = 0x0100;
const INTERNET: u16 = 1;

impl Query {
    /// `None` if this is no name; `id` is what a forger has to guess.
    pub(super) fn new(name: &str, kind: Kind, id: u32) -> Option<Self> {
        if name.len() > HOST_CHARS {
            return None;
        }
        let mut bytes = id.to_be_bytes()[..2].to_vec();
        for field in [RECURSION_DESIRED, 1, 0, 0, 0] {
            bytes.extend(field.to_be_bytes());
        }
        for label in name.split('.') {
            let length = u8::try_from(label.len()).ok()?;
            if !(1..=HOST_LABEL_CHARS).contains(&label.len()) {
                return None;
            }
            bytes.push(length);
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        bytes.extend([kind.code().to_be_bytes(), INTERNET.to_be_bytes()].concat());
        Some(Self { bytes, kind })
    }

    /// As it is sent.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads what may be the reply; `None` if it is not one to this question.
    pub(super) fn read(&self, message: &[u8]) -> Option<Reply> {
        let header = message.get(..HEADER_BYTES)?;
        let flags = u16::from_be_bytes([header[2], header[3]]);
        let (is_reply, opcode) = (flags & 0x8000 != 0, flags & 0x7800);
        let questions = [header[4], header[5]];
        let asked = message.get(HEADER_BYTES..self.bytes.len())?;
        let is_ours = header[..2] == self.bytes[..2]
            && is_reply
            && opcode == 0
            && questions == [0, 1]
            && asked.eq_ignore_ascii_case(&self.bytes[HEADER_BYTES..]);
        if !is_ours {
            return None;
        }
        Some(match (flags & 0x0200 != 0, flags & 0x000f) {
            (true, _) => Reply::Truncated,
            (false, 0) => {
                let records = u16::from_be_bytes([header[6], header[7]]);
                let rest = &message[self.bytes.len()..];
                self.addresses(records, rest).map_or(Reply::Failed, Reply::Addresses)
            }
            (false, 3) => Reply::NoSuchName,
            (false, _) => Reply::Failed,
        })
    }

    /// The addresses among the records. A chain of aliases comes with the records at its end, so
    /// whose record it is does not matter: each will be judged.
    fn addresses(&self, records: u16, mut rest: &[u8]) -> Option<Vec<IpAddr>> {
        let mut found = Vec::new();
        for _ in 0..records {
            skip_name(&mut rest)?;
            let kind = take_u16(&mut rest)?;
            let class = take_u16(&mut rest)?;
            let _time_to_live = take(&mut rest, 4)?;
            let length = take_u16(&mut rest)?;
            let data = take(&mut rest, length.into())?;
            if (kind, class) == (self.kind.code(), INTERNET) {
                found.push(self.address(data)?);
            }
        }
        Some(found)
    }

    fn address(&self, data: &[u8]) -> Option<IpAddr> {
        match self.kind {
            Kind::A => <[u8; 4]>::try_from(data).ok().map(|data| Ipv4Addr::from(data).into()),
            Kind::Aaaa => <[u8; 16]>::try_from(data).ok().map(|data| Ipv6Addr::from(data).into()),
        }
    }
}

/// Labels up to an empty one, or up to a pointer, which ends a name.
fn skip_name(rest: &mut &[u8]) -> Option<()> {
    loop {
        match take(rest, 1)?[0] {
            0 => return Some(()),
            length @ 1..=0x3f => drop(take(rest, length.into())?),
            0xc0.. => return take(rest, 1).map(drop),
            0x40..=0xbf => return None,
        }
    }
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    let bytes = take(rest, 2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    rest.split_off(..count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: u32 = 0xabcd_0000;

    fn query(kind: Kind) -> Query {
        Query::new("hooks.example.com", kind, ID).expect("a name")
    }

    /// A reply with these records, each written by `record`.
    fn reply(query: &Query, flags: u16, records: &[Vec<u8>]) -> Vec<u8> {
        let mut message = query.bytes().to_vec();
        message[2..4].copy_from_slice(&flags.to_be_bytes());
        let count = u16::try_from(records.len()).expect("few");
        message[6..8].copy_from_slice(&count.to_be_bytes());
        message.extend(records.concat());
        message
    }

    fn record(kind: u16, data: &[u8]) -> Vec<u8> {
        let length = u16::try_from(data.len()).expect("short");
        let fields = [0xc00c, kind, 1, 0, 60, length];
        let mut record: Vec<u8> = fields.into_iter().flat_map(u16::to_be_bytes).collect();
        record.extend(data);
        record
    }

    #[test]
    fn the_question() {
        assert_eq!(
            query(Kind::A).bytes(),
            b"\xab\xcd\x01\0\0\x01\0\0\0\0\0\0\x05hooks\x07example\x03com\0\0\x01\0\x01"
        );
        assert!(query(Kind::Aaaa).bytes().ends_with(b"\0\0\x1c\0\x01"));
        for name in ["", ".", "a..b", "a.", &"a".repeat(64), &"a.".repeat(200)] {
            assert!(Query::new(name, Kind::A, ID).is_none(), "{name}");
        }
    }

    #[test]
    fn replies() {
        let a = query(Kind::A);
        let alias = record(5, b"\x03cdn\xc0\x12");
        let both =
            [alias, record(1, &[192, 0, 2, 1]), record(28, &[0; 16]), record(1, &[10, 0, 0, 1])];
        let addresses = ["192.0.2.1", "10.0.0.1"].map(|ip| ip.parse().expect("an address"));
        for (flags, records, expected) in [
            (0x8180, &both[..], Reply::Addresses(addresses.to_vec())),
            (0x8180, &[], Reply::Addresses(Vec::new())),
            (0x8183, &[], Reply::NoSuchName),
            (0x8182, &[], Reply::Failed),
            (0x8185, &[], Reply::Failed),
            (0x8380, &both[..1], Reply::Truncated),
            (0x8180, &[record(1, &[1, 2, 3])], Reply::Failed),
            (0x8180, &[record(1, &[1, 2, 3, 4])[..14].to_vec()], Reply::Failed),
            (0x8180, &[b"\x80".to_vec()], Reply::Failed),
        ] {
            assert_eq!(a.read(&reply(&a, flags, records)), Some(expected), "{flags:x} {records:?}");
        }
        let aaaa = query(Kind::Aaaa);
        let found = aaaa.read(&reply(&aaaa, 0x8180, &[record(28, &[0x20; 16])]));
        let address = "2020:2020:2020:2020:2020:2020:2020:2020".parse().expect("an address");
        assert_eq!(found, Some(Reply::Addresses(vec![address])));
    }

    #[test]
    fn what_is_no_reply_to_the_question() {
        let a = query(Kind::A);
        let good = reply(&a, 0x8180, &[record(1, &[192, 0, 2, 1])]);
        assert!(a.read(&good).is_some());
        assert!(a.read(&good.to_ascii_uppercase()).is_some(), "names have no case");
        for (at, bits) in [(0, 1), (1, 1), (2, 0x80), (2, 0x08), (5, 1), (13, 1), (30, 1), (32, 1)]
        {
            let mut other = good.clone();
            other[at] ^= bits;
            assert_eq!(a.read(&other), None, "byte {at}");
        }
        for length in 0..a.bytes().len() {
            assert_eq!(a.read(&good[..length]), None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 5_000, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn nothing_that_arrives_is_too_strange(
            tail in prop::collection::vec(any::<u8>(), 0..200), flags in any::<u16>(), count in any::<u16>(),
        ) {
            let a = query(Kind::A);
            let mut message = reply(&a, flags, std::slice::from_ref(&tail));
            message[6..8].copy_from_slice(&count.to_be_bytes());
            if let Some(Reply::Addresses(found)) = a.read(&message) {
                prop_assert!(found.len() <= tail.len() / 15);
            }
            let _ = a.read(&tail);
        }
    }
}
