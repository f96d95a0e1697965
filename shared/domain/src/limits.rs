//! Every limit of the suite, each with its reason. Relations between them are asserted below, at
//! compile time; the numbers that stand in `template.yaml` too are compared by a test.

/// Bytes of one event as received. Four times the payload of the largest published event leaves
/// room; beyond it an item would not fit the store's 400 KB with its fan-out.
pub const EVENT_BYTES: usize = 256 * 1024;
/// Events in one array. With [`EVENT_BYTES`] it is the queue's size that binds first.
pub const EVENTS_PER_MESSAGE: usize = 100;
/// Bytes of a message that `EventsQueue` takes: 1 MiB less 4 KiB, so that a body refused as a
/// whole still fits `RejectedQueue` together with the attributes that say why.
pub const EVENTS_QUEUE_MESSAGE_BYTES: usize = SQS_MESSAGE_BYTES - 4 * 1024;
/// Bytes of `error_message` on a rejected message.
pub const ERROR_MESSAGE_BYTES: usize = 512;
/// Characters of a product's own event id.
pub const SOURCE_ID_CHARS: usize = 128;
/// Characters of an account number.
pub const ACCOUNT_ID_CHARS: usize = 64;
/// Characters of an event name.
pub const EVENT_NAME_CHARS: usize = 128;
/// Characters of a platform id.
pub const PLATFORM_ID_CHARS: usize = 64;
/// Characters of a timestamp: RFC 3339 with as many fraction digits as anyone sends.
pub const TIMESTAMP_CHARS: usize = 64;

/// Endpoints of one account: bounds the fan-out list stored on an event, and what one event costs.
pub const ENDPOINTS_PER_ACCOUNT: usize = 50;
/// Characters of an endpoint's URL.
pub const URL_CHARS: usize = 2_048;
/// Characters of a host name, and of one of its labels (RFC 1035, 2.3.4): more cannot be asked for.
pub const HOST_CHARS: usize = 253;
/// See [`HOST_CHARS`].
pub const HOST_LABEL_CHARS: usize = 63;
/// Bytes of all subscriptions of an endpoint together.
pub const EVENT_TYPES_BYTES: usize = 2 * 1024;
/// Custom headers of an endpoint.
pub const CUSTOM_HEADERS: usize = 10;
/// Bytes of one custom header, name and value.
pub const CUSTOM_HEADER_BYTES: usize = 1_024;
/// Characters of an endpoint's description.
pub const DESCRIPTION_CHARS: usize = 512;
/// Characters of the owner's address (RFC 5321, 4.5.3.1).
pub const ALERT_EMAIL_CHARS: usize = 254;
/// Characters of a delivery id: it is a sort key, an index key, and part of URLs.
pub const DELIVERY_ID_CHARS: usize = 120;

/// Bytes of an answer that are kept on record, as Rackwave documents ("first 1 KB").
pub const RESPONSE_BODY_BYTES: usize = 1_024;
/// Bytes of an answer that are read at all: one more than is kept tells "cut" from "complete".
pub const RESPONSE_BODY_READ_BYTES: usize = RESPONSE_BODY_BYTES + 1;
/// Bytes of the sentence that explains a failed attempt.
pub const ATTEMPT_ERROR_BYTES: usize = 512;
/// Names of a certificate that the sentence shows; shared hosts carry a hundred.
pub const CERTIFICATE_NAMES_SHOWN: usize = 3;
/// Bytes of an answer's status line and headers; servers themselves rarely take or send over 16 KB.
/// It is also the size of a connection's buffer, and there may be a hundred connections.
pub const RESPONSE_HEAD_BYTES: usize = 32 * 1024;
/// Headers of an answer: far more than any server has reason to send.
pub const RESPONSE_HEADERS: usize = 100;
/// Bytes of an answer's connection that are read at all, heads of interim answers and what the
/// framing of the body adds included.
pub const RESPONSE_BYTES: usize = 4 * RESPONSE_HEAD_BYTES;
/// The part of a request's time that finding its address may take. A resolver that never answers
/// is then told from an endpoint that never answers.
pub const RESOLVE_SHARE: u32 = 3;
/// Times a question is put to the resolvers, in turn, before its time is up: UDP gets lost.
pub const RESOLVE_TRIES: u32 = 4;
/// Resolvers that are asked in turn, as many as the C library takes from its configuration.
pub const RESOLVERS: usize = 3;
/// Bytes of an answer over UDP; without an extension there are never more (RFC 1035, 4.2.1).
pub const DNS_UDP_BYTES: usize = 512;
/// Addresses of one name that are dialled, in turn; each gets its part of the time left.
pub const DIALLED_ADDRESSES: usize = 4;
/// Attempts kept on a delivery. The schedule makes five; the rest is room for people who press
/// Retry Now. Past it the newest replaces the last, so that the item stays far below 400 KB.
pub const ATTEMPTS_KEPT: usize = 50;

