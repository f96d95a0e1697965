//! Links to the page, signed in for one account.

use std::time::Duration;

use domain::ids::EndpointId;
use domain::limits::{PORTAL_LINK_MAX_S, PORTAL_LINK_MIN_S};
use domain::portal::{PortalLink, PortalScope};
use domain::ports::{Clock, Fresh};
use serde_json::json;

use crate::error::{Answer, ApiError};
use crate::fields::Fields;
use crate::http::{Request, Response};
use crate::{Api, Call, Outside, Store};

/// Where people find the page. A link is made of what is known here and of what Lambda says,
/// never of a header: whoever calls must not be able to have links lead to a host of his.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageAddress {
    /// `PublicBaseUrl`; ends in a slash.
    Public(String),
    /// The function URL itself.
    FunctionUrl,
    /// The function URL's path on an emulator at this address, where its name leads nowhere.
    Emulator(String),
}

impl PageAddress {
    /// The page's address, as a request finds it. Ends in a slash.
    fn of(&self, request: &Request) -> Answer<String> {
        let domain = &request.domain;
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        let is_name = !domain.is_empty() && domain.bytes().all(allowed);
        match self {
            Self::Public(url) => Ok(url.clone()),
            Self::FunctionUrl | Self::Emulator(_) if !is_name => {
                Err(ApiError::Internal("the request names no function URL".into()))
            }
            Self::FunctionUrl => Ok(format!("https://{domain}/")),
            Self::Emulator(url) => {
                let (id, _) = domain.split_once('.').unwrap_or((domain, ""));
                Ok(format!("{}/_aws/lambda-url/{id}/", url.trim_end_matches('/')))
            }
        }
    }
}

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    pub(crate) async fn create_portal_link(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let mut fields = Fields::parse(&call.request.body)?;
        let account = call.caller.account(fields.account_id()?)?;
        let account_id = account.ok_or(ApiError::MissingField("account_id"))?;
        let endpoint_id = fields.text("endpoint_id")?;
        let lasts = lifetime(&mut fields)?;
        fields.end()?;
        let product = call.caller.product(None)?;
        let mut scope = PortalScope { account_id, product, endpoint_id: None };
        if let Some(id) = endpoint_id {
            scope.endpoint_id = Some(self.endpoint_for(call, &scope, &id).await?);
        }
        // The page opens there at once.
        let place = scope.endpoint_id.as_ref().map(|id| format!("&endpoint={id}"));
        let token = self.chance.portal_token()?;
        let link = PortalLink {
            id: token.id(),
            hash: token.hash(),
            scope,
            made_with: call.caller.key_id.clone(),
            created_at: call.now,
            expires_at: call.now + lasts,
        };
        let base = self.rules.page.of(call.request)?;
        self.store.keep_link(&link).await?;
        // Behind the `#`, browsers keep it to themselves: no server, proxy or referrer sees it.
        let url = format!("{base}#token={}{}", token.reveal(), place.unwrap_or_default());
        Ok(Response::json(201, &json!({"url": url})))
    }

    /// The endpoint a link is to be for: the caller's, and of the link's account.
    async fn endpoint_for(
        &self,
        call: &Call<'_>,
        scope: &PortalScope,
        id: &str,
    ) -> Answer<EndpointId> {
        let id = EndpointId::parse(id).map_err(|_| ApiError::NotFound)?;
        let found = self.living_endpoint_of(&call.caller, &id).await?;
        if found.account_id != scope.account_id {
            return Err(ApiError::NotFound);
        }
        Ok(found.id)
    }
}

fn lifetime(fields: &mut Fields) -> Answer<Duration> {
    let rule = format!("must be {PORTAL_LINK_MIN_S} to {PORTAL_LINK_MAX_S} seconds");
    let seconds =
        fields.number("expires_in", &rule)?.ok_or(ApiError::MissingField("expires_in"))?;
    if (PORTAL_LINK_MIN_S..=PORTAL_LINK_MAX_S).contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        Err(ApiError::invalid("expires_in", rule))
    }
}
