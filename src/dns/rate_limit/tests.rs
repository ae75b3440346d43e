//! The limits over explicit time.

use super::Decision::{Drop, Send, Slip};
use super::accounts::{ROUND, SETS, WAYS};
use super::*;

const CLIENT: &str = "192.0.2.1";

fn limiter(rate: u32, slip: u8) -> RateLimiter {
    RateLimiter::new(RateLimits { rate, slip, exempt: Prefixes::default() })
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Decisions on `count` answers to `client` at `now`, in milliseconds.
fn asked(limiter: &RateLimiter, client: &str, told: &Told<'_>, now: u64, count: usize) -> Vec<Decision> {
    let decide = |_| limiter.limiting().decide(client.parse().unwrap(), || *told, || Duration::from_millis(now));
    (0..count).map(decide).collect()
}

fn sent(limiter: &RateLimiter, client: &str, told: &Told<'_>, now: u64, count: usize) -> usize {
    asked(limiter, client, told, now, count).iter().filter(|decision| **decision == Send).count()
}

#[test]
fn a_second_s_worth_is_sent_at_once_and_the_rate_after_that() {
    let (limiter, web) = (limiter(10, 0), name("web.svc.local"));
    let told = Told::Records(web.borrowed(), RecordType::A);
    assert_eq!(sent(&limiter, CLIENT, &told, 0, 10), 10);
    assert_eq!(sent(&limiter, CLIENT, &told, 0, 1), 0);
    // That one was charged as well; from here on one answer is earned each 100 ms.
    assert_eq!([200, 200, 400, 500].map(|now| sent(&limiter, CLIENT, &told, now, 1)), [1, 0, 1, 1]);
    assert_eq!(sent(&limiter, CLIENT, &told, 60_000, 20), 10, "no account holds more than a second's worth");
    assert_eq!(limiter.limited(), 1 + 1 + 10);
}

#[test]
fn a_flood_is_paid_back_within_the_window() {
    let limiter = limiter(10, 0);
    sent(&limiter, CLIENT, &Told::Error, 0, 100_000);
    assert_eq!(sent(&limiter, CLIENT, &Told::Error, 14_900, 1), 0);
    assert_eq!(sent(&limiter, CLIENT, &Told::Error, 30_000, 1), 1);
}

#[test]
fn a_client_that_keeps_flooding_gets_nothing_and_one_at_the_rate_everything() {
    let (flooder, honest) = (limiter(100, 0), limiter(100, 0));
    let flooded: usize = (0..60).map(|second| sent(&flooder, CLIENT, &Told::Error, second * 1000, 1000)).sum();
    assert_eq!(flooded, 100);
    let served: usize = (0..6000).map(|tick| sent(&honest, CLIENT, &Told::Error, tick * 10, 1)).sum();
    assert_eq!(served, 6000);
}

#[test]
fn every_nth_slips_and_errors_never() {
    let web = name("web.svc.local");
    let told = Told::Records(web.borrowed(), RecordType::A);
    for (slip, expected) in [
        (0, [Drop; 6]),
        (1, [Slip; 6]),
        (2, [Slip, Drop, Slip, Drop, Slip, Drop]),
        (3, [Slip, Drop, Drop, Slip, Drop, Drop]),
    ] {
        let limiter = limiter(1, slip);
        assert_eq!(asked(&limiter, CLIENT, &told, 0, 7)[1..], expected, "{slip}");
        assert_eq!(asked(&limiter, CLIENT, &Told::Error, 0, 7)[1..], [Drop; 6], "{slip}");
    }
}

#[test]
fn what_differs_has_an_account_of_its_own() {
    let limiter = limiter(1, 2);
    let (web, shop) = (name("web.svc.local"), name("shop.svc.local"));
    let told = [
        Told::Records(web.borrowed(), RecordType::A),
        Told::Records(web.borrowed(), RecordType::AAAA),
        Told::Records(shop.borrowed(), RecordType::A),
        Told::Nothing(web.borrowed()),
        Told::Referral(web.borrowed()),
        Told::Error,
    ];
    for client in ["192.0.2.1", "192.0.3.1", "2001:db8:0:100::1", "2001:db8:0:200::1"] {
        for told in &told {
            assert_eq!(sent(&limiter, client, told, 0, 2), 1, "{client} {told:?}");
        }
    }
}

#[test]
fn what_is_alike_shares_one() {
    for (one, other) in [
        ("192.0.2.1", "192.0.2.254"),
        ("192.0.2.1", "::ffff:192.0.2.9"),
        ("2001:db8:0:100::1", "2001:db8:0:1ff:ffff::"),
    ] {
        let limiter = limiter(1, 2);
        let (lower, upper) = (name("web.svc.local"), name("WEB.svc.LOCAL"));
        assert_eq!(sent(&limiter, one, &Told::Records(lower.borrowed(), RecordType::A), 0, 1), 1);
        assert_eq!(
            sent(&limiter, other, &Told::Records(upper.borrowed(), RecordType::A), 0, 1),
            0,
            "{one} and {other}"
        );
    }
}

#[test]
fn exempt_clients_have_no_accounts() {
    let exempt = Prefixes::new(&["127.0.0.0/8".parse().unwrap()]);
    let limiter = RateLimiter::new(RateLimits { rate: 1, slip: 2, exempt });
    assert_eq!(sent(&limiter, "127.0.0.9", &Told::Error, 0, 9), 9);
    assert_eq!(sent(&limiter, CLIENT, &Told::Error, 0, 9), 1);
}

#[test]
fn a_crowd_of_networks_leaves_a_flood_in_its_debt() {
    let limiter = limiter(10, 0);
    sent(&limiter, CLIENT, &Told::Error, 0, 1000);
    let crowd = (1..=2 * SETS * WAYS).map(|at| IpAddr::V6(((at as u128) << 72).into()));
    let refused =
        crowd.filter(|client| limiter.limiting().decide(*client, || Told::Error, || Duration::ZERO) != Send).count();
    assert_eq!(refused, 0, "nobody pays for another");
    assert_eq!(sent(&limiter, CLIENT, &Told::Error, 0, 1), 0);
}

#[test]
fn instants_come_round_without_debts() {
    let limiter = limiter(1, 0);
    let round = ROUND / 1000;
    for now in [60_000, round - 1, 3 * round + 60_000] {
        assert_eq!([0, 999, 2000].map(|later| sent(&limiter, CLIENT, &Told::Error, now + later, 1)), [1, 0, 1]);
    }
}

#[test]
fn workers_share_accounts() {
    let limiter = limiter(1000, 2);
    let all: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| sent(&limiter, CLIENT, &Told::Error, 0, 1000))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    // Two workers that meet an account for the first time together may each begin one.
    assert!((1000..=2000).contains(&all), "{all}");
    assert_eq!(limiter.limited() as usize, 4000 - all);
}