/// Bytes of an SQS message, and of a batch.
pub const SQS_MESSAGE_BYTES: usize = 1024 * 1024;
/// Messages in one SQS batch request.
pub const SQS_BATCH: usize = 10;
/// Seconds SQS can delay a message.
pub const SQS_DELAY_MAX_S: u32 = 900;

/// Seconds a claim outlives the request it guards: time to commit.
pub const CLAIM_SLACK_S: u32 = 5;
/// Seconds after which a wake-up that ingest sends again arrives. A minute more than a request and
/// its claim's slack: a fresh wake-up taken up within that minute is done before the copy comes.
pub const COPY_DELAY_S: u32 = REQUEST_TIMEOUT_S + CLAIM_SLACK_S + 60;
/// Milliseconds by which a wake-up may be early and still count as due.
pub const EARLY_MS: i64 = 2_000;
/// Waits of at least this many seconds get jitter.
pub const JITTER_FROM_S: u32 = 60;
/// Jitter, in thousandths of the wait, always added.
pub const JITTER_PER_MILLE: i64 = 50;
/// Retry delays a stack may configure (the documented schedule has four).
pub const RETRY_DELAYS: usize = 8;
/// Longest request timeout in seconds (the documented one).
pub const REQUEST_TIMEOUT_S: u32 = 30;

/// The part of a request's time after which an endpoint that has not answered stands apart: three
/// seconds of the documented thirty. Nearly all answer within one; and a sender that waits is one
/// that others wait for.
pub const SILENT_SHARE: u32 = 10;

/// But not before so many seconds, however short a request's time is.
pub const SILENT_AFTER_LEAST_S: u64 = 1;

/// Longest time to give up a delivery after, in seconds: no longer than a queue keeps a wake-up.
pub const GIVE_UP_AFTER_MAX_S: u64 = 604_800;

/// Shards of the `due` index: the sweeper reads them all, so few; each takes 1,000 writes a
/// second, so not one.
pub const DUE_SHARDS: u8 = 8;
/// Entries read from one `due` shard in one query.
pub const DUE_PAGE: usize = 100;
/// Pages the sweeper reads of one shard in one run: some two thirds of its time when each entry has
/// run out and is marked; the rest is for jobs and the audit, which come after.
pub const DUE_PAGES_PER_RUN: usize = 150;
/// Seconds an overdue delivery is left alone, in case its wake-up is merely late.
pub const OVERDUE_GRACE_S: u32 = 120;
/// Seconds between the two readings that tell a queue that is behind from one that catches up.
pub const READINGS_APART_S: u32 = 30;
/// First wait of the sweeper before it wakes the same delivery again, in seconds.
pub const BACK_OFF_FIRST_S: u32 = 300;
/// Longest such wait, in seconds.
pub const BACK_OFF_MAX_S: u32 = 3_600;

