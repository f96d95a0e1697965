//! An endpoint and its item; its secrets and theirs.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::endpoint::{CustomHeader, DisabledReason, Endpoint, EndpointState, EventPattern};
use domain::envelope::Product;
use domain::ids::{AccountId, EndpointId};
use domain::secret::{Secret, SigningSecrets};

use super::health;
use super::item::{Item, Reader, Unreadable, Writer, number, text};

/// The format's version.
const VERSION: u8 = 1;
const ENABLED: &str = "enabled";
const DISABLED: &str = "disabled";
const DELETED: &str = "deleted";

/// The item's key.
pub(super) fn key(account: &AccountId, id: &EndpointId) -> Item {
    Writer::default().with("account_id", text(account)).with("endpoint_id", text(id)).item()
}

/// The item of an endpoint.
pub(super) fn to_item(endpoint: &Endpoint) -> Item {
    let event_types = endpoint.event_types.iter().map(text).collect();
    let header = |header: &CustomHeader| (header.name.clone(), text(&header.value));
    let headers = endpoint.headers.iter().map(header).collect();
    let item = Writer(key(&endpoint.account_id, &endpoint.id))
        .with("url", text(&endpoint.url))
        .with("event_types", AttributeValue::L(event_types))
        .with_some("product", endpoint.product.map(|p| text(p.as_str())))
        .with_some("platform_id", endpoint.platform_id.as_ref().map(text))
        .with_some("description", endpoint.description.as_ref().map(text))
        .with("alert_email", text(&endpoint.alert_email))
        .with("headers", AttributeValue::M(headers))
        .with_some("max_per_second", endpoint.max_per_second.map(number))
        .with("shards", number(endpoint.shards))
        .with("enabled_at", text(endpoint.enabled_at))
        .with("created_at", text(endpoint.created_at))
        .with("updated_at", text(endpoint.updated_at))
        .with("version", number(VERSION));
    let state = state_attributes(endpoint).into_iter();
    let item = state.fold(item, |item, (name, value)| item.with_some(name, value));
    health::write(item, endpoint).item()
}

/// The attributes of an endpoint's state.
pub(super) fn state_attributes(endpoint: &Endpoint) -> [(&'static str, Option<AttributeValue>); 4] {
    let (disabled, deleted_at) = match endpoint.state {
        EndpointState::Enabled => (None, None),
        EndpointState::Disabled { reason, at } => (Some((reason, at)), None),
        EndpointState::Deleted { at } => (None, Some(at)),
    };
    [
        ("status", Some(text(status(endpoint)))),
        ("disabled_reason", disabled.map(|(reason, _)| text(reason.as_str()))),
        ("disabled_at", disabled.map(|(_, at)| text(at))),
        ("deleted_at", deleted_at.map(text)),
    ]
}

/// An endpoint's state, as it is written.
pub(super) fn status(endpoint: &Endpoint) -> &'static str {
    match endpoint.state {
        EndpointState::Enabled => ENABLED,
        EndpointState::Disabled { .. } => DISABLED,
        EndpointState::Deleted { .. } => DELETED,
    }
}

/// Reads an item.
pub(super) fn from_item(item: &Item) -> Result<Endpoint, Unreadable> {
    let item = Reader(item);
    item.no_newer_than(VERSION)?;
    let pattern = |text: &str| EventPattern::parse(text).map_err(|_| Unreadable("event_types"));
    let event_types: Result<_, _> = item.texts("event_types")?.into_iter().map(pattern).collect();
    let product = item.text_opt("product")?;
    let product = product.map(|name| Product::parse(name).ok_or(Unreadable("product")));
    Ok(Endpoint {
        id: item.parsed::<EndpointId>("endpoint_id")?,
        account_id: item.parsed::<AccountId>("account_id")?,
        url: item.text("url")?.to_owned(),
        event_types: event_types?,
        product: product.transpose()?,
        platform_id: item.text_opt("platform_id")?.map(str::to_owned),
        description: item.text_opt("description")?.map(str::to_owned),
        alert_email: item.text("alert_email")?.to_owned(),
        headers: headers(item)?,
        max_per_second: item.number_opt("max_per_second")?,
        state: state(item)?,
        shards: item.number_opt("shards")?.unwrap_or(1),
        enabled_at: item.moment("enabled_at")?,
        created_at: item.moment("created_at")?,
        updated_at: item.moment("updated_at")?,
        health: health::read(item)?,
        silent_until: health::read_silent_until(item)?,
        notices: health::read_notices(item.0)?,
    })
}

/// A map has no order; headers are sent in that of their names.
fn headers(item: Reader<'_>) -> Result<Vec<CustomHeader>, Unreadable> {
    let Some(map) = item.0.get("headers") else {
        return Ok(Vec::new());
    };
    let map = map.as_m().map_err(|_| Unreadable("headers"))?;
    let header = |(name, value): (&String, &AttributeValue)| {
        let value = value.as_s().map_err(|_| Unreadable("headers"))?.clone();
        let name = name.clone();
        Ok(CustomHeader { name, value })
    };
    let mut headers: Vec<_> = map.iter().map(header).collect::<Result<_, _>>()?;
    headers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(headers)
}

