//! Which addresses are public. The table is an allow-list where that is possible (IPv6) and
//! complete after IANA's special-purpose registries where it is not (IPv4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a refused address is instead of public.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressKind {
    /// The machine itself.
    Loopback,
    /// "This network": systems take it for the machine itself.
    ThisNetwork,
    /// A private network.
    Private,
    /// The address space that providers share among customers.
    Shared,
    /// The local link: metadata services, and Lambda's own.
    LinkLocal,
    /// A cloud platform's inside under an address that looks public.
    Platform,
    /// Set aside for a protocol, Teredo and the IPv4 relays among them.
    Protocol,
    /// For documentation.
    Documentation,
    /// For measuring networks.
    Benchmark,
    /// Many receivers at once.
    Multicast,
    /// An IPv4 address in the clothes of IPv6.
    Embedded,
    /// Given to nobody.
    Reserved,
}

impl AddressKind {
    /// Every kind.
    pub const ALL: [AddressKind; 12] = [
        AddressKind::Loopback,
        AddressKind::ThisNetwork,
        AddressKind::Private,
        AddressKind::Shared,
        AddressKind::LinkLocal,
        AddressKind::Platform,
        AddressKind::Protocol,
        AddressKind::Documentation,
        AddressKind::Benchmark,
        AddressKind::Multicast,
        AddressKind::Embedded,
        AddressKind::Reserved,
    ];

    /// As programs see it.
    pub fn code(self) -> &'static str {
        match self {
            AddressKind::Loopback => "loopback_address",
            AddressKind::ThisNetwork => "this_network_address",
            AddressKind::Private => "private_address",
            AddressKind::Shared => "shared_address",
            AddressKind::LinkLocal => "link_local_address",
            AddressKind::Platform => "platform_address",
            AddressKind::Protocol => "protocol_address",
            AddressKind::Documentation => "documentation_address",
            AddressKind::Benchmark => "benchmark_address",
            AddressKind::Multicast => "multicast_address",
            AddressKind::Embedded => "embedded_ipv4_address",
            AddressKind::Reserved => "reserved_address",
        }
    }

    /// As people see it, with its article.
    pub fn words(self) -> &'static str {
        match self {
            AddressKind::Loopback => "a loopback address",
            AddressKind::ThisNetwork => "an address of \"this network\"",
            AddressKind::Private => "a private address",
            AddressKind::Shared => "an address that providers share among customers",
            AddressKind::LinkLocal => "a link-local address",
            AddressKind::Platform => "an address of a cloud platform's inside",
            AddressKind::Protocol => "an address set aside for a protocol",
            AddressKind::Documentation => "an address for documentation",
            AddressKind::Benchmark => "an address for measuring networks",
            AddressKind::Multicast => "a multicast address",
            AddressKind::Embedded => "an IPv4 address inside an IPv6 one",
            AddressKind::Reserved => "a reserved address",
        }
    }
}

/// What an address is instead of public; `None` if it is public.
pub fn not_public(address: IpAddr) -> Option<AddressKind> {
    match address {
        IpAddr::V4(address) => {
            let bits = u128::from(address.to_bits()) << 96;
            first_match(bits, V4.iter().map(|(net, len, kind)| (v4_bits(*net), *len, *kind)))
        }
        IpAddr::V6(address) => {
            let bits = address.to_bits();
            let listed = V6.iter().map(|(net, len, kind)| (net.to_bits(), *len, *kind));
            let public = in_network(bits, GLOBAL_UNICAST.0.to_bits(), GLOBAL_UNICAST.1);
            first_match(bits, listed).or((!public).then_some(AddressKind::Reserved))
        }
    }
}

fn first_match(
    bits: u128,
    mut networks: impl Iterator<Item = (u128, u32, AddressKind)>,
) -> Option<AddressKind> {
    networks.find(|(net, len, _)| in_network(bits, *net, *len)).map(|(_, _, kind)| kind)
}

/// Whether the first `length` bits agree; `length` is 1 to 128.
fn in_network(bits: u128, network: u128, length: u32) -> bool {
    (bits ^ network) >> (128 - length) == 0
}

fn v4_bits(address: Ipv4Addr) -> u128 {
    u128::from(address.to_bits()) << 96
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

const fn v6(a: u16, b: u16, c: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)
}

const V4: [(Ipv4Addr, u32, AddressKind); 16] = [
    (v4(0, 0, 0, 0), 8, AddressKind::ThisNetwork),
    (v4(10, 0, 0, 0), 8, AddressKind::Private),
    (v4(100, 64, 0, 0), 10, AddressKind::Shared),
    (v4(127, 0, 0, 0), 8, AddressKind::Loopback),
    (v4(169, 254, 0, 0), 16, AddressKind::LinkLocal),
    (v4(172, 16, 0, 0), 12, AddressKind::Private),
    (v4(192, 0, 0, 0), 24, AddressKind::Protocol),
    (v4(192, 0, 2, 0), 24, AddressKind::Documentation),
    (v4(192, 88, 99, 0), 24, AddressKind::Protocol),
    (v4(192, 168, 0, 0), 16, AddressKind::Private),
    (v4(198, 18, 0, 0), 15, AddressKind::Benchmark),
    (v4(198, 51, 100, 0), 24, AddressKind::Documentation),
    (v4(203, 0, 113, 0), 24, AddressKind::Documentation),
    (v4(224, 0, 0, 0), 4, AddressKind::Multicast),
    (v4(240, 0, 0, 0), 4, AddressKind::Reserved),
    // Azure's wire server and resolver. Nobody else is there, and it answers only inside Azure.
    (v4(168, 63, 129, 16), 32, AddressKind::Platform),
];