/// Seconds for which a retry that somebody asked for stays open. Whatever kept it from being made
/// that long, the person has looked again by then.
pub const RETRY_OPEN_S: u64 = 3_600;
/// Deliveries on one page of a recovery or cancellation: ten SQS batches, and at one a second, the
/// slowest rate there is, their delays stay far below 900 s.
pub const JOB_PAGE: usize = 100;
/// Pages a job counts in one step.
pub const JOB_PAGES_COUNTED: usize = 10;
/// Deliveries a recovery re-sends in a second, unless asked for otherwise.
pub const JOB_RATE_DEFAULT: u32 = 50;
/// The most deliveries a recovery re-sends in a second: a page a second.
pub const JOB_RATE_MAX: u32 = 100;
/// Seconds before a job first looks at what has become of its deliveries.
pub const JOB_COUNT_FIRST_S: u64 = 2;
/// Seconds between two such looks, at most; they double until then.
pub const JOB_COUNT_MAX_S: u64 = 60;
/// Seconds after which a job whose step has not come is woken again: later than SQS redelivers one.
pub const JOB_STALLED_S: u64 = 600;
/// Seconds for which a job is kept to be looked at: as long as deliveries are, by default.
pub const JOB_KEPT_S: u64 = 30 * 86_400;
/// Deliveries looked at to say how many a job is about before it begins.
pub const JOB_COUNTED: usize = 2_000;
/// Deliveries looked at for a dry run: a person waits for it, and asked for nothing else.
pub const JOB_DRY_RUN_COUNTED: usize = 10_000;
/// Seconds after which counting stops at what it has, however slow the tables are: well within the
/// API function's timeout, and about as long as a person waits.
pub const JOB_COUNTED_S: u64 = 20;
/// Stalled jobs the sweeper wakes in one run.
pub const JOBS_PER_RUN: usize = 100;
/// Seconds for which a dead letter that was received is hidden: longer than a batch takes, and over
/// before the next sweep.
pub const DEAD_LETTER_HIDDEN_S: u32 = 120;
/// Batches that one sweep receives from one dead-letter queue: a thousand messages, in a few
/// seconds; the next sweep goes on.
pub const DEAD_LETTER_BATCHES: usize = 100;
/// Seconds that an event lies in its dead-letter queue before it is tried again: people get a day
/// to look at it, and whatever stopped it a day to pass.
pub const EVENT_SET_ASIDE_S: u64 = 86_400;

/// Seconds after which the weekly audit looks at a record: a queue and its dead-letter queue keep a
/// message for at most 14 days, and a day more is for clocks and late runs.
pub const AUDIT_AGE_S: u64 = 15 * 86_400;
/// Seconds between two audits that nobody asked for.
pub const AUDIT_EVERY_S: u64 = 7 * 86_400;
/// Seconds before its end for which a record is not audited: an event and its deliveries expire
/// together, but are not deleted together.
pub const AUDIT_EXPIRY_MARGIN_S: u64 = 3_600;
/// Events on one page of an audit: all deliveries of all of them, were they missing, must fit the
/// audit's record.
pub const AUDIT_EVENTS_PAGE: usize = 25;
/// Deliveries on one page of an audit.
pub const AUDIT_DELIVERIES_PAGE: usize = 500;
/// Pages of an audit without a finding between two writes of its progress.
pub const AUDIT_PAGES_UNSAVED: usize = 20;
/// Findings that an audit's record names; all of them are in the log.
pub const AUDIT_FINDINGS_KEPT: usize = 100;
/// Deliveries of a page of events that are looked for at once.
pub const AUDIT_READS_AT_ONCE: usize = 32;
/// Seconds that an audit takes of one run of the sweeper: long enough to come to an end within hours,
/// short enough that whatever falls due meanwhile waits no longer than its grace.
pub const AUDIT_RUN_S: u64 = 60;
/// Seconds for which the record of an audit stays.
pub const AUDIT_KEPT_S: u64 = 90 * 86_400;

/// Times a use case re-reads and decides again after losing a condition. Each loss means that
/// somebody else made progress, so more than a few in a row is not a race but a fault.
pub const DECISIONS: usize = 5;

