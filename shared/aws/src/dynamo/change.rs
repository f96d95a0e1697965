//! What a commit writes, as one update.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::Timestamp;
use domain::delivery::{Attempt, Change, Delivery, Stage};
use domain::ids::DeliveryId;
use domain::limits::ATTEMPTS_KEPT;

use super::delivery_item::{RETRY_ATTRIBUTES, attempt_value, due_shard, problem};
use super::item::{number, text};
use super::request::Update;

/// The update for a change, under the condition that the delivery is at `expected`: on status,
/// scheduled attempts, open retry and erasure, and on nothing else (design 3.2).
pub(super) fn commit(id: &DeliveryId, expected: &Stage, change: &Change) -> Update {
    let mut update = Update::default();
    only_at(&mut update, expected);

    let Change { status, scheduled_attempts, settles, .. } = *change;
    update.set("status", text(status.as_str()));
    update.set_or_remove("reason", status.reason().map(text));
    update.set_or_remove("problem", problem(id, status));
    update.set("scheduled_attempts", number(scheduled_attempts));
    update.set_or_remove("next_attempt_at", change.next_attempt_at.map(text));
    update.set_or_remove("gives_up_at", change.gives_up_at.map(text));
    update.set_or_remove("due_at", change.due_at.map(text));
    update.set_or_remove("due_shard", change.due_at.map(|_| due_shard(id)));
    update.set_or_remove("notice", change.notice.map(|notice| text(notice.as_str())));
    if settles.tier() {
        update.remove("busy_until");
    }
    if settles.retry() {
        RETRY_ATTRIBUTES.iter().for_each(|attribute| update.remove(attribute));
    }
    if change.resets_back_off() {
        update.remove("back_off_s");
    }
    // Without an attempt there is no new address to note, and the old one stays.
    if let Some(url) = &change.url {
        update.set("url", text(url));
    }
    if let Some(attempt) = &change.attempt {
        append(&mut update, attempt);
    }
    update
}

/// Only if the delivery is at this stage.
pub(super) fn only_at(update: &mut Update, expected: &Stage) {
    update.only_if_is("status", text(expected.status.as_str()));
    update.only_if_is("scheduled_attempts", number(expected.scheduled_attempts));
    update.only_if_is_or_absent("retry_id", expected.retry.as_ref().map(text));
    update.only_if_is_or_absent("erased_at", expected.erased_at.map(text));
}

/// The update that erases the answers on a delivery as it was read: with as many attempts, so that
/// none is passed over that came since.
pub(super) fn erase_answers(was: &Delivery, at: Timestamp) -> Update {
    let mut update = Update::default();
    only_at(&mut update, &was.stage());
    update.only_if_is("attempt_count", number(was.attempt_count));
    update.set("erased_at", text(at));
    for nth in 0..was.attempts.len() {
        let (attempts, body) = (update.name("attempts"), update.name("response_body"));
        update.remove_expression(format!("{attempts}[{nth}].{body}"));
    }
    update
}

/// Puts an attempt on record: at the end of the list, or, once [`ATTEMPTS_KEPT`] are there, in
/// the place of the last.
///
/// The attempt's number decides which, since it is one more than the attempts that were on record
/// when it was made, and attempts are never taken away: above the limit, the last place exists.
/// Copies racing at the limit may leave a few attempts more than that in the list, for which the
/// limit has room; asking for the list's size instead would be a second reason for a condition to
/// fail, and a lost race could no longer be told from a full list.
fn append(update: &mut Update, attempt: &Attempt) {
    let attempts = update.name("attempts");
    if usize::try_from(attempt.number).unwrap_or(usize::MAX) <= ATTEMPTS_KEPT {
        let one = AttributeValue::L(vec![attempt_value(attempt)]);
        let one = update.value("attempt", one);
        let none = update.value("none", AttributeValue::L(Vec::new()));
        update.set_expression(format!(
            "{attempts} = list_append(if_not_exists({attempts}, {none}), {one})"
        ));
    } else {
        let one = update.value("attempt", attempt_value(attempt));
        update.set_expression(format!("{attempts}[{}] = {one}", ATTEMPTS_KEPT - 1));
    }
    let answer = &attempt.answer;
    update.add("attempt_count", number(1));
    update.set("last_outcome", text(answer.outcome.as_str()));
    update.set_or_remove("last_http_status", answer.http_status.map(number));
    update.set_or_remove("last_error", answer.error.as_ref().map(text));
}