/// All that is public in IPv6 is in here.
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (v6(0x2000, 0, 0), 3);

/// The exceptions inside [`GLOBAL_UNICAST`], and better words for some of what is outside.
const V6: [(Ipv6Addr, u32, AddressKind); 12] = [
    (v6(0x2001, 0, 0), 23, AddressKind::Protocol),
    (v6(0x2001, 0xdb8, 0), 32, AddressKind::Documentation),
    (v6(0x2002, 0, 0), 16, AddressKind::Embedded),
    (v6(0x3fff, 0, 0), 20, AddressKind::Documentation),
    (Ipv6Addr::UNSPECIFIED, 128, AddressKind::ThisNetwork),
    (Ipv6Addr::LOCALHOST, 128, AddressKind::Loopback),
    (v6(0, 0, 0), 80, AddressKind::Embedded),
    (v6(0x64, 0xff9b, 0), 96, AddressKind::Embedded),
    (v6(0x64, 0xff9b, 1), 48, AddressKind::Embedded),
    (v6(0xfc00, 0, 0), 7, AddressKind::Private),
    (v6(0xfe80, 0, 0), 10, AddressKind::LinkLocal),
    (v6(0xff00, 0, 0), 8, AddressKind::Multicast),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The last address before a network, its first, its last and the one after.
    #[test]
    fn both_edges_of_every_network() {
        for (edges, kind) in [
            (["-", "0.0.0.0", "0.255.255.255", "1.0.0.0"], AddressKind::ThisNetwork),
            (["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"], AddressKind::Private),
            (
                ["100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"],
                AddressKind::Shared,
            ),
            (
                ["126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"],
                AddressKind::Loopback,
            ),
            (
                ["168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"],
                AddressKind::Platform,
            ),
            (
                ["169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"],
                AddressKind::LinkLocal,
            ),
            (
                ["172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"],
                AddressKind::Private,
            ),
            (["191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"], AddressKind::Protocol),
            (["192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"], AddressKind::Documentation),
            (
                ["192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"],
                AddressKind::Protocol,
            ),
            (
                ["192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"],
                AddressKind::Private,
            ),
            (
                ["198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"],
                AddressKind::Benchmark,
            ),
            (
                ["198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"],
                AddressKind::Documentation,
            ),
            (
                ["203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"],
                AddressKind::Documentation,
            ),
            (["223.255.255.255", "224.0.0.0", "239.255.255.255", "-"], AddressKind::Multicast),
            (["-", "240.0.0.0", "255.255.255.255", "-"], AddressKind::Reserved),
            (
                [
                    "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                    "2001::",
                    "2001:1ff:ffff:ffff::",
                    "2001:200::",
                ],
                AddressKind::Protocol,
            ),
            (
                ["2001:db7:ffff::", "2001:db8::", "2001:db8:ffff::", "2001:db9::"],
                AddressKind::Documentation,
            ),
            (["2001:ffff::", "2002::", "2002:ffff:ffff::", "2003::"], AddressKind::Embedded),
            (
                ["3ffe:ffff::", "3fff::", "3fff:fff:ffff::", "3fff:1000::"],
                AddressKind::Documentation,
            ),
        ] {
            let address = |text: &str| text.parse::<IpAddr>().expect("an address");
            let [before, first, last, after] = edges;
            for outside in [before, after].into_iter().filter(|text| *text != "-") {
                assert_eq!(not_public(address(outside)), None, "{outside}");
            }
            for inside in [first, last] {
                assert_eq!(not_public(address(inside)), Some(kind), "{inside}");
            }
        }
    }

    #[test]
    fn ipv6_outside_global_unicast() {
        for (text, kind) in [
            ("::", AddressKind::ThisNetwork),
            ("::1", AddressKind::Loopback),
            ("::2", AddressKind::Embedded),
            ("::127.0.0.1", AddressKind::Embedded),
            ("::8.8.8.8", AddressKind::Embedded),
            ("::ffff:8.8.8.8", AddressKind::Embedded),
            ("::ffff:0:8.8.8.8", AddressKind::Reserved),
            ("64:ff9b::8.8.8.8", AddressKind::Embedded),
            ("64:ff9b:1::8.8.8.8", AddressKind::Embedded),
            ("64:ff9b:2::1", AddressKind::Reserved),
            ("100::1", AddressKind::Reserved),
            ("1fff:ffff::", AddressKind::Reserved),
            ("4000::", AddressKind::Reserved),
            ("5f00::1", AddressKind::Reserved),
            ("fbff::", AddressKind::Reserved),
            ("fc00::", AddressKind::Private),
            ("fd00:ec2::254", AddressKind::Private),
            ("fe80::1", AddressKind::LinkLocal),
            ("fec0::1", AddressKind::Reserved),
            ("ff02::1", AddressKind::Multicast),
        ] {
            assert_eq!(not_public(text.parse().expect("an address")), Some(kind), "{text}");
        }
        for text in ["2606:4700::1111", "2a00:1450::", "2400:cb00::", "3ffe::1"] {
            assert_eq!(not_public(text.parse().expect("an address")), None, "{text}");
        }
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        use std::collections::BTreeSet;
        let codes: BTreeSet<&str> = AddressKind::ALL.into_iter().map(AddressKind::code).collect();
        let words: BTreeSet<&str> = AddressKind::ALL.into_iter().map(AddressKind::words).collect();
        assert_eq!((codes.len(), words.len()), (AddressKind::ALL.len(), AddressKind::ALL.len()));
    }
}
