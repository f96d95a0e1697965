use super::*;

const GOOD: &str = r#"{"id":"evt_123","account_id":"acct_42","event":"email.delivered","product":"migosmtp","platform_id":"1","timestamp":"2026-06-07T09:39:00Z","data":{"message_id":"msg_8f3a2b1c9d4e7f0a"}}"#;

fn only(body: &str) -> Result<Envelope, Rejection> {
    let mut elements = parse_body(body);
    assert_eq!(elements.len(), 1, "{body}");
    elements.remove(0).verdict
}

/// `GOOD` with one field's text replaced.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

#[track_caller]
fn check_refused(body: &str, code: &str, field: Option<&str>) {
    let rejection = only(body).expect_err(body);
    assert_eq!(rejection.code.as_str(), code, "{body}: {}", rejection.message);
    assert_eq!(rejection.field.as_deref(), field, "{body}");
    assert!(rejection.message.len() <= ERROR_MESSAGE_BYTES);
    if let Some(field) = field {
        assert!(rejection.message.contains(field), "{}", rejection.message);
    }
}

#[test]
fn the_documented_event_is_taken() {
    let envelope = only(GOOD).expect("good");
    assert_eq!(envelope.source_id.as_deref(), Some("evt_123"));
    assert_eq!(envelope.account_id.as_str(), "acct_42");
    assert_eq!(envelope.product, Product::Migosmtp);
    assert_eq!(envelope.data, r#"{"message_id":"msg_8f3a2b1c9d4e7f0a"}"#);
}

#[test]
fn data_is_kept_byte_for_byte() {
    let data =
        "{ \"b\":1.0, \"a\" : [1e3,-0, 1E+2],\n\"u\":\"\\u00e9é\\/\\ud83d\\ude00\",\"b\":null }";
    let envelope = only(&with(r#"{"message_id":"msg_8f3a2b1c9d4e7f0a"}"#, data)).expect("good");
    assert_eq!(envelope.data, data);
}

#[test]
fn bodies_refused_as_a_whole_have_no_index() {
    for (body, code) in [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("[1,2", "invalid_json"),
        ("\u{feff}{}", "invalid_json"),
        ("{} {}", "invalid_json"),
        ("{\"data\":{\"a\":\"\u{1}\"}}", "invalid_json"),
        ("[]", "invalid_envelope"),
        ("null", "invalid_envelope"),
        ("\"text\"", "invalid_envelope"),
        ("17", "invalid_envelope"),
    ] {
        let elements = parse_body(body);
        assert_eq!(elements[0].index, None, "{body}");
        assert_eq!(elements[0].original, body);
        check_refused(body, code, None);
    }
    let many = format!("[{}]", vec![GOOD; 101].join(","));
    assert_eq!(parse_body(&many)[0].index, None);
    check_refused(&many, "batch_too_large", None);
    assert_eq!(parse_body(&format!("[{}]", vec![GOOD; 100].join(","))).len(), 100);
}

#[test]
fn one_bad_element_leaves_the_others_alone() {
    let bad = with("migosmtp", "smtp");
    let body = format!(" [ {GOOD} , 17, {bad} ] ");
    let elements = parse_body(&body);
    assert_eq!(elements.iter().map(|e| e.index).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
    assert!(elements[0].verdict.is_ok());
    assert_eq!(elements[1].original, "17");
    assert_eq!(elements[2].original, bad, "the original bytes, and nothing around them");
}

#[test]
fn each_rule_has_its_code_and_names_the_field() {
    let cases: &[(&str, &str, &str, &str)] = &[
        (r#""id":"evt_123""#, r#""id":null"#, "invalid_field", "id"),
        (r#""id":"evt_123""#, r#""id":"""#, "invalid_field", "id"),
        (r#""id":"evt_123""#, r#""id":7"#, "invalid_field", "id"),
        (r#""id":"evt_123""#, r#""id":"é""#, "invalid_field", "id"),
        (r#""id":"evt_123""#, r#""id":"a\nb""#, "invalid_field", "id"),
        (r#""id":"evt_123""#, r#""Id":"evt_123""#, "unknown_field", "Id"),
        (r#""account_id":"acct_42""#, r#""account_id":"acct 42""#, "invalid_field", "account_id"),
        (r#""account_id":"acct_42""#, r#""account_id":42"#, "invalid_field", "account_id"),
        (r#""account_id":"acct_42","#, "", "missing_field", "account_id"),
        (r#""event":"email.delivered","#, "", "missing_field", "event"),
        ("email.delivered", "Email.delivered", "invalid_field", "event"),
        ("email.delivered", "email..delivered", "invalid_field", "event"),
        ("email.delivered", ".email", "invalid_field", "event"),
        ("email.delivered", "", "invalid_field", "event"),
        ("migosmtp", "MigoSMTP", "invalid_field", "product"),
        (r#""platform_id":"1""#, r#""platform_id":1"#, "invalid_field", "platform_id"),
        (r#""platform_id":"1""#, r#""platform_id":"\ud800""#, "invalid_field", "platform_id"),
        ("2026-06-07T09:39:00Z", "2026-06-07T09:39:00+02:00", "invalid_field", "timestamp"),
        ("2026-06-07T09:39:00Z", "2026-06-07 09:39:00Z", "invalid_field", "timestamp"),
        ("2026-06-07T09:39:00Z", "2026-06-07T09:39:00", "invalid_field", "timestamp"),
        ("2026-06-07T09:39:00Z", "2026-13-07T09:39:00Z", "invalid_field", "timestamp"),
        (r#"{"message_id":"msg_8f3a2b1c9d4e7f0a"}"#, "[]", "invalid_field", "data"),
        (r#"{"message_id":"msg_8f3a2b1c9d4e7f0a"}"#, "null", "invalid_field", "data"),
        (r#","data":{"message_id":"msg_8f3a2b1c9d4e7f0a"}"#, "", "missing_field", "data"),
        (r#""product":"#, r#""prio":1,"product":"#, "unknown_field", "prio"),
        (r#""product":"#, r#""event":"b","product":"#, "invalid_envelope", "event"),
    ];
    for (from, to, code, field) in cases {
        check_refused(&with(from, to), code, Some(field));
    }
    for (from, to) in [
        ("2026-06-07T09:39:00Z", "2026-06-07T09:39:00.123456789+00:00"),
        (r#""id":"evt_123","#, ""),
        ("email.delivered", "service_activated"),
        ("acct_42", "A-Za-z0-9_-"),
    ] {
        only(&with(from, to)).expect(to);
    }
}

#[test]
fn limits_hold_at_their_edges() {
    let pad = |bytes: usize| {
        let empty = with("msg_8f3a2b1c9d4e7f0a", "");
        with("msg_8f3a2b1c9d4e7f0a", &"x".repeat(bytes - empty.len()))
    };
    assert!(only(&pad(EVENT_BYTES)).is_ok());
    check_refused(&pad(EVENT_BYTES + 1), "too_large", None);
    assert!(only(&with("evt_123", &"i".repeat(128))).is_ok());
    check_refused(&with("evt_123", &"i".repeat(129)), "invalid_field", Some("id"));
    assert!(only(&with("email.delivered", &"e".repeat(128))).is_ok());
    check_refused(&with("email.delivered", &"e".repeat(129)), "invalid_field", Some("event"));
}

#[test]
fn a_hostile_field_name_stays_short_and_printable() {
    let name = format!("\\u0007{}", "é".repeat(4_000));
    let rejection = only(&with("\"id\"", &format!("\"{name}\""))).expect_err("unknown");
    assert_eq!(rejection.code, RejectionCode::UnknownField);
    assert!(rejection.message.len() <= ERROR_MESSAGE_BYTES);
    assert!(!rejection.message.contains('\u{7}'));
}

#[test]
fn deep_nesting_does_not_overflow() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let envelope = only(&with(r#"{"message_id":"msg_8f3a2b1c9d4e7f0a"}"#, &deep)).expect("taken");
    assert_eq!(envelope.data, deep);
}

/// Computed apart from this code: `python3 -c` with hashlib over the fields of design 4.1.
#[test]
fn the_event_id_is_the_documented_hash() {
    let with_id = only(GOOD).expect("good");
    assert_eq!(derive_event_id(&with_id).as_str(), "evt_c725f4af0330d9f20f886e48d4d2cb4c");
    let without = only(&with(r#""id":"evt_123","#, "")).expect("good");
    assert_eq!(derive_event_id(&without).as_str(), "evt_c505651fe81e1d039b00d3a4a8b6b25e");
}

#[test]
fn what_makes_two_events_one() {
    let id = |body: &str| derive_event_id(&only(body).expect("good"));
    let hash = |body: &str| content_hash(&only(body).expect("good"));
    assert_eq!(id(GOOD), id(&with("email.delivered", "email.sent")), "the id alone decides");
    assert_ne!(hash(GOOD), hash(&with("email.delivered", "email.sent")));
    assert_ne!(id(GOOD), id(&with("acct_42", "acct_43")));
    assert_ne!(id(GOOD), id(&with("migosmtp", "telnxo")));
    let without = with(r#""id":"evt_123","#, "");
    assert_ne!(id(&without), id(&without.replace("09:39:00Z", "09:39:01Z")));
    assert_eq!(hash(GOOD), hash(&without), "the id is no part of the content");
}
