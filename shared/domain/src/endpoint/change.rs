//! What people change on a registered endpoint. Each change is a new endpoint, to be written only
//! if the old one still stands.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::Timestamp;
use crate::endpoint::notice::{Channel, EndpointNotice, Happening};
use crate::endpoint::register::{FieldError, Registration, refuse};
use crate::endpoint::{DisabledReason, Endpoint, EndpointState};
use crate::health::Health;
use crate::limits::NOTICES_PENDING;
use crate::target::TargetRules;

impl Registration {
    /// What would register this endpoint as it is.
    pub fn of(endpoint: &Endpoint) -> Self {
        let header = |h: &super::CustomHeader| (h.name.clone(), h.value.clone());
        Self {
            account_id: endpoint.account_id.to_string(),
            url: endpoint.url.clone(),
            event_types: endpoint.event_types.iter().map(ToString::to_string).collect(),
            alert_email: endpoint.alert_email.clone(),
            product: endpoint.product.map(|product| product.as_str().to_owned()),
            platform_id: endpoint.platform_id.clone(),
            description: endpoint.description.clone(),
            headers: endpoint.headers.iter().map(header).collect(),
            headers_kept: true,
            max_per_second: endpoint.max_per_second,
        }
    }
}

impl Endpoint {
    /// With other settings, from `now` on; whether it is enabled is not one of them.
    ///
    /// # Errors
    /// The first field that breaks its rule. `headers`, if their values would follow the URL to
    /// another place: nobody can read them, so nobody shall have them sent where they like.
    pub fn edited(
        &self,
        wanted: Registration,
        rules: TargetRules,
        now: Timestamp,
    ) -> Result<Self, FieldError> {
        let kept = wanted.headers_kept && !self.headers.is_empty();
        let checked = wanted.check(self.id.clone(), rules, now)?;
        if kept && checked.url != self.url {
            let rule = "must be given anew with another url: hidden values do not move along";
            return Err(refuse("headers", rule));
        }
        Ok(Self {
            account_id: self.account_id.clone(),
            state: self.state,
            shards: self.shards,
            enabled_at: self.enabled_at,
            created_at: self.created_at,
            updated_at: self.touched(now),
            health: self.health,
            notices: self.notices.clone(),
            ..checked
        })
    }

    /// Enabled again by a person; `None` if it is enabled, or deleted.
    pub fn enabled(&self, now: Timestamp) -> Option<Self> {
        match self.state {
            EndpointState::Enabled | EndpointState::Deleted { .. } => None,
            EndpointState::Disabled { .. } => {
                let at = self.touched(now);
                let state = EndpointState::Enabled;
                let notices = self.notices_with(Happening::Enabled, at);
                let health = Health::default();
                Some(Self {
                    state,
                    enabled_at: at,
                    updated_at: at,
                    health,
                    notices,
                    ..self.clone()
                })
            }
        }
    }

    /// Disabled by a person; `None` if it is disabled already, for whatever reason, or deleted.
    pub fn disabled(&self, now: Timestamp) -> Option<Self> {
        match self.state {
            EndpointState::Disabled { .. } | EndpointState::Deleted { .. } => None,
            EndpointState::Enabled => {
                let at = self.touched(now);
                let state = EndpointState::Disabled { reason: DisabledReason::Manual, at };
                let notices = self.notices_with(Happening::DisabledByHand, at);
                let health = Health::default();
                Some(Self { state, updated_at: at, health, notices, ..self.clone() })
            }
        }
    }

    /// A tombstone, without the header values that nobody needs any more; `None` if it is one
    /// already.
    pub fn deleted(&self, now: Timestamp) -> Option<Self> {
        match self.state {
            EndpointState::Deleted { .. } => None,
            EndpointState::Enabled | EndpointState::Disabled { .. } => {
                let at = self.touched(now);
                let (state, headers) = (EndpointState::Deleted { at }, Vec::new());
                let health = Health::default();
                Some(Self { state, headers, updated_at: at, health, ..self.clone() })
            }
        }
    }

    fn notices_with(&self, what: Happening, at: Timestamp) -> BTreeSet<EndpointNotice> {
        let mut notices = self.notices.clone();
        if notices.len() < NOTICES_PENDING {
            notices.insert(EndpointNotice { at, channel: Channel::Bus, what, since: None });
        }
        notices
    }

