//! The table of hostile URLs, and random spellings of what must not be called.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::TargetRules::{InsecureForLocal, PublicHttps};
use super::*;

fn verdict(egress: Egress, url: &str, answers: Option<&[IpAddr]>) -> Result<(), Refusal> {
    let url = egress.check_url(url)?;
    answers.map_or(Ok(()), |answers| egress.check_answers(&url, answers))
}

fn unescaped(text: &str) -> String {
    let mut characters = text.chars();
    let mut plain = String::new();
    while let Some(c) = characters.next() {
        plain.push(match (c, (c == '\\').then(|| characters.next()).flatten()) {
            (_, Some('t')) => '\t',
            (_, Some('r')) => '\r',
            (_, Some('n')) => '\n',
            (_, Some('0')) => '\0',
            (_, Some(other)) => other,
            (c, None) => c,
        });
    }
    plain
}

#[test]
fn the_table() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for line in include_str!("hostile.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [expected, answers, url] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else {
            panic!("three columns: {line:?}");
        };
        let answers: Option<Vec<IpAddr>> = match answers {
            "static" => None,
            "nothing" => Some(Vec::new()),
            list => Some(list.split(',').map(|ip| ip.parse().expect("an address")).collect()),
        };
        let found = verdict(Egress::new(PublicHttps), &unescaped(url), answers.as_deref());
        let found = found.map_or_else(Refusal::code, |()| "allowed");
        if found != expected {
            wrong.push(format!("{found} instead of {line}"));
        }
        judged += 1;
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged >= 300, "{judged}");
}

#[test]
fn a_local_stack_may_call_loopback_and_nothing_else_of_the_inside() {
    let check = |url: &str, answers: Option<&[&str]>, expected: Result<(), Refusal>| {
        let egress = Egress::beside_runtime(InsecureForLocal, Some("127.0.0.1:34567"));
        let answers: Option<Vec<IpAddr>> =
            answers.map(|all| all.iter().map(|ip| ip.parse().expect("an address")).collect());
        assert_eq!(verdict(egress, url, answers.as_deref()), expected, "{url}");
    };
    for url in [
        "http://127.0.0.1:8000/",
        "https://127.0.0.1:8443/",
        "http://[::1]:8000/",
        "http://localhost:8000/",
        "http://demo.localhost:8000/",
        "http://no-such-host.invalid/",
        "http://hooks.test/",
        "https://hooks.example.com/",
        "http://hooks.example.com/",
    ] {
        check(url, None, Ok(()));
    }
    check("http://localhost:8000/", Some(&["127.0.0.1", "::1"]), Ok(()));
    use AddressKind::{Embedded, LinkLocal, Private, ThisNetwork};
    for (url, refusal) in [
        ("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", Refusal::RuntimeApi),
        ("http://127.0.0.1:34567/", Refusal::RuntimeApi),
        ("http://127.1.2.3:34567/", Refusal::RuntimeApi),
        ("http://0x7f.1:9001/", Refusal::RuntimeApi),
        ("http://[::1]:9001/", Refusal::RuntimeApi),
        ("http://0.0.0.0:9001/", Refusal::Address(ThisNetwork)),
        ("http://[::ffff:127.0.0.1]:8000/", Refusal::Address(Embedded)),
        ("http://169.254.100.1:9001/", Refusal::Address(LinkLocal)),
        ("http://169.254.169.254/", Refusal::Address(LinkLocal)),
        ("http://0xa9fea9fe/", Refusal::Address(LinkLocal)),
        ("http://169.254.79.129/", Refusal::Address(LinkLocal)),
        ("http://[fd00:ec2::254]/", Refusal::Address(Private)),
        ("http://10.0.0.1/", Refusal::Address(Private)),
        ("http://metadata.google.internal/", Refusal::LocalName),
        ("http://metadata.goog/", Refusal::LocalName),
        ("http://printer.local/", Refusal::LocalName),
        ("http://intranet/", Refusal::SingleLabel),
        ("ftp://127.0.0.1/", Refusal::NotHttps),
        ("http://a:b@127.0.0.1/", Refusal::UserInfo),
    ] {
        check(url, None, Err(refusal));
    }
    let hooks = "http://hooks.example.com:9001/";
    check(hooks, Some(&["127.0.0.1"]), Err(Refusal::RuntimeApi));
    check("http://localhost:34567/", Some(&["127.0.0.1"]), Err(Refusal::RuntimeApi));
    check(hooks, Some(&["93.184.215.14"]), Ok(()));
    check(hooks, Some(&["169.254.169.254"]), Err(Refusal::Address(LinkLocal)));
    check("http://localhost/", Some(&["127.0.0.1", "10.0.0.1"]), Err(Refusal::Address(Private)));
}

