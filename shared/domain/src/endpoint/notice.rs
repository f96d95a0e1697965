//! What must still be told about an endpoint (design 3.4): committed together with what happened,
//! removed once told.

use std::fmt;

use crate::Timestamp;

/// One thing to be told in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointNotice {
    /// When it happened. First, so that they sort, and are told, in that order.
    pub at: Timestamp,
    /// What happened.
    pub what: Happening,
    /// How it is told.
    pub channel: Channel,
    /// Since when the endpoint had been failing, where that is the point.
    pub since: Option<Timestamp>,
}

/// How something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// On the bus, for programs.
    Bus,
    /// By mail, to the owner.
    Mail,
}

/// What happened to an endpoint. Of two things at one moment, the first here is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Happening {
    /// It answers again.
    Recovered,
    /// It has been failing for a while.
    Failing,
    /// It will be disabled if it goes on like this. Mailed only.
    Warned,
    /// The suite disabled it.
    Disabled,
    /// A person disabled it. Never mailed: they know.
    DisabledByHand,
    /// A person enabled it. Never mailed.
    Enabled,
}

impl Channel {
    const ALL: [Self; 2] = [Self::Bus, Self::Mail];

    fn as_str(self) -> &'static str {
        match self {
            Channel::Bus => "bus",
            Channel::Mail => "mail",
        }
    }
}

impl Happening {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Failing,
        Self::Warned,
        Self::Recovered,
        Self::Disabled,
        Self::DisabledByHand,
        Self::Enabled,
    ];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Happening::Failing => "failing",
            Happening::Warned => "warned",
            Happening::Recovered => "recovered",
            Happening::Disabled => "disabled",
            Happening::DisabledByHand => "disabled_by_hand",
            Happening::Enabled => "enabled",
        }
    }
}

/// As it is kept: `2026-06-14T09:39:00.000Z mail disabled 2026-06-07T09:36:00.000Z`.
impl fmt::Display for EndpointNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.at, self.channel.as_str(), self.what.as_str())?;
        self.since.map_or(Ok(()), |since| write!(f, " {since}"))
    }
}

impl EndpointNotice {
    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let at = Timestamp::parse(words.next()?).ok()?;
        let (channel, what) = (words.next()?, words.next()?);
        let since = words.next().map(Timestamp::parse).transpose().ok()?;
        let channel = Channel::ALL.into_iter().find(|known| known.as_str() == channel)?;
        let what = Happening::ALL.into_iter().find(|known| known.as_str() == what)?;
        words.next().is_none().then_some(Self { at, channel, what, since })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let at = Timestamp::from_secs(9);
        for since in [None, Some(Timestamp::from_secs(5))] {
            for what in Happening::ALL {
                for channel in Channel::ALL {
                    let notice = EndpointNotice { at, channel, what, since };
                    assert_eq!(EndpointNotice::parse(&notice.to_string()), Some(notice));
                }
            }
        }
        let good = "1970-01-01T00:00:09.000Z mail disabled 1970-01-01T00:00:05.000Z";
        assert!(EndpointNotice::parse(good).is_some());
        for (from, to) in
            [("mail", "post"), ("disabled", "gone"), ("1970", "x"), ("05.000Z", "5 b")]
        {
            assert_eq!(EndpointNotice::parse(&good.replace(from, to)), None, "{from} -> {to}");
        }
    }
}
