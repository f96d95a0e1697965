//! Test events: asked for here, made by the sender. The API itself calls nobody.

use domain::Timestamp;
use domain::endpoint::{Endpoint, EndpointState};
use domain::envelope::is_event_name;
use domain::limits::{TESTS_PER_ACCOUNT, TESTS_PER_MINUTE};
use domain::ports::{CallWindow, Clock, Fresh};
use domain::test_event::{TEST_WINDOW, TestReply, TestRequest};

use crate::error::{Answer, ApiError};
use crate::fields::Fields;
use crate::http::Response;
use crate::{Api, Call, Outside, Store};

impl<S: Store, O: Outside, C: Clock + Fresh> Api<S, O, C> {
    pub(crate) async fn test_endpoint(&self, call: &Call<'_>) -> Answer<Response> {
        call.query.only(&[])?;
        let mut fields = Fields::parse(&call.request.body)?;
        let event = fields.text("event")?.ok_or(ApiError::MissingField("event"))?;
        fields.end()?;
        if !is_event_name(&event) {
            return Err(ApiError::invalid("event", "must be an event name"));
        }
        let endpoint = self.living_endpoint(call).await?;
        if endpoint.state != EndpointState::Enabled {
            return Err(ApiError::EndpointDisabled);
        }
        self.count_test(&endpoint, call.now).await?;
        let Endpoint { account_id, id: endpoint_id, .. } = endpoint;
        let request = TestRequest { account_id, endpoint_id, event };
        match self.outside.run_test(&request).await? {
            TestReply::Made(attempt) => Ok(Response::json(200, &attempt)),
            TestReply::Disabled => Err(ApiError::EndpointDisabled),
            TestReply::Unknown => Err(ApiError::NotFound),
        }
    }

    /// Counts a test before it is made, so that those that fail or hang count as well.
    async fn count_test(&self, endpoint: &Endpoint, now: Timestamp) -> Answer<()> {
        let nth = now.as_secs().div_euclid(TEST_WINDOW.as_secs().cast_signed());
        let ends_at = Timestamp::from_secs((nth + 1) * TEST_WINDOW.as_secs().cast_signed());
        let (id, account) = (&endpoint.id, &endpoint.account_id);
        let wait_s = (ends_at.as_secs() - now.as_secs()).max(1);
        // The endpoint's own first: what it refuses must not use up the account's.
        for (name, limit, refusal) in [
            (format!("tests#{id}#{nth}"), TESTS_PER_MINUTE, ApiError::TooManyTests(wait_s)),
            (
                format!("tests#{account}#{nth}"),
                TESTS_PER_ACCOUNT,
                ApiError::TooManyTestsOfAccount(wait_s),
            ),
        ] {
            let window = CallWindow { name, limit, expires_at: ends_at + TEST_WINDOW };
            if self.store.count_call(&window).await?.is_none() {
                return Err(refusal);
            }
        }
        Ok(())
    }
}
