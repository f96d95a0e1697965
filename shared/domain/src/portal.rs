//! Portal links: a signed-in way to the page for one account, for hours (design 4.3).
//!
//! Whoever has the link looks, re-sends, tests and switches on and off, within one account. He
//! makes no keys and no further links, sees no secret, and cannot turn an endpoint elsewhere: a
//! link travels through browsers and mails, a key should not.

use std::fmt;

use crate::Timestamp;
use crate::api_key::ApiKey;
use crate::envelope::Product;
use crate::ids::{AccountId, EndpointId};

/// What a link shows: an account, and within it what is given beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalScope {
    /// The account.
    pub account_id: AccountId,
    /// Only this product's endpoints: the link was made with the product's key.
    pub product: Option<Product>,
    /// Only this endpoint.
    pub endpoint_id: Option<EndpointId>,
}

/// `account/product/endpoint`, with `*` for what is not narrowed.
impl fmt::Display for PortalScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = self.product.map_or("*", Product::as_str);
        let endpoint = self.endpoint_id.as_ref().map_or("*", EndpointId::as_str);
        write!(f, "{}/{product}/{endpoint}", self.account_id)
    }
}

/// What is kept of a link. It goes by itself once it has expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalLink {
    /// See [`ApiKey::id`].
    pub id: String,
    /// See [`ApiKey::hash`].
    pub hash: String,
    /// What it shows.
    pub scope: PortalScope,
    /// The id of the key it was made with. Revoking that key ends its links.
    pub made_with: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it opens nothing.
    pub expires_at: Timestamp,
}

impl PortalLink {
    /// Whether this is the record of a token that is good at `now`.
    pub fn opens_for(&self, token: &ApiKey, now: Timestamp) -> bool {
        self.hash == token.hash() && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_until_it_expires() {
        let token = ApiKey::portal_token([1; 24]);
        let at = Timestamp::from_secs;
        let link = PortalLink {
            id: token.id(),
            hash: token.hash(),
            scope: PortalScope {
                account_id: AccountId::parse("acct_42").expect("valid"),
                product: None,
                endpoint_id: EndpointId::parse("ep_a").ok(),
            },
            made_with: "key_1".into(),
            created_at: at(0),
            expires_at: at(60),
        };
        assert_eq!(link.scope.to_string(), "acct_42/*/ep_a");
        assert!(link.opens_for(&token, at(59)));
        assert!(!link.opens_for(&token, at(60)));
        assert!(!link.opens_for(&ApiKey::portal_token([2; 24]), at(1)));
    }
}
