use super::letter::{escape, inert};
use super::*;
use crate::endpoint::notice::Channel;
use crate::endpoint::tests::endpoint;

const DAY: Duration = Duration::from_secs(86_400);

fn words() -> Words {
    Words {
        page_url: "https://hooks.example.com/".into(),
        retention: DAY * 30,
        health: HealthRules {
            alert_after: Some(Duration::from_secs(3_600)),
            warn_after: DAY * 3,
            disable_after: DAY * 7,
        },
    }
}

fn mail(what: Happening) -> Option<Mail> {
    let since = Timestamp::parse("2026-06-07T09:39:00Z").expect("valid");
    let mut endpoint = endpoint("ep_1", &["*"]);
    endpoint.description = Some("<b>Shop</b>".into());
    let notice =
        EndpointNotice { at: since + DAY * 7, channel: Channel::Mail, what, since: Some(since) };
    compose(&endpoint, &notice, &Failures::default(), &words())
}

/// Each fact, in text and in HTML; the journey does the same with what was sent.
#[test]
fn every_mail_holds_every_fact() {
    use Happening::{Disabled, Failing, Recovered, Warned};
    for what in [Failing, Warned, Disabled, Recovered] {
        let mail = mail(what).expect("mailed");
        assert_eq!(mail.to, "owner@example.com");
        assert!(mail.subject.contains("hooks.example.com"), "{}", mail.subject);
        for body in [&mail.text, &mail.html] {
            for fact in [
                "https://hooks.example.com/in",
                "ep_1",
                "acct_42",
                "2026-06-07 09:39 UTC",
                "Failed attempts",
                "Most frequent failure",
                "What to do",
                "The way back",
                "can be re-sent until 2026-07-07 09:39 UTC",
                "https://hooks.example.com/#/endpoints/ep_1",
                "/v1/endpoints/ep_1/recover",
            ] {
                assert!(body.contains(fact), "{what:?}: {fact} in {body}");
            }
        }
        assert!(!mail.html.contains("<b>"), "what people wrote is escaped");
        assert!(mail.html.contains("&lt;b&gt;Shop"));
    }
    assert!(mail(Happening::Enabled).is_none() && mail(Happening::DisabledByHand).is_none());
    let due = "2026-06-14 09:42 UTC";
    assert!(mail(Failing).is_some_and(|mail| mail.text.contains(due)));
    assert!(mail(Disabled).is_some_and(|mail| mail.text.contains("/v1/endpoints/ep_1/enable")));
}

#[test]
fn a_strangers_text_is_inert() {
    let hostile =
        "<a href='https://evil.example/x'>www.evil.example</a> me@evil.example\u{202e}\u{7}";
    let shown = escape(&inert(hostile));
    for gone in ["<", "'", "://", "www.evil", "@evil", "evil.example", "\u{202e}", "\u{7}"] {
        assert!(!shown.contains(gone), "{gone:?} in {shown}");
    }
    assert_eq!(shown.replace('\u{200b}', "").matches("www.evil.example").count(), 1, "readable");
}