#[test]
fn where_the_runtime_is_unless_it_says_so() {
    for (told, port) in [
        (None, 9_001),
        (Some("127.0.0.1:9001"), 9_001),
        (Some("127.0.0.1:5"), 5),
        (Some("[::1]:5"), 5),
        (Some("garbage"), 9_001),
        (Some("127.0.0.1:x"), 9_001),
    ] {
        assert_eq!(Egress::beside_runtime(PublicHttps, told).runtime_port, port, "{told:?}");
    }
}

/// A network that is refused, and an address in it.
fn forbidden_v4() -> impl Strategy<Value = Ipv4Addr> {
    let networks = prop::sample::select(vec![
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        ([224, 0, 0, 0], 4),
        ([240, 0, 0, 0], 4),
        ([168, 63, 129, 16], 32),
    ]);
    (networks, any::<u32>()).prop_map(|((network, length), host)| {
        let mask = u32::MAX.checked_shr(length).unwrap_or(0);
        Ipv4Addr::from_bits(u32::from_be_bytes(network) | (host & mask))
    })
}

/// One number in one of the spellings that programs take.
fn number(value: u64, base: u8, zeros: usize, upper: bool) -> String {
    let zeros = "0".repeat(zeros);
    match (base % 3, upper) {
        (0, _) => value.to_string(),
        (1, _) => format!("0{zeros}{value:o}"),
        (_, false) => format!("0x{zeros}{value:x}"),
        (_, true) => format!("0X{zeros}{value:X}"),
    }
}

/// Digits and dots as other alphabets have them, or percent-encoded.
fn disguised(plain: &str, styles: &[u8]) -> String {
    let mut disguised = String::new();
    for (c, style) in plain.chars().zip(styles.iter().cycle()) {
        let wide = || char::from_u32(u32::from(c) - 0x21 + 0xff01).unwrap_or(c);
        match (style % 5, c) {
            (0, _) if c.is_ascii_graphic() => disguised.push(wide()),
            (1, _) => disguised += &format!("%{:02X}", u32::from(c)),
            (2, '.') => disguised.push('。'),
            (3, '.') => disguised.push('｡'),
            (_, _) => disguised.push(c),
        }
    }
    disguised
}