    /// The moment written with a change: later than that of the change before, whatever the clock
    /// says, so that it can be what a conditional write looks at.
    fn touched(&self, now: Timestamp) -> Timestamp {
        now.max(self.updated_at + Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::CustomHeader;
    use crate::endpoint::tests::endpoint;

    fn later() -> Timestamp {
        Timestamp::from_secs(900)
    }

    #[test]
    fn on_and_off() {
        let first = endpoint("ep_1", &["*"]);
        assert_eq!(first.enabled(later()), None);
        let off = first.disabled(later()).expect("enabled");
        let state = EndpointState::Disabled { reason: DisabledReason::Manual, at: later() };
        assert_eq!((off.state, off.enabled_at), (state, first.enabled_at));
        assert_eq!(off.disabled(later()), None);
        let on = off.enabled(later()).expect("disabled");
        assert_eq!(on.state, EndpointState::Enabled);
        assert_eq!(on.enabled_at, on.updated_at);
        assert!(on.updated_at > off.updated_at, "two changes never share a moment");
        let told: Vec<_> = on.notices.iter().map(|n| (n.channel, n.what, n.at)).collect();
        let expected = [
            (Channel::Bus, Happening::DisabledByHand, off.updated_at),
            (Channel::Bus, Happening::Enabled, on.updated_at),
        ];
        assert_eq!(told, expected, "both are to be announced");
    }

    #[test]
    fn a_tombstone_stays_one() {
        let gone = endpoint("ep_1", &["*"]).deleted(later()).expect("there");
        assert_eq!(gone.state, EndpointState::Deleted { at: later() });
        assert_eq!((gone.deleted(later()), gone.enabled(later())), (None, None));
        assert_eq!(gone.disabled(later()), None);
    }

    #[test]
    fn an_edit_changes_settings_and_nothing_else() {
        let mut first = endpoint("ep_1", &["*"]);
        first.shards = 4;
        first.state =
            EndpointState::Disabled { reason: DisabledReason::Failing, at: first.created_at };
        let mut wanted = Registration::of(&first);
        wanted.description = Some("new".into());
        let edited = first.edited(wanted, TargetRules::PublicHttps, later()).expect("good");
        let expected =
            Endpoint { description: Some("new".into()), updated_at: later(), ..first.clone() };
        assert_eq!(edited, expected);
        let wanted = Registration { alert_email: "x".into(), ..Registration::of(&first) };
        let error = first.edited(wanted, TargetRules::PublicHttps, later()).expect_err("bad");
        assert_eq!(error.field, "alert_email");
    }

    #[test]
    fn hidden_header_values_do_not_follow_the_url() {
        let mut first = endpoint("ep_1", &["*"]);
        first.url = "https://hooks.example.com/in".into();
        let secret = CustomHeader { name: "Authorization".into(), value: "Bearer s3cret".into() };
        first.headers = vec![secret];
        let moved = |first: &Endpoint, url: &str, headers: Option<&[(String, String)]>| {
            let mut wanted = Registration { url: url.into(), ..Registration::of(first) };
            if let Some(given) = headers {
                (wanted.headers, wanted.headers_kept) = (given.to_vec(), false);
            }
            first.edited(wanted, TargetRules::PublicHttps, later())
        };
        // Another host, port, path, query: each can be another's place.
        for url in [
            "https://evil.example/in",
            "https://hooks.example.com:8443/in",
            "https://hooks.example.com/other",
            "https://hooks.example.com/in?x=1",
        ] {
            let error = moved(&first, url, None).expect_err("they would go along");
            assert_eq!(error.field, "headers", "{url}");
            assert_eq!(moved(&first, url, Some(&[])).expect("none").headers, []);
            let given = [("Authorization".to_owned(), "Bearer mine".to_owned())];
            let there = moved(&first, url, Some(&given)).expect("the caller's own");
            assert_eq!(there.headers[0].value, "Bearer mine");
        }
        // The same place, spelled otherwise; and an endpoint with nothing to hide.
        let same = moved(&first, "HTTPS://Hooks.example.com:443/in", None).expect("the same");
        assert_eq!(same.headers, first.headers);
        first.headers.clear();
        moved(&first, "https://elsewhere.example/", None).expect("nothing to hide");
    }
}
