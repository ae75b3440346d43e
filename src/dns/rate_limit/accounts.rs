//! Accounts of answers, in a table of a fixed size without locks.
//!
//! The balance of an account and the time it was struck are one number: the instant at which it will be full again. Each
//! answer moves that by the same step, and is in credit while it is no further off than the credit of one second.
//!
//! An account is one word, changed by compare-and-swap. The accounts whose hashes begin alike share a cache line; where
//! it is full, the one with the least debt is given up. That forgives a little, and never blames a client for what
//! another did.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most that an account can hold: answers of one second.
pub const CREDIT: Duration = Duration::from_secs(1);
/// How long an account may take to be in credit again when a flood has ended, as in BIND.
pub const WINDOW: Duration = Duration::from_secs(15);
const MOST_DEBT: u64 = micros(CREDIT) + micros(WINDOW);

/// Accounts that one cache line holds.
pub const WAYS: usize = 8;
/// Cache lines: 1 MiB for 131,072 accounts.
pub const SETS: usize = 1 << 14;
/// Microseconds after which instants begin anew: twelve days.
#[cfg(test)]
pub const ROUND: u64 = 1 << Account::INSTANT;

/// The accounts, by their hashes.
#[derive(Debug)]
pub struct Accounts(Box<[Set]>);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([AtomicU64; WAYS]);

impl Default for Accounts {
    fn default() -> Self {
        Self((0..SETS).map(|_| Set::default()).collect())
    }
}

impl Accounts {
    /// Charges `cost` microseconds to the account with this hash. `None` while it is in credit, else the number of this
    /// limited answer modulo `slip`.
    pub fn charge(&self, hash: u64, now: u64, cost: u64, slip: u8) -> Option<u8> {
        let set = &self.0[hash as usize % SETS].0;
        loop {
            let words: [u64; WAYS] = std::array::from_fn(|way| set[way].load(Ordering::Relaxed));
            let own = words.iter().position(|word| Account(*word).is_of(hash));
            let least = || words.iter().enumerate().min_by_key(|(_, word)| Account(**word).debt(now));
            let way = own.or_else(|| least().map(|(way, _)| way)).unwrap_or_default();
            let before = if own.is_some() { Account(words[way]) } else { Account::new(hash, now, 0, 0) };
            let debt = (before.debt(now) + cost).min(MOST_DEBT);
            let limited = debt > micros(CREDIT);
            let turn = before.turn();
            let next_turn = if limited { (turn + 1) % slip.max(1) } else { turn };
            let after = Account::new(hash, now, debt, next_turn);
            let swapped = set[way].compare_exchange_weak(words[way], after.0, Ordering::Relaxed, Ordering::Relaxed);
            if swapped.is_ok() {
                return limited.then_some(turn);
            }
        }
    }
}

/// Microseconds, the unit of instants and debts.
pub const fn micros(span: Duration) -> u64 {
    span.as_micros() as u64
}

/// An account in one word: 20 bits of its hash, 4 of whose turn it is to slip, 40 of the instant at which it is full.
///
/// Instants are microseconds modulo twelve days. One that lies further ahead than any debt reaches is in the past.
#[derive(Debug, Clone, Copy)]
struct Account(u64);

impl Account {
    const INSTANT: u32 = 40;
    const TURN: u32 = 4;

    fn new(hash: u64, now: u64, debt: u64, turn: u8) -> Self {
        let kept = hash >> (Self::INSTANT + Self::TURN) << (Self::INSTANT + Self::TURN);
        Self(kept | u64::from(turn) << Self::INSTANT | Self::instant(now.wrapping_add(debt)))
    }

    const fn instant(micros: u64) -> u64 {
        micros & ((1 << Self::INSTANT) - 1)
    }

    fn is_of(self, hash: u64) -> bool {
        (self.0 ^ hash) >> (Self::INSTANT + Self::TURN) == 0
    }

    /// Microseconds until it is full.
    fn debt(self, now: u64) -> u64 {
        let ahead = Self::instant(Self::instant(self.0).wrapping_sub(now));
        if ahead <= MOST_DEBT { ahead } else { 0 }
    }

    fn turn(self) -> u8 {
        (self.0 >> Self::INSTANT) as u8 & ((1 << Self::TURN) - 1)
    }
}