/// Longest time of failing to disable an endpoint after, in seconds: 30 days.
pub const DISABLE_AFTER_MAX_S: u32 = 2_592_000;
/// Longest step in which an endpoint's health is recorded, in seconds: a failing endpoint, however
/// busy, costs a write or two a minute.
pub const HEALTH_STEP_MAX_S: u64 = 60;
/// A step is at most this part of the time to disable.
pub const HEALTH_STEP_SHARE: u32 = 100;
/// Steps of failing beyond the time to disable: more than a request and its record can take, so that
/// a success that ran beside the first failure is never within the time.
pub const HEALTH_MARGIN_STEPS: u32 = 3;
/// Steps after the last failure from which on a success ends the record.
pub const HEALTH_CLEARED_AFTER_STEPS: u32 = 10;
/// An endpoint is warned of, or disabled, only if it failed in this part of the time to disable.
pub const HEALTH_RECENT_SHARE: u32 = 7;
/// Notices pending on an endpoint, above which switching it on and off is no longer announced: a
/// bus that is down for hours must not fill the item.
pub const NOTICES_PENDING: usize = 100;
/// Deliveries looked at for the figures in a mail.
pub const MAIL_EXAMINED: usize = 300;
/// Characters of an endpoint's answer that a mail shows.
pub const MAIL_EXAMPLE_CHARS: usize = 200;
/// Seconds after which a mail that could not be sent is given up: by then it is no news.
pub const MAIL_GIVEN_UP_S: u64 = 7 * 86_400;
/// Seconds for which whoever tells an endpoint's notices keeps others from telling them too: longer
/// than reading, composing and handing over a few mails takes with all tries.
pub const TELLING_S: u64 = 120;
/// Endpoints in trouble read in one query.
pub const TROUBLE_PAGE: usize = 100;

/// Partitions of the index of endpoints in trouble: when the network is at fault, all endpoints
/// enter it within a minute.
pub const TROUBLE_SHARDS: u8 = 4;

/// Deliveries a second that one partition of the store takes: two writes each, of 1,000.
pub const SHARD_PER_SECOND: u32 = 500;
/// One in so many deliveries is counted to learn an endpoint's rate: 146 of five minutes at the
/// rate of one partition, which tells it to within a tenth, for a write in 1,024 deliveries.
pub const SHARD_SAMPLE: u16 = 1_024;
/// Seconds over which they are counted: as long as the store takes more than its rate.
pub const SHARD_WINDOW_S: u32 = 300;
/// Partitions an endpoint's deliveries are spread over, at most: 16,000 a second. Each page of its
/// log reads them all.
pub const SHARDS_MAX: u16 = 32;

