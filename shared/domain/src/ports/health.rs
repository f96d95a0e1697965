//! What sender, sweeper and daily need to know and to write about endpoints' health.

use std::future::Future;

use super::{EndpointKey, Page, PortResult};
use crate::Timestamp;
use crate::endpoint::Endpoint;
use crate::endpoint::notice::EndpointNotice;

/// The health of endpoints, and what must still be told about them.
pub trait EndpointHealth: Sync {
    /// Writes what became of an endpoint: its health, its state, notices that are new. MUST be
    /// atomic: true only if state, `enabled_at` and health on record were those of `was`. MUST
    /// leave alone what people set, and notices that others added. MUST put the endpoint into the
    /// index of those in trouble, or take it out, as [`Endpoint::needs_attention`] says of `now`.
    fn record_health(
        &self,
        was: &Endpoint,
        now: &Endpoint,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Notes that an endpoint stands apart until `until` ([`Endpoint::silent_until`]). MUST change
    /// nothing else of it, and nothing at all if there is no such endpoint.
    fn note_silence(
        &self,
        key: &EndpointKey,
        until: Timestamp,
    ) -> impl Future<Output = PortResult<()>> + Send;

    /// One page of a shard of the index of endpoints in trouble, in any lasting order. MAY lag
    /// behind writes; whoever acts on an entry reads the endpoint first.
    fn in_trouble(
        &self,
        shard: u8,
        after: Option<&EndpointKey>,
        limit: usize,
    ) -> impl Future<Output = PortResult<Page<EndpointKey, EndpointKey>>> + Send;

    /// Reserves the telling of an endpoint's notices until `until`. MUST be atomic: true only if
    /// there is such an endpoint, and nobody's reservation is live at `now`.
    fn claim_notices(
        &self,
        key: &EndpointKey,
        until: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = PortResult<bool>> + Send;

    /// Ends a reservation; nothing happens if it is no longer this one.
    fn free_notices(
        &self,
        key: &EndpointKey,
        until: Timestamp,
    ) -> impl Future<Output = PortResult<()>> + Send;

    /// Takes away a notice that was told; nothing happens if it is gone already.
    fn finish_notice(
        &self,
        key: &EndpointKey,
        notice: &EndpointNotice,
    ) -> impl Future<Output = PortResult<()>> + Send;
}