#[test]
fn a_network_is_news_once_a_minute() {
    let limiter = limiter(1, 2);
    let news = |client: &str, now| limiter.news(client.parse().unwrap(), Duration::from_secs(now)).is_some();
    assert_eq!([0, 59, 60, 61].map(|now| news(CLIENT, now)), [true, false, true, false]);
    assert!(!news("192.0.2.200", 61), "another address of the network");
    let lines = (0..1000_u32).filter(|at| news(&std::net::Ipv4Addr::from(at << 8).to_string(), 120)).count();
    assert!(lines <= NEWS, "{lines}");
}

#[test]
fn limits_change_and_debts_stay() {
    let limiter = limiter(0, 2);
    assert_eq!(sent(&limiter, CLIENT, &Told::Error, 0, 100), 100, "no limit");
    limiter.limit(RateLimits { rate: 10, slip: 0, exempt: Prefixes::default() });
    assert_eq!(sent(&limiter, CLIENT, &Told::Error, 0, 100), 10);
    limiter.limit(RateLimits { rate: 20, slip: 0, exempt: Prefixes::default() });
    assert_eq!(sent(&limiter, CLIENT, &Told::Error, 5_000, 100), 0);
    assert_eq!(sent(&limiter, CLIENT, &Told::Error, 60_000, 100), 20);
}