/// Any spelling of an IPv4 address: 1 to 4 parts, each in its own base, perhaps disguised.
fn spelled(address: Ipv4Addr) -> impl Strategy<Value = String> {
    let part = (any::<u8>(), 0_usize..4, any::<bool>());
    (prop::collection::vec(part, 4), 1_usize..=4, prop::collection::vec(any::<u8>(), 1..20))
        .prop_flat_map(move |(forms, parts, styles)| {
            let bits = u64::from(address.to_bits());
            let value = |nth: usize| match nth + 1 == parts {
                true => bits & (0xffff_ffff >> (8 * nth)),
                false => (bits >> (24 - 8 * nth)) & 0xff,
            };
            let spell = |nth: usize| {
                let (base, zeros, upper) = forms[nth];
                number(value(nth), base, zeros, upper)
            };
            let plain = (0..parts).map(spell).collect::<Vec<_>>().join(".");
            let hidden = disguised(&plain, &styles);
            prop::sample::select(vec![plain.clone(), format!("{plain}."), hidden])
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn no_spelling_of_a_forbidden_address_passes(
        (address, host) in forbidden_v4().prop_flat_map(|ip| (Just(ip), spelled(ip))),
        port in prop::option::of(1_u16..),
    ) {
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let url = format!("https://{host}{port}/");
        let found = check_url(&url, PublicHttps);
        let kind = not_public(address.into()).expect("forbidden");
        prop_assert_eq!(found, Err(Refusal::Address(kind)), "{}", url);
        // A local stack may call loopback, and still nothing of the other networks.
        if kind != AddressKind::Loopback {
            prop_assert!(check_url(&url, InsecureForLocal).is_err());
        }
    }

    #[test]
    fn every_spelling_means_the_same_address(
        (address, host) in any::<u32>().prop_map(Ipv4Addr::from_bits)
            .prop_flat_map(|ip| (Just(ip), spelled(ip))),
    ) {
        let found = check_url(&format!("https://{host}/"), PublicHttps);
        match not_public(address.into()) {
            Some(kind) => prop_assert_eq!(found, Err(Refusal::Address(kind))),
            None => prop_assert_eq!(found.map(String::from), Ok(format!("https://{address}/"))),
        }
    }

    #[test]
    fn no_way_of_putting_a_forbidden_ipv4_into_ipv6_passes(
        address in forbidden_v4(), way in 0_usize..7, public in any::<u32>(),
    ) {
        let v4 = u128::from(address.to_bits());
        let network = |text: &str| text.parse::<Ipv6Addr>().expect("an address").to_bits();
        let bits = match way {
            0 => network("::ffff:0:0") | v4,
            1 => v4,
            2 => network("64:ff9b::") | v4,
            3 => network("64:ff9b:1::") | v4,
            4 => network("2002::") | (v4 << 80),
            5 => network("2001::") | u128::from(public) << 64 | (!v4 & 0xffff_ffff),
            _ => network("::ffff:0:0:0") | v4,
        };
        let address = Ipv6Addr::from_bits(bits);
        prop_assert!(not_public(address.into()).is_some(), "{}", address);
        let url = format!("https://[{address}]/");
        prop_assert!(check_url(&url, PublicHttps).is_err());
    }

    #[test]
    fn one_refused_answer_refuses_all(
        public in prop::collection::vec(any::<u32>(), 0..6), forbidden in forbidden_v4(),
        place in any::<prop::sample::Index>(),
    ) {
        let mut answers: Vec<IpAddr> = public.into_iter().map(|bits| Ipv4Addr::from_bits(bits).into())
            .filter(|ip| not_public(*ip).is_none()).collect();
        let egress = Egress::new(PublicHttps);
        let url = egress.check_url("https://hooks.example.com/").expect("allowed");
        prop_assert_eq!(egress.check_answers(&url, &answers).is_ok(), !answers.is_empty());
        answers.insert(place.index(answers.len() + 1), forbidden.into());
        prop_assert!(egress.check_answers(&url, &answers).is_err());
    }

    #[test]
    fn what_passes_is_https_to_a_public_host_whatever_the_text(text in "https:[/\\\\@:.0-9a-fxX\\[\\]%。localhst-]{0,40}") {
        if let Ok(url) = check_url(&text, PublicHttps) {
            prop_assert_eq!(url.scheme(), "https");
            prop_assert!(url.username().is_empty() && url.password().is_none());
            match url.host().expect("a host") {
                Host::Domain(name) => prop_assert!(name.contains('.') && !name.ends_with("localhost")),
                Host::Ipv4(ip) => prop_assert_eq!(not_public(ip.into()), None),
                Host::Ipv6(ip) => prop_assert_eq!(not_public(ip.into()), None),
            }
            prop_assert_eq!(check_url(url.as_str(), PublicHttps), Ok(url), "saved as it is judged");
        }
    }
}
