//! Whose call it is, and whether there are too many of them.

use std::time::Duration;

use domain::Timestamp;
use domain::api_key::{ApiKey, ApiKeyRecord, KeyKind, Scope};
use domain::limits::API_CALLS_PER_MINUTE;
use domain::ports::{CallWindow, Clock, Fresh};

use crate::error::{Answer, ApiError};
use crate::http::Request;
use crate::{Api, Outside, Store};

/// The stretch of time in which calls are counted, in seconds.
const WINDOW_S: i64 = 60;

/// Whoever makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Of the key, or of the portal link.
    pub key_id: String,
    pub scope: Scope,
}

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    /// Finds the caller's key. A malformed one costs no read.
    pub(crate) async fn authenticate(&self, request: &Request, now: Timestamp) -> Answer<Caller> {
        let header = request.header("authorization").ok_or(ApiError::AuthenticationRequired)?;
        let key = bearer(header).ok_or(ApiError::AuthenticationRequired)?;
        let key = ApiKey::parse(key).map_err(|_| ApiError::InvalidApiKey)?;
        match key.kind() {
            KeyKind::Key => self.caller_of_key(&key, now).await,
            KeyKind::PortalToken => self.caller_of_link(&key, now).await,
        }
    }

    /// A key that has not been revoked.
    async fn standing_key(&self, id: &str) -> Answer<ApiKeyRecord> {
        let record = self.store.api_key(id).await?;
        record.filter(|record| record.revoked_at.is_none()).ok_or(ApiError::InvalidApiKey)
    }

    async fn caller_of_key(&self, key: &ApiKey, now: Timestamp) -> Answer<Caller> {
        let record = self.standing_key(&key.id()).await?;
        // The id is derived from the key, so a found record is nearly proof; the hash is proof.
        if record.hash != key.hash() {
            return Err(ApiError::InvalidApiKey);
        }
        if record.use_is_news(now)
            && let Err(error) = self.store.note_use(&record, now).await
        {
            // The note is for people who tidy up; no call fails for it.
            tracing::warn!(key_id = record.id, %error, "the key's use was not noted");
        }
        Ok(Caller { key_id: record.id, scope: record.scope })
    }

    /// A link is as good as the key it was made with.
    async fn caller_of_link(&self, token: &ApiKey, now: Timestamp) -> Answer<Caller> {
        let link = self.store.link(&token.id()).await?;
        let link = link.filter(|link| link.opens_for(token, now));
        let link = link.ok_or(ApiError::InvalidApiKey)?;
        self.standing_key(&link.made_with).await?;
        Ok(Caller { key_id: link.id, scope: Scope::Portal(link.scope) })
    }

    /// Counts the call, and answers the headers that say how many are left.
    pub(crate) async fn count(
        &self,
        caller: &Caller,
        now: Timestamp,
    ) -> Answer<Vec<(&'static str, String)>> {
        let nth = now.as_secs() / WINDOW_S;
        let ends_at = Timestamp::from_secs((nth + 1) * WINDOW_S);
        let window = CallWindow {
            name: format!("calls#{}#{nth}", caller.key_id),
            limit: API_CALLS_PER_MINUTE,
            expires_at: ends_at + Duration::from_secs(60),
        };
        let counted = self.store.count_call(&window).await?;
        let left = counted.map_or(0, |calls| window.limit.saturating_sub(calls));
        let mut headers = vec![
            ("X-RateLimit-Limit", window.limit.to_string()),
            ("X-RateLimit-Remaining", left.to_string()),
            ("X-RateLimit-Reset", ends_at.as_secs().to_string()),
        ];
        if counted.is_some() {
            return Ok(headers);
        }
        let wait_s = (ends_at.as_secs() - now.as_secs()).max(1);
        headers.push(("Retry-After", wait_s.to_string()));
        Err(ApiError::RateLimited(headers))
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, key) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim()).filter(|key| !key.is_empty())
}
