//! Portal links: a signed-in way to the page for one account, for hours (design 4.3).
//!
//! The page is where customers look after their endpoints, and most of them have no key, so a link
//! does what the page offers: it looks, re-sends, tests, switches on and off, edits and rotates
//! what it shows; one for a whole account registers endpoints, too. Hence it also sees the secrets
//! it makes (no other can be read), and can turn an endpoint elsewhere, as its owner can.
//!
//! A link travels through browsers, so it does nothing that cannot be undone and nothing that
//! outlives it unseen: it deletes no endpoint, erases no payload, and makes no keys and no further
//! links. It lasts a day at most, and ends with the key it was made with.

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

impl PortalScope {
    /// Whether it registers endpoints: a new one would not be among what a link for one endpoint
    /// shows.
    pub fn registers(&self) -> bool {
        self.endpoint_id.is_none()
    }
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
        assert!(!link.scope.registers());
        assert!(PortalScope { endpoint_id: None, ..link.scope.clone() }.registers());
        assert!(link.opens_for(&token, at(59)));
        assert!(!link.opens_for(&token, at(60)));
        assert!(!link.opens_for(&ApiKey::portal_token([2; 24]), at(1)));
    }
}