/// Scheduled attempts of a delivery: the documented five. The template takes exactly four delays.
pub const SCHEDULED_ATTEMPTS: u8 = 5;
/// Bytes of a request to the API. The largest, an endpoint with all its headers and subscriptions,
/// stays below a third of it.
pub const API_BODY_BYTES: usize = 64 * 1024;
/// Calls a key may make in a minute: ten a second is a busy dashboard, not a loop gone wrong.
pub const API_CALLS_PER_MINUTE: u32 = 600;
/// Things on a page of a list, unless asked for otherwise.
pub const PAGE_DEFAULT: usize = 50;
/// Things on a page of a list, at most.
pub const PAGE_MAX: usize = 100;
/// Deliveries looked at for one page of a filtered log: a page may come out short, and says where
/// to go on, rather than read without end.
pub const LOG_EXAMINED: usize = 1_000;
/// Deliveries counted when an endpoint is enabled again, of those accepted since it was disabled
/// and of those before: as many as for a dry run. The answer says if there may be more.
pub const MISSED_EXAMINED: usize = JOB_DRY_RUN_COUNTED;
/// Endpoints that a list over all accounts can sort; above it an account must be named.
pub const ENDPOINTS_LISTED: usize = 20_000;
/// Characters of a cursor; ours are below 300.
pub const CURSOR_CHARS: usize = 1_024;
/// Characters of `X-Idempotency-Key`.
pub const IDEMPOTENCY_KEY_CHARS: usize = 128;
/// Seconds for which an idempotency key is remembered.
pub const IDEMPOTENCY_KEPT_S: u64 = 86_400;
/// Seconds between two notes that a key was used: a write an hour, not one a call.
pub const KEY_USE_NOTED_EVERY_S: u64 = 3_600;
/// Seconds the API waits for the sender to make a test: a cold start, a request, and reading the
/// endpoint before it.
pub const TEST_INVOCATION_S: u32 = REQUEST_TIMEOUT_S + 15;
/// Test events of one endpoint in a minute.
pub const TESTS_PER_MINUTE: u32 = 5;
/// Test events of one account in a minute: registering endpoints anew must not make a scanner of
/// the tests.
pub const TESTS_PER_ACCOUNT: u32 = 30;
/// Shortest life of a portal link, in seconds: time to follow it.
pub const PORTAL_LINK_MIN_S: u64 = 60;
/// Longest life of a portal link, in seconds: a working day and more. It travels through browsers;
/// whoever embeds the page makes a new one each time.
pub const PORTAL_LINK_MAX_S: u64 = 86_400;
/// Longest overlap of two secrets, in seconds: a week.
pub const SECRET_OVERLAP_MAX_S: u32 = 604_800;

const _: () = assert!(EVENT_BYTES < EVENTS_QUEUE_MESSAGE_BYTES);
const _: () = assert!(
    3 * (URL_CHARS
        + EVENT_TYPES_BYTES
        + CUSTOM_HEADERS * CUSTOM_HEADER_BYTES
        + DESCRIPTION_CHARS
        + ALERT_EMAIL_CHARS)
        < API_BODY_BYTES
);
const _: () = assert!(PAGE_DEFAULT <= PAGE_MAX && PAGE_MAX <= LOG_EXAMINED);
const _: () = assert!(EVENTS_QUEUE_MESSAGE_BYTES + ERROR_MESSAGE_BYTES + 1_024 < SQS_MESSAGE_BYTES);
const _: () = assert!(RESPONSE_BODY_BYTES < RESPONSE_BODY_READ_BYTES);
// An attempt's answer, decoded lossily, can triple; all attempts must fit a 400 KB item.
const _: () =
    assert!(ATTEMPTS_KEPT * (3 * RESPONSE_BODY_BYTES + ATTEMPT_ERROR_BYTES + 512) < 400_000);
// An event's data, its envelope and its fan-out fit one item.
const _: () =
    assert!(EVENT_BYTES + ENDPOINTS_PER_ACCOUNT * (DELIVERY_ID_CHARS + 64) + 4_096 < 400_000);
// All that a page of an audit can find fits its record; a finding names two ids.
const _: () = assert!(
    (AUDIT_EVENTS_PAGE * ENDPOINTS_PER_ACCOUNT + AUDIT_FINDINGS_KEPT) * (DELIVERY_ID_CHARS + 64)
        < 300_000
);
const _: () = assert!(AUDIT_DELIVERIES_PAGE <= AUDIT_EVENTS_PAGE * ENDPOINTS_PER_ACCOUNT);
const _: () = assert!(AUDIT_RUN_S <= OVERDUE_GRACE_S as u64);
const _: () = assert!(COPY_DELAY_S <= SQS_DELAY_MAX_S);
const _: () = assert!(JOB_PAGE < 900 && SQS_DELAY_MAX_S == 900 && JOB_PAGE <= LOG_EXAMINED);
const _: () = assert!(JOB_RATE_DEFAULT <= JOB_RATE_MAX && JOB_COUNT_FIRST_S <= JOB_COUNT_MAX_S);
const _: () = assert!(BACK_OFF_FIRST_S <= BACK_OFF_MAX_S);