fn state(item: Reader<'_>) -> Result<EndpointState, Unreadable> {
    match item.text("status")? {
        ENABLED => Ok(EndpointState::Enabled),
        DISABLED => {
            let reason = DisabledReason::parse(item.text("disabled_reason")?);
            Ok(EndpointState::Disabled {
                reason: reason.ok_or(Unreadable("disabled_reason"))?,
                at: item.moment("disabled_at")?,
            })
        }
        DELETED => {
            let at = item.moment("deleted_at")?;
            Ok(EndpointState::Deleted { at })
        }
        _ => Err(Unreadable("status")),
    }
}

/// The key of an endpoint's secrets.
pub(super) fn secrets_key(id: &EndpointId) -> Item {
    Writer::default().with("endpoint_id", text(id)).item()
}

/// The item of an endpoint's secrets.
pub(super) fn secrets_to_item(id: &EndpointId, secrets: &SigningSecrets) -> Item {
    let previous = secrets.previous.as_ref();
    Writer(secrets_key(id))
        .with("current", text(secrets.current.reveal()))
        .with_some("previous", previous.map(|(old, _)| text(old.reveal())))
        .with_some("previous_valid_until", previous.map(|(_, until)| text(until)))
        .with("version", number(VERSION))
        .item()
}

/// Reads an item of secrets.
pub(super) fn secrets_from_item(item: &Item) -> Result<SigningSecrets, Unreadable> {
    let item = Reader(item);
    item.no_newer_than(VERSION)?;
    let secret = |name, text: &str| Secret::parse(text).map_err(|_| Unreadable(name));
    let previous = match item.text_opt("previous")? {
        None => None,
        Some(old) => Some((secret("previous", old)?, item.moment("previous_valid_until")?)),
    };
    Ok(SigningSecrets { current: secret("current", item.text("current")?)?, previous })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::Timestamp;
    use domain::endpoint::notice::{Channel, EndpointNotice, Happening};
    use domain::health::Health;

    use super::*;

    fn endpoint() -> Endpoint {
        let at = Timestamp::from_millis(1_780_825_140_123);
        let header =
            |name: &str| CustomHeader { name: name.into(), value: format!("value of {name}") };
        Endpoint {
            id: EndpointId::parse("ep_abc").expect("valid"),
            account_id: AccountId::parse("acct_42").expect("valid"),
            url: "https://hooks.example.com/in".into(),
            event_types: ["*", "email.*", "sms.delivered"]
                .map(|text| EventPattern::parse(text).expect("valid"))
                .to_vec(),
            product: Some(Product::Telnxo),
            platform_id: Some("1".into()),
            description: Some("Ünser Shop".into()),
            alert_email: "owner@example.com".into(),
            headers: ["X-Apple", "X-Tenant", "X-Zebra"].map(header).to_vec(),
            max_per_second: Some(5),
            state: EndpointState::Enabled,
            shards: 3,
            enabled_at: at,
            created_at: at,
            updated_at: at,
            health: Health::default(),
            silent_until: None,
            notices: BTreeSet::new(),
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Endpoint)) {
        let mut endpoint = endpoint();
        change(&mut endpoint);
        assert_eq!(from_item(&to_item(&endpoint)), Ok(endpoint));
    }

    #[test]
    fn into_an_item_and_back() {
        let at = Timestamp::from_millis(1_780_825_999_000);
        check(|_| {});
        check(|e| e.state = EndpointState::Deleted { at });
        for reason in [DisabledReason::Manual, DisabledReason::Failing] {
            check(|e| e.state = EndpointState::Disabled { reason, at });
        }
        check(|e| {
            e.health = Health {
                last_failure_at: Some(Timestamp::from_secs(1)),
                failing_since: Some(Timestamp::from_secs(2)),
                last_success_at: Some(Timestamp::from_secs(3)),
                alerted_for: Some(Timestamp::from_secs(4)),
                warned_for: Some(Timestamp::from_secs(5)),
            };
            let notice =
                |channel| EndpointNotice { at, channel, what: Happening::Failing, since: Some(at) };
            e.notices = [Channel::Bus, Channel::Mail].map(notice).into();
        });
        check(|e| {
            e.product = None;
            e.platform_id = None;
            e.description = None;
            e.max_per_second = None;
            e.headers.clear();
        });
    }

    #[test]
    fn secrets_into_an_item_and_back() {
        let id = EndpointId::parse("ep_abc").expect("valid");
        let (old, new) = (Secret::from_random([1; 24]), Secret::from_random([2; 24]));
        for previous in [None, Some((old, Timestamp::from_secs(9)))] {
            let secrets = SigningSecrets { current: new.clone(), previous };
            let item = secrets_to_item(&id, &secrets);
            assert_eq!(secrets_from_item(&item), Ok(secrets));
        }
    }
}
